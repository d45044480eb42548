"""``lexkit sql``, ``stats``, ``verify``."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lexkit.cli.output import (
    is_terminal,
    json_option,
    open_store,
    print_json,
    print_table,
    store_option,
    to_json,
)
from lexkit.errors import LexkitError

if TYPE_CHECKING:
    import pyarrow as pa

    from lexkit.store.statistics import Statistics

_SHOWN_ROWS = 1000


@click.command()
@click.argument("query", required=False)
@click.option(
    "--format",
    "form",
    type=click.Choice(["table", "csv", "json", "jsonl"]),
    help="How rows are printed.  [default: table on a terminal, csv otherwise]",
)
@click.option("--schema", is_flag=True, help="Show the tables and views instead of running a query.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=60,
    show_default=True,
    metavar="S",
    help="Give up after so many seconds.",
)
@store_option
def sql(query: str | None, form: str | None, schema: bool, timeout: float, store: str) -> None:
    """Run one SELECT over a store, read-only.

    \b
    Example:
      lexkit sql "SELECT antonym FROM antonyms WHERE word = 'kind'"
    """
    if schema == (query is not None):
        raise click.UsageError("Give a query, or --schema.")
    with open_store(store) as lexicon:
        if query is None:
            query = (
                "SELECT table_name AS name, string_agg(column_name || ' ' || data_type, ', ' ORDER BY ordinal_position)"
                " AS columns FROM information_schema.columns WHERE table_schema = 'main' GROUP BY ALL ORDER BY name"
            )
        table = lexicon.sql(query, timeout=timeout)
    _print_rows(table, form or ("table" if is_terminal(sys.stdout) else "csv"))


def _print_rows(table: pa.Table, form: str) -> None:
    names = table.column_names
    if form == "table":
        rows = [[_cell(row[i]) for i in range(len(names))] for row in _rows(table.slice(0, _SHOWN_ROWS))]
        print_table(None, names, rows)
        if table.num_rows > _SHOWN_ROWS:
            click.echo(f"{table.num_rows - _SHOWN_ROWS:,} rows more; --format csv prints them all", err=True)
    elif form == "csv":
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(value) for value in row] for row in _rows(table))
    elif form == "json":
        click.echo(to_json([dict(zip(names, row, strict=True)) for row in _rows(table)]))
    else:
        for row in _rows(table):
            click.echo(to_json(dict(zip(names, row, strict=True))))


def _rows(table: pa.Table) -> list[tuple[Any, ...]]:
    # by position, not to_pylist(): two columns may have one name
    columns = [column.to_pylist() for column in table.columns]
    return list(zip(*columns, strict=True)) if columns else []


def _cell(value: Any) -> str:  # noqa: ANN401
    if value is None:
        return ""
    if isinstance(value, (list, dict)):
        return to_json(value)
    return str(value)


@click.command()
@json_option
@store_option
def stats(as_json: bool, store: str) -> None:
    """Count words and relations by kind, source and derivation.

    \b
    Example:
      lexkit stats --json
    """
    with open_store(store) as lexicon:
        counts = lexicon.statistics()
    if as_json:
        print_json(counts)
    else:
        _print_statistics(counts)


def _print_statistics(counts: Statistics) -> None:
    totals = ("words", "words_in_relations", "evidence", "morphology", "negations")
    print_table("rows", ("what", "n"), [(name.replace("_", " "), getattr(counts, name)) for name in totals])
    print_table("relations", ("kind", "relations", "stated", "derived", "contested"), counts.kinds)
    print_table(
        "sources",
        ("source", "records", "rejected", "synonyms", "antonyms", "licence", "file"),
        [(row.source, *row[3:], row.licence or "", row.uri) for row in counts.sources],
    )
    print_table("derivations", ("rule", "synonyms", "antonyms", "contradicted"), counts.rules)
    print_table(
        "rejected",
        ("source", "reason", "n", "first"),
        counts.rejections,
    )


@click.command()
@json_option
@store_option
def verify(as_json: bool, store: str) -> None:
    """Check that a store is whole: ids, references, evidence, counts.

    Exit code 1 if an error is found; warnings (W...) are only shown.

    \b
    Example:
      lexkit verify --store lexkit.duckdb
    """
    from lexkit.store.verify import CHECKS, verify_store

    findings = verify_store(Path(store).expanduser())
    if as_json:
        print_json({"store": store, "checks": len(CHECKS), "findings": findings})
    elif findings:
        print_table(
            store,
            ("code", "check", "n", "example"),
            findings,
        )
    else:
        click.echo(f"{store}: {len(CHECKS)} checks, nothing found")
    errors = [finding.code for finding in findings if finding.code.startswith("E")]
    if errors:
        raise LexkitError(f"{store}: fails {', '.join(errors)}; build it again")
