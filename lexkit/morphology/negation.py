"""Find negated words and what they negate: unkind -> kind, penniless -> penny, irregularity -> regularity.

The base is what remains of the spelling when the outermost affix is cut off (`lexkit.morphology.affixes`), and it must
be a word. Whether the affix negates it is decided, in this order, by the reviewed list of look-alikes; by MorphoLEX, if
it is given and knows the word; and by the base's spelling, its use in the sources, and its part of speech.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, NamedTuple

from lexkit.morphology.affixes import Affix, Affixes, AffixSet, Cut, Cutter, Position, affixes_of
from lexkit.morphology.segmentation import parse_segmentation
from lexkit.sources.records import Analysis
from lexkit.text import fold

Analyser = Literal["morpholex", "affix"]


class Usage(NamedTuple):
    """How the sources use a word."""

    n_statements: int = 0
    """Number of stated relations of the word."""
    pos: frozenset[str] = frozenset()
    """Parts of speech of the word in these relations and in MorphoLEX."""
    frequency: float | None = None
    """Frequency on the Zipf scale; None if unknown."""


class Negation(NamedTuple):
    """The fact that *word* is *base* negated by *affix*."""

    word: str
    base: str
    affix: str
    position: Position
    analyser: Analyser
    reverses: bool = False
    """Whether the word undoes the base (unlock, decentralize) instead of denying it (unkind)."""
    same_pos: bool = True
    """Whether word and base have the same part of speech; faultless and fault do not."""
    segmentation: str = ""
    """The word cut at the affix, in MorphoLEX's notation and spelling."""

    @property
    def rule(self) -> str:
        """The name of the affix in evidence: ``un-``, ``-less``."""
        return f"{self.affix}-" if self.position == "prefix" else f"-{self.affix}"


_UNUSED = Usage()
_RAREST = 2.0
"""Lowest frequency in the tables; words that are not in them are rarer."""
_RARER = 2.0
"""How much rarer than the word a short base may be, on the Zipf scale; 2 means a hundred times."""


def find_negations(
    vocabulary: Mapping[str, Usage],
    language: str = "en",
    analyses: Iterable[Analysis] = (),
    affixes: AffixSet = "common",
) -> Iterator[Negation]:
    """Yield the negation of every negated word of *vocabulary*, in the order of the vocabulary.

    Args:
        vocabulary: the words of the store, with how the sources use them. A base that differs from a word only in case
            is taken as that word (unchristian -> Christian); of several, the one with the fewest capitals.
        language: Wiktionary's code of the language. Without a file of affixes, nothing is yielded.
        analyses: MorphoLEX's analyses, if it is given. Words that it does not know are judged as if it were not given.
        affixes: which affixes to use: the ``common`` ones of the language (un-, in-, dis-, non-, -less), ``all`` or
            ``none``.
    """
    rules = affixes_of(language)
    if rules is None or affixes == "none":
        return
    known = {analysis.word: analysis for analysis in analyses}
    by_folded: dict[str, str] = {}
    for word in vocabulary:
        folded = fold(word)
        if folded != word:
            by_folded[folded] = min(word, by_folded.get(folded, word), key=_capitals)
    judge = _Judge(vocabulary, known, rules)
    cutter = Cutter(rules.in_set(affixes))
    for word in vocabulary:
        for cut, found in _bases(word, cutter, by_folded, rules):
            if found == word or found not in vocabulary:
                continue
            analyser = judge.analyser(word, found, cut)
            if analyser is not None:
                yield judge.negation(word, found, cut, analyser)
                break


def _capitals(word: str) -> tuple[int, str]:
    return sum(map(str.isupper, word)), word


def _bases(word: str, cutter: Cutter, by_folded: Mapping[str, str], rules: Affixes) -> Iterator[tuple[Cut, str]]:
    """Yield possible bases of a word, with the capitals that they may have in the store, likeliest first.

    In languages whose nouns have capitals, *Unrecht* and *rechtlos* negate the noun *Recht*, not the adjective *recht*.
    """
    for cut in cutter.cuts(word, fold(word)):
        folded = fold(cut.base)
        capital = by_folded.get(folded, folded) if rules.may_be_a_name(folded) else folded
        is_capital_likely = rules.nouns_have_capitals and (word != fold(word) or not cut.keeps_pos)
        spellings = (capital, cut.base, folded) if is_capital_likely else (cut.base, folded, capital)
        yield from ((cut, spelling) for spelling in dict.fromkeys(spellings))


def analysis_of(negation: Negation) -> Analysis:
    """Return the word of a negation, cut at its affix, as an analysis like those of MorphoLEX."""
    parsed = parse_segmentation(negation.segmentation)
    return Analysis(negation.word, negation.segmentation, parsed.prefixes, parsed.roots, parsed.suffixes)


def _segmentation(base: str, cut: Cut) -> str:
    name = cut.affix.morpholex[0] if cut.affix.morpholex else cut.affix.name
    if cut.affix.position == "prefix":
        return f"<{name}<({base})"
    return f"({base})>{name}>" + (f">{cut.form.then}>" if cut.form.then else "")


class _Judge:
    """Decides whether a word is negated."""

    def __init__(self, vocabulary: Mapping[str, Usage], known: Mapping[str, Analysis], rules: Affixes) -> None:
        self._vocabulary = vocabulary
        self._known = known
        self._rules = rules
        self._look_alikes = rules.list_of_look_alikes
        self._after = {form.then for affix in rules.affix for form in affix.forms if form.then}

    def analyser(self, word: str, base: str, cut: Cut) -> Analyser | None:
        """Return what shows that *word* negates *base*: MorphoLEX or the rules for the affix; None if neither does."""
        affix = cut.affix
        if self._look_alikes.includes(fold(word), affix.position):
            return None
        analysis = self._known.get(word)
        if analysis is not None and affix.morpholex and self._confirms(analysis, affix):
            return "morpholex"
        return "affix" if self._is_likely(word, base, affix) else None

    def _confirms(self, analysis: Analysis, affix: Affix) -> bool:
        """Whether MorphoLEX has the affix where it was cut off: first, or last apart from -ness and -ly."""
        if affix.position == "prefix":
            return bool(analysis.prefixes) and analysis.prefixes[0] in affix.morpholex
        inner = [suffix for suffix in analysis.suffixes if suffix not in self._after]
        return bool(inner) and inner[-1] in affix.morpholex

    def _is_likely(self, word: str, base: str, affix: Affix) -> bool:
        folded, usage, base_usage = fold(base), self._usage(word), self._usage(base)
        if not affix.may_negate(folded):
            return False
        if affix.base_pos and base_usage.pos and affix.base_pos.isdisjoint(base_usage.pos):
            return False
        if len(folded) > affix.short:
            return True
        # A short base that the sources hardly use is probably just a part of the word: uncle and cle, dismay and may
        base_frequency = _RAREST if base_usage.frequency is None else base_usage.frequency
        if usage.frequency is not None and base_frequency < usage.frequency - _RARER:
            return False
        return base_usage.n_statements >= usage.n_statements / 10

    def negation(self, word: str, base: str, cut: Cut, analyser: Analyser) -> Negation:
        """Return the negation of *base* by *word*."""
        affix = cut.affix
        pos, base_pos = self._usage(word).pos, self._usage(base).pos
        # Sources list participles as verbs, but with un- they are adjectives
        is_participle = affix.of_participles and "adj" in pos and "verb" in base_pos
        same_pos = cut.keeps_pos and (not pos or not base_pos or bool(pos & base_pos) or is_participle)
        reverses = self._reverses(word, base, affix)
        segmentation = _segmentation(base, cut)
        return Negation(word, base, affix.name, affix.position, analyser, reverses, same_pos, segmentation)

    def _reverses(self, word: str, base: str, affix: Affix) -> bool:
        """Whether *word* undoes what *base* does."""
        if affix.effect in ("negation", "reversal"):
            return affix.effect == "reversal"
        pos, folded = self._usage(word).pos or self._usage(base).pos, fold(base)
        if affix.effect == "reverses listed":
            lemmas = {folded, *self._rules.lemmas(folded)}
            return (_is_verb(pos) or not pos) and not affix.reversible.isdisjoint(lemmas)
        if folded in affix.reversible:
            return "verb" in pos or not pos
        if folded in affix.not_reversed:
            return False
        if not pos:
            return self._rules.looks_like_a_verb(folded)
        # Some source may list a noun as a verb (déshonneur), so require the spelling of a verb if the language has one
        looks_so = not self._rules.verbs or self._rules.looks_like_a_verb(folded)
        return _is_verb(pos) and looks_so and self._is_verb_form(fold(word))

    def _is_verb_form(self, folded: str) -> bool:
        """Whether a word is a form of a verb in the vocabulary, as unfolding is; the store has no verb for uncaring."""
        lemmas = list(self._rules.lemmas(folded))
        return not lemmas or any(verb in self._vocabulary for verb in lemmas)

    def _usage(self, word: str) -> Usage:
        return self._vocabulary.get(word, _UNUSED)


def _is_verb(pos: frozenset[str]) -> bool:
    return "verb" in pos and "adj" not in pos
