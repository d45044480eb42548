"""How hidden states and senses are scaled before distances between them are computed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

ScaleKind = Literal["none", "whiten", "unit"]


@dataclass(frozen=True)
class Scale:
    """Scales vectors before distances are computed.

    ``whiten`` divides each dimension by its standard deviation over the senses. ``unit`` scales each vector to a mean
    square of 1, so that MSE(x, y) = 2 - 2 cos(x, y). ``none`` leaves vectors unchanged.
    """

    kind: ScaleKind = "none"
    factor: Tensor | None = None
    """(d,) reciprocal standard deviation of each dimension, for ``whiten``."""

    def __call__(self, vectors: Tensor) -> Tensor:
        """Return scaled vectors (..., d)."""
        if self.kind == "whiten":
            assert self.factor is not None
            return vectors * self.factor.to(vectors)
        if self.kind == "unit":
            return vectors * vectors.square().mean(-1, keepdim=True).clamp_min(1e-12).rsqrt()
        return vectors


def scale_of(kind: ScaleKind, rows: Tensor, *, block: int = 1 << 16) -> Scale:
    """Return the scale of a dictionary's rows (N, d)."""
    if kind != "whiten":
        return Scale(kind)
    total, squares = torch.zeros(rows.shape[1]).double(), torch.zeros(rows.shape[1]).double()
    for part in torch.split(rows, block):
        total += part.double().sum(0).cpu()
        squares += part.double().square().sum(0).cpu()
    variance = squares / len(rows) - (total / len(rows)).square()
    return Scale(kind, variance.clamp_min(1e-12).rsqrt().float())
