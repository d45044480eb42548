"""Read the pages of a MediaWiki XML dump of the English Wiktionary, and refuse all other files.

wiktextract's own reader mistakes a broken dump for a short one.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

from lexkit.errors import SourceError
from lexkit.sources.files import open_binary

_BLOCK = 1 << 20
MAX_PAGE = 1 << 26
"""Maximum number of bytes from one ``<page>`` to the next; MediaWiki's own limit for a page is 2 MiB."""
_DEPTHS = {"base": 2, "ns": 2, "title": 2, "model": 3, "text": 3}
"""The elements whose text is needed, and the number of elements that enclose them."""


def is_dump(path: Path) -> bool:
    """Whether the content of a file is XML, plain or compressed; `read_pages` checks that it is a dump.

    If the compressed data are broken from the start, the name decides.
    """
    try:
        with open_binary(path) as stream:
            return stream.read(1 << 12).removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"<")
    except (SourceError, OSError):
        return path.is_file() and ".xml" in path.name


def read_pages(path: Path) -> Iterator[tuple[str, str, str]]:
    """Yield the pages of a dump, plain or compressed, in bounded memory and in the form that wiktextract expects.

    For a page, that is its model, its title and its text; for a redirect, ``redirect``, its title and its target.

    Raises:
        SourceError: the compression is broken, the XML is not well-formed or incomplete, it has a document type (which
            could declare the entities of XML bombs), it is not a dump of the English Wiktionary, a page is too long, or
            it contains no article.
    """
    reader = _Reader(path)
    with open_binary(path) as stream:
        while block := stream.read(_BLOCK):
            reader.feed(block)
            yield from reader.pages
            reader.pages.clear()
    reader.feed(b"")


class _Reader:
    """Feeds blocks to expat and collects the pages."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._depth = self._since_page = 0
        self._fields: dict[str, str] = {}
        self._parts: list[str] = []
        self.pages: list[tuple[str, str, str]] = []
        self._has_articles = False
        self._parser = expat.ParserCreate("utf-8")
        self._parser.buffer_text = True
        self._parser.StartDoctypeDeclHandler = lambda *_: self._refuse("XML with a DOCTYPE, which dumps do not have")
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._parts.append

    def feed(self, block: bytes) -> None:
        """Add the pages that *block* completes to `pages`; an empty block marks the end of the dump."""
        self._since_page += len(block)
        if self._since_page > MAX_PAGE:
            self._refuse(f"{MAX_PAGE >> 20} MiB without a new page")
        try:
            self._parser.Parse(block, not block)
        except expat.ExpatError as error:
            self._refuse(f"not well-formed XML ({expat.ErrorString(error.code)})")
        if not block and not self._has_articles:
            self._refuse("a dump without articles")

    def _refuse(self, reason: str) -> NoReturn:
        place = f"{self._path}, line {self._parser.CurrentLineNumber}"
        raise SourceError(f"{place}: {reason}; download a pages-articles dump of the English Wiktionary (enwiktionary)")

    def _require(self, what: str, found: str, expected: str) -> None:
        if found != expected:
            self._refuse(f"a dump that wiktextract cannot read: its {what} is {found[:40]!r}, not {expected}")

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        if self._depth == 0:
            self._require("root", name, "mediawiki")
            self._require("language", attributes.get("xml:lang", "en"), "en")
        elif self._depth == 1 and name == "page":
            self._fields, self._since_page = {}, 0
        elif self._depth == 2 and name == "redirect":
            self._fields["redirect"] = attributes.get("title", "")
        self._depth += 1
        self._parts.clear()

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._depth == _DEPTHS.get(name):
            self._fields[name] = "".join(self._parts)
            if name == "base":
                self._require("site", "".join(self._fields[name].split("/")[2:3]), "en.wiktionary.org")
        elif self._depth == 1 and name == "page":
            if not self._fields.get("title"):
                self._refuse("a page without a title")
            self._has_articles |= self._fields.get("ns", "0") == "0"
            target = self._fields.get("redirect")
            model = "redirect" if target else self._fields.get("model", "wikitext")
            self.pages.append((model, self._fields["title"], target or self._fields.get("text", "")))
