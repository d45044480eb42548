"""The single answers of a `Lexicon`: neighbours, forms and evidence."""

from __future__ import annotations

from typing import Any, NamedTuple

from lexkit.sources.records import FormKind, Kind
from lexkit.store.html import html_table

_LONGEST_TEXT = 60
"""Most characters of a gloss in the representation of evidence."""


class Neighbor(NamedTuple):
    """A word related to the one that was looked up."""

    word: str
    """The word, as the store spells it."""
    direct: bool
    """Whether a source states the relation. Otherwise, it is derived by morphological negation."""
    n_sources: int
    """Number of independent sources that state the relation or, if none does, state what it is derived from."""
    sources: tuple[str, ...]
    """The names of the sources, sorted; `Lexicon.explain` shows what each of them states."""
    contested: bool
    """Whether the store also has the two words as the other kind."""
    pos: tuple[str, ...]
    """The parts of speech in which they are related, as far as the sources state them."""
    same_pos: bool
    """Whether they have the same part of speech. It is false for relations derived with -less, such as accurate and
    fault, which come from accurate and faultless."""
    usage: tuple[str, ...]
    """Labels of the word in this relation (`lexkit.sources.records.USAGES`): archaic, slang ..."""
    confidence: float
    """Probability, from 0 to 1, that the relation holds in some ordinary sense; see docs/confidence.md."""
    weight: float
    """How good an answer it is, comparable among answers for the same word; see docs/ranking.md."""

    def __repr__(self) -> str:
        shown = {"direct": self.direct, "sources": self.sources, "pos": self.pos, "usage": self.usage}
        return _short("Neighbor", self.word, {**shown, "contested": self.contested, "confidence": self.confidence})

    def _repr_html_(self) -> str:
        return html_table((), self._asdict().items())


class WordForm(NamedTuple):
    """A word that is a form of another word, which has relations in the store."""

    word: str
    """The form, as the store spells it if it has the form."""
    lemma: str
    """The word that it is a form of."""
    kind: FormKind
    """How the two differ: inflection (ran, run), spelling (colour, color), hyphenation (well known, well-known)."""
    source: str
    """The source that states it; ``rules`` if no source does."""


class Evidence(NamedTuple):
    """A reason why two words are related, or would be if no source contradicted it."""

    kind: Kind
    """The kind of relation that it supports: ``synonym`` or ``antonym``."""
    source: str
    """The source that states it or, if it is derived, that states the relation it is derived from."""
    pos: str | None
    """The part of speech, as far as the source states it."""
    sense: str | None
    """The sense in which the source relates the words: a gloss, or a head and its place in Roget."""
    scope: str | None
    """The part of the source that relates the words, if the source has parts that differ in reliability."""
    usage: tuple[str, ...]
    """Labels of either word."""
    rule: str | None
    """The rule that derives the relation: None for a stated one; ``un-``, ``-less``, ``un-+in-`` ... for a derived one;
    ``negation`` or ``reversal`` for a word and its base; ``double negation`` for a word and the base of its base."""
    same_pos: bool
    """Whether the two words have the same part of speech; only derivations can make this false."""
    contradicted: bool
    """Whether a stated relation contradicts this derived one, which is then only kept as evidence."""
    derived_from: tuple[str, str, Kind] | None
    """The stated relation that a derived one comes from."""

    def __repr__(self) -> str:
        shown = {"source": self.source, "pos": self.pos, "sense": self.sense, "usage": self.usage, "rule": self.rule}
        origin = {"derived_from": self.derived_from, "contradicted": self.contradicted}
        return _short("Evidence", self.kind, {**shown, **origin})

    def _repr_html_(self) -> str:
        return html_table((), self._asdict().items())


def _short(name: str, first: str, fields: dict[str, Any]) -> str:
    """Return a representation like a call, without fields that are None, empty or False, except ``direct``."""
    shown = [repr(first)]
    for field, value in fields.items():
        if value or field in ("direct", "confidence"):
            is_long = isinstance(value, str) and len(value) > _LONGEST_TEXT
            shown.append(f"{field}={value[: _LONGEST_TEXT - 3] + '...' if is_long else value!r}")
    return f"{name}({', '.join(shown)})"


ARCHAIC = ("archaic", "obsolete")
"""Labels of words that are left out with ``archaic=False``."""
OFFENSIVE = ("offensive", "vulgar")
"""Labels of words that are left out with ``offensive=False``."""


def unwanted(archaic: bool, offensive: bool) -> tuple[str, ...]:
    """Return the labels of the words to leave out."""
    return (() if archaic else ARCHAIC) + (() if offensive else OFFENSIVE)
