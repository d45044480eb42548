"""The configuration of a sweep: read a YAML file, and expand its grid into training runs."""

from __future__ import annotations

import itertools
import json
import os
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
"""Names in a grid that replace ``{k}`` and ``{anchor}`` in the name of the dictionary's folder."""
_OPTIONS = {option.name: option for option in options(TrainConfig)}
_SWEPT = [
    option.name
    for option in _OPTIONS.values()
    if option.section != ("run",) and option.name not in ("teacher", "data", "eval_data")
]
"""Fields of `TrainConfig` that a grid may contain."""


@dataclass(frozen=True)
class Point:
    """One training run of the grid."""

    values: dict[str, Any]
    """The grid's values for this run, by name."""
    config: TrainConfig
    key: str
    """Name of the run's folder: a digest of its configuration and of the size and time of its data files."""

    @property
    def teacher_key(self) -> str:
        """Digest of what the run needs from the teacher: states, distributions and candidates."""
        config = self.config
        of_senses = (config.senses, config.store, config.loss.candidates, config.ablations)
        return digest(config.run.cache, config.loss.temperature, of_senses if config.loss.semantic else None)

    @property
    def setting(self) -> dict[str, Any]:
        """The grid's values without the seed. A sweep chooses between settings."""
        return {name: value for name, value in self.values.items() if name != "seed"}


@dataclass(frozen=True)
class SweepConfig:
    """A sweep: its grid of training runs, and what to do with their results."""

    output: Path
    points: tuple[Point, ...]
    grid: dict[str, tuple[Any, ...]]
    metric: str = "ce"
    """Measure on the validation data that the chosen setting minimises."""
    test_data: tuple[str, ...] = ()
    """Files that only the chosen setting is evaluated on."""
    keep_all: bool = False
    """Whether to keep the trained weights of every run, not only those of the chosen setting."""


def read_sweep(path: str | os.PathLike[str], output: str | None = None) -> SweepConfig:
    """Read the file of a sweep.

    Args:
        path: YAML file with the keys ``base`` (the sections of `TrainConfig`, and ``preset``), ``grid`` (lists of
            values by field name; ``beta`` sets both betas; ``k`` and ``anchor`` replace ``{k}`` and ``{anchor}`` in the
            name of the dictionary), ``output``, ``metric``, ``test_data`` and ``keep``.
        output: output folder, overriding that of the file.

    Raises:
        TrainingError: the file is missing, has unknown keys or invalid values, or names no validation data.
    """
    path = user_path(path)
    content = {named(key, _KEYS, str(path), _HINT): value for key, value in read_yaml(path, _HINT).items()}
    base = _base(path, content.get("base"))
    grid = _grid(path, content.get("grid"), str(base.get("senses") or ""))
    metric, keep = str(content.get("metric", "ce")), str(content.get("keep", "chosen"))
    for name, value, allowed in (("metric", metric, METRICS), ("keep", keep, ("chosen", "all"))):
        if value not in allowed:
            raise TrainingError(f"{path}: {name}: {value!r} is not one of {', '.join(allowed)}; correct the value")
    folder = output or content.get("output")
    if folder is None:
        raise TrainingError(f"{path}: no output; add the key output, or give --output")
    if not base.get("eval_data"):
        raise TrainingError(f"{path}: base: no eval_data; add held-out data, by which a sweep chooses a setting")
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
    """Return the values, by name, that all runs share."""
    if not isinstance(content, dict):
        raise TrainingError(f"{path}: no base; put the fields that all runs share there ({_HINT})")
    content = dict(content)
    chosen = content.pop("preset", None)
    given = by_name(TrainConfig, content, f"{path}: base")
    for name in ("output", "cache", "push_to_hub"):
        if name in given:
            raise TrainingError(f"{path}: base: the sweep sets {name} itself; leave it out")
    base = {**(preset(str(chosen)) if chosen is not None else {}), **given}
    for name in ("teacher", "data"):
        if not base.get(name):
            raise TrainingError(f"{path}: base: no {name}; add it")
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
                    f"{where}: {name} is a property of dictionaries; put {{{name}}} into base: senses, as in "
                    f"senses-{{{name}}}, and build a dictionary for each value"
                )
            grid[name] = tuple(listed)
        else:
            option = _OPTIONS["beta_p" if name == "beta" else name]
            grid[name] = tuple(parse(option, value, where) for value in listed)
        if len({json.dumps(value) for value in grid[name]}) < len(grid[name]):
            raise TrainingError(f"{where}: {name}: a value appears twice; remove one of them")
    if "beta" in grid and {"beta_p", "beta_n"} & grid.keys():
        raise TrainingError(f"{path}: grid: beta sets both beta_p and beta_n; leave out either beta or these")
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
                f"{path}: base: senses: {given['senses']!r} has a name in braces that is not in the grid; add k or "
                "anchor to the grid"
            ) from error
    try:
        config = make(TrainConfig, given)
    except ArgumentError as error:
        raise TrainingError(f"{path}: {error}") from error
    # The section run does not change the result
    key = digest(replace(config, run=RunConfig()), _stamps([*config.data.data, *config.data.eval_data]))[:12]
    folder, cache = output / "runs" / key, output / "cache" / _cache_key(config)
    return Point(values, changed(config, output=str(folder), cache=str(cache)), key)


def _cache_key(config: TrainConfig) -> str:
    """Return a key that is the same for runs that can share the teacher's states."""
    layers, trained = config.student.layers, config.student.trained
    frozen = [None, trained] if layers is None else layers - trained
    # The choice of a task's questions and of their worked examples depends on the seed
    seed = config.optimiser.seed if any(split_task(name)[0] for name in config.data.data) else None
    data = replace(config.data, eval_data=())
    return digest(
        config.teacher, data, config.optimiser.dtype, config.ablations, frozen, seed, _stamps(config.data.data)
    )[:12]


def _stamps(names: Iterable[str]) -> list[Any]:
    """Return the size and modification time of each file, by which changes are detected."""
    paths = [user_path(split_task(split_weight(name)[0])[1]) for name in names]
    return [[path.stat().st_size, path.stat().st_mtime_ns] if path.is_file() else None for path in paths]
