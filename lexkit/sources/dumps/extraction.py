"""Makes JSON lines of a dump in the cache, once for every dump, wiktextract and language.

While an extraction is under way everything lies in a folder beside the place of its result, and a lock is held, also
by the processes that work. What a killed extraction leaves there the next one uses: the database of pages if it was
complete, and the pages already extracted (version 1.99.7).
"""

from __future__ import annotations

import bz2
import gzip
import hashlib
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from lexkit.atomic_write import lock, sync, write_atomically
from lexkit.errors import SourceError
from lexkit.progress import Progress
from lexkit.sources.cache import cache_folder
from lexkit.sources.dumps.brown import Brown, find_brown
from lexkit.sources.dumps.check import Dump, check_dump, is_bzip2, open_dump
from lexkit.sources.dumps.process import ChildError, environment_for, run_child
from lexkit.sources.dumps.wiktwords import ENTRIES, Installed, Wiktwords, find_installed, wiktwords_of
from lexkit.sources.files import fingerprint

_FORMAT = 1
"""To be raised when the same dump and wiktextract come to give other lines."""

_COLLECTED = "collected.json"
_JOURNAL = "journal.jsonl"
_LANGUAGE = re.compile(r"[a-z]{2,3}(?:-[a-z]+)*")
_COUNT = re.compile(r"\.\.\. (\d+)(?:/(\d+) pages| raw pages)")
_FAILED_PAGE = '=== EXCEPTION while parsing page "'


class _Collected(msgspec.Struct, frozen=True):
    """Written when the first phase is complete."""

    dump: Dump
    files: list[str]
    """What the first phase made; everything else in the folder is of a second phase."""


def extract(path: Path, *, language: str = "en", jobs: int = 1, progress: Progress | None = None) -> Path:
    """Return the JSON lines, gzipped, that wiktextract makes of a dump; from the cache if they are there.

    The cache is the folder ``$LEXKIT_CACHE``, or where the system keeps caches. The lines depend on the dump, the
    installed wiktextract, its corpus and the language, and on nothing else: not on *jobs*, nor on being interrupted.

    Args:
        path: a MediaWiki dump, XML, plain or bzip2.
        language: Wiktionary's code of the language whose entries are wanted.
        jobs: processes that extract.
        progress: shows stages, pages, and what the user should know.

    Raises:
        SourceError: the dump is broken or has nothing of the language, wiktextract fails or does not know the
            language, or the cache cannot be written.
    """
    told = progress or Progress()
    cache = cache_folder().absolute()  # wiktextract runs in another folder
    installed = find_installed()
    if not _LANGUAGE.fullmatch(language):
        raise SourceError(f"{path}: {language!r} is not a language code; give one of Wiktionary's, such as en")
    try:
        folder = cache / "wiktextract"
        folder.mkdir(parents=True, exist_ok=True)
        brown = find_brown(cache)
        told.stage("check the cache")
        target = folder / _name(fingerprint(path)[0], installed, language, brown)
        if brown.is_standin:
            told.note(
                "wiktextract runs without NLTK's Brown corpus and tells a few notes from terms less well; "
                "'lexkit fetch brown' gets it"
            )
        if not target.exists():
            with _locked(target.with_suffix(".lock"), told) as lock:
                if not target.exists():
                    _Extraction(path, target, installed, brown, language, jobs, told, lock).run()
    except OSError as error:
        raise SourceError(
            f"{error.filename or cache}: cannot be written or read ({error.strerror}); "
            "fix that, or set LEXKIT_CACHE to a folder with room"
        ) from error
    return target


def _name(sha256: str, installed: Installed, language: str, brown: Brown) -> str:
    corpus = "stand-in" if brown.is_standin else "brown"
    parts = (str(_FORMAT), sha256, installed.fingerprint, language, corpus)
    key = hashlib.sha256("\n".join(parts).encode()).hexdigest()
    return f"{language}-{sha256[:16]}-{key[:16]}.jsonl.gz"


@contextmanager
def _locked(path: Path, progress: Progress) -> Iterator[int]:
    """Hold a lock, waiting for it if need be; whoever inherits its descriptor holds it as well."""
    held = lock(path)
    if held is None:
        progress.note("another lexkit extracts the same dump; waiting for it")
        held = lock(path, wait=True)
    assert held is not None
    with held:
        yield held.fileno()


@dataclass(frozen=True)
class _Extraction:
    dump: Path
    target: Path
    installed: Installed
    brown: Brown
    language: str
    jobs: int
    progress: Progress
    lock: int

    @property
    def folder(self) -> Path:
        return self.target.with_name(f"{self.target.name}.partial")

    def run(self) -> None:
        self.folder.mkdir(exist_ok=True)
        wiktwords = wiktwords_of(self._usage())
        collected = self._collected()
        if collected is None:
            self.progress.stage(f"check {self.dump.name}")
            dump = check_dump(self.dump, lambda n_pages: self.progress.count(n_pages, None, "pages"))
        else:
            dump = collected.dump
        if wiktwords.only_english and dump.edition != "en":
            raise SourceError(
                f"{self.dump}: a dump of the Wiktionary in {dump.edition!r}, and wiktextract {self.installed.version} "
                "of PyPI reads the English one only; install its development version, or give an English dump"
            )
        name = self._language_name(dump.edition)
        if collected is None:
            self.progress.stage(f"collect the pages of {self.dump.name}")
            collected = self._collect(wiktwords, dump)
        self.progress.stage(f"extract the entries of {self.dump.name}")
        self._clear(keep=(*collected.files, _COLLECTED, _JOURNAL))
        arguments = wiktwords.extract(dump.edition, self.language, name, self.jobs)
        failed_pages = _FailedPages()
        self._wiktwords(arguments, dump.n_pages, failed_pages)
        self._publish()
        if failed_pages.titles:
            first = next(iter(failed_pages.titles))
            self.progress.note(
                f"wiktextract failed on {len(failed_pages.titles):,} pages of {self.dump.name}, first on {first}"
            )

    def _usage(self) -> str:
        """Return what ``wiktwords --help`` prints; asked once for every wiktextract, since it takes seconds."""
        kept = self.target.with_name(f"usage-{self.installed.fingerprint[:16]}.txt")
        if not kept.exists():
            beside = self.folder / "usage.txt"
            beside.write_text("\n".join(self._run("wiktwords", _JOURNAL, "1", "--help")), encoding="utf-8")
            beside.replace(kept)
        return kept.read_text(encoding="utf-8")

    def _language_name(self, edition: str) -> str:
        name = "".join(self._run("language", self.language, edition)[:1])
        if not name:
            raise SourceError(
                f"{self.dump}: wiktextract knows no language {self.language!r}; "
                "give --language a code of Wiktionary's, such as en"
            )
        return name

    def _collected(self) -> _Collected | None:
        try:
            return msgspec.json.decode((self.folder / _COLLECTED).read_bytes(), type=_Collected)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _collect(self, wiktwords: Wiktwords, dump: Dump) -> _Collected:
        self._clear(keep=())
        given = self._as_given(wiktwords)
        self._wiktwords(wiktwords.collect(given.name, dump.edition, self.language), dump.n_pages)
        given.unlink()
        collected = _Collected(dump, sorted(file.name for file in self.folder.iterdir()))
        write_atomically(self.folder / _COLLECTED, msgspec.json.encode(collected))
        return collected

    def _as_given(self, wiktwords: Wiktwords) -> Path:
        """Put the dump into the folder, under a name that a shell and wiktextract's look at its ending can take."""
        packed = is_bzip2(self.dump)
        wanted = (packed and shutil.which("bzcat") is not None) or not wiktwords.takes_plain_xml
        given = self.folder / ("dump.xml.bz2" if wanted else "dump.xml")
        if packed == wanted:
            given.symlink_to(self.dump.resolve())
        else:
            with open_dump(self.dump) as source, bz2.open(given, "wb", 1) if wanted else given.open("wb") as copy:
                shutil.copyfileobj(source, copy, 1 << 20)
        return given

    def _clear(self, keep: tuple[str, ...]) -> None:
        for file in self.folder.iterdir():
            if file.name not in keep:
                shutil.rmtree(file) if file.is_dir() and not file.is_symlink() else file.unlink()

    def _wiktwords(
        self, arguments: list[str], n_pages: int, on_line: Callable[[str], None] = lambda line: None
    ) -> None:
        def follow(line: str) -> None:
            on_line(line)
            if match := _COUNT.search(line):
                self.progress.count(int(match[1]), int(match[2] or n_pages), "pages")

        self._run("wiktwords", _JOURNAL, str(self.jobs), *arguments, on_line=follow)

    def _run(self, *arguments: str, on_line: Callable[[str], None] = lambda line: None) -> list[str]:
        environment = environment_for(self.brown)
        try:
            return run_child(
                arguments, folder=self.folder, environment=environment, keep_open=(self.lock,), on_line=on_line
            )
        except ChildError as error:
            raise SourceError(
                f"{self.dump}: wiktextract {self.installed.version} failed ({error}); "
                "run again to resume, or build from JSONL of wiktextract instead"
            ) from error

    def _publish(self) -> None:
        """Compress the entries and give them their name, if there are any; the working folder goes."""
        beside = self.folder / "entries.jsonl.gz"
        n_bytes = 0
        with (
            (self.folder / ENTRIES).open("rb") as entries,
            beside.open("wb") as raw,
            gzip.GzipFile("", "wb", 6, raw, mtime=0) as packed,
        ):
            while block := entries.read(1 << 20):
                n_bytes += len(block)
                packed.write(block)
        if n_bytes > 0:
            sync(beside)
            beside.replace(self.target)
            sync(self.target.parent)
        shutil.rmtree(self.folder, ignore_errors=True)
        if n_bytes == 0:
            raise SourceError(
                f"{self.dump}: wiktextract found no entry in it; check that it is a Wiktionary with the language "
                f"{self.language!r}, or give another --language"
            )


class _FailedPages:
    """Collects the pages that wiktextract gave up, from the messages it prints."""

    def __init__(self) -> None:
        self.titles: dict[str, None] = {}

    def __call__(self, line: str) -> None:
        if _FAILED_PAGE in line:
            self.titles[line.partition(_FAILED_PAGE)[2].partition('"')[0]] = None
