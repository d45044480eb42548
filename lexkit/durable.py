"""Writing so that a file under its own name is always whole, whenever the process or the machine stops."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def sync(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_whole(path: Path, data: bytes) -> None:
    """Write a small file in one step: *path* holds what it held before, or all of *data*.

    One writer at a time: the file beside it has a fixed name, so that a killed writer leaves one at most.

    Raises:
        OSError: the folder is missing, not writable, or full.
    """
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_bytes(data)
        sync(beside)
    except OSError as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        # under the name that the caller knows
        raise OSError(error.errno, error.strerror, str(path)) from error
    beside.replace(path)
    sync(path.parent)
