"""The teacher's states on disk: the same training without the teacher."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import TrainingError

Configured = Callable[..., Any]


def losses(folder: Path) -> list[list[str]]:
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        return [[row[name] for name in ("loss", "ce", "kl", "positive", "negative")] for row in csv.DictReader(file)]


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that go through the teacher in training."""
    from lexkit_distill.training.step import OnlineTeacher

    seen: list[int] = []
    run = OnlineTeacher.__call__

    def count(self: Any, batch: Any) -> Any:
        seen.extend(batch.batch.rows.tolist())
        return run(self, batch)

    monkeypatch.setattr(OnlineTeacher, "__call__", count)
    return seen


def test_in_bf16_the_first_epoch_is_the_same_and_the_teacher_runs_once(
    configured: Configured, tmp_path: Path, counted: list[int]
) -> None:
    from lexkit_distill.training.run import train

    options = {"dtype": "bfloat16", "epochs": 2}
    train(configured(output=str(tmp_path / "plain"), **options))
    counted.clear()
    train(configured(cache=str(tmp_path / "cache"), **options))
    assert sorted(counted) == list(range(40))
    plain, cached = losses(tmp_path / "plain"), losses(tmp_path / "student")
    # The first CE, and the distances, are of the very same states. The gradient, and KL, are rounded at other places
    assert cached[0][1] == plain[0][1]
    assert cached[0][3:] == plain[0][3:]
    for number in range(20):
        found, wanted = ([float(value) for value in rows[number]] for rows in (cached, plain))
        assert found == pytest.approx(wanted, rel=0.02, abs=1e-6)


def test_evaluations_after_the_first_do_not_run_the_teacher(
    configured: Configured, tmp_path: Path, counted: list[int]
) -> None:
    from lexkit_distill.training.run import train

    options = {"dtype": "bfloat16", "epochs": 1, "max_steps": 4, "eval_every": 2}
    options |= {"eval_data": (str(tmp_path / "held.txt"),)}

    def evaluated(name: str, **changes: Any) -> list[float]:
        train(configured(output=str(tmp_path / name), **options, **changes))
        with (tmp_path / name / "log.csv").open(newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["eval_ce"]]
        return [float(row[key]) for row in rows for key in ("eval_ce", "eval_kl", "eval_perplexity")]

    plain = evaluated("plain")
    counted.clear()
    cached = evaluated("cached", cache=str(tmp_path / "cache"))
    assert len(counted) == 16 + 12, "rows of four steps, and each held-out row once"
    assert cached == pytest.approx(plain, rel=0.01)
    counted.clear()
    assert evaluated("again", cache=str(tmp_path / "cache")) == cached
    assert counted == []


def test_other_trainings_on_the_same_data_need_no_teacher(
    configured: Configured, tmp_path: Path, counted: list[int]
) -> None:
    from lexkit_distill.training.run import train

    train(configured(cache=str(tmp_path / "cache")))
    counted.clear()
    again = {"cache": str(tmp_path / "cache"), "output": str(tmp_path / "again")}
    train(configured(**again))
    assert losses(tmp_path / "again") == losses(tmp_path / "student")
    for name, changes in {"kd": {"beta_p": 0.0, "beta_n": 0.0, "senses": None}, "kappa": {"kappa": 2}}.items():
        train(configured(**{**again, "output": str(tmp_path / name)}, **changes))
    assert counted == []
    assert len(list((tmp_path / "cache").glob("candidates-*/candidates.bin"))) == 2


@pytest.mark.parametrize("at", [6, pytest.param(14, marks=pytest.mark.slow)])
def test_a_run_with_a_cache_that_died_goes_on_bit_for_bit(
    configured: Configured, tmp_path: Path, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit_distill.training.run import train
    from lexkit_distill.training.trainer import Trainer

    train(configured(output=str(tmp_path / "whole"), cache=str(tmp_path / "one")))
    step = Trainer._step

    def dies(self: Any, number: int) -> Any:
        if number == at:
            raise KeyboardInterrupt
        return step(self, number)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Trainer, "_step", dies)
        train(configured(cache=str(tmp_path / "two")))
    train(configured(cache=str(tmp_path / "two")))
    assert losses(tmp_path / "student") == losses(tmp_path / "whole")


def test_rows_that_were_not_settled_before_the_machine_stopped_are_made_again(
    configured: Configured, tmp_path: Path, counted: list[int]
) -> None:
    import numpy as np

    from lexkit_distill.training.run import train

    cache = tmp_path / "cache"
    train(configured(cache=str(cache), epochs=1))
    counted.clear()
    state = np.memmap(cache / "rows.bin", dtype=np.uint8, mode="r+")
    assert set(state.tolist()) == {2}
    state[:5] = 1
    state.flush()
    (cache / "boot").write_text("another", encoding="utf-8")
    train(configured(cache=str(cache), epochs=1, micro_batch_size=1, output=str(tmp_path / "again")))
    assert sorted(counted) == [0, 1, 2, 3, 4]


def test_a_cache_of_something_else_and_one_that_does_not_fit(
    configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit_distill.training.run import train

    cache = tmp_path / "cache"
    train(configured(cache=str(cache), epochs=1, max_steps=1))
    meta = json.loads((cache / "meta.json").read_text(encoding="utf-8"))
    again = {"cache": str(cache), "output": str(tmp_path / "again"), "epochs": 1}
    for changes, match in (({"trained": 1}, "number of frozen layers"), ({"dtype": "bfloat16"}, "another dtype")):
        with pytest.raises(TrainingError, match=match):
            train(configured(**again, **changes))
    (cache / "meta.json").write_text(json.dumps({**meta, "teacher": "0" * 64}), encoding="utf-8")
    with pytest.raises(TrainingError, match=r"made with another teacher .*give another --cache") as raised:
        train(configured(**again))
    assert "\n" not in str(raised.value)
    (cache / "meta.json").write_text("{", encoding="utf-8")
    with pytest.raises(TrainingError, match="damaged"):
        train(configured(**again))
    shutil.rmtree(cache)
    free = {True: 1000, False: 10**9}
    monkeypatch.setattr(shutil, "disk_usage", lambda place: type("Usage", (), {"free": free[place == cache]})())
    with pytest.raises(TrainingError, match=r"cache: the cache needs \d.* kB and 1.0 kB is free"):
        train(configured(**again))
    assert not list(cache.rglob("*.bin"))
