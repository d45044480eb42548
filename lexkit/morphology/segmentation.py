r"""MorphoLEX's notation for a word cut into morphemes.

Prefixes stand between ``<``, roots in parentheses, suffixes between ``>``; braces say what was joined first::

    word    = part+ ;
    part    = prefix | root | suffix | "{" , part+ , "}" ;
    prefix  = "<" , morpheme , "<" ;
    root    = "(" , morpheme , ")" ;
    suffix  = ">" , morpheme , ">" ;
    morpheme = any text without < > ( ) { } ;

A word holds at least one root. Examples: ``{<un<(change)>able>}``, ``<over<{(capit)>al>}>ize>>ion>``,
``{(above)}{(board)}``.

Source: Sánchez-Gutiérrez, Mailhot, Deacon & Wilson (2018), MorphoLex: A derivational morphological database for
70,000 English words. Behavior Research Methods 50, 1568-1580.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_TOKEN = re.compile(r"<(?P<prefix>[^<>(){}]+)<|\((?P<root>[^<>(){}]+)\)|>(?P<suffix>[^<>(){}]+)>|(?P<brace>[{}])")

_DEEPEST = 50  # MorphoLEX nests three or four, and reading calls itself once for each


class SegmentationError(ValueError):
    """A text that is not in MorphoLEX's notation; the message says where it goes wrong."""


class Morpheme(NamedTuple):
    """One morpheme, in MorphoLEX's spelling, which need not be the word's (``im`` for in-, im-, il-, ir-)."""

    role: Literal["prefix", "root", "suffix"]
    text: str


class Segmentation(NamedTuple):
    """A word's parts in order; a nested tuple is what stood in braces.

    ``str()`` gives back the notation it was read from.
    """

    parts: tuple[Morpheme | tuple, ...]  # type: ignore[type-arg]  # mypy knows no recursive tuples here

    @property
    def morphemes(self) -> tuple[Morpheme, ...]:
        """All morphemes from left to right, braces forgotten."""
        return tuple(_flatten(self.parts))

    @property
    def prefixes(self) -> tuple[str, ...]:
        """Prefixes from left to right."""
        return tuple(m.text for m in self.morphemes if m.role == "prefix")

    @property
    def roots(self) -> tuple[str, ...]:
        """Roots from left to right; more than one in a compound."""
        return tuple(m.text for m in self.morphemes if m.role == "root")

    @property
    def suffixes(self) -> tuple[str, ...]:
        """Suffixes from left to right."""
        return tuple(m.text for m in self.morphemes if m.role == "suffix")

    def __str__(self) -> str:
        return _write(self.parts)


_MARKS = {"prefix": "<{}<", "root": "({})", "suffix": ">{}>"}


def parse_segmentation(text: str) -> Segmentation:
    """Read MorphoLEX's notation.

    Raises:
        SegmentationError: something else, unbalanced braces, or no root.

    >>> parse_segmentation("{<un<(change)>able>}").prefixes
    ('un',)
    """
    stack: list[list[Morpheme | tuple]] = [[]]  # type: ignore[type-arg]
    position = 0
    has_root = False
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise SegmentationError(f"{text!r}: no morpheme at position {position}")
        position = token.end()
        role = token.lastgroup
        if role != "brace":
            stack[-1].append(Morpheme(role, token[role]))  # type: ignore[arg-type,index]
            has_root = has_root or role == "root"
        elif token["brace"] == "{":
            stack.append([])
            if len(stack) > _DEEPEST:
                raise SegmentationError(f"{text[:50]!r} ...: more than {_DEEPEST} braces in each other")
        elif len(stack) > 1 and stack[-1]:
            inner = tuple(stack.pop())
            stack[-1].append(inner)
        else:
            raise SegmentationError(f"{text!r}: empty or unopened braces at position {position - 1}")
    if len(stack) > 1:
        raise SegmentationError(f"{text!r}: a brace is not closed")
    if not has_root:
        raise SegmentationError(f"{text!r}: no root")
    return Segmentation(tuple(stack[0]))


def _flatten(parts: tuple) -> list[Morpheme]:  # type: ignore[type-arg]
    flat: list[Morpheme] = []
    for part in parts:
        if isinstance(part, Morpheme):
            flat.append(part)
        else:
            flat.extend(_flatten(part))
    return flat


def _write(parts: tuple) -> str:  # type: ignore[type-arg]
    return "".join(
        _MARKS[part.role].format(part.text) if isinstance(part, Morpheme) else "{" + _write(part) + "}"
        for part in parts
    )
