"""Make items: questions with a head word, options of which one is right, and bands by which results are reported.

The antonym item and the synonym item of a head have the same options: an antonym, a synonym and two unrelated words. A
substitution item has options of the same kinds, to replace the head in sentences of a text. The order of the four
options by frequency is balanced over the heads of each cell (part of speech, frequency, stated or derived), so knowing
how frequent words are does not help. A pair of negation items asks which of the same two options means the same as a
word, and which as its negation; a model that always prefers one of the options is right once and wrong once.
"""

from __future__ import annotations

from random import Random

from lexkit.errors import QueryError
from lexkit.probe.choices import choice_items
from lexkit.probe.item import Item
from lexkit.probe.negations import negation_items
from lexkit.probe.substitution import substitution_items
from lexkit.probe.words import MIN_CONFIDENCE, Words
from lexkit.store.lexicon import Lexicon


def make_items(lexicon: Lexicon, heads: int = 1000, seed: int = 0, text: str | None = None) -> list[Item]:
    """Make items from a store.

    Args:
        lexicon: an English store with word frequencies.
        heads: most heads for antonym and synonym items, most pairs of negation items, and most substitution items.
        seed: seed for drawing items. The same store, text and seed give the same items, and a smaller number of heads
            gives a part of those of a larger number.
        text: English text for substitution items; without it there are none.

    Raises:
        QueryError: the store is not English, has no frequencies, or has too few relations of high confidence.
    """
    language = lexicon.sql("SELECT value FROM meta WHERE key = 'language'")["value"].to_pylist()
    if language != ["en"]:
        raise QueryError(
            f"items need an English store, and the language of this one is {', '.join(language)}; build it with "
            "--language en"
        )
    words = Words(lexicon)
    found = choice_items(words, Random(f"{seed} choices"), heads)
    found += negation_items(lexicon, words, Random(f"{seed} negation"), heads)
    if not found:
        raise QueryError(
            "no items can be made from this store: it has too few words with both a synonym and an antonym of "
            f"confidence {MIN_CONFIDENCE} or more; build it from more sources"
        )
    if text is not None:
        found += substitution_items(words, text, heads, seed)
    return found
