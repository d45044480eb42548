"""What readers yield: five kinds of record, whatever the source.

A reader turns one file into a stream of these and knows nothing of the store. Words are written as
`lexkit.text.normalize_word` leaves them; parts of speech are wiktextract's names (``noun``, ``verb``,
``adj``, ``adv``, ``phrase`` ...), or None where the source does not say.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["synonym", "antonym"]
KINDS: tuple[Kind, ...] = ("synonym", "antonym")
FormKind = Literal["inflection", "spelling", "hyphenation"]
FORM_KINDS: tuple[FormKind, ...] = ("inflection", "spelling", "hyphenation")
USAGES = (
    "archaic",  # of an older time, and still understood
    "obsolete",  # no longer used
    "dated",  # used by the old
    "historical",  # of things that are no more
    "rare",
    "dialect",
    "regional",  # of one country
    "foreign",  # of another language
    "literary",
    "informal",
    "slang",
    "vulgar",
    "offensive",  # insults a person or a group of people
    "humorous",
    "euphemistic",
    "figurative",
    "technical",  # of one field
)
"""What a source can say of the use of a word in a sense; the labels of `Statement.usage` and `Group.usage`."""


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
    scope: str | None = None
    """What in the source puts the two together, where its scopes differ in how sure they are: docs/confidence.md."""
    usage: tuple[str, ...] = ()
    """Labels of `USAGES` for *word*."""
    other_usage: tuple[str, ...] = ()
    """Labels of `USAGES` for *other*."""


class Group(NamedTuple):
    """A source puts several words side by side: each is a synonym of every other."""

    words: tuple[str, ...]
    pos: str | None = None
    sense: str | None = None
    scope: str | None = None
    """What in the source puts the words together, as in `Statement`."""
    usage: tuple[tuple[str, ...], ...] = ()
    """Labels of `USAGES` for each of *words*; empty if none has any."""
    apart: tuple[tuple[int, int], ...] = ()
    """Places in *words*, from 1 and the smaller first, of two that are no synonyms."""


class Form(NamedTuple):
    """A word that is an inflection of another, or another way to write it."""

    word: str
    lemma: str
    kind: FormKind


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


Record = Headword | Statement | Group | Form | Analysis
