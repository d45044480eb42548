"""Write files and folders atomically.

A file under its final name is always complete, whenever the process or the machine stops.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import fcntl
import json
import os
import shutil
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any


def sync(path: Path) -> None:
    """Flush a file, or the entries of a folder, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_access(old: Path, new: Path) -> None:
    """Give a file or folder the permissions and the owner of the one that it is about to replace, if that exists.

    Each file in a folder gets those of the file of the same name in the old folder.
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


def require_replaceable(path: Path) -> None:
    """Raise `OSError` if something other than a file is at *path*; renaming would replace even /dev/null."""
    if path.exists() and not path.is_file():
        raise OSError(errno.EINVAL, "a folder, a pipe or a device, which a file cannot replace", str(path))


@contextlib.contextmanager
def new_file(path: Path, *, beside_name: str | None = None) -> Iterator[Path]:
    """Context manager. Yield a temporary path to write to; when the block succeeds, rename it to *path* in one step.

    If the block fails, *path* is unchanged and nothing is left beside it. Only one process may write at a time: the
    temporary file has a fixed name, so a killed writer leaves at most one behind, and the next writer replaces it.
    If *path* is a link to a file, that file is replaced.

    Args:
        path: the file to write.
        beside_name: name of the temporary file, if not that of *path* with ``.new``.

    Raises:
        OSError: the folder is missing, not writable, or full, or *path* is a folder, a pipe or a device.
    """
    require_replaceable(path)
    asked, path = path, path.resolve()
    beside = path.with_name(beside_name or f"{path.name}.new")
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
            # name the path that the caller knows, not the temporary one
            raise OSError(error.errno, os.strerror(error.errno), str(asked)) from error
        raise


def write_atomically(path: Path, data: bytes, *, is_shared: bool = False) -> None:
    """Write a small file in one step: *path* holds its old contents or all of *data*.

    Args:
        path: the file to write.
        data: its contents.
        is_shared: whether several processes or threads may write it at once, of which the last one stays; one that is
            killed then leaves a file that nobody removes.

    Raises:
        OSError: the folder is missing, not writable, or full.
    """
    name = f".{path.resolve().name}.{threading.get_native_id()}.new" if is_shared else None
    with new_file(path, beside_name=name) as beside:
        beside.write_bytes(data)


def write_json(path: Path, document: Any) -> None:  # noqa: ANN401
    """Write a JSON file in one step; dataclasses become objects. Commands print JSON with `to_json` instead.

    Raises:
        OSError: as `write_atomically`.
    """
    write_atomically(path, (json.dumps(document, default=dataclasses.asdict, indent=2) + "\n").encode())


@contextlib.contextmanager
def new_folder(path: Path) -> Iterator[Path]:
    """Context manager. Yield a temporary folder to write files into; when the block succeeds, rename it to *path*.

    An existing file or folder *path* is removed just before the renaming. If the block fails, nothing is left beside
    *path*. Only one process may write at a time.

    Raises:
        OSError: the parent is missing, not writable, or full, or *path* is a pipe or a device.
    """
    if not path.is_dir():
        require_replaceable(path)
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
    """Lock a file until it is closed or the process ends, in whatever way. The file is created if it does not exist.

    The process that holds the lock may remove the file.

    Returns:
        The open file, or None if another process holds the lock and *wait* is false.

    Raises:
        OSError: the file cannot be created.
    """
    while True:
        with contextlib.ExitStack() as stack:
            file = stack.enter_context(path.open("ab"))
            try:
                fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return None
            with contextlib.suppress(FileNotFoundError):
                if os.path.samestat(os.fstat(file.fileno()), path.stat()):  # the last holder may have removed it
                    stack.pop_all()
                    return file
