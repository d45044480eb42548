"""ARC-Challenge (Clark et al. 2018): school science questions."""

from __future__ import annotations

from typing import Any

from lexkit_distill.data_files import DataFiles
from lexkit_distill.errors import DataError
from lexkit_distill.tasks.task import HubData, Question, Task, lettered, number_of


def parse_ai2(record: Any, where: str, _seed: int) -> Question:  # noqa: ANN401
    """Parse a question in AI2's own format, with stem and options nested in it, or in that of the hub.

    Raises:
        DataError: the answer key is not the label of an option.
    """
    inner = record["question"]
    text, choices = (inner["stem"], inner["choices"]) if isinstance(inner, dict) else (inner, record["choices"])
    if isinstance(choices, dict):
        labels, options = list(choices["label"]), choices["text"]
    else:
        labels, options = [choice["label"] for choice in choices], [choice["text"] for choice in choices]
    key = record["answerKey"]
    if key not in labels:
        raise DataError(f"{where}: the label {key!r} is not one of the options {', '.join(labels)}; correct the label")
    return lettered(str(record.get("id", number_of(where))), where, text, options, labels.index(key))


TASK = Task(
    name="arc",
    parse=parse_ai2,
    files=DataFiles(
        ("arc/validation*.jsonl", "**/ARC-Challenge-Dev.jsonl"),
        ("arc/train*.jsonl", "**/ARC-Challenge-Train.jsonl"),
        "ARC-Challenge-Dev.jsonl and ARC-Challenge-Train.jsonl of https://allenai.org/data/arc",
    ),
    hub=HubData("allenai/ai2_arc", "validation", "train", config="ARC-Challenge"),
)
