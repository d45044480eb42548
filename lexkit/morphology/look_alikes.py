"""Words that look negated and are not."""

from __future__ import annotations

import re

from lexkit.morphology.affixes import Position
from lexkit.sources.data_files import data_file
from lexkit.text import fold

LIST = "look_alikes.tsv"
_SUFFIXED = re.compile("less|free|proof")


class LookAlikes:
    """The words that look negated and are not, from ``data_sources/look_alikes.tsv``, each with its reason there.

    A row that ends in ``*`` stands for every word that begins so: ``distort*`` for distorts, distortion ... A row
    is about the prefix of a word, or about its suffix if it holds one: ``image*`` is no 'not mage', but imageless is
    without images; ``reckless`` has nothing to do with reckoning.
    """

    def __init__(self) -> None:
        rows = data_file(LIST).read_text(encoding="utf-8").splitlines()[1:]
        self._entries = [fold(row.split("\t")[0]) for row in rows]
        self._words: dict[Position, frozenset[str]] = {}
        self._beginnings: dict[Position, tuple[str, ...]] = {}
        positions: tuple[Position, ...] = ("prefix", "suffix")
        for position in positions:
            entries = [e for e in self._entries if position == "prefix" or _SUFFIXED.search(e)]
            self._words[position] = frozenset(entry for entry in entries if not entry.endswith("*"))
            self._beginnings[position] = tuple(entry[:-1] for entry in entries if entry.endswith("*"))

    def refuse(self, folded: str, position: Position) -> bool:
        """Whether a word, in lower case, is known not to be negated by the affix at this end."""
        return folded in self._words[position] or folded.startswith(self._beginnings[position])

    def __contains__(self, word: str) -> bool:
        folded = fold(word)
        return self.refuse(folded, "prefix") or self.refuse(folded, "suffix")

    def __len__(self) -> int:
        return len(self._entries)
