"""A branch of the study's second question, with a tiny teacher."""

from __future__ import annotations

import csv
import importlib
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
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

        options = branches.Options(folder, six_layers, tmp_path / "branches.csv", 800, 400, layers=4)
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
    # once more: the students are kept, and nothing is trained
    kept = first.folder / "branches" / "students"
    times = {path: path.stat().st_mtime_ns for path in kept.iterdir()}
    measuring, measured = worker()
    measuring(branches.Job(3, base, (control, "DSKD")))
    assert all(are_same(made[key], measured[key]) for key in made)
    assert {path: path.stat().st_mtime_ns for path in kept.iterdir()} == times
    shutil.rmtree(kept)
    second, again = worker()
    second(branches.Job(3, base, ("DSKD", control)))
    assert all(are_same(made[key], again[key]) for key in made)
    # the folder is gone: the checkpoint is trained again, to the same weights
    shutil.rmtree(kept)
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
        for base in branches.plan.SHALLOW
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


def test_a_term_at_a_middle_layer_compares_states_of_that_layer_and_trains_no_later_one(
    branches: Any, worker: Callable[[], tuple[Any, Weights]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import torch

    base = "KD + hidden, 4 layers"
    monkeypatch.setitem(branches.plan.BASES, base, {"hidden_weight": 10.0, "trained": 3})
    monkeypatch.setitem(branches.plan.MIDDLE, base, 2)
    own, _ = worker()
    shutil.copytree(own.folder / "branches" / "senses" / "predicted", own.folder / "branches" / "senses" / "layer-2")
    arms = {arm.name: arm for arm in branches.plan.ARMS}
    terms = {}

    def keep(states: list[Any], _: Any, __: Any, output: Any) -> None:
        states.append(output[0] if isinstance(output, tuple) else output)

    for name in ("states of a middle layer", "senses of a middle layer"):
        trainer = own.trainer(arms[name], base, 1)
        objective, student = trainer.objective, trainer.student
        batch = trainer.batches.batch(trainer.batches.step(0)[1], 0)
        on_device = trainer.prefetcher(batch)
        signal = trainer.source(on_device)
        ids = torch.from_numpy(batch.token_ids)
        whole = student.teacher.model.base_model(input_ids=ids, output_hidden_states=True).hidden_states
        teacher = student.teacher.model.base_model.norm(whole[2])
        weight = next(student.trained[0].parameters())
        with torch.no_grad():
            weight += 0.2
        count = {"targets": len(on_device.targets), "sampled": len(on_device.sampled)}
        plain = branches.Objective(
            **{name: of for name, of in vars(objective).items() if name not in ("cut", "senses")}
        )
        total, _ = objective(student.module, on_device, signal, **count)
        without, _ = plain(student.module, on_device, signal, **count)
        terms[name] = total - without
        gradients = torch.autograd.grad(terms[name], list(student.trained.parameters()), allow_unused=True)
        first, *later = torch.split(torch.tensor([float(one.abs().sum()) for one in gradients]), len(gradients) // 3)
        assert float(first.sum()) > 0
        assert all(float(part.abs().sum()) < 1e-4 * float(first.sum()) for part in later)
        # The same by a loop
        states: list[Any] = []
        hook = student.trained[0].register_forward_hook(partial(keep, states))
        student.run(student.module, ids, signal.prefix)
        hook.remove()
        mine = student.tail.norm(states[0])
        of, expected = batch.positions, []
        for place in range(1, len(of.targets)):
            if of.sampled[place - 1] and of.rows[place] == of.rows[place - 1]:
                where = of.rows[place], of.places[place]
                assert batch.token_ids[where] == of.targets[place - 1]
                hidden, state = mine[where], teacher[where]
                if name.startswith("states"):
                    expected.append(10 * (hidden - state).square().mean())
                    continue
                token, word = (torch.tensor([int(part[place - 1])]) for part in (of.targets, of.words))
                chosen = objective.senses.choose(state[None], token, word)
                rows = objective.senses.rows.float()
                near = [(hidden - rows[row]).square().mean() for row in chosen.positive[0].tolist() if row >= 0]
                far = [
                    (1 - (hidden - rows[row]).square().mean()).clamp_min(0)
                    for row in chosen.negative[0].tolist()
                    if row >= 0
                ]
                expected.append(sum(near) / max(len(near), 1) + sum(far) / max(len(far), 1))
        assert len(expected) > 5
        torch.testing.assert_close(terms[name], torch.stack(expected).mean(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("beginning", [[], [7]])
def test_held_out_windows_begin_as_the_teachers_rows_do(branches: Any, tmp_path: Path, beginning: list[int]) -> None:
    # without BOS, Gemma's cross-entropy is 5.9 instead of 3.7
    import torch

    measures = sys.modules["measures"]
    ids = list(range(100, 400))
    encoder = SimpleNamespace(
        beginning=beginning,
        begun=lambda row: [*beginning, *row],
        plain_tokenizer=SimpleNamespace(encode=lambda *_, **__: SimpleNamespace(ids=ids)),
    )
    read: list[list[int]] = []

    class Rows(measures.HeldOut):  # type: ignore[misc]
        def states(self, rows: list[list[int]]) -> Any:
            read.extend(rows)
            raise InterruptedError

    none = torch.zeros(400) > 0
    with pytest.raises(InterruptedError):
        Rows(tmp_path / "kept", SimpleNamespace(encoder=encoder), None).text("test", "", 2, none, none)
    room = measures.LENGTH - len(beginning)
    assert read == [[*beginning, *ids[:room]], [*beginning, *ids[room : 2 * room]]]
