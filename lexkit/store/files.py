"""Open, recognise and atomically replace the files of stores."""

from __future__ import annotations

import contextlib
import datetime
import errno
import fcntl
import glob
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import duckdb

from lexkit import __version__
from lexkit.atomic_write import keep_access, lock, sync
from lexkit.errors import ArgumentError, StoreError, first_line
from lexkit.store.file_check import check_store_file, has_duckdb_header, require_text

SCHEMA_VERSION = 2
_MEMORY = "1GiB"
_READABLE_SINCE = "v1.0.0"
"""The oldest DuckDB that can read a store. By default, DuckDB writes files that only its own or later versions read."""
_CATALOG = "store"
_LOCK = "lock"


def open_read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a store for reading, locked down: no other files, no extensions, no changes of settings.

    The store is attached to an in-memory database of its own. If it were opened by its path, DuckDB would return the
    file that another part of the process still has open, even if a build has replaced it in the meantime.

    Raises:
        StoreError: the file is missing, not a lexkit store, of another schema version, or opened by a writer.
    """
    check_store_file(path)
    try:
        connection = _attached_whole(path)
    except (duckdb.Error, OSError) as error:
        raise StoreError(
            f"{path}: cannot be opened ({first_line(error)}); build it again or close the writer"
        ) from error
    try:
        _check_schema(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


@contextlib.contextmanager
def reading(path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """Context manager. Open a store with `open_read_only` for lexkit's own queries, which only damage can make fail.

    Raises:
        StoreError: as for `open_read_only`, or the store is damaged.
    """
    with open_read_only(path) as connection:
        try:
            yield connection
        except duckdb.Error as error:
            raise StoreError(f"{path}: damaged ({first_line(error)}); build it again") from error


def connect(path: Path, jobs: int) -> duckdb.DuckDBPyConnection:
    """Open a database for building or changing a store; what does not fit into memory spills into its folder."""
    return duckdb.connect(
        str(path),
        config={
            "threads": jobs,
            "memory_limit": _MEMORY,
            "temp_directory": str(path.parent / "spill"),
            "storage_compatibility_version": _READABLE_SINCE,
        },
    )


def named_statements(path: Path) -> dict[str, str]:
    """Return the statements of an SQL file by name; a comment line ``-- name: ...`` above each gives the name."""
    parts = re.split(r"^-- name: (\w+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def timestamp() -> str:
    """Return the time to record in a store, now or ``SOURCE_DATE_EPOCH`` if it is set, in UTC and ISO 8601.

    Raises:
        ArgumentError: the environment variable is not a number of seconds since 1970.
    """
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or str(int(time.time()))
    if not re.fullmatch("[0-9]{1,11}", epoch):  # up to the year 5138
        raise ArgumentError(f"SOURCE_DATE_EPOCH={epoch[:40]!r}: give seconds since 1970, or unset the variable")
    seconds = int(epoch)
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def cursor(connection: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """Return a separate connection, for another thread, to a store that `open_read_only` has opened."""
    another = connection.cursor()
    another.execute(f"USE {_CATALOG}.main")  # the name of the catalog alone could also mean a schema
    return another


def _attached_whole(path: Path) -> duckdb.DuckDBPyConnection:
    """Attach a store, and try again if a build replaces it meanwhile, since DuckDB opens the file twice."""
    while True:
        before = path.stat()
        try:
            connection = _attached(path)
        except duckdb.Error:
            if os.path.samestat(before, path.stat()):
                raise
            continue
        if os.path.samestat(before, path.stat()):
            return connection
        connection.close()


def _attached(path: Path) -> duckdb.DuckDBPyConnection:
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoload_known_extensions": False,
        "autoinstall_known_extensions": False,
        "temp_directory": "",  # readers write nothing to the disk
    }
    connection = duckdb.connect(":memory:", config=config)
    try:
        # An absolute path, since names such as md:words or :memory: have a special meaning in DuckDB
        quoted = str(path.absolute()).replace("'", "''")
        connection.execute(f"ATTACH '{quoted}' AS {_CATALOG} (READ_ONLY)")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        connection.execute(f"USE {_CATALOG}.main")
    except BaseException:
        connection.close()
        raise
    return connection


def _check_schema(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    version = _schema_version(connection)
    if version is None:
        raise StoreError(f"{path}: a DuckDB file, but not a lexkit store; make one with 'lexkit build --output FILE'")
    if version == SCHEMA_VERSION:
        _refuse_macros(path, connection)
        return
    rows = connection.execute("SELECT value FROM meta WHERE key = 'lexkit_version'").fetchall()
    maker = f"lexkit {rows[0][0]}" if rows else "another version of lexkit"
    remedy = (
        "update lexkit with 'pip install -U lexkit'"
        if version > SCHEMA_VERSION
        else f"build it again with 'lexkit build --output {path}' and the sources that its table meta names"
    )
    raise StoreError(
        f"{path}: store of schema {version}, made by {maker}; lexkit {__version__} reads schema {SCHEMA_VERSION}; "
        f"{remedy} (docs/upgrading.md)"
    )


def _refuse_macros(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse a store that defines macros, which could replace DuckDB's own functions in every query."""
    # fetchall, because with DuckDB 1.5 a result that is not read to its end swallows the next Ctrl-C
    found = connection.execute(
        f"SELECT min(function_name) FROM duckdb_functions() WHERE database_name = '{_CATALOG}' AND NOT internal"
    ).fetchall()
    if found != [(None,)]:
        raise StoreError(f"{path}: damaged (it has a macro {found[0][0]!r}, which builds never make); build it again")


def _schema_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """Return the schema version of a store, or None for another DuckDB file."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    except duckdb.Error:
        return None
    return int(row[0]) if row is not None and re.fullmatch("[0-9]{1,9}", str(row[0])) else None


@contextlib.contextmanager
def new_store(target: Path, elsewhere: str = "choose another --output") -> Iterator[Path]:
    """Context manager. Yield a path for a new store; when the block succeeds, rename it to *target* in one step.

    If the block fails, *target* is unchanged. The new file is written to a folder beside the target, since a rename is
    atomic only within one file system; the next build removes a folder that a killed one left. If the target is a
    symbolic link, the file to which it points is replaced.

    Args:
        target: path of the store.
        elsewhere: the advice at the end of the error message for a full disk.

    Raises:
        StoreError: the target's folder is missing or not writable, the target is not a store, another process is
            writing it, or the disk is full.
    """
    require_text(target)
    try:
        place = target.resolve()
        _check_target(target, place)
    except OSError as error:
        raise StoreError(
            f"{target}: its folder cannot be read ({error.strerror}); check its name and permissions, or {elsewhere}"
        ) from error
    try:
        with claimed_folder(target, place) as folder:
            path = folder / "store.duckdb"
            yield path
            keep_access(place, path)
            sync(path)
            path.replace(place)
            sync(place.parent)
    except (
        duckdb.IOException,
        duckdb.OutOfMemoryException,
        duckdb.TransactionException,
        duckdb.FatalException,
    ) as error:
        raise _unwritten(target, first_line(error), elsewhere) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO):
            raise
        raise _unwritten(target, error.strerror or str(error), elsewhere) from error


@contextlib.contextmanager
def store_copy(target: Path) -> Iterator[Path]:
    """Context manager. Yield a copy of a store to change; when the block succeeds, it replaces the store in one step.

    Readers keep the old file. Meanwhile, other lexkit processes cannot write the store; if another program replaces it,
    that is an error and nothing is overwritten.

    Raises:
        StoreError: as for `open_read_only` and `new_store`, or the store has been replaced.
    """
    open_read_only(target).close()
    with new_store(target, "copy the store to a larger disk") as path:
        before = target.stat()
        shutil.copyfile(target, path)
        yield path
        if not (target.exists() and os.path.samestat(target.stat(), before)):
            raise StoreError(f"{target}: another process has replaced it in the meantime; run the command again")


def _unwritten(target: Path, reason: str, elsewhere: str) -> StoreError:
    return StoreError(f"{target}: cannot be written ({reason}); free disk space or memory, or {elsewhere}")


def _check_target(target: Path, place: Path) -> None:
    if place.is_dir():
        raise StoreError(f"{target}: a folder; name a file in it with --output")
    if "?" in str(place.parent):  # DuckDB cuts a path at a question mark
        raise StoreError(f"{target}: DuckDB cannot write to a folder with ? in its name; rename it, or choose another")
    if not place.parent.is_dir():
        raise StoreError(f"{target}: the folder {target.parent} does not exist; make it, or choose another --output")
    if place.exists() and not (place.is_file() and _may_be_replaced(place)):
        raise StoreError(f"{target}: exists and is not a lexkit store, so it is left alone; choose another --output")


def _may_be_replaced(path: Path) -> bool:
    """Whether the file is empty, a store of any schema, or a DuckDB file too damaged to recognise."""
    if path.stat().st_size == 0:
        return True
    if not has_duckdb_header(path):
        return False
    try:
        with _attached(path) as connection:
            return _schema_version(connection) is not None
    except (duckdb.Error, OSError):
        return True


@contextlib.contextmanager
def claimed_folder(target: Path, place: Path) -> Iterator[Path]:
    """Context manager. Yield a temporary folder in which to make something that will be renamed to *place*.

    Only one process at a time can have such a folder: it contains a lock, which is released when the process ends, in
    whatever way. The folder is removed at the end; what a killed process left is removed by the next.

    Raises:
        StoreError: another process has such a folder, or the folder cannot be created.
    """
    try:
        folder, held = _claim(target, place)
    except OSError as error:
        raise StoreError(
            f"{target}: its folder cannot be written ({error.strerror}); check its name and permissions, or choose "
            "another"
        ) from error
    try:
        with held:
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _claim(target: Path, place: Path) -> tuple[Path, IO[bytes]]:
    prefix = f".{place.name.replace('?', '_')}.building-"
    parent = os.open(place.parent, os.O_RDONLY)
    try:
        fcntl.flock(parent, fcntl.LOCK_EX)  # held briefly, so that two processes cannot both claim the target
        for other in place.parent.glob(f"{glob.escape(prefix)}*"):
            if _is_locked(other / _LOCK):
                raise StoreError(f"{target}: another process is writing it; wait for it, or name another target")
            shutil.rmtree(other, ignore_errors=True)  # left by a killed process
        folder = Path(tempfile.mkdtemp(dir=place.parent, prefix=prefix))
        held = lock(folder / _LOCK)
        assert held is not None  # no other process knows the folder
        return folder, held
    finally:
        os.close(parent)


def _is_locked(path: Path) -> bool:
    try:
        held = lock(path)
    except FileNotFoundError:
        return False
    except OSError:
        return True
    if held is not None:
        held.close()
    return held is None
