"""Which rows make up a step, and which positions of them supervise: functions of data, seed and epoch alone.

Nothing depends on how many processes there are, on what ran before, or on global random state, so that a run can be
taken up at any step. Token j of a row is predicted at position t = j - 1 of the same row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from lexkit_distill.keys import occurrence_keys
from lexkit_distill.supervision.nearest import Availability
from lexkit_distill.training.encode import TokenData

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
_WINDOW = 50
"""Steps whose rows are sorted by length together: little padding, and still a random order."""


@dataclass(frozen=True)
class Positions:
    """The positions t of some rows that supervise, row by row."""

    rows: Int64
    """(n,) which of the rows."""
    places: Int64
    """(n,) place t in its row."""
    targets: Int64
    """(n,) the next token x_{t+1}."""
    words: Int64
    """(n,) the word of x_{t+1}, as `Supervision` has it."""
    sampled: Bool
    """(n,) whether L_sem is taken there."""


@dataclass(frozen=True)
class Batch:
    """Rows that go through the models together."""

    rows: Int64
    """(B,) in the data."""
    token_ids: Int64
    """(B, T), padded on the right with 0."""
    positions: Positions


class Batches:
    """The steps of a training.

    Args:
        data: rows of tokens.
        batch_size: rows of a step, over all processes.
        sample_rate: share of the positions with senses at which L_sem is taken.
        seed: of order and sample.
        available: which tokens and words have senses; None samples nothing.
    """

    def __init__(
        self,
        data: TokenData,
        batch_size: int,
        *,
        sample_rate: float = 0.4,
        seed: int = 0,
        available: Availability | None = None,
    ) -> None:
        self.data, self.batch_size, self.seed = data, batch_size, seed
        self._rate = sample_rate
        self._has_senses = (available.own, available.synonyms | available.antonyms) if available is not None else None
        self.steps_per_epoch = -(-len(data) // batch_size)

    def step(self, number: int) -> tuple[int, Int64]:
        """Return the epoch of step *number* (counted from 0 over all epochs) and its rows, longest first."""
        epoch, place = divmod(number, self.steps_per_epoch)
        return epoch, self._order(epoch)[place]

    @lru_cache(maxsize=2)  # noqa: B019
    def _order(self, epoch: int) -> list[Int64]:
        generator = np.random.default_rng([self.seed, epoch])
        order = generator.permutation(len(self.data))
        lengths = self.data.lengths
        window = self.batch_size * _WINDOW
        steps: list[Int64] = []
        for start in range(0, len(order), window):
            rows = order[start : start + window]
            rows = rows[np.argsort(-lengths[rows], kind="stable")]
            steps += [rows[first : first + self.batch_size] for first in range(0, len(rows), self.batch_size)]
        return [steps[place] for place in generator.permutation(len(steps))]

    def shares(self, rows: Int64, processes: int, micro: int) -> list[list[Int64]]:
        """Deal the rows of a step out: for each process as many lists of at most *micro* rows, some perhaps empty."""
        count = -(-self.batch_size // (processes * micro))
        shares = [rows[process::processes] for process in range(processes)]
        return [[share[place * micro : (place + 1) * micro] for place in range(count)] for share in shares]

    def batch(self, rows: Int64, epoch: int) -> Batch:
        """Return rows (B,) as a batch; no rows make one row of padding that supervises nothing."""
        lengths = self.data.lengths[rows]
        token_ids = np.zeros((max(len(rows), 1), max(int(lengths.max(initial=0)), 2)), dtype=np.int64)
        for place, row in enumerate(rows):
            token_ids[place, : lengths[place]] = self.data.token_ids[
                self.data.offsets[row] : self.data.offsets[row + 1]
            ]
        return Batch(rows, token_ids, self.positions(rows, epoch))

    def positions(self, rows: Int64, epoch: int) -> Positions:
        """Return the positions of rows (B,) that supervise: those before a target of the same row."""
        data = self.data
        lengths = data.lengths[rows]
        which = np.repeat(np.arange(len(rows)), lengths)
        place = np.arange(len(which)) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        index = data.offsets[rows][which] + place
        chosen = data.is_target[index] & (place > 0)
        which, place, index = which[chosen], place[chosen] - 1, index[chosen]
        targets, words = data.token_ids[index].astype(np.int64), data.words[index].astype(np.int64)
        sampled = np.zeros(len(targets), dtype=bool)
        if self._has_senses is not None:
            of_token, of_word = self._has_senses
            has_senses = of_token[targets] | ((words >= 0) & of_word[np.maximum(words, 0)])
            keys = occurrence_keys(self.seed * 1_000_003 + epoch, rows[which].astype(np.uint64), place)
            sampled = has_senses & (keys < np.uint64(min(int(self._rate * 2**64), 2**64 - 1)))
        return Positions(which, place, targets, words, sampled)


@dataclass(frozen=True)
class DataCounts:
    """How much of the data supervises; counts of senses are None without a dictionary."""

    rows: int
    tokens: int
    predicted: int
    """Positions that are predicted."""
    own_senses: int | None = None
    """Predicted positions whose token has senses of its own."""
    with_synonyms: int | None = None
    """Predicted positions whose word has synonyms with senses."""
    with_antonyms: int | None = None
    """Predicted positions whose word has antonyms with senses."""
    sampled: int | None = None
    """Positions at which the semantic loss is taken in the first epoch."""
    sampled_with_relations: int | None = None
    """Sampled positions whose word has synonyms or antonyms."""
    sampled_with_antonyms: int | None = None

    @property
    def share_with_relations(self) -> float | None:
        """The share of sampled positions whose word has synonyms or antonyms."""
        return None if not self.sampled else (self.sampled_with_relations or 0) / self.sampled


def count(batches: Batches, available: Availability | None) -> DataCounts:
    """Return how much of the data supervises, in the first epoch."""
    data = batches.data
    positions = batches.positions(np.arange(len(data)), 0)
    rows, tokens, predicted = len(data), len(data.token_ids), len(positions.targets)
    if available is None:
        return DataCounts(rows, tokens, predicted)
    is_word, words = positions.words >= 0, np.maximum(positions.words, 0)
    synonyms, antonyms = (is_word & part[words] for part in (available.synonyms, available.antonyms))
    sampled = positions.sampled
    return DataCounts(
        rows,
        tokens,
        predicted,
        own_senses=int(available.own[positions.targets].sum()),
        with_synonyms=int(synonyms.sum()),
        with_antonyms=int(antonyms.sum()),
        sampled=int(sampled.sum()),
        sampled_with_relations=int((sampled & (synonyms | antonyms)).sum()),
        sampled_with_antonyms=int((sampled & antonyms).sum()),
    )
