"""One HTTP GET: which redirects are followed, and what each way to fail means for whoever may try again.

The standard library does the speaking, proxies (``https_proxy``, ``no_proxy``) and certificates included.
Redirects are followed here and not by it, because it reads the body of a redirect without bound and follows
one from https to http.
"""

from __future__ import annotations

import errno
import http.client
import re
import socket
import ssl
import string
import urllib.error
import urllib.request
from collections.abc import Mapping
from email.message import Message
from email.utils import parsedate_to_datetime
from time import time
from urllib.parse import quote, urljoin, urlsplit

from lexkit import __version__

_REDIRECTS = {301, 302, 303, 307, 308}
_MAX_REDIRECTS = 10
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}
_AGENT = f"lexkit/{__version__}"


class Failure(Exception):
    """A request that did not give what was asked for.

    Attributes:
        reason: what went wrong, as a clause.
        status: the server's answer, where there was one.
        is_transient: whether another try may do better.
        is_offline: whether the network as a whole seems to be missing.
        wait: seconds the server asks to wait, where it does.
    """

    def __init__(
        self,
        reason: str,
        *,
        status: int | None = None,
        is_transient: bool = False,
        is_offline: bool = False,
        wait: float | None = None,
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.status = status
        self.is_transient = is_transient
        self.is_offline = is_offline
        self.wait = wait


class Reply:
    """The answer to a GET: status, headers, and a body read piece by piece. Closes when its ``with`` block ends."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self._response = response
        self.status = response.status
        self.headers: Message = response.headers

    def __enter__(self) -> Reply:
        return self

    def __exit__(self, *args: object) -> None:
        self._response.close()

    @property
    def is_chunked(self) -> bool:
        """Whether the body marks its own end, so that a broken one is noticed without a length."""
        return bool(self._response.chunked)

    def number(self, header: str) -> int | None:
        """Return the value of a header that is a plain number, else None."""
        value = self.headers.get(header, "").strip()
        return int(value) if re.fullmatch("[0-9]{1,18}", value) else None

    def read(self, size: int) -> bytes:
        """Return what has come of the body, at most *size* bytes; nothing at its end.

        Raises:
            Failure: the connection broke or was silent for too long.
        """
        try:
            # read1, since read would wait for the whole block and lose what had come of it when the connection breaks
            return self._response.read1(size)
        except (OSError, http.client.HTTPException) as error:
            raise _network_failure(error) from error


def get(url: str, headers: Mapping[str, str], timeout: float) -> Reply:
    """Ask for *url*, following redirects to http and https, and return the answer (200 or 206).

    Args:
        url: an http or https address.
        headers: sent besides those that every request has.
        timeout: seconds of silence, when connecting and when reading, after which the connection counts as broken.

    Raises:
        Failure: the connection fails, the server answers with an error, or a redirect cannot be followed.
    """
    if urlsplit(url).scheme not in ("http", "https"):
        raise Failure("the address is neither http nor https")
    opener = _opener()
    for _ in range(_MAX_REDIRECTS):
        request = urllib.request.Request(url, headers={"User-Agent": _AGENT, "Accept-Encoding": "identity", **headers})
        try:
            return Reply(opener.open(request, timeout=timeout))
        except urllib.error.HTTPError as error:
            with error:
                if error.code not in _REDIRECTS:
                    raise _status_failure(error) from error
                url = redirected(url, error.headers.get("Location", ""))
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise _network_failure(error) from error
    raise Failure(f"redirected {_MAX_REDIRECTS} times, the last time to {url}")


def _opener() -> urllib.request.OpenerDirector:
    # build_opener() would add handlers of file:, ftp: and data:, and one that follows redirects
    opener = urllib.request.OpenerDirector()
    for handler in (
        urllib.request.ProxyHandler,
        urllib.request.UnknownHandler,
        urllib.request.HTTPHandler,
        urllib.request.HTTPSHandler,
        urllib.request.HTTPDefaultErrorHandler,
        urllib.request.HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def redirected(url: str, location: str) -> str:
    """Return where a redirect from *url* leads.

    Raises:
        Failure: nowhere, to something else than http or https, or from https to http.
    """
    try:
        # quoted as browsers do: an address with a space or a control character must reach neither server nor terminal
        target = quote(urljoin(url, location), safe=string.punctuation)
        parts = urlsplit(target)
    except ValueError:
        raise Failure(f"redirected to {location!r}, which is not an address") from None
    if parts.scheme not in ("http", "https"):
        raise Failure(f"redirected to {target}, which is neither http nor https")
    if not location or not parts.hostname:
        raise Failure(f"redirected to {location!r}, which is not an address")
    if parts.scheme == "http" and urlsplit(url).scheme == "https":
        raise Failure(f"redirected from https to {target}, which anybody on the way could change")
    return target


def _status_failure(error: urllib.error.HTTPError) -> Failure:
    # the usual words for the code, not the server's own, which may hold anything
    return Failure(
        f"the server answers {error.code} {http.client.responses.get(error.code, '')}".rstrip(),
        status=error.code,
        is_transient=error.code in _TRY_AGAIN,
        wait=_seconds(error.headers.get("Retry-After", "")),
    )


def _seconds(retry_after: str) -> float | None:
    if re.fullmatch("[0-9]{1,18}", retry_after.strip()):
        return float(retry_after)
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time())
    except (ValueError, OverflowError):
        return None


def _network_failure(error: Exception) -> Failure:
    """Say what *error*, raised by the standard library, means."""
    if isinstance(error, urllib.error.URLError) and isinstance(error.reason, Exception):
        return _network_failure(error.reason)
    text = " ".join(str(error).split()) or type(error).__name__
    if isinstance(error, socket.gaierror):
        return Failure("the server's name is unknown (no network, or no DNS)", is_transient=True, is_offline=True)
    if isinstance(error, ssl.SSLCertVerificationError):
        return Failure(f"the server's certificate is not trusted ({error.verify_message})")
    if isinstance(error, TimeoutError):
        return Failure("the server was silent for too long", is_transient=True)
    if isinstance(error, OSError):
        return _broken_connection(error, text)
    if isinstance(error, http.client.IncompleteRead):
        return Failure("the connection closed before the end", is_transient=True)
    if isinstance(error, http.client.HTTPException) and not isinstance(error, http.client.InvalidURL):
        return Failure(f"the answer is not HTTP ({text})", is_transient=True)
    return Failure(f"not an address that can be asked for ({text})")


def _broken_connection(error: OSError, text: str) -> Failure:
    if error.errno in (errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN):
        return Failure("the network cannot be reached", is_transient=True, is_offline=True)
    if isinstance(error, ConnectionRefusedError):
        return Failure("the server refuses the connection", is_transient=True)
    return Failure(f"the connection broke ({error.strerror or text})", is_transient=True)
