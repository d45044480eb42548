"""The English sentences in which a model chooses between options.

In each frame, the option comes last. The neutral frame does not contain the head, and the log-likelihood of an option
in it is subtracted from that in the frame. A frame and its neutral frame begin with the same word, because
lm-evaluation-harness needs a beginning that all choices share.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

ItemType = Literal["antonym", "synonym", "negation", "substitution"]
ITEM_TYPES: tuple[ItemType, ...] = get_args(ItemType)


class Frame(NamedTuple):
    """A sentence up to the option, with a placeholder for the head, and a neutral sentence without a head."""

    sentence: str
    neutral: str


_ANTONYM: tuple[Frame, ...] = (
    Frame("The opposite of {head} is", "The next word is"),
    Frame("An antonym of {head} is", "An English word is"),
)
_SYNONYM: tuple[Frame, ...] = (
    Frame("The word {head} means the same as the word", "The next word is the same as the word"),
    Frame("A synonym of {head} is", "A word of English is"),
)
_IN_OTHER_WORDS = {
    "adj": Frame("It is {head}. In other words, it is", "It is as I said. In other words, it is"),
    "adv": Frame("It was done {head}. In other words, it was done", "It was done so. In other words, it was done"),
    "noun": Frame("Another word for {head} is", "Another word is"),
    "verb": Frame("They {head}. In other words, they", "They do this. In other words, they"),
}
FRAMES: dict[ItemType, dict[str, tuple[Frame, ...]]] = {
    "antonym": {
        "adj": (
            _ANTONYM[0],
            Frame("It was either {head} or", "It was either this or"),
            Frame("It is not {head}. On the contrary, it is", "It is as I said. To be clear, it is"),
        ),
        "adv": (*_ANTONYM, Frame("Was it done {head} or", "Was it done so or")),
        "noun": (*_ANTONYM, Frame("Is it {head} or", "Is it this or")),
        "verb": (*_ANTONYM, Frame("Did they {head} or", "Did they do this or")),
    },
    "synonym": {pos: (*_SYNONYM, frame) for pos, frame in _IN_OTHER_WORDS.items()},
    "negation": {pos: (*_SYNONYM, frame) for pos, frame in _IN_OTHER_WORDS.items()}
    | {
        "adj": (
            _SYNONYM[0],
            Frame("It is {head}, which means that it is", "It is so, which means that it is"),
            _IN_OTHER_WORDS["adj"],
        )
    },
}
"""The frames of each type of item, by part of speech. The frames of substitution are sentences of a text instead."""
NEUTRAL_END = "and the next word is"
"""The neutral frame of substitution, after the first word of the sentence."""
