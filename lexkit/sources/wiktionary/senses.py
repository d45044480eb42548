"""Which senses of an entry a linkage names by its ``sense_index``: labels such as ``1.2``, or places from 1."""

from __future__ import annotations

import re
from collections.abc import Sequence

_BETWEEN = re.compile(r"[\s,;/()\[\]]+")
_RANGE = re.compile(r"((?:\d+\.)*)(\d+)[-\u2013\u2014](?:\1)?(\d+)")
_LONGEST = 100
"""Senses that a range may cover; no entry has as many."""


def find_senses(index: str | int, labels: Sequence[str | int | None]) -> list[int]:
    """Return the positions, from 0, of the senses that an index names, given the labels of all senses.

    If no sense has a label, as in the Russian and the French edition, numbers are places. An index may be a list or a
    range.

    >>> find_senses("2", ["1", "2"]), find_senses(2, [None, None]), find_senses("[1, 2]", ["1", "1a", "2"])
    ([1], [1], [0, 2])
    >>> find_senses("1.1-2", ["1.1", "1.2", "2.1"]), find_senses("3", ["1", "2"])
    ([0, 1], [])
    """
    named = [label.strip("()[]. ") if isinstance(label, str) else str(label or "") for label in labels]
    if not any(named):
        named = [str(place) for place in range(1, len(labels) + 1)]
    if str(index) in named:
        return [named.index(str(index))]
    wanted = _expanded(str(index))
    return [i for i, label in enumerate(named) if label in wanted]


def _expanded(index: str) -> set[str]:
    """The labels that an index such as ``1.1-3, 2.1`` stands for."""
    found: set[str] = set()
    for part in _BETWEEN.split(index):
        if match := _RANGE.fullmatch(part):
            group, first, last = match[1], int(match[2]), int(match[3])
            found.update(f"{group}{number}" for number in range(first, min(last, first + _LONGEST) + 1))
        else:
            found.add(part.rstrip("."))
    return found - {""}
