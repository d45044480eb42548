"""Spreads pages over processes, keeps their order, and keeps what is done in files."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from lexkit.atomic_write import write_atomically
from lexkit.errors import first_line

Page = tuple[str, str]
"""Model and title."""
Results = Iterator[tuple[Any, str | None]]
"""What was made of each page, or why nothing could be made of it."""
Work = Callable[[Page], Any]
Report = Callable[[int], None]

MAX_SECONDS = 600
"""A page that takes longer is given up; wiktextract itself warns of 100."""
_BATCH = 500
"""Pages in a file; a kill costs at most these. The processes end with them, which frees what has piled up in memory."""
_work: Work
"""What is done with a page; set before the processes are forked, which therefore need not be sent it."""


def process_pages(work: Work, pages: Sequence[Page], folder: Path, jobs: int, report: Report) -> Results:
    """Yield the result of every page, in the order of the pages, as JSON brings it back.

    If a process dies, or spends more than `MAX_SECONDS` on a page, the next pages are processed one by one, each in a
    process of its own. A page that ends its own process is given up.

    Args:
        work: makes what JSON can hold of a page, in another process.
        pages: all pages.
        folder: where the results are kept, and those of an earlier run with the same pages are taken from.
        jobs: number of processes.
        report: called with the number of pages done.
    """
    folder.mkdir(exist_ok=True)
    for start in range(0, len(pages), _BATCH):
        file = folder / f"{start}.json"
        if not file.exists():
            results = []
            for result in _process_batch(work, pages[start : start + _BATCH], jobs):
                results.append(result)
                report(start + len(results))
            write_atomically(file, json.dumps(results).encode())
        yield from json.loads(file.read_bytes())


def _process_batch(work: Work, pages: Sequence[Page], jobs: int) -> Results:
    global _work
    _work = work
    done = alone = 0
    while done < len(pages):
        batch = pages[done : done + 1] if alone else pages[done:]
        try:
            with ProcessPoolExecutor(min(jobs, len(batch)), get_context("fork")) as pool:
                for result in pool.map(_process, batch):
                    yield result
                    done += 1
        except BrokenProcessPool:
            if alone:
                yield None, f"its process died, or took more than {MAX_SECONDS:,} seconds"
                done += 1
            alone = alone or 4 * jobs + 1
        alone = max(0, alone - 1)


def _process(page: Page) -> tuple[Any, str | None]:
    signal.alarm(MAX_SECONDS)
    try:
        return _work(page), None
    except MemoryError:
        os._exit(1)  # what is left of the process may not suffice for the next page
    except Exception as error:
        return None, f"{type(error).__name__}: {first_line(error)}"
    finally:
        signal.alarm(0)
