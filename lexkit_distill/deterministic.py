"""Arithmetic that gives the same bits twice on one GPU, at some cost (PyTorch's page "Reproducibility")."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_WORKSPACE = "CUBLAS_WORKSPACE_CONFIG"
"""cuBLAS reads this when it begins; without a fixed workspace, the order of its sums may change."""


@contextmanager
def deterministic(wanted: bool) -> Iterator[None]:
    """Context manager. Choose deterministic kernels inside, if *wanted*; on a CPU, they are deterministic anyway."""
    if not wanted:
        yield
        return
    import torch

    os.environ.setdefault(_WORKSPACE, ":4096:8")
    cudnn: Any = torch.backends.cudnn
    fill: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), cudnn.benchmark, fill.fill_uninitialized_memory
    torch.use_deterministic_algorithms(True)
    # To fill new memory takes time, and nothing here reads it before it has been written
    cudnn.benchmark, fill.fill_uninitialized_memory = False, False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        _, cudnn.benchmark, fill.fill_uninitialized_memory = before
