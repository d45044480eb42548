"""Pairs of words judged by people: SimLex-999, SimVerb-3500 and AntSynNET."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lexkit.errors import first_line
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.files import find


@dataclass(frozen=True)
class Pair:
    """Two words and a value: how similar people find them, or 1 for antonyms and 0 for synonyms."""

    first: str
    second: str
    value: float


@dataclass(frozen=True)
class LexicalData:
    """The pairs of all three lists."""

    similarity: dict[str, list[Pair]]
    train: list[Pair]
    val: list[Pair]

    @property
    def words(self) -> list[str]:
        """All distinct words, sorted."""
        every = [*self.train, *self.val, *(pair for pairs in self.similarity.values() for pair in pairs)]
        return sorted({word for pair in every for word in (pair.first, pair.second)})


def read_lexical(data: str | None) -> LexicalData:
    """Read SimLex-999, SimVerb-3500 and AntSynNET as published, or without headers and additional columns.

    Raises:
        DataError: a file is missing.
        EvaluationError: no folder is given, or a line is not a pair.
    """
    if data is None:
        raise EvaluationError("lexical: the lists of word pairs are not on the hub; give their folder with --data")
    return LexicalData(
        similarity={name: _pairs(find(data, name)) for name in ("simlex", "simverb")},
        train=_pairs(find(data, "antsyn", examples=True), {0.0, 1.0}),
        val=_pairs(find(data, "antsyn"), {0.0, 1.0}),
    )


def _pairs(files: list[Path], labels: set[float] | None = None) -> list[Pair]:
    found = []
    for file in files:
        try:
            lines = file.read_text(encoding="utf-8-sig").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise EvaluationError(f"{file}: cannot be read as UTF-8 ({first_line(error)}); check the file") from error
        for number, line in enumerate(lines, 1):
            fields = line.split()
            if not fields or (number == 1 and fields[0].lower() == "word1"):
                continue
            # In SimLex-999 and SimVerb-3500 as published, the part of speech precedes the value
            value = next((_number(field) for field in fields[2:4] if _number(field) is not None), None)
            if value is None or (labels is not None and value not in labels):
                wanted = f"one of {sorted(map(int, labels))}" if labels else "a number"
                raise EvaluationError(f"{file}, line {number}: expected two words and {wanted}; fix the line")
            found.append(Pair(fields[0], fields[1], value))
    if len(found) < 2:
        raise EvaluationError(f"{files[0]}: contains fewer than two pairs; check the file")
    return found


def _number(field: str) -> float | None:
    try:
        return float(field)
    except ValueError:
        return None
