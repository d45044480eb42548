"""Run the teacher's forward pass with CUDA graphs if its kernels take less time than launching them.

A graph launches all kernels of a pass at once, for token ids of one shape. To reduce the number of shapes, rows are
padded on the right to a multiple of 64 tokens, which does not change the states of a causal model. Passes that are
launched kernel by kernel are padded in the same way, so that results do not depend on what has been captured before.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.nn import functional

from lexkit.errors import first_line
from lexkit_distill.memory import is_out_of_memory

_LAUNCHED = 2e11
"""Floating-point operations of a layer's matrix products for a batch, below which its kernels (about 25, each taking 10
to 20 us to launch on an H100) finish before the next ones are launched."""
_MULTIPLE = 64
"""Rows are padded to a multiple of this many tokens."""
_MOST = 16
"""Most graphs to keep; passes of further shapes are launched kernel by kernel."""

Run = Callable[[Tensor], tuple[Tensor, Tensor]]
"""The teacher's forward pass: takes token ids (B, T), returns two states (B, T, d)."""


class _Captured(NamedTuple):
    graph: Any  # torch.cuda.CUDAGraph, or a mock of it
    token_ids: Tensor
    states: tuple[Tensor, Tensor]


class ForwardGraphs:
    """Runs a teacher's forward pass, through a CUDA graph if launching its kernels would take longer than running them.

    Args:
        run: the forward pass; it must not synchronise with the device.
        layer: one of the teacher's layers, for estimating the number of operations.
    """

    def __init__(self, run: Run, layer: nn.Module) -> None:
        self._run = run
        self._parameters = sum(parameter.numel() for parameter in layer.parameters())
        self._captured: dict[tuple[int, int], _Captured] = {}
        self._pool: Any = None
        self._buffers: tuple[Tensor, Tensor] | None = None
        self.failure: str | None = None
        """Why capturing a graph failed, if it did; passes are then launched kernel by kernel."""

    def __call__(self, token_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Run the pass for token ids (B, T) and return its two states (B, T, d)."""
        rows, length = token_ids.shape
        if 2 * self._parameters * rows * length >= _LAUNCHED:
            return self._run(token_ids)
        padded = functional.pad(token_ids, (0, -length % _MULTIPLE))
        shape = (rows, padded.shape[1])
        if shape not in self._captured and len(self._captured) < _MOST and self.failure is None:
            try:
                self._captured[shape] = self._capture(padded)
            except Exception as error:  # drivers and libraries raise many kinds
                if is_out_of_memory(error):
                    raise
                self.failure = first_line(error)
        if shape in self._captured:
            graph, given, states = self._captured[shape]
            given.copy_(padded)
            graph.replay()
        else:
            states = self._run(padded)
        # Copy the states, which the next replay of the graph overwrites
        first, last = (state[:, :length].clone(memory_format=torch.contiguous_format) for state in states)
        return first, last

    def _capture(self, token_ids: Tensor) -> _Captured:
        given = token_ids.clone()
        stream: Any = torch.cuda.Stream(token_ids.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(token_ids.device))
        with torch.cuda.stream(stream):
            for _ in range(2):  # kernels are selected and compiled in the first calls, which cannot be captured
                states = self._run(given)
        torch.cuda.current_stream(token_ids.device).wait_stream(stream)
        kept = self._room(states)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        # thread_local, since another thread prepares the next batch meanwhile
        captured = torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local")
        with captured, _hide_capture():
            for place, state in zip(kept, self._run(given), strict=True):
                place.copy_(state)
        return _Captured(graph, given, kept)

    def _room(self, states: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Return buffers in which graphs write their states; all graphs share them to save memory."""
        first, last = states
        if self._buffers is None or len(self._buffers[0]) < first.numel():
            self._captured.clear()  # existing graphs write to the old buffers
            self._buffers = first.new_empty(first.numel()), last.new_empty(last.numel())
        of_first, of_last = self._buffers
        return of_first[: first.numel()].view(first.shape), of_last[: last.numel()].view(last.shape)


@contextmanager
def _hide_capture() -> Iterator[None]:
    """Context manager. Hide the capture from transformers, which would add a mask that slows attention down."""
    is_capturing = torch.cuda.is_current_stream_capturing
    torch.cuda.is_current_stream_capturing = lambda: False
    try:
        yield
    finally:
        torch.cuda.is_current_stream_capturing = is_capturing
