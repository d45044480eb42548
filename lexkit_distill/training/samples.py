"""Training samples from files: texts, chats, prompts with completions, and the tasks of the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from lexkit_distill.errors import DataError
from lexkit_distill.senses.corpus import Message, documents
from lexkit_distill.training.tasks import TASKS, Example, mmlu_questions, overlaps, read_task

SHOTS = {"squad": 1}
"""Worked examples before a question, where it is not the five of the multiple-choice tasks (paper, section 5.2)."""


@dataclass(frozen=True)
class Sample:
    """A text, a text after its prompt, or a chat."""

    where: str
    """File and line, for error messages."""
    text: str | None = None
    prompt: str = ""
    messages: tuple[Message, ...] = ()
    context_turns: int = 0
    """Messages that are prompt only, such as worked examples: no turn before this is a completion."""
    tools: tuple[dict[str, Any], ...] = ()
    """Schemas of the tools that the chat may call, for the chat template."""


def read_samples(
    data: Sequence[str],
    *,
    seed: int = 0,
    shots: int | None = None,
    fraction: float = 1.0,
    mmlu_test: str | None = None,
    dropped: Counter[str],
) -> Iterator[Sample]:
    """Yield the samples of files, in order.

    Args:
        data: as `documents` takes them, or TASK:FILE or TASK:hub:NAME with a task of `TASKS`.
        seed: draws worked examples, the share of the samples, and options of MMLU-Pro.
        shots: worked examples before each question of a task; None is five, and one for SQuAD.
        fraction: share of each task's examples to take.
        mmlu_test: folder of MMLU's test files; questions of MMLU-Pro that are in it are left out.
        dropped: counts what is left out, by reason.

    Raises:
        CorpusError: a file is missing, unreadable, or a line has another shape.
        DataError: a task has too few examples for the worked ones, or MMLU-Pro comes without MMLU's test.
    """
    for name in data:
        task, _, rest = name.partition(":")
        if task in TASKS and rest:
            yield from _task_samples(task, rest, seed, shots, fraction, mmlu_test, dropped)
            continue
        for document in documents([name], lambda reason: dropped.update([reason])):
            yield Sample(
                document.where,
                document.text,
                document.prompt or "",
                document.messages,
                document.context_turns,
                document.tools,
            )


def _task_samples(
    task: str, name: str, seed: int, shots: int | None, fraction: float, mmlu_test: str | None, dropped: Counter[str]
) -> Iterator[Sample]:
    shots = SHOTS.get(task, 5) if shots is None else shots
    examples = read_task(task, name, seed)
    if task == "mmlu-pro":
        examples = _without_test(examples, name, mmlu_test, dropped)
    groups: dict[str, list[Example]] = {}
    for example in examples:
        groups.setdefault(example.group, []).append(example)
    if len(groups) == 1 and len(examples) <= shots:
        raise DataError(f"{name}: {len(examples)} examples are too few for {shots} worked ones; lower --shots")
    for number, example in enumerate(examples):
        chooser = Random(f"{seed} {task} {number}")
        if chooser.random() >= fraction:
            continue
        others = [other for other in groups[example.group] if other is not example]
        if len(others) < shots:
            dropped["no other question about the passage"] += 1
            continue
        turns = [*chooser.sample(others, shots), example]
        messages = [
            {"role": role, "content": content}
            for turn in turns
            for role, content in (("user", turn.question), ("assistant", turn.answer))
        ]
        yield Sample(example.where, messages=tuple(messages), context_turns=len(messages) - 1)


def _without_test(examples: list[Example], name: str, folder: str | None, dropped: Counter[str]) -> list[Example]:
    if folder is None:
        raise DataError(
            f"mmlu-pro:{name}: its questions may be in MMLU's test; give that test's folder with --mmlu-test, "
            "so that they can be left out"
        )
    test = mmlu_questions(Path(folder).expanduser())
    kept = [example for example in examples if not overlaps(example, test)]
    dropped["question of MMLU's test"] += len(examples) - len(kept)
    return kept
