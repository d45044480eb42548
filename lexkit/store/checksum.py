"""Checksums of what a store's tables hold, whatever the file's bytes are.

They tell whether a store still holds what it was built with, and whether two stores hold the same.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import duckdb

TABLES = (
    "source",
    "rejection",
    "word",
    "form",
    "relation",
    "evidence",
    "reliability",
    "morphology",
    "negation",
    "tokenizer",
    "span",
)
"""Every table but ``meta``, which holds the checksums."""


def record_checksums(connection: duckdb.DuckDBPyConnection, tables: Sequence[str] = TABLES) -> None:
    """Write the checksums of tables into ``meta``, as JSON under the key ``checksums``; of others they stay."""
    checksums = recorded_checksums(connection) | {table: checksum(connection, table) for table in tables}
    connection.execute("DELETE FROM meta WHERE key = 'checksums'")
    connection.execute("INSERT INTO meta VALUES ('checksums', ?)", [json.dumps(checksums)])


def recorded_checksums(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the checksums that ``meta`` holds, by table; nothing if it has none, or none that can be read."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'checksums'").fetchone()
    try:
        recorded = json.loads(row[0]) if row is not None else {}
    except (ValueError, TypeError, RecursionError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


def checksum(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return the checksum of a table as 16 hexadecimal digits: of its rows as a set, so their order does not matter.

    *table* may be a SELECT in parentheses as well.

    It is the sum, modulo 2**64, of a part of each row's MD5; it finds damage and difference, not malice.
    """
    if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is None:
        return f"{0:016x}"
    columns = [name for name, *_ in connection.execute(f"DESCRIBE FROM {table}").fetchall()]
    # Lengths keep ('ab', 'c') and ('a', 'bc') apart, and NULL from ''
    values = " || ".join(
        f"""coalesce(length("{column}"::VARCHAR) || ':' || "{column}"::VARCHAR, '-')""" for column in columns
    )
    row = connection.execute(f"SELECT coalesce(sum(md5_number_lower({values})::HUGEINT), 0) FROM {table}").fetchone()
    assert row is not None  # an aggregate has one row
    return f"{row[0] % 2**64:016x}"
