"""Readers that other packages add to lexkit through the entry point group ``lexkit.sources``; see docs/plugins.md.

lexkit's own readers `lexkit.sources.wordnet` and `lexkit.sources.mythes` are registered in the same way.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from lexkit.errors import PluginError
from lexkit.sources.catalog import load_catalog
from lexkit.sources.read_report import ReadReport
from lexkit.sources.records import Record

GROUP = "lexkit.sources"

_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")
"""Valid names. On the command line ``=`` follows a name, and a store separates names with commas and colons."""

_TAKEN = ("affix", "rules")
"""Names that stand in a store for lexkit's affixes and rules, and so cannot be names of readers."""

BUILT_IN = {
    "wiktionary": (
        "Wiktionary, as extracted by wiktextract",
        "FILE",
        "JSON lines of wiktextract or kaikki.org, or a MediaWiki XML dump",
    ),
    "roget": ("Roget's Thesaurus of 1911", "FILE", "Project Gutenberg's etext #22 or #10681, or a table of it"),
    "morpholex": ("MorphoLEX-English", "FILE", "the .xlsx workbook, or a text table"),
    "pairs": ("lists of word pairs", "KIND[@ORIGIN]=FILE", "text with two words per line; KIND is synonym or antonym"),
}
"""Readers for which `lexkit build` has an option of the same name: the resource, the option's value, and the files that
they read."""


@dataclass(frozen=True)
class Reader:
    """A reader, the object to which an entry point of the group ``lexkit.sources`` refers.

    The name of the reader is the name of the entry point.
    """

    title: str
    """Name of the resource, in a few words."""
    reads: str
    """The files that the reader takes, in a few words."""
    read: Callable[[Path, ReadReport, str], Iterable[Record]]
    """``read(path, report, language)`` yields the contents of *path* as `Headword`, `Statement`, `Group` and `Form`.

    It adds 1 to ``report.n_records`` for each record of the file, and calls ``report.reject`` for each refusal. lexkit
    itself normalizes words to the spelling of the store, and refuses what is not a word. *language* is the code given
    with ``--language``, for readers of files in several languages.
    """
    licence: str | None
    """SPDX identifier of the files' licence, or None if each file has its own."""
    citation: str | None
    """How to cite the resource."""
    licence_note: str = ""
    """What the licence requires, in a few words."""
    folders: bool = False
    """Whether the path may be a folder."""
    origin: str | None = None
    """Name of the resource from which the files are derived, if other sources are derived from it too: sources of one
    origin count as one. By default, the reader's name."""


@dataclass(frozen=True)
class Plugin:
    """An installed reader."""

    name: str
    package: str
    """Name and version of the package that provides the reader."""
    reader: Reader

    def __str__(self) -> str:
        return _call(self.name, self.package)


@dataclass(frozen=True)
class Listed:
    """A line of `lexkit sources`."""

    name: str
    package: str
    option: str
    """The option of `lexkit build` for its files."""
    title: str
    reads: str
    licence: str | None
    licence_note: str
    citation: str | None


def option_of(name: str) -> str:
    """Return the option of `lexkit build` that takes a path for the reader *name*."""
    return f"--{name}" if name in BUILT_IN else f"--source {name}"


def path_readers() -> list[str]:
    """Return the names of the readers that `lexkit build --source` accepts, without importing any of them."""
    return sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))} - {"pairs"})


def find(name: str) -> Plugin:
    """Load the reader *name*.

    Raises:
        PluginError: no package provides the reader, more than one does, or it is broken.
    """
    points = [point for point in entry_points(group=GROUP) if point.name == name]
    if not points:
        names = ", ".join(sorted({*BUILT_IN, *(point.name for point in entry_points(group=GROUP))}))
        raise PluginError(f"no reader is called {name!r}, only {names}; check the name, or install its package")
    if len(points) > 1:
        packages = " and ".join(sorted(map(_package, points)))
        raise PluginError(f"{packages} each have a reader called {name!r}; uninstall all but one")
    return _load(points[0])


def installed() -> tuple[list[Listed], list[str]]:
    """Return the available readers in order of their names, and an error message for each broken one."""
    listed, problems = _built_in(), []
    for name in sorted({point.name for point in entry_points(group=GROUP)}):
        try:
            plugin = find(name)
        except PluginError as error:
            problems.append(str(error))
            continue
        reader = plugin.reader
        listed.append(
            Listed(
                name,
                plugin.package,
                f"{option_of(name)}=PATH",
                reader.title,
                reader.reads,
                reader.licence,
                reader.licence_note,
                reader.citation,
            )
        )
    return listed, problems


def _load(point: EntryPoint) -> Plugin:
    name, package = point.name, _package(point)
    who = _call(name, package)
    if name in (*BUILT_IN, *_TAKEN) or not _NAME.fullmatch(name):
        why = "lexkit reserves that name" if _NAME.fullmatch(name) else "names consist of a-z, 0-9, - and _"
        raise PluginError(f"{who}: {why}; its authors must choose another")
    try:
        reader = point.load()
    except (Exception, SystemExit) as error:
        raise PluginError(
            f"{who} cannot be loaded: {describe(error)}; install it again, or report it to its authors"
        ) from error
    wrong = _fault(reader)
    if wrong:
        raise PluginError(f"{who}: {point.value} {wrong}; report it to its authors")
    return Plugin(name, package, reader)


def _fault(reader: object) -> str | None:
    if not isinstance(reader, Reader):
        return f"is {_article(type(reader).__name__)}, not a lexkit.sources.plugins.Reader"
    for field in ("title", "reads", "licence_note"):
        if not isinstance(getattr(reader, field), str):
            return f"has a {field} that is not a string"
    for field in ("licence", "citation", "origin"):
        if not isinstance(getattr(reader, field), (str, type(None))):
            return f"has a {field} that is neither text nor None"
    return None if callable(reader.read) else "has a read that is not a function"


def describe(error: BaseException) -> str:
    """Return the type and message of an error raised by other code, in one line of bounded length."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}".rstrip(": ")[:300]


def _article(noun: str) -> str:
    return f"{'an' if noun[:1].lower() in 'aeiou' else 'a'} {noun}"


def _call(name: str, package: str) -> str:
    return f"plugin {name!r} of {package}"


def _package(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "an unknown package"


def _built_in() -> list[Listed]:
    from lexkit import __version__

    listed = []
    for name, (title, value, reads) in BUILT_IN.items():
        entries = [entry for entry in load_catalog().source if entry.kind == name]
        first = entries[0] if entries else None
        listed.append(
            Listed(
                name,
                f"lexkit {__version__}",
                f"{option_of(name)} {value}",
                title,
                reads,
                first.licence if first else None,
                first.licence_note if first else "each list has its own",
                " ".join(dict.fromkeys(entry.citation for entry in entries)) or None,
            )
        )
    return listed
