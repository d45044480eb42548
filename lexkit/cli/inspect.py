"""``lexkit stats`` and ``verify``."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from lexkit.cli.output import json_option, open_store, print_json, print_table, store_option, store_path
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
@click.option(
    "--tokenizer",
    "tokenizers",
    multiple=True,
    metavar="[NAME=]X",
    help="Cut the words again, and compare the spans: as for 'tokenize'. May be given several times.",
)
@json_option
@store_option
def verify(tokenizers: tuple[str, ...], as_json: bool, store: str) -> None:
    """Check that a store is whole: ids, references, evidence, counts, checksums, spans.

    A store does not hold its tokenizers, so spans are compared with those that are given. Exit code 1 if an error is
    found; warnings (W...) are only shown.

    \b
    Example:
      lexkit verify --store lexkit.duckdb
      lexkit verify --tokenizer mistral=models/7b/tokenizer.json
    """
    path = store_path(store)
    from lexkit.store.checks import CHECKS
    from lexkit.store.verify import verify_store
    from lexkit.tokens.loading import choose

    findings = verify_store(path, tokenizers)
    n_checks = len(CHECKS) + bool(tokenizers)
    not_compared = _names_of_tokenizers(store) - {choose(tokenizer).name for tokenizer in tokenizers}
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
    except LexkitError:  # without that table, which the checks have found
        return set()
