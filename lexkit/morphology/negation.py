"""Which words are negated, and what they negate: unkind -> kind, penniless -> penny, irregularity -> regularity.

The base is found in the word as it is spelt, by cutting off its outermost affix (`lexkit.morphology.affixes`), and
counts only if it is a word. Whether the affix negates is decided, in this order, by the reviewed list of look-alikes
(`lexkit.morphology.look_alikes`); by MorphoLEX, where it is given and knows the word; and by what the base looks
like, how often the sources have it, and its part of speech.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from lexkit.morphology.affixes import REVERSED_BY_DIS, REVERSIBLE, Affix, AffixSet, Cut, Cutter, Position, affixes_of
from lexkit.morphology.look_alikes import LookAlikes
from lexkit.morphology.segmentation import parse_segmentation
from lexkit.sources.records import Analysis
from lexkit.text import fold


class Usage(NamedTuple):
    """How the sources use a word."""

    n_statements: int = 0
    """Stated relations that it stands in."""
    pos: frozenset[str] = frozenset()
    """Its parts of speech in these, and in MorphoLEX."""


class Negation(NamedTuple):
    """*word* is *base* negated by *affix*."""

    word: str
    base: str
    affix: str
    position: Position
    analyser: Literal["morpholex", "affix"]
    reverses: bool = False
    """Whether it undoes what the base does (unlock, decentralize) rather than denies it (unkind)."""
    same_pos: bool = True
    """Whether word and base have the same part of speech; not so faultless and fault."""

    @property
    def rule(self) -> str:
        """The affix as evidence names it: ``un-``, ``-less``."""
        return f"{self.affix}-" if self.position == "prefix" else f"-{self.affix}"


_UNUSED = Usage()
_UN_NOUNS = frozenset("belief concern ease employment faith health reason rest truth".split())
"""Nouns, or nouns and verbs, that un- negates as nouns; with any other verb, it reverses."""
_AFTER_LESS = ("ness", "ly")
_MORPHOLEX_NAMES = {affix.name: affix.morpholex[0] for affix in affixes_of("all") if affix.morpholex}
_CASE_AFFIXES = {"un", "non", "anti"}
_OF_A_NAME = re.compile(r"\w{2,}(?:an|ans|ic|ish|ism|ist|ized|ised|ite|like|ly|ese)")
"""What is negated of words with a capital: un-American, but underwent has nothing to do with the Derwent."""


def find_negations(
    vocabulary: Mapping[str, Usage], analyses: Iterable[Analysis] = (), affixes: AffixSet = "common"
) -> Iterator[Negation]:
    """Yield the negation of every negated word of *vocabulary*, in its order.

    Args:
        vocabulary: what counts as a word, in the spelling of the store, with how the sources use it. A base that
            differs from a word only in case is that word (unchristian -> Christian), the first in code point order
            if several do.
        analyses: MorphoLEX's words, if there are any; words that it does not know are judged as if there were none.
        affixes: the ``common`` ones (un-, in-, dis-, non-, -less) or ``all``.
    """
    known = {analysis.word: analysis for analysis in analyses}
    by_folded: dict[str, str] = {}
    for word in vocabulary:
        folded = fold(word)
        if folded != word:
            by_folded[folded] = min(word, by_folded.get(folded, word))
    judge = _Judge(vocabulary, known)
    cutter = Cutter(affixes)
    for word in vocabulary:
        for cut in cutter.cuts(word, fold(word)):
            found = cut.base if cut.base in vocabulary else _other_case(cut, vocabulary, by_folded)
            if found is None or found == word:
                continue
            analyser = judge.analyser(word, found, cut)
            if analyser is not None:
                yield judge.negation(word, found, cut, analyser)
                break


def _other_case(cut: Cut, vocabulary: Mapping[str, Usage], by_folded: Mapping[str, str]) -> str | None:
    folded = fold(cut.base)
    if folded in vocabulary:
        return folded
    return by_folded.get(folded) if cut.affix.name in _CASE_AFFIXES and _OF_A_NAME.fullmatch(folded) else None


def analysis_of(negation: Negation) -> Analysis:
    """Return a word that is cut by its affix in the form of MorphoLEX's analyses, in its notation and spelling."""
    name = _MORPHOLEX_NAMES.get(negation.affix, negation.affix)
    if negation.position == "prefix":
        text = f"<{name}<({negation.base})"
    else:
        further = next((f">{suffix}>" for suffix in _AFTER_LESS if negation.word.lower().endswith(name + suffix)), "")
        text = f"({negation.base})>{name}>{further}"
    parsed = parse_segmentation(text)
    return Analysis(negation.word, text, parsed.prefixes, parsed.roots, parsed.suffixes)


class _Judge:
    """Decides whether a word is negated."""

    def __init__(self, vocabulary: Mapping[str, Usage], known: Mapping[str, Analysis]) -> None:
        self._vocabulary = vocabulary
        self._known = known
        self._look_alikes = LookAlikes()

    def analyser(self, word: str, base: str, cut: Cut) -> Literal["morpholex", "affix"] | None:
        """Tell who says that *word* is *base* negated; None: nobody."""
        affix = cut.affix
        if self._look_alikes.refuse(fold(word), affix.position):
            return None
        analysis = self._known.get(word)
        if analysis is not None and affix.morpholex and _confirms(analysis, affix):
            return "morpholex"
        return "affix" if self._is_likely(word, base, affix) else None

    def _is_likely(self, word: str, base: str, affix: Affix) -> bool:
        folded = fold(base)
        if affix.bases is not None and affix.bases.fullmatch(folded) is None:
            return False
        if len(folded) > affix.short:
            return True
        # A short base that no source has much to say of is likely a piece of a word: uncle and cle, dismay and may
        n_word, n_base = self._usage(word).n_statements, self._usage(base).n_statements
        return n_base >= n_word / 10

    def negation(self, word: str, base: str, cut: Cut, analyser: Literal["morpholex", "affix"]) -> Negation:
        """Describe the negation of *base*."""
        affix = cut.affix
        pos, base_pos = self._usage(word).pos, self._usage(base).pos
        # Participles are verbs to the sources, and adjectives where un- is put before them
        is_participle = affix.name != "non" and "adj" in pos and "verb" in base_pos
        same_pos = cut.keeps_pos and (not pos or not base_pos or bool(pos & base_pos) or is_participle)
        reverses = affix.name == "de" or (affix.name in ("un", "dis") and self._undoes(word, base, affix.name))
        return Negation(word, base, affix.name, affix.position, analyser, reverses, same_pos)

    def _undoes(self, word: str, base: str, affix: str) -> bool:
        """Whether *word* is a verb that undoes what the verb *base* does."""
        pos = self._usage(word).pos or self._usage(base).pos
        folded = fold(base)
        if affix == "dis":
            return (_is_verb(pos) or not pos) and not REVERSED_BY_DIS.isdisjoint(_lemmas(folded))
        if folded in REVERSIBLE:
            return "verb" in pos or not pos
        return _is_verb(pos) and folded not in _UN_NOUNS and self._is_verb_form(fold(word))

    def _is_verb_form(self, folded: str) -> bool:
        """Whether unfolded and unfolding are forms of a verb that is there; there is none of uncaring."""
        for ending in ("ing", "ed"):
            if folded.endswith(ending):
                stem = folded[: -len(ending)]
                return any(verb in self._vocabulary for verb in (stem, stem + "e", stem[:-1]))
        return True

    def _usage(self, word: str) -> Usage:
        return self._vocabulary.get(word, _UNUSED)


def _lemmas(form: str) -> Iterator[str]:
    """Yield what a form of a verb may come from: connects, qualified, disengaging."""
    yield form
    for ending, changes in (("ied", "y"), ("ies", "y"), ("ed", ",e"), ("es", ",e"), ("s", ""), ("ing", ",e")):
        if form.endswith(ending):
            stem = form[: -len(ending)]
            yield from (stem + change for change in changes.split(","))
            yield stem[:-1]  # interred


def _is_verb(pos: frozenset[str]) -> bool:
    return "verb" in pos and "adj" not in pos


def _confirms(analysis: Analysis, affix: Affix) -> bool:
    """Whether MorphoLEX has the affix where it was cut off: first, or last but for -ness and -ly."""
    if affix.position == "prefix":
        return bool(analysis.prefixes) and analysis.prefixes[0] in affix.morpholex
    inner = [suffix for suffix in analysis.suffixes if suffix not in _AFTER_LESS]
    return bool(inner) and inner[-1] in affix.morpholex
