"""Choose the senses that supervise a position: the kappa of P and of A nearest to m_t (paper, section 4.2)."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.supervision.candidates import CandidateTable, candidate_table, related_senses_of_words
from lexkit_distill.supervision.scale import Scale

Int64 = npt.NDArray[np.int64]
_AUTO_GAMMA_SENSES = 4096
"""Senses, at most about this many, from which --gamma auto is computed."""
_PRODUCTS = 1 << 27
"""Inner products of positions and senses that a GPU computes at a time: 0.5 GB in fp32."""


class Candidates(NamedTuple):
    """The senses that supervise each of n positions, padded with -1 if there are fewer than kappa."""

    positive: Tensor
    """(n, kappa) senses of P, nearest to m_t first."""
    negative: Tensor
    """(n, kappa) senses of A, nearest to m_t first."""


class CandidatePool(NamedTuple):
    """All senses from which the candidates of n positions are chosen.

    A pool depends only on the data and the dictionary, so the CPU prepares it while a GPU computes the step before. It
    has 2n queries: P of each position, followed by A of each position.
    """

    rows: Tensor
    """(U,) distinct dictionary rows in ascending order."""
    places: Tensor
    """(E,) index in `rows` of the sense of each pair of query and sense; pairs are grouped by query."""
    queries: Tensor
    """(E,) query of each pair."""
    offsets: Tensor
    """(2n + 1,) index of the first pair of each query."""
    columns: Tensor
    """(E,) index of each pair within its query."""
    filled: Tensor
    """(K,) flat indices of the entries of the (n, 2 kappa) table of candidates that are not padding."""
    width: int
    """Largest number of senses of a query."""

    def moved(self, move: Callable[[Tensor], Tensor]) -> CandidatePool:
        """Return a copy of the pool with *move* applied to every tensor."""
        rows, places, queries = move(self.rows), move(self.places), move(self.queries)
        return CandidatePool(
            rows, places, queries, move(self.offsets), move(self.columns), move(self.filled), self.width
        )


@dataclass(frozen=True)
class RowLists:
    """Lists of dictionary rows, in compressed sparse row form."""

    offsets: Tensor
    """(n + 1,) where each list begins."""
    rows: Tensor
    """(E,) entries of all lists; list i is rows[offsets[i]:offsets[i + 1]]."""

    @property
    def owners(self) -> Tensor:
        """(E,) index of the list that each entry belongs to."""
        lists = torch.arange(len(self.offsets) - 1, device=self.offsets.device)
        return torch.repeat_interleave(lists, self.offsets.diff())

    @classmethod
    def of_pairs(cls, owners: Tensor, rows: Tensor, number: int) -> RowLists:
        """Group *rows* (n,) into *number* lists by *owners* (n,), the index of each row's list. The order is stable."""
        order = torch.argsort(owners, stable=True)
        counts = torch.bincount(owners, minlength=number)
        return cls(torch.cat([counts.new_zeros(1), counts.cumsum(0)]), rows[order])


class CandidateLists(NamedTuple):
    """The candidates of every token, followed by those of words of several tokens."""

    own: RowLists
    synonyms: RowLists
    antonyms: RowLists


class Availability(NamedTuple):
    """Which tokens, and which of the W words of several tokens, have candidates."""

    own: npt.NDArray[np.bool_]
    """(V,) whether each token has senses of its own."""
    synonyms: npt.NDArray[np.bool_]
    """(V + W,) whether each token or word has synonyms with senses."""
    antonyms: npt.NDArray[np.bool_]
    """(V + W,) whether each token or word has antonyms with senses."""


Deviation = Callable[[CandidateLists], CandidateLists]
"""Function that changes the candidates to differ from the paper, as `OfficialCode.candidates` does."""


class Supervision:
    """The candidates of every token and of every word of several tokens.

    A position is described by two numbers: the token x_{t+1} and its *word*. The word is the token itself if the token
    is a whole word, V + the word's index in the relations if the token is the last of a longer word, and -1 otherwise.

    Args:
        dictionary: a dictionary opened with the relations of a store.
        vocabulary: rows of the head (V).
        kappa: number of candidates of each kind to choose for a position.
        max_neighbors: most synonyms, and most antonyms, of a token to consider.
        scale: how vectors are scaled before distances are computed; by default, not at all.
        multi_token_words: whether words of several tokens have relations.
        forms: whether a token that is a form of a word uses the word's relations.
        deviation: changes the candidates, if given.
    """

    def __init__(
        self,
        dictionary: SenseDictionary,
        vocabulary: int,
        *,
        kappa: int = 5,
        max_neighbors: int = 25,
        scale: Scale | None = None,
        multi_token_words: bool = False,
        forms: bool = False,
        deviation: Deviation | None = None,
    ) -> None:
        self.kappa, self.vocabulary, self.rows = kappa, vocabulary, dictionary.rows
        self.scale = scale if scale is not None else Scale()
        own = _lists([candidate_table(dictionary, "own")], vocabulary)
        related = []
        kinds: tuple[Literal["synonym", "antonym"], ...] = ("synonym", "antonym")
        for kind in kinds:
            tables = [candidate_table(dictionary, kind, max_neighbors=max_neighbors, forms=forms)]
            if multi_token_words and dictionary.relations is not None:
                tables.append(related_senses_of_words(dictionary, dictionary.relations, kind, max_neighbors))
            related.append(_lists(tables, vocabulary))
        lists = CandidateLists(own, *related)
        lists = deviation(lists) if deviation is not None else lists
        self.own, self.synonyms, self.antonyms = lists

    def available(self) -> Availability:
        """Return which tokens and words have candidates."""
        own, synonyms, antonyms = (part.offsets.diff() > 0 for part in (self.own, self.synonyms, self.antonyms))
        return Availability(*(part.numpy() for part in (own, synonyms, antonyms)))

    def pool(self, tokens: Int64, words: Int64) -> CandidatePool:
        """Return the pool of senses for n positions, on the CPU.

        Args:
            tokens: (n,) tokens x_{t+1}.
            words: (n,) their words, as defined by this class.
        """
        n = len(tokens)
        own, own_query = _take(self.own, tokens)
        synonyms, synonym_query = _take(self.synonyms, words)
        antonyms, antonym_query = _take(self.antonyms, words)
        # A synonym of a word may be the word's own last token: remove duplicates of own senses
        begin, end = (self.own.offsets.numpy()[tokens + shift] for shift in (0, 1))
        first = self.own.rows.numpy()[np.minimum(begin, len(self.own.rows) - 1)][synonym_query]
        again = (synonyms >= first) & (synonyms < first + (end - begin)[synonym_query])
        synonyms, synonym_query = synonyms[~again], synonym_query[~again]
        counts = np.bincount(own_query, minlength=2 * n) + np.bincount(synonym_query, minlength=2 * n)
        counts[n:] = np.bincount(antonym_query, minlength=n)
        offsets = np.r_[0, np.cumsum(counts)]
        # Each query lists own senses before those of synonyms
        rows = np.empty(offsets[-1], dtype=np.int64)
        rows[_within(own_query) + offsets[own_query]] = own
        rows[_within(synonym_query) + offsets[synonym_query] + (end - begin)[synonym_query]] = synonyms
        rows[offsets[n] :] = antonyms
        present = np.zeros(len(self.rows), dtype=bool)
        present[rows] = True
        unique = np.flatnonzero(present)
        place = np.empty(len(present), dtype=np.int64)
        place[unique] = np.arange(len(unique))
        queries = np.repeat(np.arange(2 * n), counts)
        found = np.minimum(counts, self.kappa).reshape(2, n).T[:, :, None]  # (n, 2, 1)
        filled = np.flatnonzero(np.arange(self.kappa) < found)
        columns = np.arange(len(rows)) - offsets[queries]
        of = torch.from_numpy
        places, width = of(place[rows]), int(counts.max(initial=0))
        return CandidatePool(of(unique), places, of(queries), of(offsets), of(columns), of(filled), width)

    def choose(self, teacher_hidden: Tensor, tokens: Tensor, words: Tensor) -> Candidates:
        """Return the dictionary rows of the kappa senses of each position that are nearest to the teacher's state.

        Args:
            teacher_hidden: m_t (n, d).
            tokens: (n,) tokens x_{t+1}, on the CPU.
            words: (n,) their words, as defined by this class, on the CPU.
        """
        pool = self.pool(tokens.numpy(), words.numpy())
        senses = self.senses(pool.rows, teacher_hidden.device)
        pool = pool.moved(lambda part: part.to(teacher_hidden.device))
        return Candidates(*(rows_of(pool, part) for part in self.nearest(teacher_hidden, pool, senses)))

    def nearest(self, teacher_hidden: Tensor, pool: CandidatePool, senses: Tensor) -> Candidates:
        """Return the kappa senses of each position that are nearest to the teacher's state, as indices into *senses*.

        Args:
            teacher_hidden: m_t (n, d).
            pool: pool of these positions, on the device of the states.
            senses: (U, d) scaled senses of the pool.
        """
        n, pairs = len(teacher_hidden), len(pool.places)
        hidden = self.scale(teacher_hidden if self.scale.kind == "none" else teacher_hidden.float())
        dots = _dots(hidden, senses, pool)
        squares = torch.linalg.vector_norm(senses, dim=1, dtype=torch.float32).square_()
        distances = squares[pool.places].sub_(dots, alpha=2)  # without |m|^2, which does not change the order
        padded = distances.new_full((2 * n, max(pool.width, self.kappa)), torch.inf)
        padded[pool.queries, pool.columns] = distances
        nearest = padded.topk(self.kappa, dim=1, largest=False)
        index = (nearest.indices + pool.offsets[:-1, None]).clamp_max(max(pairs - 1, 0))
        places = pool.places[index] if pairs else torch.full_like(index, -1)
        chosen = torch.where(nearest.values.isinf(), -1, places)
        return Candidates(chosen[:n], chosen[n:])

    def senses(self, rows: Tensor, device: torch.device) -> Tensor:
        """Return the scaled senses (n, d) at *rows* (n,), in fp32 or, as `scaled` explains, in the stored precision."""
        return self.scaled(torch.index_select(self.rows, 0, rows.to(self.rows.device)).to(device))

    def scaled(self, senses: Tensor) -> Tensor:
        """Return scaled senses (n, d) in fp32; without a scale, a GPU keeps the stored precision and converts later."""
        as_stored = self.scale.kind == "none" and senses.device.type == "cuda"
        return senses if as_stored else self.scale(senses.float())

    def gathered(self, candidates: Candidates, device: torch.device) -> tuple[Candidates, Tensor]:
        """Convert candidates from dictionary rows to indices into the gathered, scaled senses (E, d); return both."""
        rows = torch.cat(candidates, 1)
        known = rows >= 0
        place = torch.where(known, known.flatten().cumsum(0).view_as(rows) - 1, -1)
        positive, negative = place.chunk(2, dim=1)
        return Candidates(positive.to(device), negative.to(device)), self.senses(rows[known], device)

    def gathered_by_row(
        self, candidates: Candidates, rows: Tensor, device: torch.device
    ) -> tuple[Candidates, Tensor, Tensor]:
        """Gather the senses of candidates once for each data row that uses them.

        Args:
            candidates: dictionary rows of n positions.
            rows: (n,) data row of each position.
            device: where to put the senses.

        Returns:
            The candidates as indices into the senses, the unscaled senses (E, d), and the data row (E,) of each sense.
        """
        places = torch.cat(candidates, 1)
        known = places >= 0
        pairs, place = torch.unique(
            rows[:, None].expand_as(places)[known] * len(self.rows) + places[known], return_inverse=True
        )
        result = torch.full_like(places, -1)
        result[known] = place
        positive, negative = result.chunk(2, dim=1)
        chosen = pairs % len(self.rows)
        senses = torch.index_select(self.rows, 0, chosen.to(self.rows.device)).to(device, torch.float32)
        return Candidates(positive, negative), senses, pairs // len(self.rows)

    def auto_gamma(self) -> float:
        """Return the margin gamma that fits the spread of the dictionary.

        It is the median, over the senses of tokens that have antonyms, of the mean MSE to the kappa nearest senses of
        those antonyms. With this margin, half of the hinges are active for a student whose states are the senses.
        """
        own, antonyms = (lists.offsets.diff() > 0 for lists in (self.own, self.antonyms))
        tokens = (own & antonyms[: len(own)]).nonzero().flatten()
        if not len(tokens):
            return 1.0
        rows, owner = (torch.from_numpy(part) for part in _take(self.own, tokens.numpy()))
        step = -(-len(rows) // _AUTO_GAMMA_SENSES)
        rows, owner = rows[::step], tokens[owner[::step]]
        senses = self.rows[rows.to(self.rows.device)].float()
        means = []
        for part, part_owner in zip(torch.split(senses, 256), torch.split(owner, 256), strict=True):
            candidates = self.choose(part, part_owner, part_owner).negative
            known = candidates >= 0
            anti = self.senses(candidates.clamp_min(0).flatten(), part.device).float()
            mse = (self.scale(part)[:, None] - anti.view(*candidates.shape, -1)).square().mean(-1)
            means.append((mse * known).sum(1) / known.sum(1).clamp_min(1))
        return float(torch.cat(means).median())


def pair_dots(left: Tensor, right: Tensor, offsets: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return the dot products (E,) of left[rows[e]] and right[columns[e]]: a sampled dense-dense product.

    Args:
        left: (n, d) vectors.
        right: (m, d) vectors.
        offsets: (n + 1,) index of the first pair of each row of *left*.
        columns: (E,) row of *right* of each pair.
        rows: (E,) row of *left* of each pair, in ascending order.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # PyTorch warns that sparse CSR is in beta
        pattern = torch.sparse_csr_tensor(
            offsets, columns, left.new_zeros(len(columns)), (len(left), len(right)), check_invariants=False
        )
        dots: Tensor = torch.sparse.sampled_addmm(pattern, left, right.T, beta=0.0).values()
    return dots


def rows_of(pool: CandidatePool, places: Tensor) -> Tensor:
    """Convert indices into a pool to dictionary rows; -1 stays -1."""
    if not len(pool.rows):
        return places
    return torch.where(places >= 0, pool.rows[places.clamp_min(0)], -1)


def places_of(pool: CandidatePool, candidates: Candidates) -> Candidates:
    """Convert candidates from dictionary rows to indices into a pool; -1 stays -1."""
    if not len(pool.rows):
        return Candidates(*(part.long() for part in candidates))
    return Candidates(*(torch.where(part >= 0, torch.searchsorted(pool.rows, part.long()), -1) for part in candidates))


def _dots(hidden: Tensor, senses: Tensor, pool: CandidatePool) -> Tensor:
    """Return the inner products (E,) of the pool's pairs, in fp32."""
    if hidden.device.type == "cpu":
        return pair_dots(hidden.float().repeat(2, 1), senses, pool.offsets, pool.places, pool.queries)
    return _products(hidden, senses, pool)


def _products(hidden: Tensor, senses: Tensor, pool: CandidatePool) -> Tensor:
    """Return the same as `_dots` by multiplying all positions with all senses, faster on a GPU than gathering pairs."""
    n = len(hidden)
    row = torch.where(pool.queries < n, pool.queries, pool.queries - n)
    dots = hidden.new_zeros(len(row), dtype=torch.float32)
    step = max(_PRODUCTS // max(n, 1) // 8 * 8, 8)
    for first in range(0, len(senses), step):
        part = senses[first : first + step]
        # Fast kernels need output rows that are aligned to 16 bytes
        part = torch.nn.functional.pad(part, (0, 0, 0, -len(part) % 8))
        if hidden.device.type == "cuda" and hidden.dtype == part.dtype == torch.bfloat16:
            products = torch.mm(hidden, part.T, out_dtype=torch.float32)
        else:
            products = hidden.float() @ part.float().T
        place = pool.places - first
        found = products[row, place.clamp(0, len(part) - 1)]
        dots = torch.where((place >= 0) & (place < len(part)), found, dots)
    return dots


def _take(lists: RowLists, which: Int64) -> tuple[Int64, Int64]:
    """Concatenate the lists with indices *which* (m,); return the rows, and for each its index in *which*."""
    offsets, known = lists.offsets.numpy(), np.maximum(which, 0)
    counts = np.where(which >= 0, offsets[known + 1] - offsets[known], 0)
    owner = np.repeat(np.arange(len(which)), counts)
    start = offsets[known] - (np.cumsum(counts) - counts)
    return lists.rows.numpy()[np.arange(len(owner)) + start[owner]], owner


def _within(groups: Int64) -> Int64:
    """Return 0, 1, 2 ... within each run of equal numbers; *groups* is sorted."""
    return np.arange(len(groups)) - np.searchsorted(groups, groups)


def _lists(tables: list[CandidateTable], vocabulary: int) -> RowLists:
    """Join the lists of tokens (the first table, padded to the vocabulary) and of words (the second, if any)."""
    offsets, rows = [torch.zeros(1, dtype=torch.int64)], []
    for number, table in enumerate(tables):
        counts = torch.from_numpy(table.offsets).diff()
        if number == 0:
            counts = torch.nn.functional.pad(counts, (0, vocabulary - len(counts)))
        offsets.append(offsets[-1][-1] + counts.cumsum(0))
        rows.append(torch.from_numpy(table.rows))
    return RowLists(torch.cat(offsets), torch.cat(rows))
