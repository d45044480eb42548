"""MyThes, the format of LibreOffice's thesauri: a text file with an index, of which only the text is read.

The first line names the encoding. Then come entries: a line ``word|n``, and n lines of a meaning each, ``pos|term|term
...``, whose terms are synonyms of the word unless a note in brackets says otherwise: ``unhappy (antonym)``. What the
notes of each language mean is in ``data_sources/mythes_marks.toml``.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import msgspec

from lexkit.errors import SourceError
from lexkit.sources.data_files import data_file
from lexkit.sources.files import open_binary
from lexkit.sources.plugins import Reader
from lexkit.sources.records import KINDS, USAGES, Headword, Kind, Record, Statement
from lexkit.sources.tally import OwnReason, Reason, Tally
from lexkit.sources.wordnet.synsets import ORIGIN, PRINCETON

_ENTRY = re.compile(r"(.+)\|([0-9]{1,9})")
_MEANING = re.compile(r"[-(|]")
"""How a meaning starts; without it ``(noun)|1`` would be an entry."""
_NOTE = re.compile(r"\(([^()]*)\)|\[([^][]*)\]")
_SIGNS = re.compile(r"[][(){}<>\"/\ufffd…]|\.\.|ï¿½")
"""What makes a term more than words."""
_USUAL = re.compile(r"([^][(){}<>\"/\ufffd…¿.,;:]*[^][(){}<>\"/\ufffd…¿.,;:\s])\s+\(([^()]*)\)")
"""A term with one note, after it."""
_BRACKET = re.compile(r"[][(){}<>]")
_GAP = re.compile(r"\.\.|…")
_LOST = re.compile("\ufffd|ï¿½")
"""What damaged text has in the place of characters."""

HYPERNYM = OwnReason("marked as a hypernym")
HYPONYM = OwnReason("marked as a hyponym")
SIMILAR = OwnReason("marked as a similar term")
RELATED = OwnReason("marked as a related term")
COMPARE = OwnReason("marked as a word to compare")
SHARED_DAY = OwnReason("a name with the same name day")
OTHER_MARK = OwnReason("with a mark that lexkit does not know")
ONE_SIDED = OwnReason("unmarked beside a related term, and not a synonym from its own side")
GAP = OwnReason("with a gap for other words")
ALTERNATIVES = OwnReason("a phrase with alternatives")
LOST = OwnReason("with characters that were lost", bad=True)
WRONG_ENCODING = OwnReason("not in the encoding that the first line names", bad=True)
MISSING_MEANINGS = OwnReason("an entry with fewer meanings than it says", bad=True)

_REFUSED = {
    "hypernym": HYPERNYM,
    "hyponym": HYPONYM,
    "similar": SIMILAR,
    "related": RELATED,
    "compare": COMPARE,
    "shared_day": SHARED_DAY,
}
"""Meanings of marks that are neither synonymy nor antonymy; see the head of the file of marks."""
_PLAIN = "note"
_NO_POS = {*KINDS, *_REFUSED, *USAGES, _PLAIN}
_WORDNETS = "(generic term)"
"""What the thesaurus made from WordNet calls its hypernyms; one without these marks comes from elsewhere."""
_WORDNETS_RELATED = "(related term)"

_ASCII = (
    bytes(range(0x20, 0x5C)) + b"]^_`" + bytes(range(0x61, 0x7E)) + b"\r\n",
    rb"\u0041",
    b"+AGE-",
    b"~{<:~}",
    b"a-b",
    b"xn--a-ecp",
    b"\x1b$B0!",
)
"""What an encoding of these files leaves alone; others take some of it for signs of their own: UTF-7, HZ, punycode."""

_Relation = Kind | OwnReason | Reason
_Line = tuple[str, str, int]
"""An entry, the text of one meaning of it, and the number of the line."""


class _Term(NamedTuple):
    word: str
    relation: _Relation | None
    """What it is to the entry; None: what the meaning says of all its terms."""
    usage: tuple[str, ...]
    note: str = ""
    """The one that is not known, where the term is refused for it."""


class _Head(NamedTuple):
    """What a meaning says before its terms."""

    relation: _Relation
    """It holds for the terms that say nothing else."""
    pos: str | None
    sense: str | None
    usage: tuple[str, ...]
    """The labels are the entry's."""


class _Meaning(NamedTuple):
    entry: str
    """It stands here without its notes."""
    head: _Head
    terms: list[_Term]
    line: int

    def synonyms(self) -> list[str]:
        return [term.word for term in self.terms if (term.relation or self.head.relation) == "synonym"]

    def own_spelling(self) -> _Term | None:
        """The entry itself among the terms, which may be one that is refused for a note that is not known."""
        return next(
            (
                term
                for term in self.terms
                if (term.relation or self.head.relation) in ("synonym", OTHER_MARK)
                and term.word.lower() == self.entry.lower()
            ),
            None,
        )

    def has_related(self) -> bool:
        return any((term.relation or self.head.relation) is RELATED for term in self.terms)


class _Said(NamedTuple):
    """What one note says, or several."""

    relation: _Relation | None
    pos: frozenset[str]
    usage: tuple[str, ...]


class Notes:
    """What the notes of a thesaurus mean.

    Args:
        language: its marks come first; those of other languages hold where they do not contradict each other.
    """

    def __init__(self, language: str) -> None:
        tables = msgspec.toml.decode(
            data_file("mythes_marks.toml").read_bytes(), type=dict[str, dict[str, tuple[str, ...]]]
        )
        by_mark: dict[str, dict[str, str]] = {}
        for of, table in tables.items():
            for meaning, marks in table.items():
                for mark in marks:
                    by_mark.setdefault(mark.casefold(), {})[of] = meaning
        self._marks = {
            mark: meanings.get(language, next(iter(meanings.values())))
            for mark, meanings in by_mark.items()
            if language in meanings or len(set(meanings.values())) == 1
        }
        # notes are few, and the same lines stand under each of their terms
        self._meanings = lru_cache(1 << 14)(self._find_meanings)
        self._said = lru_cache(1 << 14)(self._read_note)
        self._head = lru_cache(1 << 12)(self._read_head)
        self._term = lru_cache(1 << 14)(self._read_term)

    def meaning(self, entry: str, text: str, line: int) -> _Meaning:
        """Take the line of a meaning apart."""
        first, _, rest = text.partition("|")
        texts = filter(None, map(str.strip, rest.split("|")))
        if _SIGNS.search(rest):
            terms = [self._term(term) if _SIGNS.search(term) else _Term(term, None, ()) for term in texts]
        else:
            terms = [_Term(term, None, ()) for term in texts]
        head = self._head(first)
        if _SIGNS.search(entry):
            entry, _, usage, _ = self._term(entry)
            head = head._replace(usage=_ordered({*head.usage, *usage}))
        return _Meaning(entry, head, terms, line)

    def _find_meanings(self, note: str) -> frozenset[str] | None:
        """Return what a note means, or None if that is not known."""
        if not any(map(str.isalpha, note)):
            return frozenset({_PLAIN})
        if mark := self._marks.get(" ".join(note.casefold().split())):
            return frozenset({mark})
        parts = re.split(r"[,;/]", note)
        if len(parts) > 1:
            known = [meanings for meanings in map(self._meanings, parts) if meanings]
            found: frozenset[str] = frozenset().union(*known)
            # beside a mark that says something, one that is not known is of the same sort
            return found if len(known) == len(parts) or found - {_PLAIN} else None
        for separator in (" ", "-"):
            parts = note.split(separator)
            known = [meanings for meanings in map(self._meanings, parts) if meanings] if len(parts) > 1 else []
            if known and len(known) == len(parts):
                return frozenset().union(*known)
        return None

    def _read_note(self, note: str) -> _Said | None:
        meanings = self._meanings(note)
        return None if meanings is None else _said(meanings)

    def _read_head(self, first: str) -> _Head:
        """Read what is in the place of the part of speech; what is neither that nor a mark is the sense."""
        found = _NOTE.search(first)
        note = found[1] or "" if found else ""
        said, sense = self._said(note), None
        pos, _, rest = note.partition(" ")
        of_pos = self._said(pos)
        is_mark = note.endswith(".") or note.casefold() in self._marks
        if of_pos and of_pos.pos and not (said and (is_mark or said.pos != of_pos.pos)):
            # a gloss may look like marks without their full stops: (agg. Raro)
            said, sense = of_pos, rest or None
        elif said is None:
            said, sense = _said(frozenset()), note
        return _Head(said.relation or "synonym", min(said.pos) if len(said.pos) == 1 else None, sense, said.usage)

    def _read_term(self, text: str) -> _Term:
        """Take a term apart: the word, and what the notes before and after it say.

        A note that is not known is a word that may be left out, such as ``(sich) irren`` has, unless it stands at the
        end, where marks of relations stand. Where it touches a word, it is letters that may be left out:
        ``Angestellte(r)``.
        """
        if usual := _USUAL.fullmatch(text):
            said = self._said(usual[2])
            word = _trimmed(usual[1])
            return _Term(word, OTHER_MARK, (), usual[2]) if said is None else _Term(word, said.relation, said.usage)
        meanings: set[str] = set()
        unknown = ""
        word = text
        while found := list(_NOTE.finditer(word)):
            for note in found:
                inner = note[1] or note[2] or ""
                known = self._meanings(inner)
                meanings |= known or set()
                touches = word[note.start() - 1 : note.start()].isalnum() or word[note.end() : note.end() + 1].isalnum()
                if known is None and not touches and not _NOTE.sub("", word[note.end() :]).strip():
                    unknown = inner
            word = _NOTE.sub("", word)
        word = _unquoted(_trimmed(word))
        said = _said(frozenset(meanings))
        relation = _fault(word) or said.relation or (OTHER_MARK if unknown else None)
        return _Term(word, relation, said.usage, unknown if relation is OTHER_MARK else "")


def _said(meanings: frozenset[str]) -> _Said:
    refused = next((reason for name, reason in _REFUSED.items() if name in meanings), None)
    kind = next((kind for kind in reversed(KINDS) if kind in meanings), None)
    return _Said(refused or kind, meanings - _NO_POS, _ordered(meanings.intersection(USAGES)))


def _ordered(usage: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(usage, key=USAGES.index))


def _trimmed(word: str) -> str:
    """Return a word without what joined it to a note that was taken away, such as the dash of ``mean -- (antonym)``."""
    parts = word.split()
    for place in (-1, 0):
        while parts and not parts[place].strip("-\u2013\u2014=,;:"):
            del parts[place]
    return " ".join(parts).strip(",;: ")


def _unquoted(word: str) -> str:
    return word[1:-1] if word[:1] == word[-1:] == '"' and '"' not in word[1:-1] else word


def _fault(word: str) -> Reason | OwnReason | None:
    if not word:
        return Reason.NOT_A_WORD
    if not _SIGNS.search(word):
        return None
    if _LOST.search(word):
        return LOST
    if _GAP.search(word):
        return GAP
    if " " in word and "/" in word:
        return ALTERNATIVES
    return Reason.LEFTOVER if _BRACKET.search(word) else None


def read(path: Path, tally: Tally, language: str = "en") -> Iterator[Record]:
    """Yield the synonyms and antonyms of each entry, as statements about the entry.

    Marks of style become labels of usage. Terms marked as hypernyms, hyponyms, similar or related terms are refused,
    and so are those with a mark that is not known. So is an unmarked term of a meaning that has a related one, unless
    its own entry lists the synonymy in turn: the English thesaurus marks only the last of several related terms (``.22
    caliber``: ``diameter|diam (related term)``). Entries are in lower case; where a meaning has the entry itself among
    its terms, it is written as there (``aalost``: ``Aalost``). In a file whose meanings do so as a rule, as the German
    ones do, the others take the spelling from the rest of their entry (``herz``, ``Herz...``: ``Herz``).

    Args:
        path: the .dat file, plain or gzipped.
        tally: counts lines read, and lines and terms refused.
        language: the file does not say its own, so this decides which language's marks come first, and whether the
            thesaurus is the English one, which is made from WordNet; the tally then gets WordNet's licence and origin.

    Raises:
        SourceError: the file cannot be read, or its first line names no encoding that Python knows.
    """
    with open_binary(path) as stream:
        encoding = _encoding(path, stream.readline())
        lines = list(_lines(stream, encoding, tally))
    if language == "en" and any(_WORDNETS in text for _, text, _ in lines):
        tally.licence, tally.origin = PRINCETON, ORIGIN
    notes = Notes(language)
    returned = _returned(lines, notes)
    spellings = _spellings(lines, notes)
    for line in lines:
        yield from _records(notes.meaning(*line), returned, spellings, tally)


def _encoding(path: Path, line: bytes) -> str:
    name = line.removeprefix(codecs.BOM_UTF8).decode("ascii", "replace").strip()
    try:
        # "microsoft-cp1251" and "CP-1251" are what Python calls cp1251
        codec = codecs.lookup(re.sub(r"^(?:microsoft-)?cp-?", "cp", name, flags=re.IGNORECASE)).name
        # so does a codec whose line ends are wider, or which is no encoding of text, such as hex
        if any(sample.decode(codec) != sample.decode("ascii") for sample in _ASCII):
            raise LookupError(codec)
        return codec
    except (LookupError, ValueError) as error:
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
            if not missing:
                yield entry, "-", number
        elif missing:
            missing -= 1
            yield entry, text, number
        else:
            tally.reject(Reason.MALFORMED, text, line=number)
    if missing:
        tally.reject(MISSING_MEANINGS, entry, line=line_of_entry)


def _returned(lines: Sequence[_Line], notes: Notes) -> set[tuple[str, str]]:
    """Return the pairs of a synonym beside a related term, and its entry, that the synonym's own entry returns."""
    meanings = (notes.meaning(*line) for line in lines if _WORDNETS_RELATED in line[1])
    wanted = {
        (text.lower(), meaning.entry) for meaning in meanings if meaning.has_related() for text in meaning.synonyms()
    }
    entries = {word for word, _ in wanted}
    given = (
        (meaning.entry, text.lower())
        for meaning in (notes.meaning(*line) for line in lines if line[0] in entries)
        for text in meaning.synonyms()
    )
    return wanted.intersection(given)


def _spellings(lines: Sequence[_Line], notes: Notes) -> dict[str, str]:
    """Return how an entry is spelt where a meaning does not say it, by the entry as it stands in the file.

    Empty unless most meanings say it: the English thesaurus has the entry among the terms only where it differs, so
    that a meaning of ``polish`` without ``Polish`` is of the word in lower case.
    """
    found: dict[str, Counter[str]] = {}
    n_own = 0
    for line in lines:
        if line[0].lower() in line[1].lower() or _SIGNS.search(line[0]):
            meaning = notes.meaning(*line)
            if own := meaning.own_spelling():
                found.setdefault(meaning.entry, Counter())[own.word] += 1
                n_own += 1
    if n_own * 2 <= len(lines):
        return {}
    return {entry: entry if entry in words else words.most_common(1)[0][0] for entry, words in found.items()}


def _records(
    meaning: _Meaning, returned: set[tuple[str, str]], spellings: dict[str, str], tally: Tally
) -> Iterator[Record]:
    n_bad = tally.n_bad
    entry, head = meaning.entry.lower(), meaning.head
    word, usage = spellings.get(meaning.entry, meaning.entry), head.usage
    if own := meaning.own_spelling():
        word, usage = own.word, _ordered({*usage, *own.usage}) if own.usage else usage
    if fault := _fault(word):
        tally.reject(fault, word, line=meaning.line)
        return
    tally.line = meaning.line
    has_related = meaning.has_related()
    has_statement = False
    for text, own_relation, other_usage, note in meaning.terms:
        relation = own_relation or head.relation
        if relation == "synonym" and text.lower() == entry:
            continue
        if relation == "synonym" and has_related and (text.lower(), meaning.entry) not in returned:
            relation = ONE_SIDED
        if relation == "synonym" or relation == "antonym":
            has_statement = True
            yield Statement(word, text, relation, head.pos, head.sense, None, usage, other_usage)
        else:
            tally.reject(relation, f"{word}: {text} ({note})" if note else f"{word}: {text}", line=meaning.line)
    if not has_statement:
        yield Headword(word)
    tally.n_bad = min(tally.n_bad, n_bad + 1)  # a record is a line, of which several terms may be bad


READER = Reader(
    title="MyThes, the thesauri of LibreOffice",
    reads="a .dat file, for example th_en_US_v2.dat",
    read=read,
    licence=None,
    licence_note="each thesaurus has its own; the English one is made from WordNet and has its: LicenseRef-WordNet-3.0",
    citation="LibreOffice: Dictionaries, The Document Foundation, https://github.com/LibreOffice/dictionaries.",
)
