"""Training samples from files: texts, chats, prompts with completions, and the tasks of the paper."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from lexkit_distill.errors import DataError
from lexkit_distill.senses.corpus import Message, documents
from lexkit_distill.tasks import split_task
from lexkit_distill.tasks.task import Question, Task


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
        data: as `documents` takes them, or TASK:FILE or TASK:hub:NAME with a task of `lexkit_distill.tasks`.
        seed: draws worked examples, the share of the samples, and options of MMLU-Pro.
        shots: worked examples before each question; None is the task's own number.
        fraction: share of each task's examples to take.
        mmlu_test: folder of MMLU's test files; questions of MMLU-Pro that are in it are left out.
        dropped: counts what is left out, by reason.

    Raises:
        CorpusError: a file is missing, unreadable, or a line has another shape.
        DataError: a question has another shape, a task has too few for the worked examples, or MMLU-Pro comes without
            MMLU's test.
    """
    for name in data:
        task, file = split_task(name)
        if task:
            yield from _task_samples(task, file, seed, shots, fraction, mmlu_test, dropped)
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
    task: Task, name: str, seed: int, shots: int | None, fraction: float, mmlu_test: str | None, dropped: Counter[str]
) -> Iterator[Sample]:
    shots = task.shots_of(shots)
    questions = task.questions(name, seed)
    if task.screen:
        questions = task.screen(questions, mmlu_test, dropped)
    groups: dict[str, list[Question]] = {}
    for question in questions:
        groups.setdefault(question.group, []).append(question)
    if len(groups) == 1 and len(questions) <= shots:
        raise DataError(f"{name}: {len(questions)} questions are too few for {shots} worked examples; lower --shots")
    for number, question in enumerate(questions):
        chooser = Random(f"{seed} {task.name} {number}")
        if chooser.random() >= fraction:
            continue
        others = [other for other in groups[question.group] if other is not question]
        if len(others) < shots:
            dropped["too few other questions about the same passage or subject"] += 1
            continue
        asked = replace(question, shots=tuple(chooser.sample(others, shots)))
        yield Sample(question.where, messages=asked.messages, context_turns=len(asked.messages) - 1)
