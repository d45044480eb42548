"""Dequantise modules, whichever library has quantised their weights."""

from __future__ import annotations

import copy
from typing import Any

import torch
from torch import Tensor, nn

_DENSE = (torch.float32, torch.bfloat16, torch.float16)
_ROWS = 1024
"""Unit vectors that pass through a linear layer at a time: 29 MB in bf16 for 14,336 inputs."""


def is_quantized(module: nn.Module) -> bool:
    """Whether a module is a linear layer other than a plain `nn.Linear` with floating-point weights."""
    if not (hasattr(module, "in_features") and hasattr(module, "out_features")):
        return False
    weight = getattr(module, "weight", None)
    is_plain = isinstance(weight, Tensor) and type(weight.data) is Tensor and weight.dtype in _DENSE
    return type(module) is not nn.Linear or not is_plain


def dequantized_copy(module: nn.Module, dtype: torch.dtype) -> nn.Module:
    """Return a copy of *module* in which every quantised linear layer is an `nn.Linear` with weights of *dtype*."""
    dense = {id(part): _dense_linear(part, dtype) for part in module.modules() if is_quantized(part)}
    return copy.deepcopy(module, dense)  # the memo makes deepcopy use these in place of copies


@torch.no_grad()
def _dense_linear(module: Any, dtype: torch.dtype) -> nn.Linear:  # noqa: ANN401  # of any library
    """Recover the weights from the layer's outputs for unit vectors, which works for any storage format."""
    place = next(tensor.device for tensor in (*module.parameters(), *module.buffers()))
    bias: Tensor | None = getattr(module, "bias", None)
    dense = nn.Linear(module.in_features, module.out_features, bias is not None, device=place, dtype=dtype)
    if bias is not None:
        dense.bias.copy_(bias)
        module.bias = None  # adding a large bias would cost the weights precision
    try:
        for start in range(0, module.in_features, _ROWS):
            columns = slice(start, min(start + _ROWS, module.in_features))
            units = torch.zeros(columns.stop - start, module.in_features, device=place, dtype=dtype)
            units[:, columns].fill_diagonal_(1)
            dense.weight[:, columns] = module(units).T
    finally:
        if bias is not None:
            module.bias = bias
    return dense.requires_grad_(False)
