"""The negating affixes of a language: how they are spelt, what they attach to, and where to cut them off.

Each language has a file, ``data_sources/affixes/LANGUAGE.toml``; this module reads it and knows no language itself.
docs/negation.md describes the fields, which are those of `Affixes`, `Affix` and `Form`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal, NamedTuple

import msgspec

from lexkit.morphology.look_alikes import LookAlikes
from lexkit.sources.data_files import data_file, reading
from lexkit.text import fold

Position = Literal["prefix", "suffix"]
AffixSet = Literal["none", "common", "all"]
Effect = Literal["negation", "reversal", "reverses verbs", "reverses listed"]
Change = tuple[str, str]
"""A regular expression, and what replaces its first match; a text without a match has no such change."""

SHORTEST_BASE = 2
"""Least number of letters of a base."""
_UNCHANGED: tuple[Change, ...] = (("", ""),)
_NOT_IN_A_WORD = re.compile(r"[ <>(){}]")
"""What a word to be cut must not contain: phrases are left alone, and MorphoLEX's notation has no such roots."""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One of the ways in which an affix is spelt."""

    form: str
    before: str = ""
    """Regular expression: what the rest of the word begins with, if the affix is a prefix."""
    after: str = ""
    """Regular expression: what the rest of the word ends in, if the affix is a suffix."""
    changes: tuple[Change, ...] = _UNCHANGED
    """Each makes a base of the rest of the word: *farblos*, ``farb``, *Farbe*."""
    other_end: tuple[Change, ...] = _UNCHANGED
    """Likewise at the other end of the word, for affixes in two parts: *bezdomny*, *dom*."""
    keeps_pos: bool | None = None
    """Whether word and base have the same part of speech; by default, those of prefixes do, those of suffixes not."""
    then: str = ""
    """The suffix that follows the affix in this form: ``ness`` in *-lessness*."""

    @cached_property
    def _edge(self) -> re.Pattern[str]:
        return re.compile(self.before or f"(?:{self.after})$")

    @cached_property
    def _changes(self) -> list[list[tuple[re.Pattern[str], str]]]:
        return [[(re.compile(pattern), by) for pattern, by in changes] for changes in (self.changes, self.other_end)]

    def fits(self, rest: str) -> bool:
        """Whether the affix has this form beside the rest of a word, in lower case."""
        if self.before:
            return self._edge.match(rest) is not None
        return not self.after or self._edge.search(rest) is not None

    def bases(self, rest: str) -> Iterator[str]:
        """Yield what may be the base, given the rest of the word."""
        near, far = self._changes
        for pattern, by in near:
            if pattern.search(rest):
                changed = pattern.sub(by, rest, count=1)
                for far_pattern, far_by in far:
                    if far_pattern.search(changed):
                        yield far_pattern.sub(far_by, changed, count=1)


class Affix(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """A negating affix."""

    name: str
    """The affix as the table ``negation`` spells it."""
    position: Position
    set: Literal["common", "all"]
    """The least set of affixes that has it; those that often mean something else are in ``all`` only."""
    effect: Effect
    """What it does: deny (unkind), undo (decentralize), or undo verbs, or those of `reversible`, and deny others."""
    forms: tuple[Form, ...]
    bases: str = ""
    """Verbose regular expression that a base, in lower case, matches whole; empty: any base will do."""
    base_pos: frozenset[str] = frozenset()
    """Parts of speech one of which a base has, if the store knows any of it; empty: any."""
    of_participles: bool = True
    """Whether an adjective with a verb as its base has a participle as its base: unloved, but not nonstop."""
    hyphen: bool = False
    """Whether a hyphen may stand between affix and base."""
    short: int = 4
    """Bases of so few letters count only if the sources use them, compared to the word."""
    reversible: frozenset[str] = frozenset()
    """Verbs, in lower case, that the affix undoes, for words of which no source tells the part of speech, too."""
    not_reversed: frozenset[str] = frozenset()
    """Bases, in lower case, that it denies even if sources have them as verbs."""
    morpholex: tuple[str, ...] = ()
    """MorphoLEX's names for it, if MorphoLEX tells it from its look-alikes (in- 'not' is ``im``, in- 'into' ``in``)."""

    @cached_property
    def _bases(self) -> re.Pattern[str]:
        return re.compile(self.bases, re.VERBOSE)

    @property
    def rule(self) -> str:
        """The name of the affix in evidence: ``un-``, ``-less``."""
        return f"{self.name}-" if self.position == "prefix" else f"-{self.name}"

    def may_negate(self, base: str) -> bool:
        """Whether a base, in lower case, looks like one of this affix."""
        return not self.bases or self._bases.fullmatch(base) is not None


class Opposed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two suffixes that make opposites of one stem: hopeless, hopeful."""

    negative: str
    positive: str
    changes: tuple[Change, ...] = _UNCHANGED
    """Each makes of the stem before the negative suffix one before the other: pitiless, pitiful."""

    @property
    def rule(self) -> str:
        """The name of the pair in evidence: ``-less/-ful``."""
        return f"-{self.negative}/-{self.positive}"


class Cut(NamedTuple):
    """A word without its affix: a base if it is a word."""

    affix: Affix
    form: Form
    base: str

    @property
    def keeps_pos(self) -> bool:
        """Whether the affix leaves the part of speech as it is."""
        keeps = self.form.keeps_pos
        return self.affix.position == "prefix" if keeps is None else keeps


class Affixes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """What is known of negation in one language."""

    title: str
    """The language, in English."""
    sources: tuple[str, ...]
    """Grammars and dictionaries that the file rests on."""
    affix: tuple[Affix, ...]
    """In the order in which they are tried."""
    verbs: str = ""
    """Regular expression that verbs match whole, in lower case, where no source tells the part of speech."""
    verb_forms: tuple[Change, ...] = ()
    """What makes a lemma of a form of a verb: ``["ed$", ""]``."""
    names: str = ""
    """Regular expression that bases with a capital in the store match whole, in lower case, if they are to count."""
    nouns_have_capitals: bool = False
    """Whether all nouns are spelt with a capital, as German ones are."""
    opposed: tuple[Opposed, ...] = ()
    look_alikes: dict[str, tuple[str, ...]] = {}
    """Reasons, with the words that look negated and are not: see `lexkit.morphology.look_alikes`."""
    not_opposites: dict[str, tuple[str, ...]] = {}
    """Reasons, with the words in a positive suffix that are not the opposite of those in the negative one."""

    @cached_property
    def _verbs(self) -> re.Pattern[str]:
        return re.compile(self.verbs)

    @cached_property
    def _verb_forms(self) -> list[tuple[re.Pattern[str], str]]:
        return [(re.compile(pattern), by) for pattern, by in self.verb_forms]

    @cached_property
    def _names(self) -> re.Pattern[str]:
        return re.compile(self.names)

    def compile(self) -> None:
        """Compile every regular expression now, so that a wrong one is found when the file is read.

        Raises:
            re.error: one is wrong.
        """
        _ = self._verbs, self._verb_forms, self._names
        for affix in self.affix:
            _ = affix._bases, *((form._edge, form._changes) for form in affix.forms)

    @cached_property
    def list_of_look_alikes(self) -> LookAlikes:
        """The look-alikes, to be asked of words."""
        suffixes = [form.form for affix in self.affix if affix.position == "suffix" for form in affix.forms]
        return LookAlikes(self.look_alikes, suffixes)

    def looks_like_a_verb(self, folded: str) -> bool:
        """Whether a word, in lower case, is spelt as verbs are in this language."""
        return bool(self.verbs) and self._verbs.fullmatch(folded) is not None

    def may_be_a_name(self, folded: str) -> bool:
        """Whether a word, in lower case, may be the base of another although the store has it with a capital."""
        return bool(self.names) and self._names.fullmatch(folded) is not None

    def lemmas(self, folded: str) -> Iterator[str]:
        """Yield what a form of a verb may come from: connects, qualified, disengaging."""
        for pattern, by in self._verb_forms:
            if pattern.search(folded):
                yield pattern.sub(by, folded, count=1)

    def of(self, chosen: AffixSet) -> tuple[Affix, ...]:
        """Return the affixes of a set, in the order in which they are tried."""
        return tuple(affix for affix in self.affix if chosen == "all" or affix.set == chosen)


def affix_file(language: str) -> Path:
    """Return the path of the file of a language, which need not exist."""
    return data_file(f"affixes/{language}.toml")


def languages() -> list[str]:
    """Return the codes of the languages whose affixes are known."""
    return sorted(path.stem for path in data_file("affixes").glob("*.toml"))


@lru_cache(maxsize=4)
def affixes_of(language: str) -> Affixes | None:
    """Return what is known of negation in a language, by Wiktionary's code of it; None: nothing."""
    path = affix_file(language)
    if not path.exists():
        return None
    with reading(path):
        rules = msgspec.toml.decode(path.read_bytes(), type=Affixes)
        rules.compile()
    return rules


class Cutter:
    """Cuts the outermost negating affix off words, in the spelling of the word.

    What is inside may be negated itself: *nonunhappy* is cut to *unhappy*.
    """

    def __init__(self, affixes: tuple[Affix, ...]) -> None:
        forms = [(form, affix) for affix in affixes for form in affix.forms]
        self._prefixes = [(form, affix) for form, affix in forms if affix.position == "prefix"]
        self._suffixes = [(form, affix) for form, affix in forms if affix.position == "suffix"]
        self._beginnings = tuple(form.form for form, _ in self._prefixes)
        self._endings = tuple(form.form for form, _ in self._suffixes)

    def cuts(self, word: str, folded: str) -> Iterator[Cut]:
        """Yield what may be the base of *word*, best first; *folded* is its lower case. Phrases are left alone."""
        is_prefixed, is_suffixed = folded.startswith(self._beginnings), folded.endswith(self._endings)
        if not (is_prefixed or is_suffixed) or _NOT_IN_A_WORD.search(word):
            return
        if is_prefixed:
            for form, affix in self._prefixes:
                if folded.startswith(form.form):
                    yield from _cut(word[len(form.form) :], form, affix)
        if is_suffixed:
            for form, affix in self._suffixes:
                if folded.endswith(form.form):
                    yield from _cut(word[: -len(form.form)], form, affix)


def _cut(rest: str, form: Form, affix: Affix) -> Iterator[Cut]:
    bare = rest.strip("-") if rest[:1] == "-" or rest[-1:] == "-" else rest
    if bare is not rest:
        if not affix.hyphen:
            return
    elif not form.fits(fold(rest)):
        return
    for base in form.bases(bare):
        if len(base) >= SHORTEST_BASE:
            yield Cut(affix, form, base)
