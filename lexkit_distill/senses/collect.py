"""Collect the teacher's hidden states for a uniform sample of each token's occurrences (paper, section 3.1)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexkit.progress import Progress
from lexkit_distill.errors import SampleError
from lexkit_distill.random_keys import occurrence_keys
from lexkit_distill.senses.config import Anchor
from lexkit_distill.senses.plan import PieceBatch, Plan, batches
from lexkit_distill.senses.sample import Int64, Occurrences, Sampler, done_batches
from lexkit_distill.stopping import StopSignals

if TYPE_CHECKING:
    from lexkit_distill.teacher import Teacher

CHECKPOINT = 300.0
"""Seconds between writes of buffered states: the most work that a killed run has to repeat."""


@torch.inference_mode()
def collect(
    teacher: Teacher,
    plan: Plan,
    sampler: Sampler,
    share: Iterator[PieceBatch],
    *,
    anchor: Anchor,
    seed: int,
    progress: Progress,
) -> int | None:
    """Run batches through the teacher and offer their states to the sampler.

    Ctrl-C or SIGTERM stops this after the current batch.

    Args:
        teacher: a model in evaluation mode.
        plan: the plan that the batches come from.
        sampler: keeps the sample.
        share: the batches of this process.
        anchor: token that a state belongs to: the teacher's prediction there, the true next token, or the token read.
        seed: seed of the sample.
        progress: reports the number of tokens that this process has read, of all tokens in the plan.

    Returns:
        The signal that stopped the run, if any.

    Raises:
        SampleError: hidden states are not finite.
    """
    tokens = 0
    flushed = monotonic()
    with StopSignals() as signals:
        for found in _passed(teacher, share, anchor):
            batch = found.batch
            found.check_finite(teacher)
            kept = np.flatnonzero(~teacher.special_ids.numpy()[found.anchors])
            rows, positions, anchors = found.rows[kept], found.positions[kept], found.anchors[kept]
            keys = occurrence_keys(seed, batch.documents[rows], batch.starts[rows] + positions)
            wanted = sampler.wanted(anchors, keys)
            occurrences = Occurrences(anchors, keys, rows + batch.first_row, positions)[wanted]
            sampler.add(batch.number, anchors, occurrences, found.states, kept[wanted])
            tokens += int(batch.lengths.sum())
            progress.count(tokens, plan.tokens, "tokens")
            if signals.number is not None:
                break
            if monotonic() - flushed > CHECKPOINT:
                sampler.flush()
                flushed = monotonic()
        sampler.flush()
        return signals.number


def share_of(plan: Plan, batch_tokens: int, folder: Path, process: int, processes: int) -> Iterator[PieceBatch]:
    """Return this process's share of the unfinished batches: every *processes*-th of them."""
    done = done_batches(folder, plan.batches)
    turn = np.cumsum(~done) - 1  # index among the unfinished batches
    mine = ~done & (turn % processes == process)
    return (batch for batch in batches(plan, batch_tokens) if mine[batch.number])


@dataclass(frozen=True)
class _Passed:
    """The teacher's states for a batch, without padding and special tokens, possibly still being copied to the CPU."""

    batch: PieceBatch
    rows: Int64
    """(n,) row of each state in the batch."""
    positions: Int64
    """(n,) position of each state in its row."""
    anchor_ids: Tensor
    """(n,) anchor tokens."""
    states: Tensor
    """(n, d) states in bf16."""
    finite: Tensor
    """() whether all states were finite before they were rounded."""
    arrived: torch.cuda.Event | None = None
    """Event that marks the end of the copy; None if the states are on the CPU already."""

    @property
    def anchors(self) -> Int64:
        """(n,) anchor tokens as an array."""
        anchors: Int64 = self.anchor_ids.numpy()
        return anchors

    def check_finite(self, teacher: Teacher) -> None:
        """Raise `SampleError` if a state is not finite."""
        if not self.finite:
            raise SampleError(
                f"{teacher.name}: hidden states are not finite in {teacher.model.dtype}, in batch {self.batch.number} "
                f"(row {self.batch.first_row} of the plan); use --dtype float32 or bfloat16"
            )


def _passed(teacher: Teacher, share: Iterator[PieceBatch], anchor: Anchor) -> Iterator[_Passed]:
    """Run batches through the teacher. A GPU starts the next batch before the previous one is yielded."""
    waiting: _Passed | None = None
    for batch in share:
        launched = _launched(teacher, batch, anchor)
        if launched.arrived is None:
            yield launched
            continue
        if waiting is not None:
            yield _arrived(waiting)
        waiting = launched
    if waiting is not None:
        yield _arrived(waiting)


def _arrived(passed: _Passed) -> _Passed:
    assert passed.arrived is not None
    passed.arrived.synchronize()
    return passed


def _launched(teacher: Teacher, batch: PieceBatch, anchor: Anchor) -> _Passed:
    """Run a batch through the teacher, without waiting for a GPU to finish."""
    is_cuda = teacher.device.type == "cuda"

    def moved(values: npt.NDArray[np.generic]) -> Tensor:
        tensor = torch.from_numpy(values)
        return tensor.pin_memory().to(teacher.device, non_blocking=True) if is_cuda else tensor.to(teacher.device)

    def fetched(tensor: Tensor) -> Tensor:
        if not is_cuda:
            return tensor.cpu()
        return torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True).copy_(tensor, non_blocking=True)

    ids, columns = batch.token_ids, np.arange(batch.token_ids.shape[1])
    real = (columns < batch.lengths[:, None]) & ~teacher.special_ids.numpy()[ids]
    if anchor == "next":
        real[:, -1] = False
        real[:, :-1] &= columns[1:] < batch.lengths[:, None]
    rows, positions = real.nonzero()
    hidden = teacher.last_hidden(moved(ids)).flatten(0, 1)
    states = hidden.index_select(0, moved(rows * ids.shape[1] + positions))
    following = positions + (anchor == "next")
    anchor_ids = fetched(teacher.predicted(states)) if anchor == "predicted" else torch.from_numpy(ids[rows, following])
    finite, in_half = fetched(torch.isfinite(states).all()), fetched(states.to(torch.bfloat16))
    arrived = torch.cuda.current_stream(teacher.device).record_event() if is_cuda else None
    return _Passed(batch, rows, positions, anchor_ids, in_half, finite, arrived)
