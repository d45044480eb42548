"""The command ``lexkit export``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from lexkit.arguments import LARGEST, user_path
from lexkit.cli.output import answer_options, json_option, print_json, quiet_option, store_option, store_path


@click.command()
@click.argument("folder", metavar="DIR")
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "jsonl", "csv"]),
    default="parquet",
    show_default=True,
    help="File format to write.",
)
@click.option("--tokenizer", metavar="X", help="Relations with the token ids of both words, and no evidence.")
@click.option("--max-tokens", type=click.IntRange(1, LARGEST), metavar="M", help="Only words of at most M tokens.")
@click.option(
    "--contested/--no-contested",
    default=None,
    help="Pairs known as both kinds.  [default: written; left out with --tokenizer]",
)
@click.option(
    "--licence-free-of",
    type=click.Choice(["nc"]),
    help="Leave out all that rests on sources for non-commercial use.",
)
@answer_options
@quiet_option
@json_option
@store_option
def export(folder: str, store: str, quiet: bool, as_json: bool, **options: Any) -> None:  # noqa: ANN401
    """Write relations and evidence to files in DIR, with a README that tells their licences.

    DIR is made, or replaced in one step if it is an earlier export. With --tokenizer the files are what distillation
    reads.

    \b
    Example:
      lexkit export thesaurus --licence-free-of nc
      lexkit export pairs --tokenizer meta-llama/Meta-Llama-3-8B --max-tokens 3
    """
    if options["max_tokens"] is not None and options["tokenizer"] is None:
        raise click.UsageError("--max-tokens wants --tokenizer.")
    path = store_path(store)
    from lexkit.store.export import export as export_store

    files = export_store(path, user_path(folder), **options)
    if as_json:
        print_json({"folder": folder, "files": files})
    elif not quiet:
        for file in files:
            click.echo(f"{Path(folder) / file.file}: {file.rows:,} rows, {file.bytes:,} bytes")
