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
from lexkit.errors import HubError

if TYPE_CHECKING:
    from lexkit.store.export import Exported


@click.command()
@click.argument("folder", metavar="DIR", shell_complete=complete_folders)
@click.option(
    "--format",
    "form",
    type=click.Choice(["parquet", "jsonl", "csv", "sqlite", "lm-eval"]),
    default="parquet",
    show_default=True,
    help="File format to write; sqlite is one file, and lm-eval writes items on words as tasks of "
    "lm-evaluation-harness.",
)
@click.option(
    "--tokenizer",
    metavar="X",
    shell_complete=complete_tokenizers,
    help="Tokenizer of the store; write relations with the token ids of both words, and no evidence.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(1, LARGEST),
    metavar="M",
    help="Write only pairs whose words both have at most M tokens; needs --tokenizer.",
)
@click.option(
    "--contested/--no-contested",
    default=None,
    help="Write, or leave out, pairs that are both synonyms and antonyms.  [default: written; left out with "
    "--tokenizer]",
)
@click.option(
    "--licence-free-of",
    type=click.Choice(["nc"]),
    help="Leave out everything that depends on sources with a non-commercial licence.",
)
@click.option(
    "--heads",
    type=click.IntRange(12, LARGEST),
    metavar="N",
    help="Most head words for each type of item, with lm-eval.  [default: 1000]",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LARGEST),
    metavar="N",
    help="Seed for drawing head words, with lm-eval.  [default: 0]",
)
@click.option(
    "--text",
    metavar="FILE",
    shell_complete=complete_files,
    help="English text from which to take sentences for items, with lm-eval.",
)
@click.option(
    "--push-to-hub",
    metavar="REPO",
    help="Also upload the files to this data set on the Hugging Face hub (needs lexkit[hub]).",
)
@click.option("--private", is_flag=True, help="Make the data set private; needs --push-to-hub.")
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
    push_to_hub: str | None,
    private: bool,
    **options: Any,  # noqa: ANN401
) -> None:
    """Write relations and evidence to files in DIR, with a README that lists their licences.

    DIR is created; if it is an earlier export, it is replaced in one step. With --tokenizer, the files are the input
    for distillation.

    \b
    Example:
      lexkit export thesaurus --licence-free-of nc
      lexkit export pairs --tokenizer meta-llama/Meta-Llama-3-8B --max-tokens 3
      lexkit export words --format lm-eval
      lexkit export thesaurus --push-to-hub someone/thesaurus --private
    """
    if private and push_to_hub is None:
        raise click.UsageError("--private needs --push-to-hub.")
    if push_to_hub is not None:
        _check_hub(push_to_hub)
    if options["form"] == "lm-eval":
        _refuse_others()
        with working(quiet, "make items"):
            files = _items(store, folder, 1000 if heads is None else heads, seed or 0, text)
        if text is not None and not any(file.file == "lexkit_substitution.yaml" for file in files):
            click.echo(
                f"note: there are no substitution items: {text} has too few words that this store can replace to "
                "balance the options by frequency; give a longer text",
                err=True,
            )
    else:
        files = _tables(store, folder, (heads, seed, text), options, quiet)
    address = None
    if push_to_hub is not None:
        if not quiet:
            _note_licences(store, options["licence_free_of"])
            click.echo(f"uploading {folder} to {push_to_hub} ...", err=True)
        address = _push(folder, push_to_hub, private, files)
    if as_json:
        print_json({"folder": folder, "files": files, **({"uploaded_to": address} if address else {})})
    elif not quiet:
        _print(folder, files)
        if address:
            click.echo(address)


def _tables(
    store: str,
    folder: str,
    of_items: tuple[int | None, int | None, str | None],
    options: dict[str, Any],
    quiet: bool,
) -> list[Exported]:
    if of_items != (None, None, None):
        raise click.UsageError("--heads, --seed and --text need --format lm-eval.")
    if options["max_tokens"] is not None and options["tokenizer"] is None:
        raise click.UsageError("--max-tokens needs --tokenizer.")
    path = store_path(store)
    with working(quiet, "open the store") as progress:
        from lexkit.store.export import export as export_store

        return export_store(path, user_path(folder), **options, progress=progress)


def _check_hub(name: str) -> None:
    """Check that an upload is possible before anything is exported."""
    from lexkit.hub import check_upload

    try:
        check_upload(name)
    except HubError as error:
        raise HubError(f"--push-to-hub {name}: {error}") from error


def _push(folder: str, name: str, private: bool, files: list[Exported]) -> str:
    from huggingface_hub.utils.tqdm import disable_progress_bars

    from lexkit.hub import upload
    from lexkit.probe.export import ITEM_FILES
    from lexkit.store.readme import TABLE_FILES

    # lexkit prints one line about the upload; the client's progress bars would break --quiet and --json
    disable_progress_bars()
    new = {file.file for file in files}
    old = [file for file in (*TABLE_FILES, *ITEM_FILES) if file not in new]
    try:
        return upload(user_path(folder), name, "dataset", private=private, ignore=["__pycache__/*"], replace=old)
    except HubError as error:
        raise HubError(
            f"--push-to-hub {name}: not uploaded ({error}); the export is in {folder}, and "
            f"'hf upload {name} {folder} --repo-type dataset' uploads it"
        ) from error


def _note_licences(store: str, free_of: str | None) -> None:
    """Print notes about licences that users should consider before they publish data."""
    from lexkit.sources.catalog import is_non_commercial

    with open_store(store) as lexicon:
        rows = lexicon.sql("SELECT source, licence FROM source ORDER BY source").to_pylist()
    unknown = [row["source"] for row in rows if row["licence"] is None]
    restricted = [row["source"] for row in rows if is_non_commercial(row["licence"])]
    if unknown:
        click.echo(
            f"note: lexkit does not know the licence of {', '.join(unknown)}; publish only what you may publish",
            err=True,
        )
    if restricted and free_of is None:
        click.echo(
            f"note: {', '.join(restricted)} may not be used commercially, and neither may the data set; "
            "--licence-free-of nc leaves these sources out",
            err=True,
        )


def _refuse_others() -> None:
    """Refuse options that do not apply to items, instead of ignoring them."""
    context = click.get_current_context()
    taken = {"folder", "form", "heads", "seed", "text", "push_to_hub", "private", "store", "quiet", "as_json"}
    for parameter in context.command.params:
        name = parameter.name or ""
        if name not in taken and context.get_parameter_source(name) == ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{parameter.opts[0]} cannot be used with --format lm-eval.")


def _items(store: str, folder: str, heads: int, seed: int, text: str | None) -> list[Exported]:
    with open_store(store) as lexicon:
        from lexkit.probe.export import export_items
        from lexkit.sources.files import read_text

        running = None if text is None else read_text(user_path(text))
        return export_items(lexicon, user_path(folder), heads, seed, running)


def _print(folder: str, files: list[Exported]) -> None:
    for file in files:
        rows = f"{file.rows:,} rows, " if file.rows else ""
        click.echo(f"{Path(folder) / file.file}: {rows}{file.bytes:,} bytes")
