"""How much memory is free, on the CPU or a GPU, and a one-line error when it runs out."""

from __future__ import annotations

import errno
import os
import resource
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from lexkit.errors import LexkitError

if TYPE_CHECKING:
    import torch

_MEMINFO, _GROUP, _GROUPS = Path("/proc/meminfo"), Path("/proc/self/cgroup"), Path("/sys/fs/cgroup")
_SIZES = Path("/proc/self/statm")
_WORDS = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""Phrases in the messages of torch's allocators, most of which raise RuntimeError."""


def available_memory(device: torch.device) -> int | None:
    """Return the bytes that can still be allocated on *device*, or None if unknown.

    On a CPU, this is what Linux reports as available (which includes the page cache), or what the limit of the process
    or of its container leaves, whichever is less.
    """
    if device.type == "cuda":
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    found = [_free_of_machine(), _free_of_process(), _free_of_container()]
    return min((max(free, 0) for free in found if free is not None), default=None)


def _free_of_machine() -> int | None:
    lines = _MEMINFO.read_text(encoding="ascii").splitlines() if _MEMINFO.exists() else []
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:")), None)


def _free_of_process() -> int | None:
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit == resource.RLIM_INFINITY or not _SIZES.exists():
        return None
    return limit - int(_SIZES.read_text(encoding="ascii").split()[0]) * os.sysconf("SC_PAGE_SIZE")


def _free_of_container() -> int | None:
    """Bytes left under the limit of the control group (version 2); the page cache counts as free."""
    try:
        name = _GROUP.read_text(encoding="utf-8").strip().rpartition("::/")[2]
        group = _GROUPS / name if (_GROUPS / name / "memory.max").exists() else _GROUPS
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        parts = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        return limit - used + int(parts.get("inactive_file", 0)) + int(parts.get("active_file", 0))
    except (OSError, ValueError):  # no control group, or its limit is "max"
        return None


@contextmanager
def memory_failures(kind: type[LexkitError], what: str, advice: Callable[[], str]) -> Iterator[None]:
    """Context manager. If memory runs out in the block, raise a one-line error.

    Args:
        kind: type of the error.
        what: beginning of the message: what was being done.
        advice: returns how to fix it; called after the memory of the failed block has been freed.
    """
    try:
        yield
    except LexkitError:
        raise
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        traceback.clear_frames(error.__traceback__)
        raise kind(f"{what}: out of memory; {advice()}") from error


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an error means that the CPU or a GPU ran out of memory."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)
    )
