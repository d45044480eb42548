"""The filter that the options of a look-up describe, validated in one place for all look-ups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lexkit.arguments import require_number
from lexkit.errors import ArgumentError
from lexkit.store.results import unwanted


@dataclass(frozen=True)
class Filter:
    """A choice of relations, by default all of them. `Lexicon.synonyms` describes the fields.

    Raises:
        ArgumentError: *min_confidence* is not a number from 0 to 1.
    """

    direct: bool = False
    same_pos: bool = False
    source: str | None = None
    pos: tuple[str, ...] = ()
    """Parts of speech of which a relation must have one; if empty, any is allowed."""
    min_confidence: float = 0
    archaic: bool = True
    offensive: bool = True

    def __post_init__(self) -> None:
        require_number("min_confidence", self.min_confidence, 0, 1, whole=False, or_none=False)

    @property
    def without(self) -> tuple[str, ...]:
        """Labels of words to leave out."""
        return unwanted(self.archaic, self.offensive)


def require_pos(pos: str | Collection[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return one or several given parts of speech as a tuple, which is empty for None, any part of speech.

    Raises:
        ArgumentError: *pos* has another type, or the store has no such part of speech.

    >>> require_pos("adjective", ["adj", "noun"])
    Traceback (most recent call last):
    lexkit.errors.ArgumentError: pos='adjective': no such part of speech in the store; it has adj, noun
    """
    if pos is None:
        return ()
    names = (pos,) if isinstance(pos, str) else pos
    if not isinstance(names, Collection) or not names:
        raise ArgumentError(f"pos={pos!r}: give one part of speech or a list, such as ['adj', 'noun']")
    for name in names:
        if name not in known:
            raise ArgumentError(
                f"pos={name!r}: no such part of speech in the store; it has {', '.join(known) or 'none'}"
            )
    return tuple(names)
