"""What a build reads: from the files it is given, or the starter data, to a list of sources with their readers."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from lexkit.errors import SourceError
from lexkit.progress import Progress
from lexkit.sources import morpholex, pairs
from lexkit.sources.batches import Batch
from lexkit.sources.cache import resolve
from lexkit.sources.catalog import licence_of, licence_of_starter
from lexkit.sources.data_files import data_file
from lexkit.sources.dumps.check import is_dump
from lexkit.sources.dumps.extraction import extract
from lexkit.sources.files import check_file
from lexkit.sources.records import KINDS, Kind, Record
from lexkit.sources.roget import reader as roget
from lexkit.sources.tally import Tally
from lexkit.sources.wiktionary import reader as wiktionary

Pathlike = str | os.PathLike[str]

STARTER = {"wiktionary": "wiktionary.jsonl", "roget": "roget1911.tsv.gz", "morpholex": "morpholex.tsv"}
"""What is built when no source is named, files of ``data_sources/starter``."""


class _Read(Protocol):
    def __call__(self, path: Path, tally: Tally) -> Iterator[Record | Batch]: ...


@dataclass(frozen=True)
class Source:
    """A file to read."""

    name: str
    """What evidence calls it: the kind, or kind:2 ... for further files of a kind."""
    kind: str
    path: Path
    uri: str
    """The file as it was named."""
    licence: str | None
    read: _Read


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
    pair_files: Sequence[tuple[Kind, Pathlike]],
    options: Options,
) -> list[Source]:
    """Return the sources of a build in the order in which they are read; the starter data if no file is given.

    Raises:
        SourceError: a file is missing, empty, or not a regular file; or a kind of pairs is unknown.
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
    wanted: list[tuple[str, Path, str, _Read]] = []
    for kind, files in given.items():
        listed = [files] if isinstance(files, (str, os.PathLike)) else files
        wanted += [(kind, path, uri, readers[kind]) for file in listed for path, uri in resolve(kind, file)]
    for pair_kind, file in pair_files:
        if pair_kind not in KINDS:
            raise SourceError(f"{file}: pairs of kind {pair_kind!r}; say synonym or antonym")
        wanted.append(("pairs", Path(file), os.fspath(file), partial(pairs.read, kind=pair_kind)))
    if not wanted:
        return [
            Source(kind, kind, data_file(f"starter/{name}"), f"starter:{name}", licence_of_starter(name), readers[kind])
            for kind, name in STARTER.items()
        ]
    for _, path, _, _ in wanted:
        check_file(path)
    return _named(wanted)


def _named(wanted: list[tuple[str, Path, str, _Read]]) -> list[Source]:
    counts: dict[str, int] = {}
    sources = []
    for kind, path, uri, read in wanted:
        counts[kind] = counts.get(kind, 0) + 1
        name = kind if counts[kind] == 1 else f"{kind}:{counts[kind]}"
        sources.append(Source(name, kind, path, uri, licence_of(kind), read))
    return sources


def _read_wiktionary(path: Path, tally: Tally, options: Options) -> Iterator[Batch]:
    lines = path
    if is_dump(path):
        lines = extract(path, language=options.language, jobs=options.jobs, progress=options.progress)
    yield from wiktionary.read(lines, tally, options.language, headwords=options.headwords, jobs=options.jobs)
