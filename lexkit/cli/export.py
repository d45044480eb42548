"""The command ``lexkit export``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from lexkit.arguments import LARGEST, user_path
from lexkit.cli.completion import complete_files, complete_folders, complete_tokenizers
from lexkit.cli.output import (
    answer_options,
    json_option,
    open_store,
    print_json,
    quiet_option,
    store_option,
    store_path,
)
from lexkit.cli.progress import working

if TYPE_CHECKING:
    from lexkit.store.export import Exported


@click.command()
@click.argument("folder", metavar="DIR", shell_complete=complete_folders)
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "jsonl", "csv", "lm-eval"]),
    default="parquet",
    show_default=True,
    help="File format to write. lm-eval: items on words, as tasks of lm-evaluation-harness.",
)
@click.option(
    "--tokenizer",
    metavar="X",
    shell_complete=complete_tokenizers,
    help="Relations with the token ids of both words, and no evidence.",
)
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
@click.option(
    "--heads",
    type=click.IntRange(12, LARGEST),
    metavar="N",
    help="With lm-eval: head words of each type of item, at most.  [default: 1000]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST),
    metavar="N",
    help="With lm-eval: which head words are drawn.  [default: 0]",
)
@click.option(
    "--text",
    metavar="FILE",
    shell_complete=complete_files,
    help="With lm-eval: running English text, for items in real sentences.",
)
@answer_options
@quiet_option
@json_option
@store_option
def export(
    folder: str,
    store: str,
    quiet: bool,
    as_json: bool,
    heads: int | None,
    seed: int | None,
    text: str | None,
    **options: Any,  # noqa: ANN401
) -> None:
    """Write relations and evidence to files in DIR, with a README that tells their licences.

    DIR is made, or replaced in one step if it is an earlier export. With --tokenizer the files are what distillation
    reads.

    \b
    Example:
      lexkit export thesaurus --licence-free-of nc
      lexkit export pairs --tokenizer meta-llama/Meta-Llama-3-8B --max-tokens 3
      lexkit export words --format lm-eval
    """
    if options["form"] == "lm-eval":
        _refuse_others()
        with working(quiet, "make items"):
            files = _items(store, folder, 1000 if heads is None else heads, seed or 0, text)
        _tell(folder, files, quiet, as_json)
        if text is not None and not any(file.file == "lexkit_substitution.yaml" for file in files):
            click.echo(f"note: {text} has no sentence in which a word can be replaced", err=True)
        return
    if (heads, seed, text) != (None, None, None):
        raise click.UsageError("--heads, --seed and --text go with --format lm-eval.")
    if options["max_tokens"] is not None and options["tokenizer"] is None:
        raise click.UsageError("--max-tokens wants --tokenizer.")
    path = store_path(store)
    with working(quiet, "open the store") as progress:
        from lexkit.store.export import export as export_store

        files = export_store(path, user_path(folder), **options, progress=progress)
    _tell(folder, files, quiet, as_json)


def _refuse_others() -> None:
    """Refuse options that items do not take, rather than pass over them."""
    context = click.get_current_context()
    taken = {"folder", "form", "heads", "seed", "text", "store", "quiet", "as_json"}
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in taken and context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} does not go with --format lm-eval.")


def _items(store: str, folder: str, heads: int, seed: int, text: str | None) -> list[Exported]:
    with open_store(store) as lexicon:
        from lexkit.probe.export import export_items
        from lexkit.sources.files import read_text

        running = None if text is None else read_text(user_path(text))
        return export_items(lexicon, user_path(folder), heads, seed, running)


def _tell(folder: str, files: list[Exported], quiet: bool, as_json: bool) -> None:
    if as_json:
        print_json({"folder": folder, "files": files})
    elif not quiet:
        for file in files:
            rows = f"{file.rows:,} rows, " if file.rows else ""
            click.echo(f"{Path(folder) / file.file}: {rows}{file.bytes:,} bytes")
