"""One file over HTTP into its part: tries, pauses, and going on where an earlier try or run has stopped."""

from __future__ import annotations

import errno
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass

from lexkit.fetch.http import Failure, Reply, get
from lexkit.fetch.partial_download import Part, Version
from lexkit.progress import Progress
from lexkit.sources.catalog import Download

_BLOCK = 1 << 16
_WORTHWHILE = 1 << 20
"""Bytes that a try must add to the part for the count of failures in a row to start again."""

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18}|\*)")


@dataclass(frozen=True)
class Patience:
    """How long to wait and how often to try."""

    tries: int = 6
    """Failures in a row after which a download is given up."""
    timeout: float = 60.0
    """Seconds of silence after which a connection counts as broken."""
    pause: float = 1.0
    """Seconds before the second try; twice as many before each further one."""
    longest_pause: float = 60.0
    sleep: Callable[[float], None] = time.sleep


class Transfer:
    """The transfer of a file of the catalogue into *part*.

    Attributes:
        resumed_at: how many of the part's bytes come from an earlier run.
    """

    def __init__(self, download: Download, part: Part, progress: Progress, patience: Patience) -> None:
        self._download = download
        self._part = part
        self._progress = progress
        self._patience = patience
        self.resumed_at = self._usable(part.version())

    def run(self) -> None:
        """Try until the part is whole.

        Raises:
            Failure: the last attempt failed, and another would not help or the time for attempts is over.
            OSError: the part cannot be written.
        """
        patience, part = self._patience, self._part
        tries = failures = 0
        longest = part.size()
        while True:
            tries += 1
            self._progress.stage(f"fetch {self._download.file}" + (f", try {tries}" if failures else ""))
            try:
                return self._try_once()
            except Failure as failure:
                # against the longest part so far: a server that always starts from the beginning earns no further tries
                failures = 1 if part.size() >= longest + _WORTHWHILE else failures + 1
                longest = max(longest, part.size())
                # at the first try it is the machine that is offline; later the line may come back
                hopeless = not failure.is_transient or (failure.is_offline and tries == 1)
                if hopeless or failures >= patience.tries:
                    raise
                pause = max(patience.pause * 2 ** (failures - 1), failure.wait or 0)
            patience.sleep(min(pause, patience.longest_pause))

    def _usable(self, version: Version | None) -> int:
        """Return how much of the part can be gone on from: all of it, or nothing."""
        size = self._part.size()
        if version is None or version.url != self._download.url or version.validator is None:
            return 0
        return size if version.total is None or size <= version.total else 0

    def _try_once(self) -> None:
        version = self._part.version()
        offset = self._usable(version)
        headers = {}
        if offset and version is not None and version.validator is not None:
            if offset == version.total:
                return
            headers = {"Range": f"bytes={offset}-", "If-Range": version.validator}
        try:
            reply = get(self._download.url, headers, self._patience.timeout)
        except Failure as failure:
            if failure.status == 416 and headers:
                raise self._start_anew() from failure
            raise
        with reply:
            if reply.status == 206 and headers:
                total = self._check_continues(reply, version, offset)
            else:
                total = self._begin(reply)
                offset = 0
            self._copy(reply, offset, total)

    def _start_anew(self) -> Failure:
        self._part.discard()
        self.resumed_at = 0
        return Failure("the server's file has changed, or it does not send parts as asked", is_transient=True)

    def _check_continues(self, reply: Reply, version: Version | None, offset: int) -> int | None:
        """Return the size of the whole file; a part of another file, or from another byte, must not be appended."""
        found = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", "").strip())
        etag = reply.headers.get("ETag")
        if version is None or found is None or int(found[1]) != offset:
            raise self._start_anew()
        total = None if found[3] == "*" else int(found[3])
        if etag is not None and version.etag is not None and etag != version.etag:
            raise self._start_anew()
        if total is not None and version.total is not None and total != version.total:
            raise self._start_anew()
        return version.total if total is None else total

    def _begin(self, reply: Reply) -> int | None:
        """Start the part from nothing; return the size of the whole file, None where only its end will tell."""
        if reply.status != 200:
            raise Failure(f"the server answers {reply.status} instead of the file", status=reply.status)
        if reply.headers.get("Content-Encoding", "identity") != "identity":
            raise Failure("the server sends the file in another encoding than its own")
        stated, expected = reply.number("Content-Length"), self._download.bytes
        if stated is not None and expected not in (None, stated):
            raise Failure(f"the server's file has {stated:,} bytes, and the catalogue says {expected:,}")
        total = expected if stated is None else stated
        if total is None and not reply.is_chunked and self._download.sha256 is None:
            raise Failure("the server does not say how long the file is, so a broken one would look whole")
        self.resumed_at = 0
        self._part.begin(Version.of(self._download.url, reply.headers, total))
        return total

    def _copy(self, reply: Reply, done: int, total: int | None) -> None:
        free = shutil.disk_usage(self._part.path.parent).free
        if total is not None and free < total - done:
            raise OSError(errno.ENOSPC, f"no space: {total - done:,} bytes are to come, {free:,} are free")
        self._progress.transfer(done, total)
        with self._part.append() as stream:
            while total is None or done < total:
                block = reply.read(_BLOCK if total is None else min(_BLOCK, total - done))
                if not block:
                    break
                stream.write(block)
                done += len(block)
                self._progress.transfer(done, total)
        if total is not None and done < total:
            raise Failure(f"the connection closed after {done:,} of {total:,} bytes", is_transient=True)
