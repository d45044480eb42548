"""What trackers are told, with stand-ins for the packages of those that are not installed for tests."""

from __future__ import annotations

import csv
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lexkit_distill.disk import disk_failures
from lexkit_distill.errors import TrainingError
from lexkit_distill.training.logs import Log


@pytest.fixture(autouse=True)
def one_process() -> None:
    from accelerate import PartialState

    PartialState(cpu=True)


class Service:
    """A stand-in for wandb and mlflow, which keeps runs by id."""

    def __init__(self) -> None:
        self.runs: dict[str, dict[str, Any]] = {}
        self.current = ""
        self.Settings = SimpleNamespace
        self.config = SimpleNamespace(update=lambda values, **_: self._run["settings"].update(values))
        self.utils = SimpleNamespace(
            validation=SimpleNamespace(MAX_PARAM_VAL_LENGTH=100, MAX_PARAMS_TAGS_PER_BATCH=100)
        )

    @property
    def _run(self) -> dict[str, Any]:
        return self.runs[self.current]

    def _begin(self, key: str) -> None:
        self.current = key
        self.runs.setdefault(key, {"settings": {}, "told": [], "open": True})["open"] = True

    def _tell(self, values: dict[str, float], step: int | None) -> None:
        self._run["told"].append((step, values))

    def _end(self) -> None:
        self._run["open"] = False

    # wandb
    def init(self, *, id: str, resume: str, **_: Any) -> Any:
        assert resume == "allow"
        self._begin(id)
        return SimpleNamespace(log=lambda values, step: self._tell(values, step), finish=self._end)

    # mlflow
    def set_tracking_uri(self, address: str) -> None:
        assert address.startswith("sqlite:///")

    def search_experiments(self, **_: Any) -> list[Any]:
        return []

    def create_experiment(self, **_: Any) -> str:
        return "1"

    def start_run(self, *, run_id: str | None, **_: Any) -> Any:
        self._begin(run_id or f"run-{len(self.runs)}")
        return SimpleNamespace(info=SimpleNamespace(run_id=self.current))

    def log_params(self, values: dict[str, Any]) -> None:
        self._run["settings"].update(values)

    def log_metrics(self, values: dict[str, float], step: int) -> None:
        self._tell(values, step)

    def end_run(self) -> None:
        self._end()


def row(step: int) -> dict[str, Any]:
    evaluated = {"eval_ce": 2.0 / step} if step % 2 == 0 else {}
    return {"step": step, "epoch": 0, "loss": 1.0 / step, "seconds": 0.1, **evaluated}


def events(folder: Path) -> dict[str, list[int]]:
    """The steps of each name that TensorBoard shows."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder))
    found.Reload()
    return {name: [event.step for event in found.Scalars(name)] for name in found.Tags()["scalars"]}


def csv_steps(folder: Path) -> list[int]:
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        return [int(line["step"]) for line in csv.DictReader(file)]


@pytest.mark.parametrize("name", ["wandb", "mlflow"])
def test_a_resumed_run_is_the_same_run_and_tells_no_step_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    service = Service()
    monkeypatch.setitem(sys.modules, name, service)  # type: ignore[arg-type]
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    for begin, end in ((0, 5), (3, 4), (3, 7)):  # killed after steps 5 and 4, with a checkpoint of step 3
        log = Log(tmp_path, begin, trackers=[name, name], settings={"lr": 0.1, "data": ["a", "b"]})
        for step in range(begin + 1, end + 1):
            log.write(row(step))
        log.close()
    (run,) = service.runs.values()
    assert [step for step, _ in run["told"]] == [1, 2, 3, 4, 5, 6, 7]
    assert run["told"][1] == (2, {"train/loss": 0.5, "eval/ce": 1.0})
    assert run["settings"] == {"lr": 0.1, "data": "a, b"}
    assert not run["open"]
    assert csv_steps(tmp_path) == [1, 2, 3, 4, 5, 6, 7]
    Log(tmp_path, 0, trackers=[name]).close()
    assert len(service.runs) == 2, "a training that begins again is another run"


def test_tensorboard_shows_each_step_once(tmp_path: Path) -> None:
    for begin, end in ((0, 5), (3, 7)):
        log = Log(tmp_path, begin, trackers=["tensorboard"])
        for step in range(begin + 1, end + 1):
            log.write(row(step))
        log.close()
    assert events(tmp_path / "tensorboard") == {"train/loss": [1, 2, 3, 4, 5, 6, 7], "eval/ce": [2, 4, 6]}
    assert not (tmp_path / "trackers.json").exists()


def test_without_trackers_there_is_the_table_alone(tmp_path: Path) -> None:
    log = Log(tmp_path, 0)
    log.write(row(1))
    log.close()
    assert [path.name for path in tmp_path.iterdir()] == ["log.csv"]


def test_a_package_that_is_missing_and_a_tracker_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb", None)  # type: ignore[arg-type]
    with pytest.raises(TrainingError, match=r"^--log-with wandb needs the package wandb; run 'pip install wandb'$"):
        Log(tmp_path, 0, trackers=["wandb"])
    service = Service()
    monkeypatch.setitem(sys.modules, "wandb", service)  # type: ignore[arg-type]
    log = Log(tmp_path, 0, trackers=["wandb"])

    def fails(*_: Any) -> None:
        raise RuntimeError("no API key\nconfigured")

    service._tell = fails  # type: ignore[method-assign]
    with pytest.raises(TrainingError, match=r"^--log-with wandb: no API key; correct its settings, or run"):
        log.write(row(1))
    log.close()
    assert csv_steps(tmp_path) == [1]
    assert json.loads((tmp_path / "trackers.json").read_bytes())["step"] == 0


def test_a_full_disk_is_no_fault_of_the_tracker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class OutOfRangeError(Exception):
        """What TensorBoard's writer raises where TensorFlow is installed."""

    def fails(*_: Any) -> None:
        raise OutOfRangeError("events.out.tfevents.1; File too large")

    service = Service()
    monkeypatch.setitem(sys.modules, "wandb", service)  # type: ignore[arg-type]
    log = Log(tmp_path, 0, trackers=["wandb"])
    service._tell = fails  # type: ignore[method-assign]
    with (
        pytest.raises(TrainingError, match=r"^student: cannot be written \(File too large\); free some space$"),
        disk_failures(TrainingError, Path("student"), "free some space"),
    ):
        log.write(row(1))
    log.close()
