"""One SELECT that need not be trusted, on a store that is open for reading."""

from __future__ import annotations

import re
import threading
from collections.abc import Sequence
from typing import Any

import duckdb
import pyarrow as pa

from lexkit.arguments import require_number
from lexkit.errors import ArgumentError, QueryError

_COMMENTS = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*", re.DOTALL)


def run_select(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    params: Sequence[Any],
    timeout: float | None,
    max_rows: int | None,
) -> pa.Table:
    """Run one SELECT; see `lexkit.store.lexicon.Lexicon.sql`.

    Raises:
        QueryError: not a single SELECT, an error in it, time over, too many rows, or too little memory.
        ArgumentError: *timeout* or *max_rows* leaves nothing.
    """
    if timeout is not None and not timeout > 0:
        raise ArgumentError(f"timeout={timeout!r}: give seconds, more than 0")
    require_number("max_rows", max_rows, 1)
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
    """Return the line of an error that says what is wrong."""
    return next((line for line in str(error).splitlines() if line.strip()), type(error).__name__).rstrip(" .:")
