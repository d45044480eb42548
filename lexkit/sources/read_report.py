"""Count what a reader reads and what it refuses, by reason. Nothing is dropped without being counted."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

import msgspec

from lexkit.text import without_unprintable

_EXAMPLE_LENGTH = 160


class Reason(Enum):
    """Why a reader refuses something. The value is the text in the store's table ``rejection``.

    The first group are *bad records*, faults of the file; a build stops if they are more than ``--max-rejected`` of a
    file's records. The second group are left out by a rule of lexkit. Unknown parts of speech, marks and senses, and
    glosses that are cut, are counted as well, although their records are kept.
    """

    INVALID_JSON = "invalid JSON"
    NOT_AN_OBJECT = "not a JSON object"
    INVALID_UTF8 = "invalid UTF-8"
    WRONG_TYPE = "a field of the wrong type"
    NO_WORD = "a record without a word"
    MALFORMED = "a malformed record"
    LEFTOVER = "brackets or other signs in a term"
    BAD_SEGMENTATION = "a segmentation not in MorphoLEX notation"
    WRONG_COLUMNS = "a wrong number of columns"
    TOO_LONG = "a line of more than 16 MiB"
    NOT_A_NAME = "a part of speech or a scope that is not a valid name"
    UNKNOWN_LABEL = "an unknown label of usage"
    TOO_MANY = "a group of more than 1,000 words"

    LONG_GLOSS = "a gloss cut to 10,000 characters"
    EMPTY_TARGET = "a linkage without a word"
    STUB = "an entry that only says that Wiktionary has none"
    UNKNOWN_POS = "an unknown part of speech"
    UNKNOWN_MARK = "an unknown mark of usage"
    UNKNOWN_SENSE = "a sense that the entry does not have"
    OTHER_LANGUAGE = "another language"
    REDIRECT = "a redirect"
    NOT_A_WORD = "not a word"
    PLACEHOLDER = "an unexpanded template"
    THESAURUS_PAGE = "a link to a thesaurus page"
    SELF = "a word related to itself"
    MISSPELLING = "tagged as a misspelling or misconstruction"
    NUMERAL = "tagged as a Roman or Arabic numeral"
    MARKUP = "markup of a wiki page"
    RUNNING_TEXT = "running text"
    NOT_A_FORM = "an abbreviation, a derived word or a phrase, not a form"
    QUOTATION = "a quotation"
    CROSS_REFERENCE = "a cross reference"
    DUPLICATE = "a duplicate"
    OPPOSED = "words of one group that are opposed or exclude each other"
    TOGETHER = "words of opposed heads that share a head more often"

    # The default hash is slow, millions of members are counted, and a member equals only itself
    __hash__ = object.__hash__

    @property
    def bad(self) -> bool:
        """Whether this is a fault of the file rather than a rule of lexkit."""
        return self in _BAD


_BAD = frozenset(
    {
        Reason.INVALID_JSON,
        Reason.NOT_AN_OBJECT,
        Reason.INVALID_UTF8,
        Reason.WRONG_TYPE,
        Reason.NO_WORD,
        Reason.MALFORMED,
        Reason.LEFTOVER,
        Reason.BAD_SEGMENTATION,
        Reason.WRONG_COLUMNS,
        Reason.TOO_LONG,
        Reason.NOT_A_NAME,
        Reason.UNKNOWN_LABEL,
        Reason.TOO_MANY,
    }
)


@dataclass(frozen=True)
class OwnReason:
    """A reader's own reason, for cases that `Reason` does not cover. Reasons with the same text are equal.

    Raises:
        ValueError: the text is empty, has several lines, or is already in `Reason`.
    """

    value: str
    """Text in the table ``rejection``."""
    bad: bool = field(default=False, compare=False)
    """Whether this is a fault of the file rather than a rule of the reader."""

    def __post_init__(self) -> None:
        if not self.value.strip() or not self.value.isprintable():
            raise ValueError(f"{self.value!r} is not a reason; give one line of text")
        if self.value in {reason.value for reason in Reason}:
            raise ValueError(f"{self.value!r} is {Reason(self.value)} already; use that")


class _Place(NamedTuple):
    line: int | None
    where: str

    def __str__(self) -> str:
        line = f"line {self.line}" if self.line is not None else ""
        return ", ".join(part for part in (line, self.where) if part)


class ReadReport:
    """What was read from one file: the number of records, and refusals by reason with the first example of each.

    Attributes:
        n_records: number of records read, including refused ones.
        n_bad: number of records refused for a fault of the file.
        rejected: number of refusals by reason.
        licence: licence that the file names, as an SPDX identifier if possible, or None.
        origin: resource from which the file says it is derived, or None; see `lexkit.sources.plugins.Reader`.
        line: line of the file with the record that is yielded next, if the reader sets it.
        where: place of that record in a file without lines.
    """

    def __init__(self) -> None:
        self.n_records = 0
        self.n_bad = 0
        self.rejected: dict[Reason | OwnReason, int] = {}
        self.licence: str | None = None
        self.origin: str | None = None
        self.line: int | None = None
        self.where = ""
        self._examples: dict[Reason | OwnReason, tuple[_Place, str]] = {}
        self._first_bad: tuple[_Place, Reason | OwnReason] | None = None

    @property
    def n_rejected(self) -> int:
        """Number of refusals for any reason: bad records and those left out by a rule."""
        return sum(self.rejected.values())

    @property
    def examples(self) -> dict[Reason | OwnReason, str]:
        """The first refusal of each reason, with its place."""
        return {reason: f"{place}: {text}" for reason, (place, text) in self._examples.items()}

    @property
    def first_bad(self) -> str | None:
        """The place and reason of the first bad record."""
        return f"{self._first_bad[0]}: {self._first_bad[1].value}" if self._first_bad else None

    def reject(self, reason: Reason | OwnReason, example: str, *, line: int | None = None, where: str = "") -> None:
        """Count one refusal.

        Args:
            reason: why the text is refused.
            example: the refused text, which is kept if it is the first for this reason.
            line: number of the line in the file, from 1, if the file has lines.
            where: the place in other files, or the exact place in the line: a row, a head, a word.
        """
        if reason not in self.rejected:
            # both must be storable and printable on one line, whatever the file contains
            place, text = (
                _Place(line, without_unprintable(where[:_EXAMPLE_LENGTH])),
                without_unprintable(example[:_EXAMPLE_LENGTH]),
            )
            self._examples[reason] = place, text
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        if reason.bad:
            self.n_bad += 1
            if self._first_bad is None:
                self._first_bad = _Place(line, without_unprintable(where[:_EXAMPLE_LENGTH])), reason

    def add(self, later: ReadReport, lines_before: int) -> None:
        """Add the report of the next block of the same file, in which lines were counted from 1."""
        self.n_records += later.n_records
        self.n_bad += later.n_bad
        for reason, n in later.rejected.items():
            self.rejected[reason] = self.rejected.get(reason, 0) + n
        for reason, (place, text) in later._examples.items():
            self._examples.setdefault(reason, (_shifted(place, lines_before), text))
        if self._first_bad is None and later._first_bad is not None:
            place, reason = later._first_bad
            self._first_bad = _shifted(place, lines_before), reason

    def dump(self) -> bytes:
        """Return the report as JSON for another process; all its reasons must be in `Reason`."""
        examples = [
            (reason.value, self.rejected[reason], *place, text) for reason, (place, text) in self._examples.items()
        ]
        return msgspec.json.encode((self.n_records, examples))

    @classmethod
    def load(cls, dumped: bytes) -> ReadReport:
        """Return the report that `dump` has written."""
        report = cls()
        n_records, examples = msgspec.json.decode(dumped)
        report.n_records = n_records
        bad: list[tuple[_Place, Reason | OwnReason]] = []
        for value, n, line, where, text in examples:
            reason, place = Reason(value), _Place(line, where)
            report.rejected[reason] = n
            report._examples[reason] = place, text
            if reason.bad:
                report.n_bad += n
                bad.append((place, reason))
        # within a block, the first bad record is the one with the lowest line number
        report._first_bad = min(bad, key=lambda item: item[0].line or 0, default=None)
        return report


def _shifted(place: _Place, lines: int) -> _Place:
    return place._replace(line=place.line + lines) if place.line is not None else place
