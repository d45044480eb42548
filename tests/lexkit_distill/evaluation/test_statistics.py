from __future__ import annotations

import math

import numpy as np
import pytest

pytest.importorskip("scipy")

from scipy.stats import spearmanr

from lexkit_distill.evaluation.statistics import Measure, compare, estimate


def flips(right: int, n: int) -> np.ndarray:
    return np.array([[1.0]] * right + [[0.0]] * (n - right))


def test_the_interval_of_an_accuracy_is_that_of_theory() -> None:
    found = estimate(Measure("acc", flips(300, 1000)), 0)
    assert found.value == pytest.approx(0.3)
    assert found.n == 1000
    assert found.stderr == pytest.approx(math.sqrt(0.3 * 0.7 / 999))
    assert found.low == pytest.approx(0.3 - 1.96 * 0.0145, abs=0.003)
    assert found.high == pytest.approx(0.3 + 1.96 * 0.0145, abs=0.003)


def test_the_interval_holds_the_truth_about_19_times_in_20() -> None:
    chooser = np.random.default_rng(0)
    hits = 0
    for seed in range(200):
        found = estimate(Measure("acc", (chooser.random((150, 1)) < 0.4).astype(float)), seed)
        assert found.low is not None and found.high is not None
        hits += found.low <= 0.4 <= found.high
    assert 180 <= hits <= 199


def test_pairing_makes_a_difference_surer() -> None:
    chooser = np.random.default_rng(1)
    first = (chooser.random((400, 1)) < 0.5).astype(float)
    second = first.copy()
    second[:20] = 0  # 20 questions are lost, none is won
    lost = int(first[:20].sum())
    found = compare(Measure("acc", first), Measure("acc", second), 0)
    assert found.difference == pytest.approx(lost / 400)
    assert (found.only_first, found.only_second) == (lost, 0)
    assert found.p_mcnemar == pytest.approx(2 * 0.5**lost)
    assert found.low is not None and found.low > 0
    own = estimate(Measure("acc", first), 0)
    assert own.stderr is not None and found.high is not None
    assert found.high - found.low < 2 * own.stderr


def test_a_model_against_itself_shows_no_difference() -> None:
    measure = Measure("acc", flips(3, 9))
    found = compare(measure, measure, 0)
    assert (found.difference, found.low, found.high, found.p_mcnemar) == (0, 0, 0, 1)


def test_what_is_not_right_or_wrong_has_no_mcnemar() -> None:
    values = np.array([[0.5], [1.0], [0.0]])
    assert compare(Measure("f1", values), Measure("f1", values[::-1]), 0).p_mcnemar is None


def test_rank_correlation_is_scipys_with_ties() -> None:
    chooser = np.random.default_rng(2)
    values = chooser.integers(0, 5, size=(60, 2)).astype(float)
    found = estimate(Measure("simlex", values, "spearman"), 0)
    assert found.value == pytest.approx(spearmanr(values[:, 0], values[:, 1]).statistic)
    assert found.low is not None and found.high is not None
    assert found.low < found.value < found.high


def test_ratios_weigh_rows_by_their_tokens() -> None:
    values = np.array([[30.0, 10.0], [2.0, 2.0]])
    assert estimate(Measure("ce", values, "ratio"), 0).value == pytest.approx(32 / 12)
    assert estimate(Measure("ppl", values, "perplexity"), 0).value == pytest.approx(math.exp(32 / 12))


def test_the_same_seed_gives_the_same_interval() -> None:
    measure = Measure("f1", np.linspace(0, 1, 30)[:, None] ** 2)
    assert estimate(measure, 3) == estimate(measure, 3)
    assert estimate(measure, 3) != estimate(measure, 4)


def test_one_question_has_no_interval() -> None:
    found = estimate(Measure("acc", flips(1, 1)), 0)
    assert (found.value, found.stderr, found.low) == (1.0, None, None)
