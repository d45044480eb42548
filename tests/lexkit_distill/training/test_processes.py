"""Runs in processes of their own: killed at any moment, ended by a signal, and two at once."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

Configured = Callable[..., Any]
pytestmark = pytest.mark.slow
psutil = pytest.importorskip("psutil", reason="comes with the extra 'distill'")


def command(config: Any, processes: int) -> list[str]:
    arguments = ["-m", "lexkit", "distill", "train", "--quiet"]
    for name, value in dataclasses.asdict(config).items():
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None and one is not False:
                arguments += [f"--{name.replace('_', '-')}", str(one)]
    if processes == 1:
        return [sys.executable, *arguments]
    shipped = str(resources.files("lexkit_distill.training") / "accelerate" / "cpu.yaml")
    launch = ["-m", "accelerate.commands.launch", "--config_file", shipped, "--main_process_port", "0"]
    return [sys.executable, *launch, *arguments]


def start(config: Any, processes: int = 1) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(command(config, processes), env=environment, stderr=subprocess.PIPE, text=True)


def workers(running: subprocess.Popen[str], processes: int) -> list[Any]:
    """The processes that train: those of the launcher, which leaves their sessions to themselves, or this one."""
    started = psutil.Process(running.pid)
    found = [child for child in started.children(recursive=True) if "train" in child.cmdline()]
    found = found if processes > 1 else [started]
    assert len(found) == processes, found
    return found


def kill(running: subprocess.Popen[str], processes: int) -> None:
    found = workers(running, processes)
    for process in found:
        process.kill()
    running.kill()
    running.communicate()
    psutil.wait_procs(found, timeout=60)


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


def processes_of(folder: Path) -> int:
    """How many processes say that they trained."""
    processes: int = json.loads((folder / "training.json").read_text("utf-8"))["plan"]["processes"]
    return processes


@pytest.mark.parametrize(("processes", "cached"), [(1, False), (2, False), (2, True)])
def test_a_run_killed_twice_ends_with_the_losses_of_the_unbroken_one(
    configured: Configured, tmp_path: Path, processes: int, cached: bool
) -> None:
    common = {"epochs": 4, "save_every": 3}

    def of(name: str) -> Any:
        cache = {"cache": str(tmp_path / f"{name}-cache")} if cached else {}
        return configured(output=str(tmp_path / name), **common, **cache)

    finish(start(of("whole"), processes))
    for step in (7, 16):  # the second in the second epoch
        running = start(of("student"), processes)
        wait_for(tmp_path / "student", step, running)
        kill(running, processes)
    assert not (tmp_path / "student" / "training.json").exists()
    finish(start(of("student"), processes))
    assert processes_of(tmp_path / "whole") == processes_of(tmp_path / "student") == processes
    assert len(rows(tmp_path / "whole")) == 40
    assert rows(tmp_path / "student") == rows(tmp_path / "whole")
    same = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("student", "whole")]
    assert same[0] == same[1]


def test_two_processes_have_the_losses_and_gradients_of_one(configured: Configured, tmp_path: Path) -> None:
    # Forty rows in threes: the last step of an epoch has a single row, and the second process none
    common = {"eval_data": (str(tmp_path / "held.txt"),), "batch_size": 3, "micro_batch_size": 1}
    finish(start(configured(**common)))
    finish(start(configured(output=str(tmp_path / "two"), **common), 2))
    assert (processes_of(tmp_path / "student"), processes_of(tmp_path / "two")) == (1, 2)
    one, two = rows(tmp_path / "student"), rows(tmp_path / "two")
    assert len(one) == len(two) == 28
    for ours, theirs in zip(one, two, strict=True):
        assert (ours["targets"], ours["sampled"]) == (theirs["targets"], theirs["sampled"])
        for name in ("loss", "ce", "kl", "semantic", "gradient_norm", "eval_ce", "eval_kl"):
            if ours[name]:
                tolerance = 1e-4 if name == "gradient_norm" else 1e-5
                assert float(theirs[name]) == pytest.approx(float(ours[name]), rel=tolerance), (ours["step"], name)


@pytest.mark.parametrize("processes", [1, 2])
def test_sigterm_saves_and_ends_well(configured: Configured, tmp_path: Path, processes: int) -> None:
    config = configured(epochs=200, save_every=100000)
    running = start(config, processes)
    wait_for(tmp_path / "student", 3, running)
    workers(running, processes)[-1].terminate()  # one of them tells the others
    finish(running)
    done = len(rows(tmp_path / "student"))
    assert done < 2000
    assert [path.name for path in (tmp_path / "student/checkpoints").iterdir()] == [f"step-{done:08d}"]
    assert not (tmp_path / "student" / "training.json").exists()


def test_sigterm_to_the_launcher_saves_too(configured: Configured, tmp_path: Path) -> None:
    running = start(configured(epochs=200, save_every=100000), 2)
    wait_for(tmp_path / "student", 3, running)
    running.terminate()
    running.communicate(timeout=120)
    assert running.returncode != 0  # torch's launcher says what ended it
    done = len(rows(tmp_path / "student"))
    assert [path.name for path in (tmp_path / "student/checkpoints").iterdir()] == [f"step-{done:08d}"]
