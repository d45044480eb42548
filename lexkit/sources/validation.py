"""Validate records: the single check between readers and the store, whichever reader yields the records.

Readers refuse what only they can recognise, such as a line with too many columns. This module decides what is a valid
word, gloss, part of speech, scope, label or group, for lexkit's own readers as well as for plugins; `lexkit verify`
uses the same functions. Invalid records are refused and counted, and words are normalized to the spelling of the store.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import reduce
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from lexkit.sources.batches import Batch, batched
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import USAGES, Analysis, Form, Group, Headword, Kind, Record, Statement
from lexkit.text import LONGEST_WORD, is_name, is_word, normalize_text, normalize_word

LONGEST_TEXT = 10_000
"""Maximum number of characters in a gloss or a segmentation."""
MOST_WORDS = 1_000
"""Maximum number of words in a group. A group states a relation for every pair of its words."""

_Labels = tuple[str, ...]
_Reject = Callable[[Reason, str], None]


class _Refusal(Exception):
    """A record is refused. The arguments are a `Reason` and the text at fault."""


class Rule(NamedTuple):
    """A condition that all texts of a column must meet."""

    holds: Callable[[str], bool]
    suspect: str | None = None
    """A regular expression (RE2). Only texts that match it, or that are longer than `longest`, are tested."""
    longest: int = 0
    """Maximum number of bytes that a text may have without being tested."""

    def faults(self, column: pa.ChunkedArray) -> list[str]:
        """Return the distinct texts of a column that break the rule; nulls are allowed."""
        if self.suspect is not None:
            is_suspect = pc.or_(
                pc.match_substring_regex(column, self.suspect), pc.greater(pc.binary_length(column), self.longest)
            )
            column = column.filter(is_suspect)
        return [text for text in column.unique().to_pylist() if text is not None and not self.holds(text)]


# Letters that NFC never changes and never combines with their neighbours
_LETTERS = (
    "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0388-\u038a\u038e-\u03a1\u03a3-\u03ce\u0400-\u0481\u048a-\u04ff"
    "\u05d0-\u05ea\u0621-\u063a\u0641-\u064a\u3041-\u3096\u30a1-\u30fa\u4e00-\u9fa5\uac00-\ud7a3"
)
_SPACES = "  |^ | $"
WORD = Rule(
    lambda text: is_word(text) and normalize_word(text) == text,
    f"^$|^[^{_LETTERS}]|[^{_LETTERS}0-9 '’.,!?&/()-]|{_SPACES}",  # noqa: RUF001
    LONGEST_WORD,
)
TEXT = Rule(
    lambda text: bool(text) and len(text) <= LONGEST_TEXT and normalize_text(text) == text,
    f"^$|[^{_LETTERS} -~\u2010-\u2015\u2018-\u201f\u2026]|{_SPACES}",
    LONGEST_TEXT,
)
NAME = Rule(is_name)
LABEL = Rule(USAGES.__contains__)
MORPHEME = Rule(is_word)
LINE = Rule(str.isprintable)
_RULES = {"word": WORD, "other": WORD, "lemma": WORD, "pos": NAME, "sense": TEXT, "scope": NAME}
_RULES_OF_ITEMS = {"usage": LABEL, "other_usage": LABEL}
_COLUMNAR = (Headword, Statement, Form)
"""Types of record that readers yield in batches; the others come one by one."""


def keep_valid(records: Iterable[Record | Batch], report: ReadReport) -> Iterator[Batch]:
    """Yield the records that a store can hold, in batches, and count the others in *report*."""
    for batch in batched(_judged_singly(records, report)):
        yield from _screened(batch, report)


def _judged_singly(records: Iterable[Record | Batch], report: ReadReport) -> Iterator[Record | Batch]:
    for number, record in enumerate(records, 1):
        if isinstance(record, Batch):
            yield record
        else:
            yield from _judged(record, report, number)


def _screened(batch: Batch, report: ReadReport) -> Iterator[Batch]:
    """Yield the valid rows of a batch, nearly always all of them, unchanged, and judge the others one by one."""
    masks = list(_masks(batch.table)) if batch.record_type in _COLUMNAR else []
    if not masks:
        yield batch
        return
    is_wrong = reduce(pc.or_, masks)
    yield Batch(batch.record_type, batch.table.filter(pc.invert(is_wrong)))
    wrong = Batch(batch.record_type, batch.table.filter(is_wrong)).records()
    if judged := [kept for record in wrong for kept in _judged(record, report, str(record[0]))]:
        yield Batch.of_columns(batch.record_type, zip(*judged, strict=True))


def _masks(table: pa.Table) -> Iterator[pa.ChunkedArray | pa.Array]:
    for name in table.column_names:
        column = table[name]
        if name in _RULES and (faults := _RULES[name].faults(column)):
            yield pc.is_in(column, pa.array(faults, column.type))
        elif name in _RULES_OF_ITEMS and _RULES_OF_ITEMS[name].faults(pc.list_flatten(column)):
            yield pa.repeat(True, len(column))  # slow, but lexkit's own readers never yield unknown labels
    for other in {"other", "lemma"}.intersection(table.column_names):
        is_same = pc.equal(table["word"], table[other])
        if pc.any(is_same).as_py():
            yield is_same


def _judged(record: Record, report: ReadReport, place: int | str) -> Iterator[Record]:
    """Yield a record in the spelling of the store, as far as it is valid.

    Args:
        record: a record of any type.
        report: counts what is refused; the reader may have set the current place there.
        place: the place to report if the reader has not set one, or the number of the record.
    """

    def reject(reason: Reason, text: str) -> None:
        if isinstance(report.line, int):
            report.reject(reason, text, line=report.line)
        else:
            number = f"its {_ordinal(place)} record" if isinstance(place, int) else place
            report.reject(reason, text, where=report.where or number)

    try:
        if type(record) is Group:
            yield from _group(record, reject)
        elif type(record) is Statement:
            yield _statement(record, reject)
        elif type(record) is Headword:
            yield Headword(_word(record.word))
        elif type(record) is Form:
            yield Form(*_pair(record.word, record.lemma), record.kind)
        elif type(record) is Analysis:
            yield _analysis(record)
    except _Refusal as refusal:
        reject(*refusal.args)


def _ordinal(number: int) -> str:
    ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number:,}{ending}"


def _statement(record: Statement, reject: _Reject) -> Statement:
    words = _pair(record.word, record.other)
    pos, scope = _name(record.pos), _scope(record.scope, record.kind)
    usage, other_usage = _labels(record.usage), _labels(record.other_usage)
    return Statement(*words, record.kind, pos, _gloss(record.sense, reject), scope, usage, other_usage)


def _group(record: Group, reject: _Reject) -> Iterator[Group | Headword]:
    pos, scope = _name(record.pos), _scope(record.scope, "synonym")
    if len(record.words) > MOST_WORDS:
        raise _Refusal(Reason.TOO_MANY, f"{record.words[0]}, {record.words[1]} ...")
    if record.usage and len(record.usage) != len(record.words):
        raise _Refusal(Reason.MALFORMED, f"{len(record.words)} words but labels for {len(record.usage)}")
    words: dict[str, _Labels] = {}
    for text, usage in zip(record.words, record.usage or ((),) * len(record.words), strict=True):
        try:
            words.setdefault(_word(text), _labels(usage))
        except _Refusal as refusal:
            reject(*refusal.args)
    apart = _places_apart(record, list(words)) if record.apart else ()
    if len(words) > 1:
        usages = tuple(words.values()) if any(words.values()) else ()
        yield Group(tuple(words), pos, _gloss(record.sense, reject), scope, usages, apart)
    else:
        yield from map(Headword, words)


def _places_apart(record: Group, words: list[str]) -> tuple[tuple[int, int], ...]:
    """Return the pairs of `Group.apart` as places among the words that remain."""
    pairs = set()
    for pair in record.apart:
        if not all(1 <= place <= len(record.words) for place in pair):
            raise _Refusal(Reason.MALFORMED, f"places {pair} of {len(record.words)} words")
        a, b = (normalize_word(record.words[place - 1]) for place in pair)
        if a in words and b in words and a != b:
            first, second = sorted((words.index(a) + 1, words.index(b) + 1))
            pairs.add((first, second))
    return tuple(sorted(pairs))


def _analysis(record: Analysis) -> Analysis:
    word, segmentation = _word(record.word), record.segmentation
    morphemes = (*record.prefixes, *record.roots, *record.suffixes)
    if not (TEXT.holds(segmentation) and all(map(MORPHEME.holds, morphemes))):
        raise _Refusal(Reason.BAD_SEGMENTATION, f"{word} {segmentation}")
    for name in record.pos:
        _name(name)
    return record._replace(word=word)


def _word(text: str) -> str:
    word = normalize_word(text)
    if not is_word(word):
        raise _Refusal(Reason.NOT_A_WORD, text)
    return word


def _pair(text: str, other_text: str) -> tuple[str, str]:
    word, other = _word(text), _word(other_text)
    if word == other:
        raise _Refusal(Reason.SELF, word)
    return word, other


def _scope(scope: str | None, kind: Kind) -> str | None:
    if scope == "indirect" and kind != "antonym":  # the name of a rule that derives only antonyms
        raise _Refusal(Reason.NOT_A_NAME, f"{scope} of a {kind}")
    return _name(scope)


def _name(name: str | None) -> str | None:
    if name is not None and not is_name(name):
        raise _Refusal(Reason.NOT_A_NAME, name)
    return name


def _labels(labels: _Labels) -> _Labels:
    if unknown := [label for label in labels if label not in USAGES]:
        raise _Refusal(Reason.UNKNOWN_LABEL, unknown[0])
    return tuple(dict.fromkeys(labels)) if len(labels) > 1 else labels


def _gloss(sense: str | None, reject: _Reject) -> str | None:
    text = normalize_text(sense) if sense else ""
    if len(text) > LONGEST_TEXT:
        reject(Reason.LONG_GLOSS, text)
        text = normalize_text(text[:LONGEST_TEXT])
    return text or None
