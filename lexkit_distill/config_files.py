"""Configurations as YAML: read into values by name, and written with the help of each field above it."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from lexkit_distill.config import Option, options
from lexkit_distill.errors import TrainingError

TRAINING = "see 'lexkit distill train --print-config'"
"""Where to see what a training's file may hold."""


def read_yaml(path: Path, hint: str = TRAINING) -> dict[str, Any]:
    """Read a YAML file with a mapping in it; *hint* says where to see what it may hold.

    Raises:
        TrainingError: missing, not YAML, or not a mapping.
    """
    import yaml

    try:
        text = path.read_text(encoding="utf-8")
        _refuse_repeated(path, yaml.compose(text, yaml.SafeLoader))
        values = yaml.safe_load(text)
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}; check --config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise TrainingError(f"{path}: sections with 'field: value' are expected; {hint}")
    return values


def _refuse_repeated(path: Path, node: Any) -> None:  # noqa: ANN401  # a node of YAML
    """Make sure that no name is given twice, since YAML would silently take the last."""
    pairs = node.value if node is not None and node.id == "mapping" else []
    for number, (key, value) in enumerate(pairs):
        if key.value in [other.value for other, _ in pairs[:number]]:
            raise TrainingError(f"{path}, line {key.start_mark.line + 1}: {key.value!r} is given twice; join the two")
        _refuse_repeated(path, value)


def named(key: object, names: Iterable[str], where: str, hint: str = TRAINING) -> str:
    """Return the one of *names* that *key* is; hyphens are read as underscores.

    Raises:
        TrainingError: it is none of them.
    """
    name, known = str(key).replace("-", "_"), list(names)
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        raise TrainingError(f"{where}: unknown key {key!r}; {f'did you mean {near[0]}?' if near else hint}")
    return name


def parse(option: Option, value: Any, where: str) -> Any:  # noqa: ANN401
    """Return a value as its field has it.

    Raises:
        TrainingError: the field cannot have it.
    """
    try:
        return option.parse(value)
    except ValueError as error:
        raise TrainingError(f"{where}: {option.name}: {error}; correct the value") from error


def by_name(config: type, given: Mapping[Any, Any], where: str, section: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the values of a mapping with the sections of a configuration, by the names of the fields.

    Fields that are null are left out.

    Raises:
        TrainingError: an unknown key, a field outside its section, or a value that its field cannot have.
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
            raise TrainingError(f"{where}: {key} is a section, which holds 'field: value' lines; {TRAINING}")
        elif name in places:
            raise TrainingError(f"{where}: {key} is not a field here; write it as {places[name]}")
        else:
            near = difflib.get_close_matches(name, [*places, *sections], 1)
            fix = f"did you mean {places.get(near[0], near[0])}?" if near else TRAINING
            raise TrainingError(f"{where}: unknown key {key!r}; {fix}")
    return found


def to_yaml(config: type, values: Mapping[str, Any]) -> str:
    """Return values by name as YAML with the sections of a configuration and the help of each field."""
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
