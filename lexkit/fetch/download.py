"""Fetching a source of the catalogue into the cache: one process at a time, and only what is whole and checked.

The part of a broken download that has arrived stays beside the file, and the next run resumes there if the server's
file is still the same.
"""

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
from lexkit.fetch.http import Failure
from lexkit.fetch.partial_download import Part, Version
from lexkit.fetch.transfer import Patience, Transfer
from lexkit.fetch.unpack import is_unpacked, unpack
from lexkit.progress import Progress
from lexkit.sources.cache import FetchRecord, place_of, read_record, remove_record, write_record
from lexkit.sources.catalog import CatalogEntry, Download
from lexkit.sources.files import fingerprint

_MAGIC = {".gz": b"\x1f\x8b", ".bz2": b"BZh", ".zip": b"PK", ".xlsx": b"PK"}
_WEB_PAGE = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:!doctype\s+html|html)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Fetched:
    """A source in the cache."""

    source: str
    path: Path
    record: FetchRecord
    was_there: bool
    """Whether it was there before, so that nothing was fetched."""
    resumed_at: int
    """The byte from which an earlier run's download went on; 0 if from the beginning."""
    unpacked: Path | None
    """The folder that holds what was in the archive, if it is one."""


def fetch(
    entry: CatalogEntry,
    cache: Path,
    *,
    force: bool = False,
    progress: Progress | None = None,
    patience: Patience | None = None,
) -> Fetched:
    """Bring the file of a source into the cache, unless it is there.

    Args:
        entry: the source.
        cache: the folder; made if need be.
        force: fetch even if the file is there; it is replaced when the new one is whole.
        progress: shows the stages and the bytes.
        patience: when to give up.

    Raises:
        FetchError: no network, a server that refuses or keeps failing, a file that is not what the catalogue says,
            a disk that is full or cannot be written, or another process that is fetching the same file.
    """
    target = place_of(entry, cache)
    folder = cache / entry.to_fetch.unpack if entry.to_fetch.unpack else None
    # looked at before it is locked: a cache that cannot be written can still be complete
    there = None if force else _record_of(target, entry.to_fetch)
    if there is not None and (folder is None or is_unpacked(folder, there.sha256)):
        return Fetched(entry.name, target, there, True, 0, folder)
    with _cache_errors(target), _locked(target):
        record = None if force else _record_of(target, entry.to_fetch)
        was_there, resumed_at = record is not None, 0
        if record is None:
            record, resumed_at = _bring(entry, target, progress or Progress(), patience or Patience())
        if folder is not None:
            unpack(target, folder, record.sha256)
    return Fetched(entry.name, target, record, was_there, resumed_at, folder)


def _record_of(target: Path, download: Download) -> FetchRecord | None:
    record = read_record(target)
    if record is not None and download.sha256 not in (None, record.sha256):
        return None  # an older file than the catalogue knows
    return record


@contextmanager
def _locked(target: Path) -> Iterator[None]:
    target.parent.mkdir(parents=True, exist_ok=True)
    held = lock(target.with_name(f"{target.name}.lock"))
    if held is None:
        raise FetchError(f"{target}: another lexkit is fetching it; wait until that is done, or stop it, and try again")
    with held:
        yield


@contextmanager
def _cache_errors(target: Path) -> Iterator[None]:
    """Turn what the file system says into a message; network errors have become `Failure` before they get here."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            mend = "free some space, or choose another cache with --cache; then fetch again to resume"
        elif error.errno == errno.EFBIG:
            mend = "the file system or a limit (ulimit -f) allows no larger file; choose another cache with --cache"
        else:
            mend = "choose another cache with --cache or $LEXKIT_CACHE"
        raise FetchError(f"{target}: cannot be written ({reason}); {mend}") from error


def _bring(entry: CatalogEntry, target: Path, progress: Progress, patience: Patience) -> tuple[FetchRecord, int]:
    """Download, check, name and record the file; return the record, and the byte at which the download went on."""
    download, part = entry.to_fetch, Part(target)
    transfer = Transfer(download, part, progress, patience)
    try:
        transfer.run()
    except Failure as failure:
        kept = f"; {part.size():,} bytes are kept for the next try" if part.size() else ""
        raise FetchError(f"{download.url}: {failure.reason}; {_mend(failure, entry)}{kept}") from failure
    progress.stage(f"check {download.file}")
    version = part.version() or Version(download.url)
    digest, size = _check(part, download)
    record = FetchRecord(
        source=entry.name,
        url=download.url,
        sha256=digest,
        bytes=size,
        etag=version.etag,
        last_modified=version.last_modified,
        licence=entry.licence,
        licence_note=entry.licence_note,
        citation=entry.citation,
        fetched_at=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ"),
    )
    remove_record(target)
    part.publish()
    write_record(target, record)
    return record, transfer.resumed_at


def _mend(failure: Failure, entry: CatalogEntry) -> str:
    by_hand = f"see {entry.homepage}"
    if failure.is_offline:
        return "connect this machine, or fetch elsewhere and copy the cache here"
    if failure.status in (401, 403, 451):
        return f"the publisher does not serve this machine; {by_hand}"
    if failure.status in (404, 410):
        return f"the publisher has moved or removed it; {by_hand}"
    if failure.is_transient:
        return "fetch again later"
    return f"{by_hand} for what has changed there"


def _check(part: Part, download: Download) -> tuple[str, int]:
    """Return checksum and size of a part that has come whole; remove one that is not what it should be.

    Raises:
        FetchError: a web page, another kind of file than its name says, or not what the catalogue says.
    """
    with part.path.open("rb") as stream:
        start = stream.read(512)
    digest, size = fingerprint(part.path)
    wanted = _MAGIC.get(Path(download.file).suffix, b"")
    wrong = None
    if _WEB_PAGE.match(start):
        wrong = "a web page came instead of the file; something on the way, such as a login page, may have sent it"
    elif not size:
        wrong = "an empty file came; fetch again later"
    elif not start.startswith(wanted):
        wrong = f"what came is not a {Path(download.file).suffix} file; fetch again later"
    elif download.bytes not in (None, size):
        wrong = f"{size:,} bytes came, and the catalogue says {download.bytes:,}; fetch again, or update lexkit"
    elif download.sha256 not in (None, digest):
        wrong = f"its SHA-256 is {digest}, and the catalogue says {download.sha256}; fetch again, or update lexkit"
    if wrong is not None:
        part.discard()
        raise FetchError(f"{download.url}: {wrong}")
    return digest, size
