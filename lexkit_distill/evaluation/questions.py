"""Questions of the benchmarks, from their publishers' files or the hub, in one form; and the worked examples of each.

The worked examples of a question depend on the seed, the task and the question alone: not on --limit, nor on how many
processes share the questions.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import Any

from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.files import SOURCES, find, look

LETTERS = "ABCDEFGHIJ"
UNANSWERABLE = "unanswerable"


@dataclass(frozen=True)
class Question:
    """A question with options, or one about a passage."""

    id: str
    where: str
    """File and line, for error messages."""
    question: str
    choices: tuple[str, ...] = ()
    answer: int = -1
    """Place of the right option."""
    passage: str = ""
    answers: tuple[str, ...] = ()
    """Right answers about the passage; none if it does not say."""
    group: str = ""
    """Worked examples come from the same group: the subject, or the passage."""
    shots: tuple[Question, ...] = ()

    @property
    def target(self) -> str:
        """What a model should write."""
        if self.choices:
            return LETTERS[self.answer]
        return self.answers[0] if self.answers else UNANSWERABLE

    def row(self) -> dict[str, Any]:
        """Return what the task files call by name."""
        return {
            "id": self.id,
            "question": self.question,
            "choices": list(self.choices),
            "letters": list(LETTERS[: len(self.choices)]),
            "answer": self.answer,
            "passage": self.passage,
            "answers": list(self.answers),
            "target": self.target,
            "shots": [shot.row() for shot in self.shots],
        }


@dataclass(frozen=True)
class Prepared:
    """The questions of a task, each with its worked examples."""

    task: str
    questions: list[Question]
    available: int
    """Before the limit."""
    without_shots: int
    """Questions that have fewer worked examples than asked: the only ones about their passage."""
    files: list[str]


def prepare(task: str, data: str | None, *, shots: int, limit: int | None, seed: int) -> Prepared:
    """Read a task, draw its questions and their worked examples.

    Raises:
        EvaluationError: files are missing or not what they should be, or hold fewer worked examples than asked.
    """
    questions, pool, files = _read(task, data, shots)
    seen: set[str] = set()
    for question in questions:
        if question.id in seen:
            raise EvaluationError(f"{question.where}: the question {question.id} stands twice; remove one of them")
        seen.add(question.id)
    chosen = questions
    if limit is not None and limit < len(questions):
        places = sorted(Random(f"{seed} {task}").sample(range(len(questions)), limit))
        chosen = [questions[place] for place in places]
    groups: dict[str, list[Question]] = {}
    for example in pool:
        groups.setdefault(example.group, []).append(example)
    asked = [_with_shots(question, groups, task, shots, seed) for question in chosen]
    missing = sum(len(question.shots) < shots for question in asked)
    return Prepared(task, asked, len(questions), missing, files)


def _with_shots(question: Question, groups: dict[str, list[Question]], task: str, shots: int, seed: int) -> Question:
    if not shots:
        return question
    pool = [one for one in groups.get(question.group, []) if one.question.strip() != question.question.strip()]
    if len(pool) < shots and task != "squad_v2":  # a passage may have a single question
        where = pool[0].where if pool else question.where
        group = f" of {question.group}" if question.group else ""
        raise EvaluationError(
            f"{task}: {len(pool)} worked examples{group} ({where}), and --shots is {shots}; use fewer, or add examples"
        )
    chooser = Random(f"{seed} {task} {question.id}")
    return replace(question, shots=tuple(chooser.sample(pool, min(shots, len(pool)))))


def _read(task: str, data: str | None, shots: int) -> tuple[list[Question], list[Question], list[str]]:
    """The questions, what worked examples are drawn from, and where both are from."""
    if data is None:
        from lexkit_distill.evaluation.hub import read_hub

        return read_hub(task, shots, _PARSERS[task])
    files = find(data, task)
    questions = [one for file in files for one in _READERS[task](file)]
    if not questions:
        raise EvaluationError(f"{task}: no questions in {files[0]}; check the file")
    example_files: list[Path] = []
    if shots and task == "piqa":
        # PIQA is often had without its training set; other validation questions then serve
        example_files = look(data, task, examples=True)
    elif shots and SOURCES[task].examples:
        example_files = find(data, task, examples=True)
    pool = [one for file in example_files for one in _READERS[task](file)] if example_files else questions
    return questions, pool, [str(file) for file in (*files, *example_files)]


def lettered(id_: str, where: str, question: str, choices: list[str], answer: int, group: str = "") -> Question:
    """Return a question with options.

    Raises:
        EvaluationError: the answer is none of the options, or there are too many of them.
    """
    if not 0 <= answer < len(choices):
        raise EvaluationError(f"{where}: the label {answer} is none of the {len(choices)} options; mend the label")
    if len(choices) > len(LETTERS):
        raise EvaluationError(f"{where}: {len(choices)} options, and at most {len(LETTERS)} can be shown; shorten it")
    return Question(id_, where, question.strip(), tuple(str(choice).strip() for choice in choices), answer, group=group)


def ai2(record: Any, where: str) -> Question:  # noqa: ANN401
    """ARC and CommonsenseQA, as AI2 has them or as the hub does."""
    inner = record["question"]
    stem, choices = (inner["stem"], inner["choices"]) if isinstance(inner, dict) else (inner, record["choices"])
    if isinstance(choices, dict):
        labels, options = list(choices["label"]), list(choices["text"])
    else:
        labels, options = [choice["label"] for choice in choices], [choice["text"] for choice in choices]
    key = record["answerKey"]
    if key not in labels:
        raise EvaluationError(f"{where}: the label {key!r} is none of the options {', '.join(labels)}; mend the label")
    return lettered(str(record["id"]), where, stem, options, labels.index(key))


def piqa(record: Any, where: str) -> Question:  # noqa: ANN401
    """PIQA with its label."""
    number = where.rpartition(" ")[2]
    return lettered(number, where, record["goal"], [record["sol1"], record["sol2"]], int(record["label"]))


def mmlu(record: Any, where: str) -> Question:  # noqa: ANN401
    """MMLU as the hub has it."""
    number = where.rpartition(" ")[2]
    subject = record["subject"]
    answer = int(record["answer"])
    return lettered(f"{subject}/{number}", where, record["question"], list(record["choices"]), answer, subject)


def squad(record: Any, where: str) -> Question:  # noqa: ANN401
    """SQuAD v2 as the hub has it."""
    answers = tuple(record["answers"]["text"])
    passage = record["context"]
    return Question(record["id"], where, record["question"].strip(), passage=passage, answers=answers, group=passage)


Parser = Callable[[Any, str], Question]
_PARSERS: dict[str, Parser] = {"arc": ai2, "csqa": ai2, "piqa": piqa, "mmlu": mmlu, "squad_v2": squad}


def shaped(parse: Parser, record: Any, where: str) -> Question:  # noqa: ANN401
    """Parse a record; one that lacks something is one clear error.

    Raises:
        EvaluationError: the record has another shape.
    """
    try:
        return parse(record, where)
    except (KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise EvaluationError(f"{where}: not a question of this task ({reason}); check the file") from error


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise EvaluationError(f"{file}: cannot be read as UTF-8 ({error}); check the file") from error


def _json_lines(file: Path) -> Iterator[tuple[str, Any]]:
    for number, line in enumerate(_text(file).split("\n"), 1):
        if line.strip():
            where = f"{file}, line {number}"
            try:
                yield where, json.loads(line)
            except ValueError as error:
                raise EvaluationError(f"{where}: not JSON ({error}); a .jsonl file has one object a line") from error


def _read_ai2(file: Path) -> list[Question]:
    return [shaped(ai2, record, where) for where, record in _json_lines(file)]


def _read_piqa(file: Path) -> list[Question]:
    beside = file.with_name(f"{file.stem}-labels.lst")
    records = list(_json_lines(file))
    if beside.exists():
        labels = _text(beside).split()
        if len(labels) != len(records):
            raise EvaluationError(
                f"{beside}: {len(labels)} labels for {len(records)} questions of {file.name}; they belong together"
            )
        records = [(where, {**record, "label": label}) for (where, record), label in zip(records, labels, strict=True)]
    elif records and "label" not in records[0][1]:
        raise EvaluationError(f"{file}: no labels; put {beside.name} beside it")
    return [shaped(piqa, record, where) for where, record in records]


def _read_mmlu(file: Path) -> list[Question]:
    """With a header row and answers 0 to 3, or as published: without, and A to D."""
    subject = file.stem.rpartition("_")[0]
    questions = []
    for number, row in enumerate(csv.reader(io.StringIO(_text(file), newline="")), 1):
        if number == 1 and row[:1] == ["question"]:
            continue
        where = f"{file}, row {number}"
        if len(row) != 6:
            raise EvaluationError(f"{where}: {len(row)} fields, not a question, four options and the answer; mend it")
        label = row[5].strip()
        place = int(label) if label.isdecimal() else LETTERS.find(label) if label else -1
        questions.append(lettered(f"{subject}/{number}", where, row[0], row[1:5], place, subject))
    return questions


def _read_squad(file: Path) -> list[Question]:
    questions = []
    try:
        for article in json.loads(_text(file))["data"]:
            for paragraph in article["paragraphs"]:
                for entry in paragraph["qas"]:
                    texts = [] if entry.get("is_impossible") else [answer["text"] for answer in entry["answers"]]
                    record = {**entry, "context": paragraph["context"], "answers": {"text": texts}}
                    questions.append(squad(record, f"{file}, {entry['id']}"))
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{type(error).__name__}: {error}"
        raise EvaluationError(f"{file}: not SQuAD's JSON ({reason}); check the file") from error
    return questions


_READERS: dict[str, Callable[[Path], list[Question]]] = {
    "arc": _read_ai2,
    "csqa": _read_ai2,
    "piqa": _read_piqa,
    "mmlu": _read_mmlu,
    "squad_v2": _read_squad,
}
