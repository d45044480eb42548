"""The sentences of the probe, in English.

In each frame the option comes last. What its neutral frame, which says nothing of the head, makes of an option is
taken from the score of that option. Both begin with the same word, so that what stands before every option of a frame
and its neutral frame can be read as their common beginning.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

ItemType = Literal["antonym", "synonym", "negation", "substitution"]
ITEM_TYPES: tuple[ItemType, ...] = get_args(ItemType)


class Frame(NamedTuple):
    """A sentence up to the option, with a place for the head, and the same without a head."""

    sentence: str
    neutral: str


FRAMES: dict[ItemType, tuple[Frame, ...]] = {
    "antonym": (
        Frame("The opposite of {head} is", "The next word is"),
        Frame("It was either {head} or", "It was either this or"),
        Frame("It is not {head}. On the contrary, it is", "It is as I said. To be clear, it is"),
    ),
    "synonym": (
        Frame("The word {head} means the same as the word", "The next word is the same as the word"),
        Frame("A synonym of {head} is", "A word of English is"),
        Frame("It is {head}. In other words, it is", "It is as I said. In other words, it is"),
    ),
    "negation": (
        Frame("The word {head} means the same as the word", "The next word is the same as the word"),
        Frame("It is {head}, which means that it is", "It is so, which means that it is"),
        Frame("It is {head}. In other words, it is", "It is as I said. In other words, it is"),
    ),
}
"""The frames of each type of item; substitution has none, since a sentence of a text is its frame."""
NEUTRAL_END = "and the next word is"
"""What follows the first word of the sentence in the neutral frame of substitution."""
