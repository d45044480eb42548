"""Reading with a plugin: its records in the spelling of the store, its faults as one line that names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from lexkit.errors import LexkitError, PluginError
from lexkit.sources.plugins import Plugin, describe
from lexkit.sources.records import KINDS, Group, Headword, Record, Statement
from lexkit.sources.tally import Reason, Tally
from lexkit.text import is_word, normalize_word

_POS = re.compile(r"[\w-]+")
"""A store joins parts of speech by commas."""


class _WrongRecord(Exception):
    """What a plugin must not yield."""


def read(path: Path, tally: Tally, plugin: Plugin, language: str) -> Iterator[Record]:
    """Yield what *plugin* makes of *path*, every word as `lexkit.text.normalize_word` leaves it.

    Words without a letter, and statements of a word about itself, are refused.

    Raises:
        SourceError: the plugin says so: the file cannot be read, or is not what it should be.
        PluginError: the plugin fails, or yields what it must not.
    """
    number = 0
    try:
        for number, record in enumerate(plugin.reader.read(path, tally, language), 1):
            yield from _tidied(record, tally, f"record {number} of the reader")
    except LexkitError:
        raise
    except _WrongRecord as error:
        raise PluginError(f"{plugin} yields as record {number} of {path} {error}; tell its authors") from error
    except Exception as error:
        raise PluginError(
            f"{plugin} fails after {number:,} records of {path}: {describe(error)}; tell its authors"
        ) from error
    if (number or tally.n_rejected) and not (isinstance(tally.n_records, int) and tally.n_records > 0):
        raise PluginError(f"{plugin} does not count the records of {path} in tally.n_records; tell its authors")


def _tidied(record: Record, tally: Tally, where: str) -> Iterator[Record]:
    if type(record) is Headword:
        yield from map(Headword, _words((record.word,), tally, where))
    elif type(record) is Statement:
        yield from _statement(record, tally, where)
    elif type(record) is Group:
        yield from _group(record, tally, where)
    else:
        raise _WrongRecord(f"{_short(record)}, which is no Headword, Statement or Group")


def _statement(record: Statement, tally: Tally, where: str) -> Iterator[Statement]:
    if record.kind not in KINDS:
        raise _WrongRecord(f"the kind {_short(record.kind)}, which is neither 'synonym' nor 'antonym'")
    pos, sense = _pos(record.pos), _sense(record.sense)
    words = _words((record.word, record.other), tally, where)
    if len(words) != 2:
        return
    if words[0] == words[1]:
        tally.reject(Reason.SELF, words[0], where=where)
        return
    yield Statement(words[0], words[1], record.kind, pos, sense)


def _group(record: Group, tally: Tally, where: str) -> Iterator[Group | Headword]:
    if not isinstance(record.words, (tuple, list)):
        raise _WrongRecord(f"the words {_short(record.words)}, which are no tuple")
    pos, sense = _pos(record.pos), _sense(record.sense)
    words = tuple(dict.fromkeys(_words(record.words, tally, where)))
    if len(words) > 1:
        yield Group(words, pos, sense)
    else:
        yield from map(Headword, words)


def _words(texts: tuple[str, ...], tally: Tally, where: str) -> list[str]:
    words = []
    for text in texts:
        if not isinstance(text, str):
            raise _WrongRecord(f"the word {_short(text)}, which is not a string")
        word = normalize_word(text)
        if is_word(word):
            words.append(word)
        else:
            tally.reject(Reason.NOT_A_WORD, text, where=where)
    return words


def _pos(pos: str | None) -> str | None:
    if pos is None or (isinstance(pos, str) and _POS.fullmatch(pos)):
        return pos
    raise _WrongRecord(f"the part of speech {_short(pos)}, which is neither None nor a name such as 'noun'")


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
