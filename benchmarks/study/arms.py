"""What the study trains: arms, learning rates and weights to try, lengths, seeds."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

SEEDS = (0, 1, 2, 3, 4)
TUNING_SEED = 100
"""Learning rates and weights are chosen with an order of the data that no compared run has."""
RATES = (3e-3, 1e-2, 3e-2)
RATES_OF_KD = (2e-3, 3e-3, 6e-3, 1e-2, 1.7e-2, 3e-2)
"""KD has no weight to choose, so it may try twice as many learning rates."""
SHORT, LENGTHS = 50_000, (100_000, 1_000_000)
"""Predicted tokens of a run: of tuning and of the ablations; of the main comparison."""


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
    like: str | None = None
    """The arm whose learning rate and weight it takes; None has its own chosen."""

    @property
    def rates(self) -> tuple[float, ...]:
        """Learning rates to try: as many runs for each arm."""
        return RATES if len(self.weights) > 1 else RATES_OF_KD


NONE = {"beta_p": 0.0, "beta_n": 0.0}
BESIDE = {"weight": "beta", "weights": (0.3, 1.0)}
"""What is added to KD + hidden has its own weight chosen."""
_HIDDEN = {"hidden_weight": 1.0}

MAIN = (
    Arm("KD", options=NONE),
    Arm("KD + hidden", options=NONE, weight="hidden_weight", weights=(1.0, 3.0)),
    Arm("DSKD", weight="beta", weights=(1.0, 3.0)),
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
BESIDES = (
    Arm("hidden + DSKD", options=_HIDDEN, **BESIDE),
    Arm("hidden + DSKD where the teacher is unsure", objective="unsure", options=_HIDDEN, **BESIDE),
    Arm("hidden + contrast of senses", objective="contrast", options=_HIDDEN, **BESIDE),
    Arm("hidden + whitened margins", options={**_HIDDEN, "sense_scale": "whiten", "gamma": "auto"}, **BESIDE),
    Arm("hidden + words of several tokens", options={**_HIDDEN, "multi_token_words": True}, **BESIDE),
    Arm("hidden + the nearest sense alone", options={**_HIDDEN, "kappa": 1}, **BESIDE),
)


@dataclass(frozen=True)
class Run:
    """One training."""

    arm: Arm
    phase: str
    """tuning, main, ablation."""
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


def tuning_runs() -> list[Run]:
    """Return the runs that learning rates and weights are chosen by: six for each arm."""
    return [
        Run(arm, "tuning", SHORT, TUNING_SEED, lr, weight)
        for arm in (*MAIN, *BESIDES)
        for weight in arm.weights
        for lr in arm.rates
    ]


def chosen(results: list[dict[str, Any]]) -> dict[str, tuple[float, float]]:
    """Return for each arm the learning rate and weight with the least CE + KL on the validation text."""
    best: dict[str, tuple[float, float, float]] = {}
    for row in results:
        if row["phase"] == "tuning":
            told = (row["validation_ce"] + row["validation_kl"], row["lr"], row["weight"])
            best[row["arm"]] = min(best.get(row["arm"], told), told)
    return {name: (lr, weight) for name, (_, lr, weight) in best.items()}


def compared_runs(best: dict[str, tuple[float, float]]) -> list[Run]:
    """Return all other runs, seed by seed."""

    def run(arm: Arm, phase: str, tokens: int, seed: int) -> Run:
        lr, weight = best[arm.like or arm.name]
        return Run(arm, phase, tokens, seed, lr, weight)

    first, last = LENGTHS
    runs = [run(arm, "main", first, seed) for seed in SEEDS for arm in MAIN]
    for seed in SEEDS:
        runs += [run(arm, "main", last, seed) for arm in MAIN]
        runs += [run(arm, "ablation", SHORT, seed) for arm in (*MAIN, *BESIDES, *ABLATIONS)]
    return runs
