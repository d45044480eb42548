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
    help="Path of the page.",
)
@click.option(
    "--limit",
    type=click.IntRange(0, LARGEST),
    default=DEFAULT_LIMIT,
    show_default=True,
    metavar="N",
    help="Most relations that can be searched and drawn in the page, those of the best-connected words first.",
)
@quiet_option
@json_option
@store_option
def report(output: str, limit: int, quiet: bool, as_json: bool, store: str) -> None:
    """Write a self-contained page about a store: counts, sources, keep rates, all relations, and graphs of words.

    The page needs no network, and its counts need no JavaScript. Relations beyond --limit cannot be searched or drawn,
    and the page says so; counts are always those of the whole store.

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
