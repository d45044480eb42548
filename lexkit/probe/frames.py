"""The sentences of the probe, in English.

In each frame the option comes last, so that the likelihoods of two sentences differ by those of their options. Its
neutral frame says nothing of the head, and begins with the same word.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

ItemType = Literal["antonym", "synonym", "negation", "substitution"]
ITEM_TYPES: tuple[ItemType, ...] = get_args(ItemType)


class Frame(NamedTuple):
    """A sentence with a place for the head, and the same without it."""

    sentence: str
    neutral: str


FRAMES: dict[ItemType, tuple[Frame, ...]] = {
    "antonym": (
        Frame("The opposite of {head} is", "The next word is"),
        Frame("It is not {head}. On the contrary, it is", "It is known. That is to say, it is"),
    ),
    "synonym": (
        Frame("The word {head} means the same as the word", "The next word is the same as the word"),
        Frame("It is {head}. In other words, it is", "It is known. That is to say, it is"),
    ),
    "negation": (Frame("It is {head}. In other words, it is", "It is known. That is to say, it is"),),
}
"""By type of item; sentences of texts take their place in substitution."""
