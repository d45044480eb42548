"""What the study trains: arms, learning rates and weights to try, lengths, seeds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, replace
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
"""Predicted tokens of a run: of tuning and of the ablations; of the main comparison."""
LONG = LENGTHS[-1]
"""The length that settings are chosen again for: what is best for a short run need not be for a long one."""


@dataclass(frozen=True)
class Arm:
    """A way to train."""

    name: str
    senses: str = "predicted"
    """Folder of the dictionary."""
    store: str = "derived"
    objective: str = "plain"
    """One of `ideas.OBJECTIVES`."""
    options: dict[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig."""
    weight: str | None = None
    """The field, or beta for both betas, whose value is chosen."""
    weights: tuple[float, ...] = (1.0,)
    rates: tuple[float, ...] = RATES
    like: str | None = None
    """The arm whose learning rate and weight it takes; None has its own chosen."""


NONE = {"beta_p": 0.0, "beta_n": 0.0}
UNTRAINED, TEACHER = Arm("student, untrained"), Arm("teacher")
"""What all students begin as, and what they are to become."""

MAIN = (
    Arm("KD", options=NONE, rates=RATES_OF_KD),
    Arm("KD + hidden", options=NONE, weight="hidden_weight", weights=WEIGHTS),
    Arm("DSKD", weight="beta", weights=WEIGHTS),
)
ABLATIONS = (
    Arm("DSKD, no antonyms", options={"beta_n": 0.0}, weight="beta_p", like="DSKD"),
    Arm("DSKD, no synonyms", "no-synonyms", "no-synonyms", weight="beta", like="DSKD"),
    Arm("DSKD, no derived relations", "stated", "stated", weight="beta", like="DSKD"),
    Arm("DSKD, another token's senses", "shuffled", weight="beta", like="DSKD"),
    Arm("DSKD, the mean of all senses", "mean", weight="beta", like="DSKD"),
    Arm("DSKD, senses of the training text", "same-text", weight="beta", like="DSKD"),
    Arm("DSKD, anchor next", "next", weight="beta", like="DSKD"),
    Arm("DSKD, anchor input", "input", weight="beta", like="DSKD"),
    Arm("DSKD, gamma auto", options={"gamma": "auto"}, weight="beta", like="DSKD"),
    Arm("DSKD, whitened", options={"sense_scale": "whiten"}, weight="beta", like="DSKD"),
    Arm("DSKD, unit vectors", options={"sense_scale": "unit"}, weight="beta", like="DSKD"),
)

_CONTRAST = "hidden + contrast of senses"


def _beside(name: str, objective: str = "plain", **options: Any) -> Arm:  # noqa: ANN401
    """What is added to KD + hidden, whose weight it keeps, has a learning rate and a weight of its own."""
    return Arm(name, objective=objective, options=options, weight="beta", weights=(0.3, 1.0, 3.0), rates=(5e-3, 1e-2))


BESIDES = (
    _beside("hidden + DSKD"),
    _beside("hidden + DSKD where the teacher is unsure", "unsure"),
    _beside(_CONTRAST, "contrast"),
    _beside("hidden + words of several tokens", multi_token_words=True),
)

OF_CONTRAST = (
    Arm("hidden + contrast, no synonyms", "no-synonyms", "no-synonyms", "contrast", {}, "beta", like=_CONTRAST),
    Arm("hidden + contrast, another token's senses", "shuffled", "derived", "contrast", {}, "beta", like=_CONTRAST),
    Arm("KD + contrast of senses", objective="contrast", options={"hidden_weight": 0.0}, weight="beta", like=_CONTRAST),
    # The option that came of it
    Arm("hidden + contrast within rows", options=NONE, weight="contrast_weight", like=_CONTRAST),
)

TWICE = (
    "DSKD, no antonyms",
    "DSKD, no synonyms",
    "DSKD, another token's senses",
    "hidden + DSKD",
    _CONTRAST,
    "hidden + contrast, no synonyms",
    "hidden + contrast, another token's senses",
    "hidden + contrast within rows",
)
"""Names of the arms that are trained for the first of LENGTHS as well, where seeds differ less."""


@dataclass(frozen=True)
class Run:
    """One training."""

    arm: Arm
    phase: str
    """reference, untrained; tuning; main, with settings of short runs; long, with those of long ones; ablation."""
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


def besides(best: Best, arms: tuple[Arm, ...] = BESIDES) -> tuple[Arm, ...]:
    """Return arms beside KD + hidden, with the weight that was chosen for it."""
    return tuple(replace(arm, options={"hidden_weight": best["KD + hidden"][1], **arm.options}) for arm in arms)


def chosen(results: list[dict[str, Any]], tokens: int = SHORT) -> Best:
    """Return for each arm the learning rate and weight with the least CE + KL on the validation text after so long."""
    best: dict[str, tuple[float, float, float]] = {}
    for row in results:
        if row["phase"] == "tuning" and row["tokens"] == tokens:
            told = (row["validation_ce"] + row["validation_kl"], row["lr"], row["weight"])
            best[row["arm"]] = min(best.get(row["arm"], told), told)
    return {name: (lr, weight) for name, (_, lr, weight) in best.items()}


def _run(best: Best, arm: Arm, phase: str, tokens: int, seed: int) -> Run:
    lr, weight = best[arm.like or arm.name]
    return Run(arm, phase, tokens, seed, lr, weight)


def main_runs(best: Best) -> list[Run]:
    """Return the runs of the first question, with the settings of short runs at all lengths."""
    return [_run(best, arm, "main", tokens, seed) for tokens in LENGTHS for seed in SEEDS for arm in MAIN]


def long_runs(best: Best, best_long: Best) -> list[Run]:
    """Return long runs with the settings of long runs, of the arms in which these differ from those of short runs."""
    differ = [arm for arm in MAIN if best_long[arm.name] != best[arm.name]]
    return [_run(best_long, arm, "long", LONG, seed) for seed in SEEDS for arm in differ]


def short_runs(best: Best) -> list[Run]:
    """Return the runs of the second question: all arms, short; then those that it turns on, twice as long."""
    beside = besides(best, (*BESIDES, *OF_CONTRAST))
    once = [_run(best, arm, "ablation", SHORT, seed) for seed in SEEDS for arm in (*MAIN, *beside, *ABLATIONS)]
    again = [arm for arm in (*beside, *ABLATIONS) if arm.name in TWICE]
    return once + [_run(best, arm, "ablation", LENGTHS[0], seed) for seed in SEEDS for arm in again]
