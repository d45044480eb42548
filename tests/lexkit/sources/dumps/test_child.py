"""What the child changes in wiktextract 1.99.7; the rest of it is tested where wiktextract runs."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexkit.sources.dumps.child import resumed

TITLES = ["glad", "sad", "Thesaurus:glad", "“é”", "merry", "bad page"]
PAGES = [("wikitext", title) for title in TITLES]


def result(title: str) -> tuple[bool, str, float, Any]:
    if title == "bad page":
        return False, title, 0.0, f'=== EXCEPTION while parsing page "{title}":\nTraceback ...'
    if title.startswith("Thesaurus:"):
        return True, title, 0.0, None
    return True, title, 0.0, ([{"word": title, "senses": [{"glosses": ("one", "two")}]}], {"debugs": ["x"] * 1000})


def plain(results: Iterator[tuple[bool, str, float, Any]]) -> list[Any]:
    """As wiktextract writes it: success, title, and the entries or the message."""
    return json.loads(json.dumps([(ok, title, value[0] if ok and value else value) for ok, title, _, value in results]))


@pytest.fixture
def work() -> Callable[..., Iterator[Any]]:
    def work(pages: list[tuple[str, str]]) -> Iterator[Any]:
        return (result(title) for _, title in pages)

    return work


def test_results_come_in_order_without_messages(tmp_path: Path, work: Callable[..., Iterator[Any]]) -> None:
    results = list(resumed(tmp_path / "journal", PAGES, work))
    assert [title for _, title, _, _ in results] == TITLES
    assert "debugs" not in results[0][3][1]


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(length=st.integers(0, 600), junk=st.sampled_from([b"", b"\0" * 40, b"5\n", b'["x", true, null]\n', b"\xff\n"]))
def test_a_journal_cut_anywhere_gives_the_same(
    tmp_path: Path, work: Callable[..., Iterator[Any]], length: int, junk: bytes
) -> None:
    journal = tmp_path / "journal"
    journal.unlink(missing_ok=True)
    whole = plain(resumed(journal, PAGES, work))
    kept = journal.read_bytes()
    n_whole = kept[:length].count(b"\n")
    journal.write_bytes(kept[:length] + junk)
    done: list[str] = []

    def rest(pages: list[tuple[str, str]]) -> Iterator[Any]:
        done.extend(title for _, title in pages)
        return work(pages)

    assert plain(resumed(journal, PAGES, rest)) == whole
    assert journal.read_bytes() == kept
    assert done == TITLES[n_whole:]


def test_the_journal_of_other_pages_is_not_used(tmp_path: Path, work: Callable[..., Iterator[Any]]) -> None:
    journal = tmp_path / "journal"
    list(resumed(journal, PAGES, work))
    pages = [PAGES[0], *PAGES[2:]]
    assert [title for _, title, _, _ in resumed(journal, pages, work)] == [title for _, title in pages]
    assert [json.loads(line)[0] for line in journal.read_text("utf-8").splitlines()] == [title for _, title in pages]
