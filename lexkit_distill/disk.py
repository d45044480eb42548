"""A disk under a long run: full or not writable, which is one line, and of two runs in one folder only the first."""

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
"""The file in the output that says that a run is going on; it goes with the run."""
_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EROFS,
    errno.EACCES,
    errno.EIO,
    errno.EEXIST,  # a file where a folder is to be made, and in the way to one
    errno.ENOTDIR,
)
_NUMPY = ("free space", "requested and")
"""In the messages of NumPy, whose failures to write have no number."""


@contextmanager
def disk_failures(kind: type[LexkitError], place: Path, advice: str) -> Iterator[None]:
    """Context manager. If a file cannot be written in its block, raise one clear line instead.

    Args:
        kind: the error to raise.
        place: what is written, for failures that do not name a file.
        advice: what to do about it.
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
    """Return what the system says, or None if an error is not about the disk.

    Only Python's own errors have a number; others have the system's words.
    """
    if isinstance(error, OSError) and error.errno is not None:
        return os.strerror(error.errno) if error.errno in _ERRORS else None
    text = str(error)
    if type(error).__name__ == "OutOfMemoryException":  # of DuckDB: no room for what does not fit into memory
        return first_line(error)
    if isinstance(error, OSError) and any(words in text for words in _NUMPY):
        return text
    return next((words for words in map(os.strerror, _ERRORS) if words in text), None)


def read_json(path: Path, kind: type[LexkitError], advice: str) -> dict[str, Any]:
    """Return the object in a JSON file that lexkit wrote.

    Raises:
        LexkitError: of this *kind*, with the *advice*: the file is damaged.
        OSError: it cannot be read.
    """
    try:
        values = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except (ValueError, RecursionError) as error:
        raise kind(f"{path}: damaged ({first_line(error)}); {advice}") from error
    return values


def check_folder(folder: Path, kind: type[LexkitError], option: str = "--output") -> None:
    """Make sure that *folder* is a folder, or can become one.

    Raises:
        LexkitError: of this *kind*: it is a file.
    """
    if folder.exists() and not folder.is_dir():
        raise kind(f"{folder}: a file, not a folder; choose another {option}")


@contextmanager
def only_run(folder: Path, kind: type[LexkitError], option: str = "--output") -> Iterator[bool]:
    """Context manager. Make *folder*, and hold it as long as the block, or the process, lasts.

    Returns:
        Whether the folder is new. If it is still empty at the end, it is removed again.

    Raises:
        LexkitError: of this *kind*: another run holds it, it is a file, or it cannot be made.
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
