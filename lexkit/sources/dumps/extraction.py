"""Makes JSON lines of a dump in the cache, once for every dump, wiktextract and language.

While an extraction is under way everything lies in a folder beside the place of its result, and a lock is held, also by
the processes that work. The next extraction uses what a killed one leaves there: the pages if it had read all of them,
and the entries of most pages that it had finished.
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
"""To be raised when the same dump and wiktextract come to give other lines."""
_MODULE = "lexkit.sources.dumps.wiktextract_process"
_MEMORY = 2 << 30
"""Bytes that a process may take, besides four times the dump's size: wiktextract keeps titles and templates in it."""


def extract(path: Path, *, language: str = "en", jobs: int = 1, progress: Progress | None = None) -> Path:
    """Return the JSON lines, gzipped, that wiktextract makes of a dump; from the cache if they are there.

    The cache is the folder ``$LEXKIT_CACHE``, or where the system keeps caches. The lines depend on the dump, the
    installed wiktextract, its corpus and the language, and on nothing else: not on *jobs*, nor on being interrupted.

    Args:
        path: a MediaWiki dump, XML, plain or compressed.
        language: Wiktionary's code of the language whose entries are wanted.
        jobs: processes that extract.
        progress: shows stages, pages, and what the user should know.

    Raises:
        SourceError: the dump is broken or has nothing of the language, wiktextract fails or does not know the
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
        raise SourceError(f"{place}: {error.strerror}; set LEXKIT_CACHE to a folder with room") from error


def _extract(path: Path, language: str, jobs: int, progress: Progress, cache: Path) -> Path:
    progress.stage("check the cache")
    sha256, size = fingerprint(path)
    brown = find_brown(cache)
    if brown is None:
        progress.note("wiktextract runs without NLTK's Brown corpus, and less well; 'lexkit fetch brown' gets it")
    parts = (
        f"{_FORMAT}\n{sha256}\n{version('wiktextract')}\n{version('wikitextprocessor')}\n{language}\n{brown is None}"
    )
    target = cache / "wiktextract" / f"{sha256[:16]}-{hashlib.sha256(parts.encode()).hexdigest()[:16]}.jsonl.gz"
    if target.exists():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    held = lock(target.with_suffix(".lock"))
    if held is None:
        progress.note("another lexkit extracts the same dump; waiting for it")
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
        except SourceError:  # after anything else the next extraction resumes
            shutil.rmtree(folder)
            raise
        shutil.rmtree(folder)
    return target
