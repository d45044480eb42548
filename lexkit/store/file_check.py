"""Check the beginning of a file to see whether it may be a store, without importing DuckDB."""

from __future__ import annotations

import os
from pathlib import Path

from lexkit.errors import StoreError

_MAGIC = slice(8, 12)  # DuckDB files have "DUCK" after their first checksum


def check_store_file(path: Path) -> None:
    """Check that a file exists and begins like a store.

    Raises:
        StoreError: the file is missing, is something else, or cannot be read.
    """
    try:
        require_text(path)
        if path.is_dir():
            raise StoreError(f"{path}: a folder, not a store; name the .duckdb file in it")
        if not path.exists():
            raise StoreError(f"{path}: no such store; make it with 'lexkit build --output {path}', or name another")
        # reading a pipe would wait for a writer
        if not path.is_file() or not has_duckdb_header(path):
            raise StoreError(f"{path}: not a lexkit store; make one with 'lexkit build --output FILE'")
    except OSError as error:
        raise StoreError(f"{path}: cannot be read ({error.strerror}); check the path and its permissions") from error


def require_text(path: Path) -> None:
    """Refuse a path that is not UTF-8, which DuckDB cannot open."""
    try:
        str(path.absolute()).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode("utf-8", "replace")
        raise StoreError(f"{shown}: its name, or that of a folder, is not UTF-8; rename it") from error


def has_duckdb_header(path: Path) -> bool:
    """Whether a file begins like a DuckDB file.

    Raises:
        OSError: the file cannot be read.
    """
    with path.open("rb") as stream:
        return stream.read(16)[_MAGIC] == b"DUCK"
