"""A branch of the study's second question, with a tiny teacher."""

from __future__ import annotations

import csv
import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

STUDY = Path(__file__).parents[3] / "benchmarks" / "study"
Weights = dict[tuple[str, str], Any]


@pytest.fixture
def branches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    pytest.importorskip("torch")
    monkeypatch.syspath_prepend(str(STUDY))
    found = importlib.import_module("branches")
    small = {"layers": 4, "trained": 2, "batch_size": 4, "micro_batch_size": 4, "max_length": 64, "dtype": "float32"}
    monkeypatch.setattr(found, "SETTINGS", {**found.SETTINGS, **small})
    yield found
    for name in ("branch_plan", "branches", "measures"):
        sys.modules.pop(name, None)


@pytest.fixture
def worker(
    branches: Any,
    tmp_path: Path,
    six_layers: Path,
    senses: Path,
    store: Path,
    make_sentences: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[], tuple[Any, Weights]]:
    """Makes a worker that keeps the weights of what it has trained in place of measuring it."""
    import torch

    monkeypatch.setattr(torch, "set_num_threads", lambda _: None)  # other tests need them
    folder = tmp_path / "folder"
    part = folder / "branches"
    part.mkdir(parents=True)
    (folder / "train.txt").write_text("\n\n".join(make_sentences(40, 5)), encoding="utf-8")
    shutil.copytree(senses, part / "senses" / "predicted")
    shutil.copy(store, part / "trained.duckdb")

    def make() -> tuple[Any, Weights]:
        made: Weights = {}

        class Kept(branches.Worker):  # type: ignore[misc]
            def finish(self, key: Any, student: Any, told: dict[str, Any]) -> None:
                made[key.base, key.arm] = {name: value.clone() for name, value in student.tail.state_dict().items()}

        options = branches.Options(folder, tmp_path, six_layers, tmp_path / "branches.csv", shared=800, branch=400)
        return Kept(options), made

    return make


def are_same(some: dict[str, Any], others: dict[str, Any]) -> bool:
    return all(bool((value == others[name]).all()) for name, value in some.items())


def test_arms_leave_one_checkpoint_and_differ_in_their_own_term_alone(
    branches: Any, worker: Callable[[], tuple[Any, Weights]]
) -> None:
    base, control = "KD + hidden", branches.plan.CONTROL
    first, made = worker()
    first(branches.Job(3, base, (control, "DSKD")))
    assert not are_same(made[base, control], made[base, "DSKD"])
    # another process, later: the checkpoint is there, and the order of arms does not matter
    shared = [path.name for path in (first.folder / "branches" / "shared" / "KD+hidden-3" / "checkpoints").iterdir()]
    second, again = worker()
    second(branches.Job(3, base, ("DSKD", control)))
    assert all(are_same(made[key], again[key]) for key in made)
    # the folder is gone: the checkpoint is trained again, to the same weights
    shutil.rmtree(first.folder / "branches" / "shared")
    third, repeated = worker()
    third(branches.Job(3, base, ("DSKD",)))
    assert are_same(made[base, "DSKD"], repeated[base, "DSKD"])
    found = [path.name for path in (first.folder / "branches" / "shared" / "KD+hidden-3" / "checkpoints").iterdir()]
    assert found == shared


def test_all_arms_of_a_seed_have_the_same_rows_and_positions(
    branches: Any, worker: Callable[[], tuple[Any, Weights]]
) -> None:
    own, _ = worker()
    arms = {arm.name: arm for arm in branches.plan.ARMS}
    some = [
        own.trainer(arms[name], base, 1).batches
        for base in branches.plan.BASES
        for name in (branches.plan.CONTROL, "DSKD", "contrast of senses")
    ]
    for step in (0, 7, 15):
        epoch, rows = some[0].step(step)
        positions = some[0].positions(rows, epoch)
        assert positions.sampled.any()
        for other in some[1:]:
            assert (other.step(step)[1] == rows).all()
            assert (other.positions(rows, epoch).sampled == positions.sampled).all()
            assert (other.positions(rows, epoch).targets == positions.targets).all()


def test_the_rate_is_the_plans_and_not_the_trainers(branches: Any, worker: Callable[[], tuple[Any, Weights]]) -> None:
    own, _ = worker()
    trainer = own.trainer(branches.plan.ARMS[0], "KD + hidden", 1)
    shared, rates = own.shared_steps(trainer), []

    def note(optimizer: Any, *_: object) -> None:
        rates.append(optimizer.param_groups[0]["lr"])

    trainer.optimizer.register_step_post_hook(note)
    trainer.run(saves=False)
    assert rates == [branches.plan.learning_rate(step, shared, len(rates)) for step in range(len(rates))]
    assert 0 < shared < len(rates) == trainer.steps


def test_a_term_at_the_beginning_is_off_afterwards_and_in_the_branch(
    branches: Any, worker: Callable[[], tuple[Any, Weights]]
) -> None:
    base, name = "KD + hidden", "DSKD at the beginning"
    arm = replace(next(arm for arm in branches.plan.ARMS if arm.name == name), early=300)
    branches.plan.ARMS = tuple(arm if other.name == name else other for other in branches.plan.ARMS)
    own, _ = worker()
    trainer = own.trainer(arm, base, 1)
    early = trainer.objective.steps
    trainer.folder.mkdir(parents=True)
    trainer.run(until=early + 3)
    with (trainer.folder / "log.csv").open(newline="", encoding="utf-8") as file:
        semantic = [float(row["positive"]) for row in csv.DictReader(file)]
    assert len(semantic) == early + 3
    assert 0 < early < own.shared_steps(trainer)
    assert all(semantic[:early])
    assert not any(semantic[early:])
