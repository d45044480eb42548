"""Prepare batches and copy them to the device, with everything that the CPU can compute before the models run.

On a GPU, a thread prepares the positions of a step, the pool of candidate senses and cached states while the GPU
computes the step before; it uses page-locked memory and a CUDA stream of its own. The CPU then only has to launch the
step. Since a batch depends on its rows and epoch alone, the thread does not change results.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from lexkit_distill.supervision.nearest import CandidatePool, Candidates, Supervision, rows_of
from lexkit_distill.training.batches import Batch
from lexkit_distill.training.kd import TeacherSummary

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")


@dataclass(frozen=True)
class CachedStates:
    """Cached teacher states of a batch."""

    prefix: Tensor | None
    """(B, T, d) states after the frozen layers; None if the student runs all of its layers."""
    final: Tensor
    """(n, d) teacher states m_t."""
    candidates: Candidates | None
    """Dictionary rows for the sampled positions."""
    summary: TeacherSummary | None


@dataclass(frozen=True)
class DeviceBatch:
    """A batch on the device."""

    batch: Batch
    token_ids: Tensor
    """(B, T) token ids, padded on the right with 0."""
    index: Tensor
    """(n,) predicting positions, as indices into the flattened (B, T)."""
    targets: Tensor
    """(n,) tokens to predict, x_{t+1}."""
    sampled: Tensor
    """(s,) indices of the sampled positions among the n positions."""
    pool: CandidatePool | None = None
    """Pool of senses for the sampled positions; None if candidates are cached, or if no position is sampled."""
    candidates: Candidates | None = None
    """Cached candidates, as indices into `senses`."""
    filled: Tensor | None = None
    """(E,) flat indices of the entries of the (s, 2 kappa) table of candidates that are not padding."""
    senses: Tensor | None = None
    """(U, d) scaled senses of the pool, or of the cached candidates."""
    cached: CachedStates | None = None
    """Cached states of all rows; None if the teacher has to run."""

    @property
    def device(self) -> torch.device:
        """Device on which the models compute."""
        return self.token_ids.device

    def dictionary_rows(self, candidates: Candidates) -> Candidates:
        """Convert candidates from indices into `senses` to dictionary rows."""
        if self.cached is not None and self.cached.candidates is not None:
            return Candidates(*(part.to(self.device, torch.int64) for part in self.cached.candidates))
        assert self.pool is not None
        return Candidates(*(rows_of(self.pool, part) for part in candidates))

    def select(self, hidden: Tensor) -> Tensor:
        """Return the states (n, d) at the predicting positions, given all states (B, T, d)."""
        return select(hidden.flatten(0, 1), self.index)


class Prefetcher:
    """Prepares batches and copies them to a device.

    Args:
        device: where the models compute.
        supervision: source of the senses for sampled positions; None without a semantic loss.
        read: returns the cached states of a batch, on the CPU, or None if they are not complete.
    """

    def __init__(
        self,
        device: torch.device,
        supervision: Supervision | None = None,
        read: Callable[[Batch], CachedStates | None] = lambda _: None,
    ) -> None:
        self.device, self.supervision, self._read = device, supervision, read
        self._thread: ThreadPoolExecutor | None = None
        self._stream: Any = None
        self._next: tuple[object, Future[Any]] | None = None
        if device.type == "cuda":
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="lexkit-prefetch")
            self._stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]

    def __call__(self, batch: Batch) -> DeviceBatch:
        """Copy *batch* to the device."""
        positions, supervision = batch.positions, self.supervision
        length = batch.token_ids.shape[1]
        found = DeviceBatch(
            batch,
            self._moved(torch.from_numpy(batch.token_ids)),
            self._moved(torch.from_numpy(positions.rows * length + positions.places)),
            self._moved(torch.from_numpy(positions.targets)),
            self._moved(torch.from_numpy(np.flatnonzero(positions.sampled))),
        )
        cached = self._read(batch)
        if supervision is not None and positions.sampled.any():
            if cached is not None and cached.candidates is not None:
                found = self._with_candidates(found, cached.candidates, supervision)
            else:
                pool = supervision.pool(positions.targets[positions.sampled], positions.words[positions.sampled])
                senses = self._senses(pool.rows, supervision)
                moved = pool.moved(self._moved)
                found = replace(found, pool=moved, filled=moved.filled, senses=senses)
        return found if cached is None else replace(found, cached=self._cached_moved(cached))

    def in_turn(self, key: _Key, make: Callable[[_Key], _Value], after: _Key | None) -> _Value:
        """Return ``make(key)``. On a GPU, the thread has begun it during the previous call, and now begins *after*."""
        if self._thread is None:
            return make(key)
        future = self._next[1] if self._next is not None and self._next[0] == key else self._begin(key, make)
        value: _Value = future.result()
        self._next = (after, self._begin(after, make)) if after is not None else None
        torch.cuda.current_stream(self.device).wait_stream(self._stream)
        return value

    def close(self) -> None:
        """Stop the thread that prepares batches."""
        if self._thread is not None:
            self._thread.shutdown(cancel_futures=True)
            self._next = None

    def _begin(self, key: _Key, make: Callable[[_Key], _Value]) -> Future[_Value]:
        assert self._thread is not None

        def on_stream() -> _Value:
            with torch.cuda.stream(self._stream):
                return make(key)

        return self._thread.submit(on_stream)

    def _with_candidates(self, found: DeviceBatch, rows: Candidates, supervision: Supervision) -> DeviceBatch:
        """Add cached candidates to a batch, and a row of `senses` for each of them."""
        flat = torch.cat(rows, 1)
        filled = (flat.flatten() >= 0).nonzero().flatten()
        places = torch.full_like(flat, -1, dtype=torch.int64)
        places.view(-1)[filled] = torch.arange(len(filled))
        senses = self._senses(flat.flatten()[filled].long(), supervision)
        candidates = Candidates(*self._moved(places).chunk(2, dim=1))
        return replace(found, candidates=candidates, filled=self._moved(filled), senses=senses)

    def _senses(self, rows: Tensor, supervision: Supervision) -> Tensor:
        if supervision.rows.device.type == "cpu" and self.device.type != "cpu":
            # Copy bf16 through page-locked memory; the device converts to fp32
            shape, is_cuda = (len(rows), supervision.rows.shape[1]), self.device.type == "cuda"
            gathered = torch.empty(shape, dtype=supervision.rows.dtype, pin_memory=is_cuda)
            torch.index_select(supervision.rows, 0, rows, out=gathered)
            return self._kept(supervision.scaled(gathered.to(self.device, non_blocking=True)))
        return self._kept(supervision.senses(self._moved(rows), self.device))

    def _cached_moved(self, cached: CachedStates) -> CachedStates:
        summary = None if cached.summary is None else TeacherSummary(*(self._moved(part) for part in cached.summary))
        prefix = None if cached.prefix is None else self._moved(cached.prefix)
        return CachedStates(prefix, self._moved(cached.final), cached.candidates, summary)

    def _moved(self, tensor: Tensor) -> Tensor:
        if self.device.type != "cuda":
            return tensor.to(self.device)
        return self._kept(tensor.pin_memory().to(self.device, non_blocking=True))

    def _kept(self, tensor: Tensor) -> Tensor:
        """Keep the memory of a tensor that was allocated on the copy stream until the models have used it."""
        if self.device.type == "cuda":
            tensor.record_stream(torch.cuda.default_stream(self.device))
        return tensor


class _Select(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, states: Tensor, index: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(index)
        ctx.rows = len(states)
        return states.index_select(0, index)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # noqa: ANN401
        (index,) = ctx.saved_tensors
        return gradient.new_zeros(ctx.rows, gradient.shape[1]).index_copy_(0, index, gradient), None


def select(states: Tensor, index: Tensor) -> Tensor:
    """Return rows (n, d) of states (N, d). *index* (n,) must not repeat a row: gradients are copied, not summed."""
    chosen: Tensor = _Select.apply(states, index)  # type: ignore[no-untyped-call]
    return chosen
