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

_OF_ONE_SENSE = """
WITH stated AS (
    SELECT word_a, word_b, kind, source, unnest(
        -- Roget's senses are a head with a place, "731 Success ¶1", or two opposed heads, "731 Success / 732 Failure"
        CASE WHEN source IN (SELECT source FROM source WHERE kind = 'roget')
        THEN string_split(trim(split_part(sense, '¶', 1)), ' / ') ELSE [sense] END
    ) AS sense
    FROM evidence WHERE rule IS NULL AND sense IS NOT NULL
), of_head AS (
    SELECT word_a AS head, word_b AS other, * FROM stated
    UNION ALL SELECT word_b AS head, word_a AS other, * FROM stated
)
SELECT DISTINCT h.word AS head, a.word AS antonym, s.word AS synonym
FROM of_head antonyms JOIN of_head synonyms USING (head, source, sense)
JOIN word h ON h.word_id = head JOIN word a ON a.word_id = antonyms.other JOIN word s ON s.word_id = synonyms.other
WHERE antonyms.kind = 'antonym' AND synonyms.kind = 'synonym'
"""


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
        self.good: dict[str, dict[tuple[str, str], list[tuple[str, str]]]] = {"synonym": {}, "antonym": {}}
        """Related words by kind and (word, part of speech), the best first, each with ``stated`` or ``derived``."""
        self._opposed: set[tuple[str, str]] = set()
        parts: Counter[tuple[str, str]] = Counter()
        for kind, good in self.good.items():
            table = lexicon.sql(
                f"SELECT word, {kind} AS other, pos, same_pos, direct, NOT contested AND same_pos AND len(usage) = 0 "
                f"AND confidence >= {MIN_CONFIDENCE} AS is_good FROM {kind}s ORDER BY word, weight DESC, other"
            ).to_pydict()
            for word, other, pos, same_pos, direct, is_good in zip(*table.values(), strict=True):
                self.related[word].add(other)
                if kind == "antonym" and same_pos:
                    self._opposed.add((word, other))
                if word not in self.frequency:
                    continue
                parts.update((word, part) for part in pos)
                if is_good and other in self.frequency and not are_alike(word, other):
                    for part in pos:
                        good.setdefault((word, part), []).append((other, "stated" if direct else "derived"))
        self.parts: dict[str, list[str]] = {}
        """Parts of speech of each word's relations, whatever their confidence, the most frequent first."""
        relations: Counter[str] = Counter()
        for (word, part), number in parts.most_common():
            self.parts.setdefault(word, []).append(part)
            relations[word] += number
        self.mainly = {word: its[0] for word, its in self.parts.items() if 2 * parts[word, its[0]] > relations[word]}
        """The part of speech of more than half of a word's relations, of words that have one."""
        # Unrelated options are mainly used as the part of speech that related ones have
        pools = {part: [word for word, its in self.parts.items() if its[0] == part] for part in PARTS_OF_SPEECH}
        self.pools = {part: sorted(pool, key=lambda word: (self.frequency[word], word)) for part, pool in pools.items()}
        self._keys = {part: [self.frequency[word] for word in pool] for part, pool in self.pools.items()}
        inflected = "SELECT word FROM word WHERE word_id IN (SELECT word_id FROM form WHERE kind = 'inflection')"
        self.inflected = set(lexicon.sql(inflected)["word"].to_pylist())
        """Words that are also inflected forms of other words, such as *recorded*."""
        self._of_one_sense = set(zip(*lexicon.sql(_OF_ONE_SENSE).to_pydict().values(), strict=True))

    def between(self, part: str, low: float, high: float) -> list[str]:
        """Return the words of a part of speech with frequencies between two limits, without the limits themselves."""
        keys = self._keys[part]
        return self.pools[part][bisect.bisect_right(keys, low) : bisect.bisect_left(keys, high)]

    def related_by(self, kind: str, word: str, part: str) -> list[tuple[str, str]]:
        """Return what `good` has for a word as a part of speech."""
        return self.good[kind].get((word, part), [])

    def are_synonyms(self, word: str, other: str) -> bool:
        """Return whether two words are synonyms, of any confidence, and not antonyms as well."""
        return other in self.related[word] and (word, other) not in self._opposed

    def of_one_sense(self, head: str, antonym: str, synonym: str) -> bool:
        """Return whether an antonym and a synonym of a head seem to belong to the same sense of it.

        They do if a source states both for the same sense, or if they are antonyms of each other.
        """
        return (head, antonym, synonym) in self._of_one_sense or (synonym, antonym) in self._opposed

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
    return {other for other, _ in words.related_by("antonym", word, part)}
