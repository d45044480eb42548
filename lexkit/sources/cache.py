"""Where fetched files lie, and how a command finds them.

``CACHE/SOURCE/FILE``, and beside it ``FILE.json``, its record. The record is written last: a file with one that
fits it is whole and checked.
"""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
import platformdirs

from lexkit.arguments import user_path
from lexkit.atomic_write import write_atomically
from lexkit.errors import FetchError, SourceError
from lexkit.sources.catalog import CatalogEntry, load_catalog
from lexkit.sources.plugins import option_of

FETCHED = "fetched"
"""What an option of `lexkit build` takes instead of a file, to mean the files in the cache."""
_ONE_IS_ENOUGH = ("wiktionary", "wordnet")
"""Kinds whose sources hold much the same."""

ENVIRONMENT = "LEXKIT_CACHE"


class FetchRecord(msgspec.Struct, frozen=True):
    """What is known of a fetched file."""

    source: str
    url: str
    sha256: str
    bytes: int
    etag: str | None
    last_modified: str | None
    licence: str
    licence_note: str
    citation: str
    fetched_at: str
    """UTC, ISO 8601."""


def cache_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Return *given*, else ``$LEXKIT_CACHE``, else where the system keeps caches; it need not exist yet."""
    named = os.fspath(given or "") or os.environ.get(ENVIRONMENT, "")
    return user_path(named) if named else Path(platformdirs.user_cache_dir("lexkit"))


def place_of(entry: CatalogEntry, cache: Path) -> Path:
    """Return where the file that is fetched of *entry* lies."""
    return cache / entry.name / entry.to_fetch.file


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def read_record(path: Path) -> FetchRecord | None:
    """Return the record of a fetched file, or None if *path* is not there whole.

    Raises:
        FetchError: the cache cannot be read.
    """
    try:
        record = msgspec.json.decode(_record_path(path).read_bytes(), type=FetchRecord)
        return record if path.stat().st_size == record.bytes else None
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: not JSON, not UTF-8, or other fields
        return None
    except OSError as error:
        raise FetchError(f"{path}: cannot be read ({error.strerror}); check the permissions of the cache") from error


def write_record(path: Path, record: FetchRecord) -> None:
    """Say that *path* is whole."""
    write_atomically(_record_path(path), msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def remove_record(path: Path) -> None:
    """Say nothing of *path* any more; called before its contents change."""
    _record_path(path).unlink(missing_ok=True)


def fetched(kind: str, language: str = "en", cache: Path | None = None) -> list[tuple[Path, FetchRecord]]:
    """Return the fetched files of reader *kind*, with their records, in the order of the catalogue.

    Of Wiktionary's sources that have words of *language*, and of the WordNets, only the first is returned, since they
    hold much the same.

    Raises:
        SourceError: there is none.
    """
    folder = cache_folder() if cache is None else cache
    entries = [entry for entry in load_catalog().source if entry.kind == kind and entry.language in (None, language)]
    found = []
    for entry in entries:
        path = place_of(entry, folder)
        if (record := read_record(path)) is not None:
            found.append((path, record))
    if not found:
        name = entries[0].name if entries and entries[0].language else kind
        fetch = f"fetch it with 'lexkit fetch {name}', or " if entries else ""
        raise SourceError(f"{folder}: {name} is not in the cache; {fetch}name a file with {option_of(kind)}")
    return found[:1] if kind in _ONE_IS_ENOUGH else found


def resolve(kind: str, file: str | os.PathLike[str], language: str = "en") -> list[tuple[Path, str]]:
    """Return the paths, and the names to record, of a file given for reader *kind*: itself, or what was fetched.

    What was fetched depends on the *language* whose words are wanted.

    Raises:
        SourceError: *file* is ``fetched``, and nothing of the kind is in the cache.
    """
    if os.fspath(file) != FETCHED:
        return [(Path(file), os.fspath(file))]
    # the address, not the path: a store may be read where this cache is not
    return [(path, record.url) for path, record in fetched(kind, language)]
