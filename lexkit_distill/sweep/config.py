"""The configuration of a sweep: a YAML file, and the trainings that it stands for."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from lexkit.arguments import user_path
from lexkit.errors import ArgumentError
from lexkit_distill.config import changed, digest, make, options
from lexkit_distill.config_files import by_name, named, parse, read_yaml
from lexkit_distill.errors import TrainingError
from lexkit_distill.tasks import split_task
from lexkit_distill.training.config import RunConfig, TrainConfig, preset, split_weight

METRICS = ("ce", "kl", "ce+kl")
_KEYS = ("output", "base", "grid", "metric", "test_data", "keep")
_HINT = "see docs/sweep.md"
_OF_SENSES = ("k", "anchor")
"""Names in a grid that fill in the name of the dictionary's folder."""
_OPTIONS = {option.name: option for option in options(TrainConfig)}
_SWEPT = [
    option.name
    for option in _OPTIONS.values()
    if option.section != ("run",) and option.name not in ("teacher", "data", "eval_data")
]
"""Fields that a grid can have."""


@dataclass(frozen=True)
class Point:
    """One training of the grid."""

    values: dict[str, Any]
    """What the grid says, by name."""
    config: TrainConfig
    key: str
    """The name of its folder: the same for the same training on the same files."""

    @property
    def signal(self) -> str:
        """Digest of what it needs of the teacher: states, distributions, candidates."""
        config = self.config
        of_senses = (config.senses, config.store, config.loss.candidates, config.ablations)
        return digest(config.run.cache, config.loss.temperature, of_senses if config.loss.semantic else None)

    @property
    def setting(self) -> dict[str, Any]:
        """The values without the seed: what is chosen between."""
        return {name: value for name, value in self.values.items() if name != "seed"}


@dataclass(frozen=True)
class SweepConfig:
    """A sweep: the grid of trainings and where results go."""

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
        path: YAML with the keys ``base`` (the sections of `TrainConfig`, and ``preset``), ``grid`` (lists of values of
            fields, by name; ``beta`` for both betas; ``k`` and ``anchor`` for what stands in braces in the name of the
            dictionary), ``output``, ``metric``, ``test_data``, ``keep``.
        output: in place of the file's.

    Raises:
        TrainingError: missing, unknown keys, values that their fields cannot have, no validation data.
    """
    content = {named(key, _KEYS, str(path), _HINT): value for key, value in read_yaml(path, _HINT).items()}
    base = _base(path, content.get("base"))
    grid = _grid(path, content.get("grid"), str(base.get("senses") or ""))
    metric, keep = str(content.get("metric", "ce")), str(content.get("keep", "chosen"))
    for name, value, allowed in (("metric", metric, METRICS), ("keep", keep, ("chosen", "all"))):
        if value not in allowed:
            raise TrainingError(f"{path}: {name}: {value!r} is not one of {', '.join(allowed)}; correct the value")
    folder = output or content.get("output")
    if folder is None:
        raise TrainingError(f"{path}: no output; say where the results go, or give --output")
    if not base.get("eval_data"):
        raise TrainingError(f"{path}: base: no eval_data; a sweep chooses by held-out data, so name some")
    test = content.get("test_data") or ()
    out = user_path(str(folder))
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


def _base(path: Path, content: Any) -> dict[str, Any]:  # noqa: ANN401
    """The values, by name, that all trainings share."""
    if not isinstance(content, dict):
        raise TrainingError(f"{path}: no base; put the fields that all trainings share there ({_HINT})")
    content = dict(content)
    chosen = content.pop("preset", None)
    given = by_name(TrainConfig, content, f"{path}: base")
    for name in ("output", "cache", "push_to_hub"):
        if name in given:
            raise TrainingError(f"{path}: base: the sweep itself chooses {name}; leave it out")
    base = {**(preset(str(chosen)) if chosen is not None else {}), **given}
    for name in ("teacher", "data"):
        if not base.get(name):
            raise TrainingError(f"{path}: base: no {name}; name it")
    return base


def _grid(path: Path, content: Any, senses: str) -> dict[str, tuple[Any, ...]]:  # noqa: ANN401
    if not isinstance(content, dict) or not content:
        raise TrainingError(f"{path}: no grid; give lists of values to try ({_HINT})")
    grid: dict[str, tuple[Any, ...]] = {}
    where = f"{path}: grid"
    for key, listed in content.items():
        name = named(key, [*_SWEPT, "beta", *_OF_SENSES], where, _HINT)
        if not isinstance(listed, list) or not listed:
            raise TrainingError(f"{where}: {name}: not a list of values; write [{listed}]")
        if name in _OF_SENSES:
            if f"{{{name}}}" not in senses:
                raise TrainingError(
                    f"{where}: {name} belongs to a dictionary; let base: senses have {{{name}}} in it, as in "
                    f"senses-{{{name}}}, and make a dictionary for each"
                )
            grid[name] = tuple(listed)
        else:
            option = _OPTIONS["beta_p" if name == "beta" else name]
            grid[name] = tuple(parse(option, value, where) for value in listed)
        if len({json.dumps(value) for value in grid[name]}) < len(grid[name]):
            raise TrainingError(f"{where}: {name}: a value appears twice; remove one of them")
    if "beta" in grid and {"beta_p", "beta_n"} & grid.keys():
        raise TrainingError(f"{path}: grid: beta stands for beta_p and beta_n; give either it or them")
    return grid


def _point(output: Path, path: Path, base: dict[str, Any], values: dict[str, Any]) -> Point:
    given = base | {name: value for name, value in values.items() if name not in ("beta", *_OF_SENSES)}
    if "beta" in values:
        given |= {"beta_p": values["beta"], "beta_n": values["beta"]}
    if given.get("senses"):
        try:
            of_senses = {name: values[name] for name in _OF_SENSES if name in values}
            given["senses"] = str(given["senses"]).format(**of_senses)
        except (KeyError, IndexError, ValueError) as error:
            raise TrainingError(
                f"{path}: base: senses: {given['senses']!r} has braces for what the grid does not have; put k or "
                "anchor into the grid"
            ) from error
    try:
        config = make(TrainConfig, given)
    except ArgumentError as error:
        raise TrainingError(f"{path}: {error}") from error
    # Where it runs and how it is written does not change what it learns
    key = digest(replace(config, run=RunConfig()), _stamps([*config.data.data, *config.data.eval_data]))[:12]
    folder, cache = output / "runs" / key, output / "cache" / _cache_key(config)
    return Point(values, changed(config, output=str(folder), cache=str(cache)), key)


def _cache_key(config: TrainConfig) -> str:
    """The same for trainings whose teacher's states are the same."""
    layers, trained = config.student.layers, config.student.trained
    frozen = [None, trained] if layers is None else layers - trained
    # Which questions of a task are taken, and their worked examples, depend on the seed
    seed = config.optimiser.seed if any(split_task(name)[0] for name in config.data.data) else None
    data = replace(config.data, eval_data=())
    return digest(
        config.teacher, data, config.optimiser.dtype, config.ablations, frozen, seed, _stamps(config.data.data)
    )[:12]


def _stamps(names: Iterable[str]) -> list[Any]:
    """What shows that a file has changed: its size and time."""
    paths = [user_path(split_task(split_weight(name)[0])[1]) for name in names]
    return [[path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else None for path in paths]
