"""Download sources by their names: the function `lexkit.fetch`, which the command ``lexkit fetch`` calls."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from difflib import get_close_matches

from lexkit.arguments import require_list
from lexkit.errors import ArgumentError, FetchError
from lexkit.fetching.download import Fetched, fetch_source
from lexkit.progress import Progress
from lexkit.sources.cache import cache_folder
from lexkit.sources.catalog import CatalogEntry, load_catalog, select

_NAMES = (
    "wiktionary, wiktionary-LANGUAGE, kaikki-LANGUAGE, wiktionary-dump, roget, morpholex, oewn, wordnet, brown, all"
)


def fetch(
    names: str | Sequence[str],
    *,
    cache: str | os.PathLike[str] | None = None,
    force: bool = False,
    progress: Progress | None = None,
    when_fetched: Callable[[Fetched], None] | None = None,
) -> list[Fetched]:
    """Download sources from their publishers into the cache.

    A download that breaks resumes when it is asked for again, and a file gets its name only when it is whole and
    checked. If one source fails, the others are fetched before the error is raised. Afterwards,
    ``lexkit.build(roget="fetched")`` uses the file.

    Args:
        names: One name or several: ``"roget"``, ``["roget", "morpholex"]``. `lexkit sources` lists them;
            ``"roget"`` means both editions, ``"wiktionary-es"`` the Spanish Wiktionary, and ``"all"`` every source
            that is not for one language only.
        cache: Folder for the files. By default ``$LEXKIT_CACHE``, or else the user's cache folder.
        force: Fetch what is there already as well. The old file stays until the new one is whole.
        progress: Shows stages and bytes.
        when_fetched: Called with each source as soon as it is in the cache.

    Returns:
        One `Fetched` for each source, in the order of *names*: the file's path, its licence and citation, and whether
        it was there before.

    Raises:
        ArgumentError: The catalogue has no source of that name.
        FetchError: A server cannot be reached or refuses, a file is not what the catalogue says, or the cache cannot
            be written.
    """
    entries = find_entries(names)
    folder = cache_folder(cache)
    progress = progress or Progress()
    done: list[Fetched] = []
    failed: dict[str, FetchError] = {}
    try:
        for entry in entries:
            try:
                done.append(fetch_source(entry, folder, force=force, progress=progress))
            except FetchError as error:
                failed[entry.name] = error  # the other publishers may do better
                continue
            if when_fetched is not None:
                when_fetched(done[-1])
    finally:
        progress.close()
    if failed:
        first, *others = failed
        also = f" (and {', '.join(others)} failed as well)" if others else ""
        raise FetchError(f"{failed[first]}{also}") from failed[first]
    return done


def find_entries(names: str | Sequence[str]) -> list[CatalogEntry]:
    """Return the distinct sources for which *names* stand.

    Raises:
        ArgumentError: The catalogue has no source of that name; the message suggests others.
    """
    if not isinstance(names, str):
        require_list("names", names, "['roget']")
    entries: dict[str, CatalogEntry] = {}
    for name in [names] if isinstance(names, str) else names:
        found = select(name)
        if not found:
            raise ArgumentError(_message_for_unknown(name))
        entries.update({entry.name: entry for entry in found})
    return list(entries.values())


def _message_for_unknown(name: str) -> str:
    """Return the message for a name that is not in the catalogue, with suggestions."""
    sources = load_catalog().source
    kind, _, code = name.lower().partition("-")
    if kind in ("wiktionary", "kaikki") and code:
        # after the hyphen, users write a language's code, or the beginning of its name: spanish, sp
        near = [entry.name for entry in sources if code == entry.language]
        near = near or [entry.name for entry in sources if entry.title.lower().startswith(code)]
        near = [one for one in near if one.startswith(f"{kind}-")] or near
        instead = " or ".join((*near, "'lexkit fetch wiktionary', which has words of all languages"))
        return f"the catalogue has no file named {name!r}; use {instead}"
    near = get_close_matches(name.lower(), ["roget", "all", *(entry.name for entry in sources)], 1)
    return f"there is no {name!r}; {f'did you mean {near[0]}?' if near else f'there are {_NAMES}'}"
