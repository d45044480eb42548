"""Read the questions of an evaluation from files or from the hub, and choose worked examples for each.

The worked examples of a question depend only on the seed, the task and the question, neither on --limit nor on the
number of processes.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from random import Random

from lexkit.errors import first_line
from lexkit_distill.errors import DataError
from lexkit_distill.tasks.task import Question, Task


@dataclass(frozen=True)
class PreparedTask:
    """The questions of a task, each with its worked examples."""

    task: Task
    questions: list[Question]
    available: int
    """Number of questions before the limit is applied."""
    without_shots: int
    """Number of questions with fewer worked examples than requested; their passage has too few other questions."""
    files: list[str]


def prepare(task: Task, data: str | None, *, shots: int, limit: int | None, seed: int) -> PreparedTask:
    """Read a task, and draw its questions and their worked examples.

    Args:
        task: the benchmark.
        data: folder with its files; None reads from the hub.
        shots: number of worked examples before each question.
        limit: number of questions to draw; None takes all.
        seed: seed of all draws.

    Raises:
        CorpusError: a file is unreadable.
        DataError: files are missing, have another format, or have too few worked examples.
    """
    questions, pool, files = _read_hub(task, shots, seed) if data is None else _read_files(task, data, shots, seed)
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise DataError(f"{question.where}: the question {question.id} appears twice; remove one of them")
        seen.add(question.id)
    chosen = questions
    if limit is not None and limit < len(questions):
        places = sorted(Random(f"{seed} {task.name}").sample(range(len(questions)), limit))
        chosen = [questions[place] for place in places]
    groups: dict[str, list[Question]] = {}
    for example in pool:
        groups.setdefault(example.group, []).append(example)
    asked = [_with_shots(question, groups, task, shots, seed) for question in chosen]
    missing = sum(len(question.shots) < shots for question in asked)
    return PreparedTask(task, asked, len(questions), missing, files)


def _with_shots(question: Question, groups: dict[str, list[Question]], task: Task, shots: int, seed: int) -> Question:
    if not shots:
        return question
    pool = [one for one in groups.get(question.group, []) if one.text != question.text]
    if len(pool) < shots and not question.passage:  # a passage may have only one question
        where = pool[0].where if pool else question.where
        group = f" of {question.group}" if question.group else ""
        raise DataError(
            f"{task.name}: {len(pool)} worked examples{group} ({where}), but --shots is {shots}; lower --shots, or add "
            "examples"
        )
    chooser = Random(f"{seed} {task.name} {question.id}")
    return replace(question, shots=tuple(chooser.sample(pool, min(shots, len(pool)))))


_Read = tuple[list[Question], list[Question], list[str]]
"""The questions, the pool of worked examples, and the files that they were read from."""


def _read_files(task: Task, data: str, shots: int, seed: int) -> _Read:
    files = task.files.find(data, task.name)
    example_files = task.files.find(data, task.name, examples=True) if shots else []
    questions, examples = (
        [question for file in some for question in task.questions(str(file), seed)] for some in (files, example_files)
    )
    return questions, examples or questions, [str(file) for file in (*files, *example_files)]


def _read_hub(task: Task, shots: int, seed: int) -> _Read:
    import datasets

    hub = task.hub

    def load(split: str) -> list[Question]:
        try:
            rows = list(datasets.load_dataset(hub.name, hub.config, split=split))
        except Exception as error:  # the library and the hub's client raise many types
            reason = first_line(error)
            raise DataError(
                f"{task.name}: {hub.name} cannot be loaded from the hub ({reason.rstrip('.')}); give --data DIR "
                f"with {task.files.place}"
            ) from error
        where = f"hub:{hub.name}:{split}"
        return [task.question(row, f"{where}, row {number}", seed) for number, row in enumerate(rows, 1)]

    questions = load(hub.split)
    pool = load(hub.examples) if shots and hub.examples else questions
    return questions, pool, [f"hub:{hub.name}:{hub.split}"]
