"""Whether a file may be a store, as far as its beginning tells, without importing DuckDB."""

from __future__ import annotations

import os
from pathlib import Path

from lexkit.errors import StoreError

_MAGIC = slice(8, 12)  # a DuckDB file has "DUCK" after its first checksum


def check_store_file(path: Path) -> None:
    """Make sure that a file is there and starts as a store does.

    Raises:
        StoreError: it is not, it does not, or it cannot be read.
    """
    try:
        require_text(path)
        if path.is_dir():
            raise StoreError(f"{path}: a folder, not a store; name the .duckdb file in it")
        if not path.exists():
            raise StoreError(f"{path}: no such store; make it with 'lexkit build --output {path}', or name another")
        if not has_duckdb_header(path):
            raise StoreError(f"{path}: not a lexkit store; make one with 'lexkit build --output FILE'")
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error


def require_text(path: Path) -> None:
    """Refuse a name that is not text, which DuckDB cannot open."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode("utf-8", "replace")
        raise StoreError(f"{shown}: its name, or that of a folder, is not UTF-8; rename it") from error


def has_duckdb_header(path: Path) -> bool:
    """Whether the file starts as DuckDB files do.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as stream:
        return stream.read(16)[_MAGIC] == b"DUCK"
