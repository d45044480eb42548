"""Bit-for-bit reproducible arithmetic on one GPU, at some cost in speed (see PyTorch's page "Reproducibility")."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""Read by cuBLAS when it is initialised. Without a fixed workspace, the order of its sums may vary."""


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Context manager. Use deterministic GPU kernels in the block if *wanted*; CPU kernels always are."""
    if not wanted:
        yield
        return
    import torch

    os.environ.setdefault(_WORKSPACE, ":4096:8")
    cudnn: Any = torch.backends.cudnn
    fill: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), cudnn.benchmark, fill.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    # Filling new memory takes time, and no code here reads memory before it has been written
    cudnn.benchmark, fill.fill_uninitialized_memory = False, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        _, cudnn.benchmark, fill.fill_uninitialized_memory = before
