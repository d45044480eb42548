from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from lexkit.sources.dumps import page_processes
from lexkit.sources.dumps.page_processes import process_pages

# pytest's own threads make Python warn of forking
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
TITLES = ["glad", "sad", "“é”", "merry", "content", "cheerful", "blithe"]


def pages(titles: list[str]) -> list[tuple[str, str]]:
    return [("wikitext", title) for title in titles]


def work(page: tuple[str, str]) -> Any:
    title = page[1]
    if title == "fail":
        raise ValueError("too hard\nfor me")
    if title == "die":
        os._exit(7)
    if title == "take all memory":
        raise MemoryError
    if title == "handlers":
        return [signal.getsignal(number) == signal.SIG_DFL for number in (signal.SIGTERM, signal.SIGALRM)]
    if title == "hang":
        signal.pause()
    return None if title == "empty" else [{"word": title, "glosses": ("one", "two")}]


def process(folder: Path, titles: list[str], jobs: int = 2) -> tuple[list[Any], list[int]]:
    counts: list[int] = []
    return list(process_pages(work, pages(titles), folder / "results", jobs, counts.append)), counts


@pytest.mark.parametrize("jobs", [1, 3])
def test_results_come_in_the_order_of_the_pages(tmp_path: Path, jobs: int) -> None:
    results, counts = process(tmp_path, [*TITLES, "empty"], jobs)
    assert results == [*([[{"word": title, "glosses": ["one", "two"]}], None] for title in TITLES), [None, None]]
    assert counts == list(range(1, len(TITLES) + 2))


def test_a_page_that_fails_is_left_out(tmp_path: Path) -> None:
    results, _ = process(tmp_path, ["fail", "glad"])
    assert results[0] == [None, "ValueError: too hard"]
    assert results[1][1] is None


def test_a_page_that_ends_its_process_is_left_out_alone(tmp_path: Path) -> None:
    titles = [*TITLES, "die", *TITLES, "take all memory", *TITLES]
    results, counts = process(tmp_path, titles)
    assert [title for title, (_, failure) in zip(titles, results, strict=True) if failure] == ["die", "take all memory"]
    assert results[7][1].startswith("its process died")
    assert counts == list(range(1, len(titles) + 1))


def test_a_page_that_hangs_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_processes, "MAX_SECONDS", 1)
    results, _ = process(tmp_path, ["glad", "hang", "sad"])
    assert [failure for _, failure in results] == [None, "its process died, or took more than 1 seconds", None]


def test_no_handler_of_this_process_keeps_a_page_process_from_ending(tmp_path: Path) -> None:
    # The pool ends processes with SIGTERM; one that turned it into an exception made it wait for ever, once in 50 times
    before = {number: signal.signal(number, lambda *_: sys.exit(1)) for number in (signal.SIGTERM, signal.SIGALRM)}
    try:
        results, _ = process(tmp_path, ["handlers"])
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert results == [[[True, True], None]]


def test_what_is_done_is_not_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_processes, "_BATCH", 3)
    iterator = process_pages(work, pages(TITLES), tmp_path / "results", 2, lambda n: None)
    first = [next(iterator) for _ in range(4)]
    iterator.close()
    (tmp_path / "results" / "6.json.new").write_text("[[1")  # of a killed process
    counts: list[int] = []
    whole = list(process_pages(work, pages(TITLES), tmp_path / "results", 1, counts.append))
    assert whole[:4] == first
    assert [value[0]["word"] for value, _ in whole] == TITLES
    assert counts == [7]
