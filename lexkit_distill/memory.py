"""Memory: how much may still be taken, and one line where it runs out, on the processor or on a GPU."""

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
"""In the messages of torch's allocators, which mostly raise RuntimeError."""


def available_memory(device: torch.device) -> int | None:
    """Return the bytes that may still be taken where *device* computes, or None if it is not known.

    On a processor that is what Linux calls available, in which pages that only cache files count, too, or what a limit
    of the process or of its container leaves, if that is less.
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
    """What the limit of a control group (version 2) leaves; pages that only cache files are given up for others."""
    try:
        name = _GROUP.read_text(encoding="utf-8").strip().rpartition("::/")[2]
        group = _GROUPS / name if (_GROUPS / name / "memory.max").exists() else _GROUPS
        limit = int((group / "memory.max").read_text(encoding="ascii"))
        used = int((group / "memory.current").read_text(encoding="ascii"))
        parts = dict(line.split() for line in (group / "memory.stat").read_text(encoding="ascii").splitlines())
        return limit - used + int(parts.get("inactive_file", 0)) + int(parts.get("active_file", 0))
    except (OSError, ValueError):  # none, or without a limit, which is the word max
        return None


@contextmanager
def memory_failures(kind: type[LexkitError], what: str, advice: Callable[[], str]) -> Iterator[None]:
    """Context manager. If memory runs out in its block, raise one clear line instead.

    Args:
        kind: the error to raise.
        what: was done when it ran out.
        advice: called once the memory of what failed is free again; returns what to do about it.
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
    """Return whether an error means that the memory has run out, of the processor or of a GPU."""
    if isinstance(error, OSError):
        return error.errno == errno.ENOMEM
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS)
    )
