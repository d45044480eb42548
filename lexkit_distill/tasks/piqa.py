"""PIQA (Bisk et al. 2020): which of two ways achieves a goal. Labels are published in a separate file."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexkit_distill.data_files import DataFiles
from lexkit_distill.errors import DataError
from lexkit_distill.tasks.task import HubData, Question, Task, lettered, number_of, read_text


def _read(file: Path) -> Iterator[tuple[str, Any]]:
    from lexkit_distill.corpus import records

    found: list[tuple[str, Any]] = list(records(str(file)))
    labels_file = file.with_name(f"{file.stem}-labels.lst")
    if not labels_file.exists():
        if any(isinstance(record, dict) and "label" not in record for _, record in found[:1]):
            raise DataError(f"{file}: no labels; put {labels_file.name} beside it")
        yield from found
        return
    labels = read_text(labels_file).split()
    if len(labels) != len(found):
        raise DataError(
            f"{labels_file}: {len(labels)} labels for {len(found)} questions in {file.name}; use files that match"
        )
    for (where, record), label in zip(found, labels, strict=True):
        yield where, {**record, "label": label}


def _parse(record: Any, where: str, _seed: int) -> Question:  # noqa: ANN401
    return lettered(number_of(where), where, record["goal"], (record["sol1"], record["sol2"]), int(record["label"]))


TASK = Task(
    name="piqa",
    parse=_parse,
    read=_read,
    files=DataFiles(
        ("piqa/valid.jsonl", "piqa/dev.jsonl", "**/physicaliqa*/dev.jsonl"),
        ("piqa/train.jsonl", "**/physicaliqa*/train.jsonl"),
        "piqa/valid.jsonl and piqa/valid-labels.lst of https://yonatanbisk.com/piqa",
        examples_required=False,  # without PIQA's training set, worked examples are other questions of the same file
    ),
    hub=HubData("baber/piqa", "validation", "train"),
)
