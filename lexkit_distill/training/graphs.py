"""The teacher's pass as CUDA graphs, for teachers whose kernels take less time than it takes to launch them.

A graph launches all kernels of a pass at once, for token ids of one shape. So that few shapes are needed, rows are
padded on the right to a multiple of 64 tokens, which changes no state of a causal model; and so that every step gives
the same bits whatever was captured before it, they are padded alike where the pass is launched kernel by kernel.
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
"""Operations of a layer's products for a batch, below which its kernels finish sooner than they are launched: some 25
kernels, 10 to 20 us each to launch (measured on an H100)."""
_MULTIPLE = 64
"""Tokens to a multiple of which rows are padded."""
_MOST = 16
"""Graphs to keep; further shapes are launched kernel by kernel."""

Run = Callable[[Tensor], tuple[Tensor, Tensor]]
"""The teacher's pass: token ids (B, T) to two states (B, T, d)."""


class _Captured(NamedTuple):
    graph: Any  # torch.cuda.CUDAGraph, or what stands in for it
    token_ids: Tensor
    states: tuple[Tensor, Tensor]


class PassGraphs:
    """Runs a teacher's pass, through a CUDA graph where launching its kernels would take longer than they do.

    Args:
        run: the pass, which must not wait for the device.
        layer: one of the teacher's.
    """

    def __init__(self, run: Run, layer: nn.Module) -> None:
        self._run = run
        self._parameters = sum(parameter.numel() for parameter in layer.parameters())
        self._captured: dict[tuple[int, int], _Captured] = {}
        self._pool: Any = None
        self._buffers: tuple[Tensor, Tensor] | None = None
        self.failure: str | None = None
        """Why the pass cannot be captured, if that was tried and failed; it is then launched kernel by kernel."""

    def __call__(self, token_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return the two states (B, T, d) that the pass gives for token ids (B, T)."""
        rows, length = token_ids.shape
        if 2 * self._parameters * rows * length >= _LAUNCHED:
            return self._run(token_ids)
        padded = functional.pad(token_ids, (0, -length % _MULTIPLE))
        shape = (rows, padded.shape[1])
        if shape not in self._captured and len(self._captured) < _MOST and self.failure is None:
            try:
                self._captured[shape] = self._capture(padded)
            except Exception as error:  # of drivers and libraries, many kinds
                if is_out_of_memory(error):
                    raise
                self.failure = first_line(error)
        if shape in self._captured:
            graph, given, states = self._captured[shape]
            given.copy_(padded)
            graph.replay()
        else:
            states = self._run(padded)
        # What a graph has written, its next replay overwrites
        first, last = (state[:, :length].clone(memory_format=torch.contiguous_format) for state in states)
        return first, last

    def _capture(self, token_ids: Tensor) -> _Captured:
        given = token_ids.clone()
        stream: Any = torch.cuda.Stream(token_ids.device)  # type: ignore[no-untyped-call]
        stream.wait_stream(torch.cuda.current_stream(token_ids.device))
        with torch.cuda.stream(stream):
            for _ in range(2):  # what is chosen and compiled at the first calls cannot be captured
                states = self._run(given)
        torch.cuda.current_stream(token_ids.device).wait_stream(stream)
        kept = self._room(states)
        if self._pool is None:
            self._pool = torch.cuda.graph_pool_handle()
        graph = torch.cuda.CUDAGraph()
        # Another thread prepares the next batch meanwhile
        captured = torch.cuda.graph(graph, pool=self._pool, stream=stream, capture_error_mode="thread_local")
        with captured, _hide_capture():
            for place, state in zip(kept, self._run(given), strict=True):
                place.copy_(state)
        return _Captured(graph, given, kept)

    def _room(self, states: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Where graphs write such states: one place for all, or each would keep memory of its own."""
        first, last = states
        if self._buffers is None or len(self._buffers[0]) < first.numel():
            self._captured.clear()  # they would write to the old one
            self._buffers = first.new_empty(first.numel()), last.new_empty(last.numel())
        of_first, of_last = self._buffers
        return of_first[: first.numel()].view(first.shape), of_last[: last.numel()].view(last.shape)


@contextmanager
def _hide_capture() -> Iterator[None]:
    """Context manager. Say that nothing is captured: transformers would add a mask then, which slows attention down."""
    is_capturing = torch.cuda.is_current_stream_capturing
    torch.cuda.is_current_stream_capturing = lambda: False
    try:
        yield
    finally:
        torch.cuda.is_current_stream_capturing = is_capturing
