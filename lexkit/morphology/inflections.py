"""English inflections and spellings: which words a word may be a form of.

The rules only propose candidates. A store accepts those that have relations in the part of speech that the rule
requires; see docs/forms.md, which also says how often the rules are right.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from functools import lru_cache
from typing import NamedTuple

from lexkit.sources.data_files import data_file
from lexkit.sources.records import FormKind

IRREGULAR = "irregular_forms_en.tsv"
"""Table of forms, their lemmas and parts of speech: ran, run, verb."""
SPELLINGS = "spellings_en.tsv"
"""Table of British and American spellings of words and parts of words: colour, color."""
NOT_FORMS = "not_forms_en.tsv"
"""Table of words that look like forms of another word (or of any word: ``*``) but are not, with the reason."""
_SHORTEST_LEMMA = 3
"""Minimum number of letters of a lemma found by an ending, so that her is not taken for a form of he."""
_LONGEST_IRREGULAR = 8
"""Maximum number of letters of an irregular form at the end of a longer word: children in grandchildren."""
_VOWEL = re.compile("[aeiouy]")
_DOUBLES = re.compile("[^aeiou]*[aeiouy][bdfgklmnprstvz]")
"""Words that double their last letter before an ending: hoped is not a form of hop."""
NEVER_JOINED = (
    "^-|-$|^re-|^co-op$|^(a|an|as|at|be|by|do|for|go|in|is|it|no|of|on|or|so|to|up|us|we) [^ ]+$|"
    "^[^ ]+ (about|at|away|back|by|down|in|it|off|on|out|over|through|to|up)$"
)
"""Regular expression, also valid in DuckDB, for words that mean something else without their hyphens or spaces: in
action (inaction), make up (makeup), re-cover."""
_NEVER_JOINED = re.compile(NEVER_JOINED)
_IZE = re.compile("(?<=[^ ]{3}[^aeiou ])i([sz])(?=(?:e|ed|es|er|ers|ing|ation|ations|able)$)")
_DOUBLE_L = re.compile("(?<=[^ ]{2}[aeiou])(l?l)(?=(?:ed|ing|ings|er|ers|or|ors)$)")


class Candidate(NamedTuple):
    """A word that another may be a form of."""

    lemma: str
    kind: FormKind
    pos: str | None = None
    """The part of speech that the lemma must have; None allows any."""
    is_listed: bool = False
    """Whether a table lists this form; otherwise a rule for endings proposes it."""


class _Ending(NamedTuple):
    """A rule for a word's ending: the word may be a form of the one that ends in `lemma_ending` instead."""

    lemma_ending: str
    pos: str
    adds: bool = False
    """Whether the form only adds letters, so that the lemma cannot be a word that doubles its last letter."""


def _endings() -> Iterator[tuple[str, _Ending]]:
    for pos in ("noun", "verb"):
        for letter in "abcdefghjklmnopqrtvwxyz":  # neither -ss, nor -us, nor -is
            yield letter + "s", _Ending(letter, pos)
        for hiss in ("s", "x", "z", "ch", "sh", "o"):
            yield hiss + "es", _Ending(hiss, pos)
        yield "ies", _Ending("y", pos)
    for letter in "sx":
        yield letter + "es", _Ending(letter + "is", "noun")  # crises, axes
    for suffix, pos in (("ed", "verb"), ("ing", "verb"), ("er", "adj"), ("est", "adj")):
        yield suffix, _Ending("", pos, adds=True)
        yield suffix, _Ending("e", pos)
        for letter in "bdfgklmnprstvz":
            yield letter * 2 + suffix, _Ending(letter, pos)
        if suffix != "ing":
            yield "i" + suffix, _Ending("y", pos)
    for suffix in ("ed", "ing"):
        yield "ck" + suffix, _Ending("c", "verb")  # panicked
    yield "ying", _Ending("ie", "verb")  # dying


_ENDINGS: dict[str, list[_Ending]] = {}
for _ending, _rule in _endings():
    _ENDINGS.setdefault(_ending, []).append(_rule)


def _rows(name: str) -> Iterator[list[str]]:
    return (row.split("\t") for row in data_file(name).read_text(encoding="utf-8").splitlines()[1:])


@lru_cache(maxsize=1)
def _irregular() -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {}
    for form, lemma, pos in _rows(IRREGULAR):
        found.setdefault(form, []).append((lemma, pos))
    return found


@lru_cache(maxsize=1)
def _not_forms() -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for form, lemma, _ in _rows(NOT_FORMS):
        found.setdefault(form, set()).add(lemma)
    return found


@lru_cache(maxsize=1)
def _spellings() -> dict[str, str]:
    pairs = [(british, american) for british, american in _rows(SPELLINGS)]
    return dict(pairs) | {american: british for british, american in pairs}


@lru_cache(maxsize=1)
def _spelt() -> re.Pattern[str]:
    return re.compile("|".join(sorted(_spellings(), key=len, reverse=True)))


def inflection_pattern() -> str:
    """Return a regular expression, also valid in DuckDB, that matches every word with an inflectional ending."""
    return f"(s|ed|ing|er|est|{'|'.join(_irregular())})$"


def british_pattern() -> str:
    """Return a regular expression, also valid in DuckDB, that matches every word that may have a British spelling."""
    parts = [british for british, _ in _rows(SPELLINGS)]
    return f"{'|'.join(parts)}|is(e|ed|es|er|ers|ing|ations?|able)$|[aeiou]ll(ed|ings?|ers?|ors?)$"


def inflection_candidates(word: str, among: Container[str] | None = None) -> list[Candidate]:
    """Return the words that a word may be an inflection of: mouse for mice.

    In a phrase, the last word is inflected: ice creams.

    Args:
        word: the word to analyse.
        among: the lemmas that are allowed; by default, any.
    """
    refused = _not_forms().get(word, ())
    if "*" in refused:
        return []
    start = max(word.rfind(" "), word.rfind("-")) + 1
    last = word[start:]
    listed = [*_irregular().get(word, ()), *((word[:start] + lemma, pos) for lemma, pos in _irregular().get(last, ()))]
    if among is not None:
        listed = [(lemma, pos) for lemma, pos in listed if lemma in among]
    found = dict.fromkeys(Candidate(lemma, "inflection", pos, is_listed=True) for lemma, pos in listed)
    for lemma, pos in _lemmas(last, word[:start], among):
        if (word[:start] + lemma, pos) not in listed and lemma not in refused:
            found[Candidate(word[:start] + lemma, "inflection", pos)] = None
    return list(found)


def _lemmas(word: str, before: str, among: Container[str] | None) -> Iterator[tuple[str, str]]:
    """Yield lemmas of the last word of a phrase, if *before* and the lemma together are in *among*."""
    irregular = _irregular()
    for start in range(max(2, len(word) - _LONGEST_IRREGULAR), len(word) - 2):
        if word[start:] in irregular:  # women, understood: keep what stands before the irregular form
            yield from ((word[:start] + lemma, pos) for lemma, pos in irregular[word[start:]])
    for length in range(1, 6):
        for rule in _ENDINGS.get(word[-length:], ()):
            lemma = word[:-length] + rule.lemma_ending
            if among is not None and before + lemma not in among:
                continue
            doubles = rule.adds and _DOUBLES.fullmatch(lemma)
            if len(lemma) >= _SHORTEST_LEMMA and _VOWEL.search(lemma) and not doubles:
                yield lemma, rule.pos


def spelling_candidates(word: str) -> list[Candidate]:
    """Return other British or American spellings of a word: color for colour, realise for realize."""
    found = [
        _spelt().sub(lambda match: _spellings()[match[0]], word),
        _IZE.sub(lambda match: "i" + ("z" if match[1] == "s" else "s"), word),
        _DOUBLE_L.sub(lambda match: "l" if match[1] == "ll" else "ll", word),
    ]
    refused = _not_forms().get(word, ())
    return [Candidate(other, "spelling") for other in dict.fromkeys(found) if other not in (word, *refused)]


def punctuation_candidates(word: str) -> list[Candidate]:
    """Return ways to write a word with other hyphens, spaces or apostrophes: well known for well-known."""
    straight = re.sub("['\u2018\u2019\u02bc\u00b4`] ?", "'", word)
    apostrophes = [straight, straight.replace("'", "\u2019")]
    hyphens = [word.replace(" ", "-"), word.replace("-", " "), re.sub("[ -]", "", word)]
    if _NEVER_JOINED.search(word):
        hyphens = []
    return [
        *(Candidate(other, "spelling") for other in dict.fromkeys(apostrophes) if other != word),
        *(Candidate(other, "hyphenation") for other in dict.fromkeys(hyphens) if other != word),
    ]
