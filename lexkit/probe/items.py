"""Make items: questions with a head word, options of which one is right, and bands by which results are reported.

The antonym item and the synonym item of a head have the same options: an antonym, a synonym and two unrelated words. A
substitution item has options of the same kinds, to replace the head in sentences of a text. The order of the four
options by frequency is balanced over the heads of each cell (part of speech, frequency, stated or derived), so knowing
how frequent words are does not help. A pair of negation items asks which of the same two options means the same as a
word, and which as its negation; a model that always prefers one of the options is right once and wrong once.
"""

from __future__ import annotations

import bisect
import itertools
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence, Set
from dataclasses import dataclass
from random import Random
from typing import NamedTuple, TypeVar

from lexkit.errors import QueryError
from lexkit.probe.frames import FRAMES, NEUTRAL_END, ItemType
from lexkit.sources.offensive import offensive_words
from lexkit.store.lexicon import Lexicon

_T = TypeVar("_T")
MIN_CONFIDENCE = 0.9
"""Lowest confidence of the relations that items are made from."""
PARTS_OF_SPEECH = ("adj", "adv", "noun", "verb")
_COMMON, _RARE = 4.5, 3.5
"""Heads with at least the first Zipf frequency are common, and those below the second are rare."""
_LOWEST, _HIGHEST = 2.5, 6.0
"""Range of the Zipf frequency of words in items: from once in three million words to once in a thousand. This excludes
words such as *have* and *both*."""
_DISTANCE = 1.0
"""Greatest difference in Zipf frequency between an unrelated word and the nearer of antonym and synonym."""
_TRIES = 40
"""Number of words tried as an unrelated option before a plan for a head is given up."""
_PAIRS = 3
"""Number of pairs of an antonym and a synonym of a head to consider, the best first."""
_MOST_USES = 3
"""How often a word may be an option of the same kind."""
_RANKS = tuple(itertools.permutations(range(4), 2))
"""Ranks that antonym and synonym can have among the options, from the most frequent."""


@dataclass(frozen=True)
class Item:
    """A question for a model."""

    id: str
    """Type and head: ``antonym/hot``; ``negation/kind`` and ``negation/unkind`` are a pair."""
    type: ItemType
    head: str
    group: str
    """The unit of confidence intervals: the head, or the base of a negation."""
    options: tuple[str, ...]
    right: int
    """Index of the right option."""
    frequency: str
    """Frequency band of the head: ``common``, ``middle`` or ``rare``."""
    pos: str
    relation: str
    """Origin of the relation, ``stated`` or ``derived``: between the head and the right option, or the base and its
    antonym in negation."""
    contexts: tuple[tuple[str, str], ...] = ()
    """Sentences of a text for substitution: the text before and after the place of the head."""

    def sentences(self) -> list[tuple[list[str], list[str]]]:
        """Return for each frame its sentence with each option, and its neutral sentence with each option."""
        if self.type == "substitution":
            return [
                (
                    [f"{before} {option}{after}" for option in self.options],
                    [f"{before.split(maxsplit=1)[0]} {NEUTRAL_END} {option}" for option in self.options],
                )
                for before, after in self.contexts
            ]
        return [
            (
                [f"{frame.sentence.format(head=self.head)} {option}" for option in self.options],
                [f"{frame.neutral} {option}" for option in self.options],
            )
            for frame in FRAMES[self.type][self.pos]
        ]


def make_items(lexicon: Lexicon, heads: int = 1000, seed: int = 0, text: str | None = None) -> list[Item]:
    """Make items from a store.

    Args:
        lexicon: an English store with word frequencies.
        heads: most heads for antonym and synonym items, most pairs of negation items, and most substitution items.
        seed: seed for drawing items. The same store, text and seed give the same items, and a smaller number of heads
            gives a part of those of a larger number.
        text: English text for substitution items; without it there are none.

    Raises:
        QueryError: the store is not English, has no frequencies, or has too few relations of high confidence.
    """
    from lexkit.probe.substitution import substitution_items

    language = lexicon.sql("SELECT value FROM meta WHERE key = 'language'")["value"].to_pylist()
    if language != ["en"]:
        raise QueryError(
            f"items need an English store, and the language of this one is {', '.join(language)}; build it with "
            "--language en"
        )
    words = Words(lexicon)
    found = _choices(words, Random(f"{seed} choices"), heads)
    found += _negations(lexicon, words, Random(f"{seed} negation"), heads)
    if not found:
        raise QueryError(
            "no items can be made from this store: it has too few words with both a synonym and an antonym of "
            f"confidence {MIN_CONFIDENCE} or more; build it from more sources"
        )
    if text is not None:
        found += substitution_items(words, text, heads, seed)
    return found


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
                "this store has no word frequencies, which items need to rule out guessing by frequency; build it with "
                "a language that lexkit has frequencies for (en)"
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

    One word contains the other, both have the same first four letters, or both are long and have the same last five.
    """
    short, long = sorted((word, other), key=len)
    return short in long or word[:4] == other[:4] or (len(short) > 5 and word[-5:] == other[-5:])


class Choice(NamedTuple):
    """A head and the words to choose from."""

    head: str
    pos: str
    antonym: str
    synonym: str
    options: tuple[str, ...]
    """Antonym, synonym and two unrelated words, in random order."""
    ways: dict[str, str]
    """Whether the relation to the head is stated or derived, for ``antonym`` and ``synonym``."""


class Balance:
    """Chooses options for heads so that all orders of options by frequency are equally common in each cell."""

    def __init__(self, words: Words, random: Random) -> None:
        self._words, self._random = words, random
        self._cells: dict[tuple[str, ...], dict[tuple[int, int], list[Choice]]] = defaultdict(lambda: defaultdict(list))
        self._uses: Counter[tuple[str, str]] = Counter()

    def add(self, head: str, part: str, avoid: Set[str] = frozenset()) -> bool:
        """Choose options for a head, with the order by frequency that is rarest in its cell so far.

        Args:
            head: the head.
            part: its part of speech.
            avoid: words that must not be options.

        Returns:
            Whether there are such options.
        """
        words, uses = self._words, self._uses
        pairs = [
            (antonym, way, synonym, way_of_synonym)
            for (antonym, way), (synonym, way_of_synonym) in best_first(
                words.good["antonym"][head, part], words.good["synonym"][head, part]
            )
            if antonym not in words.related[synonym] or antonym in _of(words, synonym, part)
            if antonym != synonym and not are_alike(antonym, synonym)
            if uses[antonym, "antonym"] < _MOST_USES and uses[synonym, "synonym"] < _MOST_USES
            if words.frequency[antonym] != words.frequency[synonym] and avoid.isdisjoint((antonym, synonym))
        ]
        plans = []
        for place, (antonym, way, synonym, way_of_synonym) in enumerate(pairs[:_PAIRS]):
            cell = (part, words.band(head), way)
            first = words.frequency[antonym] > words.frequency[synonym]
            plans += [
                (
                    len(self._cells[cell][ranks]),
                    place,
                    self._random.random(),
                    ranks,
                    cell,
                    antonym,
                    synonym,
                    way_of_synonym,
                )
                for ranks in _RANKS
                if (ranks[0] < ranks[1]) == first
            ]
        for _, _, _, ranks, cell, antonym, synonym, way_of_synonym in sorted(plans):
            others = _others(words, self._random, head, part, antonym, synonym, ranks, uses, avoid)
            if others is not None:
                options = [antonym, synonym, *others]
                self._random.shuffle(options)
                ways = {"antonym": cell[2], "synonym": way_of_synonym}
                self._cells[cell][ranks].append(Choice(head, part, antonym, synonym, tuple(options), ways))
                uses.update([(antonym, "antonym"), (synonym, "synonym"), *((other, "other") for other in others)])
                return True
        return False

    def balanced(self, number: int) -> list[Choice]:
        """Return at most *number* choices in random order, with the same number for each order by frequency."""
        rounds: list[tuple[Choice, ...]] = []
        for cell in sorted(self._cells):
            rounds += zip(*(self._cells[cell][ranks] for ranks in _RANKS), strict=False)
        self._random.shuffle(rounds)
        return [choice for one in rounds[: number // len(_RANKS)] for choice in one]


def _choices(words: Words, random: Random, heads: int) -> list[Item]:
    """Return antonym and synonym items that are balanced by frequency in each cell."""
    candidates = sorted(words.good["antonym"].keys() & words.good["synonym"].keys())
    random.shuffle(candidates)
    balance = Balance(words, random)
    used: set[str] = set()
    for head, part in candidates:
        if head not in used and part in words.pools and balance.add(head, part):
            used.add(head)
    return [item_of(kind, choice, words) for choice in balance.balanced(heads) for kind in ("antonym", "synonym")]


def item_of(kind: ItemType, choice: Choice, words: Words, contexts: tuple[tuple[str, str], ...] = ()) -> Item:
    """Return the item of the given type for a choice."""
    asked = "antonym" if kind == "antonym" else "synonym"
    head, right = choice.head, choice.options.index(getattr(choice, asked))
    band, way = words.band(head), choice.ways[asked]
    return Item(f"{kind}/{head}", kind, head, head, choice.options, right, band, choice.pos, way, contexts)


def best_first(first: Sequence[_T], second: Sequence[_T]) -> list[tuple[_T, _T]]:
    """Return all pairs of elements of two lists, those that are near the beginning of both lists first."""
    places = itertools.product(range(len(first)), range(len(second)))
    return [(first[i], second[j]) for i, j in sorted(places, key=lambda place: (sum(place), place))]


def _of(words: Words, word: str, part: str) -> set[str]:
    """Return the antonyms of a word."""
    return {other for other, _ in words.good["antonym"][word, part]}


def _others(
    words: Words,
    random: Random,
    head: str,
    part: str,
    antonym: str,
    synonym: str,
    ranks: tuple[int, int],
    uses: Counter[tuple[str, str]],
    avoid: Set[str],
) -> list[str] | None:
    """Return two unrelated words whose frequencies give antonym and synonym their ranks, or None."""
    high, low = sorted((words.frequency[antonym], words.frequency[synonym]), reverse=True)
    first, second = min(ranks), max(ranks)
    limits = (
        [(high, high + _DISTANCE)] * first
        + [(low, high)] * (second - first - 1)
        + [(low - _DISTANCE, low)] * (3 - second)
    )
    found: list[str] = []
    for limit in limits:
        pool = words.between(part, *limit)
        for _ in range(min(_TRIES, len(pool))):
            other = random.choice(pool)
            if (
                other not in found
                and other not in avoid
                and uses[other, "other"] < _MOST_USES
                and not any(other == word or words.are_near(word, other) for word in (head, antonym, synonym))
            ):
                found.append(other)
                break
        else:
            return None
    return found


def _negations(lexicon: Lexicon, words: Words, random: Random, pairs: int) -> list[Item]:
    """Return two negation items for each pair of a word and its negation."""
    table = lexicon.sql(
        "SELECT b.word AS base, n.word AS negated FROM negation "
        "JOIN word b ON b.word_id = base_id JOIN word n ON n.word_id = negation.word_id "
        "WHERE NOT reverses AND same_pos ORDER BY ALL"
    ).to_pydict()
    candidates = list(zip(table["base"], table["negated"], strict=True))
    negations = set(table["negated"])
    random.shuffle(candidates)
    used: set[str] = set()
    found: list[Item] = []
    for base, negated in candidates:
        if len(used) == pairs:
            break
        if base in used or base not in words.frequency or negated not in words.frequency:
            continue
        options = next(_negation_options(words, base, negated, negations), None)
        if options is None:
            continue
        used.add(base)
        *texts, part, way = options
        places = [0, 1]
        random.shuffle(places)
        shown = (texts[places[0]], texts[places[1]])
        found += [
            Item(f"negation/{head}", "negation", head, base, shown, shown.index(right), words.band(base), part, way)
            for head, right in ((base, texts[0]), (negated, texts[1]))
        ]
    return found


def _negation_options(
    words: Words, base: str, negated: str, negations: set[str]
) -> Iterator[tuple[str, str, str, str]]:
    """Yield options for a pair: a synonym of the base, a synonym of its negation, the part of speech, and the origin.

    The synonym of the negation is an antonym of the base, and the origin is that of this antonym.
    """
    for part in PARTS_OF_SPEECH:
        synonyms = words.good["synonym"][base, part]
        antonyms = [(word, way) for word, way in words.good["antonym"][base, part] if word != negated]
        pairs = [
            (synonym, antonym, part, way)
            for synonym, (antonym, way) in (((first[0], second) for first, second in best_first(synonyms, antonyms)))
            # An option that is a negation itself would match the negated word by its form
            if negations.isdisjoint((synonym, antonym))
            if not any(are_alike(one, other) for one in (synonym, antonym) for other in (base, negated))
            if synonym != antonym and antonym not in words.related[synonym] - _of(words, synonym, part)
        ]
        yield from pairs
