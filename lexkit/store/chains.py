"""The shortest chains of synonyms and antonyms between two words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from heapq import nlargest
from typing import NamedTuple

from lexkit.sources.records import Kind
from lexkit.store.results import Neighbor

MOST_STEPS = 12
"""The longest chain that is looked for."""


class Step(NamedTuple):
    """One relation of a chain: *neighbor* is a synonym or an antonym of *word*."""

    word: str
    kind: Kind
    neighbor: Neighbor


class Chain(NamedTuple):
    """Relations that lead from one word to another."""

    kind: Kind
    """What the two words are to each other: antonyms if an odd number of the steps are antonyms."""
    steps: tuple[Step, ...]

    @property
    def words(self) -> list[str]:
        """The words from the first to the last."""
        return [self.steps[0].word, *(step.neighbor.word for step in self.steps)]


class Edge(NamedTuple):
    """A relation, seen from one of its words."""

    other: int
    row: int
    weight: float


class _Path(NamedTuple):
    weight: float
    ids: tuple[int, ...]
    rows: tuple[int, ...]


def shortest_paths(
    starts: Iterable[int], goals: Iterable[int], edges: Callable[[int], list[Edge]], limit: int, max_steps: int
) -> list[_Path]:
    """Return the shortest paths between two sets of words, the best by the sum of weights first.

    The search starts at both ends and always widens the smaller side, so that it sees few words of a large store.

    Args:
        starts: ids of words.
        goals: ids of words, none of them among *starts*.
        edges: returns the relations of a word.
        limit: most paths to return.
        max_steps: longest path to look for.

    Returns:
        The shortest paths, which all have the same length. Empty if none has at most *max_steps* steps.
    """
    levels = _meeting(set(starts), set(goals), edges, max_steps)
    paths = {word_id: [_Path(0.0, (word_id,), ())] for word_id in levels[0]} if levels else {}
    for level in levels[1:]:
        longer: dict[int, list[_Path]] = {}
        for word_id, before in paths.items():
            for edge in edges(word_id):
                if edge.other in level:
                    longer.setdefault(edge.other, []).extend(
                        _Path(path.weight + edge.weight, (*path.ids, edge.other), (*path.rows, edge.row))
                        for path in before
                    )
        paths = {word_id: _best(found, limit) for word_id, found in longer.items()}
    return _best([path for found in paths.values() for path in found], limit)


def _best(paths: list[_Path], limit: int) -> list[_Path]:
    return nlargest(limit, paths, key=lambda path: (path.weight, [-word_id for word_id in path.ids]))


def _meeting(starts: set[int], goals: set[int], edges: Callable[[int], list[Edge]], max_steps: int) -> list[set[int]]:
    """Return the words on shortest paths by their distance from the start."""
    sides = [[starts], [goals]]
    seen = [set(starts), set(goals)]
    while not sides[0][-1] & sides[1][-1]:
        n_steps = len(sides[0]) + len(sides[1]) - 2
        if n_steps == max_steps or not all(side[-1] for side in sides):
            return []
        smaller = int(len(sides[1][-1]) < len(sides[0][-1]))
        reached = {edge.other for word_id in sides[smaller][-1] for edge in edges(word_id)} - seen[smaller]
        seen[smaller] |= reached
        sides[smaller].append(reached)
    forward, backward = sides
    levels = [forward[-1] & backward[-1]]
    for closer in reversed(forward[:-1]):
        levels.insert(0, {edge.other for word_id in levels[0] for edge in edges(word_id)} & closer)
    for closer in reversed(backward[:-1]):
        levels.append({edge.other for word_id in levels[-1] for edge in edges(word_id)} & closer)
    return levels
