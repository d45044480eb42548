"""Opening, recognising and publishing store files."""

from __future__ import annotations

import contextlib
import os
import platform
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import duckdb

from lexkit.durable import sync
from lexkit.errors import StoreError

SCHEMA_VERSION = 1
_MAGIC = slice(8, 12)  # a DuckDB file has "DUCK" after its first checksum

# From the start: once a database is open, these could be set but not trusted
_LOCKED_DOWN: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": False,
    "autoload_known_extensions": False,
    "autoinstall_known_extensions": False,
    "lock_configuration": True,
}


def open_read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a store for reading, locked down: no files but this one, no extensions, no changes of settings.

    Raises:
        StoreError: no such file, not a lexkit store, another schema version, or held by a writer.
    """
    if path.is_dir():
        raise StoreError(f"{path}: a folder, not a store; name the .duckdb file in it")
    if not path.exists():
        raise StoreError(f"{path}: no such store; make it with 'lexkit build --output {path}', or name another")
    if not has_duckdb_header(path):
        raise StoreError(f"{path}: not a lexkit store; make one with 'lexkit build --output FILE'")
    try:
        connection = duckdb.connect(str(path), read_only=True, config=_LOCKED_DOWN)
    except (duckdb.Error, OSError) as error:
        reason = str(error).splitlines()[0]
        raise StoreError(f"{path}: cannot be opened ({reason}); build it again or close the writer") from error
    try:
        _check_schema(path, connection)
    except BaseException:
        connection.close()
        raise
    return connection


def _check_schema(path: Path, connection: duckdb.DuckDBPyConnection) -> None:
    version = _schema_version(connection)
    if version is None:
        raise StoreError(f"{path}: a DuckDB file, but not a lexkit store; make one with 'lexkit build --output FILE'")
    if version > SCHEMA_VERSION:
        raise StoreError(
            f"{path}: store of schema {version}, and this lexkit reads up to {SCHEMA_VERSION}; "
            "update lexkit with 'pip install -U lexkit'"
        )
    if version < SCHEMA_VERSION:
        raise StoreError(f"{path}: store of the old schema {version}; build it again with this lexkit")


def _schema_version(connection: duckdb.DuckDBPyConnection) -> int | None:
    """The schema version of a store, or None for a DuckDB file that is none."""
    try:
        row = connection.execute("SELECT value FROM meta WHERE key = 'schema_version'").fetchone()
    except duckdb.Error:
        return None
    return int(row[0]) if row is not None and str(row[0]).isdecimal() else None


def has_duckdb_header(path: Path) -> bool:
    """Whether the file starts as DuckDB files do."""
    try:
        with path.open("rb") as stream:
            return stream.read(16)[_MAGIC] == b"DUCK"
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


@contextlib.contextmanager
def published(target: Path) -> Iterator[Path]:
    """Give a path to write a new store to; when the block ends well, it takes the name *target* in one step.

    If the block fails, *target* is what it was before. The new file is written in a folder beside the target, since a
    rename is atomic only within one file system; a folder that a killed build left is removed by the next.

    Raises:
        StoreError: the target's folder is missing or not writable, or the target is something else than a store.
    """
    _check_target(target)
    _remove_leftovers(target)
    try:
        folder = Path(tempfile.mkdtemp(dir=target.parent, prefix=f"{_prefix(target)}{os.getpid()}-"))
    except OSError as error:
        raise StoreError(
            f"{target}: its folder cannot be written ({error.strerror}); choose another with --output"
        ) from error
    try:
        path = folder / "store.duckdb"
        yield path
        sync(path)
        path.replace(target)
        sync(target.parent)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _check_target(target: Path) -> None:
    if target.is_dir():
        raise StoreError(f"{target}: a folder; name a file in it with --output")
    if not target.parent.is_dir():
        raise StoreError(f"{target}: the folder {target.parent} does not exist; make it, or choose another --output")
    if target.exists() and target.stat().st_size > 0 and not _may_be_replaced(target):
        raise StoreError(f"{target}: exists and is not a lexkit store, so it is left alone; choose another --output")


def _may_be_replaced(target: Path) -> bool:
    """Whether the file is a store of any schema, or a DuckDB file too broken to tell."""
    if not has_duckdb_header(target):
        return False
    try:
        with duckdb.connect(str(target), read_only=True, config=_LOCKED_DOWN) as connection:
            return _schema_version(connection) is not None
    except (duckdb.Error, OSError):
        return True


def _prefix(target: Path) -> str:
    # with the host's name, since a process id means nothing on another machine that shares the folder
    return f".{target.name}.building-{platform.node()}-"


def _remove_leftovers(target: Path) -> None:
    for folder in target.parent.glob(f"{_prefix(target)}*"):
        pid = folder.name.removeprefix(_prefix(target)).partition("-")[0]
        if pid.isdecimal() and not _is_running(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
