"""Sentences of a text in which a word is to be replaced by its synonym, rather than its antonym or another word."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from random import Random

from lexkit.probe.items import Balance, Item, Words, item_of

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"(?<![\w'\u2019@-])[a-z]{3,}(?![\w'\u2019@-])")
_SHORTEST, _LONGEST, _CHARACTERS = 8, 40, 400
"""Words of a sentence, at least and at most, and its characters at most."""
_CONTEXTS = 3
"""Sentences of an item, at most."""
_NEEDS_ARTICLE = re.compile(r"\b(?:an?|more|most|very) $", re.IGNORECASE)
"""Before a word whose first letter, or part of speech, tells what can stand there."""


def substitution_items(words: Words, text: str, number: int, seed: int) -> list[Item]:
    """Make items of a text: each head once, with up to three sentences in which its place is to be filled.

    The options are a synonym, an antonym and two unrelated words, whose places by frequency are balanced in each cell
    (part of speech, frequency, stated or derived), as in antonym and synonym items.

    Args:
        words: of the store.
        text: running English text.
        number: items at most.
        seed: chooses heads and sentences.
    """
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    heads = {word: part for word, part in _unambiguous(words) if part in words.pools}
    for before, word, after in _places(text):
        if word in heads:
            places[word].append((before, after))
    random = Random(f"{seed} substitution")
    candidates = sorted(places)
    random.shuffle(candidates)
    balance = Balance(words, random)
    contexts: dict[str, tuple[tuple[str, str], ...]] = {}
    for head in candidates:
        free = [place for place in places[head] if head not in _words(place)]
        contexts[head] = tuple(random.sample(free, min(_CONTEXTS, len(free))))
        if free:
            balance.add(head, heads[head], avoid=set().union(*map(_words, contexts[head])))
    return [item_of("substitution", choice, words, contexts[choice.head]) for choice in balance.balanced(number)]


def _words(place: tuple[str, str]) -> set[str]:
    return set(" ".join(place).split())


def _unambiguous(words: Words) -> Iterator[tuple[str, str]]:
    """Yield words with synonyms and antonyms that are related to others as one part of speech only."""
    parts: dict[str, set[str]] = defaultdict(set)
    for kind in words.good.values():
        for word, part in kind:
            parts[word].add(part)
    for word, part in sorted(words.good["synonym"].keys() & words.good["antonym"].keys()):
        if len(parts[word]) == 1:
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
            if not _NEEDS_ARTICLE.search(before):
                yield before.rstrip(), word[0], after
