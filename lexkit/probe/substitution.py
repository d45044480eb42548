"""Make items from sentences of a text, in which a synonym has to replace a word."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from random import Random

from lexkit.probe.choices import Balance, item_of
from lexkit.probe.item import Item
from lexkit.probe.words import Words

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"(?<![\w'\u2019@-])[a-z]{3,}(?![\w'\u2019@-])")
_SHORTEST, _LONGEST, _CHARACTERS = 8, 40, 400
"""Fewest and most words of a sentence, and its greatest length in characters."""
_CONTEXTS = 3
"""Most sentences of an item."""
_RESTRICTING = re.compile(r"\b(?:an?|more|most|very) $", re.IGNORECASE)
"""Words after which some options would be wrong by their first letter or part of speech alone."""
_OF_A_NOUN = frozenset(
    "the this that these those my your his her its our their no some any each every of in on at by for from"
    " with".split()
)
"""Words after which there is a noun or an adjective, and no verb."""


def substitution_items(words: Words, text: str, number: int, seed: int) -> list[Item]:
    """Make items from a text. Each head occurs in one item, with up to three sentences in which it is replaced.

    The options are a synonym, an antonym and two unrelated words, whose order by frequency is balanced in each cell
    (part of speech, frequency, stated or derived), as in antonym and synonym items. Synonym and antonym belong to
    one sense of the head: a sense that has an antonym is mostly the usual one, which the sentences have.

    Args:
        words: the words of the store.
        text: English text.
        number: most items to make.
        seed: seed for drawing heads and sentences.
    """
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    heads = {word: part for word, part in _unambiguous(words) if part in words.pools}
    for before, word, after in _places(text):
        if word in heads and _suits(heads[word], before, after):
            places[word].append((before, after))
    random = Random(f"{seed} substitution")
    candidates = sorted(places)
    random.shuffle(candidates)
    balance = Balance(words, random, one_sense=True)
    contexts: dict[str, tuple[tuple[str, str], ...]] = {}
    for head in candidates:
        free = [place for place in places[head] if head not in _words(place)]
        contexts[head] = tuple(random.sample(free, min(_CONTEXTS, len(free))))
        if free:
            balance.add(head, heads[head], avoid=set().union(*map(_words, contexts[head])))
    return [item_of("substitution", choice, words, contexts[choice.head]) for choice in balance.balanced(number)]


def _suits(part: str, before: str, after: str) -> bool:
    """Return whether a word may be this part of speech between the beginning and the end of a sentence.

    A store may lack another use of the word: *the extract also*, *in order to power*, *cared for the sick*.
    """
    last = before.rpartition(" ")[2].lower()
    if part == "verb":
        return last not in _OF_A_NOUN
    if part == "adj" and last in _OF_A_NOUN:
        return after.lstrip()[:1].isalpha()
    return part == "adv" or last != "to"


def _words(place: tuple[str, str]) -> set[str]:
    return set(" ".join(place).split())


def _unambiguous(words: Words) -> Iterator[tuple[str, str]]:
    """Yield words with synonyms and antonyms that have one part of speech and are not forms of other words.

    A form such as *recorded* may be a verb in a sentence, whatever the part of speech of its relations.
    """
    for word, part in sorted(words.good["synonym"].keys() & words.good["antonym"].keys()):
        if words.parts[word] == [part] and word not in words.inflected:
            yield word, part


def _places(text: str) -> Iterator[tuple[str, str, str]]:
    for sentence in _SENTENCE.finditer(text):
        parts = sentence[0].split()
        whole = " ".join(parts)
        if not _SHORTEST <= len(parts) <= _LONGEST or len(whole) > _CHARACTERS or "<unk>" in whole:
            continue
        for word in _WORD.finditer(whole):
            before, after = whole[: word.start()], whole[word.end() :]
            if not before.endswith(" ") or before.endswith("@ ") or after.startswith(" @"):
                continue
            if not _RESTRICTING.search(before):
                yield before.rstrip(), word[0], after
