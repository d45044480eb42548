"""``data_sources/catalog.toml``: what lexkit knows of each source, above all its licence and citation."""

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
    """A file of a source, as its publisher offers it."""

    file: str
    url: str
    bytes: int | None = None
    sha256: str | None = None
    default: bool = False
    """Whether `lexkit fetch` takes this one, where a publisher offers a source in several forms."""
    unpack: str | None = None
    """The folder of the cache that takes the contents of a .zip; its last name is the archive's only folder."""


class CatalogEntry(msgspec.Struct, frozen=True):
    """A source: what it is, under which licence, how to cite it, and where its files are."""

    name: str
    title: str
    kind: str
    """The reader, and the option of `lexkit build`, that takes its files."""
    homepage: str
    licence: str
    """An SPDX identifier."""
    licence_note: str
    citation: str
    download: tuple[Download, ...] = ()
    language: str | None = None
    """The only language, by Wiktionary's code, for which `fetched` means this source; None for any."""
    note: str | None = None
    """What a user of the source should know before relying on it."""
    has_thesaurus: bool = False
    """Whether wiktextract takes antonyms of it from Thesaurus pages, of which English Wiktionary alone has some."""
    each: dict[str, str] = {}
    """Names of languages by code: the entry stands for one source each, with these for {code} and {language}."""

    @property
    def to_fetch(self) -> Download:
        """The only download of the source, or the one that the catalogue marks as the default."""
        return next((item for item in self.download if item.default), self.download[0])


class StarterFile(msgspec.Struct, frozen=True):
    """A file of ``data_sources/starter``."""

    file: str
    licence: str
    about: str


class CarriedFile(msgspec.Struct, frozen=True):
    """A file of ``data_sources`` with facts from elsewhere, which every build takes."""

    file: str
    title: str
    licence: str
    licence_note: str
    citation: str


class Catalog(msgspec.Struct, frozen=True):
    """The whole file."""

    source: tuple[CatalogEntry, ...]
    starter: tuple[StarterFile, ...]
    carried: tuple[CarriedFile, ...] = ()


def load_catalog() -> Catalog:
    """Read the catalogue, with one entry for each language of the sources that have several."""
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
    """Return the sources that a user means by *name*: one of that name, else all of that kind.

    ``all`` means those that are not for one language only, and ``wiktionary-en`` is ``wiktionary``. Empty if there is
    none.
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
    """Return the licence of the sources that reader *kind* takes, or None where anybody's file may come."""
    return next((entry.licence for entry in load_catalog().source if entry.kind == kind), None)


def licence_of_starter(file: str) -> str:
    """Return the licence of a file of ``data_sources/starter``."""
    return next(item.licence for item in load_catalog().starter if item.file == file)


def is_non_commercial(licence: str | None) -> bool:
    """Whether a licence forbids commercial use, by its name or its text; of an unknown one nothing is said.

    If a text leaves it in doubt, it does: *CC-BY-4.0 OR CC-BY-NC-4.0*.
    """
    return licence is not None and _NON_COMMERCIAL.search(licence) is not None
