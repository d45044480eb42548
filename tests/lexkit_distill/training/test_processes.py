"""Runs in processes of their own: killed at any moment, ended by a signal, and two at once."""

from __future__ import annotations

import csv
import json
import os
import resource
import signal
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
    from lexkit_distill.config import values

    arguments = ["-m", "lexkit", "distill", "train", "--quiet"]
    for name, value in values(config).items():
        for one in value if isinstance(value, tuple) else (value,):
            if one is not None and one is not False:
                arguments += [f"--{name.replace('_', '-')}", str(one)]
    if processes == 1:
        return [sys.executable, *arguments]
    shipped = str(resources.files("lexkit_distill.training") / "accelerate" / "cpu.yaml")
    launch = ["-m", "accelerate.commands.launch", "--config_file", shipped, "--main_process_port", "0"]
    return [sys.executable, *launch, *arguments]


SHARDED = """
# accelerate shards on GPUs only; PyTorch does so on a CPU as well
import os
from importlib import resources

import yaml

path = resources.files("lexkit_distill.training") / "accelerate" / "fsdp.yaml"
for name, value in yaml.safe_load(path.read_text("utf-8"))["fsdp_config"].items():
    os.environ[name.upper()] = str(value)
os.environ["ACCELERATE_USE_FSDP"] = "true"

from accelerate.state import AcceleratorState
from accelerate.utils import DistributedType

make = AcceleratorState.__init__


def sharding(self, *args, fsdp_plugin=None, **kwargs):
    make(self, *args, fsdp_plugin=fsdp_plugin, **kwargs)
    self.distributed_type = DistributedType.FSDP
    if fsdp_plugin is not None:
        self.fsdp_plugin = fsdp_plugin


AcceleratorState.__init__ = sharding

from lexkit.cli.main import main

main()
"""


def start_sharded(config: Any, script: Path) -> subprocess.Popen[str]:
    """Two processes that share the trained layers, as fsdp.yaml has GPUs do."""
    script.write_text(SHARDED, encoding="utf-8")
    arguments = command(config, 2)
    place = arguments.index("-m", 3)  # the launcher's own -m is the first
    arguments[place : place + 2] = [str(script)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(arguments, env=environment, stderr=subprocess.PIPE, text=True)


def start(config: Any, processes: int = 1, first: Callable[[], None] | None = None) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    return subprocess.Popen(
        command(config, processes), env=environment, stderr=subprocess.PIPE, text=True, preexec_fn=first
    )


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


def test_two_processes_that_share_the_layers_have_the_losses_of_one_and_resume(
    configured: Configured, tmp_path: Path
) -> None:
    common = {"save_every": 3, "epochs": 2}
    finish(start(configured(**common)))
    running = start_sharded(configured(output=str(tmp_path / "two"), **common), tmp_path / "sharded.py")
    wait_for(tmp_path / "two", 7, running)
    running.send_signal(signal.SIGTERM)
    running.communicate(timeout=120)
    assert len(rows(tmp_path / "two")) < 20
    assert not (tmp_path / "two" / "training.json").exists()
    finish(start_sharded(configured(output=str(tmp_path / "two"), **common), tmp_path / "sharded.py"))
    assert processes_of(tmp_path / "two") == 2
    one, two = rows(tmp_path / "student"), rows(tmp_path / "two")
    assert len(one) == len(two) == 20
    for ours, theirs in zip(one, two, strict=True):
        for name, tolerance in (("loss", 1e-5), ("semantic", 1e-5), ("gradient_norm", 1e-4)):
            assert float(theirs[name]) == pytest.approx(float(ours[name]), rel=tolerance), (ours["step"], name)


def stopped(folder: Path) -> int:
    """The steps done by a run that has stopped, of which the last is in a checkpoint."""
    done = len(rows(folder))
    assert [path.name for path in (folder / "checkpoints").iterdir()] == [f"step-{done:08d}"]
    assert not (folder / "training.json").exists()
    return done


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_run_with_a_checkpoint_a_line_and_its_own_exit_code(
    configured: Configured, tmp_path: Path, number: int
) -> None:
    running = start(configured(epochs=200, save_every=100000))
    wait_for(tmp_path / "student", 3, running)
    running.send_signal(number)
    _, errors = running.communicate(timeout=120)
    assert running.returncode == 128 + number
    done = stopped(tmp_path / "student")
    assert errors == (
        f"error: {tmp_path / 'student'}: stopped after step {done} of 2,000; run the same command again to resume\n"
    )
    assert not (tmp_path / "student" / ".lock").exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("to_launcher", [True, False])
def test_a_signal_ends_all_processes_after_the_same_step(
    configured: Configured, tmp_path: Path, number: int, to_launcher: bool
) -> None:
    """To the launcher, as the terminal sends it, or to one of the processes, which tells the others."""
    running = start(configured(epochs=200, save_every=100000), 2)
    wait_for(tmp_path / "student", 3, running)
    found = workers(running, 2)
    (running if to_launcher else found[-1]).send_signal(number)
    _, errors = running.communicate(timeout=120)
    assert running.returncode != 0  # torch's launcher says what ended it
    assert psutil.wait_procs(found, timeout=60)[1] == []
    done = stopped(tmp_path / "student")
    assert done < 2000
    if to_launcher:  # else it may end the others before they can speak
        assert errors.count("error: ") == 1
        assert f"stopped after step {done} of 2,000; run the same command again to resume" in errors


def test_a_full_disk_ends_all_processes(configured: Configured, tmp_path: Path) -> None:
    limit = 60_000  # which the optimiser's state is beyond
    running = start(configured(epochs=200), 2, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)))
    wait_for(tmp_path / "student", 1, running)
    found = workers(running, 2)
    _, errors = running.communicate(timeout=120)
    assert running.returncode != 0
    assert psutil.wait_procs(found, timeout=60)[1] == []
    assert errors.count("cannot be written (File too large); free some space") == 1
    assert list((tmp_path / "student" / "checkpoints").iterdir()) == []


@pytest.mark.parametrize("processes", [1, 2])
def test_of_two_runs_with_one_output_the_second_says_so(configured: Configured, tmp_path: Path, processes: int) -> None:
    config = configured(epochs=200, save_every=100000)
    first = start(config, processes)
    wait_for(tmp_path / "student", 3, first)
    second = start(config, processes)
    _, errors = second.communicate(timeout=120)
    assert second.returncode == 1
    refusal = f"error: {tmp_path / 'student'}: another run is writing there; wait for it, or choose another --output\n"
    assert errors == refusal if processes == 1 else errors.count(refusal) == 1
    assert first.poll() is None
    kill(first, processes)
    done = len(rows(tmp_path / "student"))
    finish(start(configured(max_steps=done + 5, epochs=200), processes))  # what was killed holds nothing up


def test_two_trainings_fill_one_cache_at_once(configured: Configured, tmp_path: Path) -> None:
    def of(name: str, seed: int) -> Any:
        return configured(output=str(tmp_path / f"{name}-{seed}"), cache=str(tmp_path / name), seed=seed, epochs=3)

    both = [start(of("together", seed)) for seed in (0, 1)]
    for running in both:
        finish(running)
    for seed in (0, 1):  # whoever was the first to write a row, losses are those of a training on its own
        finish(start(of("alone", seed)))
        losses = [[float(row["loss"]) for row in rows(tmp_path / f"{name}-{seed}")] for name in ("together", "alone")]
        assert len(losses[0]) == 30
        assert losses[0] == pytest.approx(losses[1], rel=1e-3)
