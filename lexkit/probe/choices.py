"""Make antonym and synonym items, and choose options balanced by frequency, which substitution items need as well."""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Set
from random import Random
from typing import NamedTuple

from lexkit.probe.frames import ItemType
from lexkit.probe.item import Item
from lexkit.probe.words import Words, antonyms_of, are_alike, best_first

_DISTANCE = 1.0
"""Greatest difference in Zipf frequency between an unrelated word and the nearer of antonym and synonym."""
_TRIES = 40
"""Number of words to try as an unrelated option of a head before giving up on an order by frequency."""
_PAIRS = 3
"""Number of pairs of an antonym and a synonym of a head to consider, the best first."""
_MOST_USES = 3
"""How many heads may share an antonym, a synonym, or an unrelated option."""
_RANKS = tuple(itertools.permutations(range(4), 2))
"""Ranks that antonym and synonym can have among the options, from the most frequent."""


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

    def __init__(self, words: Words, random: Random, *, one_sense: bool = False) -> None:
        """Begin with no choices.

        Args:
            words: the words of the store.
            random: draws options.
            one_sense: whether antonym and synonym have to belong to the same sense of the head.
        """
        self._words, self._random, self._one_sense = words, random, one_sense
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
                words.related_by("antonym", head, part), words.related_by("synonym", head, part)
            )
            if antonym not in words.related[synonym] or antonym in antonyms_of(words, synonym, part)
            if antonym != synonym and not are_alike(antonym, synonym)
            if uses[antonym, "antonym"] < _MOST_USES and uses[synonym, "synonym"] < _MOST_USES
            if not self._one_sense or words.of_one_sense(head, antonym, synonym)
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


def choice_items(words: Words, random: Random, heads: int) -> list[Item]:
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
