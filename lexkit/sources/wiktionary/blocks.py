"""Cut a file into blocks of whole lines, in bounded memory, however long the lines are."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import IO

BLOCK = 4 << 20
"""Size of a block in decompressed bytes; a line that crosses its end belongs to it as a whole."""
_MARGIN = 64 << 10
MAX_LINE = 16 << 20
"""Maximum length of a line in bytes. Of a longer line, little more than this is kept. Real lines have up to two or
three million."""


def ranges(start: int, end: int, length: int) -> list[tuple[int, int]]:
    """Return the (start, end) of byte ranges of at most *length* bytes that cover a range of a file."""
    return [(first, min(first + length, end)) for first in range(start, end, length)]


def read_range(path: Path, start: int, end: int) -> tuple[bytes, int]:
    """Return the lines that begin in a byte range of a file; the last one may end after it.

    Returns:
        The lines, followed by other bytes, and the length of the lines.
    """
    with path.open("rb") as stream:
        if start:
            stream.seek(start - 1)
            _skip_line(stream, end)
        wanted = end - stream.tell()
        if wanted <= 0:
            return b"", 0
        # Read a margin too, in which the last line usually ends: appending its rest later would copy the whole block
        data = stream.read(wanted + _MARGIN)
        line_end = data.find(b"\n", wanted - 1) + 1
        while not line_end and len(data) <= wanted + MAX_LINE and (more := stream.read(1 << 20)):
            line_end = len(data) + more.find(b"\n") + 1 if b"\n" in more else 0
            data += more
        return data, line_end or len(data)


def _skip_line(stream: IO[bytes], end: int) -> None:
    """Move to the beginning of the next line, or to a position after *end* if no line begins before that."""
    while (position := stream.tell()) < end:
        piece = stream.read(_MARGIN)
        found = piece.find(b"\n")
        if found >= 0 or not piece:
            stream.seek(position + found + 1 if piece else position)
            return


def blocks(stream: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines of a stream in blocks. A line longer than `MAX_LINE` is cut somewhat after that length."""
    rest = b""
    while data := stream.read(BLOCK):
        end = data.rfind(b"\n") + 1
        if not end:
            # in the middle of a long line: bytes after the limit need not be kept
            rest = rest + data if len(rest) <= MAX_LINE else rest
            continue
        if len(rest) > MAX_LINE:
            yield rest + data[data.index(b"\n") : end]
        else:
            yield rest + data[:end]
        rest = data[end:]
    if rest:
        yield rest
