"""Words that look negated but are not, such as *image* and *reckless*."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lexkit.text import fold


class LookAlikes:
    """The words of a language that look negated but are not.

    An entry that ends in ``*`` stands for every word with that beginning: ``distort*`` for distorts, distortion ...
    Entries say that a word has no negating prefix: *image* does not negate *mage*. An entry that contains a negating
    suffix says so of its suffix as well: *reckless* has nothing to do with reckoning.

    Args:
        entries: words by reason.
        suffixes: the negating suffixes of the language.
    """

    def __init__(self, entries: Mapping[str, Iterable[str]], suffixes: Iterable[str]) -> None:
        folded = [fold(entry) for words in entries.values() for entry in words]
        of_suffixes = [entry for entry in folded if any(suffix in entry for suffix in suffixes)]
        self._lists = {"prefix": _split(folded), "suffix": _split(of_suffixes)}
        self._n = len(folded)

    def includes(self, folded: str, position: str) -> bool:
        """Whether a word, in lower case, is listed as not negated by the affix at this end."""
        words, beginnings = self._lists[position]
        return folded in words or folded.startswith(beginnings)

    def __len__(self) -> int:
        return self._n


def _split(entries: list[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    words = frozenset(entry for entry in entries if not entry.endswith("*"))
    return words, tuple(entry[:-1] for entry in entries if entry.endswith("*"))
