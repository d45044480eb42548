"""Which relations a look-up is about: what its options say, checked once for all look-ups."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from lexkit.arguments import require_number
from lexkit.errors import ArgumentError
from lexkit.store.results import unwanted


@dataclass(frozen=True)
class Filter:
    """The relations that are wanted; by default all. `Lexicon.synonyms` describes the fields.

    Raises:
        ArgumentError: *min_confidence* is not a number from 0 to 1.
    """

    direct: bool = False
    same_pos: bool = False
    source: str | None = None
    pos: tuple[str, ...] = ()
    """Parts of speech, of which a relation needs one; empty for any."""
    min_confidence: float = 0
    archaic: bool = True
    offensive: bool = True

    def __post_init__(self) -> None:
        require_number("min_confidence", self.min_confidence, 0, 1, whole=False, or_none=False)

    @property
    def without(self) -> tuple[str, ...]:
        """The labels of words that are not wanted."""
        return unwanted(self.archaic, self.offensive)


def require_pos(pos: str | Collection[str] | None, known: Sequence[str]) -> tuple[str, ...]:
    """Return the parts of speech that a caller gave, one or several; None stands for any.

    Raises:
        ArgumentError: *pos* is something else, or the store has no such part of speech.

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
