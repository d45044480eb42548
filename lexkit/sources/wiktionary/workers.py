"""Parse blocks in other processes.

The workers are plain subprocesses that communicate through pipes. `multiprocessing` would import the user's script
again in each of them, or fork a process in which DuckDB and Arrow have threads. Workers end when their pipe closes, so
they never outlive this process.

A message is its length (8 bytes, big-endian), followed by that many bytes. A job is two messages: a JSON object, and a
block, which is empty if the worker reads it from the file itself. A result is a report, and an Arrow stream for each
type of record.
"""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, NamedTuple, TypeVar

import msgspec
import pyarrow as pa

from lexkit.errors import SourceError
from lexkit.sources.batches import SCHEMAS, Batch
from lexkit.sources.read_report import ReadReport
from lexkit.sources.records import Form, Headword, Statement
from lexkit.sources.wiktionary import blocks
from lexkit.sources.wiktionary.entries import parse_block

_T = TypeVar("_T")
_TYPES = (Headword, Statement, Form)
_PIPE = 1 << 20
"""Size of a pipe in bytes, if the system allows it (Linux: up to this). Whenever a pipe is full or empty, the thread at
this end waits some milliseconds for Python's lock."""
_AHEAD = 3
"""Blocks assigned to a worker at a time: one whose result is being sent, one being parsed, and the next."""
_WAITING = 16
"""Results per worker that may wait for an earlier result."""


class Job(msgspec.Struct, frozen=True):
    """A block to parse: either the bytes sent with the job, or a range of a file."""

    language: str
    headwords: bool
    path: str | None = None
    start: int = 0
    end: int = 0


class Parsed(NamedTuple):
    """The result of a block."""

    report: ReadReport
    """Report of the block, whose lines are numbered from 1."""
    n_lines: int
    batches: list[Batch]


def parse(job: Job, block: bytes) -> Parsed:
    """Do a job in this process; a range of a file is parsed block by block."""
    if job.path is None:
        return _parse_block(job, block, len(block))
    report, n_lines = ReadReport(), 0
    batches: list[Batch] = []
    for start, end in blocks.ranges(job.start, job.end, blocks.BLOCK):
        parsed = _parse_block(job, *blocks.read_range(Path(job.path), start, end))
        report.add(parsed.report, n_lines)
        n_lines += parsed.n_lines
        batches += parsed.batches
    return Parsed(report, n_lines, batches)


def _parse_block(job: Job, block: bytes, size: int) -> Parsed:
    report = ReadReport()
    with _no_collection():
        n_lines, batches = parse_block(block, size, report, job.language, job.headwords)
    return Parsed(report, n_lines, batches)


@contextmanager
def _no_collection() -> Iterator[None]:
    """Context manager. Turn off garbage collection, which finds nothing in a block and takes a tenth of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def parse_all(jobs: Iterable[tuple[Job, bytes]], n_workers: int) -> Iterator[Parsed]:
    """Parse blocks in *n_workers* other processes and in this one, and yield the results in the order of the jobs.

    This process parses a block itself when the others are busy, so that it neither idles nor keeps them waiting. The
    number of unfinished blocks is bounded, so memory does not grow with the file.

    Raises:
        SourceError: a worker died.
    """
    workers = [_Worker() for _ in range(n_workers)]
    pending: deque[Future[Parsed]] = deque()
    try:
        for job, block in jobs:
            worker = min(workers, key=_Worker.under_way)
            if worker.under_way() < _AHEAD:
                pending.append(worker.submit(job, block))
            else:
                pending.append(_done(parse(job, block)))
            while pending and (pending[0].done() or len(pending) > _WAITING * n_workers):
                yield pending.popleft().result()
        while pending:
            yield pending.popleft().result()
    finally:
        for worker in workers:
            worker.stop()


def _done(result: _T) -> Future[_T]:
    future: Future[_T] = Future()
    future.set_result(result)
    return future


class _Worker:
    """A process that parses, and the threads that communicate with it, so that it always has its next block."""

    def __init__(self) -> None:
        self._sender, self._receiver = ThreadPoolExecutor(1), ThreadPoolExecutor(1)
        self._results: deque[Future[Parsed]] = deque()
        package = str(Path(__file__).resolve().parents[3])
        paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
            pipesize=_PIPE,
        )

    def under_way(self) -> int:
        """Return how many blocks the worker has not finished."""
        while self._results and self._results[0].done():
            self._results.popleft()
        return len(self._results)

    def submit(self, job: Job, block: bytes) -> Future[Parsed]:
        """Send a block to the worker; results arrive in the order of the blocks."""
        self._sender.submit(self._send, job, block)
        result = self._receiver.submit(self._receive, job)
        self._results.append(result)
        return result

    def _send(self, job: Job, block: bytes) -> None:
        stdin = self._process.stdin
        assert stdin is not None  # it is a pipe
        with suppress(OSError):  # if the worker has died, `_receive` reports it
            _send(stdin, msgspec.json.encode(job))
            _send(stdin, block)
            stdin.flush()

    def _receive(self, job: Job) -> Parsed:
        stdout = self._process.stdout
        assert stdout is not None
        try:
            report, n_lines = msgspec.json.decode(_receive(stdout), type=tuple[msgspec.Raw, int])
            batches = []
            for record_type in _TYPES:
                with pa.ipc.open_stream(_receive(stdout)) as stream:
                    table = stream.read_all()
                if table.num_rows:
                    batches.append(Batch(record_type, table))
        except (OSError, EOFError) as error:
            raise SourceError(
                f"a process that reads {job.path or 'the file'} died, perhaps out of memory; build with --jobs 1"
            ) from error
        return Parsed(ReadReport.load(bytes(report)), n_lines, batches)

    def stop(self) -> None:
        for threads in (self._sender, self._receiver):
            threads.shutdown(wait=False, cancel_futures=True)
        self._process.kill()  # which also ends the threads' waiting
        for threads in (self._sender, self._receiver):
            threads.shutdown()
        self._process.communicate()


def _serve(stdin: IO[bytes], stdout: IO[bytes]) -> None:
    # Write in a thread, so that a result which does not fit into the pipe at once does not delay the next block
    with ThreadPoolExecutor(1) as writer:
        written: Future[None] = _done(None)
        while True:
            try:
                job = msgspec.json.decode(_receive(stdin), type=Job)
            except EOFError:
                break
            parsed = parse(job, _receive(stdin))
            written.result()
            written = writer.submit(_reply, stdout, parsed)
        written.result()


def _reply(stdout: IO[bytes], parsed: Parsed) -> None:
    _send(stdout, msgspec.json.encode((msgspec.Raw(parsed.report.dump()), parsed.n_lines)))
    for record_type in _TYPES:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, SCHEMAS[record_type]) as stream:
            for batch in parsed.batches:
                if batch.record_type is record_type:
                    stream.write_table(batch.table)
        _send(stdout, sink.getvalue())
    stdout.flush()


def _send(stream: IO[bytes], message: bytes | pa.Buffer) -> None:
    view = memoryview(message)
    stream.write(len(view).to_bytes(8, "big"))
    stream.write(view)


def _receive(stream: IO[bytes]) -> bytes:
    length = int.from_bytes(_exactly(stream, 8), "big")
    return _exactly(stream, length)


def _exactly(stream: IO[bytes], n: int) -> bytes:
    data = stream.read(n)
    if len(data) < n:
        raise EOFError
    return data


class _NoPandas:
    """Keeps pyarrow from importing pandas, which would take half a second and is not needed here."""

    @staticmethod
    def find_spec(name: str, path: object = None, target: object = None) -> None:
        if name == "pandas":
            raise ModuleNotFoundError(name)


if __name__ == "__main__":
    sys.meta_path.insert(0, _NoPandas)
    # Ctrl-C reaches the whole process group; leave it to the parent to end this process
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        _serve(sys.stdin.buffer, sys.stdout.buffer)
    except BrokenPipeError:
        os._exit(1)  # the parent has ended, so nobody would read a message
