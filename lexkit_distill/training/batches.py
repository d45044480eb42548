"""Choose the rows of each step and the positions at which they supervise, depending on data, seed and epoch alone.

Nothing depends on the number of processes, on earlier steps, or on global random state, so a run can be resumed at any
step. Token j of a row is predicted at position t = j - 1 of the same row.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from lexkit_distill.errors import DataError
from lexkit_distill.random_keys import occurrence_keys
from lexkit_distill.supervision.nearest import Availability
from lexkit_distill.training.row_cache import TokenData

Int64 = npt.NDArray[np.int64]
Bool = npt.NDArray[np.bool_]
_WINDOW = 50
"""Number of steps within which rows are sorted by length, to reduce padding while the order of steps stays random."""
_MOST_ROWS = 1 << 31
"""Most rows in an epoch, since their order is kept in memory."""
_BLOCK = 1024
"""Rows whose positions are counted at a time."""


@dataclass(frozen=True)
class Positions:
    """The n positions of some rows that supervise, row by row."""

    rows: Int64
    """(n,) index of the row among these rows."""
    places: Int64
    """(n,) position t in the row."""
    targets: Int64
    """(n,) next token x_{t+1}."""
    words: Int64
    """(n,) word of x_{t+1}, as defined by `Supervision`."""
    sampled: Bool
    """(n,) whether L_sem is computed at the position."""


@dataclass(frozen=True)
class Batch:
    """Rows that go through the models together."""

    rows: Int64
    """(B,) indices of the rows in the data."""
    token_ids: Int64
    """(B, T) token ids, padded on the right with 0."""
    positions: Positions


class Batches:
    """The rows of each training step.

    Args:
        data: rows of tokens.
        batch_size: rows of a step, over all processes.
        sample_rate: share of the positions with senses at which L_sem is computed.
        seed: seed for the order of rows and the sampled positions.
        available: which tokens and words have senses; None samples no positions.
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
        self._passes = [_passes(*source) for source in data.sources]
        self.rows_per_epoch = sum(
            whole * source.rows + more for source, (whole, more) in zip(data.sources, self._passes, strict=True)
        )
        if self.rows_per_epoch > _MOST_ROWS:
            raise DataError(
                f"an epoch has {self.rows_per_epoch:,} rows, at most {_MOST_ROWS:,} are possible; give --data lower "
                "weights"
            )
        self._orders: dict[int, tuple[Int64, Int64]] = {}
        self.steps_per_epoch = -(-self.rows_per_epoch // batch_size)

    def step(self, number: int) -> tuple[int, Int64]:
        """Return the epoch of step *number* (counted from 0 over all epochs) and its rows, longest first."""
        epoch, place = divmod(number, self.steps_per_epoch)
        rows, steps = self._order(epoch)
        start = steps[place] * self.batch_size
        return epoch, rows[start : start + self.batch_size]

    def _order(self, epoch: int) -> tuple[Int64, Int64]:
        """Return the rows of an epoch, divided into steps of *batch_size* rows, and the order of these steps."""
        orders = self._orders  # the thread that prepares the next step may replace this dict, but never modifies it
        if epoch in orders:
            return orders[epoch]
        order = self._drawn(epoch)
        self._orders = {kept: orders[kept] for kept in (epoch - 1,) if kept in orders} | {epoch: order}
        return order

    def _drawn(self, epoch: int) -> tuple[Int64, Int64]:
        generator = np.random.default_rng([self.seed, epoch])
        rows = self.epoch_rows(epoch)[generator.permutation(self.rows_per_epoch)]
        window = self.batch_size * _WINDOW
        for start in range(0, len(rows), window):
            some = rows[start : start + window]
            some[:] = some[np.argsort(-self.data.lengths_of(some), kind="stable")]
        return rows, generator.permutation(self.steps_per_epoch)

    def epoch_rows(self, epoch: int) -> Int64:
        """Return the rows of an epoch, file by file, each repeated according to its file's weight."""
        parts: list[Int64] = []
        first = 0
        for number, (source, (whole, more)) in enumerate(zip(self.data.sources, self._passes, strict=True), 1):
            parts.append(np.repeat(np.arange(first, first + source.rows), whole))
            if more:
                drawn = np.random.default_rng([self.seed, epoch, number]).permutation(source.rows)[:more]
                parts.append(first + np.sort(drawn))
            first += source.rows
        return np.concatenate(parts)

    def shares(self, rows: Int64, processes: int, micro: int) -> list[list[Int64]]:
        """Divide a step's rows among processes; each gets the same number of lists of 0 to *micro* rows."""
        count = -(-self.batch_size // (processes * micro))
        shares = [rows[process::processes] for process in range(processes)]
        return [[share[place * micro : (place + 1) * micro] for place in range(count)] for share in shares]

    def batch(self, rows: Int64, epoch: int) -> Batch:
        """Return rows (B,) as a batch. Without rows, the batch is one row of padding without positions."""
        lengths = self.data.lengths_of(rows)
        token_ids = np.zeros((max(len(rows), 1), max(int(lengths.max(initial=0)), 2)), dtype=np.int64)
        for place, row in enumerate(rows):
            token_ids[place, : lengths[place]] = self.data.token_ids[
                self.data.offsets[row] : self.data.offsets[row + 1]
            ]
        return Batch(rows, token_ids, self.positions(rows, epoch))

    def positions(self, rows: Int64, epoch: int) -> Positions:
        """Return the positions of rows (B,) that supervise: those directly before a target in the same row."""
        data = self.data
        lengths = data.lengths_of(rows)
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
    """Counts of the first epoch's rows and positions; counts about senses are None without a dictionary."""

    rows: int
    tokens: int
    predicted: int
    """Number of predicted positions."""
    own_senses: int | None = None
    """Predicted positions whose token has senses of its own."""
    with_synonyms: int | None = None
    """Predicted positions whose word has synonyms with senses."""
    with_antonyms: int | None = None
    """Predicted positions whose word has antonyms with senses."""
    sampled: int | None = None
    """Positions at which the semantic loss is computed."""
    sampled_with_relations: int | None = None
    """Sampled positions whose word has synonyms or antonyms."""
    sampled_with_antonyms: int | None = None

    @property
    def share_with_relations(self) -> float | None:
        """Share of sampled positions whose word has synonyms or antonyms; None if no position is sampled."""
        return None if not self.sampled else (self.sampled_with_relations or 0) / self.sampled


def count(batches: Batches, available: Availability | None) -> DataCounts:
    """Count the rows and positions of the first epoch."""
    rows = batches.epoch_rows(0)
    tokens = predicted = 0
    of_senses = np.zeros(6, dtype=np.int64)
    for start in range(0, len(rows), _BLOCK):
        some = rows[start : start + _BLOCK]
        positions = batches.positions(some, 0)
        tokens += int(batches.data.lengths_of(some).sum())
        predicted += len(positions.targets)
        if available is not None:
            of_senses += _count_senses(positions, available)
    return DataCounts(len(rows), tokens, predicted, *(of_senses.tolist() if available is not None else ()))


def _count_senses(positions: Positions, available: Availability) -> list[int]:
    """Return the counts about senses, in the order of `DataCounts`."""
    is_word, words, sampled = positions.words >= 0, np.maximum(positions.words, 0), positions.sampled
    own = available.own[positions.targets]
    synonyms, antonyms = (is_word & part[words] for part in (available.synonyms, available.antonyms))
    parts = (own, synonyms, antonyms, sampled, sampled & (synonyms | antonyms), sampled & antonyms)
    return [int(part.sum()) for part in parts]


def _passes(rows: int, weight: float) -> tuple[int, int]:
    """Return how often every row of a file is used in an epoch, and how many of its rows are used once more."""
    return divmod(max(round(weight * rows), 1), rows) if rows else (0, 0)
