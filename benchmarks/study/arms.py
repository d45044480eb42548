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
    rates: tuple[float, ...] = RATES
    like: str | None = None
    """The arm whose learning rate and weight it takes; None has its own chosen."""


NONE = {"beta_p": 0.0, "beta_n": 0.0}

MAIN = (
    Arm("KD", options=NONE, rates=RATES_OF_KD),
    Arm("KD + hidden", options=NONE, weight="hidden_weight", weights=WEIGHTS),
    Arm("DSKD", weight="beta", weights=WEIGHTS),
)
OF_PAPER = Arm("DSKD, beta 1", weight="beta", like="DSKD")
"""With the paper's weight: a long run asks whether a weight that was chosen by short ones misleads it."""
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


Best = dict[str, tuple[float, float]]
"""Learning rate and weight by arm."""


def tuning_runs(arms: tuple[Arm, ...]) -> list[Run]:
    """Return the runs that the learning rates and weights of some arms are chosen by."""
    return [
        Run(arm, "tuning", SHORT, TUNING_SEED, lr, weight) for arm in arms for weight in arm.weights for lr in arm.rates
    ]


def besides(best: Best, arms: tuple[Arm, ...] = BESIDES) -> tuple[Arm, ...]:
    """Return arms beside KD + hidden, with the weight that was chosen for it."""
    return tuple(replace(arm, options={"hidden_weight": best["KD + hidden"][1], **arm.options}) for arm in arms)


def chosen(results: list[dict[str, Any]]) -> Best:
    """Return for each arm the learning rate and weight with the least CE + KL on the validation text."""
    best: dict[str, tuple[float, float, float]] = {}
    for row in results:
        if row["phase"] == "tuning":
            told = (row["validation_ce"] + row["validation_kl"], row["lr"], row["weight"])
            best[row["arm"]] = min(best.get(row["arm"], told), told)
    return {name: (lr, weight) for name, (_, lr, weight) in best.items()}


def compared_runs(best: Best) -> list[Run]:
    """Return all other runs; what matters most comes first."""

    def run(arm: Arm, phase: str, tokens: int, seed: int) -> Run:
        lr, weight = best[arm.like or arm.name]
        return Run(arm, phase, tokens, seed, lr, weight)

    first, last = LENGTHS
    runs = [run(arm, "main", first, seed) for seed in SEEDS for arm in MAIN]
    runs += [run(arm, "main", last, seed) for seed in SEEDS for arm in MAIN if arm.name != "KD + hidden"]
    # Long runs differ little between seeds, so one tells of what else they might be
    hidden = next(arm for arm in MAIN if arm.name == "KD + hidden")
    runs += [replace(run(OF_PAPER, "main", last, SEEDS[0]), weight=1.0), run(hidden, "main", last, SEEDS[0])]
    every = (*MAIN, *besides(best, (*BESIDES, *OF_CONTRAST)), *ABLATIONS)
    return runs + [run(arm, "ablation", SHORT, seed) for seed in SEEDS for arm in every]
