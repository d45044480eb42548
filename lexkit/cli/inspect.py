"""The commands ``lexkit stats`` and ``verify``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

from lexkit.cli.completion import complete_files
from lexkit.cli.output import (
    is_terminal,
    json_option,
    open_store,
    print_json,
    print_table,
    store_option,
    store_path,
)
from lexkit.cli.progress import working
from lexkit.errors import LexkitError

if TYPE_CHECKING:
    from lexkit.store.statistics import Statistics


@click.command()
@json_option
@store_option
def stats(as_json: bool, store: str) -> None:
    """Count words and relations by kind, source and derivation.

    On a terminal, there is a table for each kind of count. In a pipe, there is one table with one value per line:
    table, row, column, value.

    \b
    Example:
      lexkit stats --json
      lexkit stats | grep ^relations
    """
    with open_store(store) as lexicon:
        counts = lexicon.statistics()
    if as_json:
        print_json(counts)
    else:
        _print_statistics(counts)


def _print_statistics(counts: Statistics) -> None:
    totals = ("words", "words_in_relations", "evidence", "morphology", "negations")
    tables: list[tuple[str, tuple[str, ...], Sequence[Sequence[Any]]]] = [
        ("rows", ("what", "n"), [(name.replace("_", " "), getattr(counts, name)) for name in totals]),
        ("relations", ("kind", "relations", "stated", "derived", "contested"), counts.kinds),
        (
            "sources",
            ("source", "records", "rejected", "synonyms", "antonyms", "licence", "file"),
            [(row.source, *row[3:], row.licence or "", row.uri) for row in counts.sources],
        ),
        ("derivations", ("rule", "synonyms", "antonyms", "contradicted"), counts.rules),
        (
            "rejected",
            ("source and reason", "n", "first"),
            [(f"{row.source}: {row.reason}", row.n, row.example) for row in counts.rejections],
        ),
        (
            "tokenizers",
            ("tokenizer", "tokens", "synonyms of 3 tokens at most, %", "antonyms, %", "words without tokens"),
            [(name, size, *map(_percent, percents), lacking) for name, size, *percents, lacking in counts.tokenizers],
        ),
    ]
    if is_terminal(sys.stdout):
        for title, header, rows in tables:
            if rows:
                print_table(title, header, rows, paths=("file",))
        return
    values = [
        (title, str(row[0]), name, value)
        for title, header, rows in tables
        for row in rows
        for name, value in zip(header[1:], row[1:], strict=True)
    ]
    print_table(None, ("table", "row", "column", "value"), values)


def _percent(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


@click.command()
@click.option(
    "--tokenizer",
    "tokenizers",
    multiple=True,
    metavar="[NAME=]X",
    shell_complete=complete_files,
    help="Tokenizer, named as for 'tokenize'; split the words again and compare the spans. May be given several times.",
)
@json_option
@store_option
def verify(tokenizers: tuple[str, ...], as_json: bool, store: str) -> None:
    """Check that a store is intact: ids, references, evidence, counts, checksums and spans.

    A store does not contain its tokenizers, so spans are compared only with those given by --tokenizer. The exit code
    is 1 if an error is found; warnings (W...) do not change it.

    \b
    Example:
      lexkit verify --store lexkit.duckdb
      lexkit verify --tokenizer mistral=models/7b/tokenizer.json
    """
    path = store_path(store)
    with working(False, "open the store") as progress:
        from lexkit.store.checks import CHECKS
        from lexkit.store.verify import verify_store
        from lexkit.tokens.loading import parse_tokenizer

        findings = verify_store(path, tokenizers, progress=progress)
    n_checks = len(CHECKS) + bool(tokenizers)
    not_compared = _names_of_tokenizers(store) - {parse_tokenizer(tokenizer).name for tokenizer in tokenizers}
    if as_json:
        print_json({"store": store, "checks": n_checks, "findings": findings, "not_compared": sorted(not_compared)})
    elif findings:
        print_table(store, ("code", "check", "n", "example"), findings)
    else:
        click.echo(f"{store}: {n_checks} checks, nothing found")
    if not_compared and not as_json:
        names = ", ".join(sorted(not_compared))
        click.echo(f"note: the spans of {names} were not compared with their tokenizers; --tokenizer does", err=True)
    errors = [finding.code for finding in findings if finding.code.startswith("E")]
    if errors:
        raise LexkitError(f"{store}: fails {', '.join(errors)}; build it again")


def _names_of_tokenizers(store: str) -> set[str]:
    try:
        with open_store(store) as lexicon:
            return set(lexicon.tokenizers())
    except LexkitError:  # the table is missing, which the checks have reported
        return set()
