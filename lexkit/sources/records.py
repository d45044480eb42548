"""What readers yield: four kinds of record, whatever the source.

A reader turns one file into a stream of these and knows nothing of the store. Words are written as
`lexkit.text.normalize_word` leaves them; parts of speech are wiktextract's names (``noun``, ``verb``,
``adj``, ``adv``, ``phrase`` ...), or None where the source does not say.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["synonym", "antonym"]
KINDS: tuple[Kind, ...] = ("synonym", "antonym")


class Headword(NamedTuple):
    """A word of the language, with or without relations."""

    word: str


class Statement(NamedTuple):
    """A source says that two words are synonyms, or that they are antonyms."""

    word: str
    other: str
    kind: Kind
    pos: str | None = None
    sense: str | None = None
    """Where in the source, or in which sense: a gloss, a head of Roget ..."""


class Group(NamedTuple):
    """A source puts several words side by side: each is a synonym of every other."""

    words: tuple[str, ...]
    pos: str | None = None
    sense: str | None = None
    within: tuple[str, ...] = ()
    """Wider divisions of the source that the group stands in, the widest last: a paragraph, a head of Roget."""


class Analysis(NamedTuple):
    """A word cut into morphemes."""

    word: str
    segmentation: str
    """In MorphoLEX notation, see `lexkit.morphology.segmentation`."""
    prefixes: tuple[str, ...]
    roots: tuple[str, ...]
    suffixes: tuple[str, ...]
    pos: tuple[str, ...] = ()
    """Its parts of speech, as far as the source says."""


Record = Headword | Statement | Group | Analysis
