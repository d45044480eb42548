"""The catalogue ``data_sources/catalog.toml``: what lexkit knows about each source, with its licence and citation."""

from __future__ import annotations

import re
from functools import lru_cache
from pathlib import Path

import msgspec

from lexkit.sources.data_files import data_file, reading

_NON_COMMERCIAL = re.compile(
    r"(?<![a-z])nc(?![a-z])|by-?nc"
    r"|\b(?:not? (?:for )?(?:any )?|non?[\W_]*|nicht[\W_]*)(?:commercial|comercial|kommerziell)"
    r"|\b(?:research|academic|educational|personal|private)[\W_]+(?:use|purposes?|only)\b",
    re.IGNORECASE,
)


class Download(msgspec.Struct, frozen=True):
    """A file that a source's publisher offers for download."""

    file: str
    url: str
    bytes: int | None = None
    sha256: str | None = None
    default: bool = False
    """Whether `lexkit fetch` downloads this file, if the publisher offers the source in several forms."""
    unpack: str | None = None
    """Folder in the cache for the contents of a .zip file; its last part is the name of the archive's only folder."""


class CatalogEntry(msgspec.Struct, frozen=True):
    """A source: its title, licence, citation and files."""

    name: str
    title: str
    kind: str
    """Name of the reader, and of the option of `lexkit build`, for its files."""
    homepage: str
    licence: str
    """SPDX identifier of the licence."""
    licence_note: str
    citation: str
    download: tuple[Download, ...] = ()
    language: str | None = None
    """Wiktionary's code of the only language for which `fetched` means this source; None for any language."""
    note: str | None = None
    """Caveats that users of the source should know."""
    has_thesaurus: bool = False
    """Whether wiktextract takes antonyms from the source's Thesaurus pages; only English Wiktionary has such pages."""
    each: dict[str, str] = {}
    """Language names by code. The entry stands for one source per language; {code} and {language} are filled in."""

    @property
    def to_fetch(self) -> Download:
        """The source's only download, or the one that the catalogue marks as the default."""
        return next((item for item in self.download if item.default), self.download[0])


class StarterFile(msgspec.Struct, frozen=True):
    """A file of ``data_sources/starter``."""

    file: str
    licence: str
    about: str


class CarriedFile(msgspec.Struct, frozen=True):
    """A file of ``data_sources`` that contains data from another project and that every build uses."""

    file: str
    title: str
    licence: str
    licence_note: str
    citation: str


class Catalog(msgspec.Struct, frozen=True):
    """The content of the catalogue's file."""

    source: tuple[CatalogEntry, ...]
    starter: tuple[StarterFile, ...]
    carried: tuple[CarriedFile, ...] = ()


def load_catalog() -> Catalog:
    """Read the catalogue. A source with several languages has one entry for each."""
    return _load(data_file("catalog.toml"))


@lru_cache
def _load(path: Path) -> Catalog:
    with reading(path):
        catalog = msgspec.toml.decode(path.read_bytes(), type=Catalog)
        entries = tuple(one for entry in catalog.source for one in _expanded(entry))
    return msgspec.structs.replace(catalog, source=entries)


def _expanded(entry: CatalogEntry) -> list[CatalogEntry]:
    if not entry.each:
        return [entry]
    entries = []
    for code, language in entry.each.items():
        text = msgspec.json.encode(msgspec.structs.replace(entry, language=code, each={})).decode()
        text = text.replace("{code}", code).replace("{language}", language)
        entries.append(msgspec.json.decode(text, type=CatalogEntry))
    return entries


def select(name: str) -> tuple[CatalogEntry, ...]:
    """Return the sources that a user means by *name*: the source of that name, or else all sources of that reader.

    ``all`` means all sources that are not for one language only, and ``wiktionary-en`` means ``wiktionary``. If nothing
    matches, the result is empty.
    """
    sources = load_catalog().source
    if name == "all":
        return tuple(entry for entry in sources if entry.language is None)
    for wanted in (name, name.removesuffix("-en")):
        named = tuple(entry for entry in sources if entry.name == wanted)
        if named:
            return named
    return tuple(entry for entry in sources if entry.kind == name)


def licence_of(kind: str) -> str | None:
    """Return the licence of the sources that reader *kind* takes, or None if it takes anybody's files."""
    return next((entry.licence for entry in load_catalog().source if entry.kind == kind), None)


def licence_of_starter(file: str) -> str:
    """Return the licence of a file of ``data_sources/starter``."""
    return next(item.licence for item in load_catalog().starter if item.file == file)


def is_non_commercial(licence: str | None) -> bool:
    """Whether a licence forbids commercial use, judging by its name or text; false for an unknown licence.

    In doubt, a text counts as forbidding it: *CC-BY-4.0 OR CC-BY-NC-4.0*.
    """
    return licence is not None and _NON_COMMERCIAL.search(licence) is not None
