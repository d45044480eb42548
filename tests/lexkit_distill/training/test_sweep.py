"""Sweeps: grids, one cache, a choice by validation, and resuming after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import Any

import duckdb
import pytest

from lexkit.errors import Stopped
from lexkit_distill.disk import lock_folder
from lexkit_distill.errors import TrainingError

Run = Callable[..., "subprocess.CompletedProcess[str]"]
FIGURES = (
    "SELECT key, setting, chosen, error, k, anchor, lr, layers, seed, steps, tokens, loss, validation_ce, "
    "validation_kl, test_ce FROM run ORDER BY key"
)


@pytest.fixture
def sweep_file(
    tmp_path: Path, configured: Callable[..., Any], make_sentences: Callable[..., list[str]]
) -> Callable[..., Path]:
    """A sweep of the tiny teacher, written as YAML."""
    import yaml

    from lexkit_distill.config import options, values
    from lexkit_distill.training.config import TrainConfig

    (tmp_path / "test.txt").write_text("\n\n".join(make_sentences(8, 7)), encoding="utf-8")
    config = configured(eval_data=(str(tmp_path / "held.txt"),), epochs=1)
    shared = {name: value for name, value in values(config).items() if name != "output"}
    places = {option.name: option.section for option in options(TrainConfig)}

    def write(name: str = "sweep.yaml", changes: dict[str, Any] | None = None, **told: Any) -> Path:
        base: dict[str, Any] = {}
        for field, value in {**shared, **(changes or {})}.items():
            if value is not None:
                part = base
                for section in places.get(field, ()):
                    part = part.setdefault(section, {})
                part[field] = list(value) if isinstance(value, tuple) else value
        told = {"base": base, "output": str(tmp_path / "sweep"), **told}
        told.setdefault("grid", {"lr": [1e-3, 1e-2], "seed": [0, 1]})
        (tmp_path / name).write_text(yaml.safe_dump({key: value for key, value in told.items() if value is not None}))
        return tmp_path / name

    return write


def figures(folder: Path) -> list[tuple[Any, ...]]:
    with duckdb.connect(str(folder / "sweep.duckdb"), read_only=True) as connection:
        return connection.execute(FIGURES).fetchall()


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({"grids": {}}, "unknown key 'grids'; did you mean grid?"),
        ({"grid": {}}, "no grid"),
        ({"grid": {"lrate": [1]}}, "grid: unknown key 'lrate'"),
        ({"grid": {"lr": 0.1}}, "grid: lr: not a list of values; write [0.1]"),
        ({"grid": {"lr": ["fast"]}}, "grid: lr: 'fast' is not a number"),
        ({"grid": {"lr": [0.1, 0.1]}}, "grid: lr: a value appears twice"),
        ({"grid": {"k": [5]}}, "k is a property of dictionaries; put {k} into base: senses"),
        ({"grid": {"beta": [1], "beta_p": [1]}}, "beta sets both beta_p and beta_n"),
        ({"grid": {"teacher": ["a"]}}, "grid: unknown key 'teacher'"),
        ({"base": None}, "no base"),
        ({"changes": {"kapa": 2}}, "base: unknown key 'kapa'; did you mean loss: candidates: kappa?"),
        ({"changes": {"kappa": "many"}}, "base: loss: candidates: kappa: 'many' is not a whole number"),
        ({"changes": {"cache": "x"}}, "base: the sweep sets cache itself"),
        ({"changes": {"eval_data": []}}, "no eval_data; add held-out data"),
        ({"changes": {"senses": "s{k}"}}, "has a name in braces that is not in the grid"),
        ({"metric": "accuracy"}, "metric: 'accuracy' is not one of ce, kl, ce+kl"),
        ({"output": None}, "no output; add the key output"),
    ],
)
def test_a_sweep_that_makes_no_sense_is_one_line(
    sweep_file: Callable[..., Path], told: dict[str, Any], said: str
) -> None:
    from lexkit_distill.sweep.config import read_sweep

    with pytest.raises(TrainingError) as raised:
        read_sweep(sweep_file(**told))
    assert said in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_grid_is_every_combination_and_names_stand_for_what_they_say(
    sweep_file: Callable[..., Path], tmp_path: Path
) -> None:
    from lexkit_distill.sweep.config import read_sweep

    path = sweep_file(
        grid={"beta": [0.5, 1], "k": [3, 5], "anchor": ["next"], "layers": [3, 4], "trained": [1, 2], "seed": [7]},
        changes={"senses": "senses-{k}-{anchor}"},
    )
    points = read_sweep(path).points
    assert len(points) == 16
    assert len({point.key for point in points}) == 16
    assert {point.config.senses for point in points} == {"senses-3-next", "senses-5-next"}
    assert all(point.config.loss.beta_p == point.config.loss.beta_n == point.values["beta"] for point in points)
    assert all("seed" not in point.setting and point.config.optimiser.seed == 7 for point in points)
    # The teacher's states are the same where as many layers are frozen
    caches = {(p.config.student.layers, p.config.student.trained): p.config.run.cache for p in points}
    assert caches[3, 1] == caches[4, 2]
    assert len(set(caches.values())) == 3
    other = read_sweep(path, str(tmp_path / "elsewhere"))
    assert [point.key for point in other.points] == [point.key for point in points]
    (tmp_path / "train.txt").write_text("Other words.", encoding="utf-8")
    assert {point.key for point in read_sweep(path).points}.isdisjoint(point.key for point in points)


@pytest.mark.slow
def test_the_teacher_is_asked_once_the_choice_is_by_validation_and_only_the_chosen_is_tested(
    sweep_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from transformers import AutoModelForCausalLM

    from lexkit_distill.sweep.config import read_sweep
    from lexkit_distill.sweep.run import sweep
    from lexkit_distill.sweep.worker import Worker
    from lexkit_distill.training.step import OnlineTeacher

    asked: list[int] = []
    tested: list[dict[str, Any]] = []
    call, test = OnlineTeacher.__call__, Worker.test

    def count(self: Any, batch: Any) -> Any:
        asked.extend(batch.batch.rows.tolist())
        return call(self, batch)

    def note(self: Any, point: Any, *rest: Any) -> Any:
        told = list((tmp_path / "sweep" / "runs").glob("*/run.json"))
        tested.append({"values": point.values, "done": len(told)})
        return test(self, point, *rest)

    monkeypatch.setattr(OnlineTeacher, "__call__", count)
    monkeypatch.setattr(Worker, "test", note)
    grid = {"lr": [1e-5, 1e-2], "kappa": [1, 3], "seed": [0, 1]}
    path = sweep_file(grid=grid, test_data=str(tmp_path / "test.txt"))
    done = sweep(read_sweep(path))
    # 40 rows of training data, 12 held-out rows and 8 of the test, each once: caches keep what the teacher says
    assert len(asked) == 40 + 12 + 8
    assert sorted(asked[:40]) == list(range(40))
    assert done.chosen is not None
    assert done.chosen.values["lr"] == 1e-2
    assert [entry["done"] for entry in tested] == [8, 8]
    assert all(entry["values"].items() >= done.chosen.values.items() for entry in tested)
    scores = {json.dumps(setting.values): setting.score("ce") for setting in done.settings}
    assert scores[json.dumps(done.chosen.values)] == min(scores.values())

    rows = figures(tmp_path / "sweep")
    assert len(rows) == 8
    assert sum(row[2] for row in rows) == 2
    assert all((row[-1] is not None) == row[2] for row in rows)
    assert {(row[4], row[5]) for row in rows} == {("4", "next")}
    with duckdb.connect(str(done.table), read_only=True) as connection:
        assert connection.execute("SELECT count(*), count(eval_ce) FROM step").fetchone() == (80, 8)
        assert connection.execute("SELECT * FROM grid WHERE name = 'kappa'").fetchall() == [("kappa", "[1, 3]")]
    runs = tmp_path / "sweep" / "runs"
    assert len(list(runs.glob("*/weights.safetensors"))) == 2
    assert not list(runs.glob("*/checkpoints"))
    assert done.student is not None
    assert len(AutoModelForCausalLM.from_pretrained(done.student).model.layers) == 4

    # A grid that has grown: only what is new is trained, and nothing is asked of the teacher that is known
    asked.clear()
    grown = sweep(read_sweep(sweep_file(grid={**grid, "kappa": [1, 3, 2]})))
    assert asked == []  # the caches know everything
    assert [len(setting.runs) for setting in grown.settings] == [2] * 6
    old = {row[0]: row[6:-1] for row in rows}
    assert {row[0]: row[6:-1] for row in figures(tmp_path / "sweep") if row[0] in old} == old

    # A grid that has shrunk to what was thrown away: its weights are made again, and it is tested
    small = sweep(read_sweep(sweep_file(grid={**grid, "lr": [1e-5]}, test_data=str(tmp_path / "test.txt"))))
    assert small.chosen is not None
    assert small.chosen.mean("ce", "test") is not None
    assert small.student is not None
    assert json.loads((small.student / "sweep.json").read_bytes())["values"]["lr"] == 1e-5
    assert {row[0]: row[6:-1] for row in figures(tmp_path / "sweep")}.items() <= old.items()


def test_a_sweep_is_not_started_by_a_launcher(sweep_file: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    from lexkit_distill.sweep.config import read_sweep
    from lexkit_distill.sweep.run import sweep

    monkeypatch.setenv("WORLD_SIZE", "2")
    with pytest.raises(TrainingError, match="leave out 'accelerate launch', and give --processes"):
        sweep(read_sweep(sweep_file()))


def test_a_teacher_on_all_gpus_is_for_one_training_at_a_time(sweep_file: Callable[..., Path]) -> None:
    from lexkit_distill.sweep.config import read_sweep
    from lexkit_distill.sweep.run import sweep

    config = read_sweep(sweep_file(changes={"device_map": "auto"}))
    with pytest.raises(TrainingError, match="--processes 2: device_map gives all GPUs to one process; leave out one"):
        sweep(config, processes=2)


@pytest.mark.slow
def test_several_processes_and_a_kill_give_the_same_table(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    from lexkit_distill.sweep.config import read_sweep
    from lexkit_distill.sweep.run import sweep

    grid = {"lr": [1e-3, 1e-2], "trained": [1, 2], "seed": [0, 1]}
    path = sweep_file(grid=grid, changes={"epochs": 2})
    sweep(read_sweep(path, str(tmp_path / "one")))
    command = [sys.executable, "-m", "lexkit", "distill", "sweep", "--config", str(path), "--quiet", "--threads", "1"]
    with subprocess.Popen([*command, "--output", str(tmp_path / "killed")], start_new_session=True) as running:
        deadline = time.monotonic() + 120
        while len(list((tmp_path / "killed" / "runs").glob("*/run.json"))) < 2:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        os.killpg(running.pid, signal.SIGKILL)
    assert len(list((tmp_path / "killed" / "runs").glob("*/run.json"))) < 8
    subprocess.run([*command, "--output", str(tmp_path / "killed"), "--processes", "2"], check=True)
    assert figures(tmp_path / "killed") == figures(tmp_path / "one")


@pytest.mark.parametrize("number", [pytest.param(signal.SIGINT, marks=pytest.mark.slow), signal.SIGTERM])
def test_a_signal_says_what_is_done_and_loses_no_step(
    sweep_file: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    from lexkit_distill.sweep.config import read_sweep
    from lexkit_distill.sweep.run import sweep
    from lexkit_distill.training.trainer import Trainer

    grid = {"lr": [1e-3, 1e-2]}
    sweep(read_sweep(sweep_file(grid=grid), str(tmp_path / "whole")))
    step, steps = Trainer._step, []

    def signalled(self: Any, at: int) -> Any:
        steps.append(at)
        if len(steps) == 16:
            signal.raise_signal(number)
        return step(self, at)

    monkeypatch.setattr(Trainer, "_step", signalled)
    with pytest.raises(Stopped) as raised:
        sweep(read_sweep(sweep_file(grid=grid)))
    assert raised.value.number == number
    assert raised.value.message == (
        f"{tmp_path / 'sweep'}: stopped with 1 of 2 runs finished; run the same command again to resume"
    )
    assert len(steps) == 16  # ten of the first training, and six of the second
    sweep(read_sweep(sweep_file(grid=grid)))
    assert steps[16:] == [6, 7, 8, 9]
    assert figures(tmp_path / "sweep") == figures(tmp_path / "whole")


def test_a_full_disk_ends_a_sweep_and_is_no_failure_of_a_setting(
    sweep_file: Callable[..., Path], tmp_path: Path, small_files: Callable[[int], AbstractContextManager[None]]
) -> None:
    from lexkit_distill.sweep.config import read_sweep
    from lexkit_distill.sweep.run import sweep

    config = read_sweep(sweep_file(grid={"lr": [1e-3, 1e-2]}))
    for size in (100_000, 170_000):  # a checkpoint, or the table after the first training
        with small_files(size), pytest.raises(TrainingError, match=r"cannot be written \(File too large\)") as raised:
            sweep(config)
        assert str(raised.value).startswith(str(tmp_path / "sweep"))
        assert "\n" not in str(raised.value)
        assert len(list((tmp_path / "sweep" / "runs").glob("*/run.json"))) == (size == 170_000)
        left = [path.name for path in (tmp_path / "sweep").rglob("*")]
        assert not any(name.endswith((".new", ".wal", ".lock")) or name == "sweep.duckdb" for name in left)
    assert not sweep(config).failed


def test_of_two_sweeps_with_one_output_the_second_is_refused(sweep_file: Callable[..., Path], tmp_path: Path) -> None:
    from lexkit_distill.sweep.config import read_sweep
    from lexkit_distill.sweep.run import sweep

    with (
        lock_folder(tmp_path / "sweep", TrainingError),
        pytest.raises(TrainingError, match="sweep: another run is writ"),
    ):
        sweep(read_sweep(sweep_file()))


@pytest.fixture
def two_at_work(sweep_file: Callable[..., Path], tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[Any]]]:
    """A sweep, and its processes, of which two are in the middle of a training."""
    psutil = pytest.importorskip("psutil", reason="comes with the extra 'distill'")
    path = sweep_file(grid={"lr": [1e-3, 1e-2], "seed": [0, 1]}, changes={"epochs": 400, "save_every": 10_000})
    command = [sys.executable, "-m", "lexkit", "distill", "sweep", "--config", str(path), "--quiet", "--threads", "1"]
    command += ["--processes", "2"]
    with subprocess.Popen(command, start_new_session=True, stderr=subprocess.PIPE, text=True) as running:
        deadline = time.monotonic() + 120
        while len(list((tmp_path / "sweep" / "runs").glob("*/log.csv"))) < 2:
            assert running.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.01)
        yield running, psutil.Process(running.pid).children(recursive=True)
        with suppress(ProcessLookupError):
            os.killpg(running.pid, signal.SIGKILL)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_to_several_processes(
    two_at_work: tuple[subprocess.Popen[str], list[Any]], tmp_path: Path, number: int
) -> None:
    """Ctrl-C comes to all of them, SIGTERM to the first one."""
    from psutil import wait_procs

    from lexkit_distill.sweep.worker import read_log

    running, others = two_at_work
    if number == signal.SIGINT:
        os.killpg(running.pid, number)
    else:
        running.send_signal(number)
    _, errors = running.communicate(timeout=120)
    assert wait_procs(others, timeout=60)[1] == []
    assert running.returncode == 128 + number
    assert errors == (
        f"error: {tmp_path / 'sweep'}: stopped with 0 of 4 runs finished; run the same command again to resume\n"
    )
    logs = {log.parent: len(read_log(log)) for log in (tmp_path / "sweep" / "runs").glob("*/log.csv")}
    assert len(logs) == 2  # no training began after the signal
    for folder, steps in logs.items():
        assert 0 < steps < 4000
        assert [checkpoint.name for checkpoint in (folder / "checkpoints").iterdir()] == [f"step-{steps:08d}"]


@pytest.mark.slow
def test_the_processes_of_a_killed_sweep_end_with_it(
    two_at_work: tuple[subprocess.Popen[str], list[Any]],
) -> None:
    from psutil import wait_procs

    running, others = two_at_work
    running.kill()
    assert wait_procs(others, timeout=60)[1] == []


@pytest.mark.slow
def test_what_fails_is_told_and_the_others_go_on(sweep_file: Callable[..., Path], run: Run, tmp_path: Path) -> None:
    path = sweep_file(grid={"lr": [1e-3, 1e30], "seed": [0]})
    done = run("distill", "sweep", "--config", str(path))
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "1 of 2 runs failed, the first (lr 1e+30, seed 0) with: step" in done.stderr
    lines = done.stdout.splitlines()
    assert lines[0].split("\t") == ["lr", "runs", "CE", "KL", ""]
    assert lines[1].split("\t")[::4] == ["0.001", "chosen"]
    assert lines[2].split("\t")[2] == "failed"
    errors = [row[3] for row in figures(tmp_path / "sweep") if row[3]]
    assert len(errors) == 1
    assert "not finite" in errors[0]


def test_a_dictionary_of_another_k_than_the_grid_says(
    sweep_file: Callable[..., Path], senses: Path, tmp_path: Path
) -> None:
    from lexkit_distill.sweep.config import read_sweep
    from lexkit_distill.sweep.run import sweep

    for k in (4, 9):
        (tmp_path / f"senses-{k}").symlink_to(senses)
    done = sweep(read_sweep(sweep_file(grid={"k": [4, 9]}, changes={"senses": str(tmp_path / "senses-{k}")})))
    assert [setting.failed for setting in done.settings] == [False, True]
    assert "the dictionary has k 4, and the grid has 9" in done.failed[0]["error"]


def test_plots_are_slices_through_the_chosen_setting(tmp_path: Path) -> None:
    from lexkit_distill.sweep.plot import slices, write_plots
    from lexkit_distill.sweep.results import Setting, choose

    def setting(ce: float, **values: Any) -> Setting:
        runs = [{"key": f"{values} {seed}", "validation": {"ce": ce + seed, "kl": ce / 2}} for seed in (0, 1)]
        return Setting(values, tuple(runs))

    found = [
        setting(abs(layers - 4) + abs(kappa - 5) / 10, layers=layers, trained=2, k=10, kappa=kappa, gamma=gamma)
        for layers in (2, 4, 6)
        for kappa in (1, 5)
        for gamma in ("1.0", "auto")
    ]
    chosen = choose(found, "ce")
    assert chosen is not None
    assert (chosen.values["layers"], chosen.values["kappa"]) == (4, 5)
    by_name = {part.name: part for part in slices(found, chosen)}
    assert list(by_name) == ["layers", "kappa", "gamma"]
    assert by_name["layers"].values == [2, 4, 6]
    assert [mean for mean, _ in by_name["layers"].means["ce"]] == [2.5, 0.5, 2.5]
    paths = {path.name for path in write_plots(found, chosen, tmp_path / "plots")}
    assert paths == {
        "figure3-layers.png",
        "layers.csv",
        "table5-kappa.csv",
        "table5-kappa.png",
        "gamma.csv",
        "gamma.png",
    }
    table = (tmp_path / "plots" / "table5-kappa.csv").read_text(encoding="utf-8").splitlines()
    assert table[0] == "kappa,ce,ce_sd,kl,kl_sd,seeds"
    assert table[1].startswith("1,0.9,0.70710")


def test_figure_3_has_a_line_for_kd_and_one_for_dskd(tmp_path: Path) -> None:
    from lexkit_distill.sweep.plot import _lines, slices, write_plots
    from lexkit_distill.sweep.results import Setting, choose

    found = [
        Setting(
            {"layers": layers, "beta": beta},
            tuple({"key": "", "validation": {"ce": 6 / layers - beta / 10, "kl": 1.0}} for _ in range(2)),
        )
        for layers in (2, 4)
        for beta in (0.0, 1.5)
    ]
    chosen = choose(found, "ce")
    assert chosen is not None
    part = slices(found, chosen)[0]
    lines = {label: line.means["ce"] for label, line in _lines(found, chosen, part)}
    assert lines == {"KD": [(3.0, 0.0), (1.5, 0.0)], "DSKD, beta 1.5": [(2.85, 0.0), (1.35, 0.0)]}
    assert (tmp_path / "figure3-layers.png") in write_plots(found, chosen, tmp_path)


@pytest.mark.slow
def test_a_dry_run_lists_the_trainings_and_writes_nothing(
    sweep_file: Callable[..., Path], run: Run, tmp_path: Path
) -> None:
    done = run("distill", "sweep", "--config", str(sweep_file()), "--dry-run")
    assert done.returncode == 0, done.stderr
    assert [line.split("\t")[1:] for line in done.stdout.splitlines()] == [
        ["to do", f"lr {lr}, seed {seed}"] for lr in ("0.001", "0.01") for seed in (0, 1)
    ]
    assert not (tmp_path / "sweep").exists()
