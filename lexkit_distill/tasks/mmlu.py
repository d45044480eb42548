"""MMLU (Hendrycks et al. 2021): exam questions in 57 subjects, one CSV file per subject."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexkit.errors import first_line
from lexkit_distill.data_files import DataFiles
from lexkit_distill.errors import DataError
from lexkit_distill.tasks.task import LETTERS, HubData, Question, Task, lettered, number_of, read_text


def _read(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield rows of a file as published (no header, answers A to D), or with a header row and answers 0 to 3."""
    subject = file.stem.rpartition("_")[0]
    rows = csv.reader(io.StringIO(read_text(file), newline=""))
    try:
        for number, row in enumerate(rows, 1):
            if number == 1 and row[:1] == ["question"]:
                continue
            where = f"{file}, row {number}"
            if len(row) != 6:
                raise DataError(f"{where}: {len(row)} fields instead of 6 (question, four options, answer); correct it")
            yield where, {"subject": subject, "question": row[0], "choices": row[1:5], "answer": row[5].strip()}
    except csv.Error as error:
        raise DataError(f"{file}: cannot be read as CSV ({first_line(error)}); check the file") from error


def _parse(record: Any, where: str, _seed: int) -> Question:  # noqa: ANN401
    subject, label = record["subject"], str(record["answer"])
    right = int(label) if label.isdecimal() else LETTERS.find(label or "none")
    return lettered(f"{subject}/{number_of(where)}", where, record["question"], record["choices"], right, subject)


TASK = Task(
    name="mmlu",
    parse=_parse,
    read=_read,
    files=DataFiles(
        ("mmlu/test/*_test.csv", "data/test/*_test.csv", "test/*_test.csv"),
        ("mmlu/dev/*_dev.csv", "data/dev/*_dev.csv", "dev/*_dev.csv"),
        "the folders test and dev of https://people.eecs.berkeley.edu/~hendrycks/data.tar as mmlu/test and mmlu/dev",
        many=True,
    ),
    hub=HubData("cais/mmlu", "test", "dev", config="all"),
    compared="letters",
)
