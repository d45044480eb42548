"""What a `Lexicon` answers with."""

from __future__ import annotations

from typing import NamedTuple

from lexkit.sources.records import FormKind, Kind


class Neighbor(NamedTuple):
    """A word related to the one that was looked up."""

    word: str
    direct: bool
    """Whether a source states the relation, rather than morphological negation deriving it."""
    n_sources: int
    """How many independent sources state it, or, if none does, state what it is derived from."""
    sources: tuple[str, ...]
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


class WordForm(NamedTuple):
    """A word that is a form of another one, of which the store has relations."""

    word: str
    """The form, as the store spells it where it has it."""
    lemma: str
    kind: FormKind
    source: str
    """Who says so; ``rules`` if no source does."""


ARCHAIC = ("archaic", "obsolete")
"""Labels of words that are left out where archaic ones are not wanted."""
OFFENSIVE = ("offensive", "vulgar")
"""Labels of words that are left out where offensive ones are not wanted."""


def unwanted(archaic: bool, offensive: bool) -> tuple[str, ...]:
    """Return the labels of the words that are not wanted."""
    return (() if archaic else ARCHAIC) + (() if offensive else OFFENSIVE)


class Evidence(NamedTuple):
    """One reason why two words are, or would be, related."""

    kind: Kind
    source: str
    pos: str | None
    sense: str | None
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
