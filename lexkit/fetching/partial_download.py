"""A download in progress: ``FILE.part`` has the bytes, and ``FILE.part.json`` says which file they belong to.

The note is written before the first byte, so the part is never mistaken for one of another file, whenever the process
is killed. The size of the part alone says how much has arrived. A broken transfer is retried, in this run or the next,
and continues where it stopped if the server still has the same file.
"""

from __future__ import annotations

import errno
import re
import shutil
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from itertools import count
from pathlib import Path
from urllib.request import getproxies, proxy_bypass

import httpx
import msgspec

from lexkit import __version__
from lexkit.atomic_write import sync, write_atomically
from lexkit.errors import first_line
from lexkit.progress import Progress
from lexkit.sources.catalog import Download

_HEADERS = {"User-Agent": f"lexkit/{__version__}", "Accept-Encoding": "identity"}
_MAX_REDIRECTS = 10
_MAX_SHOWN = 200
_WORTHWHILE = 1 << 20
"""Number of bytes that an attempt must add to the part to reset the count of failures in a row."""

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-[0-9]{1,18}/([0-9]{1,18}|\*)")
_TRANSIENT = {408, 425, 429, 500, 502, 503, 504}
_UNREACHABLE = {errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN}

_ASK_PUBLISHER = "see {homepage} for what has changed there"
_LATER = "fetch again later"
_CONNECT = "connect this machine, or fetch elsewhere and copy the cache here"
_REFUSED = "the publisher does not serve this machine; see {homepage}"
_GONE = "the publisher has moved or removed it; see {homepage}"
_CHECK_PROXY = "check http_proxy, https_proxy and no_proxy"
_STATUS_FIXES = {401: _REFUSED, 403: _REFUSED, 451: _REFUSED, 404: _GONE, 410: _GONE}
_BAD_ADDRESS = (httpx.InvalidURL, httpx.UnsupportedProtocol, UnicodeError, OverflowError)
"""What httpx and the socket module raise for an invalid address, which a redirect may contain."""
_FAILURES: tuple[tuple[type[Exception] | tuple[type[Exception], ...], str, str, bool], ...] = (
    (socket.gaierror, "the server cannot be reached: no network, or no DNS ({})", _CONNECT, True),
    (ssl.SSLCertVerificationError, "the server's certificate is not trusted ({})", _ASK_PUBLISHER, False),
    (TimeoutError, "the server was silent for too long", _LATER, True),
    (ConnectionRefusedError, "the server refuses the connection", _LATER, True),
    (_BAD_ADDRESS, "the address is invalid ({})", _ASK_PUBLISHER, False),
    (httpx.ProxyError, "the proxy refuses the connection ({})", _CHECK_PROXY, False),
    (httpx.RemoteProtocolError, "the answer is not HTTP ({})", _LATER, True),
    (Exception, "the connection broke ({})", _LATER, True),
)
"""What an error, or its cause, means: the reason, the fix, and whether another attempt may succeed."""


@dataclass(eq=False)
class Failure(Exception):
    """An attempt to download the file failed."""

    reason: str
    fix: str = _ASK_PUBLISHER
    """What the user can do; ``{homepage}`` stands for the address of the source's home page."""
    is_transient: bool = False
    """Whether another attempt may succeed."""
    wait: float = 0.0
    """Seconds that the server asks the client to wait."""


@dataclass(frozen=True)
class Patience:
    """How long to wait and how often to try."""

    tries: int = 6
    """Number of failures in a row after which a download is given up."""
    timeout: float = 60.0
    """Seconds of silence after which a connection counts as broken."""
    pause: float = 1.0
    """Seconds before the second try; the pause doubles with each further try."""
    longest_pause: float = 60.0
    sleep: Callable[[float], None] = time.sleep


class Version(msgspec.Struct, frozen=True):
    """What the server said about the file when it began to send it."""

    url: str
    etag: str | None = None
    last_modified: str | None = None
    total: int | None = None
    """Bytes of the whole file; None where the server does not say."""

    @property
    def validator(self) -> str | None:
        """The value for ``If-Range``: a strong ETag, or else the date; None if the server gives neither."""
        given = (said for said in (self.etag, self.last_modified) if said and not said.startswith("W/"))
        return next((said for said in given if said.isascii() and said.isprintable()), None)

    def continues_in(self, reply: httpx.Response, done: int) -> bool:
        """Whether a reply sends the bytes of this version from *done* onwards, according to its headers."""
        found = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range", ""))
        same_etag = self.etag is None or reply.headers.get("ETag", self.etag) == self.etag
        same_total = found is not None and (self.total is None or found[2] in ("*", str(self.total)))
        return found is not None and int(found[1]) == done and same_etag and same_total


class PartialDownload:
    """The part of *download* that has arrived so far; once complete, it becomes the file *target*.

    Attributes:
        version: version of the file on the server; None if no part can be used.
        resumed_at: number of bytes that come from an earlier run.
    """

    def __init__(self, download: Download, target: Path) -> None:
        self.path = target.with_name(f"{target.name}.part")
        self.version: Version | None = None
        self._download, self._target = download, target
        self._note = target.with_name(f"{target.name}.part.json")
        try:
            version = msgspec.json.decode(self._note.read_bytes(), type=Version)
            self.version = version if version.url == download.url else None
        except (FileNotFoundError, ValueError):  # ValueError: not JSON, not UTF-8, or other fields
            pass
        self.resumed_at = self._usable()

    def size(self) -> int:
        """Return how many bytes have arrived."""
        return self.path.stat().st_size if self.path.exists() else 0

    def discard(self) -> None:
        """Delete the part and its note."""
        self.path.unlink(missing_ok=True)
        self._note.unlink(missing_ok=True)

    def publish(self) -> None:
        """Rename the part, now complete, to the target in one step."""
        sync(self.path)
        self.path.replace(self._target)
        sync(self._target.parent)
        self._note.unlink(missing_ok=True)

    def complete(self, progress: Progress, patience: Patience) -> None:
        """Transfer the missing bytes, in as many attempts as *patience* allows.

        Raises:
            Failure: the last attempt failed, and another would not help or is not allowed.
            OSError: the part cannot be written.
        """
        failures, longest = 0, self.size()
        for attempt in count(1):
            progress.stage(f"fetch {self._download.file}" + (f", try {attempt}" if failures else ""))
            try:
                self._attempt(progress, patience.timeout)
                return
            except Failure as failure:
                # compare with the longest part so far, so that a server that always starts again earns no more tries
                failures = 1 if self.size() >= longest + _WORTHWHILE else failures + 1
                longest = max(longest, self.size())
                # if the first try cannot connect, the machine is offline; later, the connection may come back
                hopeless = not failure.is_transient or (failure.fix == _CONNECT and attempt == 1)
                if hopeless or failures >= patience.tries:
                    raise
                pause = max(patience.pause * 2 ** (failures - 1), failure.wait)
            patience.sleep(min(pause, patience.longest_pause))

    def _usable(self) -> int:
        """Return the number of bytes to keep: all, or none if the server cannot send the rest alone."""
        if self.version is None or self.version.validator is None:
            return 0
        size = self.size()
        return size if self.version.total is None or size <= self.version.total else 0

    def _attempt(self, progress: Progress, timeout: float) -> None:
        done, version = self._usable(), self.version
        if done and version and done == version.total:
            return
        headers = {"Range": f"bytes={done}-", "If-Range": version.validator or ""} if done and version else {}
        with _reply(self._download.url, headers, timeout) as reply:
            if not (done and version and reply.status_code in (206, 416)):
                version, done = self._begin(reply), 0
            elif not version.continues_in(reply, done):
                self.version, self.resumed_at = None, 0
                self.discard()
                raise Failure("the server's file has changed, or the server does not send parts", _LATER, True)
            self._copy(reply, done, version.total, progress)

    def _begin(self, reply: httpx.Response) -> Version:
        """Start a new, empty part."""
        _check_status(reply)
        headers, known = reply.headers, self._download
        is_chunked, total = "Transfer-Encoding" in headers, known.bytes
        if "Content-Length" in headers and not is_chunked:
            total = int(headers["Content-Length"])  # h11 lets no more than 20 digits pass
        if known.bytes not in (None, total):
            raise Failure(f"the server's file has {total:,} bytes, but the catalogue says {known.bytes:,}")
        if total is None and not is_chunked and known.sha256 is None:
            raise Failure("the server does not say how long the file is, so an incomplete one would look complete")
        self.version = version = Version(known.url, headers.get("ETag"), headers.get("Last-Modified"), total)
        self.resumed_at = 0
        self.path.write_bytes(b"")  # before the note, which would otherwise describe the old bytes
        write_atomically(self._note, msgspec.json.encode(version))
        return version

    def _copy(self, reply: httpx.Response, done: int, total: int | None, progress: Progress) -> None:
        free = shutil.disk_usage(self.path.parent).free
        if total is not None and free < total - done:
            raise OSError(errno.ENOSPC, f"no space: {total - done:,} bytes are needed, {free:,} are free")
        progress.transfer(done, total)
        is_whole = False
        with self.path.open("ab") as stream, suppress(httpx.RemoteProtocolError):
            for block in reply.iter_raw():
                done += stream.write(block if total is None else block[: total - done])
                progress.transfer(done, total)
                if done == total:
                    break
            is_whole = total in (None, done)
        if not is_whole:
            of_total = "" if total is None else f" of {total:,}"
            raise Failure(f"the connection closed after {done:,}{of_total} bytes", _LATER, True)


def _check_status(reply: httpx.Response) -> None:
    if reply.status_code != 200:
        is_transient = reply.status_code in _TRANSIENT
        raise Failure(
            f"the server answers {reply.status_code} {httpx.codes.get_reason_phrase(reply.status_code)}".rstrip(),
            _LATER if is_transient else _STATUS_FIXES.get(reply.status_code, _ASK_PUBLISHER),
            is_transient,
            _seconds(reply.headers.get("Retry-After", "")),
        )


def _seconds(retry_after: str) -> float:
    if retry_after.isdecimal():
        return float(retry_after)
    try:
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    except (ValueError, OverflowError):
        return 0.0


@contextmanager
def _reply(url: str | httpx.URL, headers: dict[str, str], timeout: float) -> Iterator[httpx.Response]:
    """Context manager. Request *url*, follow redirects, and yield the response before its body is read.

    Raises:
        Failure: the connection fails, even while the block reads the body, or a redirect cannot be followed.
    """
    try:
        for _ in range(_MAX_REDIRECTS):
            with _client(url, timeout) as client, client.stream("GET", url, headers=headers) as reply:
                if reply.next_request is None:
                    if reply.headers.get("Content-Encoding", "identity") != "identity" and reply.is_success:
                        raise Failure("the server sends the file in an encoding that was not requested")
                    yield reply
                    return
                url = reply.next_request.url
                if url.scheme not in ("https", reply.url.scheme):
                    # over plain HTTP anybody on the way could change the file; other schemes are not on the web
                    raise Failure(f"redirected from {reply.url.scheme} to {str(url)[:_MAX_SHOWN]}")
        raise Failure(f"redirected {_MAX_REDIRECTS} times, the last time to {str(url)[:_MAX_SHOWN]}")
    except (httpx.HTTPError, *_BAD_ADDRESS) as error:
        raise _failure(error) from error


def _client(url: str | httpx.URL, timeout: float) -> httpx.Client:
    """Return a client for one request, which uses the system's certificates and the environment's proxy."""
    address, proxies = httpx.URL(url), getproxies()
    proxy = proxies.get(address.scheme) or proxies.get("all")
    if proxy and proxy_bypass(address.netloc.decode("ascii")):  # httpx itself rejects some values of no_proxy
        proxy = None
    if proxy and "://" not in proxy:
        proxy = f"http://{proxy}"
    try:
        # only if there is a certificate to check: loading the system's trusted ones takes a tenth of a second
        trusted = address.scheme == "https" and ssl.create_default_context()
        return httpx.Client(headers=_HEADERS, proxy=proxy, trust_env=False, verify=trusted, timeout=timeout)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        raise Failure(f"the proxy cannot be used ({first_line(error)})", _CHECK_PROXY) from error


def _failure(error: Exception) -> Failure:
    chain: list[BaseException] = [error]
    while deeper := chain[-1].__cause__ or chain[-1].__context__:
        chain.append(deeper)
    if any(isinstance(one, OSError) and one.errno in _UNREACHABLE for one in chain):
        chain.append(socket.gaierror())
    return next(
        Failure(reason.format(first_line(error)[:_MAX_SHOWN]), fix, is_transient)
        for kind, reason, fix, is_transient in _FAILURES
        if any(isinstance(one, kind) for one in chain)
    )
