"""Reading a store: synonyms, antonyms, why two words are related, and SQL."""

from __future__ import annotations

import os
import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, NamedTuple

import duckdb
import pyarrow as pa

from lexkit.errors import QueryError, StoreError
from lexkit.sources.records import Kind
from lexkit.store.files import cursor, open_read_only
from lexkit.store.statistics import Statistics, collect_statistics
from lexkit.store.tables import find_tokenizer
from lexkit.store.tables import relations as relation_table
from lexkit.text import fold, normalize_word

_CONTRADICTED = "contradicted:"
_NEIGHBORS = """
WITH exact AS (SELECT place, word_id FROM asked JOIN word USING (word)),
found AS (
    FROM exact
    UNION ALL
    SELECT place, word_id FROM (FROM asked ANTI JOIN exact USING (place)) a JOIN word w ON w.folded = lower(a.word)
),
neighbor AS (
    SELECT place, word_b AS other, direct, n_sources FROM found JOIN relation ON word_a = word_id
    WHERE kind = $1 AND (direct OR $2)
    UNION ALL
    SELECT place, word_a, direct, n_sources FROM found JOIN relation ON word_b = word_id
    WHERE kind = $1 AND (direct OR $2)
),
listed AS (
    SELECT place, list(other ORDER BY direct DESC, n_sources DESC, other) AS others
    FROM (SELECT place, other, bool_or(direct) AS direct, max(n_sources) AS n_sources FROM neighbor GROUP BY ALL)
    GROUP BY place
)
SELECT coalesce(others, []) AS neighbors FROM asked LEFT JOIN listed USING (place) ORDER BY place
"""
_COMMENTS = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)


class Neighbor(NamedTuple):
    """A word related to the one that was looked up."""

    word: str
    direct: bool
    """Whether a source states the relation, rather than morphological negation deriving it."""
    n_sources: int
    sources: tuple[str, ...]
    contested: bool
    """Whether the two are in the store as the other kind, too."""
    pos: tuple[str, ...]
    """The parts of speech in which they are related, as far as the sources say."""
    same_pos: bool
    """Whether they have one part of speech; not so what -less derived (accurate, faultless: accurate, fault)."""


class Evidence(NamedTuple):
    """One reason why two words are, or would be, related."""

    kind: Kind
    source: str
    pos: str | None
    sense: str | None
    rule: str | None
    """None for a stated relation; ``un-``, ``-less``, ``un-+in-`` ... for a derived one; ``negation`` or ``reversal``
    for a word and its base, ``double negation`` for a word and its base's base."""
    same_pos: bool
    """Whether the two words have one part of speech, as far as derivation goes."""
    contradicted: bool
    """Whether a stated relation contradicts this derived one, so that it is no relation of the store."""
    derived_from: tuple[str, str, Kind] | None
    """The stated relation that a derived one comes from."""


def open(path: str | os.PathLike[str]) -> Lexicon:
    """Open a store for reading; see `Lexicon`.

    Raises:
        StoreError: no such file, not a lexkit store, or of another schema version.
    """
    return Lexicon(path)


class Lexicon:
    """A store, open for reading. A context manager; threads may share one.

    The first look-up loads the words and relations (about 25 bytes a relation) and takes the longer for it;
    every further one is a search in memory.

    Args:
        path: a file that `lexkit.build` made.

    Raises:
        StoreError: no such file, not a lexkit store, or of another schema version.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self._connection = open_read_only(self.path)
        self._lock = threading.Lock()

    def __enter__(self) -> Lexicon:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __contains__(self, word: str) -> bool:
        return bool(self.find(word))

    def find(self, word: str) -> list[str]:
        """Return the word as the store spells it: itself, or else every word that differs only in case; or nothing."""
        return [self._index.word(word_id) for word_id in self._ids(word)]

    def synonyms(
        self,
        word: str,
        *,
        direct: bool = False,
        same_pos: bool = False,
        source: str | None = None,
        limit: int | None = None,
    ) -> list[Neighbor]:
        """Return the synonyms of *word*, stated ones first, then by number of sources and by spelling.

        Args:
            word: looked up as it is written, and regardless of case where the store has no such word.
            direct: only those that a source states.
            same_pos: none of those that are derived across parts of speech (`Neighbor.same_pos`).
            source: only those for which this source is evidence.
            limit: at most so many.

        Returns:
            Possibly nothing: the word is unknown (see `find`, `suggest`) or has no synonyms.
        """
        return self._neighbors(word, "synonym", direct, same_pos, source, limit)

    def antonyms(
        self,
        word: str,
        *,
        direct: bool = False,
        same_pos: bool = False,
        source: str | None = None,
        limit: int | None = None,
    ) -> list[Neighbor]:
        """Return the antonyms of *word*; as `synonyms`."""
        return self._neighbors(word, "antonym", direct, same_pos, source, limit)

    def _neighbors(
        self, word: str, kind: Kind, direct: bool, same_pos: bool, source: str | None, limit: int | None
    ) -> list[Neighbor]:
        found: dict[Neighbor, None] = {}
        for word_id in self._ids(word):
            for neighbor in self._index.neighbors(word_id, kind):
                if (
                    (neighbor.direct or not direct)
                    and (neighbor.same_pos or not same_pos)
                    and (source is None or source in neighbor.sources)
                ):
                    found[neighbor] = None
        return list(found)[:limit]

    def neighbors(self, words: Iterable[str], kind: Kind, *, direct: bool = False) -> pa.Table:
        """Return the synonyms or antonyms of many words at once, in one pass over the store.

        Args:
            words: n words, looked up as `synonyms` does; a list, an Arrow array, or what else there is to go through.
            kind: ``synonym`` or ``antonym``.
            direct: only those that a source states.

        Returns:
            n rows in the order of *words*: ``word`` (string, as asked) and ``neighbors`` (list of int32, places in
            `words()`), in the order of `synonyms`. The list's ``offsets`` and ``values`` are a sparse matrix of n rows
            in CSR form, and ``lexicon.words().take(values)`` the words. An unknown word has an empty list.
        """
        asked = words.to_pylist() if isinstance(words, (pa.Array, pa.ChunkedArray)) else list(words)
        normal = [normalize_word(word) for word in asked]
        table = pa.table(
            {
                "place": pa.array(range(len(asked)), pa.int32()),
                # no word of a store, and a lone surrogate could not even be asked for
                "word": pa.array([word if word.isprintable() else None for word in normal], pa.string()),
            }
        )
        with self._damage_told():
            connection = cursor(self._connection)
            connection.register("asked", table)
            rows = connection.sql(_NEIGHBORS, params=[kind, not direct]).to_arrow_table()
        found = rows["neighbors"].combine_chunks().cast(pa.list_(pa.int32()))
        return pa.table({"word": pa.array(asked, pa.string()), "neighbors": found})

    def relation(self, word: str, other: str) -> list[Kind]:
        """Return the kinds of relation between two words: none, one, or both where it is contested."""
        others = set(self.find(other))
        kinds: tuple[Kind, ...] = ("synonym", "antonym")
        return [kind for kind in kinds if any(n.word in others for n in getattr(self, kind + "s")(word))]

    def explain(self, word: str, other: str) -> list[Evidence]:
        """Return every piece of evidence for a relation between two words, derivations and contradicted ones included.

        Stated evidence comes first, then by kind and source.
        """
        ids, others = self._ids(word), self._ids(other)
        rows = self._rows(
            """
            SELECT kind, source, pos, sense, rule, same_pos, from_a, from_b, from_kind
            FROM evidence
            WHERE (list_contains(?, word_a) AND list_contains(?, word_b))
               OR (list_contains(?, word_b) AND list_contains(?, word_a))
            ORDER BY rule IS NOT NULL, kind DESC, source, pos, sense, rule, from_a, from_b
            """,
            [ids, others, ids, others],
        )
        return [self._evidence(*row) for row in rows]

    def _evidence(
        self,
        kind: Kind,
        source: str,
        pos: str | None,
        sense: str | None,
        rule: str | None,
        same_pos: bool,
        from_a: int | None,
        from_b: int | None,
        from_kind: Kind | None,
    ) -> Evidence:
        contradicted = rule is not None and rule.startswith(_CONTRADICTED)
        origin = None
        if from_a is not None and from_b is not None and from_kind is not None:
            origin = (self._index.word(from_a), self._index.word(from_b), from_kind)
        rule = rule.removeprefix(_CONTRADICTED) if rule is not None else None
        return Evidence(kind, source, pos, sense, rule, same_pos, contradicted, origin)

    def suggest(self, word: str, limit: int = 5) -> list[str]:
        """Return the store's words most like *word* in spelling, the likest first; empty if nothing is near."""
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        folded = fold(normalize_word(word))
        found = process.extract(
            folded, self._folded, scorer=OSA.normalized_similarity, limit=limit * 4, score_cutoff=0.6
        )
        # equally like words: the one with more relations is the likelier meant
        ranked = sorted(found, key=lambda match: (-match[1], -self._index.degree(match[2]), match[2]))
        return [self._index.word(match[2]) for match in ranked][:limit]

    def words(self) -> pa.Array:
        """Return all words in code point order, which is the order of their ids."""
        return self._index.words

    def relations(
        self,
        kind: Kind | None = None,
        tokenizer: str | None = None,
        max_tokens: int | None = None,
        *,
        contested: bool = True,
    ) -> pa.Table:
        """Return whole relations, every unordered pair and kind once, in the order of the words and the kind.

        Args:
            kind: only this one.
            tokenizer: its token ids are wanted, too; see `tokenizer`.
            max_tokens: only pairs of words that both need at most so many tokens, special ones not counted.
            contested: whether pairs that are in the store as both kinds are wanted.

        Returns:
            Columns ``word_a``, ``word_b`` (string; ``word_a`` before ``word_b`` in code point order), ``kind``
            (string), ``direct`` (bool), ``n_sources`` (int32), ``sources`` (list of string), ``contested`` (bool),
            ``pos`` (list of string); with *tokenizer* also ``token_ids_a``, ``token_ids_b`` (list of int32).

        Raises:
            QueryError: no such kind or tokenizer, or *max_tokens* without a tokenizer.
        """
        if tokenizer is not None:
            tokenizer = self.tokenizer(tokenizer)
        with self._damage_told():
            return relation_table(cursor(self._connection), kind, tokenizer, max_tokens, contested=contested)

    def keep_rate(self, tokenizer: str) -> pa.Table:
        """Return what share of the relations needs at most so many tokens a word (DSKD, Table 2).

        Args:
            tokenizer: see `tokenizer`.

        Returns:
            Columns ``reading`` (both, partner, one_token_head: what the view `keep_rate` says of them), ``kind``,
            ``max_tokens`` (1 to 5) and ``percent`` (0 to 100), in this order.

        Raises:
            QueryError: no such tokenizer.
        """
        name = self.tokenizer(tokenizer)
        return self.sql(
            "SELECT * EXCLUDE (tokenizer) FROM keep_rate WHERE tokenizer = ?"
            " ORDER BY list_position(['both', 'partner', 'one_token_head'], reading), kind DESC, max_tokens",
            [name],
        )

    def tokenizers(self) -> list[str]:
        """Return the names of the tokenizers whose spans the store has."""
        return [name for (name,) in self._rows("SELECT tokenizer FROM tokenizer ORDER BY tokenizer", [])]

    def tokenizer(self, asked: str) -> str:
        """Return the name by which the store knows a tokenizer.

        Args:
            asked: that name, or what was given to `lexkit.tokenize` or `lexkit.build`.

        Raises:
            QueryError: the store has no such tokenizer.
        """
        with self._damage_told():
            return find_tokenizer(cursor(self._connection), asked)

    def sources(self) -> list[str]:
        """Return the names of the sources, as evidence has them."""
        return [name for (name,) in self._rows("SELECT source FROM source ORDER BY source", [])]

    def statistics(self) -> Statistics:
        """Count what the store holds."""
        with self._damage_told():
            return collect_statistics(cursor(self._connection))

    def sql(
        self, query: str, params: Sequence[Any] = (), *, timeout: float | None = None, max_rows: int | None = None
    ) -> pa.Table:
        """Run one SELECT over the tables and views of the store, and return its rows.

        Args:
            query: SQL in DuckDB's dialect; ``?`` stands for a parameter.
            params: values of the parameters.
            timeout: seconds after which the query is given up; None waits.
            max_rows: rows beyond which the query is given up; None takes them all.

        Raises:
            QueryError: not a single SELECT, an error in it, time over, too many rows, or too little memory.
        """
        connection = cursor(self._connection)
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            connection.interrupt()

        timer = threading.Timer(timeout or 0, expire)
        try:
            _require_single_select(connection, query)
            if timeout is not None:
                timer.start()
            return _rows_of(connection.sql(query, params=list(params)), max_rows)
        except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
            reason = _first_line(error)
            if expired.is_set():
                message = f"the query took longer than {timeout:g} s; narrow it, or allow more time"
            elif "nterrupt" in reason:  # Ctrl-C, which is not the query's fault
                raise
            elif isinstance(error, MemoryError) or "Out of Memory" in reason:
                message = "the query takes too much memory; narrow it, or allow more"
            else:
                message = f"{reason}; 'lexkit sql --schema' shows the tables and views"
            raise QueryError(message) from error
        finally:
            timer.cancel()

    def _rows(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._damage_told():
            return cursor(self._connection).execute(sql, list(params)).fetchall()

    @contextmanager
    def _damage_told(self) -> Iterator[None]:
        """Around queries of our own, which fail only on a file that is not what it was when it was built."""
        try:
            yield
        except duckdb.InterruptException:
            raise
        except duckdb.Error as error:
            raise StoreError(f"{self.path}: damaged ({_first_line(error)}); build it again") from error

    def _ids(self, word: str) -> list[int]:
        normal = normalize_word(word)
        if not normal.isprintable():
            return []  # no word of a store, and a lone surrogate could not even be asked for
        exact = self._index.find(normal)
        if exact is not None:
            return [exact]
        return [i for (i,) in self._rows("SELECT word_id FROM word WHERE folded = ? ORDER BY word_id", [fold(normal)])]

    @cached_property
    def _folded(self) -> list[str]:
        return [folded for (folded,) in self._rows("SELECT folded FROM word ORDER BY word_id", [])]

    @property
    def _index(self) -> _Index:
        with self._lock:  # one thread loads, the others wait
            return self._loaded_index

    @cached_property
    def _loaded_index(self) -> _Index:
        with self._damage_told():
            return _Index(cursor(self._connection))


class _Index:
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
        return str(self.words[word_id].as_py())

    def find(self, word: str) -> int | None:
        place = bisect_left(range(len(self.words)), word, key=self.word)
        return place if place < len(self.words) and self.word(place) == word else None

    def degree(self, word_id: int) -> int:
        return len(self._rows(word_id))

    def _rows(self, word_id: int) -> list[int]:
        """Return the rows of the relations that have the word on either side."""
        first, last = bisect_left(self._word_a, word_id), bisect_right(self._word_a, word_id)
        start = bisect_left(self._by_word_b, word_id, key=self._word_b.__getitem__)
        end = bisect_right(self._by_word_b, word_id, key=self._word_b.__getitem__)
        return [*range(first, last), *self._by_word_b[start:end]]

    def neighbors(self, word_id: int, kind: Kind) -> Iterator[Neighbor]:
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


def _require_single_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    statements = connection.extract_statements(query)
    if len(statements) != 1:
        raise QueryError(f"{len(statements)} statements; give exactly one SELECT")
    # Some versions of DuckDB take a PRAGMA for the SELECT that it stands for
    if _COMMENTS.sub("", query, count=1)[:6].upper() == "PRAGMA":
        raise QueryError("PRAGMA is refused; a store is read with one SELECT")
    if statements[0].type not in (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN):
        raise QueryError(f"{statements[0].type.name} is refused; a store is read with one SELECT")


def _rows_of(relation: duckdb.DuckDBPyRelation, max_rows: int | None) -> pa.Table:
    # through Arrow's interface for streams, which every version of DuckDB has, and where errors come as Arrow's
    reader = pa.RecordBatchReader.from_stream(relation)
    batches, n_rows = [], 0
    for batch in reader:
        batches.append(batch)
        n_rows += batch.num_rows
        if max_rows is not None and n_rows > max_rows:
            raise QueryError(f"the query gives more than {max_rows:,} rows; add a LIMIT, or allow more")
    return pa.Table.from_batches(batches, reader.schema)


def _first_line(error: Exception) -> str:
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__).rstrip(" .:")
