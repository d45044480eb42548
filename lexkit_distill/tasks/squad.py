"""SQuAD v2 (Rajpurkar et al. 2018): answers are words of a passage, or that the passage does not contain one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lexkit.errors import first_line
from lexkit_distill.data_files import DataFiles
from lexkit_distill.errors import DataError
from lexkit_distill.tasks.task import HubData, Question, Task, about_passage, number_of, read_text


def _read(file: Path) -> Iterator[tuple[str, Any]]:
    """Yield the questions of a file in SQuAD's own JSON, or in JSON lines in the format of the hub."""
    if file.suffix != ".json":
        from lexkit_distill.corpus import records

        yield from records(str(file))
        return
    try:
        for article in json.loads(read_text(file))["data"]:
            for paragraph in article["paragraphs"]:
                for entry in paragraph["qas"]:
                    texts = [] if entry.get("is_impossible") else [answer["text"] for answer in entry["answers"]]
                    record = {**entry, "context": paragraph["context"], "answers": {"text": texts}}
                    yield f"{file}, {entry['id']}", record
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        reason = f"{type(error).__name__}: {first_line(error)}"
        raise DataError(f"{file}: not SQuAD's JSON ({reason}); check the file") from error


def _parse(record: Any, where: str, _seed: int) -> Question:  # noqa: ANN401
    id_ = str(record.get("id", number_of(where)))
    return about_passage(id_, where, record["question"], record["context"], record["answers"]["text"])


TASK = Task(
    name="squad_v2",
    aliases=("squad",),
    parse=_parse,
    read=_read,
    files=DataFiles(
        ("squad/dev-v2.0*.json", "**/dev-v2.0*.json"),
        place="dev-v2.0.json of https://rajpurkar.github.io/SQuAD-explorer",
        examples_required=False,  # the worked example is another question about the same passage
    ),
    hub=HubData("rajpurkar/squad_v2", "validation"),
    compared="words",
    shots=1,
    max_shots=1,
)
