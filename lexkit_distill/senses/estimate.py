"""Estimate the disk space and memory that building a dictionary needs, before the teacher runs."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

from lexkit_distill.errors import SampleError
from lexkit_distill.memory import available_memory
from lexkit_distill.senses.config import SensesConfig
from lexkit_distill.senses.plan import Plan
from lexkit_distill.senses.sample import INDEX_BYTES, SLACK
from lexkit_distill.sizes import format_exact, format_size
from lexkit_distill.teacher import HEAD_TOKENS, Teacher

_INDEX_MEMORY = 64
"""Bytes of memory per occurrence while the indexes of all parts are sorted together."""


def sample_rows(counts: np.ndarray, cap: int) -> int:
    """Return the number of occurrences in a sample with at most *cap* per token."""
    return int(np.minimum(counts, cap).sum())


def sample_bytes(rows: int, hidden_size: int) -> int:
    """Return the most disk space, in bytes, that a sample of *rows* states needs while it is collected."""
    return int(SLACK * rows * (2 * hidden_size + INDEX_BYTES))


def check_room(config: SensesConfig, plan: Plan, hidden_size: int, folder: Path, processes: int) -> None:
    """Check that the sample and the dictionary fit on the disk and in memory.

    With the anchor ``predicted``, the counts of the corpus's tokens stand for those of the predicted tokens. These are
    fewer distinct tokens with higher counts, so the sample is in fact smaller.

    Raises:
        SampleError: they exceed the disk budget, the free disk space or the free memory; the message says what fits.
    """
    counts = plan.counts()

    def needed(cap: int) -> int:
        senses = cap if config.k == "adaptive" else min(config.k, cap)
        result = sample_rows(counts, senses) * 2 * hidden_size
        return sample_bytes(sample_rows(counts, cap * processes), hidden_size) + 2 * result

    need = needed(config.max_per_token)
    free = shutil.disk_usage(folder).free + _size_of(folder)
    for room, name in ((config.disk_budget, "--disk-budget"), (free, "free on the disk")):
        if need > room:
            raise SampleError(
                f"{folder}: the sample may need {format_size(need)} and {format_size(room)} is "
                f"{'the ' if name[0] == '-' else ''}{name}; "
                f"{_remedy(needed, room, config.max_per_token)} or allow {format_size(need)}"
            )

    def memory(cap: int) -> int:
        return sample_rows(counts, cap) * _INDEX_MEMORY + config.memory_budget

    available, need = available_memory(torch.device("cpu")), memory(config.max_per_token)
    if available is not None and need > available:
        index = need - config.memory_budget
        if index < available:
            remedy = f"--memory-budget {format_exact(available - index)} would fit"
        else:
            remedy = _remedy(memory, available, config.max_per_token).rstrip(",")
        raise SampleError(
            f"{folder}: the sample needs {format_size(need)} of memory in addition to the teacher, and "
            f"{format_size(available)} is free; {remedy}"
        )


def smaller_batch(config: SensesConfig, teacher: Teacher) -> str:
    """Return advice, with values that fit into the free memory, after memory ran out in the teacher pass."""
    if teacher.device.type == "cuda":
        torch.cuda.empty_cache()
    size, shape = teacher.model.dtype.itemsize, teacher.model.config
    heads = shape.num_attention_heads
    # Per token: activations of the widest layer, with norms in fp32; in addition, logits of HEAD_TOKENS tokens
    of_token = size * (3 * getattr(shape, "intermediate_size", 4 * teacher.hidden_size) + 12 * teacher.hidden_size)
    if getattr(shape, "_attn_implementation", None) == "eager":
        of_token += (size + 8) * heads * config.max_length
    logits = HEAD_TOKENS * teacher.vocabulary_size * size if config.anchor == "predicted" else 0
    free = available_memory(teacher.device)
    most = config.batch_tokens * 9 // 10
    fits = min((free - logits) // of_token, most) if free is not None else most
    if fits >= config.max_length:
        fits -= fits % config.max_length
        return f"--batch-tokens {fits} would fit, with another --output"
    if fits > 1:
        return f"--max-length {fits} --batch-tokens {fits} would fit, with another --output"
    return "not even one token would fit in addition to the teacher; use --dtype bfloat16, or another --device"


def _remedy(needed: Callable[[int], int], room: int, cap: int) -> str:
    low, high = 0, cap
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if needed(middle) <= room else (low, middle)
    return f"--max-per-token {low} would fit," if low else "not even --max-per-token 1 would fit, use a smaller corpus"


def _size_of(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.glob("part-*"))
