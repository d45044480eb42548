"""Configurations are dataclasses: the docstring of a field is the help of its command line option.

A field is documented by the string literal below it, as attributes are everywhere in this code base.
"""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
import types
from collections.abc import Callable, Sequence
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def field_docs(config: type) -> dict[str, str]:
    """Return the docstring of every field of a dataclass, in one line; inherited fields included.

    A name in braces stands for that entry of the field's metadata.
    """
    docs: dict[str, str] = {}
    for base in reversed(config.__mro__):
        if not dataclasses.is_dataclass(base):
            continue
        body = ast.parse(textwrap.dedent(inspect.getsource(base))).body[0]
        assert isinstance(body, ast.ClassDef)
        for statement, following in zip(body.body, body.body[1:], strict=False):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            if isinstance(following, ast.Expr) and isinstance(following.value, ast.Constant):
                docs[statement.target.id] = " ".join(str(following.value.value).split())
    return {field.name: docs[field.name].format_map(field.metadata) for field in dataclasses.fields(config)}


def options(config: type, *, required: bool = True) -> Callable[[_Command], _Command]:
    """Return a decorator that gives a command an option for every field of the dataclass *config*.

    ``max_length: int`` becomes ``--max-length INTEGER``; a field without default is required; ``X | None`` is X that
    may be left out; a tuple may be given several times; a Literal is a choice; a bool is a flag. Field metadata
    ``metavar``, ``shown`` (the default in words) and ``type`` (a click type, or a function of the text) refine this.
    With *required* false, no option is: values may come from elsewhere, too.
    """

    def decorate(command: _Command) -> _Command:
        docs, hints = field_docs(config), get_type_hints(config)
        for field in reversed(dataclasses.fields(config)):
            command = _option(field, hints[field.name], docs[field.name], required)(command)
        return command

    return decorate


def _option(field: dataclasses.Field[Any], hint: object, text: str, required: bool) -> Callable[[_Command], _Command]:
    name = f"--{field.name.replace('_', '-')}"
    missing = field.default is dataclasses.MISSING
    default = None if missing else field.default
    kind, multiple = _unwrapped(hint)
    shown = default is not None and default != () and default is not False
    extra: dict[str, Any] = {"metavar": field.metadata["metavar"]} if "metavar" in field.metadata else {}
    if kind is bool:
        extra["is_flag"] = True
    else:
        extra["type"] = field.metadata.get("type") or _click_type(kind)
    return click.option(
        name,
        field.name,
        required=required and missing,
        default=default,
        multiple=multiple,
        show_default=field.metadata.get("shown", shown),
        help=text,
        **extra,
    )


def _unwrapped(hint: object) -> tuple[object, bool]:
    """The type of one value, and whether there may be several."""
    if get_origin(hint) in (Union, types.UnionType):
        hint = next(part for part in get_args(hint) if part is not type(None))
    if get_origin(hint) is tuple:
        return get_args(hint)[0], True
    return hint, False


def _click_type(kind: object) -> Any:  # noqa: ANN401
    if get_origin(kind) is Literal:
        choices: Sequence[str] = get_args(kind)
        return click.Choice(choices)
    return kind


_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]*)\s*")


def parse_size(value: str | int) -> int:
    """Return a number of bytes: ``50GB``, ``512MiB``, ``1000000``.

    Raises:
        click.BadParameter: anything else, or nothing.
    """
    found = _SIZE.fullmatch(str(value))
    unit = _UNITS.get(found[2].upper()) if found else None
    size = int(float(found[1]) * unit) if found and unit else 0
    if size <= 0:
        raise click.BadParameter(f"{value!r} is not a size such as 50GB or 512MiB.")
    return size


def format_size(size: float) -> str:
    """Return a number of bytes as people read it: 1.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def format_exact(size: int) -> str:
    """Return a size that `parse_size` reads, not above a number of bytes: 1234MB."""
    return f"{size // 10**6}MB" if size >= 10**6 else f"{size}B"
