"""Find the senses of an entry that a linkage names by ``sense_index``: labels such as ``1.2``, or numbers from 1."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from lexkit.sources.wiktionary.references import words_of

_LONGEST_INDEX = 200
"""Maximum number of characters in an index."""
_BETWEEN = re.compile(r"[\s,;/()\[\]+&、]+")
_NUMBER = r"\d{1,4}"  # enough for any entry; int() refuses very long numbers
_RANGE = re.compile(r"([\w.]{1,20})[-\u2010-\u2014~〜](\w{1,4}(?:\.\w{1,4}){0,4})")
_TO = re.compile(rf"(?<=\w)\s+(?:{'|'.join(sorted(words_of('range')))})\s+(?=\w)|\s*[-\u2010-\u2014~〜]\s*")
_LAST = re.compile(rf"(.*?)({_NUMBER}|[a-z])")
_LONGEST = 100
"""Maximum number of senses in a range; no entry has as many."""


def find_senses(index: str | int, labels: Sequence[str | int | None]) -> list[int]:
    """Return the positions, from 0, of the senses that an index names, given the labels of all senses.

    If no sense has a label, as in the Russian and French editions, senses are numbered from 1. An index may be a list
    or a range; it may also be the beginning of the labels of several subsenses.

    >>> find_senses("2", ["1", "2"]), find_senses(2, [None, None]), find_senses("[1, 2]", ["1", "1a", "2"])
    ([1], [1], [0, 2])
    >>> find_senses("1.1-2", ["1.1", "1.2", "2.1"]), find_senses("3", ["1", "2"])
    ([0, 1], [])
    >>> find_senses("1a, b", ["1a", "1b"]), find_senses("1 bis 3", ["1", "2", "3"]), find_senses("1", ["1.1", "2"])
    ([0, 1], [0, 1, 2], [0])
    """
    named = [_tidied(label).strip("()[]. ") for label in labels]
    if not any(named):
        named = [str(place) for place in range(1, len(labels) + 1)]
    if str(index) in named:
        return [named.index(str(index))]
    wanted = _expanded(_tidied(index), named)
    wanted_above = tuple(one for one in wanted - set(named) if one[-1:].isdigit())
    return [
        i
        for i, label in enumerate(named)
        if label in wanted or any(label.startswith(one) and not label[len(one)].isdigit() for one in wanted_above)
    ]


def _tidied(label: str | int | None) -> str:
    """Return a label or an index with plain digits; the pages of some editions have full-width ones."""
    return unicodedata.normalize("NFKC", label) if isinstance(label, str) else "" if label is None else str(label)


def _expanded(index: str, named: Sequence[str]) -> set[str]:
    """Return the labels that an index such as ``1.1-3, 2.1`` or ``1a, b`` stands for."""
    if len(index) > _LONGEST_INDEX:
        return set()
    if index.strip("()[]. ") in named:
        return {index.strip("()[]. ")}
    found: set[str] = set()
    before = ""
    for part in _BETWEEN.split(_TO.sub("-", index)):
        label = part.strip(".")
        if len(label) == 1 and label.isalpha() and label not in named:
            label = before + label  # "1a, b"
        elif match := re.match(r"[\d.]+(?=[a-z]$)", label):
            before = match[0]
        found.update(_range(match[1], match[2], named) if (match := _RANGE.fullmatch(label)) else {label})
    return found - {""}


def _range(first: str, last: str, named: Sequence[str]) -> set[str]:
    """Return the labels of a range, whose end may be abbreviated: ``1.1-2``, ``1a-c``."""
    start, end = _LAST.fullmatch(first), _LAST.fullmatch(last)
    if not start or not end:
        return {first, last}
    if start[2].isdigit() != end[2].isdigit() or end[1] not in ("", start[1]):
        if first in named and last in named:
            return set(named[named.index(first) : named.index(last) + 1])
        return {first, last}
    if start[2].isdigit():
        low, high = int(start[2]), int(end[2])
        return {f"{start[1]}{number}" for number in range(low, min(high, low + _LONGEST) + 1)}
    return {f"{start[1]}{chr(letter)}" for letter in range(ord(start[2]), ord(end[2]) + 1)}
