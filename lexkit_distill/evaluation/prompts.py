"""What the task files in ``tasks/`` refer to: data, prompts and scores, in the forms lm-evaluation-harness calls.

The prompts are those that the paper's tasks are trained with: options with letters, and a plain request at the end.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import datasets
from lm_eval.api.samplers import ContextSampler

from lexkit_distill.evaluation import answers
from lexkit_distill.evaluation.questions import UNANSWERABLE

Row = dict[str, Any]


def dataset(questions: str, **_: Any) -> dict[str, datasets.Dataset]:  # noqa: ANN401
    """Return the rows of a JSON lines file, which the task's metadata name, as its only split."""
    with Path(questions).open(encoding="utf-8") as lines:
        return {"test": datasets.Dataset.from_list([json.loads(line) for line in lines])}


class OwnShots(ContextSampler):  # type: ignore[misc]  # the harness is not typed
    """Takes the worked examples that a question brings, instead of drawing them in the order of evaluation.

    The harness draws from one generator as it goes, so that a question's examples depend on the questions before it
    and on the number of processes.
    """

    def sample(self, n: int, eval_doc: Row | None = None, df: Sequence[Row] | None = None, **_: Any) -> list[Row]:  # noqa: ANN401
        """Return the first *n* examples of the question."""
        assert eval_doc is not None, "the split of questions has to be the split of examples"
        return list(eval_doc["shots"][:n])


def _options(row: Row) -> str:
    return "".join(f"{letter}. {option}\n" for letter, option in zip(row["letters"], row["choices"], strict=True))


def lettered(row: Row) -> str:
    """A question with its options, for a chat."""
    return f"{row['question']}\n{_options(row)}Answer with the letter."


def listed(row: Row) -> str:
    """A question with its options, for a text that goes on."""
    return f"Question: {row['question']}\n{_options(row)}Answer:"


def about_passage(row: Row) -> str:
    """A question about a passage, for a chat."""
    return f"{row['passage']}\n\n{row['question']}\nAnswer with words of the text, or '{UNANSWERABLE}'."


def about_passage_plain(row: Row) -> str:
    """A question about a passage, for a text that goes on."""
    return f"{about_passage(row)}\nAnswer:"


def score_letter(row: Row, results: list[str]) -> dict[str, float]:
    """Accuracy of the letter in what the model wrote, and whether there was none."""
    given = answers.letter(results[0], row["letters"])
    return {"acc": float(given == row["target"]), "unanswered": float(given is None)}


def score_words(row: Row, results: list[str]) -> dict[str, float]:
    """F1 and exact match of what the model wrote."""
    return {"f1": answers.f1(results[0], row["answers"]), "exact": answers.exact(results[0], row["answers"])}
