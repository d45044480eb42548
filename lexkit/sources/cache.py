"""Where downloaded files are stored, and how a command finds them.

A file is ``CACHE/SOURCE/FILE``, and ``FILE.json`` beside it is its record. The record is written last, so a file that
matches its record is complete and checked.
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
"""Value for options of `lexkit build` that stands for the files in the cache."""
_ONE_IS_ENOUGH = ("wiktionary", "wordnet")
"""Readers whose sources have mostly the same content, so that only the first is used."""

ENVIRONMENT = "LEXKIT_CACHE"


class FetchRecord(msgspec.Struct, frozen=True):
    """What lexkit records about a downloaded file."""

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
    """Time of the download in UTC, in ISO 8601 format."""


def cache_folder(given: str | os.PathLike[str] | None = None) -> Path:
    """Return *given*, or else ``$LEXKIT_CACHE``, or else the user's cache folder. It need not exist yet."""
    named = os.fspath(given or "") or os.environ.get(ENVIRONMENT, "")
    return user_path(named) if named else Path(platformdirs.user_cache_dir("lexkit"))


def cached_path(entry: CatalogEntry, cache: Path) -> Path:
    """Return the path in the cache of the file that is downloaded for *entry*."""
    return cache / entry.name / entry.to_fetch.file


def _record_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.json")


def read_record(path: Path) -> FetchRecord | None:
    """Return the record of a downloaded file, or None if *path* is missing or incomplete.

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
    """Write the record of *path*, which marks it as complete."""
    write_atomically(_record_path(path), msgspec.json.format(msgspec.json.encode(record), indent=2) + b"\n")


def remove_record(path: Path) -> None:
    """Delete the record of *path*; called before its contents change."""
    _record_path(path).unlink(missing_ok=True)


def fetched_files(kind: str, language: str = "en", cache: Path | None = None) -> list[tuple[Path, FetchRecord]]:
    """Return the downloaded files for reader *kind*, with their records, in the order of the catalogue.

    Of several WordNets, or several Wiktionary sources for *language*, only the first is returned, because their
    content is mostly the same.

    Raises:
        SourceError: the cache has no file for this reader.
    """
    folder = cache_folder() if cache is None else cache
    entries = [entry for entry in load_catalog().source if entry.kind == kind and entry.language in (None, language)]
    found = []
    for entry in entries:
        path = cached_path(entry, folder)
        if (record := read_record(path)) is not None:
            found.append((path, record))
    if not found:
        name = entries[0].name if entries and entries[0].language else kind
        fetch = f"fetch it with 'lexkit fetch {name}', or " if entries else ""
        raise SourceError(f"{folder}: {name} is not in the cache; {fetch}name a file with {option_of(kind)}")
    return found[:1] if kind in _ONE_IS_ENOUGH else found


def resolve_files(kind: str, file: str | os.PathLike[str], language: str = "en") -> list[tuple[Path, str]]:
    """Return the paths of a file given for reader *kind*, each with the name to record.

    If *file* is ``fetched``, these are the files in the cache for *language*; otherwise it is the file itself.

    Raises:
        SourceError: *file* is ``fetched``, but the cache has no file for this reader.
    """
    if os.fspath(file) != FETCHED:
        return [(Path(file), os.fspath(file))]
    # record the address, not the path: a store may be used on a machine without this cache
    return [(path, record.url) for path, record in fetched_files(kind, language)]
