"""Runs in processes of their own: killed at any moment, ended by a signal, and two at once."""

from __future__ import annotations

import csv
import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Configured = Callable[..., Any]
pytestmark = pytest.mark.slow


def command(config: Any, processes: int) -> list[str]:
    arguments = ["-m", "lexkit", "distill", "train", "--quiet"]
    for name, value in dataclasses.asdict(config).items():
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None and one is not False:
                arguments += [f"--{name.replace('_', '-')}", str(one)]
    if processes == 1:
        return [sys.executable, *arguments]
    port = str(29500 + os.getpid() % 500)
    launch = ["-m", "accelerate.commands.launch", "--cpu", "--num_processes", str(processes), "--num_machines", "1"]
    return [
        sys.executable,
        *launch,
        "--mixed_precision",
        "no",
        "--dynamo_backend",
        "no",
        "--main_process_port",
        port,
        *arguments,
    ]


def start(config: Any, processes: int = 1) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        command(config, processes), env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def finish(running: subprocess.Popen[str]) -> None:
    _, errors = running.communicate(timeout=300)
    assert running.returncode == 0, errors


def rows(folder: Path) -> list[dict[str, str]]:
    path = folder / "log.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: value for name, value in row.items() if name != "seconds"} for row in csv.DictReader(file)]


def wait_for(folder: Path, step: int, running: subprocess.Popen[str]) -> None:
    limit = time.monotonic() + 240
    while len(rows(folder)) < step:
        assert running.poll() is None, running.communicate()[1]
        assert time.monotonic() < limit
        time.sleep(0.01)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_run_killed_twice_ends_with_the_losses_of_the_unbroken_one(
    configured: Configured, tmp_path: Path, processes: int
) -> None:
    common = {"epochs": 4, "save_every": 3}
    finish(start(configured(output=str(tmp_path / "whole"), **common), processes))
    config = configured(**common)
    for step in (7, 16):  # the second in the second epoch
        running = start(config, processes)
        wait_for(tmp_path / "student", step, running)
        os.killpg(running.pid, signal.SIGKILL)
        running.communicate()
        time.sleep(1)
    assert not (tmp_path / "student" / "training.json").exists()
    finish(start(config, processes))
    assert len(rows(tmp_path / "whole")) == 40
    assert rows(tmp_path / "student") == rows(tmp_path / "whole")
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("student", "whole")]
    assert same[0] == same[1]


def test_two_processes_have_the_losses_of_one(configured: Configured, tmp_path: Path) -> None:
    finish(start(configured(eval_data=(str(tmp_path / "held.txt"),))))
    finish(start(configured(output=str(tmp_path / "two"), eval_data=(str(tmp_path / "held.txt"),)), 2))
    one, two = rows(tmp_path / "student"), rows(tmp_path / "two")
    assert len(one) == len(two) == 20
    for ours, theirs in zip(one, two, strict=True):
        for name in ("loss", "ce", "kl", "semantic", "eval_ce"):
            if ours[name]:
                assert float(theirs[name]) == pytest.approx(float(ours[name]), rel=1e-5), (ours["step"], name)


def test_sigterm_saves_and_ends_well(configured: Configured, tmp_path: Path) -> None:
    config = configured(epochs=200, save_every=100000)
    running = start(config)
    wait_for(tmp_path / "student", 3, running)
    running.terminate()
    finish(running)
    done = len(rows(tmp_path / "student"))
    assert done < 2000
    assert [path.name for path in (tmp_path / "student/checkpoints").iterdir()] == [f"step-{done:08d}"]
    assert not (tmp_path / "student" / "training.json").exists()
