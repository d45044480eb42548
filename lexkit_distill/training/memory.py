"""The memory that a training takes where it computes, from shapes alone.

What the layers take is simulated (`layer_memory`); head and candidates come from the shapes of `kd` and of
`supervision.nearest`. CUDA graphs and what is compiled are not counted.
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
"""Bytes of a pair of position and candidate while the nearest are chosen: rows, queries, order, distance."""


@dataclass(frozen=True)
class MemoryPlan:
    """Bytes that a training holds at most, in one process, on the device where it computes.

    Activations, logits and candidates are not all there at the same time: `peak` is less than the sum.
    """

    teacher: int
    """The teacher's weights."""
    trained: int
    """Trained weights in fp32, their gradients and moments."""
    activations: int
    """States of teacher and student, and what the layers keep for the backward pass."""
    logits: int
    """A chunk of logits and what the softmaxes make of it."""
    candidates: int
    """The tables of candidates, and the senses of a batch."""
    dictionary: int
    """The senses of the dictionary; none where they stay in a mapped file."""
    peak: int
    """The most at any time."""
    loaded: int
    """What is there before the first step."""
    rows: int
    """Rows of the largest batch."""
    length: int
    """Tokens of its longest row."""


class BatchSizes(NamedTuple):
    """What the memory of a step depends on, beside the models."""

    rows: int
    length: int
    """Tokens of the longest row."""
    positions: int
    """Positions that are predicted."""
    queries: int = 0
    """Positions whose candidates are chosen at once."""
    pairs: int = 0
    """Candidates of all of these."""
    senses: int = 0
    """Different ones among the candidates."""
    chosen: int = 0
    """Candidates that the loss compares."""


def head_bytes(head: kd.Head, positions: int, *, has_summary: bool) -> int:
    """Return what CE and KL at some positions take beside hidden states: logits, and the softmaxes of a part of them.

    Args:
        head: of teacher and student.
        positions: predicted ones.
        has_summary: whether the teacher's distributions are known from a cache.
    """
    weight, (vocabulary, width) = head.weight, head.weight.shape
    rows = min(kd.chunk_tokens(head), positions)
    part = min(kd.softmax_rows(weight), rows)
    # Of the logits of a part in fp32: both models', unless they are so already, both logarithms, p; more to cap them
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
    """What candidates take beside their tables."""

    choosing: int
    comparing: int


def candidate_bytes(sizes: BatchSizes, width: int) -> CandidateBytes:
    """Return what choosing candidates, and comparing the chosen ones, takes with hidden states of a *width*."""
    choosing = 6 * sizes.senses * width + 12 * sizes.queries * width + _PAIR * sizes.pairs
    return CandidateBytes(choosing, 12 * sizes.chosen * width)


def largest_batch(batches: Batches, *, steps: int, processes: int, micro: int) -> Batch:
    """Return the batch with the most tokens, padding included, that the first process runs in *steps* steps."""
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
        batch: of the training.
        supervision: its candidates, if any.
        chooses_all: whether candidates are chosen for all positions at once, for a cache, or for the sampled ones.
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
    """The lengths of the lists *which*; -1 stands for an empty one."""
    counts: np.ndarray = np.where(which >= 0, lists.offsets.diff().numpy()[np.maximum(which, 0)], 0)
    return counts


@dataclass(frozen=True)
class MemoryModel:
    """Predicts the memory of a training, with its batches or with smaller ones.

    Args:
        student: to train.
        supervision: its candidates, if any.
        sizes: of the largest batch.
        held_out: tokens, padding included, of the largest held-out batch.
        cached: whether a cache keeps what the teacher gives.
        several: whether a step has several batches, whose gradients add up.
        shards: processes that the trained weights are spread over.
        exchanges: whether gradients wait in buffers until all processes have theirs.
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
        """Return what a training takes whose largest batch has these *sizes* in place of its own."""
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
        # m_t, n_t and the gradient there; e
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
        """Return an option with the largest value below the present one whose prediction is at most *room* bytes.

        Args:
            room: that the training may take in all.

        Returns:
            None where no smaller batch fits.
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
    """Return the model of a training's memory in the first process.

    Args:
        student: to train.
        supervision: its candidates, if the loss has any.
        batches: the training data.
        held_out: the held-out data, if any.
        steps: of the training.
        micro: rows that go through the models at once.
        cached: whether a cache keeps what the teacher gives.
        accelerator: accelerate's.
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
    """The largest number from 1 to *most* that fits, or 0; what is less than one that fits, does, too."""
    low, high = 0, most + 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def _bytes_of(model: nn.Module) -> int:
    """Bytes of all weights of a model, those that it shares with itself once."""
    parts = (*model.parameters(), *model.buffers())
    return sum({part.data_ptr(): part.nbytes for part in parts}.values())
