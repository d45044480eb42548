"""The negating affixes of a language: how they are spelt, what they attach to, and where to cut them off.

The rules of each language are in ``data_sources/affixes/LANGUAGE.toml``; this module has none of its own.
docs/negation.md describes the fields of these files, which are those of `Affixes`, `Affix` and `Form`.
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
"""A regular expression and what replaces its first match. The change does not apply to a text without a match."""

SHORTEST_BASE = 2
"""Minimum number of letters in a base."""
_UNCHANGED: tuple[Change, ...] = (("", ""),)
_NOT_IN_A_WORD = re.compile(r"[ <>(){}]")
"""Characters of words that are never cut: a space makes a phrase, and MorphoLEX's notation reserves the others."""


class Form(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """One way to spell an affix."""

    form: str
    before: str = ""
    """Regular expression that the rest of the word must begin with, if the affix is a prefix."""
    after: str = ""
    """Regular expression that the rest of the word must end with, if the affix is a suffix."""
    changes: tuple[Change, ...] = _UNCHANGED
    """Changes that turn the rest of the word into a base: *farblos*, ``farb``, *Farbe*."""
    other_end: tuple[Change, ...] = _UNCHANGED
    """Changes at the other end of the word, for affixes in two parts: *bezdomny*, *dom*."""
    keeps_pos: bool | None = None
    """Whether word and base have the same part of speech. By default they do for prefixes, and do not for suffixes."""
    then: str = ""
    """The suffix that follows the affix in this form: ``ness`` in *-lessness*."""

    @cached_property
    def _edge(self) -> re.Pattern[str]:
        return re.compile(self.before or f"(?:{self.after})$")

    @cached_property
    def _changes(self) -> list[list[tuple[re.Pattern[str], str]]]:
        return [[(re.compile(pattern), by) for pattern, by in changes] for changes in (self.changes, self.other_end)]

    def fits(self, rest: str) -> bool:
        """Whether the affix can have this form next to *rest*, the rest of a word in lower case."""
        if self.before:
            return self._edge.match(rest) is not None
        return not self.after or self._edge.search(rest) is not None

    def bases(self, rest: str) -> Iterator[str]:
        """Yield possible bases, given the rest of the word."""
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
    """The smallest set that contains the affix. Affixes that often mean something else are only in ``all``."""
    effect: Effect
    """What the affix does: it denies its base (unkind), undoes it (decentralize), or undoes verbs, or only those that
    `reversible` lists, and denies other bases."""
    forms: tuple[Form, ...]
    bases: str = ""
    """Verbose regular expression that must match a whole base in lower case; if empty, any base is allowed."""
    base_pos: frozenset[str] = frozenset()
    """Parts of speech of which a base must have one, if the store knows any for it; if empty, any is allowed."""
    of_participles: bool = True
    """Whether an adjective whose base is a verb negates the participle: true of *unloved*, but not of *nonstop*."""
    hyphen: bool = False
    """Whether a hyphen may stand between affix and base."""
    short: int = 4
    """Bases of at most this many letters count only if the sources use them enough, compared with the word."""
    reversible: frozenset[str] = frozenset()
    """Verbs in lower case that the affix undoes, also if no source gives the word's part of speech."""
    not_reversed: frozenset[str] = frozenset()
    """Bases in lower case that the affix denies, even if sources list them as verbs."""
    morpholex: tuple[str, ...] = ()
    """MorphoLEX's names for the affix, if it separates it from look-alikes (in- 'not' is ``im``, in- 'into' ``in``)."""

    @cached_property
    def _bases(self) -> re.Pattern[str]:
        return re.compile(self.bases, re.VERBOSE)

    @property
    def rule(self) -> str:
        """The name of the affix in evidence: ``un-``, ``-less``."""
        return f"{self.name}-" if self.position == "prefix" else f"-{self.name}"

    def may_negate(self, base: str) -> bool:
        """Whether *base*, in lower case, looks like a base of this affix."""
        return not self.bases or self._bases.fullmatch(base) is not None


class Opposed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Two suffixes that make opposites of one stem: hopeless, hopeful."""

    negative: str
    positive: str
    changes: tuple[Change, ...] = _UNCHANGED
    """Changes that turn the stem of the negative word into that of the positive one: pitiless, pitiful."""

    @property
    def rule(self) -> str:
        """The name of the pair in evidence: ``-less/-ful``."""
        return f"-{self.negative}/-{self.positive}"


class Cut(NamedTuple):
    """The rest of a word whose affix was cut off; it is a base if it is a word."""

    affix: Affix
    form: Form
    base: str

    @property
    def keeps_pos(self) -> bool:
        """Whether the affix keeps the part of speech."""
        keeps = self.form.keeps_pos
        return self.affix.position == "prefix" if keeps is None else keeps


class Affixes(msgspec.Struct, frozen=True, forbid_unknown_fields=True, dict=True):
    """The rules of negation in one language."""

    title: str
    """Name of the language in English."""
    sources: tuple[str, ...]
    """Grammars and dictionaries on which the file is based."""
    affix: tuple[Affix, ...]
    """The affixes, in the order in which they are tried."""
    verbs: str = ""
    """Regular expression that matches a whole verb in lower case, for words without a known part of speech."""
    verb_forms: tuple[Change, ...] = ()
    """Changes that turn a verb form into its lemma: ``["ed$", ""]``."""
    names: str = ""
    """Regular expression that must match a whole base, in lower case, if the store has it only with a capital."""
    nouns_have_capitals: bool = False
    """Whether all nouns are spelt with a capital, as in German."""
    opposed: tuple[Opposed, ...] = ()
    look_alikes: dict[str, tuple[str, ...]] = {}
    """Words that look negated and are not, by reason; see `lexkit.morphology.look_alikes`."""
    not_opposites: dict[str, tuple[str, ...]] = {}
    """Words with a positive suffix that are not the opposite of the word with the negative one, by reason."""

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
        """Compile every regular expression, so that an invalid one is found when the file is read.

        Raises:
            re.error: a regular expression is invalid.
        """
        _ = self._verbs, self._verb_forms, self._names
        for affix in self.affix:
            _ = affix._bases, *((form._edge, form._changes) for form in affix.forms)

    @cached_property
    def list_of_look_alikes(self) -> LookAlikes:
        """The look-alikes as an object that can be queried."""
        suffixes = [form.form for affix in self.affix if affix.position == "suffix" for form in affix.forms]
        return LookAlikes(self.look_alikes, suffixes)

    def looks_like_a_verb(self, folded: str) -> bool:
        """Whether a word, in lower case, is spelt like a verb of this language."""
        return bool(self.verbs) and self._verbs.fullmatch(folded) is not None

    def may_be_a_name(self, folded: str) -> bool:
        """Whether a word, in lower case, may be a base although the store has it with a capital."""
        return bool(self.names) and self._names.fullmatch(folded) is not None

    def lemmas(self, folded: str) -> Iterator[str]:
        """Yield possible lemmas of a verb form, such as connects, qualified or disengaging."""
        for pattern, by in self._verb_forms:
            if pattern.search(folded):
                yield pattern.sub(by, folded, count=1)

    def in_set(self, chosen: AffixSet) -> tuple[Affix, ...]:
        """Return the affixes of a set, in the order in which they are tried."""
        return tuple(affix for affix in self.affix if chosen == "all" or affix.set == chosen)


def affix_file(language: str) -> Path:
    """Return the path of a language's file, which need not exist."""
    return data_file(f"affixes/{language}.toml")


def languages_with_affixes() -> list[str]:
    """Return the codes of the languages that have a file of affixes."""
    return sorted(path.stem for path in data_file("affixes").glob("*.toml"))


@lru_cache(maxsize=4)
def affixes_of(language: str) -> Affixes | None:
    """Return the rules of a language, given by Wiktionary's code, or None if it has no file."""
    path = affix_file(language)
    if not path.exists():
        return None
    with reading(path):
        rules = msgspec.toml.decode(path.read_bytes(), type=Affixes)
        rules.compile()
    return rules


class Cutter:
    """Cuts the outermost negating affix off words and keeps the spelling of the rest.

    The rest may be negated itself: *nonunhappy* is cut to *unhappy*.
    """

    def __init__(self, affixes: tuple[Affix, ...]) -> None:
        forms = [(form, affix) for affix in affixes for form in affix.forms]
        self._prefixes = [(form, affix) for form, affix in forms if affix.position == "prefix"]
        self._suffixes = [(form, affix) for form, affix in forms if affix.position == "suffix"]
        self._beginnings = tuple(form.form for form, _ in self._prefixes)
        self._endings = tuple(form.form for form, _ in self._suffixes)

    def cuts(self, word: str, folded: str) -> Iterator[Cut]:
        """Yield possible bases of *word*, best first; *folded* is the word in lower case. Phrases have none."""
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
