"""Measure the memory that a batch needs in the layers, without allocating it.

What layers keep for the backward pass depends on the architecture, the attention implementation and autocast, so no
formula predicts it. Instead, one layer of the teacher and one of the student run on tensors without data
(`FakeTensorMode`), while `LiveBytes` counts the bytes that their operations hold. One layer stands for all.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from inspect import signature
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from lexkit_distill.training.student import Student, cut_config


class LiveBytes(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Context manager. Count the bytes of live tensors that operations in the block have created.

    Tensors in memory-mapped files do not count, since the system can reclaim their memory.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.now = self.peak = 0
        self._known: dict[int, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:  # noqa: ANN401
        """Run an operation and count the tensors that it returns."""
        self._see((args, kwargs), is_new=False)
        result = func(*args, **(kwargs or {}))
        self._see(result, is_new=True)
        return result

    def _see(self, values: object, *, is_new: bool) -> None:
        for value in tree_leaves(values):
            if not isinstance(value, Tensor) or value.device.type == "meta" or value.layout != torch.strided:
                continue
            storage = value.untyped_storage()
            key = storage._cdata
            if key not in self._known:
                self._known[key] = storage.nbytes() if is_new and storage.filename is None else 0
                self.now += self._known[key]
                self.peak = max(self.peak, self.now)
                weakref.finalize(storage, self._forget, key)

    def _forget(self, key: int) -> None:
        self.now -= self._known.pop(key)


class LayerCost(NamedTuple):
    """Bytes that a batch needs in the layers, without trained weights and optimiser state."""

    teacher: int
    """Peak while the teacher runs."""
    forward: int
    """Peak while the trained layers run forward."""
    kept: int
    """Bytes kept by the trained layers for the backward pass, including their output."""
    backward: int
    """Peak during the backward pass, including the gradients that it creates."""
    layer: int
    """Bytes kept by one trained layer."""


def layer_cost(student: Student, rows: int, length: int, *, several: bool) -> LayerCost:
    """Return the bytes that a batch needs in the layers of teacher and student.

    Args:
        student: the student and its teacher.
        rows: rows of the batch.
        length: tokens of a row.
        several: whether gradients of an earlier batch exist, to which the backward pass adds.
    """
    teacher = student.teacher
    base, dtype = teacher.model.base_model, teacher.model.dtype
    kind: Any = type(base)
    config = _Hashed(cut_config(base.config, student.layers - 1, student.layers))
    found = _simulated(kind, config, dtype, teacher.device, rows, length, several)
    more = student.n_trained - 1
    gradients = 0 if several else 4 * sum(map(Tensor.numel, student.trained[0].parameters()))
    return found._replace(
        teacher=found.teacher + rows * length * teacher.hidden_size * dtype.itemsize,  # the input of the first layer
        forward=found.forward + more * found.layer,
        kept=found.kept + more * found.layer,
        backward=found.backward + more * max(found.layer, gradients),
    )


class _Hashed:
    """A transformers configuration that is compared and hashed by content."""

    def __init__(self, config: Any) -> None:  # noqa: ANN401
        self.config, self._content = config, f"{config._attn_implementation} {config.to_json_string(use_diff=False)}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Hashed) and self._content == other._content

    def __hash__(self) -> int:
        return hash(self._content)


@lru_cache(maxsize=64)
def _simulated(
    kind: Any,  # noqa: ANN401  # a decoder of transformers
    config: _Hashed,
    dtype: torch.dtype,
    device: torch.device,
    rows: int,
    length: int,
    several: bool,
) -> LayerCost:
    """Return the bytes that a batch needs in a teacher and a student of one layer each, run on fake tensors."""
    reached: list[int] = []
    with FakeTensorMode(), device:
        with _default_dtype(dtype):
            teacher = kind(config.config).eval().requires_grad_(False)
        tail = kind(config.config).eval().requires_grad_(False)
        (layer,) = tail.layers.requires_grad_(True)
        if several:
            for parameter in layer.parameters():
                parameter.grad = torch.empty_like(parameter)
        for model in (teacher, tail):  # other types need values, but not more memory
            if isinstance(getattr(model.rotary_emb, "rope_type", None), str):
                model.rotary_emb.rope_type = "default"
        shape = (rows, length, config.config.hidden_size)
        nothing = {"cache" if "cache" in signature(kind.forward).parameters else "past_key_values": _keeps_nothing()}
        with LiveBytes() as live, torch.no_grad():
            teacher(inputs_embeds=torch.empty(shape, dtype=dtype), use_cache=False, **nothing)
        of_teacher = live.peak
        prefix = torch.empty(shape, dtype=dtype)
        tail.norm = teacher.norm
        for part in (layer, tail.norm):
            part.register_forward_pre_hook(lambda *_: reached.append(live.now))
        with LiveBytes() as live:
            with torch.autocast(device.type, dtype, enabled=dtype != torch.float32):
                hidden = tail(inputs_embeds=prefix, use_cache=False, **nothing).last_hidden_state
            forward, kept = live.peak, live.now
            live.peak = live.now
            hidden.backward(torch.empty_like(hidden))
    return LayerCost(of_teacher, forward, kept, live.peak, layer=reached[1] - reached[0])


def _keeps_nothing() -> Any:  # noqa: ANN401
    """Return a cache that stores nothing; without a cache, transformers would inspect values to find packed rows."""
    from transformers import DynamicCache

    class KeepsNothing(DynamicCache):
        def update(self, key_states: Tensor, value_states: Tensor, *_: object, **__: object) -> tuple[Tensor, Tensor]:
            return key_states, value_states

    return KeepsNothing()


@contextmanager
def _default_dtype(dtype: torch.dtype) -> Iterator[None]:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)
