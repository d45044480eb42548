"""Describe the senses of a word by their contexts and nearest neighbors."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa
import torch

from lexkit_distill.senses import dictionary as files
from lexkit_distill.senses.contexts import read_contexts
from lexkit_distill.senses.dictionary import SenseDictionary


@dataclass(frozen=True)
class Context:
    """The text around an occurrence in the corpus. The state was taken at the end of *before*."""

    before: str
    after: str


@dataclass(frozen=True)
class SenseReport:
    """One sense, with its contexts and nearest neighbors."""

    row: int
    size: int | None
    """Number of occurrences in the sample; None for a composed sense."""
    contexts: list[Context]
    neighbors: list[tuple[str, float]]
    """The nearest other keys with their mean squared differences, nearest first."""


@dataclass(frozen=True)
class WordReport:
    """All senses of a word."""

    word: str
    key_kind: str
    tokens: list[str]
    n_seen: int | None
    inertia: float | None
    senses: list[SenseReport]


def inspect_word(dictionary: SenseDictionary, word: str, *, neighbors: int = 8) -> WordReport | None:
    """Describe the senses of a word, or return None if the dictionary has none.

    Args:
        dictionary: the dictionary.
        word: the word; in any case, with or without a leading space.
        neighbors: number of nearest words for each sense.
    """
    key = dictionary.find(word)
    if key is None:
        return None
    entry = dictionary.index.slice(key, 1).to_pylist()[0]
    first, count = entry["first_row"], entry["n_rows"]
    contexts = read_contexts(dictionary.path / files.CONTEXTS)
    near = _neighbors(dictionary, key, neighbors)
    return WordReport(
        word=dictionary.name(key).strip(),
        key_kind=str(entry["key_kind"]),
        tokens=[dictionary.token_text(token) for token in entry["token_ids"]],
        n_seen=entry["n_seen"],
        inertia=entry["inertia"],
        senses=[
            SenseReport(row, *_occurrences(dictionary, contexts, row), near[row - first])
            for row in range(first, first + count)
        ],
    )


def _occurrences(dictionary: SenseDictionary, contexts: pa.Table | None, row: int) -> tuple[int | None, list[Context]]:
    if contexts is None or row >= contexts.num_rows:  # composed senses come after those of tokens
        return None, []
    entry = contexts.slice(row, 1).to_pylist()[0]
    decode = dictionary.tokenizer.decode
    return entry["size"], [
        Context(
            before=decode(tokens[: position + 1], skip_special_tokens=False),
            after=decode(tokens[position + 1 :], skip_special_tokens=False),
        )
        for tokens, position in zip(entry["token_ids"], entry["position"], strict=True)
    ]


def _neighbors(dictionary: SenseDictionary, key: int, number: int) -> list[list[tuple[str, float]]]:
    """Return the nearest other keys for each sense of a key."""
    first, count = int(dictionary.first[key]), int(dictionary.n_rows[key])
    # All senses of one key may be nearer than the first sense of the next key
    most = int(dictionary.n_rows.max())
    distances, rows = dictionary.nearest(dictionary.rows[first : first + count], (number + 1) * most)
    found = []
    for sense_distances, sense_rows in zip(distances, rows, strict=True):
        best: dict[str, float] = {}
        for distance, row in zip(sense_distances.tolist(), sense_rows.tolist(), strict=True):
            if first <= row < first + count:
                continue
            name = dictionary.name(int(dictionary.key_of_rows(torch.tensor([row]))[0]))
            best.setdefault(name, distance)
            if len(best) == number:
                break
        found.append(list(best.items()))
    return found
