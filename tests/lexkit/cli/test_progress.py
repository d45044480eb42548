from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lexkit
from lexkit.progress import Progress
from lexkit.reporting.page import write_report
from lexkit.store.verify import verify_store

LONG = "/a/path/" + "with many folders/" * 6 + "file.txt"


def on_a_terminal(*command: str, columns: int = 60) -> str:
    """What a command writes to standard error, which is a terminal."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "COLUMNS": str(columns), "TERM": "xterm-256color"}
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=follower, env=environment) as process:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux says that the other end has closed
            while block := os.read(leader, 100_000):
                shown += block
        process.wait(timeout=60)
    os.close(leader)
    return shown.decode()


class Recorder(Progress):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.counts: dict[str, tuple[int, int | None]] = {}

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def count(self, done: int, total: int | None, unit: str) -> None:
        self.counts[unit] = (done, total)


@pytest.fixture
def store(starter_store: Path, tmp_path: Path) -> Path:
    path = tmp_path / "s.duckdb"
    path.write_bytes(starter_store.read_bytes())
    return path


def test_lines_above_a_bar_are_not_broken() -> None:
    script = f"""
import click
from lexkit.cli.progress import working
from lexkit.safe_output import safe_streams
with safe_streams(), working(False, "work") as progress:
    click.echo({LONG!r} + chr(27) + "[2J", err=True)
    progress.note({LONG!r})
"""
    shown = on_a_terminal(sys.executable, "-c", script)
    assert f"{LONG}\\u001b[2J" in shown
    assert f"note: {LONG}" in shown


def test_an_activity_is_shown_until_the_next_count() -> None:
    script = """
from lexkit.cli.progress import working
with working(False, "training") as progress:
    progress.count(3, 9, "steps")
    progress.activity("evaluating: batch 1 of 2")
    progress._progress.refresh()
    progress.count(4, 9, "steps")
"""
    shown = on_a_terminal(sys.executable, "-c", script)
    assert shown.index("evaluating: batch 1 of 2") < shown.index("training: 4 of 9 steps")


def test_a_failure_gives_the_cursor_back_and_is_one_line(store: Path) -> None:
    other = store.parent / "tokenizer.json"
    other.write_text("{}", encoding="utf-8")
    command = [sys.executable, "-m", "lexkit", "verify", "--store", str(store), "--tokenizer", f"x={other}"]
    shown = on_a_terminal(*command)
    assert "load tokenizers" in shown
    assert shown.rfind("\x1b[?25h") > shown.rfind("\x1b[?25l") >= 0
    assert re.search(rf"error: {re.escape(str(other))}: [^\n]+ a hub name\r\n$", shown)


@pytest.mark.slow
def test_every_phase_of_verify_export_and_report_is_named(store: Path) -> None:
    seen = Recorder()
    verify_store(store, progress=seen)
    assert seen.stages == ["check the store"]
    assert seen.counts["checks"][1] > seen.counts["checks"][0] > 20  # type: ignore[operator]
    lexkit.export(store, store.parent / "export", progress=seen)
    assert seen.stages[1:] == ["read the store", "write relations", "write evidence"]
    with lexkit.open(store) as lexicon:
        write_report(lexicon, store.parent / "report.html", progress=seen)
    assert seen.stages[4:] == ["pack relations", "count", "write the page"]


def test_every_phase_of_tokenize_is_named(store: Path, write_tokenizer: Callable[..., Path]) -> None:
    seen = Recorder()
    lexkit.tokenize(store, [f"bytes={write_tokenizer(store.parent / 'tokenizer.json')}"], progress=seen)
    assert seen.stages == ["load tokenizers", "copy the store", "tokenize with bytes", "write the store"]
    done, total = seen.counts["words"]
    assert done == total
