"""Read and write configurations as YAML. Written files have each field's help as a comment above it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lexkit_distill.config import Option, options
from lexkit_distill.errors import TrainingError

TRAINING = "see 'lexkit distill train --print-config'"
"""Hint that tells users how to list the valid fields of a training configuration."""


def read_yaml(path: Path, hint: str = TRAINING) -> dict[str, Any]:
    """Read a YAML file that contains a mapping.

    Args:
        path: the file.
        hint: tells users how to list the valid keys.

    Raises:
        TrainingError: the file is missing, not YAML, or not a mapping, or it repeats a key.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        _refuse_repeated(path, yaml.compose(text, yaml.SafeLoader))
        values = yaml.safe_load(text)
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}; check --config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: not YAML ({' '.join(str(error).split())}); correct the file") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise TrainingError(f"{path}: not a mapping of sections with 'field: value' lines; {hint}")
    return values


def _refuse_repeated(path: Path, node: Any) -> None:  # noqa: ANN401  # a node of YAML
    """Raise an error if a key is repeated, since YAML would silently use the last value."""
    pairs = node.value if node is not None and node.id == "mapping" else []
    for number, (key, value) in enumerate(pairs):
        if key.value in [other.value for other, _ in pairs[:number]]:
            raise TrainingError(f"{path}, line {key.start_mark.line + 1}: {key.value!r} appears twice; merge the two")
        _refuse_repeated(path, value)


def named(key: object, names: Iterable[str], where: str, hint: str = TRAINING) -> str:
    """Return *key* as one of *names*, with hyphens replaced by underscores.

    Raises:
        TrainingError: *key* is not one of the names.
    """
    name, known = str(key).replace("-", "_"), list(names)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise TrainingError(f"{where}: unknown key {key!r}; {f'did you mean {near[0]}?' if near else hint}")
    return name


def parse(option: Option, value: Any, where: str) -> Any:  # noqa: ANN401
    """Convert a value to its field's type.

    Raises:
        TrainingError: the value is not valid for the field.
    """
    try:
        return option.parse(value)
    except ValueError as error:
        raise TrainingError(f"{where}: {option.name}: {error}; correct the value") from error


def by_name(config: type, given: Mapping[Any, Any], where: str, section: tuple[str, ...] = ()) -> dict[str, Any]:
    """Flatten a mapping that is nested like the sections of *config* into values by field name.

    Fields set to null are omitted.

    Raises:
        TrainingError: a key is unknown, a field is outside its section, or a value is not valid for its field.
    """
    every = options(config)
    here = {option.name: option for option in every if option.section == section}
    depth = len(section)
    sections = {option.section[depth] for option in every if option.section[:depth] == section != option.section}
    places = {option.name: ": ".join((*option.section, option.name)) for option in every}
    found: dict[str, Any] = {}
    for key, value in given.items():
        name = str(key).replace("-", "_")
        if name in sections and (isinstance(value, dict) or value is None):
            found |= by_name(config, value or {}, f"{where}: {name}", (*section, name))
        elif name in here:
            if value is not None:
                found[name] = parse(here[name], value, where)
        elif name in sections:
            raise TrainingError(f"{where}: {key} is a section and needs 'field: value' lines; {TRAINING}")
        elif name in places:
            raise TrainingError(f"{where}: {key} is not a field here; write it as {places[name]}")
        else:
            near = difflib.get_close_matches(name, [*places, *sections], 1)
            fix = f"did you mean {places.get(near[0], near[0])}?" if near else TRAINING
            raise TrainingError(f"{where}: unknown key {key!r}; {fix}")
    return found


def to_yaml(config: type, values: Mapping[str, Any]) -> str:
    """Return values as YAML, nested like the sections of *config*, with each field's help as a comment."""
    import yaml

    lines: list[str] = []
    before: tuple[str, ...] = ()
    for option in options(config):
        shared = next((n for n, (a, b) in enumerate(zip(before, option.section, strict=False)) if a != b), None)
        shared = min(len(before), len(option.section)) if shared is None else shared
        lines += [f"{'  ' * depth}{option.section[depth]}:" for depth in range(shared, len(option.section))]
        before = option.section
        value = values.get(option.name)
        plain = list(value) if isinstance(value, tuple) else value
        shown = yaml.safe_dump({option.name: plain}, allow_unicode=True, width=1000, default_flow_style=False).strip()
        indent = "  " * len(option.section)
        lines += [f"{indent}{line}" for line in (f"# {option.help}", *shown.split("\n"))]
    return "\n".join(lines) + "\n"
