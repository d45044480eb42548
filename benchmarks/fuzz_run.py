"""Running something hostile in a forked process: it may raise, abort, hang or fill the memory, and only it ends."""

from __future__ import annotations

import contextlib
import faulthandler
import json
import os
import resource
import select
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

from lexkit.errors import LexkitError

MEMORY = 3 << 30
"""Bytes that a forked process may map beyond what it has already."""
SECONDS = 120.0
"""How long one input may take on a busy machine; what takes longer hangs."""
LONGEST_LINE = 2000
"""Characters of an error message."""
_NOT_ONE_LINE = ("tell its authors", "Traceback", "panicked")
"""What a message of lexkit's says where lexkit itself, or one of its own readers, is wrong."""

Report = Callable[[Any], None]


class Died(Exception):
    """A forked process that a signal ended, or that took too long."""


def forked(work: Callable[[Report], None], log: Path, seconds: float = SECONDS, memory: int = MEMORY) -> Iterator[Any]:
    """Run *work* in a forked process, and yield what it reports, as JSON keeps it.

    Args:
        work: is given a function that reports.
        log: takes the standard error of the process; standard output goes nowhere.
        seconds: between two reports.
        memory: bytes that the process may map in addition.

    Raises:
        Died: the process aborted, hung, or was out of memory; the message says which.
    """
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        _work(work, writer, log, seconds, memory)
    os.close(writer)
    try:
        yield from _reports(reader, seconds)
    except TimeoutError as error:
        hung_in = [line.strip() for line in log.read_text("utf-8", "replace").splitlines() if " line " in line]
        raise Died(f"no result within {seconds:g} s; {' < '.join(hung_in[:12])}") from error
    finally:
        os.close(reader)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        _, status = os.waitpid(process, 0)
    code = os.waitstatus_to_exitcode(status)
    if code not in (0, -signal.SIGKILL):
        name = signal.Signals(-code).name if code < 0 else f"exit code {code}"
        raise Died(f"{name}: {' / '.join(log.read_text('utf-8', 'replace').splitlines()[-3:])[:500]}")


def _work(work: Callable[[Report], None], writer: int, log: Path, seconds: float, memory: int) -> NoReturn:
    code = 1

    def report(value: Any) -> None:  # noqa: ANN401
        # what it hangs in, for the message of `Died`
        faulthandler.dump_traceback_later(0.9 * seconds, file=2)
        _write(writer, json.dumps(value).encode() + b"\n")

    try:
        os.setpgid(0, 0)
        out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        os.dup2(out, 2)
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 0)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        limit_memory(memory)
        work(report)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        # Tell the parent to stop waiting before the process is freed, and skip what an interpreter does at its end
        sys.stderr.flush()
        os._exit(code)


def limit_memory(memory: int = MEMORY) -> None:
    """Let this process map *memory* bytes beyond what it has now."""
    mapped = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (mapped + memory, resource.RLIM_INFINITY))


def _write(descriptor: int, data: bytes) -> None:
    while data:
        data = data[os.write(descriptor, data) :]


def _reports(reader: int, seconds: float) -> Iterator[Any]:
    waiting = b""
    deadline = time.monotonic() + seconds
    while True:
        ready, _, _ = select.select([reader], [], [], max(deadline - time.monotonic(), 0))
        if not ready:
            raise TimeoutError
        data = os.read(reader, 1 << 16)
        if not data:
            return
        *lines, waiting = (waiting + data).split(b"\n")
        for line in lines:
            yield json.loads(line)
            deadline = time.monotonic() + seconds


def outcome(work: Callable[[], Any], log: Path) -> tuple[str, Any]:
    """Do something, and return how it ended: ``done`` with its result, ``refused`` or ``failed`` with the reason.

    An error of lexkit's of one line is a refusal. Everything else is a failure, and so is what a library prints.
    """
    before = log.stat().st_size
    try:
        result: tuple[str, Any] = ("done", work())
    except LexkitError as error:
        text = str(error)
        fault = _fault_of(text)
        result = ("failed", f"{type(error).__name__}: {fault}: {text[:500]!r}") if fault else ("refused", text)
    except BaseException as error:  # a panic of Rust is not an Exception
        trace = traceback.extract_tb(error.__traceback__)
        last = next((frame for frame in reversed(trace) if "/lexkit" in frame.filename), trace[-1])
        where = f"{Path(last.filename).name}:{last.lineno}"
        result = ("failed", f"{type(error).__name__} at {where}: {str(error)[:300]!r}")
    printed = log.read_bytes()[before:].decode("utf-8", "replace")
    if result[0] != "failed" and any(word in printed for word in ("panicked", "Traceback", "terminate called")):
        return "failed", f"prints {printed.splitlines()[:2]}"
    return result


def _fault_of(message: str) -> str | None:
    if len(message.splitlines()) != 1:
        return f"a message of {len(message.splitlines())} lines"
    if len(message) > LONGEST_LINE:
        return f"a message of {len(message):,} characters"
    if message.startswith("unexpected"):
        return "unexpected"
    return next((f"says {word!r}" for word in _NOT_ONE_LINE if word in message), None)


@contextlib.contextmanager
def alone(folder: Path) -> Iterator[Path]:
    """Give a folder in *folder* for one input; temporary files go to a folder beside it.

    Raises:
        AssertionError: temporary files are left behind.
    """
    with tempfile.TemporaryDirectory(dir=folder, ignore_cleanup_errors=True) as place:
        temporary = Path(place) / "tmp"
        temporary.mkdir()
        before, tempfile.tempdir = tempfile.tempdir, str(temporary)
        os.environ["TMPDIR"] = str(temporary)
        try:
            yield Path(place)
            left = sorted(path.name for path in temporary.iterdir())
            assert not left, f"temporary files are left behind: {left}"
        finally:
            tempfile.tempdir = before
