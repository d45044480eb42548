"""The synsets of a wordnet, independent of its format, and the records derived from them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from itertools import chain, product
from typing import NamedTuple

from lexkit.sources.read_report import OwnReason, ReadReport
from lexkit.sources.records import Group, Kind, Record, Statement

NO_TARGET = OwnReason("a pointer to a synset or word that does not exist", bad=True)
SEMANTIC = OwnReason("antonymy between synsets, not words")

PRINCETON = "LicenseRef-WordNet-3.0"
"""The licence of Princeton's WordNet, with the same text for 3.0 and 3.1."""
OPEN_ENGLISH = "CC-BY-4.0"
"""The licence of the Open English WordNet."""

MOST_SATELLITES = 60
"""Maximum number of satellites that are shades of a head's meaning. Heads with more (ordinal, cardinal, chromatic and
formed) have kinds instead."""
ORIGIN = "wordnet"
"""The origin of all English wordnets: Princeton's, which the Open English WordNet continues."""


_SLUR = re.compile(
    r"\bethnic slur\b|\b(?:offensive|derogatory|disparaging) (?:and \w+ )?(?:terms?|names?|words?)\b", re.IGNORECASE
)
_NOTE = re.compile(r"^\(([^()]*)\)")
_LABELS = {
    "slang": "slang",
    "informal": "informal",
    "colloquial": "informal",
    "archaic": "archaic",
    "obsolete": "obsolete",
    "dialect": "dialect",
    "dialectal": "dialect",
    "vulgar": "vulgar",
    "obscene": "vulgar",
    "offensive": "offensive",
    "disparaging": "offensive",
    "derogatory": "offensive",
    "euphemism": "euphemistic",
    "literary": "literary",
    "poetic": "literary",
}
"""Labels for words in the note with which a gloss may begin."""


class Pointer(NamedTuple):
    """An antonymy between a word of a synset and a word of another, or between two whole synsets."""

    target: str
    """Key of the other synset."""
    word: int
    other: int
    """Number of the word in the other synset, from 1, as `word` in this one; 0 stands for the whole synset."""


class Synset(NamedTuple):
    """A synset: words with the same meaning."""

    words: tuple[str, ...]
    pos: str | None
    gloss: str | None
    antonyms: tuple[Pointer, ...]
    heads: tuple[str, ...]
    """Keys of the synsets to which a satellite adjective is similar; empty for other synsets."""
    where: str

    @property
    def usage(self) -> tuple[str, ...]:
        """Labels of usage from the gloss: (slang), (archaic), (ethnic slur), offensive term for ..."""
        gloss = self.gloss or ""
        note = _NOTE.match(gloss)
        labels = (
            {_LABELS[word]: None for word in re.findall(r"[a-z]+", note[1].lower()) if word in _LABELS} if note else {}
        )
        if _SLUR.search(gloss):
            labels["offensive"] = None
        return tuple(labels)


def records(synsets: Mapping[str, Synset], report: ReadReport) -> Iterator[Record]:
    """Yield each synset's words as a group, the antonyms that the wordnet states, and relations that follow from them.

    Statements with the scope ``indirect`` are antonyms by way of a synset: all words of two synsets if a word of one is
    a stated antonym of a word of the other; and a satellite's words with the stated antonyms of its head (swift and
    slow, by way of fast). Statements with the scope ``similar`` are synonyms: a satellite's words with those of its
    head (swift and fast). Stated antonyms are not repeated as indirect ones. Heads with more than `MOST_SATELLITES`
    satellites give neither indirect antonyms nor similar words.

    Args:
        synsets: synsets by key, in the order of the file.
        report: counts antonym pointers without a target, and those between whole synsets.
    """
    stated: dict[str, list[Statement]] = {}
    pairs: set[tuple[str, str]] = set()
    for key, synset in synsets.items():
        usage = synset.usage
        yield Group(synset.words, synset.pos, synset.gloss, None, (usage,) * len(synset.words) if usage else ())
        statements = [s for pointer in synset.antonyms if (s := _antonym(synset, pointer, synsets, report))]
        if statements:
            stated[key] = statements
            pairs.update(pair for s in statements for pair in ((s.word, s.other), (s.other, s.word)))
    for statements in stated.values():
        yield from statements
    heads = _heads(synsets)
    for synset, head in heads:
        yield from _products(synset, synsets[head].words, "synonym", "similar", synsets[head].usage)
    by_way_of_heads = (
        _products(synset, [opposite.other for opposite in stated.get(head, ())], "antonym", "indirect", ())
        for synset, head in heads
    )
    for statement in chain(_by_way_of_synsets(synsets, stated), *by_way_of_heads):
        if (statement.word, statement.other) not in pairs:
            yield statement


def _heads(synsets: Mapping[str, Synset]) -> list[tuple[Synset, str]]:
    """Return the satellites with the key of their head, for heads with at most `MOST_SATELLITES`."""
    n_satellites = Counter(head for synset in synsets.values() for head in synset.heads)
    return [
        (synset, head)
        for synset in synsets.values()
        for head in synset.heads
        if head in synsets and n_satellites[head] <= MOST_SATELLITES
    ]


def _by_way_of_synsets(synsets: Mapping[str, Synset], keys: Iterable[str]) -> Iterator[Statement]:
    met: set[frozenset[str]] = set()
    for key in keys:
        for target in dict.fromkeys(pointer.target for pointer in synsets[key].antonyms):
            if target in synsets and frozenset((key, target)) not in met:  # the other synset points back
                met.add(frozenset((key, target)))
                other = synsets[target]
                yield from _products(synsets[key], other.words, "antonym", "indirect", other.usage)


def _antonym(synset: Synset, pointer: Pointer, synsets: Mapping[str, Synset], report: ReadReport) -> Statement | None:
    words, target = synset.words, synsets.get(pointer.target)
    if target is None or pointer.word > len(words) or pointer.other > len(target.words):
        report.reject(NO_TARGET, f"{', '.join(words)} ! {pointer.target}", where=synset.where)
    elif not (pointer.word and pointer.other):
        report.reject(SEMANTIC, f"{', '.join(words)} / {', '.join(target.words)}", where=synset.where)
    else:
        word, other = words[pointer.word - 1], target.words[pointer.other - 1]
        return Statement(word, other, "antonym", synset.pos, synset.gloss, None, synset.usage, target.usage)
    return None


def _products(
    synset: Synset, others: Iterable[str], kind: Kind, scope: str, other_usage: tuple[str, ...]
) -> Iterator[Statement]:
    usage = synset.usage
    for word, other in product(synset.words, dict.fromkeys(others)):
        if word != other:
            yield Statement(word, other, kind, synset.pos, synset.gloss, scope, usage, other_usage)
