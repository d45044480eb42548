"""The command ``lexkit fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lexkit.cli.completion import complete_folders
from lexkit.cli.output import json_option, print_json, print_table, quiet_option
from lexkit.cli.progress import show_progress
from lexkit.errors import ArgumentError, FetchError

if TYPE_CHECKING:
    from lexkit.fetching.download import Fetched


def _parse_names(ctx: click.Context, param: click.Parameter, names: tuple[str, ...]) -> tuple[str, ...]:
    """Report names of sources that do not exist as usage errors."""
    from lexkit.fetching.fetch import find_entries

    try:
        find_entries(names)
    except ArgumentError as error:
        message = str(error)
        raise click.BadParameter(message if message.endswith("?") else f"{message}.", ctx, param) from error
    return names


def _complete_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from lexkit.sources.catalog import load_catalog

    names = ["all", "roget", *(entry.name for entry in load_catalog().source)]
    return [name for name in names if name.startswith(incomplete)]


@click.command()
@click.argument("names", nargs=-1, metavar="[NAME]...", callback=_parse_names, shell_complete=_complete_names)
@click.option(
    "--cache",
    metavar="DIR",
    shell_complete=complete_folders,
    help="Folder for the files.  [env: LEXKIT_CACHE; default: the user's cache]",
)
@click.option("--force", is_flag=True, help="Download files again that are already in the cache.")
@quiet_option
@json_option
@click.pass_context
def fetch(
    ctx: click.Context, names: tuple[str, ...], cache: str | None, force: bool, quiet: bool, as_json: bool
) -> None:
    """Download sources from their publishers into the cache; without a name, list the cache.

    NAME is one of wiktionary, wiktionary-LANGUAGE, kaikki-LANGUAGE, wiktionary-dump, roget, morpholex, oewn,
    wordnet, brown and all. `wiktionary` is the English edition, with words of all languages, `wiktionary-es` the
    Spanish edition, and so on; `kaikki-es` has the Spanish words of the English edition; `roget` means both editions.
    To resume an interrupted download, run the command again. A file gets its final name only when it is complete and
    checked. `lexkit build --roget fetched` then uses it.

    \b
    Example:
      lexkit fetch roget morpholex
      lexkit fetch wiktionary-es
    """
    from lexkit.sources.cache import cache_folder

    folder = cache_folder(cache)
    if not names:
        _list(folder, as_json, quiet)
        return
    from lexkit.fetching.fetch import fetch as fetch_sources

    done: list[Fetched] = []
    failure: FetchError | None = None

    def tell(fetched: Fetched) -> None:
        done.append(fetched)
        if not (quiet or as_json):
            _print_fetched(fetched)

    try:
        fetch_sources(names, cache=folder, force=force, progress=show_progress(quiet), when_fetched=tell)
    except FetchError as error:
        failure = error  # raised after the sources that were fetched have been printed
    except KeyboardInterrupt:
        click.echo("error: interrupted; fetch again to resume", err=True)
        ctx.exit(130)
    if as_json:
        print_json({"cache": str(folder), "fetched": [_document(fetched) for fetched in done]})
    if failure is not None:
        raise failure


def _print_fetched(fetched: Fetched) -> None:
    from lexkit.sources.catalog import select
    from lexkit.sources.wiktionary.thesaurus import FIXED, is_old

    (entry,) = select(fetched.source)
    record = fetched.record
    how = f"fetched, resumed at byte {fetched.resumed_at:,}" if fetched.resumed_at else "fetched"
    if fetched.was_there:
        how = f"already fetched at {record.fetched_at}; --force fetches it again"
    click.echo(f"{fetched.source}  {how}\n  {fetched.path}  {record.bytes:,} bytes")
    if fetched.unpacked is not None:
        click.echo(f"  unpacked  {fetched.unpacked}")
    click.echo(f"  licence   {record.licence}: {record.licence_note}\n  cite      {record.citation}")
    if entry.note:
        click.echo(f"note: {entry.name}: {entry.note}", err=True)
    if entry.has_thesaurus and is_old(record.last_modified):
        why = f"made before {FIXED}, when wiktextract listed near-synonyms as antonyms; --force may fetch a newer one"
        click.echo(f"note: {entry.name}: {why}", err=True)


def _document(fetched: Fetched) -> dict[str, Any]:
    from msgspec import to_builtins

    paths = {"path": str(fetched.path), "unpacked": None if fetched.unpacked is None else str(fetched.unpacked)}
    return {**paths, "was_there": fetched.was_there, "resumed_at": fetched.resumed_at, **to_builtins(fetched.record)}


def _list(folder: Path, as_json: bool, quiet: bool) -> None:
    from lexkit.sources.cache import cached_path, read_record
    from lexkit.sources.catalog import load_catalog

    header = ("source", "fetched_at", "bytes", "licence", "path")
    rows: list[tuple[str, str | None, int | None, str, str]] = []
    for entry in load_catalog().source:
        path = cached_path(entry, folder)
        record = read_record(path)
        if record is not None:
            rows.append((entry.name, record.fetched_at, record.bytes, entry.licence, str(path)))
        elif entry.language is None:  # sources for single languages are too many to list
            rows.append((entry.name, None, None, entry.licence, str(path)))
    if as_json:
        print_json({"cache": str(folder), "sources": [dict(zip(header, row, strict=True)) for row in rows]})
    elif not quiet:
        cells = [["-" if cell is None else str(cell) for cell in row] for row in rows]
        print_table(str(folder), header, cells, paths=("path",))
