"""Write the tables of an export to one SQLite file, which Python's own sqlite3 can read."""

from __future__ import annotations

import contextlib
import errno
import sqlite3
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

_ROWS = 50_000
"""Number of rows that are converted to Python objects at a time."""


def write_sqlite(tables: dict[str, pa.Table], path: Path, sources: list[dict[str, Any]]) -> None:
    """Write tables to a new SQLite file, with indexes on words and with views that have both directions.

    True and false become 1 and 0; lists become JSON text, for `json_each`.

    Args:
        tables: `relations`, and optionally `evidence`.
        path: path of the file, which must not exist.
        sources: rows of the table `sources`.

    Raises:
        OSError: the file cannot be written.
    """
    every = {**tables, "sources": pa.Table.from_pylist(sources)}
    views = resources.files("lexkit.store").joinpath("sqlite.sql").read_text(encoding="utf-8")
    try:
        with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as connection:
            # An unfinished file is deleted, so SQLite need not be able to roll back
            connection.executescript("PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF")
            connection.execute("BEGIN")
            for name, table in every.items():
                _write(connection, name, table)
            for name in tables:
                for column in ("word_a", "word_b"):
                    connection.execute(f"CREATE INDEX {name}_{column} ON {name} ({column})")
            connection.execute("COMMIT")
            connection.executescript(views)
    except sqlite3.Error as error:
        raise OSError(errno.EIO, str(error)) from error


def _write(connection: sqlite3.Connection, name: str, table: pa.Table) -> None:
    columns = ", ".join(f"{field.name} {_affinity(field.type)}" for field in table.schema)
    connection.execute(f"CREATE TABLE {name} ({columns})")
    places = ", ".join("?" * table.num_columns)
    for batch in table.to_batches(max_chunksize=_ROWS):
        rows = zip(*(_cells(column) for column in batch.columns), strict=True)
        connection.executemany(f"INSERT INTO {name} VALUES ({places})", rows)


def _affinity(kind: pa.DataType) -> str:
    if pa.types.is_integer(kind) or pa.types.is_boolean(kind):
        return "INTEGER"
    return "REAL" if pa.types.is_floating(kind) else "TEXT"


def _cells(column: pa.Array) -> list[Any]:
    cells: list[Any] = (_json(column) if pa.types.is_list(column.type) else column).to_pylist()
    return cells


def _json(lists: pa.ListArray) -> pa.StringArray:
    """Return lists as JSON text. There are few distinct values, and each is encoded once."""
    values = lists.flatten().dictionary_encode()
    encoded = pa.array([msgspec.json.encode(value).decode() for value in values.dictionary.to_pylist()], pa.string())
    offsets = pc.subtract(lists.offsets, lists.offsets[0])
    texts = pa.ListArray.from_arrays(offsets, encoded.take(values.indices), mask=lists.is_null())
    return pc.binary_join_element_wise("[", pc.binary_join(texts, ","), "]", "")
