"""Writing so that a file under its own name is always whole, whenever the process or the machine stops."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


def sync(path: Path) -> None:
    """Have the system put a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_access(old: Path, new: Path) -> None:
    """Give a file, or a folder, the permissions and the owner of the one that it is about to replace, if there is one.

    Files in a folder get those of the file that has the same name there.
    """
    try:
        status = old.stat()
    except FileNotFoundError:
        return
    new.chmod(stat.S_IMODE(status.st_mode))
    with contextlib.suppress(PermissionError):  # only root may give a file away
        os.chown(new, status.st_uid, status.st_gid)
    if new.is_dir():
        for file in new.iterdir():
            keep_access(old / file.name, file)


@contextlib.contextmanager
def new_file(path: Path) -> Iterator[Path]:
    """Give a path to write a file to; when the block ends well, the file takes the name *path* in one step.

    If the block fails, *path* is what it was before, and nothing is left beside it. One writer at a time: the file
    beside it has a fixed name, so that a killed writer leaves one at most, which the next replaces.

    Raises:
        OSError: the folder is missing, not writable, or full.
    """
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.unlink(missing_ok=True)
        yield beside
        keep_access(path, beside)
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None and error.filename in (None, str(beside)):
            # under the name that the caller knows
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def write_atomically(path: Path, data: bytes) -> None:
    """Write a small file in one step: *path* holds what it held before, or all of *data*. One writer at a time.

    Raises:
        OSError: the folder is missing, not writable, or full.
    """
    with new_file(path) as beside:
        beside.write_bytes(data)


def write_json(path: Path, document: Any) -> None:  # noqa: ANN401
    """Write a JSON file in one step; dataclasses become objects. What commands print goes through `to_json` instead.

    Raises:
        OSError: as `write_atomically`.
    """
    write_atomically(path, (json.dumps(document, default=dataclasses.asdict, indent=2) + "\n").encode())


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Give a folder to write files into; when the block ends well, it takes the name *path*, whole.

    What has that name is removed just before. If the block fails, nothing is left beside it. One writer at a time.

    Raises:
        OSError: the parent is missing, not writable, or full.
    """
    beside = path.with_name(f"{path.name}.new")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir()
    try:
        yield beside
        for file in (*beside.rglob("*"), beside):
            sync(file)
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
        beside.replace(path)
        sync(path.parent)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def lock(path: Path, *, wait: bool = False) -> IO[bytes] | None:
    """Lock a file, which is made if it is not there, until it is closed or the process ends, however that ends.

    Whoever holds the lock may remove the file.

    Returns:
        The open file, or None if another has it locked and *wait* is false.

    Raises:
        OSError: the file cannot be made.
    """
    while True:
        with contextlib.ExitStack() as otherwise:
            file = otherwise.enter_context(path.open("ab"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):  # else its holder has removed it
                    otherwise.pop_all()
                    return file
