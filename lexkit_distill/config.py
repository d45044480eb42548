"""Configurations: frozen dataclasses that validate their values and whose field docstrings are the options' help.

A configuration may have sections, which are configurations themselves. Field names are unique across all sections of a
configuration, so a command-line option or a name in a sweep's grid identifies one field. The string literal below a
field documents it; ``{name}`` in that text is replaced by the entry *name* of the field's metadata.
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
    """Base class of configurations: dataclasses that check their values on creation.

    Raises:
        ArgumentError: a value has the wrong type, or is outside its field's limits.
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
    """Type annotation of the field: ``float``, ``int | None``, ``tuple[str, ...]`` ..."""
    help: str
    default: Any
    """Default value; `dataclasses.MISSING` if the field is required."""
    metadata: Mapping[str, Any]
    """``min``, ``above``, ``max``: limits of a number; ``parse``: function that converts text to a value; ``metavar``,
    ``shown`` (the default in words, for ``{shown}`` in the docstring) and ``group``: for the help; ``place``: whether
    the value is a location (a path or a name) that means something on this machine only."""
    section: tuple[str, ...] = ()
    """Names of the enclosing sections, outermost first."""

    @property
    def kinds(self) -> tuple[Any, ...]:
        """Types that a single value may have, None excluded."""
        hint = self.hint
        if get_origin(hint) is tuple:
            return (get_args(hint)[0],)
        parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)
        return tuple(part for part in parts if part is not type(None))

    @property
    def is_multiple(self) -> bool:
        """Whether the field holds several values."""
        return get_origin(self.hint) is tuple

    @property
    def literals(self) -> tuple[str, ...]:
        """The words that the field accepts (its `Literal` types)."""
        return tuple(word for kind in self.kinds if get_origin(kind) is Literal for word in get_args(kind))

    @property
    def number(self) -> type[int] | type[float] | None:
        """The numeric type that the field accepts, if any."""
        return next((kind for kind in self.kinds if kind in (int, float)), None)

    def fault(self, value: Any) -> str | None:  # noqa: ANN401
        """Return a message that says what is wrong with *value*, or None if it is valid."""
        if value is None and (type(None) in get_args(self.hint)):
            return None
        if self.is_multiple:
            if not isinstance(value, tuple):
                return f"not a tuple, such as {tuple(value) if isinstance(value, list) else (value,)!r}"
            return next((fault for fault in map(self._fault_of_one, value) if fault), None)
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
        """Description of valid values: 'a whole number of at least 1 or 'auto''."""
        least, most, above = (self.metadata.get(name) for name in ("min", "max", "above"))
        limits = "" if least is None else f" of at least {least}" if most is None else f" from {least} to {most}"
        limits += "" if above is None else f" above {above}"
        number = {int: "a whole number", float: "a number", None: None}[self.number]
        words = [f"{number}{limits}"] if number else []
        words += [repr(word) for word in self.literals]
        words += [name for kind, name in ((bool, "true or false"), (str, "text")) if kind in self.kinds]
        return " or ".join(words)

    def parse(self, value: Any) -> Any:  # noqa: ANN401
        """Convert a value from a YAML file to the field's type; ``1e-4``, which YAML reads as text, becomes a number.

        Raises:
            ValueError: the value is not valid for the field; the message says why.
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
    """Return the fields of a configuration, without those of its sections."""
    return tuple(option for option in options(config) if not option.section)


def options(config: type) -> tuple[Option, ...]:
    """Return the fields of a configuration and of all its sections, in order."""
    return _options(config)


@functools.cache
def _options(config: Any) -> tuple[Option, ...]:  # noqa: ANN401  # mypy considers types with a __hash__ unhashable
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
    """Return the docstring of every field of a dataclass, joined to one line; inherited fields included."""
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
    """Return the syntax tree of every class of a module, by name; `inspect` would parse the module once per class."""
    tree = ast.parse(inspect.getsource(sys.modules[module]))
    return {node.name: node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)}


def values(config: Config) -> dict[str, Any]:
    """Return the values of all fields by name, including those of sections."""
    found: dict[str, Any] = {}
    for option in options(type(config)):
        found[option.name] = functools.reduce(getattr, (*option.section, option.name), config)
    return found


def make(config: type[_Config], given: Mapping[str, Any]) -> _Config:
    """Create a configuration from values by field name, in whichever section a field is; other fields have defaults.

    Raises:
        ArgumentError: a field does not exist, or a value is not valid for its field.
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
    """Return a copy of a configuration with some fields replaced, by name.

    Raises:
        ArgumentError: a field does not exist, or a value is not valid for its field.
    """
    return make(type(config), {**values(config), **changes})


def digest(*parts: Any) -> str:  # noqa: ANN401
    """Return the SHA-256 (hex) of configurations (all fields, so that a new field changes it) and plain values."""
    return sha256(json.dumps([_plain(part) for part in parts], sort_keys=True).encode()).hexdigest()


def _plain(part: Any) -> Any:  # noqa: ANN401
    if isinstance(part, tuple):
        return [_plain(one) for one in part]
    return dataclasses.asdict(part) if isinstance(part, Config) else part
