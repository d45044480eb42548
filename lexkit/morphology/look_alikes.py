"""Words that look negated and are not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from lexkit.text import fold


class LookAlikes:
    """The words of a language that look negated and are not.

    An entry that ends in ``*`` stands for every word that begins so: ``distort*`` for distorts, distortion ... An entry
    is about the prefix of a word, or about its suffix if it contains one: *image* does not negate *mage*, but imageless
    is without images; *reckless* has nothing to do with reckoning.

    Args:
        entries: reasons, each with its words.
        suffixes: the negating suffixes of the language.
    """

    def __init__(self, entries: Mapping[str, Iterable[str]], suffixes: Iterable[str]) -> None:
        folded = [fold(entry) for words in entries.values() for entry in words]
        of_suffixes = [entry for entry in folded if any(suffix in entry for suffix in suffixes)]
        self._lists = {"prefix": _split(folded), "suffix": _split(of_suffixes)}
        self._n = len(folded)

    def refuse(self, folded: str, position: str) -> bool:
        """Whether a word, in lower case, is known not to be negated by the affix at this end."""
        words, beginnings = self._lists[position]
        return folded in words or folded.startswith(beginnings)

    def __len__(self) -> int:
        return self._n


def _split(entries: list[str]) -> tuple[frozenset[str], tuple[str, ...]]:
    words = frozenset(entry for entry in entries if not entry.endswith("*"))
    return words, tuple(entry[:-1] for entry in entries if entry.endswith("*"))
