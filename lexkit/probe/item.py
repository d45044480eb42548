"""An item: a question about a head word, with options of which one is right."""

from __future__ import annotations

from dataclasses import dataclass

from lexkit.probe.frames import FRAMES, NEUTRAL_END, ItemType


@dataclass(frozen=True)
class Item:
    """A question for a model."""

    id: str
    """Type and head, such as ``antonym/hot``; ``negation/kind`` and ``negation/unkind`` are a pair."""
    type: ItemType
    head: str
    group: str
    """The unit of confidence intervals: the head, or the base of a negation."""
    options: tuple[str, ...]
    right: int
    """Index of the right option."""
    frequency: str
    """Frequency band of the head: ``common``, ``middle`` or ``rare``."""
    pos: str
    relation: str
    """Origin of the relation, ``stated`` or ``derived``: between the head and the right option, or the base and its
    antonym in negation."""
    contexts: tuple[tuple[str, str], ...] = ()
    """Sentences of a text for substitution: the text before and after the place of the head."""

    def sentences(self) -> list[tuple[list[str], list[str]]]:
        """Return for each frame its sentence with each option, and its neutral sentence with each option."""
        if self.type == "substitution":
            return [
                (
                    [f"{before} {option}{after}" for option in self.options],
                    [f"{before.split(maxsplit=1)[0]} {NEUTRAL_END} {option}" for option in self.options],
                )
                for before, after in self.contexts
            ]
        return [
            (
                [f"{frame.sentence.format(head=self.head)} {option}" for option in self.options],
                [f"{frame.neutral} {option}" for option in self.options],
            )
            for frame in FRAMES[self.type][self.pos]
        ]
