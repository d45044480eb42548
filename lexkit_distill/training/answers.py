"""The teacher's own answers in place of the gold ones: what the authors' code trains on, against their paper."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import torch

from lexkit_distill.senses.plan import chat_text
from lexkit_distill.teacher import Teacher
from lexkit_distill.training.samples import Sample

_NEW_TOKENS = 64


def answered(samples: Iterable[Sample], teacher: Teacher) -> Iterator[Sample]:
    """Yield samples whose completion, or last turn, is what the teacher says there (greedily, at most 64 tokens).

    Plain texts stay as they are; so does a sample to which the teacher says nothing.
    """
    for sample in samples:
        turns = sample.messages
        if turns and turns[-1]["role"] == "assistant":
            prompt = chat_text(turns[:-1], sample.where, teacher.tokenizer, answer=True)
            answer = _answer(teacher, prompt, special=False)
            last: dict[str, Any] = {**turns[-1], "content": answer}
            yield replace(sample, messages=(*turns[:-1], last)) if answer else sample
        elif sample.prompt:
            answer = _answer(teacher, sample.prompt, special=True)
            yield replace(sample, text=answer) if answer else sample
        else:
            yield sample


@torch.no_grad()
def _answer(teacher: Teacher, prompt: str, *, special: bool) -> str:
    inputs = teacher.tokenizer(prompt, return_tensors="pt", add_special_tokens=special)
    inputs = {name: inputs[name].to(teacher.device) for name in ("input_ids", "attention_mask")}
    pad = teacher.tokenizer.pad_token_id or 0
    found = teacher.model.generate(**inputs, max_new_tokens=_NEW_TOKENS, do_sample=False, pad_token_id=pad)
    text: str = teacher.tokenizer.decode(found[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return text if special else text.strip()
