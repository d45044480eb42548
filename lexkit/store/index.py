"""The words and relations of a store in memory, searched by bisection."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

import duckdb
import pyarrow as pa

from lexkit.sources.records import Kind
from lexkit.store.chains import Chain, Edge, Step, shortest_paths
from lexkit.store.filters import Filter
from lexkit.store.results import Neighbor

_SINGLE = 1e-6
"""Largest rounding error of a number from 0 to 1 in single precision."""
_FORMS: dict[pa.DataType, Literal["b", "i", "f"]] = {pa.int8(): "b", pa.int32(): "i", pa.float32(): "f"}


class Index:
    """Words and relations in memory, as Arrow columns that are searched by bisection.

    Columns are loaded as they are in the store, in the order of ``word_a`` (checked by `lexkit verify`). Only their
    order by ``word_b`` is computed, so loading a million relations takes a tenth of a second.
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
        """Return the word with an id."""
        return str(self.words[word_id].as_py())

    def find(self, word: str) -> int | None:
        """Return the id of a word in exactly this spelling, or None."""
        place = bisect_left(range(len(self.words)), word, key=self.word)
        return place if place < len(self.words) and self.word(place) == word else None

    def degree(self, word_id: int) -> int:
        """Return how many relations a word has."""
        return len(self._rows(word_id))

    def is_stated(self, word_id: int, *, synonyms: bool = False) -> bool:
        """Whether a source states any relation of a word, or, with *synonyms*, any synonym."""
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
        """Yield the distinct neighbours of the words, in the order of `Lexicon.synonyms`.

        The filter chooses relations. A neighbour combines all chosen relations that it has with the words.
        """
        antonym, is_wanted = int(kind == "antonym"), self._chooser(wanted)
        # word_a + word_b - word_id is the id of the other word, which may be related to several of the words
        others: dict[int, list[int]] = {}
        for word_id in word_ids:
            for row in self._rows(word_id):
                if self._antonym[row] == antonym and is_wanted(row, self._word_b[row] == word_id):
                    others.setdefault(self._word_a[row] + self._word_b[row] - word_id, []).append(row)
        found = [(other, self._neighbor(other, rows)) for other, rows in others.items()]
        for _, neighbor in sorted(found, key=lambda item: (-item[1].weight, item[0])):
            yield neighbor

    def _chooser(self, wanted: Filter) -> Callable[[int, bool], bool]:
        """Return a function that decides whether a row matches the filter, with word_a or else word_b as the answer."""
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

    def chains(
        self, starts: Sequence[int], goals: Sequence[int], wanted: Filter, *, limit: int, max_steps: int
    ) -> list[Chain]:
        """Return the shortest chains between words, in the order of `Lexicon.chains`."""
        is_wanted = self._chooser(wanted)

        def edges(word_id: int) -> list[Edge]:
            found = []
            for row in self._rows(word_id):
                is_a = self._word_b[row] == word_id  # the other word
                if is_wanted(row, is_a):
                    other = self._word_a[row] if is_a else self._word_b[row]
                    found.append(Edge(other, row, (self._weight_b if is_a else self._weight_a)[row]))
            return found

        paths = shortest_paths(starts, goals, edges, limit, max_steps)
        return [self._chain(path.ids, path.rows) for path in paths]

    def _chain(self, ids: Sequence[int], rows: Sequence[int]) -> Chain:
        kinds: list[Kind] = ["antonym" if self._antonym[row] else "synonym" for row in rows]
        steps = [
            Step(self.word(before), kind, self._neighbor(other, [row]))
            for before, other, kind, row in zip(ids, ids[1:], kinds, rows, strict=False)
        ]
        return Chain("antonym" if kinds.count("antonym") % 2 else "synonym", tuple(steps))

    def _usage(self, row: int, is_a: bool) -> set[str]:
        """Return the labels of one of the two words of a relation."""
        return {label for label in (self._usage_a if is_a else self._usage_b)[row].as_py().split(",") if label}

    def _neighbor(self, other: int, rows: list[int]) -> Neighbor:
        """Return a neighbour, combined from the rows of its relations."""
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
            round(max(self._confidence[row] for row in rows), 2),  # undoes the rounding to single precision
            round(max((self._weight_b if is_a else self._weight_a)[row] for row, is_a in sides), 2),
        )


def _numbers(column: pa.ChunkedArray) -> memoryview[Any]:
    """Return a column of numbers without NULLs in a form that Python can index without Arrow's scalars."""
    form = _FORMS[column.type]
    if not len(column):
        return memoryview(b"").cast(form)
    array = column.combine_chunks()
    return memoryview(array.buffers()[1]).cast("b").cast(form)[array.offset : array.offset + len(array)]
