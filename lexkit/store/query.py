"""Run a single untrusted SELECT on a store that is open for reading."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import duckdb
import pyarrow as pa

from lexkit.arguments import LONGEST_WAIT, require_number
from lexkit.errors import ArgumentError, QueryError, first_line

INTERRUPT_INTERVAL = 0.05
"""Seconds between attempts to interrupt a query. DuckDB ignores an interrupt just before a query starts."""
OUT_OF_MEMORY = "the query takes too much memory; narrow it, or raise the memory limit"
_NOT_OF_ARROW = re.compile(r"\b(?:UHUGEINT|BIT|BIGNUM|VARINT|TIME WITH TIME ZONE)(?!\w)")
_QUOTED = re.compile(r"'(?:[^']|'')*'|\"(?:[^\"]|\"\")*\"")
"""Quoted parts of a type's name: names of fields, and values of an ENUM."""
_FIRST_WORD = re.compile(r"(?:\s|--[^\n]*\n|/\*.*?\*/)*(\w*)", re.DOTALL)

_MISSING_COLUMN = re.compile(r'Referenced column "([^"]*)" not found')


def run_select(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    params: Sequence[Any] | Mapping[str, Any],
    timeout: float | None,
    max_rows: int | None,
) -> pa.Table:
    """Run one SELECT on a connection of its own; see `lexkit.store.lexicon.Lexicon.sql`.

    Raises:
        QueryError: the query is not a single SELECT, has an error, takes too long, gives too many rows, or needs too
            much memory.
        ArgumentError: *query* is not a string, *params* is neither a list nor a dict, or *timeout* or *max_rows* is not
            positive.
    """
    if not isinstance(query, str) or not _is_text(query):
        raise ArgumentError(f"query={query!r}: give one SELECT as text")
    if isinstance(params, (str, bytes)) or not isinstance(params, (Sequence, Mapping)):
        shown = " ".join(repr(params).split())[:80]
        raise ArgumentError(f"params={shown}: give a list of values, or a dict of them by name")
    if timeout is not None and (type(timeout) not in (int, float) or not 0 < timeout <= LONGEST_WAIT):
        raise ArgumentError(f"timeout={timeout!r}: give seconds, more than 0 and at most {LONGEST_WAIT:,}")
    require_number("max_rows", max_rows, 1)
    # In a thread of its own: in this thread, Ctrl-C would take effect only after the query has ended
    with ThreadPoolExecutor(1) as executor:
        try:
            running = executor.submit(_rows, connection, query, params, max_rows)
        except RuntimeError as error:  # the thread cannot be started
            raise QueryError(OUT_OF_MEMORY) from error
        try:
            wait([running], timeout)
        finally:
            expired = not running.done()
            while not running.done():
                connection.interrupt()
                wait([running], INTERRUPT_INTERVAL)
    try:
        return running.result()
    except (duckdb.Error, pa.ArrowException, OSError, MemoryError) as error:
        reason = first_line(error)
        if expired:
            message = f"the query took longer than {timeout:g} s; narrow it, or raise the timeout"
        elif isinstance(error, MemoryError) or reason.startswith("Out of Memory"):
            message = OUT_OF_MEMORY
        elif isinstance(error, (duckdb.CatalogException, duckdb.BinderException)):
            message = f"{reason.rstrip('!')}; {_advice(reason, query)}"
        else:
            message = reason
        raise QueryError(message) from error


def _advice(reason: str, query: str) -> str:
    """Return what to do about a name that the store does not have."""
    missing = _MISSING_COLUMN.search(reason)
    if missing and f'"{missing[1]}"' in query:
        return f"write text in single quotes ('{missing[1]}'); 'lexkit sql --schema' shows the columns"
    return "'lexkit sql --schema' shows the tables and views"


def _rows(
    connection: duckdb.DuckDBPyConnection,
    query: str,
    params: Sequence[Any] | Mapping[str, Any],
    max_rows: int | None,
) -> pa.Table:
    _require_single_select(connection, query)
    values = dict(params) if isinstance(params, Mapping) else list(params)
    return _rows_of(connection.sql(query, params=values), max_rows)


def _is_text(query: str) -> bool:
    """Whether *query* has no lone surrogates, which stand for bytes that are not UTF-8."""
    try:
        query.encode()
    except UnicodeEncodeError:
        return False
    return True


def _require_single_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Refuse everything except one SELECT, or EXPLAIN and one SELECT, with the help of DuckDB's own parser.

    EXPLAIN ANALYZE would run whatever follows it. So EXPLAIN is removed, and the parser judges the rest: none of its
    options, such as ANALYZE or (FORMAT json), can begin a SELECT.
    """
    first = _FIRST_WORD.match(query)
    assert first is not None  # the pattern also matches empty text
    is_explained = first[1].upper() == "EXPLAIN"
    judged = query[first.end() :] if is_explained else query
    try:
        statements = connection.extract_statements(judged)
    except duckdb.ParserException as error:
        if not is_explained:
            raise
        raise QueryError(f"EXPLAIN takes one SELECT and no options ({first_line(error)})") from error
    if len(statements) != 1:
        raise QueryError(f"{len(statements)} statements; give exactly one SELECT")
    # Some versions of DuckDB parse a PRAGMA as the SELECT that it stands for
    is_pragma = _FIRST_WORD.match(judged)[1].upper() == "PRAGMA"  # type: ignore[index]  # as above
    if is_pragma or statements[0].type != duckdb.StatementType.SELECT:
        name = "PRAGMA" if is_pragma else statements[0].type.name
        raise QueryError(f"{name} is refused; a store is read with one SELECT")


def _require_types_of_arrow(relation: duckdb.DuckDBPyRelation) -> None:
    """Refuse types that Arrow cannot represent, and whose values would therefore come out wrong."""
    for name, kind in zip(relation.columns, map(str, relation.types), strict=True):
        found = _NOT_OF_ARROW.search(_QUOTED.sub("", kind))
        if found:
            raise QueryError(f"column {name!r} has the type {found[0]}, which Arrow lacks; make it text with ::VARCHAR")


def _rows_of(relation: duckdb.DuckDBPyRelation, max_rows: int | None) -> pa.Table:
    _require_types_of_arrow(relation)
    # through Arrow's stream interface, which every version of DuckDB has; its errors are pa.ArrowException
    reader = pa.RecordBatchReader.from_stream(relation)
    batches, n_rows = [], 0
    for batch in reader:
        batches.append(batch)
        n_rows += batch.num_rows
        if max_rows is not None and n_rows > max_rows:
            raise QueryError(f"the query gives more than {max_rows:,} rows; add a LIMIT, or raise max_rows")
    return pa.Table.from_batches(batches, reader.schema)
