from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pytest

pytest.importorskip("scipy")

from scipy.stats import binom, binomtest, bootstrap, spearmanr

from lexkit_distill.evaluation.statistics import Comparison, Estimate, Kind, Measure, compare, estimate


def flips(right: int, n: int) -> np.ndarray:
    return np.array([[1.0]] * right + [[0.0]] * (n - right))


def interval(found: Estimate | Comparison) -> tuple[float, float]:
    assert found.low is not None and found.high is not None
    return found.low, found.high


def of(*values: float) -> Measure:
    return Measure("synonym", np.array(values)[:, None])


def test_the_interval_of_an_accuracy_is_that_of_clopper_and_pearson() -> None:
    found = estimate(Measure("acc", flips(300, 1000)), 0)
    assert (found.value, found.n) == (0.3, 1000)
    assert found.stderr == pytest.approx(math.sqrt(0.3 * 0.7 / 999))
    assert interval(found) == pytest.approx(tuple(binomtest(300, 1000).proportion_ci(method="exact")))


@pytest.mark.parametrize(("right", "low", "high"), [(0, 0, 0.459), (6, 0.541, 1)])
def test_none_or_all_of_six_is_not_certain(right: int, low: float, high: float) -> None:
    found = estimate(Measure("acc", flips(right, 6)), 0)
    assert interval(found) == pytest.approx((low, high), abs=1e-3)
    assert found.stderr is None


def coverage(limits: Callable[[int], tuple[float, float]], n: int, truth: float) -> float:
    """Probability that the interval holds the truth."""
    covers = [low <= truth <= high for low, high in map(limits, range(n + 1))]
    return float(binom.pmf(np.flatnonzero(covers), n, truth).sum())


@pytest.mark.parametrize("n", [6, 30, 200])
@pytest.mark.parametrize("truth", [0.02, 0.1, 0.5])
def test_intervals_of_proportions_hold_the_truth_at_least_19_times_in_20(n: int, truth: float) -> None:
    assert coverage(lambda right: interval(estimate(Measure("acc", flips(right, n)), 0)), n, truth) >= 0.95


def test_wilson_would_miss_the_truth_too_often_with_few_questions() -> None:
    assert coverage(lambda right: tuple(binomtest(right, 6).proportion_ci(method="wilson")), 6, 0.02) < 0.9


@pytest.mark.parametrize("n", [6, 30, 200])
@pytest.mark.parametrize("truth", [0.02, 0.1, 0.5])
def test_intervals_of_means_over_frames_hold_the_truth_about_19_times_in_20(n: int, truth: float) -> None:
    chooser = np.random.default_rng(0)
    hits = 0
    for _ in range(300):
        of_head = chooser.beta(2 * truth, 2 * (1 - truth), size=n)  # the frames of a head are alike
        low, high = interval(estimate(of(*chooser.binomial(3, of_head) / 3), 0))
        hits += low <= truth <= high
    assert hits >= 0.93 * 300


@pytest.mark.parametrize("n", [6, 30, 200])
@pytest.mark.parametrize(("only_first", "only_second"), [(0.02, 0), (0.02, 0.02), (0.3, 0.1), (0.45, 0.45)])
def test_intervals_of_differences_hold_the_truth_about_19_times_in_20(
    n: int, only_first: float, only_second: float
) -> None:
    chooser = np.random.default_rng(0)
    chances = [only_first, only_second, 1 - only_first - only_second]
    hits = 0
    for wins, losses, same in chooser.multinomial(n, chances, size=300):
        first, second = np.repeat([[1, 0, 1], [0, 1, 1]], [wins, losses, same], axis=1)
        low, high = interval(compare(of(*first), of(*second), 0))
        hits += low <= only_first - only_second <= high
    assert hits >= 0.93 * 300


def test_heads_that_all_score_alike_are_not_certain() -> None:
    low, high = interval(estimate(of(*[1 / 3] * 40), 0))
    missed = 1 - 0.025 ** (1 / 40)  # as many heads as 40 may have missed
    assert (low, high) == pytest.approx((1 / 3 - missed / 3, 1 / 3 + missed * 2 / 3))
    assert interval(estimate(of(0.5), 0)) == pytest.approx((0.0125, 0.9875))


def test_shares_of_tokens_count_windows_and_not_tokens() -> None:
    alike = Measure("agreement", np.array([[1000.0, 1000.0]] * 10), "share")
    assert interval(estimate(alike, 0)) == pytest.approx((0.025**0.1, 1))
    windows = np.array([[500.0, 1000.0], [300.0, 1000.0], [0.0, 0.0], [450.0, 500.0]])
    found = estimate(Measure("agreement", windows, "share"), 0)
    assert found.value == 0.5
    low, high = interval(found)
    assert low < 0.3
    assert high > 0.7


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
    low, high = interval(found)
    own = interval(estimate(Measure("acc", first), 0))
    assert high - low < 0.6 * (own[1] - own[0])


def test_a_model_against_itself_shows_no_difference_and_is_not_certain_of_it() -> None:
    measure = Measure("acc", flips(3, 9))
    found = compare(measure, measure, 0)
    assert (found.difference, found.p_mcnemar) == (0, 1)
    assert interval(found) == pytest.approx((-0.336, 0.336), abs=1e-3)
    assert interval(compare(of(*[1 / 3] * 9), of(*[1 / 3] * 9), 0)) == interval(found)


def test_a_lasting_advantage_shows_in_scores_that_are_not_right_or_wrong() -> None:
    chooser = np.random.default_rng(3)
    second = chooser.integers(0, 3, size=100) / 3
    low, high = interval(compare(of(*(second + 1 / 3)), of(*second), 0))
    assert 0.2 < low < 1 / 3 < high < 0.4


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
    chooser = np.random.default_rng(4)
    measure = Measure("kl", chooser.lognormal(size=(40, 2)), "ratio")
    assert estimate(measure, 3) == estimate(measure, 3)
    assert estimate(measure, 3) != estimate(measure, 4)


@pytest.mark.parametrize("kind", ["ratio", "perplexity"])
def test_bootstrap_intervals_are_those_of_scipy(kind: Kind) -> None:
    chooser = np.random.default_rng(5)
    values = np.stack([chooser.lognormal(size=25), np.ones(25)], axis=1)
    found = estimate(Measure("x", values, kind), 7)
    statistic = np.mean if kind == "ratio" else lambda x, axis: np.exp(np.mean(x, axis=axis))
    theirs = bootstrap((values[:, 0],), statistic, n_resamples=2000, rng=np.random.default_rng(7))
    assert interval(found) == pytest.approx(tuple(theirs.confidence_interval))
    assert found.stderr == pytest.approx(theirs.standard_error)


@pytest.mark.parametrize(
    ("values", "kind", "reason"),
    [
        (np.ones((19, 2)), "ratio", "needs 20 rows, but there are 19"),
        (np.ones((20, 2)), "ratio", "all bootstrap samples have the same value"),
        (np.stack([np.arange(20.0)] * 2, axis=1), "spearman", "all bootstrap samples have the same value"),
        (np.stack([np.arange(20.0), np.ones(20)], axis=1), "spearman", "some bootstrap samples have no value"),
        (np.array([[1.0, 1.0]] + [[0.0, 0.0]] * 19), "perplexity", "some bootstrap samples have no value"),
    ],
)
def test_where_a_bootstrap_shows_nothing_the_reason_stands_for_the_interval(
    values: np.ndarray, kind: Kind, reason: str
) -> None:
    measure = Measure("x", values, kind)
    found = estimate(measure, 0)
    assert (found.stderr, found.low, found.high) == (None, None, None)
    assert reason in found.interval
    assert compare(measure, measure, 0).low is None


def test_one_question_says_next_to_nothing() -> None:
    found = estimate(Measure("acc", flips(1, 1)), 0)
    assert (found.value, found.stderr) == (1.0, None)
    assert interval(found) == pytest.approx((0.025, 1))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ["mean", "share", "ratio", "perplexity", "spearman"])
@pytest.mark.parametrize("first", [(math.nan, 1.0), (math.inf, 1.0), (0.0, 0.0)])
def test_what_has_no_value_has_no_interval_and_warns_of_nothing(kind: Kind, first: tuple[float, float]) -> None:
    rows = [first] if first == (0.0, 0.0) else [first, *[(0.0, 1.0), (1.0, 1.0)] * 15]
    values = np.array(rows)[:, :1] if kind == "mean" else np.array(rows)
    measure = Measure("m", values, kind)
    if kind == "mean" and first == (0.0, 0.0):
        return  # a proportion of one question
    found, difference = estimate(measure, 0), compare(measure, measure, 0)
    assert not math.isfinite(found.value)
    assert math.isnan(difference.difference)
    for one in (found, difference):
        assert (one.low, one.high) == (None, None)
        assert "value" in one.interval or "needs 20 rows" in one.interval
    assert found.stderr is None


@pytest.mark.filterwarnings("error")
def test_a_perplexity_beyond_all_numbers_is_infinite() -> None:
    measure = Measure("m", np.array([[1e5, 1.0], [2e5, 1.0]] * 12), "perplexity")
    assert estimate(measure, 0).value == math.inf
    assert estimate(measure, 0).low is None
