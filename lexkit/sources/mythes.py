"""MyThes, the format of LibreOffice's thesauri: a text file with an index, of which only the text is read.

The first line names the encoding. Then come entries: a line ``word|n``, and n lines of a meaning each, ``pos|term|term
...``, whose terms are synonyms of the word unless a mark in brackets says otherwise: ``unhappy (antonym)``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from lexkit.errors import SourceError
from lexkit.sources.files import open_binary
from lexkit.sources.plugins import Reader
from lexkit.sources.records import Headword, Record, Statement
from lexkit.sources.tally import OwnReason, Reason, Tally

_ENTRY = re.compile(r"(.+)\|(\d+)")
_TERM = re.compile(r"(.+?)\s*\(([^()]*)\)")
_POS = {"noun": "noun", "verb": "verb", "adj": "adj", "adv": "adv"}

_ANTONYM = "antonym"
_RELATED = "related term"
_MARKS = {
    "generic term": OwnReason("marked as a generic term"),
    "similar term": OwnReason("marked as a similar term"),
    _RELATED: OwnReason("marked as a related term"),
}
OTHER_MARK = OwnReason("with a mark that lexkit does not know")
ONE_SIDED = OwnReason("unmarked beside a related term, and not a synonym from its own side")
MISSING_MEANINGS = OwnReason("an entry with fewer meanings than it says", bad=True)


class _Term(NamedTuple):
    text: str
    mark: str | None


class _Meaning(NamedTuple):
    entry: str
    pos: str | None
    terms: tuple[_Term, ...]
    line: int

    def synonyms(self) -> list[str]:
        return [term.text for term in self.terms if term.mark is None]


def read(path: Path, tally: Tally, language: str = "en") -> Iterator[Record]:
    """Yield the synonyms and antonyms of each entry, as statements about the entry.

    Terms marked as generic, similar or related, or in any other way but as antonyms, are refused. So is an unmarked
    term of a meaning that has a related one, unless its own entry returns the synonymy: the English thesaurus marks only
    the last of several related terms (``.22 caliber``: ``diameter|diam (related term)``). Entries are in lower case;
    where a meaning has the entry itself among its terms, the entry is written as there (``aalost``: ``Aalost``).

    Args:
        path: the .dat file, plain or gzipped.
        tally: counts lines read, and lines and terms refused.
        language: not looked at; the file does not say its own.

    Raises:
        SourceError: the file cannot be read, or its first line names no encoding that Python knows.
    """
    with open_binary(path) as stream:
        encoding = _encoding(path, stream.readline())
        meanings = list(_meanings(stream, encoding, tally))
    returned = _returned(meanings)
    for meaning in meanings:
        yield from _records(meaning, returned, tally)


def _encoding(path: Path, line: bytes) -> str:
    name = line.removeprefix(codecs.BOM_UTF8).decode("ascii", "replace").strip()
    try:
        # "microsoft-cp1251" and "CP-1251" are what Python calls cp1251
        return codecs.lookup(re.sub(r"^(?:microsoft-)?cp-?", "cp", name, flags=re.IGNORECASE)).name
    except LookupError as error:
        raise SourceError(
            f"{path}, line 1: {name[:40]!r} is no encoding; give a .dat file of MyThes, or convert it to UTF-8"
        ) from error


def _meanings(stream: Iterable[bytes], encoding: str, tally: Tally) -> Iterator[_Meaning]:
    entry, line_of_entry, missing = "", 0, 0
    for number, line in enumerate(stream, 2):
        if not line.strip():
            continue
        tally.n_records += 1
        try:
            text = line.decode(encoding).strip()
        except UnicodeDecodeError:
            tally.reject(Reason.INVALID_UTF8, line.decode("ascii", "replace"), line=number)
            text = ""
        head = _ENTRY.fullmatch(text)
        # "(noun)|1" and "-|1" are meanings
        if head and not (missing and re.match(r"-|\(|\|", text)):
            if missing:
                tally.reject(MISSING_MEANINGS, entry, line=line_of_entry)
            entry, line_of_entry, missing = head[1], number, int(head[2])
        elif missing:
            missing -= 1
            if text:
                yield _meaning(entry, text, number)
        elif text:
            tally.reject(Reason.MALFORMED, text, line=number)
    if missing:
        tally.reject(MISSING_MEANINGS, entry, line=line_of_entry)


def _meaning(entry: str, text: str, line: int) -> _Meaning:
    pos, *texts = text.split("|")
    terms = (_TERM.fullmatch(term.strip()) for term in texts)
    parted = tuple(
        _Term(term[1], term[2]) if term else _Term(text.strip(), None)
        for term, text in zip(terms, texts, strict=True)
        if text.strip()
    )
    return _Meaning(entry, _POS.get(pos.strip("() ")), parted, line)


def _returned(meanings: Iterable[_Meaning]) -> set[tuple[str, str]]:
    """Return pairs of an entry and a synonym of it that are wanted by a term beside a related one."""
    wanted = {
        (term.lower(), meaning.entry)
        for meaning in meanings
        if any(term.mark == _RELATED for term in meaning.terms)
        for term in meaning.synonyms()
    }
    given = {(meaning.entry, term.lower()) for meaning in meanings for term in meaning.synonyms()}
    return wanted & given


def _records(meaning: _Meaning, returned: set[tuple[str, str]], tally: Tally) -> Iterator[Record]:
    has_related = any(term.mark == _RELATED for term in meaning.terms)
    word = next((text for text in meaning.synonyms() if text.lower() == meaning.entry.lower()), meaning.entry)
    yield Headword(word)
    for text, mark in meaning.terms:
        if mark is None and text.lower() == meaning.entry.lower():
            continue
        if mark == _ANTONYM:
            yield Statement(word, text, "antonym", meaning.pos)
        elif mark is not None:
            tally.reject(_MARKS.get(mark, OTHER_MARK), f"{word}: {text} ({mark})", line=meaning.line)
        elif has_related and (text.lower(), meaning.entry) not in returned:
            tally.reject(ONE_SIDED, f"{word}: {text}", line=meaning.line)
        else:
            yield Statement(word, text, "synonym", meaning.pos)


READER = Reader(
    title="MyThes, the thesauri of LibreOffice",
    reads="a .dat file, for example th_en_US_v2.dat",
    read=read,
    licence=None,
    licence_note="each thesaurus has its own; the English one is derived from WordNet, LicenseRef-WordNet",
    citation="LibreOffice: Dictionaries, The Document Foundation, https://github.com/LibreOffice/dictionaries.",
)
