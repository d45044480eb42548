"""Candidates of each token: its own senses, and those of its synonyms and antonyms (paper, section 4.2)."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from lexkit.sources.records import Kind
from lexkit.text import fold
from lexkit_distill.errors import DictionaryError
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.supervision.relations import Relations

CandidateKind = Literal["own", "synonym", "antonym"]
Int64 = npt.NDArray[np.int64]


class CandidateTable(NamedTuple):
    """Dictionary rows for every token, in compressed sparse row form."""

    offsets: Int64
    """(V + 1,) where the rows of each token begin."""
    rows: Int64
    """(E,) rows of all tokens; those of token t are rows[offsets[t]:offsets[t + 1]]."""

    def of(self, token: int) -> Int64:
        """Return the rows (n,) of a token; an empty array for an unknown id."""
        return self.rows[self.offsets[token] : self.offsets[token + 1]] if 0 <= token < len(self.offsets) - 1 else NONE


NONE: Int64 = np.empty(0, dtype=np.int64)


def candidate_table(
    dictionary: SenseDictionary, kind: CandidateKind, *, max_neighbors: int = 25, forms: bool = False
) -> CandidateTable:
    """Return the rows of the senses that each token is pulled towards (own, synonym) or pushed away from (antonym).

    Args:
        dictionary: a composed dictionary, opened with the store's relations (needed for synonyms and antonyms).
        kind: kind of candidates.
        max_neighbors: most synonyms, or antonyms, per token; the best are kept.
        forms: whether a token that is a form of a word uses the word's relations.

    Raises:
        DictionaryError: synonyms or antonyms were requested, but the dictionary was opened without relations.
    """
    if kind == "own":
        return own_senses(dictionary)
    if dictionary.relations is None:
        raise DictionaryError(f"{dictionary.path}: opened without a store, so its {kind}s are unknown; give a store")
    return related_senses(dictionary, dictionary.relations, kind, max_neighbors, forms=forms)


def own_senses(dictionary: SenseDictionary) -> CandidateTable:
    """Return the rows of every token's own senses."""
    keys = dictionary.token_key
    known = keys >= 0
    counts = np.zeros(len(keys), dtype=np.int64)
    counts[known] = dictionary.n_rows[keys[known]]
    rows = _ranges(dictionary.first[keys[known]], counts[known])
    return CandidateTable(np.r_[0, np.cumsum(counts)], rows)


def related_senses(
    dictionary: SenseDictionary,
    relations: Relations,
    kind: Literal["synonym", "antonym"],
    max_neighbors: int,
    *,
    forms: bool = False,
) -> CandidateTable:
    """Return, for each token that is a word, the rows of the senses of its words' synonyms or antonyms.

    Tokens are matched with words by `words_of_tokens`, regardless of case and of a leading space. A token's list
    contains neither its own rows nor any row twice.

    Args:
        dictionary: a dictionary composed with these relations.
        relations: relations of a store.
        kind: kind of relation.
        max_neighbors: most neighbours per token; the best are kept.
        forms: whether a token that is a form of a word uses the word's relations.
    """
    tokens, words = words_of_tokens(dictionary, relations, kind if forms else None)
    return _related(dictionary, relations, kind, max_neighbors, tokens, words, dictionary.token_key)


def related_senses_of_words(
    dictionary: SenseDictionary, relations: Relations, kind: Literal["synonym", "antonym"], max_neighbors: int
) -> CandidateTable:
    """Return the same as `related_senses`, but for each word of *relations* (by its index there) instead of tokens."""
    words = relations.words["word_id"].to_numpy().astype(np.int64)
    own = _keys_of_words(dictionary, relations)[words]
    return _related(dictionary, relations, kind, max_neighbors, np.arange(len(words)), words, own)


def _related(
    dictionary: SenseDictionary,
    relations: Relations,
    kind: str,
    max_neighbors: int,
    subjects: Int64,
    words: Int64,
    own_keys: Int64,
) -> CandidateTable:
    """Return the table of related senses of subjects, which are tokens or words.

    Args:
        dictionary: a dictionary composed with these relations.
        relations: relations of a store.
        kind: kind of relation.
        max_neighbors: most neighbours per subject; the best are kept.
        subjects: (p,) subject of each pair of subject and word, in ascending order.
        words: (p,) word id of each pair.
        own_keys: (subjects,) key of each subject in the dictionary, or -1.
    """
    key_of_word = _keys_of_words(dictionary, relations)
    this, other = relations.of_kind(kind)
    usable = key_of_word[other] >= 0
    this, other = this[usable], other[usable]
    # Join subjects with relations on the word. Relations are sorted by their first word, the best first
    begin, end = np.searchsorted(this, words, "left"), np.searchsorted(this, words, "right")
    pair = _ranges(begin, end - begin)
    subject = np.repeat(subjects, end - begin)
    neighbors = key_of_word[other[pair]]
    own = own_keys[subject]
    is_own = (own >= 0) & (dictionary.first[neighbors] == dictionary.first[own])
    subject, neighbors = subject[~is_own], neighbors[~is_own]
    _, unique = np.unique(np.stack([subject, dictionary.first[neighbors]]), axis=1, return_index=True)
    unique.sort()  # keep the first of duplicates, and the order
    subject, neighbors = subject[unique], neighbors[unique]
    place = np.arange(len(subject)) - np.searchsorted(subject, subject, "left")
    subject, neighbors = subject[place < max_neighbors], neighbors[place < max_neighbors]
    counts = np.bincount(subject, weights=dictionary.n_rows[neighbors], minlength=len(own_keys))
    offsets = np.r_[0, np.cumsum(counts.astype(np.int64))]
    return CandidateTable(offsets, _ranges(dictionary.first[neighbors], dictionary.n_rows[neighbors]))


def words_of_tokens(
    dictionary: SenseDictionary, relations: Relations, forms: Kind | None = None
) -> tuple[Int64, Int64]:
    """Return pairs of token id and word id, sorted by token: the words that single tokens stand for.

    A token stands for the word with the same spelling or, if the store has none, for words that differ only in case:
    " kind", "kind", " Kind" and "Kind" all stand for kind, unless the store also has Kind.

    If *forms* is given (a kind of relation), an inflected token also stands for the lemmas that a look-up of that kind
    would use: " running" for run, and "Mice" for mouse.
    """
    spelt: dict[str, list[int]] = {}
    folded: dict[str, list[int]] = {}
    for word_id, word in zip(relations.words["word_id"].to_pylist(), relations.words["word"].to_pylist(), strict=True):
        spelt.setdefault(word, []).append(word_id)
        folded.setdefault(fold(word), []).append(word_id)
    tokens: list[int] = []
    words: list[int] = []
    for token in range(len(dictionary.token_key)):
        text = dictionary.token_text(token)
        if text[:1].isspace():
            text = text[1:]
        found = spelt.get(text) or folded.get(fold(text), [])
        if forms and text[:1].isalpha():
            lemmas = (word_id for word in relations.answering(text, forms) for word_id in spelt.get(word, ()))
            found = list(dict.fromkeys([*found, *lemmas]))
        tokens += [token] * len(found)
        words += found
    return np.array(tokens, dtype=np.int64), np.array(words, dtype=np.int64)


def _keys_of_words(dictionary: SenseDictionary, relations: Relations) -> Int64:
    """Return the key of each word of the relations, by word id (largest word id + 1,); -1 for words without a key."""
    words, ids = relations.words["word"].to_pylist(), relations.words["word_id"].to_numpy()
    table = np.full(int(ids.max(initial=-1)) + 1, -1, dtype=np.int64)
    table[ids] = [dictionary.word_key.get(word, -1) for word in words]
    return table


def _ranges(starts: Int64, counts: Int64) -> Int64:
    """Concatenate the ranges of counts[i] integers that begin at starts[i]."""
    counts = counts.astype(np.int64)
    ends = np.cumsum(counts)
    result: Int64 = np.arange(int(ends[-1]) if len(ends) else 0) + np.repeat(starts - ends + counts, counts)
    return result
