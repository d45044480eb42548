"""Reading with a plugin: its records in the spelling of the store, its faults as one line that names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lexkit.errors import LexkitError, PluginError
from lexkit.sources.plugins import Plugin, describe
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import FORM_KINDS, KINDS, USAGES, Form, Group, Headword, Record, Statement
from lexkit.text import is_word, normalize_word

_NAME = re.compile(r"[\w-]+")
"""Parts of speech and scopes; a store joins the former by commas."""


class _WrongRecord(Exception):
    """What a plugin must not yield."""


def read(path: Path, report: ReadReport, plugin: Plugin, language: str) -> Iterator[Record]:
    """Yield what *plugin* makes of *path*, every word as `lexkit.text.normalize_word` leaves it.

    Words without a letter, and statements of a word about itself, are refused.

    Raises:
        SourceError: the plugin says so: the file cannot be read, or is not what it should be.
        PluginError: the plugin fails, or yields what it must not.
    """
    number = 0
    try:
        for number, record in enumerate(plugin.reader.read(path, report, language), 1):
            yield from _tidied(record, report, number)
    except LexkitError:
        raise
    except _WrongRecord as error:
        raise PluginError(f"{plugin} yields as record {number} of {path} {error}; tell its authors") from error
    except Exception as error:
        raise PluginError(
            f"{plugin} fails after {number:,} records of {path}: {describe(error)}; tell its authors"
        ) from error
    for field in ("licence", "origin"):
        if not isinstance(getattr(report, field), (str, type(None))):
            raise PluginError(f"{plugin} gives {path} a {field} that is neither text nor None; tell its authors")
    if (number or report.n_rejected) and not (isinstance(report.n_records, int) and report.n_records > 0):
        raise PluginError(f"{plugin} does not count the records of {path} in report.n_records; tell its authors")


def _reject(report: ReadReport, reason: Reason, text: str, number: int) -> None:
    """Count a refusal, at the line that the reader says, or else at the number of the record."""
    if isinstance(report.line, int):
        report.reject(reason, text, line=report.line)
    else:
        ending = "th" if number // 10 % 10 == 1 else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
        report.reject(reason, text, where=f"its {number:,}{ending} record")


def _tidied(record: Record, report: ReadReport, number: int) -> Iterator[Record]:
    if type(record) is Headword:
        yield from map(Headword, _words((record.word,), report, number))
    elif type(record) is Statement:
        yield from _statement(record, report, number)
    elif type(record) is Group:
        yield from _group(record, report, number)
    elif type(record) is Form:
        yield from _form(record, report, number)
    else:
        raise _WrongRecord(f"{_short(record)}, which is no Headword, Statement, Group or Form")


def _statement(record: Statement, report: ReadReport, number: int) -> Iterator[Statement]:
    if record.kind not in KINDS:
        raise _WrongRecord(f"the kind {_short(record.kind)}, which is neither 'synonym' nor 'antonym'")
    pos, sense, scope = _name(record.pos, "part of speech"), _sense(record.sense), _name(record.scope, "scope")
    usage, other_usage = _usage(record.usage), _usage(record.other_usage)
    words = _words((record.word, record.other), report, number)
    if len(words) != 2:
        return
    if words[0] == words[1]:
        _reject(report, Reason.SELF, words[0], number)
        return
    yield Statement(words[0], words[1], record.kind, pos, sense, scope, usage, other_usage)


def _group(record: Group, report: ReadReport, number: int) -> Iterator[Group | Headword]:
    if not isinstance(record.words, (tuple, list)):
        raise _WrongRecord(f"the words {_short(record.words)}, which are no tuple")
    pos, sense, scope = _name(record.pos, "part of speech"), _sense(record.sense), _name(record.scope, "scope")
    if record.usage and (not isinstance(record.usage, (tuple, list)) or len(record.usage) != len(record.words)):
        raise _WrongRecord(f"the usage {_short(record.usage)}, which is not a tuple of labels for each word")
    labels: dict[str, tuple[str, ...]] = {}
    for text, usage in zip(record.words, record.usage or ((),) * len(record.words), strict=True):
        for word in _words((text,), report, number):
            labels.setdefault(word, _usage(usage))
    if len(labels) > 1:
        usages = tuple(labels.values()) if any(labels.values()) else ()
        yield Group(tuple(labels), pos, sense, scope, usages, _apart(record, tuple(labels)))
    else:
        yield from map(Headword, labels)


def _apart(record: Group, words: tuple[str, ...]) -> tuple[tuple[int, int], ...]:
    """The pairs of a record that are apart, as places among the words that are left of it."""
    pairs = set()
    for pair in record.apart:
        if not (
            isinstance(pair, (tuple, list))
            and len(pair) == 2
            and all(isinstance(place, int) and 1 <= place <= len(record.words) for place in pair)
        ):
            raise _WrongRecord(f"{_short(pair)} as apart, which is not a pair of places of its words")
        a, b = (normalize_word(record.words[place - 1]) for place in pair)
        if a in words and b in words and a != b:
            first, second = sorted((words.index(a) + 1, words.index(b) + 1))
            pairs.add((first, second))
    return tuple(sorted(pairs))


def _form(record: Form, report: ReadReport, number: int) -> Iterator[Form]:
    if record.kind not in FORM_KINDS:
        raise _WrongRecord(f"the kind {_short(record.kind)}, which is not one of {', '.join(FORM_KINDS)}")
    words = _words((record.word, record.lemma), report, number)
    if len(words) == 2 and words[0] == words[1]:
        _reject(report, Reason.SELF, words[0], number)
    elif len(words) == 2:
        yield Form(words[0], words[1], record.kind)


def _words(texts: tuple[str, ...], report: ReadReport, number: int) -> list[str]:
    words = []
    for text in texts:
        if not isinstance(text, str):
            raise _WrongRecord(f"the word {_short(text)}, which is not a string")
        word = normalize_word(text)
        if is_word(word):
            words.append(word)
        else:
            _reject(report, Reason.NOT_A_WORD, text, number)
    return words


def _name(name: str | None, what: str) -> str | None:
    if name is None or (isinstance(name, str) and _NAME.fullmatch(name)):
        return name
    raise _WrongRecord(f"the {what} {_short(name)}, which is neither None nor a name such as 'noun'")


def _usage(usage: tuple[str, ...]) -> tuple[str, ...]:
    if isinstance(usage, (tuple, list)) and all(label in USAGES for label in usage):
        return tuple(dict.fromkeys(usage))
    raise _WrongRecord(f"the usage {_short(usage)}, which is not a tuple of labels among {', '.join(USAGES)}")


def _sense(sense: str | None) -> str | None:
    if sense is None:
        return None
    if not isinstance(sense, str):
        raise _WrongRecord(f"the sense {_short(sense)}, which is neither None nor text")
    # a store cannot hold lone surrogates, which surrogateescape leaves in place of bytes that are not UTF-8
    return normalize_word(sense.encode("utf-8", "replace").decode("utf-8")) or None


def _short(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
