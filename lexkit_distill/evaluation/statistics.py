"""Confidence intervals for the metrics of a model, and for differences between two models on the same questions.

A metric is a statistic of a matrix with one row for each question (or head word, window of text, pair of words). The
kind of statistic determines the interval:

- Means of scores from 0 to 1, and shares (sums of counts, divided), have exact intervals. If every row is 0 or 1, the
  metric is a proportion and has the interval of Clopper and Pearson, which covers the true value at least 95% of the
  time for any number of questions: for 0 of 6, it is 0 to 0.46. Wilson's interval is narrower, but for 6 questions
  and a true share of .02 it covers the true value only 89% of the time.
- A head word's score is a mean over several frames, and the tokens of a window depend on each other, so neither is a
  proportion of independent trials. Korn and Graubard's interval (Survey Methodology 24(2), 1998) is made for such
  clusters: it is that of Clopper and Pearson, for the number of trials that would have the variance seen between the
  rows. A percentile or BCa bootstrap is too narrow if almost all rows are 0 or 1. If all rows are equal, they show no
  variance, and the interval allows for rows with another value that are missing from the sample by chance.
- The difference of two such metrics is the gain minus the loss: by how much the first model is better, over the rows
  where it is better, and the same for the second. Their intervals are combined with Newcombe's method for paired
  proportions (Statistics in Medicine 17, 1998), which takes their correlation into account. For two models with the
  same answers to 9 questions, the difference is 0 with the interval -0.34 to 0.34.
- Ratios without an upper limit (cross-entropy, KL), perplexity and rank correlations have BCa bootstrap intervals over
  rows, computed by `scipy.stats.bootstrap`. There is no interval if there are fewer than 20 rows, or if all bootstrap
  samples have the same value.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Kind = Literal["mean", "share", "ratio", "perplexity", "spearman"]
SAMPLES = 2000
LEAST_ROWS = 20
"""Fewest rows for a bootstrap; with fewer, its intervals are too narrow."""
_TAIL = 0.025
"""Probability beyond each end of a 95% interval."""
_ROWS_AT_ONCE = 2_000_000
_EXACT = "Clopper-Pearson"
_CLUSTERED = "Korn-Graubard"
_EQUAL = "all rows are equal: Clopper-Pearson for rows of another value"
_PAIRED = "Newcombe, of gains and losses"
_BOOTSTRAP = "BCa bootstrap"
_NO_VALUE = "some rows have no value"


@dataclass(frozen=True)
class Measure:
    """The values of a metric, with one row for each question."""

    name: str
    values: Floats
    """(n, 1) scores from 0 to 1 for a mean; (n, 2) for other kinds: numerators and denominators, or two scales whose
    ranks are compared. The numerators of a share are at most its denominators."""
    kind: Kind = "mean"
    higher_is_better: bool = True
    rows: str = ""
    """Identifies the rows; two measures are compared only if this is the same."""

    @property
    def is_binary(self) -> bool:
        """Whether every question is either right or wrong."""
        return self.kind == "mean" and bool(np.isin(self.values, (0.0, 1.0)).all())


@dataclass(frozen=True)
class Estimate:
    """The value of a metric with its confidence interval."""

    value: float
    stderr: float | None
    """Standard error, from the variance over rows or from the bootstrap; None if the rows show no variance."""
    low: float | None
    high: float | None
    """The 95% interval goes from `low` to `high`."""
    n: int
    interval: str
    """How the interval is computed, or why there is none."""


@dataclass(frozen=True)
class Comparison:
    """The value of a metric for one model minus that for another, on the same questions."""

    difference: float
    low: float | None
    high: float | None
    """The 95% interval goes from `low` to `high`."""
    n: int
    interval: str
    """How the interval is computed, or why there is none."""
    only_first: int | None = None
    """Number of questions that only the first model answers correctly."""
    only_second: int | None = None
    p_mcnemar: float | None = None
    """p-value of McNemar's exact test (two-sided): the probability of a split at least as uneven if both models were
    equally good."""


@dataclass(frozen=True)
class _Share:
    """A share of counts over rows, and its 95% interval."""

    value: float
    stderr: float
    low: float
    high: float
    residuals: Floats
    """Residuals (n,): the numerator of each row minus its denominator times the share."""
    interval: str


def estimate(measure: Measure, seed: int) -> Estimate:
    """Return the value of a measure with its 95% interval; the module's docstring describes the intervals."""
    values, n = measure.values, len(measure.values)
    if measure.kind in ("mean", "share"):
        if not _has_value(values, measure):
            return Estimate(math.nan, None, None, None, n, _NO_VALUE)
        share = _share(values[:, 0], _denominators(measure))
        return Estimate(share.value, share.stderr or None, share.low, share.high, n, share.interval)
    statistic = _STATISTICS[measure.kind]
    return Estimate(float(statistic(values[None])[0]), *_bootstrap(values, statistic, seed))


def compare(first: Measure, second: Measure, seed: int) -> Comparison:
    """Return the difference of two measures of the same questions in the same order, with its 95% interval."""
    assert first.values.shape == second.values.shape, "the same questions"
    assert first.kind == second.kind, "the same statistic"
    if first.kind in ("mean", "share"):
        return _compare_shares(first, second)
    statistic = _STATISTICS[first.kind]

    def difference(rows: Floats) -> Floats:
        with np.errstate(invalid="ignore"):  # both may be infinite
            return statistic(rows[..., :2]) - statistic(rows[..., 2:])

    both = np.concatenate([first.values, second.values], axis=1)
    _, low, high, n, interval = _bootstrap(both, difference, seed)
    return Comparison(float(difference(both[None])[0]), low, high, n, interval)


def _has_value(values: Floats, measure: Measure) -> bool:
    """Whether all values of a mean or share are numbers, and there is something to divide by."""
    return bool(np.isfinite(values).all() and _denominators(measure).sum() > 0)


def _denominators(measure: Measure) -> Floats:
    return measure.values[:, 1] if measure.kind == "share" else np.ones(len(measure.values))


def _share(above: Floats, below: Floats) -> _Share:
    """Clopper and Pearson's interval of a proportion, or Korn and Graubard's of a share."""
    from scipy.stats import norm, t

    n, total = int((below > 0).sum()), below.sum()
    value = float(above.sum() / total)
    residuals = above - value * below
    varies = not np.allclose(residuals, 0, rtol=0, atol=1e-9)
    stderr = math.sqrt(n / (n - 1) * (residuals**2).sum()) / float(total) if varies else 0.0
    if (below == 1).all() and np.isin(above, (0.0, 1.0)).all():
        return _Share(value, stderr, *_clopper_pearson(float(above.sum()), n), residuals, _EXACT)
    if not varies:
        missed = 1 - _TAIL ** (1 / n)  # Clopper and Pearson's upper limit for 0 of n
        return _Share(value, 0.0, value - missed * value, value + missed * (1 - value), residuals, _EQUAL)
    trials = value * (1 - value) / stderr**2 * float(norm.isf(_TAIL) / t.isf(_TAIL, n - 1)) ** 2
    return _Share(value, stderr, *_clopper_pearson(value * trials, trials), residuals, _CLUSTERED)


def _clopper_pearson(right: float, trials: float) -> tuple[float, float]:
    from scipy.stats import beta

    wrong = trials - right
    low = float(beta.ppf(_TAIL, right, wrong + 1)) if right > 0 else 0.0
    high = float(beta.isf(_TAIL, right + 1, wrong)) if wrong > 0 else 1.0
    return low, high


def _compare_shares(first: Measure, second: Measure) -> Comparison:
    below, n = _denominators(first), len(first.values)
    if not (_has_value(first.values, first) and _has_value(second.values, second)):
        return Comparison(math.nan, None, None, n, _NO_VALUE)
    assert np.array_equal(below, _denominators(second)), "the same denominators"
    above = first.values[:, 0] - second.values[:, 0]
    gain, loss = _share(np.maximum(above, 0), below), _share(np.maximum(-above, 0), below)
    spread = math.sqrt(float((gain.residuals**2).sum() * (loss.residuals**2).sum()))
    correlation = float((gain.residuals * loss.residuals).sum()) / spread if gain.stderr and loss.stderr else 0.0

    def distance(one: float, other: float) -> float:
        return math.sqrt(max(one**2 - 2 * correlation * one * other + other**2, 0.0))

    value = gain.value - loss.value
    low = value - distance(gain.value - gain.low, loss.high - loss.value)
    high = value + distance(gain.high - gain.value, loss.value - loss.low)
    found = Comparison(value, max(low, -1.0), min(high, 1.0), n, _PAIRED)
    if not (first.is_binary and second.is_binary):
        return found
    from scipy.stats import binomtest

    only_first, only_second = int((above > 0).sum()), int((above < 0).sum())
    uneven = only_first + only_second
    p = float(binomtest(only_first, uneven, 0.5).pvalue) if uneven else 1.0
    return replace(found, only_first=only_first, only_second=only_second, p_mcnemar=p)


_Interval = tuple[float | None, float | None, float | None, int, str]
"""Standard error, low, high, number of rows, and how the interval is computed or why there is none."""


def _bootstrap(values: Floats, statistic: Callable[[Floats], Floats], seed: int) -> _Interval:
    from scipy.stats import bootstrap

    n = len(values)
    if n < LEAST_ROWS:
        return None, None, None, n, f"a bootstrap needs {LEAST_ROWS} rows, but there are {n}"

    def of_rows(rows: npt.NDArray[np.int64], axis: int) -> Floats:
        return statistic(values[rows])

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # scipy warns of cases that the checks below report
        found: Any = bootstrap(
            (np.arange(n),),
            of_rows,
            n_resamples=SAMPLES,
            batch=max(1, _ROWS_AT_ONCE // n),
            vectorized=True,
            method="BCa",
            rng=np.random.default_rng(seed),
        )
    samples, (low, high) = found.bootstrap_distribution, found.confidence_interval
    if not np.isfinite(samples).all():
        return None, None, None, n, "some bootstrap samples have no value"
    if np.ptp(samples) == 0 or not math.isfinite(low) or not math.isfinite(high):
        return None, None, None, n, "all bootstrap samples have the same value"
    return float(found.standard_error), float(low), float(high), n, _BOOTSTRAP


def _ratio(rows: Floats) -> Floats:
    sums = rows.sum(axis=-2)
    with np.errstate(invalid="ignore", divide="ignore"):  # the denominators of a sample may all be 0
        result: Floats = sums[..., 0] / sums[..., 1]
    return result


def _perplexity(rows: Floats) -> Floats:
    with np.errstate(over="ignore"):  # infinite from a cross-entropy of 710 on
        result: Floats = np.exp(_ratio(rows))
    return result


def _spearman(rows: Floats) -> Floats:
    from scipy.stats import rankdata

    ranks: Any = rankdata(rows, axis=-2)
    ranks = ranks - ranks.mean(axis=-2, keepdims=True)
    with np.errstate(invalid="ignore"):  # constant ranks have no correlation
        result: Floats = ranks.prod(axis=-1).sum(axis=-1) / np.sqrt((ranks**2).sum(axis=-2).prod(axis=-1))
    return result


_STATISTICS: dict[Kind, Callable[[Floats], Floats]] = {
    "ratio": _ratio,
    "perplexity": _perplexity,
    "spearman": _spearman,
}
