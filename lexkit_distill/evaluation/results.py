"""The results of an evaluation: ``results.json``, and beside it a file with a line for each question and model."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lexkit.cli.output import to_json
from lexkit_distill.disk import disk_failures
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.statistics import Comparison, Estimate, Measure, compare, estimate
from lexkit_distill.tasks.task import UNANSWERABLE

if TYPE_CHECKING:
    from lexkit_distill.evaluation.harness import Answer

_HIGHER_IS_WORSE = {"unanswered"}


@dataclass(frozen=True)
class TaskScores:
    """A model's measures on a task, and its answers."""

    measures: list[Measure]
    details: dict[str, Any] = field(default_factory=dict)
    """Further results, such as the number of truncated prompts, and accuracy by subject."""
    lines: list[Any] = field(default_factory=list)
    """Lines for the file of answers, one for each question."""


@dataclass(frozen=True)
class TaskResult:
    """The results of one task."""

    metrics: dict[str, Estimate]
    details: dict[str, Any]
    against: dict[str, Estimate] | None = None
    against_details: dict[str, Any] | None = None
    difference: dict[str, Comparison] | None = None
    """The model's value minus that of the other model, by metric."""


@dataclass(frozen=True)
class Results:
    """The contents of ``results.json``."""

    model: str
    against: str | None
    config: dict[str, Any]
    versions: dict[str, str]
    processes: int
    """Number of processes that shared the work."""
    data: dict[str, Any]
    """Files, and numbers of questions available and asked, by task."""
    tasks: dict[str, TaskResult]


def answer_scores(answers: Sequence[Answer]) -> TaskScores:
    """Return the measures of answers: each metric over all questions, and over subjects and kinds of questions."""
    measures = [_measure(name, answers, name) for name in answers[0].scores]
    details: dict[str, Any] = {"truncated": sum(answer.truncated for answer in answers)}
    groups = sorted({answer.group for answer in answers} - {""})
    if groups:
        by_group = {group: [one.scores["acc"] for one in answers if one.group == group] for group in groups}
        details["groups"] = {group: {"acc": float(np.mean(accs)), "n": len(accs)} for group, accs in by_group.items()}
        details["acc_mean_of_groups"] = float(np.mean([group["acc"] for group in details["groups"].values()]))
    if "f1" in answers[0].scores:
        for name, answerable in (("answerable", True), ("unanswerable", False)):
            part = [answer for answer in answers if (answer.target != UNANSWERABLE) == answerable]
            if part:
                measures.append(_measure(f"f1_{name}", part, "f1"))
    return TaskScores(measures, details, list(answers))


def _measure(name: str, answers: Sequence[Answer], key: str) -> Measure:
    values = np.array([[answer.scores[key]] for answer in answers])
    return Measure(name, values, higher_is_better=name not in _HIGHER_IS_WORSE)


def summarize(first: TaskScores, second: TaskScores | None, seed: int) -> TaskResult:
    """Return estimates for a model and, if there is a second one, for it and for the differences."""
    metrics = {measure.name: estimate(measure, seed) for measure in first.measures}
    if second is None:
        return TaskResult(metrics, first.details)
    others = {measure.name: measure for measure in second.measures}
    return TaskResult(
        metrics,
        first.details,
        against={name: estimate(measure, seed) for name, measure in others.items()},
        against_details=second.details,
        difference={
            measure.name: compare(measure, others[measure.name], seed)
            for measure in first.measures
            if measure.name in others and measure.rows == others[measure.name].rows
        },
    )


def check_output(output: Path) -> None:
    """Check that the results can be written before the evaluation starts.

    Raises:
        EvaluationError: the file cannot be written.
    """
    if output.is_dir():
        raise EvaluationError(f"--output {output}: this is a folder; name a file in it")
    if output.exists() and not output.is_file():
        raise EvaluationError(f"--output {output}: this is a pipe or a device; name a file")
    with _writing(output):
        output.parent.mkdir(parents=True, exist_ok=True)
        with _beside(output) as beside:
            beside.touch()


def write(results: Results, lines: dict[str, list[Any]], output: Path) -> Path:
    """Write the results and, beside them, the answers of each model (``model``, ``against``); return the answers' path.

    Raises:
        EvaluationError: a file cannot be written.
    """
    log = output.with_name(f"{output.stem}.questions.jsonl")
    said = "".join(f"{to_json({'model': who, **vars(line)})}\n" for who, said in lines.items() for line in said)
    with _writing(output):
        for path, text in ((output, to_json(results, indent=2) + "\n"), (log, said)):
            with _beside(path) as beside:
                beside.write_text(text, encoding="utf-8")
                beside.replace(path)
    return log


def _writing(output: Path) -> AbstractContextManager[None]:
    return disk_failures(EvaluationError, output, "free some space, or choose another --output")


@contextmanager
def _beside(path: Path) -> Iterator[Path]:
    """Context manager. Yield a temporary file name for this process, because two evaluations may write the same file.

    The one that finishes last replaces the file of the other.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        yield beside
    finally:
        beside.unlink(missing_ok=True)
