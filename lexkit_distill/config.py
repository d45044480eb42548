"""Configurations: frozen dataclasses whose docstrings are the help of options, and whose values are checked.

A configuration may have sections, which are configurations themselves. Names of fields are unique across the sections
of one configuration, so that a command-line option, and a name in a sweep's grid, says which field it means. A field is
documented by the string literal below it, in which a name in braces stands for that entry of the field's metadata.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import functools
import inspect
import itertools
import json
import math
import sys
import types
from collections.abc import Mapping
from hashlib import sha256
from typing import Any, ClassVar, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

from lexkit.errors import ArgumentError

_Config = TypeVar("_Config", bound="Config")


class Config:
    """Base of configurations: dataclasses whose values are checked when they are made.

    Raises:
        ArgumentError: a value of another type, or beyond its field's limits.
    """

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    def __post_init__(self) -> None:
        """Check every field."""
        for option in own_options(type(self)):
            fault = option.fault(getattr(self, option.name))
            if fault:
                raise ArgumentError(f"{type(self).__name__}: {option.name}: {fault}; correct the value")


@dataclasses.dataclass(frozen=True)
class Option:
    """A field of a configuration that is not a section."""

    name: str
    hint: Any
    """Its type: ``float``, ``int | None``, ``tuple[str, ...]`` ..."""
    help: str
    default: Any
    """`dataclasses.MISSING` if it has to be given."""
    metadata: Mapping[str, Any]
    """``min``, ``above``, ``max``: limits of a number; ``parse``: makes a value of text; ``metavar``, ``shown`` (the
    default in words) and ``group``: for the help; ``place``: whether it says where something is on this machine."""
    section: tuple[str, ...] = ()
    """The names of the sections that lead to it."""

    @property
    def kinds(self) -> tuple[Any, ...]:
        """The types that one value may have, without None."""
        hint = self.hint
        if get_origin(hint) is tuple:
            return (get_args(hint)[0],)
        parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        return tuple(part for part in parts if part is not type(None))

    @property
    def is_multiple(self) -> bool:
        """Whether it holds several values."""
        return get_origin(self.hint) is tuple

    @property
    def literals(self) -> tuple[str, ...]:
        """The words that it may be."""
        return tuple(word for kind in self.kinds if get_origin(kind) is Literal for word in get_args(kind))

    @property
    def number(self) -> type[int] | type[float] | None:
        """The type of number that it may be."""
        return next((kind for kind in self.kinds if kind in (int, float)), None)

    def fault(self, value: Any) -> str | None:  # noqa: ANN401
        """Return what is wrong with a value, or None."""
        if value is None and (type(None) in get_args(self.hint)):
            return None
        if self.is_multiple:
            faults = (self._fault_of_one(one) for one in value) if isinstance(value, tuple) else ["not a tuple"]
            return next((fault for fault in faults if fault), None)
        return self._fault_of_one(value)

    def _fault_of_one(self, value: Any) -> str | None:  # noqa: ANN401
        if isinstance(value, str):
            fits = str in self.kinds or value in self.literals
        elif isinstance(value, bool):
            fits = bool in self.kinds
        else:
            is_number = isinstance(value, int) or (isinstance(value, float) and self.number is float)
            fits = is_number and self.number is not None and self._in_limits(value)
        return None if fits else f"{value!r} is not {self.wanted}"

    def _in_limits(self, value: float) -> bool:
        least, most, above = (self.metadata.get(name) for name in ("min", "max", "above"))
        inside = (least is None or value >= least) and (most is None or value <= most)
        return math.isfinite(value) and inside and (above is None or value > above)

    @property
    def wanted(self) -> str:
        """What a value has to be, in words."""
        least, most, above = (self.metadata.get(name) for name in ("min", "max", "above"))
        limits = "" if least is None else f" of at least {least}" if most is None else f" from {least} to {most}"
        limits += "" if above is None else f" above {above}"
        number = {int: "a whole number", float: "a number", None: None}[self.number]
        words = [f"{number}{limits}"] if number else []
        words += [repr(word) for word in self.literals]
        words += [name for kind, name in ((bool, "true or false"), (str, "text")) if kind in self.kinds]
        return " or ".join(words)

    def parse(self, value: Any) -> Any:  # noqa: ANN401
        """Return a value of a YAML file as the field has it: 1e-4, which YAML takes for text, is a number.

        Raises:
            ValueError: it cannot be one, saying why.
        """
        if self.is_multiple:
            parsed: Any = tuple(map(self._parsed, value if isinstance(value, list | tuple) else [value]))
        else:
            parsed = self._parsed(value)
        fault = self.fault(parsed)
        if fault:
            raise ValueError(fault)
        return parsed

    def _parsed(self, value: Any) -> Any:  # noqa: ANN401
        if isinstance(value, str) and "parse" in self.metadata:
            return self.metadata["parse"](value)
        if isinstance(value, str) and self.number and value not in self.literals:
            with contextlib.suppress(ValueError):
                return self.number(value)
        if isinstance(value, int) and not isinstance(value, bool) and self.number is not int:
            return float(value) if self.number else str(value) if str in self.kinds else value
        return value


def own_options(config: type) -> tuple[Option, ...]:
    """Return the fields of a configuration that are not sections."""
    return tuple(option for option in options(config) if not option.section)


def options(config: type) -> tuple[Option, ...]:
    """Return the fields of a configuration and of its sections, in order."""
    return _options(config)


@functools.cache
def _options(config: Any) -> tuple[Option, ...]:  # noqa: ANN401  # mypy takes a type with its own __hash__ for unhashable
    docs, hints = _docs(config), get_type_hints(config)
    found: list[Option] = []
    for field in dataclasses.fields(config):
        hint = hints[field.name]
        if _is_section(hint):
            inner = options(hint)
            found += [dataclasses.replace(option, section=(field.name, *option.section)) for option in inner]
        else:
            text = docs[field.name].format_map(field.metadata)
            found.append(Option(field.name, hint, text, field.default, field.metadata))
    return tuple(found)


def _is_section(hint: Any) -> bool:  # noqa: ANN401
    return isinstance(hint, type) and issubclass(hint, Config)


def _docs(config: type) -> dict[str, str]:
    """The docstring of every field of a dataclass, in one line; inherited fields included."""
    docs: dict[str, str] = {}
    for base in reversed(config.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        body = _classes(base.__module__)[base.__name__].body
        for statement, following in itertools.pairwise(body):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                docs[statement.target.id] = " ".join(str(following.value.value).split())
    return docs


@functools.cache
def _classes(module: str) -> dict[str, ast.ClassDef]:
    """The source of every class of a module by name, parsed once: `inspect` parses the module again for each class."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def values(config: Config) -> dict[str, Any]:
    """Return the value of every field by name, those of sections included."""
    found: dict[str, Any] = {}
    for option in options(type(config)):
        found[option.name] = functools.reduce(getattr, (*option.section, option.name), config)
    return found


def make(config: type[_Config], given: Mapping[str, Any]) -> _Config:
    """Return a configuration of values by name, wherever in its sections the fields are; the others have defaults.

    Raises:
        ArgumentError: no such field, or a value that it cannot have.
    """
    unknown = given.keys() - {option.name for option in options(config)}
    if unknown:
        raise ArgumentError(f"{config.__name__} has no field {sorted(unknown)[0]!r}; check the name")
    return _made(config, given)


def _made(config: type[_Config], given: Mapping[str, Any]) -> _Config:
    own = {option.name for option in own_options(config)}
    parts = {name: _made(hint, given) for name, hint in get_type_hints(config).items() if _is_section(hint)}
    return config(**{name: value for name, value in given.items() if name in own}, **parts)


def changed(config: _Config, **changes: Any) -> _Config:  # noqa: ANN401
    """Return a configuration with other values of some fields, by name.

    Raises:
        ArgumentError: as `make`.
    """
    return make(type(config), {**values(config), **changes})


def digest(*parts: Any) -> str:  # noqa: ANN401
    """Return the SHA-256 (hex) of configurations and plain values: of all their fields, so that a new field counts."""
    return sha256(json.dumps([_plain(part) for part in parts], sort_keys=True).encode()).hexdigest()


def _plain(part: Any) -> Any:  # noqa: ANN401
    if isinstance(part, tuple):
        return [_plain(one) for one in part]
    return dataclasses.asdict(part) if isinstance(part, Config) else part
