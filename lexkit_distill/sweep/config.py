"""What a sweep is made of: a file in YAML, and the trainings that it stands for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, fields, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from lexkit_distill.errors import TrainingError
from lexkit_distill.tasks import split_task
from lexkit_distill.training.config import FREE, TrainConfig, cast, known, preset, read_yaml

METRICS = ("ce", "kl", "ce+kl")
_KEYS = ("output", "base", "grid", "metric", "test_data", "keep")
_HINT = "see docs/sweep.md"
_OF_SENSES = ("k", "anchor")
"""Names in a grid that fill the name of the dictionary's folder."""
_FIELDS = tuple(entry.name for entry in fields(TrainConfig))
_FIXED = {*FREE, "data", "eval_data", "teacher"}
"""Fields that a grid cannot have."""
_STATES = (
    "teacher",
    "data",
    "dtype",
    "max_length",
    "loss_on",
    "too_long",
    "shots",
    "fraction",
    "mmlu_test",
    "targets",
    "no_end_token",
)
"""Fields that the teacher's states depend on, beside the number of frozen layers."""

_CHOICE = (
    "senses",
    "store",
    "kappa",
    "max_neighbors",
    "sense_scale",
    "multi_token_words",
    "drop_single_token_neighbors",
    "own_among_antonyms",
    "spaced_heads_only",
)
"""Fields that the choice of candidates depends on."""


@dataclass(frozen=True)
class Point:
    """One training."""

    values: dict[str, Any]
    """What the grid says, by name."""
    config: TrainConfig
    key: str
    """The name of its folder: the same for the same training on the same files."""

    @property
    def known(self) -> tuple[Any, ...]:
        """What it wants to know of the teacher: states, distributions, candidates."""
        config = self.config
        chosen = [getattr(config, name) for name in _CHOICE] if config.semantic else []
        return (config.cache, config.temperature, *chosen)

    @property
    def setting(self) -> dict[str, Any]:
        """The values without the seed: what is chosen between."""
        return {name: value for name, value in self.values.items() if name != "seed"}


@dataclass(frozen=True)
class SweepConfig:
    """A sweep."""

    output: Path
    points: tuple[Point, ...]
    grid: dict[str, tuple[Any, ...]]
    metric: str = "ce"
    """What is least on the validation data in the chosen setting."""
    test_data: tuple[str, ...] = ()
    keep_all: bool = False
    """Keep the trained weights of every run, not only of the chosen setting."""


def read_sweep(path: Path, output: str | None = None) -> SweepConfig:
    """Read a sweep's file.

    Args:
        path: YAML with the keys ``base`` (fields of `TrainConfig`, and ``preset``), ``grid`` (lists of values of such
            fields; ``beta`` for both betas; ``k`` and ``anchor`` for what stands in braces in the name of the
            dictionary), ``output``, ``metric``, ``test_data``, ``keep``.
        output: in place of the file's.

    Raises:
        TrainingError: missing, unknown keys, values that their fields cannot have, no validation data.
    """
    told = read_yaml(path, _HINT)
    told = {known(str(key), _KEYS, str(path), _HINT): value for key, value in told.items()}
    base = _base(path, told.get("base"))
    grid = _grid(path, told.get("grid"), str(base.get("senses") or ""))
    metric, keep = str(told.get("metric", "ce")), str(told.get("keep", "chosen"))
    for name, value, allowed in (("metric", metric, METRICS), ("keep", keep, ("chosen", "all"))):
        if value not in allowed:
            raise TrainingError(f"{path}: {name}: {value!r} is none of {', '.join(allowed)}; mend the value")
    folder = output or told.get("output")
    if folder is None:
        raise TrainingError(f"{path}: no output; say where the results go, or give --output")
    if not base.get("eval_data"):
        raise TrainingError(f"{path}: base: no eval_data; a sweep chooses by held-out data, so name some")
    test = told.get("test_data") or ()
    out = Path(str(folder)).expanduser()
    points = [
        _point(out, path, base, dict(zip(grid, chosen, strict=True))) for chosen in itertools.product(*grid.values())
    ]
    unique = {point.key: point for point in reversed(points)}
    return SweepConfig(
        output=out,
        points=tuple(reversed(unique.values())),
        grid=grid,
        metric=metric,
        test_data=tuple(test if isinstance(test, list) else [test]) if test else (),
        keep_all=keep == "all",
    )


def _base(path: Path, told: Any) -> dict[str, Any]:  # noqa: ANN401
    if not isinstance(told, dict):
        raise TrainingError(f"{path}: no base; put the fields that all trainings share there ({_HINT})")
    base: dict[str, Any] = {}
    told = {known(str(key), (*_FIELDS, "preset"), f"{path}: base"): value for key, value in told.items()}
    chosen = told.pop("preset", None)
    if chosen is not None:
        base |= preset(str(chosen))
    for name, value in told.items():
        if name in ("output", "cache", "push_to_hub"):
            raise TrainingError(f"{path}: base: {name} is the sweep's own matter; leave it out")
        if value is not None:
            base[name] = cast(name, value, f"{path}: base")
    for name in ("teacher", "data"):
        if not base.get(name):
            raise TrainingError(f"{path}: base: no {name}; name it")
    return base


def _grid(path: Path, told: Any, senses: str) -> dict[str, tuple[Any, ...]]:  # noqa: ANN401
    if not isinstance(told, dict) or not told:
        raise TrainingError(f"{path}: no grid; give lists of values to try ({_HINT})")
    names = [name for name in _FIELDS if name not in _FIXED] + ["beta", *_OF_SENSES]
    grid: dict[str, tuple[Any, ...]] = {}
    for key, values in told.items():
        name = known(str(key), names, f"{path}: grid", _HINT)
        where = f"{path}: grid"
        if not isinstance(values, list) or not values:
            raise TrainingError(f"{where}: {name}: not a list of values; write [{values}]")
        if name in _OF_SENSES:
            if f"{{{name}}}" not in senses:
                raise TrainingError(
                    f"{where}: {name} belongs to a dictionary; let base: senses have {{{name}}} in it, as in "
                    f"senses-{{{name}}}, and make a dictionary for each"
                )
            grid[name] = tuple(values)
        else:
            field = "beta_p" if name == "beta" else name
            grid[name] = tuple(cast(field, value, where) for value in values)
        if len({json.dumps(value) for value in grid[name]}) < len(grid[name]):
            raise TrainingError(f"{where}: {name}: a value stands twice; leave one out")
    if "beta" in grid and {"beta_p", "beta_n"} & grid.keys():
        raise TrainingError(f"{path}: grid: beta stands for beta_p and beta_n; give it or them")
    return grid


def _point(output: Path, path: Path, base: dict[str, Any], values: dict[str, Any]) -> Point:
    told = base | {name: value for name, value in values.items() if name not in ("beta", *_OF_SENSES)}
    if "beta" in values:
        told |= {"beta_p": values["beta"], "beta_n": values["beta"]}
    if told.get("senses"):
        try:
            told["senses"] = str(told["senses"]).format(**{name: values[name] for name in _OF_SENSES if name in values})
        except (KeyError, IndexError, ValueError) as error:
            raise TrainingError(
                f"{path}: base: senses: {told['senses']!r} has braces for what the grid does not have; put k or anchor "
                "into the grid"
            ) from error
    config = TrainConfig(output="", **told)
    plain = {name: getattr(config, name) for name in _FIELDS if name not in FREE} | {"patience": config.patience}
    key = _digest([plain, _stamps([*config.data, *config.eval_data])])
    folder, cache = output / "runs" / key, output / "cache" / _cache_key(config)
    return Point(values, replace(config, output=str(folder), cache=str(cache)), key)


def _cache_key(config: TrainConfig) -> str:
    """The same for trainings whose teacher's states are the same."""
    frozen = [None, config.trained] if config.layers is None else config.layers - config.trained
    told = [getattr(config, name) for name in _STATES]
    # Which examples a task gives, and their worked ones, depend on the seed
    seed = config.seed if any(split_task(name)[0] for name in config.data) else None
    return _digest([told, frozen, seed, _stamps(config.data)])


def _stamps(names: Iterable[str]) -> list[Any]:
    """What tells that a file is another than before."""
    found: list[Any] = []
    for name in names:
        path = Path(split_task(name)[1]).expanduser()
        found.append([path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else None)
    return found


def _digest(told: Any) -> str:  # noqa: ANN401
    return sha256(json.dumps(told, default=str).encode()).hexdigest()[:12]
