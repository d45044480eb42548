"""What a `Lexicon` answers with: neighbours, forms and evidence, one at a time."""

from __future__ import annotations

from typing import Any, NamedTuple

from lexkit.sources.records import FormKind, Kind
from lexkit.store.html import html_table

_LONGEST_TEXT = 60
"""Characters of a gloss that the text of a piece of evidence shows."""


class Neighbor(NamedTuple):
    """A word related to the one that was looked up."""

    word: str
    """The word, as the store spells it."""
    direct: bool
    """Whether a source states the relation, rather than morphological negation deriving it."""
    n_sources: int
    """How many independent sources state it, or, if none does, state what it is derived from."""
    sources: tuple[str, ...]
    """The names of the sources, sorted; `Lexicon.explain` shows what each says."""
    contested: bool
    """Whether the two are in the store as the other kind, too."""
    pos: tuple[str, ...]
    """The parts of speech in which they are related, as far as the sources say."""
    same_pos: bool
    """Whether they have one part of speech; not so what -less derived (accurate, faultless: accurate, fault)."""
    usage: tuple[str, ...]
    """Labels of the word in this relation (`lexkit.sources.records.USAGES`): archaic, slang ..."""
    confidence: float
    """The chance, from 0 to 1, that the relation holds in some ordinary sense; see docs/confidence.md."""
    weight: float
    """How good an answer it is, comparable among answers for the same word; see docs/ranking.md."""

    def __repr__(self) -> str:
        shown = {"direct": self.direct, "sources": self.sources, "pos": self.pos, "usage": self.usage}
        return _short("Neighbor", self.word, {**shown, "contested": self.contested, "confidence": self.confidence})

    def _repr_html_(self) -> str:
        return html_table((), self._asdict().items())


class WordForm(NamedTuple):
    """A word that is a form of another one, of which the store has relations."""

    word: str
    """The form, as the store spells it where it has it."""
    lemma: str
    """The word of which it is a form."""
    kind: FormKind
    """How the two differ: inflection (ran, run), spelling (colour, color), hyphenation (well known, well-known)."""
    source: str
    """Who says so; ``rules`` if no source does."""


class Evidence(NamedTuple):
    """One reason why two words are, or would be, related."""

    kind: Kind
    """The relation that it speaks for: ``synonym`` or ``antonym``."""
    source: str
    """Who states it; for a derived relation, who states the relation that it is derived from."""
    pos: str | None
    """The part of speech, as far as the source says."""
    sense: str | None
    """The sense in which the source relates them: a gloss, or a head and its place in Roget."""
    scope: str | None
    """What in the source puts the two together, where its scopes differ in how sure they are."""
    usage: tuple[str, ...]
    """Labels of either word."""
    rule: str | None
    """None for a stated relation; ``un-``, ``-less``, ``un-+in-`` ... for a derived one; ``negation`` or ``reversal``
    for a word and its base, ``double negation`` for a word and its base's base."""
    same_pos: bool
    """Whether the two words have one part of speech, as far as derivation goes."""
    contradicted: bool
    """Whether a stated relation contradicts this derived one, which is then kept as evidence only."""
    derived_from: tuple[str, str, Kind] | None
    """The stated relation that a derived one comes from."""

    def __repr__(self) -> str:
        shown = {"source": self.source, "pos": self.pos, "sense": self.sense, "usage": self.usage, "rule": self.rule}
        origin = {"derived_from": self.derived_from, "contradicted": self.contradicted}
        return _short("Evidence", self.kind, {**shown, **origin})

    def _repr_html_(self) -> str:
        return html_table((), self._asdict().items())


def _short(name: str, first: str, fields: dict[str, Any]) -> str:
    """Return a text like a call. Fields that are None, empty or False are left out, except ``direct``."""
    shown = [repr(first)]
    for field, value in fields.items():
        if value or field in ("direct", "confidence"):
            is_long = isinstance(value, str) and len(value) > _LONGEST_TEXT
            shown.append(f"{field}={value[: _LONGEST_TEXT - 3] + '...' if is_long else value!r}")
    return f"{name}({', '.join(shown)})"


ARCHAIC = ("archaic", "obsolete")
"""Labels of words that are left out where archaic ones are not wanted."""
OFFENSIVE = ("offensive", "vulgar")
"""Labels of words that are left out where offensive ones are not wanted."""


def unwanted(archaic: bool, offensive: bool) -> tuple[str, ...]:
    """Return the labels of the words that are not wanted."""
    return (() if archaic else ARCHAIC) + (() if offensive else OFFENSIVE)
