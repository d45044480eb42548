"""Choose what a build reads: turn the given files, or the starter data, into a list of sources with their readers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from lexkit.errors import SourceError
from lexkit.progress import Progress
from lexkit.sources import morpholex, pairs, plugin_reading
from lexkit.sources.batches import Batch
from lexkit.sources.cache import read_record, resolve_files
from lexkit.sources.catalog import licence_of, licence_of_starter
from lexkit.sources.data_files import data_file
from lexkit.sources.dumps.dump_reader import is_dump
from lexkit.sources.dumps.extraction import extract
from lexkit.sources.files import check_file, check_folder
from lexkit.sources.plugins import find
from lexkit.sources.read_report import ReadReport
from lexkit.sources.records import KINDS, Record
from lexkit.sources.roget import reader as roget
from lexkit.sources.wiktionary import reader as wiktionary
from lexkit.sources.wiktionary import thesaurus

Pathlike = str | os.PathLike[str]

_ENGLISH = ("roget", "morpholex")
"""Readers whose resources have only English words."""
STARTER = {"wiktionary": "wiktionary.jsonl", "roget": "roget1911.tsv.gz", "morpholex": "morpholex.tsv"}
"""Files of ``data_sources/starter``, from which a store is built if no source is given."""


class _Read(Protocol):
    def __call__(self, path: Path, report: ReadReport) -> Iterator[Record | Batch]: ...


@dataclass(frozen=True)
class Source:
    """A file to read."""

    name: str
    """Name of the source in evidence: the kind, or kind:2 ... for more files of the same kind."""
    kind: str
    path: Path
    uri: str
    """The file as the user named it."""
    licence: str | None
    origin: str
    """The resource from which the file is derived; sources of one origin count as one."""
    read: _Read
    request: str | None = None
    """The user's request, if it says more than the file: synonym@origin=FILE."""


@dataclass(frozen=True)
class Options:
    """How sources are read; see `lexkit.build`."""

    language: str
    headwords: bool
    roget_scope: roget.Scope
    jobs: int
    progress: Progress


def choose_sources(
    wiktionary_files: Pathlike | Sequence[Pathlike],
    roget_files: Pathlike | Sequence[Pathlike],
    morpholex_file: Pathlike | None,
    pair_files: Sequence[tuple[str, Pathlike]],
    other_files: Sequence[tuple[str, Pathlike]],
    options: Options,
) -> list[Source]:
    """Return the sources of a build in the order in which they are read, or the starter data if no file is given.

    Args:
        wiktionary_files: files of Wiktionary, as for `lexkit.build`.
        roget_files: files of Roget's Thesaurus, as for `lexkit.build`.
        morpholex_file: the file of MorphoLEX.
        pair_files: kinds and files of lists of pairs.
        other_files: names of readers, plugins or the ones above, with files or folders for them.
        options: how to read the sources.

    Raises:
        SourceError: a file is missing, empty, or not a regular file; or a kind of pairs is unknown.
        PluginError: a plugin is not installed or is broken.
    """
    readers: dict[str, _Read] = {
        "wiktionary": partial(_read_wiktionary, options=options),
        "roget": partial(roget.read, scope=options.roget_scope),
        "morpholex": morpholex.read,
    }
    given: dict[str, Pathlike | Sequence[Pathlike]] = {
        "wiktionary": wiktionary_files,
        "roget": roget_files,
        "morpholex": () if morpholex_file is None else morpholex_file,
    }
    wanted: list[Source] = []
    for kind, files in given.items():
        listed = [files] if isinstance(files, (str, os.PathLike)) else list(files)
        listed += [file for name, file in other_files if name == kind]
        wanted += [
            Source(kind, kind, path, uri, licence_of(kind), kind, readers[kind])
            for file in listed
            for path, uri in resolve_files(kind, file, options.language)
        ]
    if sum(source.kind == "morpholex" for source in wanted) > 1:
        raise SourceError(
            f"{wanted[-1].path}: a second file of MorphoLEX; give only one, since a store has one analysis of a word"
        )
    for name, file in pair_files:
        pair_kind, _, origin = name.partition("@")
        if pair_kind not in KINDS or (origin and not origin.isprintable()) or name.endswith("@"):
            raise SourceError(
                f"{file}: pairs of kind {name!r}; use synonym or antonym, optionally with @ and their origin"
            )
        read_pairs = partial(pairs.read, kind=pair_kind)
        uri = os.fspath(file)
        wanted.append(Source("pairs", "pairs", Path(file), uri, None, origin or "pairs", read_pairs, f"{name}={uri}"))
    for source in wanted:
        check_file(source.path)
    for name, file in other_files:
        if name not in readers:
            wanted += _plugin_sources(name, file, options)
    _require_language(wanted, options.language)
    return _named(wanted) if wanted else _starter(readers)


def _require_language(wanted: list[Source], language: str) -> None:
    """Refuse sources that have only English words if another language is built."""
    if language == "en":
        return
    for source in wanted:
        if source.kind in _ENGLISH:
            raise SourceError(f"{source.path}: {source.kind} is English, but --language is {language}; leave one out")
    if not wanted:
        raise SourceError(
            f"the starter data are English, but --language is {language}; give a source in that language, for example "
            f"--wiktionary fetched, after 'lexkit fetch wiktionary-{language}'"
        )


def _starter(readers: Mapping[str, _Read]) -> list[Source]:
    found = []
    for kind, name in STARTER.items():
        path, licence = data_file(f"starter/{name}"), licence_of_starter(name)
        found.append(Source(kind, kind, path, f"starter:{name}", licence, kind, readers[kind]))
    return found


def _plugin_sources(name: str, file: Pathlike, options: Options) -> Iterator[Source]:
    if name == "pairs":
        raise SourceError(f"{file}: the kind of the pairs is missing; give the file with --pairs KIND=FILE")
    plugin = find(name)
    read = partial(plugin_reading.read_with_plugin, plugin=plugin, language=options.language)
    for path, uri in resolve_files(name, file, options.language):
        if plugin.reader.folders and path.is_dir():
            check_folder(path)
        else:
            check_file(path)
        yield Source(name, name, path, uri, plugin.reader.licence, plugin.reader.origin or name, read)


def _named(wanted: list[Source]) -> list[Source]:
    """Number the sources of each kind, so that evidence can name the one that states it."""
    counts: dict[str, int] = {}
    named = []
    for source in wanted:
        counts[source.kind] = n = counts.get(source.kind, 0) + 1
        named.append(source if n == 1 else replace(source, name=f"{source.kind}:{n}"))
    return named


def _read_wiktionary(path: Path, report: ReadReport, options: Options) -> Iterator[Batch]:
    lines, record = path, read_record(path)
    if is_dump(path):
        lines, record = extract(path, language=options.language, jobs=options.jobs, progress=options.progress), None
    batches = wiktionary.read(lines, report, options.language, headwords=options.headwords, jobs=options.jobs)
    yield from thesaurus.mark(batches, record.last_modified if record else None, options.progress.note)
