"""A download under way: ``FILE.part``, and beside it ``FILE.part.json``, which says what it is a part of.

The second file is written before the first byte of the first, so a part can always be told from a part of
something else, whenever the process is killed; how much there is of it is its size, nothing else.
"""

from __future__ import annotations

from email.message import Message
from pathlib import Path
from typing import IO

import msgspec

from lexkit.atomic_write import sync, write_atomically


class Version(msgspec.Struct, frozen=True):
    """What the server said of the file that it began to send."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    total: int | None = None
    """Bytes of the whole file; None where the server does not say."""

    @classmethod
    def of(cls, url: str, headers: Message, total: int | None) -> Version:
        """Take the version from the headers of an answer."""
        return cls(url, headers.get("ETag"), headers.get("Last-Modified"), total)

    @property
    def validator(self) -> str | None:
        """What ``If-Range`` may hold: a strong ETag, else the date; None if the server gives neither."""
        if self.etag is not None and not self.etag.startswith("W/"):
            return self.etag
        return self.last_modified


class Part:
    """The part of the file that will be *target*."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.path = target.with_name(f"{target.name}.part")
        self._note = target.with_name(f"{target.name}.part.json")

    def version(self) -> Version | None:
        """Return what the part is a part of, or None where that is not known."""
        try:
            return msgspec.json.decode(self._note.read_bytes(), type=Version)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def size(self) -> int:
        """Return how many bytes there are."""
        return self.path.stat().st_size if self.path.exists() else 0

    def begin(self, version: Version) -> None:
        """Forget what there is, and begin a part of *version*."""
        self.path.write_bytes(b"")  # before the note, which would otherwise speak of the old bytes
        write_atomically(self._note, msgspec.json.encode(version))

    def append(self) -> IO[bytes]:
        """Open the part for writing at its end."""
        return self.path.open("ab")

    def discard(self) -> None:
        """Remove what there is."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def publish(self) -> None:
        """Give the part, now whole, the name of the target in one step."""
        sync(self.path)
        self.path.replace(self.target)
        sync(self.target.parent)
        self._note.unlink(missing_ok=True)
