from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lexkit import bounded_process
from lexkit.bounded_process import ProcessError, run
from lexkit.errors import SourceError

CHILD = """
import os, signal, sys, time
from lexkit.errors import SourceError
from lexkit import bounded_process

def main(send, how, *rest):
    print("noise")
    os.write(1, b"more noise")
    if how == "echo":
        for value in rest:
            send([value, 1.5, None])
    elif how == "refuse":
        raise SourceError("file: bad; get another")
    elif how == "fail":
        raise ValueError("bad \\x1b[31m thing")
    elif how == "exit":
        sys.exit(5)
    elif how == "memory":
        send(len(bytes(1 << 28)))
        bytes(1 << 40)
    elif how == "abort":
        os.abort()
    elif how == "hang":
        pid = os.fork()
        send([os.getpid(), pid])
        while True:
            time.sleep(600)
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Iterator[Any]]:
    (tmp_path / "bounded_child.py").write_text(CHILD)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return lambda *arguments: run("bounded_child", arguments, 1 << 30)


def test_what_is_sent_arrives_and_noise_does_not(start: Callable[..., Iterator[Any]]) -> None:
    assert list(start("echo", "a\nb", "é")) == [["a\nb", 1.5, None], ["é", 1.5, None]]


def test_a_refusal_comes_through(start: Callable[..., Iterator[Any]]) -> None:
    with pytest.raises(SourceError, match=r"^file: bad; get another$"):
        list(start("refuse"))


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ("fail", r"ValueError: bad \[31m thing"),
        ("exit", "exit code 5"),
        ("memory", "it needs more than 1,024 MiB of memory"),
        ("abort", "killed by SIGABRT, perhaps out of memory"),
    ],
)
def test_a_failure_is_told_in_a_few_words(start: Callable[..., Iterator[Any]], how: str, reason: str) -> None:
    with pytest.raises(ProcessError, match=f"^{reason}$"):
        list(start(how))


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + 60
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_process_that_is_silent_too_long_is_ended(
    start: Callable[..., Iterator[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounded_process, "LONGEST_SILENCE", 1)
    with pytest.raises(ProcessError, match=r"^it was silent for 1 s$"):
        for pids in start("hang"):
            assert len(pids) == 2
    wait_for_end(pids[1])


def test_processes_end_with_the_iterator(start: Callable[..., Iterator[Any]]) -> None:
    values = start("hang")
    pids = next(values)
    del values
    for pid in pids:
        wait_for_end(pid)


def test_processes_end_with_the_parent(start: Callable[..., Iterator[Any]]) -> None:
    code = (
        "from lexkit.bounded_process import run; values = run('bounded_child', ['hang'], 1 << 30); "
        "print(*next(values), flush=True); next(values)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": os.pathsep.join([os.environ["PYTHONPATH"], bounded_process._ROOT])},
    ) as process:
        assert process.stdout is not None
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.send_signal(signal.SIGKILL)
    for pid in pids:
        wait_for_end(pid)
