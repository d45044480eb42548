"""MyThes, the format of LibreOffice's thesauri: a text file with an index, of which only the text is read.

The first line names the encoding. Then come entries: a line ``word|n``, and n lines of a meaning each, ``pos|term|term
...``, whose terms are synonyms of the word unless a mark in brackets says otherwise: ``unhappy (antonym)``.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from lexkit.errors import SourceError
from lexkit.sources.files import open_binary
from lexkit.sources.plugins import Reader
from lexkit.sources.records import Headword, Kind, Record, Statement
from lexkit.sources.tally import OwnReason, Reason, Tally
from lexkit.sources.wordnet.synsets import ORIGIN, PRINCETON

_ENTRY = re.compile(r"(.+)\|(\d+)")
_MEANING = re.compile(r"[-(|]")
"""How a meaning starts; without it ``(noun)|1`` would be an entry."""
_POS = {"(noun)": "noun", "(verb)": "verb", "(adj)": "adj", "(adv)": "adv"}

GENERIC = OwnReason("marked as a generic term")
SIMILAR = OwnReason("marked as a similar term")
RELATED = OwnReason("marked as a related term")
OTHER_MARK = OwnReason("with a mark that lexkit does not know")
ONE_SIDED = OwnReason("unmarked beside a related term, and not a synonym from its own side")
WRONG_ENCODING = OwnReason("not in the encoding that the first line names", bad=True)
MISSING_MEANINGS = OwnReason("an entry with fewer meanings than it says", bad=True)

_Relation = Kind | OwnReason
_MARKS: dict[str, _Relation] = {
    "antonym": "antonym",
    "generic term": GENERIC,
    "similar term": SIMILAR,
    "related term": RELATED,
    "Antonym": "antonym",
    "Oberbegriff": GENERIC,
    "синоним": "synonym",
    "антоним": "antonym",
    "сходный термин": SIMILAR,
    "связанный термин": RELATED,
}
"""The marks of the English, German and Russian thesauri; the Russian one has them in the place of parts of speech."""
_HYPERNYM = "(generic term)"
"""What the thesaurus made from WordNet calls its hypernyms; one without these marks comes from elsewhere."""

_Line = tuple[str, str, int]
"""An entry, the text of one meaning of it, and the number of the line."""


class _Meaning(NamedTuple):
    entry: str
    pos: str | None
    terms: list[tuple[str, _Relation]]
    line: int

    def synonyms(self) -> list[str]:
        return [text for text, relation in self.terms if relation == "synonym"]

    def has_related(self) -> bool:
        return any(relation is RELATED for _, relation in self.terms)


def read(path: Path, tally: Tally, language: str = "en") -> Iterator[Record]:
    """Yield the synonyms and antonyms of each entry, as statements about the entry.

    Terms marked as generic, similar or related, or in any other way but as antonyms, are refused. So is an unmarked
    term of a meaning that has a related one, unless its own entry returns the synonymy: the English thesaurus marks
    only the last of several related terms (``.22 caliber``: ``diameter|diam (related term)``). Entries are in lower
    case; where a meaning has the entry itself among its terms, it is written as there (``aalost``: ``Aalost``).

    Args:
        path: the .dat file, plain or gzipped.
        tally: counts lines read, and lines and terms refused.
        language: the file does not say its own, so this decides whether the thesaurus is the English one, which is
            made from WordNet; the tally then gets WordNet's licence and origin.

    Raises:
        SourceError: the file cannot be read, or its first line names no encoding that Python knows.
    """
    with open_binary(path) as stream:
        encoding = _encoding(path, stream.readline())
        lines = list(_lines(stream, encoding, tally))
    if language == "en" and any(_HYPERNYM in text for _, text, _ in lines):
        tally.licence, tally.origin = PRINCETON, ORIGIN
    returned = _returned(lines)
    for line in lines:
        yield from _records(_parse(*line), returned, tally)


def _encoding(path: Path, line: bytes) -> str:
    name = line.removeprefix(codecs.BOM_UTF8).decode("ascii", "replace").strip()
    try:
        # "microsoft-cp1251" and "CP-1251" are what Python calls cp1251
        codec = codecs.lookup(re.sub(r"^(?:microsoft-)?cp-?", "cp", name, flags=re.IGNORECASE)).name
        b" ".decode(codec)  # refuses codecs that are no encoding of text, such as hex, or whose line ends are wider
        return codec
    except (LookupError, UnicodeDecodeError) as error:
        raise SourceError(
            f"{path}, line 1: {name[:40]!r} is not an encoding; give a .dat file of MyThes, or convert it to UTF-8"
        ) from error


def _lines(stream: Iterable[bytes], encoding: str, tally: Tally) -> Iterator[_Line]:
    entry, line_of_entry, missing = "", 0, 0
    for number, line in enumerate(stream, 2):
        if not line.strip():
            continue
        tally.n_records += 1
        try:
            text = line.decode(encoding).strip()
        except UnicodeDecodeError:
            tally.reject(WRONG_ENCODING, line.decode("ascii", "replace"), line=number)
            missing -= missing > 0
            continue
        head = None if missing and _MEANING.match(text) else _ENTRY.fullmatch(text)
        if head:
            if missing:
                tally.reject(MISSING_MEANINGS, entry, line=line_of_entry)
            entry, line_of_entry, missing = head[1], number, int(head[2])
        elif missing:
            missing -= 1
            yield entry, text, number
        else:
            tally.reject(Reason.MALFORMED, text, line=number)
    if missing:
        tally.reject(MISSING_MEANINGS, entry, line=line_of_entry)


def _parse(entry: str, text: str, line: int) -> _Meaning:
    pos, *texts = text.split("|")
    usual = _MARKS.get(pos.strip("()"), "synonym")
    return _Meaning(entry, _POS.get(pos), [_term(term, usual) for term in map(str.strip, texts) if term], line)


def _term(text: str, usual: _Relation) -> tuple[str, _Relation]:
    if not text.endswith(")"):
        return text, usual
    word, _, mark = text[:-1].rpartition("(")
    return (word.rstrip(), _MARKS.get(mark, OTHER_MARK)) if word else (text, usual)


def _returned(lines: Sequence[_Line]) -> set[tuple[str, str]]:
    """Return the pairs of a synonym beside a related term, and its entry, that the synonym's own entry returns."""
    marks = [mark for mark, relation in _MARKS.items() if relation is RELATED]
    meanings = (_parse(*line) for line in lines if any(mark in line[1] for mark in marks))
    wanted = {
        (text.lower(), meaning.entry) for meaning in meanings if meaning.has_related() for text in meaning.synonyms()
    }
    entries = {word for word, _ in wanted}
    given = ((line[0], text.lower()) for line in lines if line[0] in entries for text in _parse(*line).synonyms())
    return wanted.intersection(given)


def _records(meaning: _Meaning, returned: set[tuple[str, str]], tally: Tally) -> Iterator[Record]:
    entry = meaning.entry.lower()
    word = next((text for text in meaning.synonyms() if text.lower() == entry), meaning.entry)
    has_related = meaning.has_related()
    has_statement = False
    for text, relation in meaning.terms:
        if relation == "synonym" and text.lower() == entry:
            continue
        if relation == "synonym" and has_related and (text.lower(), meaning.entry) not in returned:
            relation = ONE_SIDED
        if isinstance(relation, OwnReason):
            tally.reject(relation, f"{word}: {text}", line=meaning.line)
        else:
            has_statement = True
            yield Statement(word, text, relation, meaning.pos)
    if not has_statement:
        yield Headword(word)


READER = Reader(
    title="MyThes, the thesauri of LibreOffice",
    reads="a .dat file, for example th_en_US_v2.dat",
    read=read,
    licence=None,
    licence_note="each thesaurus has its own; the English one is made from WordNet and has its: LicenseRef-WordNet-3.0",
    citation="LibreOffice: Dictionaries, The Document Foundation, https://github.com/LibreOffice/dictionaries.",
)
