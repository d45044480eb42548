"""Predict the memory that a training run needs on its device, from shapes alone.

The layers' part is simulated (`layer_memory`); the parts of head and candidates are computed from the shapes that `kd`
and `supervision.nearest` use. CUDA graphs and compiled code are not counted.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from lexkit_distill.supervision.nearest import RowLists, Supervision
from lexkit_distill.training import kd
from lexkit_distill.training.batches import Batch, Batches
from lexkit_distill.training.layer_memory import layer_cost
from lexkit_distill.training.student import Student

_PAIR = 64
"""Bytes per pair of position and candidate while the nearest are chosen: rows, queries, order and distance."""


@dataclass(frozen=True)
class MemoryPlan:
    """Most bytes that a training run needs in one process, on its device.

    Activations, logits and candidates do not reach their peaks at the same time, so `peak` is less than the sum.
    """

    teacher: int
    """The teacher's weights."""
    trained: int
    """Trained weights in fp32, with their gradients and optimiser moments."""
    activations: int
    """Hidden states of teacher and student, and activations that the layers keep for the backward pass."""
    logits: int
    """A chunk of logits, and the results of their softmaxes."""
    candidates: int
    """Tables of candidates, and the senses of a batch."""
    dictionary: int
    """Senses of the dictionary; 0 if they stay in a memory-mapped file."""
    peak: int
    """Peak of the whole run."""
    loaded: int
    """Bytes in use before the first step."""
    rows: int
    """Rows of the largest batch."""
    length: int
    """Tokens of the longest row in the largest batch."""


class BatchSizes(NamedTuple):
    """Sizes of a batch that determine the memory of a step, given the models."""

    rows: int
    length: int
    """Tokens of the longest row."""
    positions: int
    """Number of predicted positions."""
    queries: int = 0
    """Number of positions whose candidates are chosen at once."""
    pairs: int = 0
    """Number of pairs of these positions and their candidates."""
    senses: int = 0
    """Number of distinct senses among the candidates."""
    chosen: int = 0
    """Number of candidates that the loss compares with hidden states."""


def head_bytes(head: kd.Head, positions: int, *, has_summary: bool) -> int:
    """Return the bytes that CE and KL need in addition to hidden states, for logits and softmaxes.

    Args:
        head: head of teacher and student.
        positions: number of predicted positions.
        has_summary: whether a cache has summaries of the teacher's distributions.
    """
    weight, (vocabulary, width) = head.weight, head.weight.shape
    rows = min(kd.chunk_tokens(head), positions)
    part = min(kd.softmax_rows(weight), rows)
    # Copies in fp32 of a block of logits: both models' logits (unless in fp32 already), both log-softmaxes, p; 3 to cap
    copies = 5
    if head.kernel is not None:
        copies = 0
    elif has_summary:
        copies = 1
    elif head.cap is not None:
        copies = 8
    elif weight.dtype == torch.float32:
        copies = 3
    itemsize = weight.dtype.itemsize
    return rows * itemsize * ((1 if has_summary else 2) * vocabulary + width) + copies * 4 * part * vocabulary


class CandidateBytes(NamedTuple):
    """Bytes that choosing candidates, and comparing the chosen ones with hidden states, need."""

    choosing: int
    comparing: int


def candidate_bytes(sizes: BatchSizes, width: int) -> CandidateBytes:
    """Return the bytes that choosing and comparing candidates need for hidden states of *width* dimensions."""
    choosing = 6 * sizes.senses * width + 12 * sizes.queries * width + _PAIR * sizes.pairs
    return CandidateBytes(choosing, 12 * sizes.chosen * width)


def largest_batch(batches: Batches, *, steps: int, processes: int, micro: int) -> Batch:
    """Return the batch with the most tokens, including padding, that the first process runs in *steps* steps."""
    lengths, largest, most = batches.data.lengths, None, 0
    for number in range(steps):
        epoch, rows = batches.step(number)
        rows = rows[::processes][:micro]  # the longest come first
        tokens = len(rows) * int(lengths[rows[0]])
        if tokens > most:
            largest, most = (rows, epoch), tokens
    assert largest is not None
    return batches.batch(*largest)


def sizes_of(batch: Batch, supervision: Supervision | None, *, chooses_all: bool) -> BatchSizes:
    """Return the sizes of a batch.

    Args:
        batch: a batch of the training data.
        supervision: candidates of tokens and words; None if the loss does not use senses.
        chooses_all: whether candidates are chosen for all positions at once (for a cache) or for the sampled ones only.
    """
    positions, (rows, length) = batch.positions, batch.token_ids.shape
    sizes = BatchSizes(rows, length, len(positions.targets))
    if supervision is None:
        return sizes
    asked = slice(None) if chooses_all else positions.sampled
    tokens, words = positions.targets[asked], positions.words[asked]
    kinds = ((supervision.own, tokens), (supervision.synonyms, words), (supervision.antonyms, words))
    counts = [_counts(lists, which) for lists, which in kinds]
    senses = sum(int(_counts(lists, np.unique(which)).sum()) for lists, which in kinds)
    share = len(positions.targets[positions.sampled]) / max(len(tokens), 1)
    kappa = supervision.kappa
    chosen = np.minimum(counts[0] + counts[1], kappa).sum() + np.minimum(counts[2], kappa).sum()
    return sizes._replace(
        queries=len(tokens),
        pairs=int(sum(map(np.sum, counts))),
        senses=min(senses, len(supervision.rows)),
        chosen=round(chosen * share),
    )


def _counts(lists: RowLists, which: np.ndarray) -> np.ndarray:
    """Return the lengths of the lists with indices *which*; -1 stands for an empty list."""
    counts: np.ndarray = np.where(which >= 0, lists.offsets.diff().numpy()[np.maximum(which, 0)], 0)
    return counts


@dataclass(frozen=True)
class MemoryModel:
    """Predicts the memory of a training run, with its own batches or with smaller ones.

    Args:
        student: the student to train.
        supervision: candidates of tokens and words; None if the loss does not use senses.
        sizes: sizes of the largest batch.
        held_out: tokens, including padding, of the largest held-out batch.
        cached: whether a cache stores the teacher's states.
        several: whether a step accumulates the gradients of several batches.
        shards: number of processes that the trained weights are sharded over.
        exchanges: whether gradients are also held in buffers for exchange between processes (DDP).
    """

    student: Student
    supervision: Supervision | None
    sizes: BatchSizes
    held_out: int = 0
    cached: bool = False
    several: bool = False
    shards: int = 1
    exchanges: bool = False

    def plan(self, sizes: BatchSizes | None = None) -> MemoryPlan:
        """Return the memory of the run, or of a run whose largest batch has these *sizes*."""
        several = self.several or (sizes is not None and sizes.rows < self.sizes.rows)
        sizes = sizes or self.sizes
        student = self.student
        model, head = student.teacher.model, student.head
        cost = layer_cost(student, sizes.rows, sizes.length, several=several)
        weights = 4 * sum(map(Tensor.numel, student.trained.parameters())) // self.shards
        gradients = weights * (2 if self.exchanges else 1)
        largest = 4 * max(map(Tensor.numel, student.trained.parameters()))
        state, tokens = student.teacher.hidden_size * model.dtype.itemsize, sizes.rows * sizes.length
        dictionary, tables, candidates = 0, 0, CandidateBytes(0, 0)
        if self.supervision is not None:
            rows = self.supervision.rows
            dictionary = rows.nbytes if rows.device.type != "cpu" else 0
            lists = (self.supervision.own, self.supervision.synonyms, self.supervision.antonyms)
            tables = sum(part.offsets.nbytes + part.rows.nbytes for part in lists)
            candidates = candidate_bytes(sizes, student.teacher.hidden_size)
        has_summary = self.cached and head.cap is None
        logits = head_bytes(head, sizes.positions, has_summary=has_summary)
        # m_t, n_t and the gradient at n_t; with a summary also e
        states = (4 if has_summary else 3) * sizes.positions * state + (tokens * state if student.shares_prefix else 0)
        before = gradients if several else 0
        step = max(
            before + cost.teacher + tokens * state,
            before + states + cost.forward,
            before + states + candidates.choosing + (0 if self.cached else cost.kept),
            before + states + cost.kept + max(logits, candidates.comparing),
            before + states + cost.backward,
            gradients + 2 * largest,
            self.held_out * (cost.teacher + 3 * tokens * state) // tokens + logits,
        )
        teacher = _bytes_of(model)
        loaded = teacher + weights + dictionary + tables
        return MemoryPlan(
            teacher=teacher,
            trained=3 * weights + gradients,
            activations=states + cost.forward,
            logits=logits,
            candidates=tables + max(candidates),
            dictionary=dictionary,
            peak=loaded + 2 * weights + step,
            loaded=loaded,
            rows=sizes.rows,
            length=sizes.length,
        )

    def fitting(self, room: int) -> str | None:
        """Return options for the largest smaller batch whose predicted peak is at most *room* bytes.

        Args:
            room: bytes that the run may use in total.

        Returns:
            Options as text, or None if no smaller batch fits.
        """
        rows, length = self.sizes.rows, self.sizes.length

        def fits(rows: int, length: int) -> bool:
            share = rows * length / (self.sizes.rows * self.sizes.length)
            sizes = BatchSizes(rows, length, *(round(number * share) for number in self.sizes[2:]))
            return self.plan(sizes).peak <= room

        if micro := _largest(rows - 1, lambda value: fits(value, length)):
            return f"--micro-batch-size {micro}"
        short = _largest(length - 1, lambda value: fits(1, value))
        micro_too = "--micro-batch-size 1 " if rows > 1 else ""
        return f"{micro_too}--max-length {short}, with another --output," if short > 1 else None


def memory_model(
    student: Student,
    supervision: Supervision | None,
    batches: Batches,
    held_out: Batches | None,
    *,
    steps: int,
    micro: int,
    cached: bool,
    accelerator: Any,  # noqa: ANN401
) -> MemoryModel:
    """Return a model of the memory that a training run needs in the first process.

    Args:
        student: the student to train.
        supervision: candidates of tokens and words; None if the loss does not use senses.
        batches: the training data.
        held_out: the held-out data, if any.
        steps: number of training steps.
        micro: rows that a process runs through the models at once.
        cached: whether a cache stores the teacher's states.
        accelerator: accelerate's accelerator.
    """
    processes, sharded = accelerator.num_processes, accelerator.distributed_type == "FSDP"
    shape = {"processes": processes, "micro": micro}
    of_held_out = largest_batch(held_out, steps=held_out.steps_per_epoch, **shape) if held_out is not None else None
    return MemoryModel(
        student,
        supervision,
        sizes_of(largest_batch(batches, steps=steps, **shape), supervision, chooses_all=cached),
        held_out=of_held_out.token_ids.size if of_held_out is not None else 0,
        cached=cached,
        several=min(batches.batch_size, len(batches.data)) > processes * micro,
        shards=processes if sharded else 1,
        exchanges=processes > 1 and not sharded,
    )


def _largest(most: int, fits: Callable[[int], bool]) -> int:
    """Return the largest number from 1 to *most* that fits, or 0; *fits* must be monotonic."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _bytes_of(model: nn.Module) -> int:
    """Return the bytes of a model's weights and buffers, counting shared ones once."""
    parts = (*model.parameters(), *model.buffers())
    return sum({part.data_ptr(): part.nbytes for part in parts}.values())
