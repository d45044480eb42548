"""Running one SELECT that need not be trusted with anything but the store."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from lexkit.errors import QueryError

_COMMENTS = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)


def run_select(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    params: Sequence[Any] = (),
    timeout: float | None = None,
    max_rows: int | None = None,
) -> pa.Table:
    """Run one SELECT and return its rows; as `lexkit.store.lexicon.Lexicon.sql`."""
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
        reason = first_line(error)
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


def first_line(error: Exception) -> str:
    """Return what an error says, without the context that DuckDB puts below."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__).rstrip(" .:")
