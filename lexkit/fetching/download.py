"""Download a source of the catalogue into the cache: one process at a time, and only complete, checked files."""

from __future__ import annotations

import datetime
import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from lexkit.atomic_write import lock
from lexkit.errors import FetchError
from lexkit.fetching.partial_download import Failure, PartialDownload, Patience
from lexkit.fetching.unpack import is_unpacked, unpack
from lexkit.progress import Progress
from lexkit.sources.cache import FetchRecord, cached_path, read_record, remove_record, write_record
from lexkit.sources.catalog import CatalogEntry, Download
from lexkit.sources.files import fingerprint

_MAGIC = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".zip": b"PK", ".xlsx": b"PK"}
_WEB_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)
_FREE_SPACE = "free some space, or choose another cache with --cache; then fetch again to resume"
_FIXES = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EFBIG: "the file system or a limit (ulimit -f) allows no larger file; choose another cache with --cache",
}


@dataclass(frozen=True)
class Fetched:
    """A source in the cache."""

    source: str
    path: Path
    record: FetchRecord
    was_there: bool
    """Whether the file was already in the cache, so that nothing was downloaded."""
    resumed_at: int
    """The byte at which the download of an earlier run was resumed; 0 if it started from the beginning."""
    unpacked: Path | None
    """The folder with the contents of the archive, if the file is one."""


def fetch_source(
    entry: CatalogEntry,
    cache: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Fetched:
    """Download the file of a source into the cache, unless it is already there.

    Args:
        entry: the source.
        cache: the cache folder, which is created if it does not exist.
        force: download even if the file is there; the new file replaces it once it is complete.
        progress: receives the stages and the number of bytes.
        patience: how often to retry and how long to wait.

    Raises:
        FetchError: the network does not answer, the server refuses or keeps failing, the file differs from what the
            catalogue says, the disk is full or cannot be written, or another process is downloading the same file.
    """
    target = cached_path(entry, cache)
    folder = cache / entry.to_fetch.unpack if entry.to_fetch.unpack else None
    # look before locking: a cache that cannot be written may still be complete
    there = None if force else _record_of(target, entry.to_fetch)
    if there is not None and (folder is None or is_unpacked(folder, there.sha256)):
        return Fetched(entry.name, target, there, True, 0, folder)
    with _locked(target):
        record, resumed_at = None if force else _record_of(target, entry.to_fetch), 0
        was_there = record is not None
        if record is None:
            record, resumed_at = _download(entry, target, progress or Progress(), patience or Patience())
        if folder is not None:
            unpack(target, folder, record.sha256)
    return Fetched(entry.name, target, record, was_there, resumed_at, folder)


def _record_of(target: Path, download: Download) -> FetchRecord | None:
    record = read_record(target)
    # if the checksum differs, the file is older than the catalogue
    return record if record is not None and download.sha256 in (None, record.sha256) else None


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    """Context manager. Keep other processes out, and turn errors of the file system into messages."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        held = lock(target.with_name(f"{target.name}.lock"))
        if held is None:
            raise FetchError(f"{target}: another lexkit process is fetching it; wait until it is done, or stop it")
        with held:
            yield
    except OSError as error:
        fix = _FIXES.get(error.errno or 0, "choose another cache with --cache or $LEXKIT_CACHE")
        raise FetchError(f"{target}: cannot be written ({error.strerror or error}); {fix}") from error


def _download(entry: CatalogEntry, target: Path, progress: Progress, patience: Patience) -> tuple[FetchRecord, int]:
    """Download, check, rename and record the file; return the record and the byte at which the download was resumed."""
    download = entry.to_fetch
    part = PartialDownload(download, target)
    try:
        part.complete(progress, patience)
    except Failure as failure:
        kept = f"; {part.size():,} bytes are kept for the next try" if part.size() else ""
        fix = failure.fix.format(homepage=entry.homepage)
        raise FetchError(f"{download.url}: {failure.reason}; {fix}{kept}") from failure
    progress.stage(f"check {download.file}")
    digest, size = fingerprint(part.path)
    if wrong := _difference(part.path, download, digest, size):
        part.discard()
        raise FetchError(f"{download.url}: {wrong}")
    record = FetchRecord(
        source=entry.name,
        url=download.url,
        sha256=digest,
        bytes=size,
        etag=part.version.etag if part.version else None,
        last_modified=part.version.last_modified if part.version else None,
        licence=entry.licence,
        licence_note=entry.licence_note,
        citation=entry.citation,
        fetched_at=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    remove_record(target)
    part.publish()
    write_record(target, record)
    return record, part.resumed_at


def _difference(path: Path, download: Download, digest: str, size: int) -> str | None:
    """Say how a downloaded file differs from what it should be, or return None if it does not."""
    with path.open("rb") as stream:
        start = stream.read(512)
    suffix = Path(download.file).suffix
    if _WEB_PAGE.match(start):
        return "received a web page instead of the file; log in if your network asks for it, then fetch again"
    if not size:
        return "received an empty file; fetch again later"
    if not start.startswith(_MAGIC.get(suffix, b"")):
        return f"received something that is not a {suffix} file; fetch again later"
    if download.bytes not in (None, size):
        return f"received {size:,} bytes, but the catalogue says {download.bytes:,}; fetch again, or update lexkit"
    if download.sha256 not in (None, digest):
        return f"its SHA-256 is {digest}, but the catalogue says {download.sha256}; fetch again, or update lexkit"
    return None
