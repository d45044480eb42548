"""The paper's tasks (section 5.2) from their publishers' files: ARC, CommonsenseQA, PIQA, MMLU-Pro and SQuAD v2.

Each example is a question as a user asks it, and the gold answer: the letter of an option, or words of a passage.
"""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any

from lexkit_distill.errors import DataError
from lexkit_distill.senses.corpus import records

LETTERS = "ABCDEFGHIJ"
UNANSWERABLE = "unanswerable"
_OPTIONS = 4
"""Options of a question of MMLU-Pro that are kept, as many as MMLU has."""


@dataclass(frozen=True)
class Example:
    """A question and its gold answer."""

    where: str
    question: str
    """As the user's turn has it."""
    answer: str
    group: str = ""
    """Worked examples come from the same group: the passage, for SQuAD."""
    stem: str = ""
    """The bare question, to find overlaps."""


def read_task(task: str, name: str, seed: int) -> list[Example]:
    """Return the examples of a task's file, or of ``hub:NAME[/CONFIG][:SPLIT]``.

    Raises:
        CorpusError: the file is missing or unreadable.
        DataError: nothing in it, or an example of another shape.
    """
    found = list(TASKS[task](name, seed))
    if not found:
        raise DataError(f"{task}:{name}: no examples in it; check the file")
    return found


def multiple_choice(where: str, stem: str, options: list[str], answer: int) -> Example:
    """Return a question with lettered options.

    Raises:
        DataError: the answer is none of the options.
    """
    if not 0 <= answer < len(options) <= len(LETTERS):
        raise DataError(f"{where}: answer {answer} is none of {len(options)} options; mend the line")
    listed = "".join(f"{letter}. {option}\n" for letter, option in zip(LETTERS, options, strict=False))
    return Example(where, f"{stem}\n{listed}Answer with the letter.", LETTERS[answer], stem=stem)


def _shaped(parse: Callable[[str, Any, int], Example]) -> Callable[[str, int], Iterator[Example]]:
    """A reader of a file with an example a line; a line that lacks something is one clear error."""

    def read(name: str, seed: int) -> Iterator[Example]:
        for where, record in records(name):
            try:
                yield parse(where, record, seed)
            except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
                raise DataError(
                    f"{where}: not an example of this task ({type(error).__name__}: {error}); check task and file"
                ) from error

    return read


def _ai2(where: str, record: Any, _: int) -> Example:  # noqa: ANN401
    """ARC and CommonsenseQA, in the form of AI2 or in that of the hub."""
    question = record["question"]
    if isinstance(question, dict):
        stem, choices = question["stem"], question["choices"]
    else:
        stem, choices = question, record["choices"]
    if isinstance(choices, dict):
        labels, options = list(choices["label"]), list(choices["text"])
    else:
        labels, options = [choice["label"] for choice in choices], [choice["text"] for choice in choices]
    return multiple_choice(where, stem, options, labels.index(record["answerKey"]))


def _mmlu_pro(where: str, record: Any, seed: int) -> Example:  # noqa: ANN401
    options, answer = list(record["options"]), int(record["answer_index"])
    if not 0 <= answer < len(options):
        raise ValueError(f"answer_index {answer}")
    wrong = [place for place in range(len(options)) if place != answer]
    chooser = Random(f"{seed} {record['question']}")
    kept = sorted([answer, *chooser.sample(wrong, min(_OPTIONS - 1, len(wrong)))])
    return multiple_choice(where, record["question"], [options[place] for place in kept], kept.index(answer))


def _piqa(name: str, _: int) -> Iterator[Example]:
    labels: list[str] | None = None
    path = Path(name).expanduser()
    beside = path.with_name(f"{path.stem}-labels.lst")
    if not name.startswith("hub:") and beside.exists():
        labels = beside.read_text(encoding="utf-8").split()
    for number, (where, record) in enumerate(records(name)):
        if not isinstance(record, dict) or not {"goal", "sol1", "sol2"} <= record.keys():
            raise DataError(f"{where}: not an example of piqa (goal, sol1, sol2); check task and file")
        known = record.get("label") if labels is None else labels[number] if number < len(labels) else None
        if known is None:
            raise DataError(f"{where}: no label; PIQA's labels belong beside it, in {beside.name}")
        yield multiple_choice(where, record["goal"], [record["sol1"], record["sol2"]], int(known))


def _squad(name: str, _: int) -> Iterator[Example]:
    path = Path(name).expanduser()
    if path.suffix != ".json":
        for where, record in records(name):
            if not isinstance(record, dict) or not {"context", "question", "answers"} <= record.keys():
                raise DataError(f"{where}: not an example of squad (context, question, answers); check task and file")
            yield _about_passage(where, record["context"], record["question"], record["answers"]["text"])
        return
    try:
        articles = json.loads(path.read_bytes())["data"]
        for article in articles:
            for paragraph in article["paragraphs"]:
                for entry in paragraph["qas"]:
                    answers = [answer["text"] for answer in entry["answers"]]
                    yield _about_passage(f"{path}, {entry['id']}", paragraph["context"], entry["question"], answers)
    except OSError as error:
        raise DataError(f"{path}: {error.strerror}; check the path") from error
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}: not SQuAD's JSON ({type(error).__name__}: {error}); check the file") from error


def _about_passage(where: str, passage: str, question: str, answers: list[str]) -> Example:
    text = f"{passage}\n\n{question}\nAnswer with words of the text, or '{UNANSWERABLE}'."
    return Example(where, text, answers[0] if answers else UNANSWERABLE, group=passage, stem=question)


TASKS: dict[str, Callable[[str, int], Iterator[Example]]] = {
    "arc": _shaped(_ai2),
    "csqa": _shaped(_ai2),
    "piqa": _piqa,
    "mmlu-pro": _shaped(_mmlu_pro),
    "squad": _squad,
}


def mmlu_questions(folder: Path) -> set[str]:
    """Return the normalised questions of all CSV files of MMLU's test in a folder, with a header row or without.

    Raises:
        DataError: no such files, or one that is no CSV file in UTF-8.
    """
    files = sorted(folder.glob("*.csv"))
    if not files:
        raise DataError(f"{folder}: no .csv file of MMLU's test in it; check --mmlu-test")
    found: set[str] = set()
    for file in files:
        try:
            with file.open(encoding="utf-8", newline="") as stream:
                found.update(_normalized(row[0]) for row in csv.reader(stream) if row)
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise DataError(f"{file}: cannot be read as CSV in UTF-8 ({error}); check the file") from error
    return found - {"question"}


def overlaps(example: Example, questions: set[str]) -> bool:
    """Return whether an example's question is among normalised ones."""
    return _normalized(example.stem) in questions


def _normalized(question: str) -> str:
    return " ".join(re.findall(r"\w+", question.lower()))
