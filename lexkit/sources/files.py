"""Opening source files: one clear line for everything that can be wrong with one."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

from lexkit.errors import SourceError


def check_file(path: Path) -> None:
    """Raise `SourceError` unless *path* is a readable file with something in it."""
    try:
        if path.is_dir():
            raise SourceError(f"{path}: a folder, not a file; name the file inside it")
        if not path.exists():
            raise SourceError(f"{path}: no such file; check the path")
        with path.open("rb") as stream:
            if not stream.read(1):
                raise SourceError(f"{path}: empty file; download it again")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def fingerprint(path: Path) -> tuple[str, int]:
    """Return the SHA-256 (hex) and the size in bytes of the file as it lies on disk."""
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


@contextmanager
def open_binary(path: Path) -> Iterator[IO[bytes]]:
    """Open *path*, decompressing gzip where the content says so, whatever the file's name is.

    Raises:
        SourceError: missing, a folder, empty, unreadable, or (while reading) a broken gzip stream.
    """
    check_file(path)
    with path.open("rb") as raw:
        is_gzip = raw.read(2) == b"\x1f\x8b"
        raw.seek(0)
        try:
            with gzip.GzipFile(fileobj=raw) if is_gzip else nullcontext(raw) as stream:
                yield stream  # type: ignore[misc]  # a GzipFile reads like any binary file
        except (EOFError, gzip.BadGzipFile, zlib.error) as error:
            raise SourceError(f"{path}: broken gzip ({str(error).rstrip('.')}); download it again") from error


def read_text(path: Path) -> str:
    """Return the whole of a text file, decompressed, as UTF-8 with or without a byte order mark.

    Raises:
        SourceError: as `open_binary`; or not UTF-8, naming the line.
    """
    with open_binary(path) as stream:
        data = stream.read()
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{path}, line {line}: invalid UTF-8 (byte 0x{data[error.start]:02x}); convert the file to UTF-8"
        ) from error
