"""The teacher's pass as CUDA graphs, with a stand-in for what a GPU captures."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("torch", reason="lexkit[distill] is not installed")

import torch
from torch import Tensor, nn

from lexkit_distill.training import cuda_graphs
from lexkit_distill.training.cuda_graphs import ForwardGraphs

LAYER = nn.Linear(4, 4)


class Pass:
    """Something causal: sums of the ids so far, and their squares."""

    def __init__(self) -> None:
        self.shapes: list[tuple[int, ...]] = []

    def __call__(self, token_ids: Tensor) -> tuple[Tensor, Tensor]:
        self.shapes.append(tuple(token_ids.shape))
        sums = token_ids.double().cumsum(1)[..., None].expand(-1, -1, 3)
        return sums, sums.square()


def captured(self: Any, token_ids: Tensor) -> Any:
    """What a capture gives: the same memory is read and written whenever it is replayed."""
    given = token_ids.clone()
    states = tuple(state.clone() for state in self._run(given))

    def replay() -> None:
        for kept, found in zip(states, Pass()(given), strict=True):
            kept.copy_(found)

    return cuda_graphs._Captured(SimpleNamespace(replay=replay), given, states)


def ids(rows: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(1, 100, (rows, length), generator=torch.Generator().manual_seed(seed))


def same(found: tuple[Tensor, Tensor], token_ids: Tensor) -> bool:
    return all(torch.equal(one, other) for one, other in zip(found, Pass()(token_ids), strict=True))


def test_it_gives_what_the_pass_gives_and_captures_few_shapes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForwardGraphs, "_capture", captured)
    run = Pass()
    replayed = ForwardGraphs(run, LAYER)
    batches = [ids(2, length, seed) for seed, length in enumerate((1, 63, 64, 65, 128, 100, 64))]
    found = [replayed(batch) for batch in batches]
    # All of them are looked at when all are there: none was overwritten by a later replay
    assert all(same(states, batch) for states, batch in zip(found, batches, strict=True))
    assert all(state.is_contiguous() for states in found for state in states)
    assert run.shapes == [(2, 64), (2, 128)]


def test_further_shapes_are_launched_with_the_same_padding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ForwardGraphs, "_capture", captured)
    monkeypatch.setattr(cuda_graphs, "_MOST", 1)
    run = Pass()
    replayed = ForwardGraphs(run, LAYER)
    for length in (10, 70, 71, 11):
        assert same(replayed(ids(3, length)), ids(3, length))
    assert run.shapes == [(3, 64), (3, 128), (3, 128)]


def test_a_large_pass_is_launched_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cuda_graphs, "_LAUNCHED", 2 * 20 * 2 * 100)
    run = Pass()
    replayed = ForwardGraphs(run, LAYER)
    assert same(replayed(ids(2, 100)), ids(2, 100))
    assert run.shapes == [(2, 100)]


def test_a_pass_that_cannot_be_captured_is_launched(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nmore")

    monkeypatch.setattr(ForwardGraphs, "_capture", refuses)
    run = Pass()
    replayed = ForwardGraphs(run, LAYER)
    for seed in range(3):
        assert same(replayed(ids(2, 30, seed)), ids(2, 30, seed))
    assert replayed.failure == "operation not permitted when stream is capturing"
    assert run.shapes == [(2, 64)] * 3


def test_no_memory_is_no_reason_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuses(*_: Any) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(ForwardGraphs, "_capture", refuses)
    with pytest.raises(torch.OutOfMemoryError):
        ForwardGraphs(Pass(), LAYER)(ids(2, 30))
