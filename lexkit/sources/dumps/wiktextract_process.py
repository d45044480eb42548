"""Run wiktextract 1.99.7, the version on PyPI, in the process that `lexkit.sources.dumps.extraction` starts.

wiktextract's command ``wiktwords`` cannot resume, writes entries in the order in which its processes happen to finish,
keeps every message in memory, and waits forever for a process that has died. This module therefore calls the functions
behind the command. wiktextract stores the pages in its own cache file and extracts the entries.
"""

from __future__ import annotations

import gzip
import json
import os
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any

from lexkit.atomic_write import new_file, sync
from lexkit.errors import SourceError
from lexkit.sources.dumps.dump_reader import read_pages
from lexkit.sources.dumps.page_processes import Page, process_pages

Send = Callable[[list[Any]], None]
"""A function that sends the name of a method of `lexkit.progress.Progress` and its arguments."""
_NO_STATISTICS: dict[str, Any] = {"num_pages": 1, "language_counts": {}, "pos_counts": {}, "section_counts": {}}


def main(send: Send, dump: str, folder: str, target: str, language: str, jobs: str) -> None:
    """Write the entries of a dump to the file *target*.

    Args:
        send: reports progress.
        dump: path of the dump.
        folder: working folder, in which a killed run may have left files; its name ends in ``.partial``.
        target: path of the file to write.
        language: Wiktionary's code of the language.
        jobs: number of processes.
    """
    path = Path(dump)
    name = _language_name(path, language)
    if not Path(folder, "collected").exists():
        send(["stage", "read the pages of the dump"])
        _collect(send, path, Path(folder))
    os.chdir(folder)  # wiktextract writes files into the current folder
    send(["stage", "extract the entries of the dump"])
    with new_file(Path(target)) as beside, beside.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, 0) as entries:
        _extract(send, name, int(jobs), entries)
        if not entries.tell():
            raise SourceError(f"{path}: wiktextract found no entries of the language {language!r}; give another dump")


def _language_name(path: Path, code: str) -> str:
    """Return wiktextract's name of a language, and patch what would keep wiktextract from being imported.

    NLTK's download is replaced by a function that does nothing, because the corpus has been chosen already.
    ``pkg_resources`` is part of setuptools only up to version 81, and ``ALL_LANGUAGES`` is part of wiktextract only up
    to version 1.99.7.
    """
    setattr(import_module("nltk"), "download", lambda *_, **__: True)  # noqa: B010  # nltk has no types
    if find_spec("pkg_resources") is None:
        module = sys.modules["pkg_resources"] = ModuleType("pkg_resources")
        module.__dict__["resource_filename"] = lambda package, name: f"{import_module(package).__path__[0]}/{name}"
    for language in getattr(import_module("wikitextprocessor"), "ALL_LANGUAGES", ()):
        if language["code"] == code:
            return str(language["name"])
    fix = "give --language a code such as en, and check that wiktextract 1.99.7 is installed"
    raise SourceError(f"{path}: wiktextract does not know the language {code!r}; {fix}")


def _collect(send: Send, dump: Path, folder: Path) -> None:
    """Store the pages of the dump in wiktextract's cache."""
    (folder / "pages.pickle").unlink(missing_ok=True)
    context = _context(folder / "pages")
    for n_pages, page in enumerate(read_pages(dump), 1):
        context.add_page(*page)
        send(["count", n_pages, None, "pages"])
    context.analyze_templates()
    for file in folder.glob("pages*"):
        sync(file)
    (folder / "collected").touch()


def _context(pages: Path) -> Any:  # noqa: ANN401
    """Return wiktextract's context for the pages, including those already in its cache."""
    context = import_module("wikitextprocessor").Wtp(cache_file=str(pages), quiet=True)
    # as in wiktwords: this module of debugging aids makes wiktextract recurse forever
    context.add_page("Scribunto", "Module:no globals", "", transient=True)
    return context


def _extract(send: Send, language: str, jobs: int, entries: gzip.GzipFile) -> None:
    def reprocess(self: Any, handle: Callable[..., Any], autoload: bool = True) -> Iterator[Any]:  # noqa: ANN401
        """Yield the results of *handle* for the pages. wiktextract first reads the thesaurus, without *autoload*."""

        def work(page: Page) -> Any:  # noqa: ANN401
            model, title = page
            self.start_page(title)
            result = handle(model, title, self.read_by_title(title) if autoload else None)
            return result[0] if autoload and result else result  # without the messages

        pages = [page for page in self.page_seq if autoload or page[1].startswith("Thesaurus:")]
        folder = Path("results" if autoload else "thesaurus")
        results = process_pages(work, pages, folder, jobs, lambda n: send(["count", n, len(pages), "pages"]))
        failed = []
        for (_, title), (value, failure) in zip(pages, results, strict=True):
            if failure is not None:
                failed.append(f"{title!r} ({failure})")
            elif value is not None:
                yield (value, _NO_STATISTICS) if autoload else value
        if failed:
            send(["note", f"pages on which wiktextract failed: {len(failed):,}, first {failed[0]}"])

    def write(entry: dict[str, Any]) -> None:
        entries.write(json.dumps(entry, ensure_ascii=False).encode("utf-8", "replace") + b"\n")

    wiktextract = import_module("wiktextract")
    setattr(import_module("wikitextprocessor").Wtp, "reprocess", reprocess)  # noqa: B010
    config = wiktextract.WiktionaryConfig(capture_languages=[language])
    wiktextract.reprocess_wiktionary(_context(Path("pages")), config, write, None)
