"""Trying what comes from elsewhere in a process with bounded memory and time, before this process reads it.

Libraries written in other languages, and programs in a file, may end the process, run without end or fill the memory.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from lexkit.errors import LexkitError, first_line

_ROOT = Path(__file__).parent.parent
_ENDED = "it takes too much memory, or is damaged"


class TrialError(LexkitError):
    """What is tried fails; the message is the reason alone."""


def run_trial(module: str, *arguments: str, data: bytes = b"", seconds: float = 60) -> None:
    """Call the function ``main`` of a module, which calls `bound_memory`, in a process of its own.

    Args:
        module: its name.
        arguments: of the process.
        data: its standard input.
        seconds: when it is ended.

    Raises:
        TrialError: it failed, was ended for want of memory, or took too long.
    """
    # Modules come from where this process has them, and not from the current folder, which need not be trusted
    paths = [str(_ROOT), *filter(None, sys.path)]
    start = f"import sys; sys.path[:] = {paths!r}; from {module} import main; main()"
    command = [sys.executable, "-c", start, *arguments]
    try:
        done = subprocess.run(command, input=data, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise TrialError(f"it takes more than {seconds:g} s to read") from error
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip().splitlines()
        reason = said[-1] if said and done.returncode == 1 else _ENDED
        raise TrialError(first_line(TrialError(reason.removeprefix("pyo3_runtime.PanicException: "))))


def bound_memory(size: int) -> None:
    """Bound the memory of this process, where the system can."""
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (size, size))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
