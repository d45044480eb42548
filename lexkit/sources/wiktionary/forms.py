"""Which words are forms of others: inflections, spellings, and ways to write a word with hyphens or spaces.

Abbreviations, initialisms and clippings are words of their own (*bus*, *NATO*), and so are derived words (*abolisher*:
"agent noun of abolish"). Misspellings, and spellings that imitate speech, are errors. None of these are forms.
"""

from __future__ import annotations

from functools import lru_cache

from lexkit.sources.read_report import Reason
from lexkit.sources.records import FormKind
from lexkit.sources.wiktionary.labels import ERRORS, read_tags

_DERIVED = frozenset(
    "abstract-noun agent augmentative causative diminutive endearing feminine frequentative iterative masculine "
    "noun-from-adj noun-from-noun noun-from-verb relational verb-from-noun verb-from-verb".split()
)
_OTHERWISE = frozenset(
    "abbreviation acronym canonical clipping compound-of contraction ellipsis initialism morse-code "
    "multiword-construction pronoun-included pronunciation-spelling romanization symbol synonym synonym-of "
    "transcription transliteration".split()
)
_CAPTIONS = frozenset({"class", "inflection-template", "table-tags"})
_INFLECTED = frozenset(
    "ablative accusative aorist comparative conditional dative definite dual first-person future genitive gerund "
    "illative imperative imperfect indefinite indicative inessive infinitive instrumental locative nominative oblique "
    "participle partitive past perfect pluperfect plural possessive predicative present preterite second-person "
    "singular subjunctive superlative supine third-person vocative".split()
)


# There are only a few thousand combinations of tags
@lru_cache(1 << 12)
def reason_against(raw: bytes) -> Reason | None:
    """Return why a sense with these tags (JSON) does not make its word a form of another word, or None if it does."""
    tags = read_tags(raw)
    if not ERRORS.isdisjoint(tags):
        return Reason.MISSPELLING
    if _OTHERWISE.isdisjoint(tags) and (_DERIVED.isdisjoint(tags) or not _INFLECTED.isdisjoint(tags)):
        return None
    return Reason.NOT_A_FORM


@lru_cache(1 << 12)
def row_kind(raw: bytes) -> FormKind | Reason | None:
    """Return the kind of form that these tags (JSON) give to an item of an entry's list ``forms``.

    The result is a `Reason` if the item must be refused, and None if it is a caption of the table.
    """
    tags = read_tags(raw)
    if not _CAPTIONS.isdisjoint(tags):
        return None
    if not ERRORS.isdisjoint(tags):
        return Reason.MISSPELLING
    if _OTHERWISE.isdisjoint(tags):
        if "alternative" in tags:
            return "spelling"
        if not _INFLECTED.isdisjoint(tags):
            return "inflection"
    return Reason.NOT_A_FORM


def spelling_kind(word: str, other: str) -> FormKind:
    """Return how two spellings of a word differ: only in hyphens and spaces, or in other ways too.

    >>> spelling_kind("well known", "well-known")
    'hyphenation'
    >>> spelling_kind("colour", "color")
    'spelling'
    """
    return "hyphenation" if _joined(word) == _joined(other) else "spelling"


def _joined(word: str) -> str:
    return word.replace("-", "").replace(" ", "")


_SIGNS = str.maketrans("", "", " -\N{NON-BREAKING HYPHEN}.'\N{RIGHT SINGLE QUOTATION MARK}")


def same_letters(word: str, other: str) -> bool:
    """Whether two words are equal apart from case, hyphens, spaces, full stops and apostrophes.

    >>> same_letters("AD", "A. D."), same_letters("sun", "Sun"), same_letters("C", "C#")
    (True, True, False)
    """
    # Almost all pairs differ in the first letter
    if word[0] != other[0] and word[0].lower() != other[0].lower():
        return False
    return word.translate(_SIGNS).lower() == other.translate(_SIGNS).lower()
