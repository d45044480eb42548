"""Read a store as a whole: SQL, whole tables, and statistics."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from lexkit.arguments import require_path, require_text
from lexkit.errors import LexkitError
from lexkit.sources.records import Kind
from lexkit.store import tables
from lexkit.store.filters import Filter, require_pos
from lexkit.store.html import html_table, html_text
from lexkit.store.open_store import OpenStore
from lexkit.store.query import run_select
from lexkit.store.statistics import Statistics, collect_statistics, count_briefly

if TYPE_CHECKING:
    from typing_extensions import Self


class StoreReader:
    """A store that is open for reading: what `lexkit.store.lexicon.Lexicon` answers about the store as a whole."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        require_path("path", path)
        self.path: Path = Path(path)
        """The path of the store."""
        self._store = OpenStore(self.path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Lexicon({str(self._store.path)!r}{', closed' if self._store.is_closed else ''})"

    def _repr_html_(self) -> str:
        try:
            with self._store.connection() as connection:
                counts = count_briefly(connection)
        except LexkitError:  # closed, or damaged
            return html_text(repr(self))
        return html_table((), counts, repr(self))

    def close(self) -> None:
        """Close the file. Later look-ups raise `StoreError`, and so do those that other threads are waiting for."""
        self._store.close()

    def sql(
        self,
        query: str,
        params: Sequence[Any] | Mapping[str, Any] = (),
        *,
        timeout: float | None = None,
        max_rows: int | None = None,
    ) -> pa.Table:
        """Run one SELECT over the tables and views of the store, and return its rows.

        Args:
            query: SQL in DuckDB's dialect; ``?``, or ``$name``, stands for a parameter.
            params: Values of the parameters, in their order or by name.
            timeout: Seconds after which the query is given up; None waits. DuckDB first ends some functions that work
                on one huge value, such as ``repeat``.
            max_rows: Rows beyond which the query is given up; None takes them all.

        Returns:
            A table with the columns as the query names them. If two have one name, tell them apart with ``AS`` or by
            their place; Arrow's ``to_pylist`` and ``to_pydict`` keep one of them.

        Raises:
            QueryError: The query is not a single SELECT, has an error, takes too long or too much memory, or gives too
                many rows.
            ArgumentError: An argument has a value that it cannot have.
        """
        with self._store.connection() as connection:
            return run_select(connection, query, params, timeout, max_rows)

    def relations(
        self,
        kind: Kind | None = None,
        tokenizer: str | None = None,
        max_tokens: int | None = None,
        *,
        pos: str | Collection[str] | None = None,
        contested: bool = True,
        min_confidence: float = 0,
        archaic: bool = True,
        offensive: bool = True,
    ) -> pa.Table:
        """Return whole relations, every unordered pair and kind once, in the order of the words and the kind.

        Args:
            kind: Only relations of this kind, ``"synonym"`` or ``"antonym"``.
            tokenizer: Add the token ids of this tokenizer; see `tokenizer`.
            max_tokens: Only pairs of words that both need at most this number of tokens, special ones not counted.
            pos: Only relations in this part of speech, or in one of several.
            contested: Whether to include pairs that are in the store as both kinds.
            min_confidence: Only relations that are at least this likely to hold, from 0 to 1.
            archaic: Whether to include pairs with a word that is archaic or obsolete in this relation.
            offensive: Whether to include pairs with a word that is offensive or vulgar in this relation.

        Returns:
            A table with the columns ``word_a``, ``word_b`` (string; ``word_a`` before ``word_b`` in code point order),
            ``kind`` (string), ``direct`` (bool), ``n_sources`` (int32), ``sources`` (list of string), ``contested``
            (bool), ``pos`` (list of string), ``same_pos`` (bool), ``usage_a``, ``usage_b`` (list of string),
            ``confidence``, ``weight_a``, ``weight_b`` (double); with *tokenizer* also ``token_ids_a``,
            ``token_ids_b`` (list of int32).

        Raises:
            QueryError: There is no such kind or tokenizer, or *max_tokens* is given without a tokenizer.
            ArgumentError: The store has no such part of speech, or *min_confidence* is not a number from 0 to 1.
        """
        wanted = Filter(pos=self._pos(pos), min_confidence=min_confidence, archaic=archaic, offensive=offensive)
        if tokenizer is not None:
            tokenizer = self.tokenizer(tokenizer)
        with self._store.connection() as connection:
            return tables.relations(
                connection,
                kind,
                tokenizer,
                max_tokens,
                contested=contested,
                pos=wanted.pos,
                min_confidence=wanted.min_confidence,
                without=wanted.without,
            )

    def keep_rate(self, tokenizer: str) -> pa.Table:
        """Return what share of the relations needs at most 1, 2, ... tokens a word (DSKD, Table 2).

        Args:
            tokenizer: A tokenizer of the store; see `tokenizer`.

        Returns:
            A table with the columns ``reading`` (string: both, partner or one_token_head, which docs/tokenizers.md
            explains), ``kind`` (string), ``max_tokens`` (int, 1 to 5) and ``percent`` (double, 0 to 100).

        Raises:
            QueryError: The store has no such tokenizer.
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
            asked: That name, or what was given to `lexkit.tokenize` or `lexkit.build`.

        Raises:
            QueryError: The store has no such tokenizer.
        """
        require_text("tokenizer", asked, "'llama'")
        with self._store.connection() as connection:
            return tables.find_tokenizer(connection, asked)

    def sources(self) -> list[str]:
        """Return the names of the sources, as they stand in `Neighbor.sources` and `Evidence.source`."""
        return [name for (name,) in self._rows("SELECT source FROM source ORDER BY source", [])]

    def parts_of_speech(self) -> list[str]:
        """Return the parts of speech that relations have, as *pos* of a look-up takes them: adj, noun, verb ..."""
        rows = self._rows("SELECT DISTINCT unnest(string_split(pos, ',')) FROM (SELECT DISTINCT pos FROM relation)", [])
        return sorted(name for (name,) in rows if name)

    def statistics(self) -> Statistics:
        """Count words, and relations by kind, source and derivation."""
        with self._store.connection() as connection:
            return collect_statistics(connection)

    def _rows(self, sql: str, params: Sequence[Any]) -> list[tuple[Any, ...]]:
        with self._store.connection() as connection:
            return connection.execute(sql, list(params)).fetchall()

    @cached_property
    def _source_names(self) -> list[str]:
        return self.sources()

    @cached_property
    def _pos_names(self) -> list[str]:
        return self.parts_of_speech()

    def _pos(self, pos: str | Collection[str] | None) -> tuple[str, ...]:
        return () if pos is None else require_pos(pos, self._pos_names)
