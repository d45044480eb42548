"""The teacher pass (paper, section 3.1): hidden states of a uniform sample of every token's occurrences."""

from __future__ import annotations

from collections.abc import Iterator
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
from lexkit_distill.senses.sample import Occurrences, Sampler, done_batches
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
        for batch in share:
            rows, positions, anchors, states = _anchored(teacher, batch, anchor)
            _check_finite(states, teacher, batch)
            keys = occurrence_keys(seed, batch.documents[rows], batch.starts[rows] + positions)
            wanted = sampler.wanted(anchors, keys)
            chosen = states[torch.from_numpy(wanted).to(states.device)]
            occurrences = Occurrences(anchors, keys, rows + batch.first_row, positions)[wanted]
            sampler.add(batch.number, anchors, occurrences, chosen.to(torch.bfloat16).cpu())
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


def _anchored(
    teacher: Teacher, batch: PieceBatch, anchor: Anchor
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.int64], Tensor]:
    """Rows in the batch, positions, anchor tokens and states of everything but padding and special tokens."""
    ids = torch.from_numpy(batch.token_ids)
    lengths = torch.from_numpy(batch.lengths)
    special = teacher.special_ids
    real = (torch.arange(ids.shape[1]) < lengths[:, None]) & ~special[ids]
    if anchor == "next":
        real[:, -1] = False
        real[:, :-1] &= torch.arange(1, ids.shape[1]) < lengths[:, None]
    rows, positions = real.nonzero(as_tuple=True)
    hidden = teacher.last_hidden(ids.to(teacher.device))
    states = hidden[rows.to(hidden.device), positions.to(hidden.device)]
    anchors = teacher.predicted(states).cpu() if anchor == "predicted" else ids[rows, positions + (anchor == "next")]
    kept = ~special[anchors]
    if not kept.all():
        rows, positions, anchors = rows[kept], positions[kept], anchors[kept]
        states = states[kept.to(states.device)]
    return rows.numpy(), positions.numpy(), anchors.numpy(), states


def _check_finite(states: Tensor, teacher: Teacher, batch: PieceBatch) -> None:
    if not torch.isfinite(states).all():
        first = f"row {batch.first_row}"
        raise SampleError(
            f"{teacher.name}: hidden states that are not finite, in batch {batch.number} ({first} of the plan), "
            f"computed in {teacher.model.dtype}; use --dtype float32 or bfloat16"
        )
