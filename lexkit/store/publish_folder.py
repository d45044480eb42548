"""Write a folder of files and give it its name in one step."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from lexkit.atomic_write import keep_access, sync
from lexkit.errors import StoreError
from lexkit.store.files import claimed_folder

_AT_FDCWD = -100
_RENAME_EXCHANGE = 2


@contextlib.contextmanager
def published_folder(target: Path, is_ours: Callable[[Path], bool]) -> Iterator[Path]:
    """Context manager. Yield an empty folder to write to; when the block succeeds, rename it to *target* in one step.

    If the block fails or the process is killed, *target* is unchanged. The next process removes what a killed one left
    beside the target. (On systems that cannot swap two folders, *target* does not exist for an instant.)

    Args:
        target: path that does not exist, or a folder that is empty or may be replaced.
        is_ours: decides whether a folder may be replaced.

    Raises:
        StoreError: the target is something else, its parent is missing or not writable, or the disk is full.
    """
    place = target.resolve()
    try:
        _check_target(target, place, is_ours)
        with claimed_folder(target, place) as folder:
            new = folder / "new"
            new.mkdir()
            yield new
            keep_access(place, new)
            for file in [*new.iterdir(), new]:
                sync(file)
            _take_name(new, place, folder / "old")
            sync(place.parent)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise
        raise StoreError(
            f"{target}: cannot be written ({error.strerror}); free disk space, or choose another folder"
        ) from error


def _check_target(target: Path, place: Path, is_ours: Callable[[Path], bool]) -> None:
    if not place.parent.is_dir():
        raise StoreError(f"{target}: the folder {target.parent} does not exist; make it, or choose another")
    if place.exists() and not place.is_dir():
        raise StoreError(f"{target}: a file; name a folder")
    if place.exists() and any(place.iterdir()) and not is_ours(place):
        raise StoreError(f"{target}: holds other files than an export, so it is left alone; choose another folder")


def _take_name(new: Path, place: Path, aside: Path) -> None:
    if not place.exists():
        new.rename(place)
    elif not _exchanged(new, place):
        place.rename(aside)
        new.rename(place)


def _exchanged(a: Path, b: Path) -> bool:
    """Swap two folders in one step, and return whether the system and the file system support it."""
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    done: int = renameat2(_AT_FDCWD, os.fsencode(a), _AT_FDCWD, os.fsencode(b), _RENAME_EXCHANGE)
    return done == 0
