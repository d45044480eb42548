"""Writes records into staging tables: Arrow batches into temporary tables that never reach the store's file."""

from __future__ import annotations

from collections.abc import Iterable

import duckdb
import pyarrow as pa

from lexkit.sources.batches import SCHEMAS, Batch
from lexkit.sources.records import Analysis, Form, Group, Headword, Statement

_TABLES: dict[type, str] = {
    Headword: "stage_headword",
    Statement: "stage_statement",
    Group: "stage_group",
    Form: "stage_form",
    Analysis: "stage_analysis",
}
_MEMORY = "32MiB"


class Staging:
    """Temporary tables, one for each type of record; each has the record's fields and the column ``source``.

    A context manager: within its block what is staged spills to disk early, so that reading takes the same memory
    whatever the size of the files, and DuckDB has one thread, so that the processes which parse keep the other cores.
    """

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        ((self._memory, self._threads),) = connection.execute(
            "SELECT current_setting('memory_limit'), current_setting('threads')"
        ).fetchall()
        for record_type, table in _TABLES.items():
            empty = SCHEMAS[record_type].empty_table()
            self._insert(f"CREATE TEMP TABLE {table} AS SELECT *, NULL::VARCHAR AS source FROM batch", empty)

    def __enter__(self) -> Staging:
        self._set(_MEMORY, 1)
        return self

    def __exit__(self, *args: object) -> None:
        self._set(self._memory, self._threads)

    def _set(self, memory: str, threads: int) -> None:
        self._connection.execute(f"SET memory_limit = '{memory}'; SET threads = {threads}")

    def add(self, source: str, batches: Iterable[Batch]) -> int:
        """Stage the records of one source, which the gate has let in, and return how many they are."""
        n_staged = 0
        for record_type, table in batches:
            self._insert(f"INSERT INTO {_TABLES[record_type]} SELECT *, ? FROM batch", table, source)
            n_staged += table.num_rows
        return n_staged

    def _insert(self, statement: str, batch: pa.Table, *parameters: str) -> None:
        self._connection.register("batch", batch)
        self._connection.execute(statement, parameters)
        self._connection.unregister("batch")
