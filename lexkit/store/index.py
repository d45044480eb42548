"""The words and relations of a store in memory, for look-ups one by one."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterator
from typing import Literal

import duckdb
import pyarrow as pa

from lexkit.sources.records import Kind
from lexkit.store.answers import Neighbor


class Index:
    """Words and relations in memory, as Arrow columns that are searched by bisection.

    Columns are taken as they lie in the store, in the order of ``word_a`` (checked by `lexkit verify`); only their
    order by ``word_b`` is computed, so that loading a million relations takes a tenth of a second.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.words: pa.Array = connection.sql("SELECT word FROM word").to_arrow_table()["word"].combine_chunks()
        table = connection.sql(
            "SELECT word_a, word_b, n_sources, (kind = 'antonym')::TINYINT AS antonym, direct::TINYINT AS direct,"
            " contested::TINYINT AS contested, same_pos::TINYINT AS same_pos, sources, pos FROM relation"
        ).to_arrow_table()
        order = connection.sql("SELECT rowid::INTEGER AS row FROM relation ORDER BY word_b").to_arrow_table()
        self._word_a, self._word_b, self._n_sources = (_integers(table[i]) for i in range(3))
        self._antonym, self._direct, self._contested, self._same_pos = (_integers(table[i]) for i in range(3, 7))
        self._sources, self._pos = table["sources"].combine_chunks(), table["pos"].combine_chunks()
        self._by_word_b = _integers(order["row"])

    def word(self, word_id: int) -> str:
        """Return a word by its id."""
        return str(self.words[word_id].as_py())

    def find(self, word: str) -> int | None:
        """Return the id of a word that is spelt so, if there is one."""
        place = bisect_left(range(len(self.words)), word, key=self.word)
        return place if place < len(self.words) and self.word(place) == word else None

    def degree(self, word_id: int) -> int:
        """Return how many relations a word has."""
        return len(self._rows(word_id))

    def _rows(self, word_id: int) -> list[int]:
        """Return the rows of the relations that have the word on either side."""
        first, last = bisect_left(self._word_a, word_id), bisect_right(self._word_a, word_id)
        start = bisect_left(self._by_word_b, word_id, key=self._word_b.__getitem__)
        end = bisect_right(self._by_word_b, word_id, key=self._word_b.__getitem__)
        return [*range(first, last), *self._by_word_b[start:end]]

    def neighbors(self, word_id: int, kind: Kind) -> Iterator[Neighbor]:
        """Yield a word's neighbors of one kind, stated ones first, then by number of sources and spelling."""
        antonym = int(kind == "antonym")
        rows = [row for row in self._rows(word_id) if self._antonym[row] == antonym]
        # the ids are those of two ends, one of which is this word
        others = {row: self._word_a[row] + self._word_b[row] - word_id for row in rows}
        for row in sorted(rows, key=lambda row: (-self._direct[row], -self._n_sources[row], others[row])):
            pos = self._pos[row].as_py()
            yield Neighbor(
                self.word(others[row]),
                bool(self._direct[row]),
                self._n_sources[row],
                tuple(self._sources[row].as_py().split(",")),
                bool(self._contested[row]),
                tuple(pos.split(",")) if pos else (),
                bool(self._same_pos[row]),
            )


def _integers(column: pa.ChunkedArray) -> memoryview:
    """A column of integers without NULLs, as Python can index it without Arrow's scalars."""
    form: Literal["b", "i"] = "b" if column.type == pa.int8() else "i"
    if not len(column):
        return memoryview(b"").cast(form)
    array = column.combine_chunks()
    return memoryview(array.buffers()[1]).cast("b").cast(form)[array.offset : array.offset + len(array)]
