"""Counting what a reader reads and what it refuses, by reason. Nothing is dropped without being counted."""

from __future__ import annotations

from enum import Enum

_EXAMPLE_LENGTH = 160


class Reason(Enum):
    """Why a reader refuses something. The value is what the store's table ``rejection`` says.

    The first group are *bad records*, faults of the file; a build stops when they are more than
    ``--max-rejected`` of a file's records. The second group are left out by a rule of lexkit.
    """

    INVALID_JSON = "invalid JSON"
    NOT_AN_OBJECT = "not a JSON object"
    INVALID_UTF8 = "invalid UTF-8"
    WRONG_TYPE = "a field of the wrong type"
    NO_WORD = "no word"
    MALFORMED = "malformed"
    UNBALANCED = "unbalanced brackets"
    BAD_SEGMENTATION = "segmentation not in MorphoLEX notation"
    WRONG_COLUMNS = "wrong number of columns"

    OTHER_LANGUAGE = "another language"
    REDIRECT = "redirect"
    NOT_A_WORD = "not a word"
    PLACEHOLDER = "unexpanded template"
    THESAURUS_PAGE = "a link to a thesaurus page"
    SELF = "related to itself"
    QUOTATION = "quotation"
    CROSS_REFERENCE = "cross reference"
    DUPLICATE = "the same again"

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
        Reason.UNBALANCED,
        Reason.BAD_SEGMENTATION,
        Reason.WRONG_COLUMNS,
    }
)


class Tally:
    """What one file held: records read, and refusals by reason with the first example of each."""

    def __init__(self) -> None:
        self.n_records = 0
        self.n_bad = 0
        self.rejected: dict[Reason, int] = {}
        self.examples: dict[Reason, str] = {}
        self.first_bad: str | None = None

    @property
    def n_rejected(self) -> int:
        """Refusals of every reason, bad records and those left out by rule."""
        return sum(self.rejected.values())

    def reject(self, reason: Reason, example: str, where: str) -> None:
        """Count one refusal; *where* is the line, row or head, *example* the offending text."""
        if reason not in self.rejected:
            # repr-free: an example must be storable and printable on one line, whatever the file held
            text = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in example[:_EXAMPLE_LENGTH])
            self.examples[reason] = f"{where}: {text}"
        self.rejected[reason] = self.rejected.get(reason, 0) + 1
        if reason.bad:
            self.n_bad += 1
            if self.first_bad is None:
                self.first_bad = f"{where}: {reason.value}"
