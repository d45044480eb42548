"""What a file must be before wiktextract sees it: a whole, plain, well-formed MediaWiki dump with pages in it.

wiktextract itself takes a broken dump for a short one, so everything is checked beforehand, in one streaming pass.
"""

from __future__ import annotations

import bz2
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, NoReturn, cast
from xml.parsers import expat

from lexkit.errors import SourceError

_BOM = b"\xef\xbb\xbf"
_BLOCK = 1 << 20
_PAGE = b"<page>"
MAX_PAGE = 1 << 26
"""Bytes from one ``<page>`` to the next; MediaWiki's own limit for a page is 2 MiB."""


@dataclass(frozen=True)
class Dump:
    """A dump that has been read from end to end."""

    n_pages: int
    edition: str
    """Language code of the Wiktionary it is of."""


def is_dump(path: Path) -> bool:
    """Whether the file holds XML, plain or bzip2, by its content; what XML it is, `check_dump` says.

    A file that cannot be read is none: the reader that gets it instead says what is wrong.
    """
    try:
        with open_dump(path) as stream:
            return stream.read(1 << 12).removeprefix(_BOM).lstrip().startswith(b"<")
    except EOFError:
        return ".xml" in path.name  # cut off within its first block, so that only the name is left to go by
    except OSError:
        return is_bzip2(path) and ".xml" in path.name


def is_bzip2(path: Path) -> bool:
    """Whether the content, whatever the name, is bzip2."""
    try:
        with path.open("rb") as stream:
            return stream.read(3) == b"BZh"
    except OSError:
        return False


def open_dump(path: Path) -> AbstractContextManager[IO[bytes]]:
    """Open a dump for reading, decompressed."""
    return cast(IO[bytes], bz2.open(path)) if is_bzip2(path) else path.open("rb")


def check_dump(path: Path, report: Callable[[int], None] = lambda n_pages: None) -> Dump:
    """Read a dump to its end, in bounded memory, and tell *report* of the pages counted so far.

    Raises:
        SourceError: broken bzip2, not well-formed or incomplete XML, a document type (and with it the entities that
            XML bombs are made of), not a MediaWiki dump, an overlong page, or no page at all.
    """
    reader = _Reader(path)
    try:
        with open_dump(path) as stream:
            while block := stream.read(_BLOCK):
                reader.feed(block)
                report(reader.n_pages)
        return reader.close()
    except EOFError as error:
        raise SourceError(f"{path}: its bzip2 data end too early; download it again") from error
    except OSError as error:
        raise SourceError(f"{path}: broken bzip2 ({error.strerror or error}); download it again") from error
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise SourceError(
            f"{path}, line {error.lineno}: not well-formed XML ({reason}); download the dump again"
        ) from error


class _Reader:
    """Feeds blocks to expat, and looks between the tags for what expat does not mind."""

    def __init__(self, path: Path) -> None:
        self.n_pages = 0
        self._path = path
        self._edition: str | None = None
        self._since_page = 0
        self._tail = b""
        self._parser = expat.ParserCreate()
        self._parser.XmlDeclHandler = self._declaration
        self._parser.StartDoctypeDeclHandler = self._doctype
        self._parser.StartElementHandler = self._root

    def feed(self, block: bytes) -> None:
        self._parser.Parse(block, False)
        text = self._tail + block
        self.n_pages += text.count(_PAGE)
        last = text.rfind(_PAGE)
        self._since_page = len(text) - last if last >= 0 else self._since_page + len(block)
        self._tail = text[-len(_PAGE) + 1 :]
        if self._since_page > MAX_PAGE:
            raise SourceError(
                f"{self._path}: {MAX_PAGE >> 20} MiB without a new page, which no dump of pages has; download it again"
            )

    def close(self) -> Dump:
        self._parser.Parse(b"", True)
        if self.n_pages == 0:
            raise SourceError(f"{self._path}: a dump without pages; give one whose name has pages-articles in it")
        return Dump(self.n_pages, self._edition or "en")

    def _declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ("utf-8", "us-ascii"):
            raise SourceError(f"{self._path}: XML in the encoding {encoding}; MediaWiki dumps are UTF-8, download one")

    def _doctype(self, *_: object) -> NoReturn:
        raise SourceError(
            f"{self._path}: XML with a DOCTYPE, which MediaWiki dumps do not have and entity bombs do; "
            "download the dump from its publisher"
        )

    def _root(self, name: str, attributes: dict[str, str]) -> None:
        if name != "mediawiki":
            raise SourceError(f"{self._path}: XML, but no MediaWiki dump (<{name}> instead of <mediawiki>); check it")
        self._edition = attributes.get("xml:lang")
        self._parser.StartElementHandler = None  # the other elements pass at expat's own speed
