"""Compose the senses of words of several tokens from their tokens' senses (paper, section 3.3).

A word has one sense for each sense of its first token. Starting from that sense, take from each further token the sense
that is nearest (L2) to the mean of those taken so far; the word's sense is the mean of all taken senses.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import torch
from torch import Tensor

from lexkit.arguments import user_path
from lexkit.progress import Progress
from lexkit_distill.disk import disk_failures, lock_folder
from lexkit_distill.errors import DictionaryError
from lexkit_distill.senses import dictionary as files
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.senses.threads import threaded_map
from lexkit_distill.supervision.relations import read_relations

MAX_TOKENS = 3
"""Most tokens of a word, as in the paper."""
_COPY_ROWS = 1 << 16
_CHUNK_ELEMENTS = 1 << 20
"""Elements (words x senses x dimensions) composed at a time, so that they fit into a CPU's cache."""

Int64 = npt.NDArray[np.int64]


@dataclass(frozen=True)
class ComposeSummary:
    """Counts of the store's words that are in relations, by how they were composed."""

    path: str
    words: int
    single_token: int
    composed: int
    too_long: int
    """Words with more than the allowed number of tokens."""
    without_senses: int
    """Words with a token that has no senses in the dictionary."""
    rows: int
    bytes: int


def compose_senses(
    senses: str | os.PathLike[str],
    store: str | os.PathLike[str],
    *,
    max_tokens: int = MAX_TOKENS,
    progress: Progress | None = None,
) -> ComposeSummary:
    """Add a store's words that are in relations to a dictionary. Words that it had before are replaced.

    The files are replaced one by one in an order that keeps the dictionary consistent at every step; an interrupted run
    leaves at worst a dictionary without words.

    Args:
        senses: folder of the dictionary.
        store: path of the store.
        max_tokens: most tokens of a word; longer words are left out.
        progress: reports the number of senses.

    Raises:
        DictionaryError: the dictionary does not exist, another run writes to it, or the disk is full.
        StoreError: the store does not exist, or has no spans for the dictionary's tokenizer.
    """
    progress = progress if progress is not None else Progress()
    folder = user_path(senses)
    files.read_meta(folder)
    advice = "free some space, and run the same command again; the senses of tokens are intact"
    with lock_folder(folder, DictionaryError, "--senses"), disk_failures(DictionaryError, folder, advice):
        return _composed_with(folder, user_path(store), max_tokens, progress)


def _composed_with(senses: Path, store: Path, max_tokens: int, progress: Progress) -> ComposeSummary:
    progress.stage("reading the dictionary and the store")
    dictionary = SenseDictionary(senses)
    meta = dictionary.meta
    relations = read_relations(store, meta.tokenizer_fingerprint, senses / files.TOKENIZER)
    progress.stage("composing words")
    token_ids = relations.words["token_ids"].combine_chunks()
    n_tokens = relations.words["n_tokens"].to_numpy().astype(np.int64)
    keys = _key_matrix(dictionary, token_ids, n_tokens, max_tokens)
    fits, known = n_tokens <= max_tokens, (keys != -1).all(1)
    words = np.flatnonzero(fits & known)
    keys, is_multiple = np.maximum(keys[words], -1), n_tokens[words] > 1

    is_token = ~dictionary.is_word
    token_table = dictionary.index.filter(pa.array(is_token))
    n_token_rows = int((dictionary.first + dictionary.n_rows)[is_token].max(initial=0))
    first_row, n_rows = dictionary.first[keys[:, 0]].copy(), dictionary.n_rows[keys[:, 0]]
    added = np.cumsum(n_rows[is_multiple])
    first_row[is_multiple] = n_token_rows + added - n_rows[is_multiple]
    total = n_token_rows + int(added[-1] if len(added) else 0)

    files.write_meta(
        senses, replace(meta, words=0, store_fingerprint=None, max_tokens=None, rows=n_token_rows, digest=None)
    )
    files.write_table(senses / files.INDEX, token_table)
    done = 0
    with files.RowWriter(senses / files.SENSES, total, meta.hidden_size) as writer:
        for start in range(0, n_token_rows, _COPY_ROWS):
            writer.write(dictionary.rows[start : min(start + _COPY_ROWS, n_token_rows)])
        for rows in compose(dictionary.rows, dictionary.first, dictionary.n_rows, keys[is_multiple]):
            writer.write(rows)
            done += len(rows)
            progress.count(done, total - n_token_rows, "senses")
    token_of_single = pa.array(keys[:, 0], mask=is_multiple)
    word_table = files.index_table(
        {
            "key_kind": ["word"] * len(words),
            "token_ids": token_ids.take(pa.array(words)).to_pylist(),
            "word": relations.words["word"].take(pa.array(words)).to_pylist(),
            "first_row": first_row,
            "n_rows": n_rows,
            "n_seen": dictionary.index["n_seen"].take(token_of_single),
            "inertia": dictionary.index["inertia"].take(token_of_single),
        }
    )
    files.write_table(senses / files.INDEX, pa.concat_tables([token_table, word_table]))
    files.write_meta(
        senses,
        replace(
            meta,
            words=len(words),
            store_fingerprint=relations.fingerprint,
            max_tokens=max_tokens,
            rows=total,
            digest=writer.digest,
        ),
    )
    progress.close()
    return ComposeSummary(
        path=str(senses),
        words=len(n_tokens),
        single_token=int((~is_multiple).sum()),
        composed=int(is_multiple.sum()),
        too_long=int((~fits).sum()),
        without_senses=int((fits & ~known).sum()),
        rows=total,
        bytes=(senses / files.SENSES).stat().st_size,
    )


def compose(rows: Tensor, first: Int64, n_rows: Int64, words: Int64) -> Iterator[Tensor]:
    """Yield the composed senses of words in order, as blocks of rows (R, d) in fp32.

    Args:
        rows: (N, d) sense embeddings.
        first: (keys,) first row of each key.
        n_rows: (keys,) number of rows of each key, at least 1.
        words: (W, m) keys of the tokens of each word, padded with -1.
    """
    firsts, counts = torch.from_numpy(first), torch.from_numpy(n_rows)
    k = int(counts[torch.from_numpy(words[words >= 0])].max()) if words.size else 1
    chunk = max(_CHUNK_ELEMENTS // (k * rows.shape[1]), 1)

    def composed(start: int) -> Tensor:
        keys = torch.from_numpy(words[start : start + chunk])
        n_tokens = (keys >= 0).sum(1)
        alike = [torch.nonzero(n_tokens == m)[:, 0] for m in sorted(set(n_tokens.tolist()))]
        parts = [_composed(*_senses(rows, firsts, counts, keys[mine, : n_tokens[mine[0]]], k)) for mine in alike]
        found = torch.empty(len(keys), k, rows.shape[1])
        for mine, part in zip(alike, parts, strict=True):
            found.index_copy_(0, mine, part)
        is_real = torch.arange(k) < counts[keys[:, 0]][:, None]
        return found.flatten(0, 1) if bool(is_real.all()) else found[is_real]

    yield from threaded_map(composed, range(0, len(words), chunk))


def _senses(rows: Tensor, first: Tensor, n_rows: Tensor, keys: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Return the senses (W, m, k, d) of keys (W, m), in fp32, and which of them are not padding (W, m, k)."""
    starts, is_real = first[keys], torch.arange(k) < n_rows[keys][..., None]
    if len(keys) and int(starts.max()) <= len(rows) - k:
        # Copy the k rows from each start at once, viewing them as one long row
        blocks = rows.as_strided((len(rows) - k + 1, k * rows.shape[1]), (rows.shape[1], 1))
        found = blocks.index_select(0, starts.flatten())
    else:
        places = starts[..., None] + torch.where(is_real, torch.arange(k), 0)
        found = rows.index_select(0, places.flatten())
    return found.float().view(*keys.shape, k, -1), is_real


def _composed(senses: Tensor, is_real: Tensor) -> Tensor:
    """Return the senses (W, k, d) of words, given those of their m tokens (W, m, k, d).

    The sense s nearest to the mean of p senses t minimises |s|^2 - 2/p sum(t.s). The products t.s are computed for all
    pairs of senses of two tokens, so only the final mean has to be formed.
    """
    n_words, m, k, d = senses.shape
    square = torch.linalg.vector_norm(senses[:, 1:], dim=3).square_().masked_fill_(~is_real[:, 1:], torch.inf)
    taken = torch.empty(n_words, k, m, dtype=torch.int64)  # index of the sense taken from each token
    taken[:, :, 0] = torch.arange(k)
    for place in range(1, m):
        products = torch.bmm(senses[:, 0], senses[:, place].mT)  # (W, k, k)
        for before in range(1, place):
            rows = taken[:, :, before, None].expand(-1, -1, k)
            products += torch.bmm(senses[:, before], senses[:, place].mT).gather(1, rows)
        taken[:, :, place] = torch.add(square[:, place - 1, None], products, alpha=-2.0 / place).argmin(2)
    taken += torch.arange(n_words * m).view(n_words, 1, m) * k
    return torch.nn.functional.embedding_bag(taken.flatten(0, 1), senses.view(-1, d), mode="mean").view(n_words, k, d)


def _key_matrix(dictionary: SenseDictionary, token_ids: pa.ListArray, n_tokens: Int64, max_tokens: int) -> Int64:
    """Return the keys (words, max_tokens) of each word's tokens: -1 for tokens without senses, -2 for padding."""
    flat = np.asarray(token_ids.flatten())
    table = np.append(dictionary.token_key, -1)
    keys = table[np.minimum(flat, len(table) - 1)]
    matrix = np.full((len(n_tokens), max_tokens), -2, dtype=np.int64)
    starts = np.cumsum(n_tokens) - n_tokens
    for place in range(max_tokens):
        has = n_tokens > place
        matrix[has, place] = keys[starts[has] + place]
    return matrix
