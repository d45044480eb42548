"""``lexkit stats`` and ``verify``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from lexkit.cli.output import json_option, open_store, print_json, print_table, store_option
from lexkit.errors import LexkitError

if TYPE_CHECKING:
    from lexkit.store.statistics import Statistics


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
