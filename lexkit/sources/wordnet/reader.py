"""Read a wordnet of either format from a folder, an archive or a file."""

from __future__ import annotations

import codecs
import lzma
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from lexkit.errors import SourceError, first_line
from lexkit.sources.catalog import load_catalog
from lexkit.sources.files import check_file, open_binary
from lexkit.sources.plugins import Reader
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Record
from lexkit.sources.wordnet import lmf, wndb
from lexkit.sources.wordnet.synsets import ORIGIN, Synset, records

_WHAT = f"the folder of {', '.join(wndb.FILES)}, or WN-LMF (.xml), or a tar or zip archive of either"


def read(path: Path, report: ReadReport, language: str = "en") -> Iterator[Record]:
    """Yield the records of a wordnet; see `lexkit.sources.wordnet.synsets.records`.

    Args:
        path: a folder with Princeton's four data files, or with a folder ``dict`` that has them; a WN-LMF file, or a
            folder of such files; or a tar or zip archive of either. Files and tar archives may be compressed. Archives
            are read in place; nothing is unpacked to the disk.
        report: counts synsets read, and what is refused; the licence and origin are set in it if the files give them.
        language: language of the WN-LMF lexicons to read. Princeton's format does not name a language.

    Raises:
        SourceError: a file is missing, cannot be read, or has neither format.
    """
    try:
        synsets = _read_members(path, report, language)
    # zipfile raises RuntimeError for encrypted members and for unknown compression methods
    except (OSError, EOFError, RuntimeError, zlib.error, lzma.LZMAError, tarfile.TarError, zipfile.BadZipFile) as error:
        raise SourceError(
            f"{path}: cannot be read ({first_line(error)}); give {_WHAT}, or download it again"
        ) from error
    if report.n_rejected and not report.n_records:
        raise SourceError(f"{path}: no synsets in it; give {_WHAT}")
    yield from records(synsets, report)


def _read_members(path: Path, report: ReadReport, language: str) -> dict[str, Synset]:
    parts: dict[str, dict[str, Synset]] = {}
    keys: set[str] = set()
    for name, stream in _members(path):
        base = name.rpartition("/")[2]
        if base in parts:
            raise SourceError(f"{path}: contains several files {base}; unpack it, and name the folder of one wordnet")
        if base in wndb.FILES:
            found = wndb.read(base, stream, report)
        else:
            found = lmf.read(f"{path}, {name}" if name != path.name else str(path), stream, report, language)
        part = parts[base if base in wndb.FILES else name] = {}
        for key, synset in found:
            if key in keys:
                report.reject(Reason.DUPLICATE, " ".join(synset.words), where=synset.where)
            else:
                keys.add(key)
                part[key] = synset
    missing = [name for name in wndb.FILES if name not in parts]
    if not parts or 0 < len(missing) < len(wndb.FILES):
        raise SourceError(f"{path}: no {', '.join(missing)} in it; give {_WHAT}")
    order = [*wndb.FILES, *sorted(parts)]  # files may be in any order in archives
    return {key: synset for name in sorted(parts, key=order.index) for key, synset in parts[name].items()}


def _members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the name and the open stream of each file of a wordnet; the stream is closed before the next one."""
    if path.is_dir():
        folder = path if (path / "data.noun").exists() else path / "dict"
        files = [folder / name for name in wndb.FILES if (folder / name).exists()]
        for file in files or sorted(path.glob("*.xml*")):
            with open_binary(file) as stream:
                yield file.name, stream
        return
    check_file(path)
    with path.open("rb") as start:
        is_zip = start.read(2) == b"PK"
    yield from _zip_members(path) if is_zip else _tar_members(path)


def _is_wanted(name: str) -> bool:
    return name.rpartition("/")[2] in wndb.FILES or name.endswith(".xml")


def _zip_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    with zipfile.ZipFile(path) as archive:
        for member in archive.infolist():
            if _is_wanted(member.filename):
                with archive.open(member) as stream:
                    yield member.filename, stream


def _tar_members(path: Path) -> Iterator[tuple[str, IO[bytes]]]:
    """Yield the members of a tar archive, or an XML file as if it were the only member."""
    with open_binary(path) as stream:
        start: bytes = stream.peek(64)  # type: ignore[attr-defined]  # all streams of open_binary have it
        if start.removeprefix(codecs.BOM_UTF8).lstrip().startswith(b"<"):
            yield path.name, stream
            return
        with tarfile.open(fileobj=stream, mode="r|") as archive:
            for member in archive:
                if _is_wanted(member.name) and (file := archive.extractfile(member)):
                    yield member.name, file
            while stream.read(1 << 20):  # read to the end, so that the checksum of compressed data is verified
                pass


_ENTRIES = [entry for entry in load_catalog().source if entry.kind == ORIGIN]

READER = Reader(
    title="Princeton WordNet, the Open English WordNet, and other wordnets in their formats",
    reads=_WHAT,
    read=read,
    licence=None,
    licence_note=f"see the files; {'; '.join(f'{entry.title}: {entry.licence}' for entry in _ENTRIES)}",
    citation=" ".join(entry.citation for entry in _ENTRIES),
    folders=True,
    origin=ORIGIN,
)
