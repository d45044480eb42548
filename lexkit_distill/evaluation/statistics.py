"""How sure a figure is: bootstrap intervals, paired differences, McNemar's test.

A figure is a statistic of a matrix (n, c) with a row for each question (pair of words, stretch of text). Bootstrap
samples draw rows with replacement; intervals are percentiles of the statistic over 2,000 samples. Two models are
compared on the same rows, drawn together.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Kind = Literal["mean", "ratio", "perplexity", "spearman"]
SAMPLES = 2000
_ROWS_AT_ONCE = 2_000_000


@dataclass(frozen=True)
class Measure:
    """Values of a metric, a row for each question."""

    name: str
    values: Floats
    """(n, 1), or (n, 2): numerators and denominators of a ratio, or two scales whose ranks are compared."""
    kind: Kind = "mean"
    higher_is_better: bool = True
    rows: str = ""
    """What the rows are; measures are compared only if this is the same."""

    @property
    def is_binary(self) -> bool:
        """Whether every question is either right or wrong."""
        return self.kind == "mean" and bool(np.isin(self.values, (0.0, 1.0)).all())


@dataclass(frozen=True)
class Estimate:
    """A figure and how sure it is."""

    value: float
    stderr: float | None
    """Standard error. For a mean it comes from the variance over questions, otherwise it is the standard deviation of
    the bootstrap samples."""
    low: float | None
    high: float | None
    """The 95% interval."""
    n: int


@dataclass(frozen=True)
class Comparison:
    """What a figure of one model is above that of another, on the same questions."""

    difference: float
    low: float | None
    high: float | None
    """The 95% interval of the paired bootstrap."""
    n: int
    only_first: int | None = None
    """Questions that only the first model has right."""
    only_second: int | None = None
    p_mcnemar: float | None = None
    """McNemar's exact test (two-sided): how likely so uneven a split is, were both models equally good."""


def estimate(measure: Measure, seed: int) -> Estimate:
    """Return the value of a measure, with its interval where there are at least two rows."""
    values, statistic = measure.values, _STATISTICS[measure.kind]
    n = len(values)
    value = float(statistic(values[None])[0])
    if n < 2:
        return Estimate(value, None, None, None, n)
    samples = _bootstrap(values, statistic, seed)
    low, high = np.nanquantile(samples, (0.025, 0.975))
    stderr = values.std(ddof=1) / np.sqrt(n) if measure.kind == "mean" else np.nanstd(samples, ddof=1)
    return Estimate(value, float(stderr), float(low), float(high), n)


def compare(first: Measure, second: Measure, seed: int) -> Comparison:
    """Return the difference of two measures of the same questions in the same order."""
    assert first.values.shape == second.values.shape, "the same questions"
    assert first.kind == second.kind, "the same statistic"
    statistic, width = _STATISTICS[first.kind], first.values.shape[1]

    def difference(rows: Floats) -> Floats:
        return statistic(rows[..., :width]) - statistic(rows[..., width:])

    both = np.concatenate([first.values, second.values], axis=1)
    value, n = float(difference(both[None])[0]), len(both)
    low = high = None
    if n > 1:
        low, high = map(float, np.nanquantile(_bootstrap(both, difference, seed), (0.025, 0.975)))
    if not (first.is_binary and second.is_binary):
        return Comparison(value, low, high, n)
    only_first = int((first.values > second.values).sum())
    only_second = int((first.values < second.values).sum())
    from scipy.stats import binomtest

    uneven = only_first + only_second
    p = float(binomtest(only_first, uneven, 0.5).pvalue) if uneven else 1.0
    return Comparison(value, low, high, n, only_first, only_second, p)


def _bootstrap(values: Floats, statistic: Callable[[Floats], Floats], seed: int) -> Floats:
    """(samples,) the statistic of each sample of rows."""
    random, n = np.random.default_rng(seed), len(values)
    at_once = max(1, _ROWS_AT_ONCE // n)
    parts = [
        statistic(values[random.integers(n, size=(min(at_once, SAMPLES - start), n))])
        for start in range(0, SAMPLES, at_once)
    ]
    return np.concatenate(parts)


def _mean(rows: Floats) -> Floats:
    result: Floats = rows[..., 0].mean(axis=-1)
    return result


def _ratio(rows: Floats) -> Floats:
    sums = rows.sum(axis=-2)
    with np.errstate(invalid="ignore"):  # samples may have nothing to divide by
        result: Floats = sums[..., 0] / sums[..., 1]
    return result


def _perplexity(rows: Floats) -> Floats:
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
    "mean": _mean,
    "ratio": _ratio,
    "perplexity": _perplexity,
    "spearman": _spearman,
}
