"""What runs wiktextract, in a process of its own: ``python -m lexkit.sources.dumps.child``.

``language CODE EDITION`` prints the name that wiktextract has for a language, or nothing.
``wiktwords JOURNAL JOBS ARGUMENT...`` is the command ``wiktwords`` with five changes: it ends when its parent ends,
NLTK stays off the network, ``pkg_resources`` need not be there, lines come in the order of the dump's pages however
many processes there are, and pages that an earlier run has extracted are taken from its journal. The last two hold for
version 1.99.7; the development version keeps the order by itself, and starts its second phase again.
"""

from __future__ import annotations

import ctypes
import itertools
import json
import multiprocessing
import os
import runpy
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from importlib import import_module
from importlib.metadata import distribution
from importlib.util import find_spec
from multiprocessing import pool
from pathlib import Path
from types import ModuleType
from typing import Any

_Result = tuple[bool, str, float, Any]
"""What 1.99.7 returns for a page: success, title, time begun, and (entries, statistics), None, or what went wrong."""

_SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of prctl(2)


def main(arguments: list[str]) -> None:
    """Do what the module says."""
    _end_with_parent()
    mode, *rest = arguments
    _supply_pkg_resources()
    if mode == "language":
        sys.stdout.write(_language_name(*rest) + "\n")
    else:
        journal, jobs, *sys.argv[1:] = rest
        sys.argv[0] = "wiktwords"
        _run_wiktwords(Path(journal), int(jobs))


def _end_with_parent() -> None:
    """Kill the whole group when standard input ends: the parent holds the other end of it and writes nothing."""

    def watch() -> None:
        while os.read(0, 1):
            pass
        if os.getpgrp() == os.getpid():
            os.killpg(0, signal.SIGKILL)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
    if sys.platform == "linux":  # where the workers can also see this very process killed
        prctl = ctypes.CDLL(None).prctl
        os.register_at_fork(after_in_child=lambda: prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL))


def _language_name(code: str, edition: str) -> str:
    try:
        languages = import_module("wikitextprocessor").ALL_LANGUAGES
    except AttributeError:
        return str(import_module("mediawiki_langcodes").code_to_name(code, edition))
    return next((language["name"] for language in languages if language["code"] == code), "")


def _keep_nltk_offline() -> None:
    """Make NLTK's downloads succeed without trying: the corpus that is there has to do."""
    try:
        nltk = import_module("nltk")
    except ImportError:
        return
    setattr(nltk, "download", lambda *_, **__: True)  # noqa: B010  # the type checker knows no nltk


def _supply_pkg_resources() -> None:
    """Stand in for a module that setuptools had up to version 81, of which the released version uses one function."""
    if find_spec("pkg_resources") is not None:
        return

    def resource_filename(package: str, name: str) -> str:
        spec = find_spec(package)
        assert spec is not None and spec.origin is not None
        return str(Path(spec.origin).parent / name) + "/" * name.endswith("/")

    module = ModuleType("pkg_resources")
    setattr(module, "resource_filename", resource_filename)  # noqa: B010
    sys.modules["pkg_resources"] = module


def _run_wiktwords(journal: Path, jobs: int) -> None:
    _keep_nltk_offline()
    package = distribution("wiktextract")
    points = package.entry_points.select(group="console_scripts", name="wiktwords")
    if points:
        next(iter(points)).load()()
        return
    script = next(file for file in package.files or () if file.name == "wiktwords")
    _keep_order(journal, jobs)
    runpy.run_path(str(script.locate()), run_name="__main__")


def _keep_order(journal: Path, jobs: int) -> None:
    """Change how version 1.99.7 spreads the pages over processes."""
    multiprocessing.set_start_method("fork", force=True)  # it hands its state to the workers by forking
    make_pool = multiprocessing.Pool
    setattr(multiprocessing, "Pool", lambda *_: make_pool(jobs))  # noqa: B010
    runs = itertools.count()

    def imap_in_order(
        self: pool.Pool, handle: Callable[[Any], _Result], pages: Iterable[tuple[str, str]], chunksize: int = 1
    ) -> Iterator[_Result]:
        def work(remaining: list[tuple[str, str]]) -> Iterator[_Result]:
            return self.imap(handle, remaining, chunksize)

        # the first of its two runs over the pages collects the thesaurus, which takes no time
        return work(list(pages)) if next(runs) == 0 else resumed(journal, list(pages), work)

    setattr(pool.Pool, "imap_unordered", imap_in_order)  # noqa: B010


def resumed(
    journal: Path, pages: list[tuple[str, str]], work: Callable[[list[tuple[str, str]]], Iterator[_Result]]
) -> Iterator[_Result]:
    """Yield the result of every page, from the journal as far as it goes, and keep the journal of the others.

    Args:
        journal: one JSON list a line, in the order of the pages: title, success, and entries or what went wrong.
        pages: (model, title) of every page.
        work: yields the results of the pages it is given, in their order.
    """
    n_done = 0
    good = 0
    journal.touch()
    with journal.open("rb") as stream:
        for line in stream:
            entry = _parse(line)
            if entry is None or n_done >= len(pages) or entry[0] != pages[n_done][1]:
                break  # of a line cut off by a kill, and all after it, nothing is used
            good += len(line)
            n_done += 1
            yield _result(*entry)
    os.truncate(journal, good)
    # a line at a time, so that a killed process loses no page that it has extracted
    with journal.open("a", encoding="utf-8", buffering=1) as stream:
        for success, title, _, value in work(pages[n_done:]):
            kept = value[0] if success and value is not None else value
            stream.write(json.dumps([title, success, kept], ensure_ascii=False) + "\n")
            yield _result(title, success, kept)


def _parse(line: bytes) -> tuple[str, bool, Any] | None:
    try:
        title, success, kept = json.loads(line)
    except (ValueError, TypeError):
        return None
    return (title, success, kept) if line.endswith(b"\n") else None


def _result(title: str, success: bool, kept: Any) -> _Result:  # noqa: ANN401
    if not success or kept is None:
        return success, title, time.time(), kept
    # without the statistics: nobody asks for them, and version 1.99.7 collects every message it prints for them
    counts: dict[str, Any] = {"num_pages": 1, "language_counts": {}, "pos_counts": {}, "section_counts": {}}
    return success, title, time.time(), (kept, counts)


if __name__ == "__mp_main__":  # the name of this module in spawned workers, which import wiktextract once more
    _supply_pkg_resources()
    _keep_nltk_offline()
if __name__ == "__main__":
    main(sys.argv[1:])
