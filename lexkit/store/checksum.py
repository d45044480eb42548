"""Checksums of the contents of a store's tables, independent of the bytes of the file.

They show whether a store has changed since it was built, and whether two stores have the same content.
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
"""Every table except ``meta``, which contains the checksums."""


def record_checksums(connection: duckdb.DuckDBPyConnection, tables: Sequence[str] = TABLES) -> None:
    """Write the checksums of *tables* into ``meta``, as JSON with the key ``checksums``; keep those of other tables."""
    checksums = recorded_checksums(connection) | {table: checksum(connection, table) for table in tables}
    connection.execute("DELETE FROM meta WHERE key = 'checksums'")
    connection.execute("INSERT INTO meta VALUES ('checksums', ?)", [json.dumps(checksums)])


def recorded_checksums(connection: duckdb.DuckDBPyConnection) -> dict[str, str]:
    """Return the checksums in ``meta`` by table; empty if they are missing or cannot be read."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'checksums'").fetchone()
    try:
        recorded = json.loads(row[0]) if row is not None else {}
    except (ValueError, TypeError, RecursionError):
        return {}
    return recorded if isinstance(recorded, dict) else {}


def checksum(connection: duckdb.DuckDBPyConnection, table: str) -> str:
    """Return the checksum of a table as 16 hexadecimal digits. The order of the rows does not matter.

    *table* may also be a SELECT in parentheses. The checksum is the sum, modulo 2**64, of half of each row's MD5. It
    detects damage and differences, but not manipulation.
    """
    if connection.execute(f"SELECT 1 FROM {table} LIMIT 1").fetchone() is None:
        return f"{0:016x}"
    columns = [name for name, *_ in connection.execute(f"DESCRIBE FROM {table}").fetchall()]
    # The lengths make ('ab', 'c') and ('a', 'bc') differ, and NULL and ''
    values = " || ".join(
        f"""coalesce(length("{column}"::VARCHAR) || ':' || "{column}"::VARCHAR, '-')""" for column in columns
    )
    row = connection.execute(f"SELECT coalesce(sum(md5_number_lower({values})::HUGEINT), 0) FROM {table}").fetchone()
    assert row is not None  # an aggregate has one row
    return f"{row[0] % 2**64:016x}"
