"""Open source files, and report everything that can be wrong with them in one clear line."""

from __future__ import annotations

import bz2
import gzip
import hashlib
import io
import lzma
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, Any

from lexkit.errors import SourceError


def check_file(path: Path) -> None:
    """Raise `SourceError` unless *path* is a readable file that is not empty."""
    try:
        if path.is_dir():
            raise SourceError(f"{path}: a folder, not a file; name the file inside it")
        if not path.exists():
            raise SourceError(f"{path}: no such file; check the path")
        if not path.is_file():
            raise SourceError(f"{path}: a pipe or a device, which cannot be read twice; save it to a file first")
        with path.open("rb") as stream:
            if not stream.read(1):
                raise SourceError(f"{path}: empty file; check how it was made, or download it again")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def check_folder(path: Path) -> None:
    """Raise `SourceError` unless *path* is a readable folder that is not empty."""
    try:
        if not any(path.iterdir()):
            raise SourceError(f"{path}: empty folder; check the path")
    except OSError as error:
        raise SourceError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error


def fingerprint(path: Path) -> tuple[str, int]:
    """Return the SHA-256 (hex) and the size in bytes of a file as it is on disk, or of all files in a folder.

    The SHA-256 of a folder is that of the lines that ``sha256sum`` prints for its files, sorted by name.
    """
    if not path.is_dir():
        return _fingerprint_file(path)
    names = sorted(file.relative_to(path).as_posix() for file in path.rglob("*") if file.is_file())
    prints = {name: _fingerprint_file(path / name) for name in names}
    lines = "".join(f"{digest}  {name}\n" for name, (digest, _) in prints.items())
    return hashlib.sha256(lines.encode("utf-8", "surrogateescape")).hexdigest(), sum(n for _, n in prints.values())


def _fingerprint_file(path: Path) -> tuple[str, int]:
    digest = hashlib.sha256()
    size = 0
    with path.open("rb") as stream:
        while block := stream.read(1 << 20):
            digest.update(block)
            size += len(block)
    return digest.hexdigest(), size


def is_compressed(path: Path) -> bool:
    """Whether a file is gzip, bzip2, xz or Zstandard, judging by its content and not by its name."""
    return _compression(path) is not None


def _compression(path: Path) -> str | None:
    with path.open("rb") as stream:
        start = stream.read(4)
    if start[1:] == _SKIPPABLE and start[0] >> 4 == 5:  # 0x50 to 0x5f, which RFC 8878, 3.1.2, allows before the data
        return "Zstandard"
    return next((name for magic, name in _MAGIC.items() if start.startswith(magic)), None)


_DECOMPRESSORS = {"bzip2": bz2.BZ2Decompressor, "xz": lzma.LZMADecompressor}
_BLOCK = 1 << 16
_LONGEST_TEXT = 1 << 28
"""Maximum size in bytes of a text that is read as a whole; Roget's has 2 MB."""
_SKIPPABLE = b"\x2a\x4d\x18"
_MAGIC = {b"\x1f\x8b": "gzip", b"BZh": "bzip2", b"\xfd7zX": "xz", b"\x28\xb5\x2f\xfd": "Zstandard"}


@contextmanager
def open_binary(path: Path) -> Iterator[IO[bytes]]:
    """Context manager. Open *path* and decompress gzip, bzip2, xz and Zstandard.

    Raises:
        SourceError: the path is missing, a folder, empty or unreadable, or its compressed data turn out to be broken.
    """
    check_file(path)
    compression = _compression(path)
    with ExitStack() as stack:
        raw: IO[bytes] = stack.enter_context(path.open("rb"))
        if compression is None:
            yield raw
            return
        try:
            yield stack.enter_context(_decompressed(raw, compression))
        except (EOFError, zlib.error, lzma.LZMAError, OSError) as error:
            reason = str(error).rstrip(".") or type(error).__name__
            raise SourceError(f"{path}: broken {compression} ({reason}); download it again") from error
        except MemoryError as error:
            raise SourceError(
                f"{path}: {compression} data too large for memory; check that it is the right file"
            ) from error


def _decompressed(raw: IO[bytes], compression: str) -> IO[bytes]:
    if compression == "gzip":
        return gzip.GzipFile(fileobj=raw)  # type: ignore[return-value]  # it reads like any binary file
    if compression in _DECOMPRESSORS:
        return io.BufferedReader(_Streams(raw, _DECOMPRESSORS[compression]), _BLOCK)
    import pyarrow as pa

    return io.BufferedReader(pa.CompressedInputStream(pa.PythonFile(raw), "zstd"))


class _Streams(io.RawIOBase):
    """The decompressed content of one or more concatenated streams.

    If the bytes after a stream are not another stream, `bz2.BZ2File` and `lzma.LZMAFile` take them for the end of the
    file, and so silently lose everything after a stray byte. Here that is an error. Zero bytes may pad a stream.
    """

    def __init__(self, raw: IO[bytes], decompressor: type[bz2.BZ2Decompressor] | type[lzma.LZMADecompressor]) -> None:
        self._raw = raw
        self._new = decompressor
        self._stream = decompressor()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401
        view = memoryview(buffer).cast("B")
        while True:
            packed = b""
            if self._stream.eof:
                packed = self._stream.unused_data.lstrip(b"\0")
                while not packed and (packed := self._raw.read(_BLOCK)):
                    packed = packed.lstrip(b"\0")
                if not packed:
                    return 0
                self._stream = self._new()
            elif self._stream.needs_input and not (packed := self._raw.read(_BLOCK)):
                raise EOFError("ends in the middle of a stream")
            data = self._stream.decompress(packed, len(view))
            if data:
                view[: len(data)] = data
                return len(data)


def read_text(path: Path) -> str:
    """Return a whole text file, decompressed and decoded as UTF-8 with or without a byte order mark.

    Raises:
        SourceError: as for `open_binary`, or the text is too long or not UTF-8; the message names the line.
    """
    with open_binary(path) as stream:
        data = stream.read(_LONGEST_TEXT + 1)
    if len(data) > _LONGEST_TEXT:
        raise SourceError(f"{path}: a text of more than {_LONGEST_TEXT:,} bytes; check that it is the right file")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise SourceError(
            f"{path}, line {line}: invalid UTF-8 (byte 0x{data[error.start]:02x}); convert the file to UTF-8"
        ) from error
