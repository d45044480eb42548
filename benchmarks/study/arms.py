"""What the study's first question trains: arms, learning rates and weights to try, lengths, seeds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

SEEDS = (0, 1, 2, 3, 4)
TUNING_SEED = 100
"""Learning rates and weights are chosen with an order of the data that no compared run has."""
RATES = (3e-3, 1e-2, 3e-2)
RATES_OF_KD = (2e-3, 3e-3, 4e-3, 5e-3, 6e-3, 8e-3, 1e-2, 1.7e-2, 3e-2)
"""KD has no weight to choose, so it may try as many more learning rates."""
WEIGHTS = (1.0, 3.0, 10.0)
BEYOND = (0.3, 30.0)
"""The weight before the first, and after the last."""
SHORT, LENGTHS = 50_000, (100_000, 1_000_000)
"""Predicted tokens of a run: of tuning; of the main comparison."""
LONG = LENGTHS[-1]
"""The length that settings are chosen again for: what is best for a short run need not be for a long one."""


@dataclass(frozen=True)
class Arm:
    """A way to train."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig."""
    weight: str | None = None
    """The field, or beta for both betas, whose value is chosen."""
    weights: tuple[float, ...] = (1.0,)
    rates: tuple[float, ...] = RATES


NONE = {"beta_p": 0.0, "beta_n": 0.0}
UNTRAINED, TEACHER = Arm("student, untrained"), Arm("teacher")
"""What all students begin as, and what they are to become."""

MAIN = (
    Arm("KD", options=NONE, rates=RATES_OF_KD),
    Arm("KD + hidden", options=NONE, weight="hidden_weight", weights=WEIGHTS),
    Arm("DSKD", weight="beta", weights=WEIGHTS),
)


@dataclass(frozen=True)
class Run:
    """One training."""

    arm: Arm
    phase: str
    """reference, untrained; tuning; main, with settings of short runs; long, with those of long ones; short."""
    tokens: int
    seed: int
    lr: float
    weight: float

    @property
    def key(self) -> str:
        """A name for its file."""
        told = [self.arm.name, self.arm.options, self.tokens, self.seed, self.lr, self.weight]
        return f"{self.phase}-{hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]}"

    @property
    def options(self) -> dict[str, Any]:
        """Fields of TrainConfig that differ between runs."""
        options = {**self.arm.options, "lr": self.lr, "seed": self.seed}
        if self.arm.weight == "beta":
            options |= {"beta_p": self.weight, "beta_n": self.weight}
        elif self.arm.weight is not None:
            options[self.arm.weight] = self.weight
        return options


Best = dict[str, tuple[float, float]]
"""Learning rate and weight by arm."""


def reference_runs() -> list[Run]:
    """Return what is measured without any training."""
    return [Run(arm, "reference", 0, SEEDS[0], 0.0, 1.0) for arm in (TEACHER, UNTRAINED)]


def tuning_runs(arms: tuple[Arm, ...]) -> list[Run]:
    """Return the runs that the learning rates and weights of some arms are chosen by."""
    return [
        Run(arm, "tuning", SHORT, TUNING_SEED, lr, weight) for arm in arms for weight in arm.weights for lr in arm.rates
    ]


def long_tuning_runs(best: Best) -> list[Run]:
    """Return the runs that the settings of long runs are chosen by, as many for each arm.

    An arm with a weight tries all its weights at the learning rate of its short runs, KD as many learning rates.
    """
    runs = []
    for arm in MAIN:
        lr, weight = best[arm.name]
        rates = [(lr / 2, weight), (lr, weight), (lr * 2, weight)]
        settings = [(lr, weight) for weight in arm.weights] if arm.weight else rates
        runs += [Run(arm, "tuning", LONG, TUNING_SEED, *setting) for setting in settings]
    return runs


def beyond_runs(results: list[dict[str, Any]]) -> list[Run]:
    """Return one more run for each arm whose best of `long_tuning_runs` had the first, or last, value that it tried."""
    best, runs = chosen(results, LONG), []
    rows = [row for row in results if row["phase"] == "tuning" and row["tokens"] == LONG]
    for arm in MAIN:
        tried = sorted(row["weight" if arm.weight else "lr"] for row in rows if row["arm"] == arm.name)
        lr, weight = best[arm.name]
        first, last = BEYOND if arm.weight else (tried[0] / 2, tried[-1] * 2)
        more = {tried[0]: first, tried[-1]: last}.get(weight if arm.weight else lr)
        if more is not None:
            setting = (lr, more) if arm.weight else (more, weight)
            runs.append(Run(arm, "tuning", LONG, TUNING_SEED, *setting))
    return runs


def chosen(results: list[dict[str, Any]], tokens: int = SHORT) -> Best:
    """Return for each arm the learning rate and weight with the least CE + KL on the validation text after so long."""
    best: dict[str, tuple[float, float, float]] = {}
    for row in results:
        if row["phase"] == "tuning" and row["tokens"] == tokens:
            told = (row["validation_ce"] + row["validation_kl"], row["lr"], row["weight"])
            best[row["arm"]] = min(best.get(row["arm"], told), told)
    return {name: (lr, weight) for name, (_, lr, weight) in best.items()}


def _run(best: Best, arm: Arm, phase: str, tokens: int, seed: int) -> Run:
    lr, weight = best[arm.name]
    return Run(arm, phase, tokens, seed, lr, weight)


def main_runs(best: Best) -> list[Run]:
    """Return the runs of the first question, with the settings of short runs at all lengths."""
    return [_run(best, arm, "main", tokens, seed) for tokens in LENGTHS for seed in SEEDS for arm in MAIN]


def long_runs(best: Best, best_long: Best) -> list[Run]:
    """Return long runs with the settings of long runs, of the arms in which these differ from those of short runs."""
    differ = [arm for arm in MAIN if best_long[arm.name] != best[arm.name]]
    return [_run(best_long, arm, "long", LONG, seed) for seed in SEEDS for arm in differ]


def short_runs(best: Best) -> list[Run]:
    """Return runs as long as those that settings were chosen by."""
    return [_run(best, arm, "short", SHORT, seed) for seed in SEEDS for arm in MAIN]
