"""The teacher pass (paper, section 3.1): hidden states of a uniform sample of every token's occurrences."""

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
from lexkit_distill.keys import occurrence_keys
from lexkit_distill.senses.config import Anchor
from lexkit_distill.senses.plan import PieceBatch, Plan, batches
from lexkit_distill.senses.sample import Int64, Occurrences, Sampler, done_batches
from lexkit_distill.stopping import StopSignals

if TYPE_CHECKING:
    from lexkit_distill.teacher import Teacher

CHECKPOINT = 300.0
"""Seconds after which what memory holds is written at the latest: what a killed run has to do again."""


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

    Ctrl-C or SIGTERM ends this after the current batch.

    Args:
        teacher: in evaluation mode.
        plan: where the batches come from.
        sampler: keeps the sample.
        share: the batches of this process.
        anchor: which token a state belongs to: the teacher's argmax there, the true next token, or the token read.
        seed: chooses the sample.
        progress: told tokens, of the plan's total where this process is the only one.

    Returns:
        The signal that came, if one did.

    Raises:
        SampleError: hidden states that are not finite.
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
    """Return the batches that no process has done by now, every *processes*-th of them."""
    done = done_batches(folder, plan.batches)
    turn = np.cumsum(~done) - 1  # number among those still to do
    mine = ~done & (turn % processes == process)
    return (batch for batch in batches(plan, batch_tokens) if mine[batch.number])


@dataclass(frozen=True)
class _Passed:
    """What the teacher gives for a batch, without padding and special tokens, on its way to the processor."""

    batch: PieceBatch
    rows: Int64
    """(n,) rows in the batch."""
    positions: Int64
    anchor_ids: Tensor
    """(n,) anchor tokens."""
    states: Tensor
    """(n, d) in bf16."""
    finite: Tensor
    """() whether all states are, before they were rounded."""
    arrived: torch.cuda.Event | None = None

    @property
    def anchors(self) -> Int64:
        """The anchor tokens."""
        anchors: Int64 = self.anchor_ids.numpy()
        return anchors

    def check_finite(self, teacher: Teacher) -> None:
        """Raise `SampleError` if a state is not finite."""
        if not self.finite:
            raise SampleError(
                f"{teacher.name}: hidden states that are not finite, in batch {self.batch.number} (row "
                f"{self.batch.first_row} of the plan), computed in {teacher.model.dtype}; use --dtype float32 or "
                "bfloat16"
            )


def _passed(teacher: Teacher, share: Iterator[PieceBatch], anchor: Anchor) -> Iterator[_Passed]:
    """Run batches through the teacher. A GPU begins with the next one before the last is handed over."""
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
    """Run a batch through the teacher, on a GPU without waiting for it."""
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
