"""Running wiktextract: nothing it prints reaches the user but its progress and, if it fails, the reason.

The child and its workers are a session of their own. They are killed together when we are done with them, and when
we are gone: the child's standard input ends with us, see `lexkit.sources.dumps.child`.
"""

from __future__ import annotations

import os
import re
import selectors
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from lexkit.sources.dumps.brown import Brown

_CHILD = "lexkit.sources.dumps.child"
_ROOT = Path(__file__).resolve().parents[3]
_KEPT = 400
_LINE = 1 << 16
_REASON = 300
_EXCEPTION = re.compile(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b")
_NOISE = re.compile(r"\s|\[nltk_data\]|[^\w\s]*$")


class ChildError(Exception):
    """The child failed; the message is the reason in a few words."""


def environment_for(brown: Brown) -> dict[str, str]:
    """Return the environment in which wiktextract finds the corpus, and gives the same for the same dump."""
    named = os.environ.get("NLTK_DATA", "").split(os.pathsep)
    path = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return os.environ | {
        "NLTK_DATA": os.pathsep.join(filter(None, [str(brown.nltk_data), *named])),
        "PYTHONPATH": os.pathsep.join(filter(None, [*path, str(_ROOT)])),
        "PYTHONHASHSEED": "0",  # wiktextract goes through sets
        "PYTHONUTF8": "1",
        "PYTHONWARNINGS": "ignore",
    }


def run_child(
    arguments: Sequence[str],
    *,
    folder: Path,
    environment: dict[str, str],
    keep_open: Sequence[int] = (),
    on_line: Callable[[str], None] = lambda line: None,
) -> list[str]:
    """Run the child to its end and return the last lines of its standard output.

    Args:
        arguments: see `lexkit.sources.dumps.child`.
        folder: where it runs; wiktextract drops files there.
        environment: see `environment_for`.
        keep_open: descriptors that the child and its workers inherit, above all a lock they have to hold.
        on_line: called with every line of its output.

    Raises:
        ChildError: it failed, or was killed.
    """
    with subprocess.Popen(
        [sys.executable, "-m", _CHILD, *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        pass_fds=keep_open,
        start_new_session=True,
    ) as process:
        try:
            output, errors = _follow(process, on_line)
        finally:
            _kill_group(process)
    if process.returncode != 0:
        raise ChildError(_reason(process.returncode, output, errors))
    return list(output)


def _follow(process: subprocess.Popen[bytes], on_line: Callable[[str], None]) -> tuple[deque[str], deque[str]]:
    assert process.stdout is not None and process.stderr is not None
    lines = {stream.fileno(): _Lines() for stream in (process.stdout, process.stderr)}
    with selectors.DefaultSelector() as selector:
        for descriptor in lines:
            selector.register(descriptor, selectors.EVENT_READ)
        while selector.get_map():
            for key, _ in selector.select(timeout=0.5):
                block = os.read(key.fd, _LINE)
                for line in lines[key.fd].feed(block):
                    on_line(line)
                if not block:
                    selector.unregister(key.fd)
            if _has_ended(process):
                _kill_group(process)  # workers that outlive it hold the pipes open, and would for ever
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # it closes its output a little before it ends
    output, errors = lines.values()
    return output.kept, errors.kept


def _has_ended(process: subprocess.Popen[bytes]) -> bool:
    """Whether the child has ended; it stays a zombie, so that its group's number cannot become another's."""
    if process.returncode is not None:
        return True
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    if process.returncode is None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)


class _Lines:
    """Cuts a stream into lines and keeps the last ones."""

    def __init__(self) -> None:
        self.kept: deque[str] = deque(maxlen=_KEPT)
        self._rest = b""

    def feed(self, block: bytes) -> Iterator[str]:
        """Yield the lines that *block* completes; an empty block is the end of the stream."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        if not block or len(self._rest) > _LINE:
            lines, self._rest = [*lines, self._rest], b""
        for line in lines:
            text = line.decode("utf-8", "replace").rstrip()
            self.kept.append(text)
            yield text


def _reason(code: int, output: deque[str], errors: deque[str]) -> str:
    if code < 0:
        killed = f"killed by {signal.Signals(-code).name}"
        return f"{killed}, perhaps for want of memory" if code == -signal.SIGKILL else killed
    lines = [line for line in reversed(errors) if line and not _NOISE.match(line)]
    said = next((line for line in lines if _EXCEPTION.match(line)), None) or next(iter(lines), None)
    said = said or next((line for line in reversed(output) if line), f"exit code {code}")
    return "".join(c if c.isprintable() else " " for c in said)[:_REASON].strip().rstrip(":.")
