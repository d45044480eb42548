"""The senses that supervise a position: the kappa nearest to the teacher's m_t in P and in A (paper, section 4.2)."""

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

_AUTO_GAMMA_SENSES = 4096


class Candidates(NamedTuple):
    """Rows of the dictionary that supervise each position, -1 where there are fewer than kappa."""

    positive: Tensor
    """P (n, kappa), nearest to m_t first."""
    negative: Tensor
    """A (n, kappa), nearest to m_t first."""


@dataclass(frozen=True)
class RowLists:
    """Lists of rows in compressed sparse row form, on the device."""

    offsets: Tensor
    """(n + 1,)"""
    rows: Tensor
    """List i is rows[offsets[i]:offsets[i + 1]]."""

    def counts(self, which: Tensor) -> Tensor:
        """Return the lengths (m,) of the lists *which* (m,); -1 stands for an empty one."""
        known = which.clamp_min(0)
        return torch.where(which >= 0, self.offsets[known + 1] - self.offsets[known], 0)

    @property
    def owners(self) -> Tensor:
        """The list that each of the rows is in."""
        lists = torch.arange(len(self.offsets) - 1, device=self.offsets.device)
        return torch.repeat_interleave(lists, self.offsets.diff())

    @classmethod
    def of_pairs(cls, owners: Tensor, rows: Tensor, number: int) -> RowLists:
        """Return *number* lists of the rows (n,) with these owners (n,); rows of a list keep their order."""
        order = torch.argsort(owners, stable=True)
        counts = torch.bincount(owners, minlength=number)
        return cls(torch.cat([counts.new_zeros(1), counts.cumsum(0)]), rows[order])


class CandidateLists(NamedTuple):
    """The candidates of every token and, behind those of tokens, of words of several tokens."""

    own: RowLists
    synonyms: RowLists
    antonyms: RowLists


class Availability(NamedTuple):
    """Whether there are candidates."""

    own: npt.NDArray[np.bool_]
    """(V,) whether a token has senses of its own."""
    synonyms: npt.NDArray[np.bool_]
    """(V + W,) whether a token, or a word of several tokens, has synonyms with senses."""
    antonyms: npt.NDArray[np.bool_]
    """(V + W,)"""


Deviation = Callable[[CandidateLists], CandidateLists]
"""Changes the candidates from those that the paper describes."""


class Supervision:
    """The candidates of every token and of every word of several tokens.

    A position is described by two numbers: the token x_{t+1}, and its *word*, which is that token again where the token
    is a whole word, V + the word's number where it is the last of a longer word, and -1 where it is neither.

    Args:
        dictionary: opened with the relations of a store.
        vocabulary: V, rows of the head.
        kappa: candidates to choose.
        max_neighbors: synonyms (and antonyms) of a token to consider.
        scale: the space of the distances.
        multi_token_words: whether words of several tokens have relations.
        deviation: changes the candidates, if given.
        device: where the tables are.
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
        deviation: Deviation | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        self.kappa, self.vocabulary, self.rows = kappa, vocabulary, dictionary.rows
        self.scale = scale if scale is not None else Scale()
        own = _lists([candidate_table(dictionary, "own")], vocabulary)
        related = []
        kinds: tuple[Literal["synonym", "antonym"], ...] = ("synonym", "antonym")
        for kind in kinds:
            tables = [candidate_table(dictionary, kind, max_neighbors=max_neighbors)]
            if multi_token_words and dictionary.relations is not None:
                tables.append(related_senses_of_words(dictionary, dictionary.relations, kind, max_neighbors))
            related.append(_lists(tables, vocabulary))
        lists = CandidateLists(own, *related)
        lists = deviation(lists) if deviation is not None else lists
        self.own, self.synonyms, self.antonyms = (
            RowLists(part.offsets.to(device), part.rows.to(device)) for part in lists
        )

    def available(self) -> Availability:
        """Return which tokens and words have candidates."""
        own, synonyms, antonyms = (part.offsets.diff() > 0 for part in (self.own, self.synonyms, self.antonyms))
        return Availability(*(part.cpu().numpy() for part in (own, synonyms, antonyms)))

    def choose(self, teacher_hidden: Tensor, tokens: Tensor, words: Tensor) -> Candidates:
        """Return the kappa nearest of each position's senses to the teacher's state.

        Args:
            teacher_hidden: m_t (n, d).
            tokens: x_{t+1} (n,).
            words: (n,) see above.
        """
        n = len(tokens)
        none = torch.full_like(tokens, -1)
        # P and A of all positions are one batch of 2n queries
        own = torch.cat([tokens, none])
        found, query = [], []
        for lists, which in (
            (self.own, own),
            (self.synonyms, torch.cat([words, none])),
            (self.antonyms, torch.cat([none, words])),
        ):
            part, owner = _take(lists, which)
            found.append(part)
            query.append(owner)
        rows, queries = torch.cat(found), torch.cat(query)
        # A word's synonym may be its own last token; a set has it once
        first = self.own.offsets[own.clamp_min(0)]
        begin = self.own.rows[first.clamp_max(len(self.own.rows) - 1)][queries]
        again = (rows >= begin) & (rows < begin + self.own.counts(own)[queries])
        again[: len(found[0])] = False
        rows, queries = rows[~again], queries[~again]
        order = torch.argsort(queries, stable=True)
        chosen = self._nearest(teacher_hidden, rows[order], queries[order], n)
        return Candidates(chosen[:n], chosen[n:])

    def _nearest(self, teacher_hidden: Tensor, rows: Tensor, queries: Tensor, n: int) -> Tensor:
        """The kappa rows nearest to each of 2n queries, -1 where there are fewer; rows come query by query."""
        counts = torch.bincount(queries, minlength=2 * n)
        ends = counts.cumsum(0)
        unique, place = torch.unique(rows, return_inverse=True)
        senses = self.senses(unique, teacher_hidden.device, torch.float32)
        hidden = self.scale(teacher_hidden.float()).repeat(2, 1)
        dots = pair_dots(hidden, senses, torch.cat([ends.new_zeros(1), ends]), place, queries)
        distances = torch.linalg.vector_norm(senses, dim=1).square_()[place].sub_(dots, alpha=2)  # less |m|^2
        width = int(counts.max()) if n else 0
        padded = distances.new_full((2 * n, max(width, self.kappa)), torch.inf)
        column = torch.arange(len(rows), device=rows.device) - (ends - counts)[queries]
        padded[queries, column] = distances
        nearest = padded.topk(self.kappa, dim=1, largest=False)
        index = (nearest.indices + (ends - counts)[:, None]).clamp_max(max(len(rows) - 1, 0))
        taken = rows[index] if len(rows) else torch.full_like(index, -1)
        return torch.where(nearest.values.isinf(), -1, taken)

    def senses(self, rows: Tensor, device: torch.device, dtype: torch.dtype) -> Tensor:
        """Return the scaled senses (n, d) at *rows* (n,)."""
        return self.scale(torch.index_select(self.rows, 0, rows.to(self.rows.device)).to(device, dtype))

    def gathered(self, candidates: Candidates, device: torch.device) -> tuple[Candidates, Tensor]:
        """Return candidates as places in the second part, the (scaled) senses (E, d) that they name in order."""
        rows = torch.cat(candidates, 1)
        known = rows >= 0
        place = torch.where(known, known.flatten().cumsum(0).view_as(rows) - 1, -1)
        positive, negative = place.chunk(2, dim=1)
        return Candidates(positive, negative), self.senses(rows[known], device, torch.float32)

    def gathered_by_row(
        self, candidates: Candidates, rows: Tensor, device: torch.device
    ) -> tuple[Candidates, Tensor, Tensor]:
        """Return candidates as places in the second part, the senses (E, d) as they are, and the row (E,) of each.

        A sense is there once for each of the *rows* (n,) of the data that has it as a candidate.
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
        """Return a margin from the dictionary's own spread.

        It is the median, over senses of tokens that have antonyms, of the mean MSE to the kappa nearest senses of those
        antonyms: at that margin half of the hinges are active for a student that is where a sense of the token is.
        """
        tokens = torch.arange(len(self.own.offsets) - 1, device=self.own.offsets.device)
        tokens = tokens[(self.own.counts(tokens) > 0) & (self.antonyms.counts(tokens) > 0)]
        if not len(tokens):
            return 1.0
        rows, owner = _take(self.own, tokens)
        step = -(-len(rows) // _AUTO_GAMMA_SENSES)
        rows, owner = rows[::step], tokens[owner[::step]]
        senses = self.rows[rows.to(self.rows.device)].to(rows.device, torch.float32)
        means = []
        for part, part_owner in zip(torch.split(senses, 256), torch.split(owner, 256), strict=True):
            candidates = self.choose(part, part_owner, part_owner).negative
            known = candidates >= 0
            anti = self.senses(candidates.clamp_min(0).flatten(), part.device, torch.float32)
            mse = (self.scale(part)[:, None] - anti.view(*candidates.shape, -1)).square().mean(-1)
            means.append((mse * known).sum(1) / known.sum(1).clamp_min(1))
        return float(torch.cat(means).median())


def pair_dots(left: Tensor, right: Tensor, offsets: Tensor, columns: Tensor, rows: Tensor) -> Tensor:
    """Return the dot products (E,) of left[rows[e]] and right[columns[e]]: a sampled dense-dense product.

    Args:
        left: (n, d).
        right: (m, d).
        offsets: (n + 1,) where each row of *left* begins among the pairs.
        columns: (E,)
        rows: (E,) in ascending order.
    """
    if left.device.type not in ("cpu", "cuda"):
        parts = zip(torch.split(rows, 1 << 14), torch.split(columns, 1 << 14), strict=True)
        return torch.cat([torch.linalg.vecdot(left[a], right[b]) for a, b in parts]) if len(rows) else left.new_empty(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # sparse CSR is called beta
        pattern = torch.sparse_csr_tensor(
            offsets, columns, left.new_zeros(len(columns)), (len(left), len(right)), check_invariants=False
        )
        dots: Tensor = torch.sparse.sampled_addmm(pattern, left, right.T, beta=0.0).values()
    return dots


def _take(lists: RowLists, which: Tensor) -> tuple[Tensor, Tensor]:
    """The rows of all lists *which* (m,), one after the other, and for each the place in *which* it is for."""
    counts = lists.counts(which)
    owner = torch.repeat_interleave(torch.arange(len(which), device=which.device), counts)
    start = lists.offsets[which.clamp_min(0)] - (counts.cumsum(0) - counts)
    index = torch.arange(len(owner), device=which.device) + start[owner]
    return lists.rows[index], owner


def _lists(tables: list[CandidateTable], vocabulary: int) -> RowLists:
    """Lists of tokens, padded to the vocabulary, and behind them those of words."""
    offsets, rows = [torch.zeros(1, dtype=torch.int64)], []
    for number, table in enumerate(tables):
        counts = torch.from_numpy(table.offsets).diff()
        if number == 0:
            counts = torch.nn.functional.pad(counts, (0, vocabulary - len(counts)))
        offsets.append(offsets[-1][-1] + counts.cumsum(0))
        rows.append(torch.from_numpy(table.rows))
    return RowLists(torch.cat(offsets), torch.cat(rows))
