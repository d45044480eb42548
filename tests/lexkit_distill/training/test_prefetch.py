"""Batches on the device: what is prepared ahead is what a step needs, and nothing of it changes a loss."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Configured = Callable[..., Any]


def test_the_gradient_of_chosen_states_is_that_of_indexing() -> None:
    import torch

    from lexkit_distill.training.prefetch import select

    states = torch.randn(7, 3, dtype=torch.float64, requires_grad=True)
    index = torch.tensor([5, 0, 3])
    assert torch.equal(select(states, index), states[index])
    assert torch.autograd.gradcheck(lambda x: select(x, index), (states,))


def test_a_pool_holds_the_senses_of_each_position_and_its_words(dictionary: Any) -> None:
    import numpy as np

    from lexkit_distill.supervision.candidates import candidate_table
    from lexkit_distill.supervision.nearest import Supervision

    supervision = Supervision(dictionary, 520, kappa=5)
    own, synonyms, antonyms = (candidate_table(dictionary, kind) for kind in ("own", "synonym", "antonym"))
    tokens = np.arange(520)
    words = np.where(tokens % 3 == 0, -1, tokens)
    pool = supervision.pool(tokens, words)
    lists = [pool.rows[part].tolist() for part in pool.places.tensor_split(pool.offsets[1:-1])]
    for token, word in zip(tokens.tolist(), words.tolist(), strict=True):
        positive = own.of(token).tolist() + (synonyms.of(word).tolist() if word >= 0 else [])
        assert lists[token] == positive
        assert lists[520 + token] == (antonyms.of(word).tolist() if word >= 0 else [])
    chosen = supervision.nearest(dictionary.rows[:1].float().expand(520, -1), pool, supervision.rows[pool.rows].float())
    import torch

    table = torch.cat(chosen, 1).flatten()
    assert (table >= 0).nonzero().flatten().tolist() == pool.filled.tolist()
    assert pool.width == max(map(len, lists))


@pytest.mark.parametrize("size", [1 << 27, 1000])
def test_all_products_at_once_choose_what_single_pairs_choose(
    dictionary: Any, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    """A GPU multiplies all positions with all senses, in blocks where these are many."""
    import numpy as np
    import torch

    from lexkit_distill.supervision import nearest

    supervision = nearest.Supervision(dictionary, 520, kappa=5)
    tokens = np.arange(520)
    hidden = torch.randn(520, 32, generator=torch.Generator().manual_seed(0))
    pool = supervision.pool(tokens, tokens)
    senses = supervision.rows[pool.rows].float()
    pairs = nearest._dots(hidden, senses, pool)
    monkeypatch.setattr(nearest, "_PRODUCTS", size)
    torch.testing.assert_close(nearest._products(hidden, senses, pool), pairs, rtol=1e-4, atol=1e-4)


def test_deterministic_changes_nothing_on_a_cpu_and_leaves_no_trace(configured: Configured, tmp_path: Any) -> None:
    import torch

    from lexkit_distill.training.run import train

    logs = []
    for wanted in (False, True):
        output = tmp_path / str(wanted)
        train(configured(output=str(output), deterministic=wanted, max_steps=4))
        rows = (output / "log.csv").read_text(encoding="utf-8").splitlines()
        logs.append([row.split(",")[:8] for row in rows])
    assert logs[0] == logs[1]
    assert not torch.are_deterministic_algorithms_enabled()


@pytest.mark.parametrize("senses_on", ["device", "host"])
def test_where_the_dictionary_is_changes_no_loss(configured: Configured, tmp_path: Any, senses_on: str) -> None:
    from lexkit_distill.training.run import train

    logs = []
    for name, changes in (("auto", {}), (senses_on, {"senses_on": senses_on})):
        train(configured(output=str(tmp_path / name), max_steps=3, **changes))
        rows = (tmp_path / name / "log.csv").read_text(encoding="utf-8").splitlines()
        logs.append([row.split(",")[:8] for row in rows])
    assert logs[0] == logs[1]
