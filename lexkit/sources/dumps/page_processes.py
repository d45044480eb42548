"""Process pages in several processes, in order, and save finished results in files."""

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
"""Model and title of a page."""
Results = Iterator[tuple[Any, str | None]]
"""The result of each page, or the reason why there is none."""
Work = Callable[[Page], Any]
Report = Callable[[int], None]

MAX_SECONDS = 600
"""Time limit for a page, after which it is given up; wiktextract itself warns after 100 seconds."""
_BATCH = 500
"""Pages in a file, the most that a kill can cost. Processes end after a batch, which frees the memory they hold."""
_work: Work
"""The function that processes a page; set before forking, so that it need not be sent to the processes."""


def process_pages(work: Work, pages: Sequence[Page], folder: Path, jobs: int, report: Report) -> Results:
    """Yield the result of every page, in the order of the pages, after a round trip through JSON.

    If a process dies, or spends more than `MAX_SECONDS` on a page, the next pages are processed one by one, each in a
    process of its own. A page whose own process dies is given up.

    Args:
        work: processes a page in another process and returns a JSON value.
        pages: all pages.
        folder: folder for the results; those of an earlier run with the same pages are reused.
        jobs: number of processes.
        report: called with the number of pages that are done.
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
            with ProcessPoolExecutor(min(jobs, len(batch)), get_context("fork"), _end_on_signals) as pool:
                for result in pool.map(_process, batch):
                    yield result
                    done += 1
        except BrokenProcessPool:
            if alone:
                yield None, f"its process died, or took more than {MAX_SECONDS:,} seconds"
                done += 1
            alone = alone or 4 * jobs + 1
        alone = max(0, alone - 1)


def _end_on_signals() -> None:
    # The pool ends processes with SIGTERM. Where a handler is inherited that raises an exception, as lexkit's own does,
    # the process may stay alive or leave the pool's queue full, and the pool would wait for ever.
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


def _process(page: Page) -> tuple[Any, str | None]:
    signal.alarm(MAX_SECONDS)
    try:
        return _work(page), None
    except MemoryError:
        os._exit(1)  # the process may not have enough memory left for the next page
    except Exception as error:
        return None, f"{type(error).__name__}: {first_line(error)}"
    finally:
        signal.alarm(0)
