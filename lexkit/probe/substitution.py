"""Sentences of a text in which a word is to be replaced by its synonym rather than its antonym."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from random import Random

from lexkit.probe.items import Item, Words, are_alike, best_first

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]?")
_WORD = re.compile(r"(?<![\w'\u2019@-])[a-z]{3,}(?![\w'\u2019@-])")
_SHORTEST, _LONGEST, _CHARACTERS = 8, 40, 400
"""Words of a sentence, at least and at most, and its characters at most."""
_NEEDS_ARTICLE = re.compile(r"\b(?:an?|more|most|very) $", re.IGNORECASE)
"""Before a word whose first letter, or part of speech, tells what can stand there."""


def substitution_items(words: Words, text: str, number: int, seed: int) -> list[Item]:
    """Make items of a text: each head once, with its synonym and its antonym in its place.

    In each cell (part of speech, frequency), as often as not the synonym is the more frequent of the two.

    Args:
        words: of the store.
        text: running English text.
        number: items at most.
        seed: chooses heads and sentences.
    """
    places: dict[str, list[tuple[str, str]]] = defaultdict(list)
    heads = {word: part for word, part in _unambiguous(words)}
    for before, word, after in _places(text):
        if word in heads:
            places[word].append((before, after))
    random = Random(f"{seed} substitution")
    cells: dict[tuple[str, str], dict[bool, list[Item]]] = defaultdict(lambda: {True: [], False: []})
    for head in sorted(places):
        part = heads[head]
        sides = cells[part, words.band(head)]
        found = [
            (synonym, antonym, way)
            for (synonym, way), (antonym, _) in best_first(
                words.good["synonym"][head, part], words.good["antonym"][head, part]
            )
            if not are_alike(synonym, antonym) and words.frequency[synonym] != words.frequency[antonym]
        ]
        if not found:
            continue
        synonym, antonym, way = found[0]
        free = [place for place in places[head] if {head, synonym, antonym}.isdisjoint(" ".join(place).split())]
        if not free:
            continue
        before, after = random.choice(free)
        options = [synonym, antonym]
        random.shuffle(options)
        sides[words.frequency[synonym] > words.frequency[antonym]].append(
            Item(
                f"substitution/{head}",
                "substitution",
                head,
                head,
                tuple(options),
                options.index(synonym),
                words.band(head),
                part,
                way,
                before,
                after,
            )
        )
    pairs = []
    for cell in sorted(cells):
        sides = cells[cell]
        for side in sides.values():
            random.shuffle(side)
        pairs += list(zip(sides[True], sides[False], strict=False))
    random.shuffle(pairs)
    return [item for pair in pairs[: number // 2] for item in pair]


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
