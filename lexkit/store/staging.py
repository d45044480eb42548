"""Stage records: insert Arrow batches into temporary tables, which never reach the store's file."""

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
    """Temporary tables for records, one for each type, with the record's fields and the column ``source``.

    A context manager. In its block, staged rows spill to disk early, so that reading files of any size takes the same
    memory, and DuckDB has only one thread, which leaves the other cores to the processes that parse.
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
        """Stage the validated records of one source, and return their number."""
        n_staged = 0
        for record_type, table in batches:
            self._insert(f"INSERT INTO {_TABLES[record_type]} SELECT *, ? FROM batch", table, source)
            n_staged += table.num_rows
        return n_staged

    def _insert(self, statement: str, batch: pa.Table, *parameters: str) -> None:
        self._connection.register("batch", batch)
        self._connection.execute(statement, parameters)
        self._connection.unregister("batch")
