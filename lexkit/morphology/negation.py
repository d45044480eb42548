"""Which words are negated, and what they negate: unkind -> kind, penniless -> penny, irregularity -> regularity.

MorphoLEX says which affixes a word has, but spells in-, im-, il- and ir- alike (``im``; its ``in`` is the one that
means 'into') and respells roots. So the base is found in the word itself, by cutting off the affix as it is spelt
there, and counts only if it is a word.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from typing import Literal, NamedTuple

from lexkit.sources.data_files import data_file
from lexkit.sources.records import Analysis
from lexkit.text import fold


class Negation(NamedTuple):
    """*word* is *base* negated by *affix*."""

    word: str
    base: str
    affix: str
    position: Literal["prefix", "suffix"]
    analyser: Literal["morpholex", "affix"]

    @property
    def rule(self) -> str:
        """The affix as evidence names it: ``un-``, ``-less``."""
        return f"{self.affix}-" if self.position == "prefix" else f"-{self.affix}"


# MorphoLEX's name of a negating prefix -> its usual name and its spellings
_PREFIXES: dict[str, tuple[str, tuple[str, ...]]] = {
    "un": ("un", ("un",)),
    "im": ("in", ("in", "im", "il", "ir", "ig")),
    "dis": ("dis", ("dis",)),
    "non": ("non", ("non",)),
}
_SUFFIX = "less"
_SHORTEST_BASE = 2


def find_negations(analyses: Iterable[Analysis], vocabulary: Collection[str]) -> Iterator[Negation]:
    """Yield the negation of every negated word, in the order of *analyses*.

    Args:
        analyses: MorphoLEX's words.
        vocabulary: what counts as a word, in the spelling of the store. A base that differs from a word only in
            case is that word (unchristian -> Christian), the first in code point order if several do.
    """
    words = set(vocabulary)
    by_folded: dict[str, str] = {}
    for word in words:
        folded = fold(word)
        by_folded[folded] = min(word, by_folded.get(folded, word))
    refused = LookAlikes()
    for analysis in analyses:
        if analysis.word in refused:
            continue
        for base, affix, position in _candidates(analysis):
            found = base if base in words else by_folded.get(fold(base))
            if found is not None and found != analysis.word:
                yield Negation(analysis.word, found, affix, position, "morpholex")
                break


def _candidates(analysis: Analysis) -> Iterator[tuple[str, str, Literal["prefix", "suffix"]]]:
    """Possible bases, best first. Only the outermost affix is cut: what is left may be negated itself."""
    word, folded = analysis.word, fold(analysis.word)
    if analysis.prefixes and analysis.prefixes[0] in _PREFIXES:
        affix, spellings = _PREFIXES[analysis.prefixes[0]]
        for spelling in spellings:
            base = word[len(spelling) :].lstrip("-")
            if folded.startswith(spelling) and len(base) >= _SHORTEST_BASE:
                yield base, affix, "prefix"
    elif analysis.suffixes and analysis.suffixes[-1] == _SUFFIX and folded.endswith(_SUFFIX):
        base = word[: -len(_SUFFIX)].rstrip("-")
        if len(base) >= _SHORTEST_BASE:
            yield base, _SUFFIX, "suffix"
            if base.endswith("i"):
                yield base[:-1] + "y", _SUFFIX, "suffix"  # penniless -> penny


class LookAlikes:
    """The words that look negated and are not, from ``data_sources/look_alikes.tsv``, each with its reason there.

    A row that ends in ``*`` stands for every word that begins so: ``distort*`` for distorts, distortion ...
    """

    def __init__(self) -> None:
        rows = data_file("look_alikes.tsv").read_text(encoding="utf-8").splitlines()[1:]
        entries = [fold(row.split("\t")[0]) for row in rows]
        self._words = frozenset(entry for entry in entries if not entry.endswith("*"))
        self._beginnings = tuple(entry[:-1] for entry in entries if entry.endswith("*"))

    def __contains__(self, word: str) -> bool:
        folded = fold(word)
        return folded in self._words or folded.startswith(self._beginnings)
