"""What the study's second question trains: a shared checkpoint for each seed and base, and the arms that branch off it.

Nothing here needs torch. A run is one arm of one base and one seed, and a row of branches.csv is a run that is done.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import t as student_t

SEEDS = (0, 1, 2, 3)
SHARED, BRANCH = 200_000, 60_000
"""Predicted tokens up to the shared checkpoint, and from there to the end of an arm."""
RATE, WARMUP = 5e-3, 0.1
"""The constant learning rate of the shared part, and the share of it in which the rate rises."""
BASES: dict[str, dict[str, Any]] = {
    "KD + hidden": {"hidden_weight": 10.0},
    "KD": {},
    "KD + hidden, 4 layers": {"hidden_weight": 10.0, "trained": 4},
    "KD + hidden, 8 layers": {"hidden_weight": 10.0, "trained": 8},
}
"""Fields of TrainConfig that the control and all arms have, the more important base first."""
MIDDLE = {"KD + hidden, 4 layers": 13, "KD + hidden, 8 layers": 9}
"""Of the layers that a student of the base trains, the one at which the teacher's SimLex is best (layers.py)."""
SHALLOW = tuple(base for base in BASES if base not in MIDDLE)
ATTEMPTS: dict[str, Any] = {"bases": ("KD + hidden",), "turn": 3}
"""Attempts to better DSKD are made where it adds nothing."""
NONE = {"beta_p": 0.0, "beta_n": 0.0}
CONTROL, REFERENCE = "control", "none"


@dataclass(frozen=True)
class Arm:
    """What a branch adds to its base."""

    name: str
    senses: str = "predicted"
    """Folder of the dictionary."""
    store: str = "trained"
    options: dict[str, Any] = field(default_factory=dict)
    """Fields of TrainConfig; the betas are 1 where nothing else is said."""
    early: int = 0
    """Predicted tokens, from the beginning of the shared part, in which the term is on; 0 for the branch instead."""
    middle: str = ""
    """A term at the base's middle layer: "states" of the teacher, "senses" of `senses`, or none."""
    bases: tuple[str, ...] = SHALLOW
    turn: int = 2
    """Arms of turn 0 are trained first, for all seeds, then those of turn 1. Bases with middle layers come last."""

    def senses_of(self, base: str) -> str:
        """Return the folder of the dictionary for a base."""
        return self.senses.format(layer=MIDDLE.get(base))


ARMS = (
    Arm(CONTROL, options=NONE, bases=tuple(BASES), turn=0),
    Arm("DSKD", bases=tuple(BASES), turn=0),
    Arm("DSKD, weight 10", options={"beta_p": 10.0, "beta_n": 10.0}),
    Arm("DSKD, another token's senses", senses="shuffled", turn=1),
    Arm("contrast of senses", options={**NONE, "contrast_weight": 3.0}, turn=1),
    Arm("DSKD, no antonyms", options={"beta_n": 0.0}),
    Arm("DSKD, the mean of all senses", senses="mean"),
    Arm("DSKD, no synonyms", "no-synonyms", "no-synonyms"),
    Arm("DSKD, no derived relations", "stated", "stated"),
    Arm("DSKD, no relations", "no-synonyms", "no-synonyms", options={"beta_n": 0.0}),
    Arm("DSKD, gamma auto", options={"gamma": "auto"}),
    Arm("DSKD, synonyms of one token", "one-token", "one-token", **ATTEMPTS),
    Arm("DSKD, neighbours for these", "neighbours", "neighbours", **ATTEMPTS),
    Arm("DSKD, likely words for these", "likely", "likely", **ATTEMPTS),
    Arm("DSKD, random words for these", "random-pairs", "random-pairs", **ATTEMPTS),
    Arm("DSKD, rare words by synonyms", senses="synonyms", **ATTEMPTS),
    Arm("DSKD, rare words by random words", senses="random-words", **ATTEMPTS),
    Arm("DSKD, rare words by neighbours", senses="neighbour-words", **ATTEMPTS),
    Arm("DSKD at the beginning", options={"beta_p": 10.0, "beta_n": 10.0}, early=50_000, **ATTEMPTS),
    Arm("states of a middle layer", options=NONE, middle="states", bases=tuple(MIDDLE)),
    Arm("senses of a middle layer", "layer-{layer}", options=NONE, middle="senses", bases=tuple(MIDDLE)),
    Arm(
        "senses of a middle layer, another token's",
        "layer-{layer}-shuffled",
        options=NONE,
        middle="senses",
        bases=tuple(MIDDLE),
    ),
)
TEACHER, UNTRAINED = "teacher", "student, untrained"


class Key(NamedTuple):
    """Which run a row is of."""

    seed: int
    base: str
    arm: str


class Job(NamedTuple):
    """Runs that share a checkpoint, for one process."""

    seed: int
    base: str
    arms: tuple[str, ...]


def plan(
    done: Iterable[Key], seeds: Sequence[int] = SEEDS, arms: Sequence[Arm] = ARMS, bases: Sequence[str] = tuple(BASES)
) -> list[Job]:
    """Return what is left to do, in turns: all seeds of some arms, then all seeds of others."""
    known = set(done)
    jobs = [Job(0, REFERENCE, (TEACHER, UNTRAINED))]
    for group, turns in ((SHALLOW, (0, 1)), (SHALLOW, (2,)), (SHALLOW, (3,)), (tuple(MIDDLE), (0, 1, 2, 3))):
        for base, turn in ((base, turn) for base in group for turn in turns):
            names = tuple(arm.name for arm in arms if arm.turn == turn and base in arm.bases and base in bases)
            jobs += [Job(seed, base, names) for seed in seeds if names]
    left = [
        job._replace(arms=tuple(arm for arm in job.arms if Key(job.seed, job.base, arm) not in known)) for job in jobs
    ]
    return [job for job in left if job.arms]


def written(table: Path) -> list[dict[str, str]]:
    """Return the rows of a table as they are written, none if there is no table."""
    if not table.exists():
        return []
    with table.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def key_of(row: dict[str, Any]) -> Key:
    """Return which run a row is of."""
    return Key(int(row["seed"]), row["base"], row["arm"])


def in_order(rows: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return rows in the order of the plan, unknown arms last."""
    bases = [REFERENCE, *BASES]
    arms = [TEACHER, UNTRAINED, *(arm.name for arm in ARMS)]

    def place(row: dict[str, Any]) -> tuple[int, int, int, str]:
        seed, base, arm = key_of(row)
        return bases.index(base), seed, arms.index(arm) if arm in arms else len(arms), arm

    return sorted(rows, key=place)


def is_held_out(word: str) -> bool:
    """Whether a head belongs to the half whose relations no training sees."""
    return hashlib.sha256(word.encode()).digest()[0] % 2 == 1


def learning_rate(step: int, shared: int, total: int) -> float:
    """Return the rate of a step, counted from 0: a rise, a constant, and in the branch a straight line down to 0."""
    rise = max(round(WARMUP * shared), 1)
    if step < rise:
        return RATE * (step + 1) / rise
    return RATE if step < shared else RATE * (total - step) / (total - shared)


class Interval(NamedTuple):
    """A mean paired difference and its interval."""

    mean: float
    half: float
    """Half the 95% interval of Student's t over seeds; infinite for one seed."""
    n: int

    @property
    def excludes_zero(self) -> bool:
        """Whether all of the interval is on one side of 0."""
        return abs(self.mean) > self.half


def paired(ours: dict[int, float], theirs: dict[int, float]) -> Interval:
    """Return the interval of the differences of two arms, by the seeds that both have."""
    pairs = np.array([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])
    n = len(pairs)
    if n < 2:
        return Interval(float(pairs.mean()) if n else float("nan"), float("inf"), n)
    return Interval(float(pairs.mean()), float(student_t.ppf(0.975, n - 1) * pairs.std(ddof=1) / n**0.5), n)
