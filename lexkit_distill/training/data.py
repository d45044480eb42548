"""Read the documents to train on: texts, chats, prompts with completions, and questions of the tasks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from random import Random

from lexkit_distill.corpus import Document, documents
from lexkit_distill.errors import DataError
from lexkit_distill.tasks import split_task
from lexkit_distill.tasks.task import Question, Task
from lexkit_distill.training.config import DataConfig


def training_documents(
    names: Sequence[str], config: DataConfig, *, seed: int, dropped: Counter[str]
) -> Iterator[Document]:
    """Yield the documents of files, in order. Questions of a task become chats with worked examples.

    Args:
        names: files as for `documents`, or TASK:FILE or TASK:hub:NAME with a task of `lexkit_distill.tasks`.
        config: number of worked examples, share of each task's questions, and MMLU's test files.
        seed: seed for drawing worked examples, the share of the questions, and options of MMLU-Pro.
        dropped: counts what is left out, by reason.

    Raises:
        CorpusError: a file is missing or unreadable, or a line has none of the accepted forms.
        DataError: a question cannot be parsed, a task has too few questions for the worked examples, or MMLU-Pro is
            used without MMLU's test files.
    """
    for name in names:
        task, file = split_task(name)
        if task:
            yield from _questions(task, file, config, seed, dropped)
        else:
            yield from documents([name], lambda reason: dropped.update([reason]))


def _questions(task: Task, name: str, config: DataConfig, seed: int, dropped: Counter[str]) -> Iterator[Document]:
    shots = task.shots_of(config.shots)
    questions = task.questions(name, seed)
    if task.screen:
        questions = task.screen(questions, config.mmlu_test, dropped)
    groups: dict[str, list[Question]] = {}
    for question in questions:
        groups.setdefault(question.group, []).append(question)
    if len(groups) == 1 and len(questions) <= shots:
        raise DataError(f"{name}: has only {len(questions)} questions for {shots} worked examples each; lower --shots")
    for number, question in enumerate(questions):
        chooser = Random(f"{seed} {task.name} {number}")
        if chooser.random() >= config.fraction:
            continue
        others = [other for other in groups[question.group] if other is not question]
        if len(others) < shots:
            dropped["too few other questions about the same passage or subject"] += 1
            continue
        asked = replace(question, shots=tuple(chooser.sample(others, shots)))
        yield Document(question.where, messages=asked.messages, context_turns=len(asked.messages) - 1)
