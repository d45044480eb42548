"""The words that items may contain, and what a store says about them."""

from __future__ import annotations

import bisect
import itertools
from collections import Counter, defaultdict
from collections.abc import Sequence
from typing import TypeVar

from lexkit.errors import QueryError
from lexkit.sources.offensive import offensive_words
from lexkit.store.lexicon import Lexicon

_T = TypeVar("_T")
MIN_CONFIDENCE = 0.9
"""Lowest confidence of the relations that items are made from."""
PARTS_OF_SPEECH = ("adj", "adv", "noun", "verb")
_COMMON, _RARE = 4.5, 3.5
"""Heads with at least the first Zipf frequency are common, and heads below the second are rare."""
_LOWEST, _HIGHEST = 2.5, 6.0
"""Range of the Zipf frequency of words in items: from once in three million words to once in a thousand. This excludes
words such as *have* and *both*."""


class Words:
    """The words that items may contain, and their relations."""

    def __init__(self, lexicon: Lexicon) -> None:
        insults = {one.word for one in offensive_words()}
        rows = lexicon.sql(
            "SELECT word, frequency FROM word WHERE frequency IS NOT NULL AND label IS NULL "
            "AND regexp_full_match(word, '\\p{Ll}{3,}') ORDER BY word"
        )
        self.frequency: dict[str, float] = {
            word: frequency
            for word, frequency in zip(rows["word"].to_pylist(), rows["frequency"].to_pylist(), strict=True)
            if _LOWEST <= frequency < _HIGHEST and word not in insults
        }
        if not self.frequency:
            raise QueryError(
                f"no items can be made from this store: none of its words has a frequency from {_LOWEST:g} to "
                f"{_HIGHEST:g} on the Zipf scale; build it from more sources"
            )
        self.related: dict[str, set[str]] = defaultdict(set)
        """All words that each word is related to, by any relation of the store."""
        self.good: dict[str, dict[tuple[str, str], list[tuple[str, str]]]] = {
            kind: defaultdict(list) for kind in ("synonym", "antonym")
        }
        """Related words by kind and (word, part of speech), the best first, each with ``stated`` or ``derived``."""
        parts: dict[str, Counter[str]] = defaultdict(Counter)
        for kind, good in self.good.items():
            table = lexicon.sql(
                f"SELECT word, {kind} AS other, pos, direct, NOT contested AND same_pos AND len(usage) = 0 "
                f"AND confidence >= {MIN_CONFIDENCE} AS is_good FROM {kind}s ORDER BY word, weight DESC, other"
            ).to_pydict()
            for word, other, pos, direct, is_good in zip(*table.values(), strict=True):
                self.related[word].add(other)
                if word not in self.frequency:
                    continue
                parts[word].update(pos)
                if is_good and other in self.frequency and not are_alike(word, other):
                    for part in pos:
                        good[word, part].append((other, "stated" if direct else "derived"))
        # Unrelated options are mainly used as the part of speech that related ones have
        mainly = {word: counts.most_common(1)[0][0] for word, counts in parts.items() if counts}
        pools = {part: [word for word, its in mainly.items() if its == part] for part in PARTS_OF_SPEECH}
        self.pools = {part: sorted(pool, key=lambda word: (self.frequency[word], word)) for part, pool in pools.items()}
        self._keys = {part: [self.frequency[word] for word in pool] for part, pool in self.pools.items()}

    def between(self, part: str, low: float, high: float) -> list[str]:
        """Return the words of a part of speech with frequencies between two limits, without the limits themselves."""
        keys = self._keys[part]
        return self.pools[part][bisect.bisect_right(keys, low) : bisect.bisect_left(keys, high)]

    def band(self, word: str) -> str:
        """Return the frequency band of a word."""
        frequency = self.frequency[word]
        return "common" if frequency >= _COMMON else "rare" if frequency < _RARE else "middle"

    def are_near(self, word: str, other: str) -> bool:
        """Return whether two words are related, are both related to a third word, or look alike."""
        return (
            other in self.related[word]
            or not self.related[word].isdisjoint(self.related[other])
            or are_alike(word, other)
        )


def are_alike(word: str, other: str) -> bool:
    """Return whether the spelling of two words suggests a relation.

    One word contains the other, both have the same first four letters, or both have more than five letters and the same
    last five.
    """
    short, long = sorted((word, other), key=len)
    return short in long or word[:4] == other[:4] or (len(short) > 5 and word[-5:] == other[-5:])


def best_first(first: Sequence[_T], second: Sequence[_T]) -> list[tuple[_T, _T]]:
    """Return all pairs of elements of two lists, those that are near the beginning of both lists first."""
    places = itertools.product(range(len(first)), range(len(second)))
    return [(first[i], second[j]) for i, j in sorted(places, key=lambda place: (sum(place), place))]


def antonyms_of(words: Words, word: str, part: str) -> set[str]:
    """Return the antonyms of a word, as a part of speech, that items may be made from."""
    return {other for other, _ in words.good["antonym"][word, part]}
