"""The command ``lexkit report``."""

from __future__ import annotations

import click

from lexkit.arguments import LARGEST, user_path
from lexkit.cli.output import json_option, print_json, quiet_option, store_option, store_path
from lexkit.cli.progress import working
from lexkit.reporting import DEFAULT_LIMIT


@click.command()
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False),
    default="report.html",
    show_default=True,
    metavar="FILE",
    help="The page to write.",
)
@click.option(
    "--limit",
    type=click.IntRange(0, LARGEST),
    default=DEFAULT_LIMIT,
    show_default=True,
    metavar="N",
    help="Carry at most N relations to search and draw, those of the best-connected words.",
)
@quiet_option
@json_option
@store_option
def report(output: str, limit: int, quiet: bool, as_json: bool, store: str) -> None:
    """Write one self-contained page that shows a store: counts, sources, keep rates, every relation, a word's graph.

    It needs no network, and its counts no JavaScript. What exceeds --limit is left out of search and graph, and the
    page says so; the counts are always of the whole store.

    \b
    Example:
      lexkit report --output report.html
    """
    path = store_path(store)
    with working(quiet, "open the store") as progress:
        from lexkit.reporting.page import report as report_store

        written = report_store(path, user_path(output), limit=limit, progress=progress)
    if as_json:
        print_json(written)
    elif not quiet:
        click.echo(
            f"{written.path}: {written.carried:,} of {written.relations:,} relations, {written.bytes / 1e6:.1f} MB"
        )
