"""The words and relations of a store in memory, to be searched by bisection."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import duckdb
import pyarrow as pa

from lexkit.sources.records import Kind
from lexkit.store.filters import Filter
from lexkit.store.results import Neighbor

_SINGLE = 1e-6
"""What a number from 0 to 1 may lose in single precision."""
_FORMS: dict[pa.DataType, Literal["b", "i", "f"]] = {pa.int8(): "b", pa.int32(): "i", pa.float32(): "f"}


class Index:
    """Words and relations in memory, as Arrow columns that are searched by bisection.

    Columns are taken as they lie in the store, in the order of ``word_a`` (checked by `lexkit verify`); only their
    order by ``word_b`` is computed, so that loading a million relations takes a tenth of a second.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.words: pa.Array = connection.sql("SELECT word FROM word").to_arrow_table()["word"].combine_chunks()
        table = connection.sql(
            "SELECT word_a, word_b, n_sources, (kind = 'antonym')::TINYINT AS antonym, direct::TINYINT AS direct,"
            " contested::TINYINT AS contested, same_pos::TINYINT AS same_pos, weight_a::FLOAT AS weight_a,"
            " weight_b::FLOAT AS weight_b, confidence::FLOAT AS confidence,"
            " sources, pos, usage_a, usage_b FROM relation"
        ).to_arrow_table()
        order = connection.sql("SELECT rowid::INTEGER AS row FROM relation ORDER BY word_b").to_arrow_table()
        self._word_a, self._word_b, self._n_sources = (_numbers(table[i]) for i in range(3))
        self._antonym, self._direct, self._contested, self._same_pos = (_numbers(table[i]) for i in range(3, 7))
        self._weight_a, self._weight_b = _numbers(table["weight_a"]), _numbers(table["weight_b"])
        self._confidence = _numbers(table["confidence"])
        self._sources, self._pos = table["sources"].combine_chunks(), table["pos"].combine_chunks()
        self._usage_a, self._usage_b = table["usage_a"].combine_chunks(), table["usage_b"].combine_chunks()
        self._by_word_b = _numbers(order["row"])

    def word(self, word_id: int) -> str:
        """Return the word that an id stands for."""
        return str(self.words[word_id].as_py())

    def find(self, word: str) -> int | None:
        """Return the id of a word as it is spelt, or None."""
        place = bisect_left(range(len(self.words)), word, key=self.word)
        return place if place < len(self.words) and self.word(place) == word else None

    def degree(self, word_id: int) -> int:
        """Return how many relations a word has."""
        return len(self._rows(word_id))

    def is_stated(self, word_id: int, *, synonyms: bool = False) -> bool:
        """Whether a source states a relation of a word, or that it has synonyms."""
        return any(self._direct[row] and not (synonyms and self._antonym[row]) for row in self._rows(word_id))

    def pos(self, word_id: int) -> set[str]:
        """Return the parts of speech of a word in its relations, as far as the sources say."""
        return {name for row in self._rows(word_id) for name in self._pos[row].as_py().split(",") if name}

    def _rows(self, word_id: int) -> list[int]:
        """Return the rows of the relations that have the word on either side."""
        first, last = bisect_left(self._word_a, word_id), bisect_right(self._word_a, word_id)
        start = bisect_left(self._by_word_b, word_id, key=self._word_b.__getitem__)
        end = bisect_right(self._by_word_b, word_id, key=self._word_b.__getitem__)
        return [*range(first, last), *self._by_word_b[start:end]]

    def neighbors(self, word_ids: Sequence[int], kind: Kind, wanted: Filter) -> Iterator[Neighbor]:
        """Yield what is related to any of the words, each once, in the order of `Lexicon.synonyms`.

        The filter chooses relations; a neighbour is what the chosen ones say of it, be they several.
        """
        antonym, is_wanted = int(kind == "antonym"), self._chooser(wanted)
        # the ids are those of two ends, one of which is the word asked for; the other may be met from several
        others: dict[int, list[int]] = {}
        for word_id in word_ids:
            for row in self._rows(word_id):
                if self._antonym[row] == antonym and is_wanted(row, self._word_b[row] == word_id):
                    others.setdefault(self._word_a[row] + self._word_b[row] - word_id, []).append(row)
        found = [(other, self._neighbor(other, rows)) for other, rows in others.items()]
        for _, neighbor in sorted(found, key=lambda item: (-item[1].weight, item[0])):
            yield neighbor

    def _chooser(self, wanted: Filter) -> Callable[[int, bool], bool]:
        """Return a function that says whether a relation is wanted whose word_a, or else word_b, is the answer."""
        least = wanted.min_confidence - _SINGLE
        pos, without = set(wanted.pos), set(wanted.without)

        def is_wanted(row: int, is_a: bool) -> bool:
            return bool(
                self._confidence[row] >= least
                and (self._direct[row] or not wanted.direct)
                and (self._same_pos[row] or not wanted.same_pos)
                and (wanted.source is None or wanted.source in self._sources[row].as_py().split(","))
                and (not pos or not pos.isdisjoint(self._pos[row].as_py().split(",")))
                and not (without and self._usage(row, is_a) & without)
            )

        return is_wanted

    def _usage(self, row: int, is_a: bool) -> set[str]:
        """The labels of one of the two words of a relation."""
        return {label for label in (self._usage_a if is_a else self._usage_b)[row].as_py().split(",") if label}

    def _neighbor(self, other: int, rows: list[int]) -> Neighbor:
        """One word, with all that the rows of its relations say of it."""
        sources = {name for row in rows for name in self._sources[row].as_py().split(",")}
        pos = {name for row in rows for name in self._pos[row].as_py().split(",") if name}
        sides = [(row, self._word_a[row] == other) for row in rows]
        usage = set.intersection(*(self._usage(row, is_a) for row, is_a in sides))
        return Neighbor(
            self.word(other),
            any(self._direct[row] for row in rows),
            max(self._n_sources[row] for row in rows),
            tuple(sorted(sources)),
            any(self._contested[row] for row in rows),
            tuple(sorted(pos)),
            any(self._same_pos[row] for row in rows),
            tuple(sorted(usage)),
            round(max(self._confidence[row] for row in rows), 2),  # as it was before it was stored in single precision
            round(max((self._weight_b if is_a else self._weight_a)[row] for row, is_a in sides), 2),
        )


def _numbers(column: pa.ChunkedArray) -> memoryview[Any]:
    """A column of numbers without NULLs, as Python can index it without Arrow's scalars."""
    form = _FORMS[column.type]
    if not len(column):
        return memoryview(b"").cast(form)
    array = column.combine_chunks()
    return memoryview(array.buffers()[1]).cast("b").cast(form)[array.offset : array.offset + len(array)]
