"""One-line errors when the disk is full or not writable, and a lock that keeps two runs out of one output folder."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import msgspec

from lexkit.atomic_write import lock
from lexkit.errors import LexkitError, first_line

LOCK = ".lock"
"""Lock file in the output folder; deleted when the run ends."""
_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EIO,
    errno.EEXIST,  # a file in place of a folder; ENOTDIR: a file in place of a parent folder
    errno.ENOTDIR,
)
_NUMPY = ("free space", "requested and")
"""Phrases in NumPy's messages about failed writes, which have no errno."""


@contextmanager
def disk_failures(kind: type[LexkitError], place: Path, advice: str) -> Iterator[None]:
    """Context manager. If a file cannot be written in the block, raise a one-line error.

    Args:
        kind: type of the error.
        place: what is being written, for failures that do not name a file.
        advice: end of the message: how to fix it.
    """
    try:
        yield
    except LexkitError:
        raise
    except Exception as error:
        reason = disk_reason(error)
        if reason is None:
            raise
        name = error.filename if isinstance(error, OSError) else None
        raise kind(f"{name or place}: cannot be written ({reason}); {advice}") from error


def disk_reason(error: Exception) -> str | None:
    """Return the system's message if an error is about the disk, otherwise None.

    Python's own errors carry an errno; errors of other libraries are recognised by the system's words.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno in _ERRORS else None
    text = str(error)
    if type(error).__name__ == "OutOfMemoryException":  # DuckDB: no disk space left to spill to
        return first_line(error)
    if isinstance(error, OSError) and any(words in text for words in _NUMPY):
        return text
    return next((words for words in map(os.strerror, _ERRORS) if words in text), None)


def read_json(path: Path, kind: type[LexkitError], advice: str) -> dict[str, Any]:
    """Return the object in a JSON file that lexkit wrote.

    Raises:
        LexkitError: the file is damaged; the error is a *kind* and ends with *advice*.
        OSError: the file cannot be read.
    """
    try:
        values = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise kind(f"{path}: damaged ({first_line(error)}); {advice}") from error
    return values


def check_folder(folder: Path, kind: type[LexkitError], option: str = "--output") -> None:
    """Check that *folder* is a folder or does not exist.

    Raises:
        LexkitError: *folder* is a file; the error is a *kind*.
    """
    if folder.exists() and not folder.is_dir():
        raise kind(f"{folder}: a file, not a folder; choose another {option}")


@contextmanager
def lock_folder(folder: Path, kind: type[LexkitError], option: str = "--output") -> Iterator[bool]:
    """Context manager. Create *folder* and lock it until the block, or the process, ends.

    Yields:
        Whether the folder is new. A new folder that is still empty at the end is removed.

    Raises:
        LexkitError: another run holds the lock, *folder* is a file, or it cannot be created; the error is a *kind*.
    """
    check_folder(folder, kind, option)
    is_new = not folder.exists()
    with disk_failures(kind, folder, f"choose another {option}"):
        folder.mkdir(parents=True, exist_ok=True)
        held = lock(folder / LOCK)
    if held is None:
        raise kind(f"{folder}: another run is writing there; wait for it, or choose another {option}")
    with held:
        try:
            yield is_new
        finally:
            with suppress(OSError):
                (folder / LOCK).unlink(missing_ok=True)
                if is_new:
                    folder.rmdir()
