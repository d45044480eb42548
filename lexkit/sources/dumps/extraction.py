"""Extract the JSON lines of a dump into the cache, once for each dump, version of wiktextract and language.

During an extraction, all files are in a folder beside the future result, and this process and its workers hold a lock.
After a kill, the next extraction uses what is left there: the pages if all of them had been read, and the entries of
most pages that were finished.
"""

from __future__ import annotations

import hashlib
import shutil
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from lexkit.atomic_write import lock
from lexkit.bounded_process import ProcessError, run
from lexkit.errors import SourceError
from lexkit.progress import Progress
from lexkit.sources.cache import cache_folder
from lexkit.sources.dumps.brown_corpus import find_brown, write_standin
from lexkit.sources.files import fingerprint

_FORMAT = 2
"""Version of the output; increase it when a change makes the same dump and wiktextract give other lines."""
_MODULE = "lexkit.sources.dumps.wiktextract_process"
_MEMORY = 2 << 30
"""Bytes of memory for a process, in addition to four times the dump's size for the titles and templates."""


def extract(path: Path, *, language: str = "en", jobs: int = 1, progress: Progress | None = None) -> Path:
    """Return the path of the gzipped JSON lines that wiktextract extracts from a dump, from the cache if possible.

    The cache is ``$LEXKIT_CACHE``, or else the user's cache folder. The lines depend only on the dump, the installed
    wiktextract, its corpus and the language; *jobs* and interruptions make no difference.

    Args:
        path: a MediaWiki XML dump, plain or compressed.
        language: Wiktionary's code of the language whose entries are extracted.
        jobs: number of processes.
        progress: receives stages, numbers of pages, and notes for the user.

    Raises:
        SourceError: the dump is broken or has no entries of the language, wiktextract fails or does not know the
            language, or the cache cannot be written.
    """
    cache = cache_folder().absolute()
    try:
        return _extract(path, language, jobs, progress or Progress(), cache)
    except PackageNotFoundError as error:
        raise SourceError(f"{path}: {error.name} is not installed; 'pip install wiktextract==1.99.7'") from error
    except ProcessError as error:
        raise SourceError(f"{path}: wiktextract failed ({error}); run again to resume, or build from JSONL") from error
    except OSError as error:
        place = error.filename or cache
        raise SourceError(f"{place}: {error.strerror}; set LEXKIT_CACHE to a folder with free space") from error


def _extract(path: Path, language: str, jobs: int, progress: Progress, cache: Path) -> Path:
    progress.stage("check the cache")
    sha256, size = fingerprint(path)
    brown = find_brown(cache)
    if brown is None:
        progress.note("wiktextract works better with NLTK's Brown corpus; 'lexkit fetch brown' downloads it")
    parts = (
        f"{_FORMAT}\n{sha256}\n{version('wiktextract')}\n{version('wikitextprocessor')}\n{language}\n{brown is None}"
    )
    target = cache / "wiktextract" / f"{sha256[:16]}-{hashlib.sha256(parts.encode()).hexdigest()[:16]}.jsonl.gz"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    held = lock(target.with_suffix(".lock"))
    if held is None:
        progress.note("another lexkit process is extracting the same dump; waiting for it")
        held = lock(target.with_suffix(".lock"), wait=True)
    assert held is not None
    folder = target.with_name(f"{target.name}.partial")
    with held:
        if target.exists():
            return target
        environment = {"NLTK_DATA": str(brown or write_standin(folder / "nltk_data"))}
        arguments = [str(path), str(folder), str(target), language, str(jobs)]
        folder.mkdir(exist_ok=True)
        try:
            for method, *rest in run(_MODULE, arguments, _MEMORY + 4 * size, environment, [held.fileno()]):
                getattr(progress, method)(*rest)
        except SourceError:  # after any other error, the next extraction can resume
            shutil.rmtree(folder)
            raise
        shutil.rmtree(folder)
    return target
