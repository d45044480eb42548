"""From records to staging tables: Arrow batches into temporary tables that never reach the file."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa

from lexkit.sources.records import Analysis, Group, Headword, Record, Statement

_WORDS = pa.list_(pa.string())
_SCHEMAS: dict[type, tuple[str, pa.Schema]] = {
    Headword: ("stage_headword", pa.schema([("word", pa.string())])),
    Statement: (
        "stage_statement",
        pa.schema([(name, pa.string()) for name in ("word", "other", "kind", "pos", "sense", "source")]),
    ),
    Group: (
        "stage_group",
        pa.schema([("words", _WORDS), ("pos", pa.string()), ("sense", pa.string()), ("source", pa.string())]),
    ),
    Analysis: (
        "stage_analysis",
        pa.schema(
            [
                ("word", pa.string()),
                ("segmentation", pa.string()),
                ("prefixes", _WORDS),
                ("roots", _WORDS),
                ("suffixes", _WORDS),
            ]
        ),
    ),
}
_BATCH = 50_000


class Staging:
    """Temporary tables, one for each type of record, filled in batches of bounded size."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._connection = connection
        self._rows: dict[type, list[Any]] = {record_type: [] for record_type in _SCHEMAS}
        for table, schema in _SCHEMAS.values():
            empty = schema.empty_table()
            self._insert(f"CREATE TEMP TABLE {table} AS", empty)

    def add(self, source: str, records: Iterable[Record]) -> None:
        """Stage the records of one source."""
        for record in records:
            rows = self._rows[type(record)]
            rows.append(record)
            if len(rows) == _BATCH:
                self._flush(type(record), source)
        for record_type in _SCHEMAS:
            self._flush(record_type, source)

    def _flush(self, record_type: type, source: str) -> None:
        rows = self._rows[record_type]
        if not rows:
            return
        table, schema = _SCHEMAS[record_type]
        columns: list[Any] = list(zip(*rows, strict=True))
        if "source" in schema.names:
            columns.append([source] * len(rows))
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        self._insert(f"INSERT INTO {table}", pa.Table.from_arrays(arrays, schema=schema))
        rows.clear()

    def _insert(self, statement: str, batch: pa.Table) -> None:
        self._connection.register("batch", batch)
        self._connection.execute(f"{statement} SELECT * FROM batch")
        self._connection.unregister("batch")
