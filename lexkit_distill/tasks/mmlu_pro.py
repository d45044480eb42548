"""MMLU-Pro (Wang et al. 2024), reduced from up to ten options to four, like MMLU.

The paper trains on it and evaluates on MMLU. It shares questions with MMLU's test set, which training leaves out.
"""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Any

from lexkit.arguments import user_path
from lexkit_distill.data_files import DataFiles
from lexkit_distill.errors import DataError
from lexkit_distill.tasks import mmlu
from lexkit_distill.tasks.task import HubData, Question, Task, lettered, number_of

_OPTIONS = 4


def _parse(record: Any, where: str, seed: int) -> Question:  # noqa: ANN401
    """Keep the right option and three others, drawn with the seed, in their original order."""
    options, right = record["options"], int(record["answer_index"])
    if not 0 <= right < len(options):
        raise DataError(f"{where}: the label {right} is not one of the {len(options)} options; correct the label")
    wrong = [place for place in range(len(options)) if place != right]
    chooser = Random(f"{seed} {record['question']}")
    kept = sorted([right, *chooser.sample(wrong, min(_OPTIONS - 1, len(wrong)))])
    id_ = str(record.get("question_id", number_of(where)))
    return lettered(id_, where, record["question"], [options[place] for place in kept], kept.index(right))


def _without_mmlu_test(questions: list[Question], folder: str | None, dropped: Counter[str]) -> list[Question]:
    if folder is None:
        raise DataError(
            "mmlu_pro: shares questions with MMLU's test set; give the folder of that set with --mmlu-test, so that "
            "they can be left out"
        )
    files = sorted(user_path(folder).glob("*.csv"))
    if not files:
        raise DataError(f"{folder}: no .csv file of MMLU's test set in this folder; check --mmlu-test")
    test = {_normalized(question.text) for file in files for question in mmlu.TASK.questions(str(file), seed=0)}
    kept = [question for question in questions if _normalized(question.text) not in test]
    dropped["question of MMLU's test set"] += len(questions) - len(kept)
    return kept


def _normalized(text: str) -> str:
    return " ".join(re.findall(r"\w+", text.lower()))


TASK = Task(
    name="mmlu_pro",
    parse=_parse,
    files=DataFiles(
        ("mmlu_pro/test*.jsonl",),
        ("mmlu_pro/validation*.jsonl",),
        "test and validation of https://huggingface.co/datasets/TIGER-Lab/MMLU-Pro as mmlu_pro/test.jsonl and "
        "mmlu_pro/validation.jsonl",
    ),
    hub=HubData("TIGER-Lab/MMLU-Pro", "test", "validation"),
    compared="letters",
    screen=_without_mmlu_test,
)
