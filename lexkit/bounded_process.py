"""Run a module of lexkit in a process of its own, with limits on its memory and on how long it may stay silent.

Third-party parsers run this way: if one asks for too much memory, crashes, hangs or is killed, only its process ends.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import import_module
from pathlib import Path
from types import MappingProxyType
from typing import Any

import msgspec

from lexkit.errors import SourceError, first_line

_START = "import sys; sys.path[0] = sys.argv[1]; from lexkit.bounded_process import start; start(*sys.argv[2:])"
_ROOT = str(Path(__file__).resolve().parents[1])
LONGEST_SILENCE = 3600
"""Default number of seconds after which a process that sends nothing is killed."""
_ENVIRONMENT = {"PYTHONHASHSEED": "0", "PYTHONUTF8": "1", "PYTHONWARNINGS": "ignore"}
"""Settings that make results reproducible, because some parsers iterate over sets."""
_REFUSED = 3
"""Exit code of a process that has written a complete one-line error message."""


class ProcessError(Exception):
    """The process failed; the message gives the reason in a few words."""


def run(
    module: str,
    arguments: Sequence[str],
    memory: int,
    environment: Mapping[str, str] = MappingProxyType({}),
    keep_open: Sequence[int] = (),
    silence: int | None = None,
) -> Iterator[Any]:
    """Run ``main(send, *arguments)`` of a module in a new process and yield the JSON values that it sends.

    The process and its children form a session, which is killed when the iterator ends and when this process ends.

    Args:
        module: full name of the module.
        arguments: passed on to ``main``.
        memory: bytes of address space that each process may use.
        environment: variables for the process, in addition to those of this one.
        keep_open: file descriptors that the processes inherit, such as that of a lock that they must hold.
        silence: seconds that may pass without the process sending anything; `LONGEST_SILENCE` by default.

    Raises:
        SourceError: ``main`` raised it.
        ProcessError: the process failed in another way, or was killed.
    """
    seconds = silence or LONGEST_SILENCE
    command = [sys.executable, "-c", _START, _ROOT, str(memory), str(seconds), module, *arguments]
    with (
        tempfile.TemporaryFile() as complaints,
        subprocess.Popen(
            command,
            env=os.environ | _ENVIRONMENT | dict(environment),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=complaints,
            pass_fds=keep_open,
            start_new_session=True,
        ) as process,
    ):
        assert process.stdout is not None
        try:
            with suppress(msgspec.DecodeError):  # an incomplete last line, if the process was killed
                yield from map(msgspec.json.decode, process.stdout)
            process.wait()
        finally:
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
        if process.returncode:
            complaints.seek(0)
            said = complaints.read().decode("utf-8", "replace").strip().split("\n")[-1]
            if process.returncode == _REFUSED:
                raise SourceError(said)
            raise ProcessError(_reason(process.returncode, said, seconds))


def _reason(code: int, said: str, seconds: int) -> str:
    if code == -signal.SIGALRM:
        return f"it was silent for {seconds:,} s"
    if code < 0:
        hint = ", perhaps out of memory" if -code in (signal.SIGKILL, signal.SIGABRT) else ""
        return f"killed by {signal.Signals(-code).name}{hint}"
    said = said.removeprefix("pyo3_runtime.PanicException: ")  # how a panic in Rust code appears
    return first_line(ProcessError(said)) if said.strip() else f"exit code {code}"


def start(memory: str, silence: str, module: str, *arguments: str) -> None:
    """Run the module in the child process; `run` calls this there."""
    _bound_memory(int(memory))
    _end_with_parent()
    channel = os.fdopen(os.dup(1), "wb", 0)
    # workers must not keep the channel open after this process has ended; each watches for its parent's end itself
    os.register_at_fork(after_in_child=channel.close)
    os.register_at_fork(after_in_child=_end_with_parent)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # discard what parsers print
    encode = msgspec.json.Encoder().encode

    def send(value: Any) -> None:  # noqa: ANN401
        signal.alarm(int(silence))
        channel.write(encode(value) + b"\n")

    signal.alarm(int(silence))
    try:
        import_module(module).main(send, *arguments)
    except MemoryError:
        sys.exit(f"it needs more than {int(memory) >> 20:,} MiB of memory")
    except SourceError as error:
        sys.stderr.write(f"\n{error}\n")
        sys.exit(_REFUSED)
    except Exception as error:
        kind = "" if type(error) is Exception else f"{type(error).__name__}: "
        sys.exit(f"{kind}{first_line(error)}")


def _bound_memory(memory: int) -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    bound = memory if hard == resource.RLIM_INFINITY else min(memory, hard)
    resource.setrlimit(resource.RLIMIT_AS, (bound, hard))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _end_with_parent() -> None:
    """Kill the process group when standard input closes: the parent holds the other end and never writes to it."""

    def watch() -> None:
        os.read(0, 1)
        os.killpg(0, signal.SIGKILL)

    threading.Thread(target=watch, daemon=True).start()
