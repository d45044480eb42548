"""The five types of record that readers yield.

A reader turns one file into a stream of records and does not know the store. Words are spelt as
`lexkit.text.normalize_word` returns them. Parts of speech have wiktextract's names (``noun``, ``verb``, ``adj``,
``adv``, ``phrase`` ...), or are None if the source does not give one.
"""

from __future__ import annotations

from typing import Literal, NamedTuple

Kind = Literal["synonym", "antonym"]
KINDS: tuple[Kind, ...] = ("synonym", "antonym")
FormKind = Literal["inflection", "spelling", "hyphenation"]
FORM_KINDS: tuple[FormKind, ...] = ("inflection", "spelling", "hyphenation")
USAGES = (
    "archaic",  # from an older time, but still understood
    "obsolete",  # no longer used
    "dated",  # used by older people
    "historical",  # for things that no longer exist
    "rare",
    "dialect",
    "regional",  # used in one country
    "foreign",  # from another language
    "literary",
    "informal",
    "slang",
    "vulgar",
    "offensive",  # insults a person or a group of people
    "humorous",
    "euphemistic",
    "figurative",
    "technical",  # used in one field
)
"""Labels for the usage of a word in a sense, as in `Statement.usage` and `Group.usage`."""


class Headword(NamedTuple):
    """A word of the language, with or without relations."""

    word: str


class Statement(NamedTuple):
    """A source's statement that two words are synonyms, or that they are antonyms."""

    word: str
    other: str
    kind: Kind
    pos: str | None = None
    sense: str | None = None
    """The sense, or the place in the source: a gloss, a head of Roget ..."""
    scope: str | None = None
    """What connects the two in the source, if its scopes differ in reliability; see docs/confidence.md."""
    usage: tuple[str, ...] = ()
    """Labels of `USAGES` for *word*."""
    other_usage: tuple[str, ...] = ()
    """Labels of `USAGES` for *other*."""


class Group(NamedTuple):
    """Words that a source lists together: each is a synonym of every other."""

    words: tuple[str, ...]
    pos: str | None = None
    sense: str | None = None
    scope: str | None = None
    """What connects the words in the source, as in `Statement`."""
    usage: tuple[tuple[str, ...], ...] = ()
    """Labels of `USAGES` for each of *words*; empty if no word has any."""
    apart: tuple[tuple[int, int], ...] = ()
    """Pairs of words that are not synonyms, as positions in *words*, counted from 1, the smaller first."""


class Form(NamedTuple):
    """A word that is an inflection of another word, or another spelling of it."""

    word: str
    lemma: str
    kind: FormKind


class Analysis(NamedTuple):
    """A word cut into morphemes."""

    word: str
    segmentation: str
    """The word in MorphoLEX's notation, see `lexkit.morphology.segmentation`."""
    prefixes: tuple[str, ...]
    roots: tuple[str, ...]
    suffixes: tuple[str, ...]
    pos: tuple[str, ...] = ()
    """Parts of speech of the word, as far as the source gives them."""


Record = Headword | Statement | Group | Form | Analysis
