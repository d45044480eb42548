r"""MorphoLEX's notation for a word cut into morphemes.

Prefixes stand between ``<``, roots in parentheses, suffixes between ``>``; braces say what was joined first::

    word    = part+ ;
    part    = prefix | root | suffix | "{" , part+ , "}" ;
    prefix  = "<" , morpheme , "<" ;
    root    = "(" , morpheme , ")" ;
    suffix  = ">" , morpheme , ">" ;
    morpheme = any text without < > ( ) { } ;

A word has at least one root. Examples: ``{<un<(change)>able>}``, ``<over<{(capit)>al>}>ize>>ion>``,
``{(above)}{(board)}``.

Source: Sánchez-Gutiérrez, Mailhot, Deacon & Wilson (2018), MorphoLex: A derivational morphological database for
70,000 English words. Behavior Research Methods 50, 1568-1580.
"""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

_TOKEN = re.compile(r"<(?P<prefix>[^<>(){}]+)<|\((?P<root>[^<>(){}]+)\)|>(?P<suffix>[^<>(){}]+)>|(?P<brace>[{}])")

_DEEPEST = 50  # MorphoLEX nests three or four


class SegmentationError(ValueError):
    """A text is not in MorphoLEX's notation; the message says where the error is."""


class Morpheme(NamedTuple):
    """One morpheme in MorphoLEX's spelling, which may differ from the word's (``im`` for in-, im-, il-, ir-)."""

    role: Literal["prefix", "root", "suffix"]
    text: str


class Segmentation(NamedTuple):
    """A word's morphemes from left to right, without the braces."""

    morphemes: tuple[Morpheme, ...]

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


def parse_segmentation(text: str) -> Segmentation:
    """Parse MorphoLEX's notation.

    Raises:
        SegmentationError: the text is in another notation, its braces are unbalanced, or it has no root.

    >>> parse_segmentation("{<un<(change)>able>}").prefixes
    ('un',)
    """
    morphemes: list[Morpheme] = []
    n_parts = [0]  # in each of the open braces
    position = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            raise SegmentationError(f"{text!r}: no morpheme at position {position}")
        position = token.end()
        role = token.lastgroup
        if token["brace"] == "{":
            n_parts.append(0)
            if len(n_parts) > _DEEPEST:
                raise SegmentationError(f"{text[:50]!r} ...: more than {_DEEPEST} nested braces")
            continue
        if token["brace"] is None:
            morphemes.append(Morpheme(role, token[role]))  # type: ignore[arg-type,index]
        elif len(n_parts) == 1 or not n_parts.pop():
            raise SegmentationError(f"{text!r}: empty or unopened braces at position {position - 1}")
        n_parts[-1] += 1
    if len(n_parts) > 1:
        raise SegmentationError(f"{text!r}: a brace is not closed")
    if all(morpheme.role != "root" for morpheme in morphemes):
        raise SegmentationError(f"{text!r}: no root")
    return Segmentation(tuple(morphemes))
