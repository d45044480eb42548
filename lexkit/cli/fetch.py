"""The command ``lexkit fetch``."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lexkit.cli.output import json_option, print_json, print_table, quiet_option
from lexkit.cli.progress import show_progress
from lexkit.errors import FetchError
from lexkit.progress import Progress

if TYPE_CHECKING:
    from lexkit.fetch.download import Fetched
    from lexkit.sources.catalog import CatalogEntry

_NAMES = (
    "wiktionary, wiktionary-LANGUAGE, kaikki-LANGUAGE, wiktionary-dump, roget, morpholex, oewn, wordnet, brown, all"
)


def _parse_names(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> tuple[CatalogEntry, ...]:
    from lexkit.sources.catalog import select

    entries: dict[str, CatalogEntry] = {}
    for value in values:
        selected = select(value)
        if not selected:
            raise click.BadParameter(_other_than(value), ctx, param)
        entries.update({entry.name: entry for entry in selected})
    return tuple(entries.values())


def _other_than(name: str) -> str:
    """Say what there is instead of a source that does not exist."""
    from difflib import get_close_matches

    from lexkit.sources.catalog import load_catalog

    sources = load_catalog().source
    kind, _, code = name.lower().partition("-")
    if kind in ("wiktionary", "kaikki") and code:
        # what it is of is a code, wherever lexkit has that language, or the beginning of its name: spanish, sp
        near = [entry.name for entry in sources if code == entry.language]
        near = near or [entry.name for entry in sources if entry.title.lower().startswith(code)]
        near = [one for one in near if one.startswith(f"{kind}-")] or near
        instead = " or ".join((*near, "'lexkit fetch wiktionary', which has words of all languages"))
        return f"the catalogue has no file named {name!r}; use {instead}."
    near = get_close_matches(name.lower(), ["roget", "all", *(entry.name for entry in sources)], 1)
    return f"there is no {name!r}; {f'did you mean {near[0]}?' if near else f'there are {_NAMES}.'}"


@click.command()
@click.argument("entries", nargs=-1, metavar="[NAME]...", callback=_parse_names)
@click.option("--cache", metavar="DIR", help="Folder for the files.  [env: LEXKIT_CACHE; default: the user's cache]")
@click.option("--force", is_flag=True, help="Fetch what is there already as well.")
@quiet_option
@json_option
@click.pass_context
def fetch(
    ctx: click.Context, entries: tuple[CatalogEntry, ...], cache: str | None, force: bool, quiet: bool, as_json: bool
) -> None:
    """Download sources from their publishers into the cache; without a name, list what is there.

    NAME is one of wiktionary, wiktionary-LANGUAGE, kaikki-LANGUAGE, wiktionary-dump, roget, morpholex, oewn,
    wordnet, brown and all. `wiktionary` is the English edition, with words of all languages, `wiktionary-es` the
    Spanish one, and so on; `kaikki-es` has the Spanish words of the English one; `roget` means both editions. A
    download that breaks resumes when the command is run again, and a file gets its name only when it is whole and
    checked. Then `lexkit build --roget fetched` uses it.

    \b
    Example:
      lexkit fetch roget morpholex
      lexkit fetch wiktionary-es
    """
    from lexkit.sources.cache import cache_folder

    folder = cache_folder(cache)
    if not entries:
        _list(folder, as_json, quiet)
        return
    progress = show_progress(quiet)
    done: list[Fetched] = []
    failed: dict[str, FetchError] = {}
    try:
        for entry in entries:
            try:
                done.append(_fetch_one(entry, folder, force, progress, silent=quiet or as_json))
            except FetchError as error:
                failed[entry.name] = error  # the other publishers may do better
    except KeyboardInterrupt:
        click.echo("error: interrupted; fetch again to resume", err=True)
        ctx.exit(130)
    finally:
        progress.close()
    if as_json:
        print_json({"cache": str(folder), "fetched": [_document(fetched) for fetched in done]})
    if failed:
        first, *others = failed
        also = f" (and {', '.join(others)} failed as well)" if others else ""
        raise FetchError(f"{failed[first]}{also}")


def _fetch_one(entry: CatalogEntry, folder: Path, force: bool, progress: Progress, silent: bool) -> Fetched:
    from lexkit.fetch.download import fetch as fetch_source

    fetched = fetch_source(entry, folder, force=force, progress=progress)
    if not silent:
        click.echo("\n".join(_summary(fetched)))
        for note in _notes(entry, fetched):
            click.echo(f"note: {entry.name}: {note}", err=True)
    return fetched


def _notes(entry: CatalogEntry, fetched: Fetched) -> list[str]:
    from lexkit.sources.wiktionary.thesaurus import FIXED, is_old

    notes = [entry.note] if entry.note else []
    if entry.has_thesaurus and is_old(fetched.record.last_modified):
        notes.append(
            f"made before {FIXED}, when wiktextract listed near-synonyms among antonyms; --force may get a new one"
        )
    return notes


def _summary(fetched: Fetched) -> list[str]:
    record = fetched.record
    if fetched.was_there:
        how = f"already there since {record.fetched_at}; --force fetches it again"
    else:
        how = f"fetched, from byte {fetched.resumed_at:,} on" if fetched.resumed_at else "fetched"
    lines = [
        f"{fetched.source}  {how}",
        f"  {fetched.path}  {record.bytes:,} bytes",
        f"  licence   {record.licence}: {record.licence_note}",
        f"  cite      {record.citation}",
    ]
    if fetched.unpacked is not None:
        lines.insert(2, f"  unpacked  {fetched.unpacked}")
    return lines


def _document(fetched: Fetched) -> dict[str, Any]:
    import msgspec

    return {
        "source": fetched.source,
        "path": str(fetched.path),
        "unpacked": None if fetched.unpacked is None else str(fetched.unpacked),
        "was_there": fetched.was_there,
        "resumed_at": fetched.resumed_at,
        **msgspec.structs.asdict(fetched.record),
    }


def _list(folder: Path, as_json: bool, quiet: bool) -> None:
    from lexkit.sources.cache import place_of, read_record
    from lexkit.sources.catalog import load_catalog

    rows = []
    for entry in load_catalog().source:
        record = read_record(place_of(entry, folder))
        if record is None and entry.language is not None:
            continue  # one of many
        rows.append(
            {
                "source": entry.name,
                "fetched_at": None if record is None else record.fetched_at,
                "bytes": None if record is None else record.bytes,
                "licence": entry.licence,
                "path": str(place_of(entry, folder)),
            }
        )
    if as_json:
        print_json({"cache": str(folder), "sources": rows})
    elif not quiet:
        header = tuple(rows[0])
        print_table(
            str(folder), header, [["-" if row[key] is None else str(row[key]) for key in header] for row in rows]
        )
