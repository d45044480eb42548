"""Validate arguments of the Python API.

Each check raises `ArgumentError` with a one-line message; the command line relies on click instead.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

from lexkit.errors import ArgumentError

MOST_JOBS = 256
"""Maximum number of processes or threads that a build starts."""
LANGUAGE_CODE = r"[A-Za-z0-9-]{1,50}"
"""Regular expression for Wiktionary's language codes, such as en and zh-min-nan."""
LARGEST = 2**31 - 1
"""Largest whole number that any argument accepts."""
LONGEST_WAIT = 1_000_000
"""Longest time limit in seconds, about eleven days; operating systems cannot wait much longer."""


def user_path(text: str | os.PathLike[str]) -> Path:
    """Return *text* as a path, with a leading ``~`` or ``~user`` replaced by the home folder.

    If no such user exists, ``~`` is taken as part of a file name.

    >>> user_path("./~root"), user_path("~no such user/file")
    (PosixPath('~root'), PosixPath('~no such user/file'))
    """
    return Path(os.path.expanduser(text))  # noqa: PTH111  # Path.expanduser fails, and takes ./~root for ~root


def require_choice(name: str, value: object, choices: Collection[object]) -> None:
    """Raise unless *value* is one of *choices*.

    >>> require_choice("kind", "typo", ("synonym", "antonym"))
    Traceback (most recent call last):
    lexkit.errors.ArgumentError: kind='typo': no such value; say 'synonym' or 'antonym'
    """
    if not isinstance(value, str) or value not in choices:
        raise ArgumentError(f"{name}={value!r}: no such value; say {' or '.join(map(repr, choices))}")


def require_number(
    name: str, value: object, least: float, most: float | None = None, *, whole: bool = True, or_none: bool = True
) -> None:
    """Raise unless *value* is a number from *least* to *most*, a whole one where that is wanted, or an allowed None.

    >>> require_number("jobs", 0, 1)
    Traceback (most recent call last):
    lexkit.errors.ArgumentError: jobs=0: give a whole number from 1 on
    """
    if value is None and or_none:
        return
    largest = LARGEST if whole and most is None else most
    is_number = isinstance(value, (int,) if whole else (int, float)) and not isinstance(value, bool)
    if not is_number or not (least <= value and (largest is None or value <= largest)):  # type: ignore[operator]
        wanted = f"from {least:g} on" if most is None else f"from {least:g} to {most:g}"
        raise ArgumentError(f"{name}={value!r}: give a {'whole ' if whole else ''}number {wanted}")


def require_text(name: str, value: object, example: str) -> None:
    """Raise unless *value* is a string.

    >>> require_text("word", 5, "'happy'")
    Traceback (most recent call last):
    lexkit.errors.ArgumentError: word=5: give text, such as 'happy'
    """
    if not isinstance(value, str):
        raise ArgumentError(f"{name}={value!r}: give text, such as {example}")


def require_path(name: str, value: object) -> None:
    """Raise unless *value* is a path: a string or a path object.

    >>> require_path("path", None)
    Traceback (most recent call last):
    lexkit.errors.ArgumentError: path=None: give a path, such as 'lexkit.duckdb'
    """
    if not isinstance(value, (str, os.PathLike)):
        raise ArgumentError(f"{name}={value!r}: give a path, such as 'lexkit.duckdb'")


def _is_tuple_of_paths(item: object, width: int) -> bool:
    return (
        isinstance(item, (tuple, list)) and len(item) == width and all(isinstance(i, (str, os.PathLike)) for i in item)
    )


def require_list(name: str, value: Any, form: str, width: int = 1) -> None:  # noqa: ANN401
    """Raise unless *value* is a list of strings or paths, or of tuples of *width* of them; *form* is an example.

    A single string is an easy mistake, and would be taken for a list of its letters.

    >>> require_list("tokenizers", "gpt2", "['gpt2']")
    Traceback (most recent call last):
    lexkit.errors.ArgumentError: tokenizers='gpt2': give a list, such as ['gpt2']
    """
    is_list = isinstance(value, Sequence) and not isinstance(value, (str, bytes))
    items = [item if width > 1 else (item,) for item in value] if is_list else []
    if not is_list or not all(_is_tuple_of_paths(item, width) for item in items):
        raise ArgumentError(f"{name}={value!r}: give a list, such as {form}")
