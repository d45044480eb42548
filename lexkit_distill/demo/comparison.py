"""The result of the demo: a comparison of two students, and its plot."""

from __future__ import annotations

import csv
import textwrap
from dataclasses import dataclass
from pathlib import Path

from lexkit.figures import QUIET, SERIES, picture

MEASURES = {"ce": "held-out CE (nats a token)", "kl": "KL to the teacher (nats a token)"}
NOTE = (
    "One seed, {words:,} words, {steps} steps: this shows that everything works, not which method is better; "
    "see docs/study.md for that."
)
"""Caveat that is printed with the results."""


@dataclass(frozen=True)
class StudentComparison:
    """Two students of one teacher, trained on the same rows in the same order."""

    teacher: str
    text: str
    paragraphs: dict[str, int]
    """Number of paragraphs in each part of the text, and of those left out."""
    seed: int
    layers: dict[str, int]
    """Number of layers of the teacher and of the students, and of trained layers."""
    steps: int
    held_out: dict[str, dict[str, float]]
    """Held-out ce, perplexity and kl of the teacher, of an untrained student, and of each student."""
    curves: dict[str, list[dict[str, float]]]
    """Evaluations (step, ce and kl) of each student, beginning with the untrained one at step 0."""
    seconds: dict[str, float]
    """Duration of each student's training steps."""
    note: str


def read_log(folder: Path) -> tuple[list[dict[str, float]], float]:
    """Return the evaluations in a student's ``log.csv``, and the duration of all steps in seconds."""
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    curve = [
        {"step": int(row["step"]), **{name: float(row[f"eval_{name}"]) for name in MEASURES}}
        for row in rows
        if row["eval_ce"]
    ]
    return curve, sum(float(row["seconds"]) for row in rows)


def plot(comparison: StudentComparison, path: Path) -> None:
    """Plot both measures of both students over the steps, with the note below, as a PNG file.

    Raises:
        LexkitError: matplotlib is missing.
    """
    with picture(path, 9, 4.4) as figure:
        for axes, (name, label) in zip(figure.subplots(1, 2), MEASURES.items(), strict=True):
            lasts = [curve[-1][name] for curve in comparison.curves.values()]
            for color, (student, curve) in zip(SERIES, comparison.curves.items(), strict=False):
                # Without step 0, next to which all other values would look like a flat line
                steps, values = zip(*((point["step"], point[name]) for point in curve[1:]), strict=True)
                axes.plot(steps, values, marker="o", markersize=3.5, color=color, label=student.upper())
                axes.annotate(
                    f"{values[-1]:.2f}",
                    (steps[-1], values[-1]),
                    xytext=(5, 0),
                    textcoords="offset points",
                    color=color,
                    va="bottom" if values[-1] == max(lasts) else "top",
                )
            axes.set(xlabel="step", ylabel=label, xlim=(0, comparison.steps * 1.15))
            axes.set_title(
                " · ".join(f"{who} {comparison.held_out[who][name]:.2f}" for who in ("untrained", "teacher"))
            )
            axes.margins(y=0.1)
            axes.grid(alpha=0.25)
            axes.legend(frameon=False)
        layers = comparison.layers
        figure.suptitle(f"{comparison.teacher}: the first {layers['student']} of its {layers['teacher']} layers")
        figure.supxlabel("\n".join(textwrap.wrap(comparison.note, 110)), size=8, color=QUIET)
