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
_ROWS = 100_000
"""Rows that are worth an INSERT, which takes some milliseconds however few they are."""


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
        waiting: dict[type, list[pa.Table]] = {record_type: [] for record_type in _TABLES}
        for batch in batches:
            tables = waiting[batch.record_type]
            tables.append(batch.table)
            n_staged += batch.table.num_rows
            if sum(table.num_rows for table in tables) >= _ROWS:
                self._stage(batch.record_type, tables, source)
        for record_type, tables in waiting.items():
            if tables:
                self._stage(record_type, tables, source)
        return n_staged

    def _stage(self, record_type: type, tables: list[pa.Table], source: str) -> None:
        self._insert(f"INSERT INTO {_TABLES[record_type]} SELECT *, ? FROM batch", pa.concat_tables(tables), source)
        tables.clear()

    def _insert(self, statement: str, batch: pa.Table, *parameters: str) -> None:
        self._connection.register("batch", batch)
        self._connection.execute(statement, parameters)
        self._connection.unregister("batch")
