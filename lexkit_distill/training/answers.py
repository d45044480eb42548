"""The teacher's own answers in place of the gold ones: what the authors' code trains on, against their paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch

from lexkit_distill.chat import ChatTemplate
from lexkit_distill.teacher import Teacher
from lexkit_distill.training.samples import Sample

_NEW_TOKENS = 64


def answered(samples: Iterable[Sample], teacher: Teacher) -> Iterator[Sample]:
    """Yield samples whose completion, or last turn, is what the teacher says there (greedily, at most 64 tokens).

    Plain texts stay as they are; so does a sample to which the teacher says nothing.
    """
    template = ChatTemplate(teacher.tokenizer)
    for sample in samples:
        turns = sample.messages
        if turns and turns[-1]["role"] == "assistant":
            prompt = template.text(turns[:-1], sample.where, prompt=True, tools=sample.tools)
            answer = _answer(teacher, prompt).strip()
            last: dict[str, Any] = {**turns[-1], "content": answer}
            yield replace(sample, messages=(*turns[:-1], last)) if answer else sample
        elif sample.prompt:
            answer = _answer(teacher, sample.prompt)
            yield replace(sample, text=answer) if answer else sample
        else:
            yield sample


@torch.no_grad()
def _answer(teacher: Teacher, prompt: str) -> str:
    ids = torch.tensor([teacher.encoder.prompt(prompt)], device=teacher.device)
    pad = teacher.tokenizer.pad_token_id or 0
    found = teacher.model.generate(
        input_ids=ids,
        attention_mask=torch.ones_like(ids),
        max_new_tokens=_NEW_TOKENS,
        do_sample=False,
        pad_token_id=pad,
    )
    return str(teacher.tokenizer.decode(found[0, ids.shape[1] :], skip_special_tokens=True))
