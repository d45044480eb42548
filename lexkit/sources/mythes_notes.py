"""Interpret the notes in MyThes thesauri: ``(antonym)``, ``(ugs.)``, ``(s.m.)``.

``data_sources/mythes_marks.toml`` lists them by language.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

import msgspec

from lexkit.sources.data_files import data_file
from lexkit.sources.read_report import OwnReason, Reason
from lexkit.sources.records import KINDS, USAGES, Kind
from lexkit.text import LONGEST_WORD

_NOTE = re.compile(r"\(([^()]*)\)|\[([^][]*)\]")
SIGNS = re.compile(r"[][(){}<>\"/\ufffd…]|\.\.|ï¿½")
"""Signs in a term that is more than a plain word or phrase."""
_USUAL = re.compile(r"([^][(){}<>\"/\ufffd…¿.,;:]*[^][(){}<>\"/\ufffd…¿.,;:\s])\s+\(([^()]*)\)")
"""A term followed by a single note."""
_LONGEST = 4 * LONGEST_WORD
"""Maximum number of characters in a term with its notes. Parsing takes quadratic time, so longer ones are refused."""
_BRACKET = re.compile(r"[][(){}<>]")
_GAP = re.compile(r"\.\.|…")
_LOST = re.compile("\ufffd|ï¿½")
"""What damaged text has in place of lost characters."""

HYPERNYM = OwnReason("a term marked as a hypernym")
HYPONYM = OwnReason("a term marked as a hyponym")
SIMILAR = OwnReason("a term marked as similar")
RELATED = OwnReason("a term marked as related")
COMPARE = OwnReason("a term marked as one to compare")
SHARED_DAY = OwnReason("a name with the same name day")
OTHER_MARK = OwnReason("a term with a mark that lexkit does not know")
GAP = OwnReason("a term with a gap for other words")
ALTERNATIVES = OwnReason("a phrase with alternatives")
LOST = OwnReason("a term with lost characters", bad=True)

_REFUSED = {
    "hypernym": HYPERNYM,
    "hyponym": HYPONYM,
    "similar": SIMILAR,
    "related": RELATED,
    "compare": COMPARE,
    "shared_day": SHARED_DAY,
}
"""Marks of relations that are neither synonymy nor antonymy; the comment in the file of marks explains them."""
_PLAIN = "note"
_NO_POS = {*KINDS, *_REFUSED, *USAGES, _PLAIN}

_Relation = Kind | OwnReason | Reason


class _Term(NamedTuple):
    word: str
    relation: _Relation | None
    """Its relation to the entry; None stands for the relation that the meaning gives for all its terms."""
    usage: tuple[str, ...]
    note: str = ""
    """The unknown note, if the term is refused because of it."""


class _Head(NamedTuple):
    """The beginning of a line, before its terms."""

    relation: _Relation
    """Relation of all terms that do not have one of their own."""
    pos: str | None
    sense: str | None
    usage: tuple[str, ...]
    """Labels of the entry."""


class Meaning(NamedTuple):
    """One meaning of an entry: the beginning of its line, and the terms."""

    entry: str
    """The entry without its notes."""
    head: _Head
    terms: list[_Term]
    line: int

    def synonyms(self) -> list[str]:
        """Return the terms that are synonyms of the entry."""
        return [term.word for term in self.terms if (term.relation or self.head.relation) == "synonym"]

    def own_spelling(self) -> _Term | None:
        """Return the entry itself if it is among the terms, even if it is refused for an unknown note."""
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
        """Whether a term is marked as related."""
        return any((term.relation or self.head.relation) is RELATED for term in self.terms)


class _Said(NamedTuple):
    """The meaning of one note, or of several together."""

    relation: _Relation | None
    pos: frozenset[str]
    usage: tuple[str, ...]


class Notes:
    """The meanings of the notes in a thesaurus.

    Args:
        language: language of the thesaurus. Marks of other languages apply as well, if those languages agree on them.
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
        # there are few different notes, and the same line is repeated under each of its terms
        self._meanings = lru_cache(1 << 14)(self._find_meanings)
        self._said = lru_cache(1 << 14)(self._read_note)
        self._head = lru_cache(1 << 12)(self._read_head)
        self._term = lru_cache(1 << 14)(self._read_term)

    def meaning(self, entry: str, text: str, line: int) -> Meaning:
        """Parse the line of a meaning."""
        first, _, rest = text.partition("|")
        texts = filter(None, map(str.strip, rest.split("|")))
        if SIGNS.search(rest):
            terms = [self._term(term) if SIGNS.search(term) else _Term(term, None, ()) for term in texts]
        else:
            terms = [_Term(term, None, ()) for term in texts]
        head = self._head(first)
        if SIGNS.search(entry):
            entry, _, usage, _ = self._term(entry)
            head = head._replace(usage=ordered({*head.usage, *usage}))
        return Meaning(entry, head, terms, line)

    def _find_meanings(self, note: str) -> frozenset[str] | None:
        """Return the meanings of a note, or None if they are unknown."""
        if not any(map(str.isalpha, note)):
            return frozenset({_PLAIN})
        if mark := self._marks.get(" ".join(note.casefold().split())):
            return frozenset({mark})
        parts = re.split(r"[,;/]", note)
        if len(parts) > 1:
            known = [meanings for meanings in map(self._meanings, parts) if meanings]
            found: frozenset[str] = frozenset().union(*known)
            # an unknown mark beside a meaningful one is probably of the same kind
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
        """Parse the field for the part of speech. Whatever is neither that nor a mark is the sense."""
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
        """Split a term into the word and the meanings of the notes before and after it.

        An unknown note is taken as an optional word, as in ``(sich) irren``, unless it is at the end, where marks of
        relations are. If it touches a word, it is taken as optional letters: ``Angestellte(r)``.
        """
        if len(text) > _LONGEST:
            return _Term(text, None, ())
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
        relation = fault_of(word) or said.relation or (OTHER_MARK if unknown else None)
        return _Term(word, relation, said.usage, unknown if relation is OTHER_MARK else "")


def _said(meanings: frozenset[str]) -> _Said:
    refused = next((reason for name, reason in _REFUSED.items() if name in meanings), None)
    kind = next((kind for kind in reversed(KINDS) if kind in meanings), None)
    return _Said(refused or kind, meanings - _NO_POS, ordered(meanings.intersection(USAGES)))


def ordered(usage: Iterable[str]) -> tuple[str, ...]:
    """Return labels in the order of `lexkit.sources.records.USAGES`."""
    return tuple(sorted(usage, key=USAGES.index))


def _trimmed(word: str) -> str:
    """Return a word without the signs that joined it to a removed note, such as the dash of ``mean -- (antonym)``."""
    parts = word.split()
    for place in (-1, 0):
        while parts and not parts[place].strip("-\u2013\u2014=,;:"):
            del parts[place]
    return " ".join(parts).strip(",;: ")


def _unquoted(word: str) -> str:
    return word[1:-1] if word[:1] == word[-1:] == '"' and '"' not in word[1:-1] else word


def fault_of(word: str) -> Reason | OwnReason | None:
    """Return why a term without its notes cannot be a word, or None if it can."""
    if not word:
        return Reason.NOT_A_WORD
    if not SIGNS.search(word):
        return None
    if _LOST.search(word):
        return LOST
    if _GAP.search(word):
        return GAP
    if " " in word and "/" in word:
        return ALTERNATIVES
    return Reason.LEFTOVER if _BRACKET.search(word) else None
