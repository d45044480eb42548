"""The command ``lexkit sql``, which can run queries from untrusted sources."""

from __future__ import annotations

import csv
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lexkit.arguments import LARGEST, LONGEST_WAIT
from lexkit.cli.output import FiniteRange, is_terminal, open_store, print_table, read_lines, store_option, to_json
from lexkit.errors import QueryError
from lexkit.safe_output import printable

if TYPE_CHECKING:
    import pyarrow as pa

_SHOWN_ROWS = 1000
_GRACE = 5.0
"""Seconds that a query has to stop after an interrupt, which DuckDB cannot do inside a single function call."""


@click.command()
@click.argument("query", required=False, metavar="[QUERY | -]")
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "jsonl"]),
    help="Output format.  [default: table on a terminal, csv otherwise]",
)
@click.option("--schema", is_flag=True, help="Show the tables and views instead of running a query.")
@click.option(
    "--timeout",
    type=FiniteRange(0, LONGEST_WAIT, min_open=True),
    default=60,
    show_default=True,
    metavar="S",
    help="Stop the query after S seconds.",
)
@click.option(
    "--max-rows",
    type=click.IntRange(1, LARGEST),
    default=1_000_000,
    show_default=True,
    metavar="N",
    help="Most rows of a result; a query with more is refused.",
)
@click.option(
    "--memory",
    type=click.IntRange(64, 1 << 24),
    default=2048,
    show_default=True,
    metavar="MIB",
    help="Most memory of a query, in MiB; a query that needs more is stopped (only on Linux).",
)
@store_option
def sql(
    query: str | None, form: str | None, schema: bool, timeout: float, max_rows: int, memory: int, store: str
) -> None:
    """Run one SELECT on a store, read-only.

    The query is read from standard input if it is '-', or if none is given and standard input is not a terminal. A
    query from an untrusted source can do no harm: it can read only the store, changes nothing, and is stopped if it
    takes too long, needs too much memory or returns too many rows. Tables and CSV show values as DuckDB writes them:
    true, [a, b]. NULL is an empty field.

    \b
    Example:
      lexkit sql "SELECT antonym FROM antonyms WHERE word = 'kind'"
      lexkit sql --format json < query.sql
    """
    if query == "-" or (query is None and not schema and not is_terminal(sys.stdin)):
        query = "\n".join(read_lines()).strip() or None
    if schema == (query is not None):
        raise click.UsageError("Give a query, as an argument or on standard input, or --schema.")
    with open_store(store) as lexicon:
        if query is None:
            query = (
                "SELECT table_name AS name, string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position)"
                " AS columns FROM information_schema.columns WHERE table_schema = 'main' GROUP BY ALL ORDER BY name"
            )
        # The watchdog starts first, because without memory, starting a thread may never return. It ends before
        # printing, because a slow reader is not a slow query
        with _memory_failures(), _watchdog(timeout), _memory_limit(memory):
            table = lexicon.sql(query, timeout=timeout, max_rows=max_rows)
        with _memory_failures(), _memory_limit(memory):
            _print_rows(table, form or ("table" if is_terminal(sys.stdout) else "csv"))


@contextmanager
def _watchdog(timeout: float) -> Iterator[None]:
    """Context manager. End the process if the block cannot be interrupted in time."""
    watchdog = threading.Timer(timeout + _GRACE, _end, [timeout])
    watchdog.daemon = True
    watchdog.start()
    try:
        yield
    finally:
        watchdog.cancel()


def _end(timeout: float) -> None:
    # Not with click.echo, which may wait for a lock that the hanging thread holds
    sys.stderr.write(f"error: the query took longer than {timeout:g} s; narrow it, or raise --timeout\n")
    sys.stderr.flush()
    os._exit(1)


@contextmanager
def _memory_failures() -> Iterator[None]:
    """Context manager. Report a lack of memory in one line.

    Raises:
        QueryError: there was not enough memory, for a thread or for anything else.
    """
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if not isinstance(error, MemoryError) and "start new thread" not in str(error):
            raise
        from lexkit.store.query import OUT_OF_MEMORY

        raise QueryError(OUT_OF_MEMORY) from error


@contextmanager
def _memory_limit(memory: int) -> Iterator[None]:
    """Context manager. Allow the process *memory* MiB more than it has now.

    DuckDB's own limit does not include the result and the strings that functions make.
    """
    try:
        import resource
    except ImportError:  # Windows
        yield
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
    wanted = _data_size() + (memory << 20)
    resource.setrlimit(resource.RLIMIT_DATA, (wanted if soft < 0 else min(wanted, soft), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_DATA, (soft, hard))


def _data_size() -> int:
    """Return how many bytes of this process count towards RLIMIT_DATA, or 0 if the system is not Linux."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[5]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0


def _print_rows(table: pa.Table, form: str) -> None:
    names = table.column_names
    if form in ("json", "jsonl"):
        _require_own_names(names)
    if form == "table":
        print_table(None, names, _text_rows(table.slice(0, _SHOWN_ROWS)))
        if table.num_rows > _SHOWN_ROWS:
            click.echo(f"{table.num_rows - _SHOWN_ROWS:,} more rows; --format csv prints them all", err=True)
    elif form == "csv":
        # made printable here, because Python 3.10 cannot write a NUL
        rows = [list(map(printable, row)) for row in (names, *_text_rows(table))]
        csv.writer(sys.stdout, lineterminator="\n").writerows(rows)
    elif form == "json":
        click.echo(to_json([dict(zip(names, row, strict=True)) for row in _rows(table)]))
    else:
        for row in _rows(table):
            click.echo(to_json(dict(zip(names, row, strict=True))))


def _require_own_names(names: list[str]) -> None:
    """Refuse columns with the same name, because a JSON object can only keep one of them."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise QueryError(
            f"{names.count(twice[0])} columns are named {twice[0]!r}, of which JSON would keep only one; "
            "rename them with AS, or use --format csv"
        )


def _text_rows(table: pa.Table) -> list[tuple[str, ...]]:
    """Return the rows with values as DuckDB writes them to CSV files (true, [a, b]), and empty strings for NULL."""
    import duckdb

    # by position, because two columns may have the same name
    columns = [f"c{place}" for place in range(table.num_columns)]
    texts = ", ".join(f"coalesce({column}::VARCHAR, '')" for column in columns)
    with duckdb.connect(config={"threads": 1}) as connection:
        connection.register("result", table.rename_columns(columns))
        try:
            return connection.execute(f"SELECT {texts} FROM result").fetchall()
        except duckdb.OutOfMemoryException as error:
            raise MemoryError from error


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    # by position instead of to_pylist(), because two columns may have the same name
    columns = [_values(column, name) for column, name in zip(table.columns, table.column_names, strict=True)]
    return list(zip(*columns, strict=True)) if columns else []


def _values(column: pa.ChunkedArray, name: str) -> list[Any]:
    try:
        if _has_midnight_at_the_end(column):
            raise ValueError("Python would convert it to 00:00:00")
        return column.to_pylist()  # type: ignore[no-any-return]
    except (ValueError, OverflowError) as error:  # also for DATE 'infinity' and years after 9999
        raise QueryError(
            f"column {name!r} has a value that cannot be printed, such as a date after 9999 or the time 24:00:00; "
            "convert it to text with ::VARCHAR"
        ) from error


def _has_midnight_at_the_end(column: pa.ChunkedArray) -> bool:
    """Return whether one of the times is 24:00:00, which Python cannot represent."""
    import pyarrow as pa
    import pyarrow.compute as pc

    if not pa.types.is_time64(column.type):
        return False
    day = 86_400 * (10**6 if column.type.unit == "us" else 10**9)
    latest: int | None = pc.max(column.cast("int64")).as_py()
    return latest is not None and latest >= day
