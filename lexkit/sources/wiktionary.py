"""Wiktionary as wiktextract writes it: JSON lines, one entry (word and part of speech) a line.

Raw files (``raw-wiktextract-data.jsonl``) and postprocessed ones (kaikki.org) have the same fields as far as
they matter here: ``word``, ``lang_code``, ``pos``, ``senses``, and lists of linkages ``synonyms`` and
``antonyms`` both in a sense and in the entry.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from lexkit.sources.files import open_binary
from lexkit.sources.records import Headword, Kind, Record, Statement
from lexkit.sources.tally import Reason, Tally
from lexkit.text import is_word, normalize_word


class _Linkage(msgspec.Struct):
    word: str = ""
    sense: str | None = None
    source: str | None = None


class _Sense(msgspec.Struct):
    glosses: list[str] = []
    synonyms: list[_Linkage] = []
    antonyms: list[_Linkage] = []


class _Entry(msgspec.Struct):
    word: str = ""
    lang_code: str = ""
    pos: str | None = None
    redirect: str | None = None
    senses: list[_Sense] = []
    synonyms: list[_Linkage] = []
    antonyms: list[_Linkage] = []


_ANY = msgspec.json.Decoder()
_ENTRY = msgspec.json.Decoder(_Entry)
_THESAURUS = re.compile(r"(?:^|\s+)(?:(?:and|or|see|also|more|at)\s+)*Thesaurus:.*$", re.IGNORECASE)
_NOTE = re.compile(r"\s+(?:\([^()]*\)|\[[^\[\]]*\])$")
_BULLET = re.compile(r"^(?:[*·•]|\):)\s+")


def read(path: Path, tally: Tally, language: str = "en") -> Iterator[Record]:
    """Yield the records of a wiktextract JSONL file, plain or gzipped.

    Every entry of the language gives a `Headword`, every linkage of it a `Statement` whose sense is the gloss of
    the sense (sense-level), the linkage's own note (entry-level), and the Thesaurus page it comes from, if any.

    Args:
        path: the file.
        tally: counts lines read, and lines and linkages refused.
        language: Wiktionary's language code, such as ``en``.

    Raises:
        SourceError: the file cannot be read.
    """
    with open_binary(path) as stream:
        for number, line in enumerate(stream, 1):
            if line.isspace():
                continue
            tally.n_records += 1
            where = f"line {number}"
            entry = _decode(line)
            if isinstance(entry, Reason):
                tally.reject(entry, line.decode("utf-8", "replace").strip(), where)
            elif entry.redirect is not None:
                tally.reject(Reason.REDIRECT, f"-> {entry.redirect}", where)
            elif entry.lang_code != language:
                tally.reject(Reason.OTHER_LANGUAGE, f"{entry.word} ({entry.lang_code})", where)
            elif not entry.word.strip():
                tally.reject(Reason.NO_WORD, line[:80].decode("utf-8", "replace"), where)
            else:
                yield from _records(entry, tally, where)


def _decode(line: bytes) -> _Entry | Reason:
    try:
        return _ENTRY.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _fault(line)


def _fault(line: bytes) -> Reason:
    """Say what is wrong with a line that cannot be decoded as an entry."""
    try:
        value = _ANY.decode(line.decode())
    except UnicodeDecodeError:
        return Reason.INVALID_UTF8
    except (msgspec.DecodeError, RecursionError):
        return Reason.INVALID_JSON
    return Reason.WRONG_TYPE if isinstance(value, dict) else Reason.NOT_AN_OBJECT


def _records(entry: _Entry, tally: Tally, where: str) -> Iterator[Record]:
    word = normalize_word(entry.word)
    if not is_word(word):
        tally.reject(Reason.NOT_A_WORD, word, where)
        return
    yield Headword(word)
    for kind, linkage, gloss in _linkages(entry):
        sense = gloss or linkage.sense or None
        if linkage.source:
            sense = f"{linkage.source}: {sense}" if sense else linkage.source
        for target in _targets(linkage.word, tally, f"{where}, {word}"):
            if target == word:
                tally.reject(Reason.SELF, target, f"{where}, {word}")
            else:
                yield Statement(word, target, kind, entry.pos, sense)


def _linkages(entry: _Entry) -> Iterator[tuple[Kind, _Linkage, str | None]]:
    for sense in entry.senses:
        # wiktextract lists a gloss after the more general ones it stands under
        gloss = sense.glosses[-1] if sense.glosses else None
        for linkage in sense.synonyms:
            yield "synonym", linkage, gloss
        for linkage in sense.antonyms:
            yield "antonym", linkage, gloss
    for linkage in entry.synonyms:
        yield "synonym", linkage, None
    for linkage in entry.antonyms:
        yield "antonym", linkage, None


def _targets(text: str, tally: Tally, where: str) -> list[str]:
    """Return the words that a linkage names, usually one.

    A trailing note in brackets and a ``#section`` are cut off. A comma parts two targets if every part is a single
    word ("þe, ẏe"); a longer target is a phrase with a comma of its own ("lock, stock and barrel") and stays whole.
    """
    if text.startswith("Template:"):
        tally.reject(Reason.PLACEHOLDER, text, where)
        return []
    stripped = _THESAURUS.sub("", text)
    if stripped != text:
        tally.reject(Reason.THESAURUS_PAGE, text, where)
        if not stripped:
            return []
    target = normalize_word(_NOTE.sub("", _BULLET.sub("", stripped)).partition("#")[0])
    parts = re.split(r"[,;]\s+", target)
    targets = parts if len(parts) > 1 and not any(" " in part for part in parts) else [target]
    words = [word for word in dict.fromkeys(targets) if is_word(word)]
    if len(words) < len(targets):
        tally.reject(Reason.NOT_A_WORD if target else Reason.NO_WORD, text, where)
    return words
