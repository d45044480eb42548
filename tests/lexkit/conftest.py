from __future__ import annotations

import shutil
import socket
import ssl
import struct
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel

Answer = Callable[[BaseHTTPRequestHandler], None]


class Server:
    """A web server on loopback that answers as a test tells it to, request by request; the last answer stays."""

    def __init__(self, certificate: Path | None = None) -> None:
        self.requests: list[Message] = []
        self._answers: dict[str, list[Answer]] = {}
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def do_GET(self) -> None:
                outer.requests.append(self.headers)
                self.close_connection = True
                answers = outer._answers.get(self.path, [status(404)])
                (answers.pop(0) if len(answers) > 1 else answers[0])(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            daemon_threads = False  # joined at the end, so that no socket outlives its test

            def handle_error(self, request: Any, client_address: Any) -> None:
                pass  # a client that goes away is what these tests are about

        self._server = Quiet(("127.0.0.1", 0), Handler)
        if certificate is not None:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "http" if certificate is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()

    def on(self, path: str, *answers: Answer) -> str:
        """Answer requests for *path* so, one after the other; return the whole address."""
        self._answers[path] = list(answers)
        return self.url + path

    def stop(self) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @staticmethod
    def status(code: int, **headers: str) -> Answer:
        """Answer with a status and an empty body."""
        return status(code, **headers)

    @staticmethod
    def send(body: bytes, **how: Any) -> Answer:
        """Answer with *body*, as `Send` says."""
        return Send(body=body, **how)


def status(code: int, **headers: str) -> Answer:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in headers.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    return answer


@dataclass(frozen=True, kw_only=True)
class Send:
    """Answer with *body* as a good server does, except in what is asked for."""

    body: bytes
    etag: str | None = '"1"'
    modified: str | None = None
    ranges: bool = True
    """Whether it knows Range."""
    believes: bool = False
    """Whether it sends the range even if If-Range is about another version."""
    stop_after: int | None = None
    """Close the connection after this number of bytes of the body."""
    reset: bool = False
    """Close it with a reset."""
    stated: bool = True
    """Whether it states the length."""
    chunked: bool = False
    before: Callable[[int], None] = lambda place: None
    """Called with the place in the file before each block, and at the end."""
    block: int = 1 << 16
    headers: dict[str, str] = field(default_factory=dict)

    def __call__(self, handler: BaseHTTPRequestHandler) -> None:
        start = self._start(handler.headers)
        if start >= len(self.body) > 0:
            return status(416)(handler)
        handler.send_response(206 if start else 200)
        for name, value in self._headers(start).items():
            if value is not None:
                handler.send_header(name, value)
        handler.end_headers()
        self._send_body(handler, start)
        return None

    def _start(self, request: Message) -> int:
        wanted = request["Range"]
        is_same = request["If-Range"] in (None, self.etag, self.modified)
        return int(wanted[len("bytes=") : -1]) if wanted and self.ranges and (is_same or self.believes) else 0

    def _headers(self, start: int) -> dict[str, str | None]:
        headers = {"ETag": self.etag, "Last-Modified": self.modified, **self.headers}
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(self.body) - 1}/{len(self.body)}"
        if self.chunked:
            headers["Transfer-Encoding"] = "chunked"
        elif self.stated:
            headers["Content-Length"] = str(len(self.body) - start)
        return headers

    def _send_body(self, handler: BaseHTTPRequestHandler, start: int) -> None:
        end = len(self.body) if self.stop_after is None else min(len(self.body), start + self.stop_after)
        for place in range(start, end, self.block):
            self.before(place)
            piece = self.body[place : min(place + self.block, end)]
            handler.wfile.write(b"%x\r\n%b\r\n" % (len(piece), piece) if self.chunked else piece)
        self.before(end)
        if self.chunked and end == len(self.body):
            handler.wfile.write(b"0\r\n\r\n")
        if self.reset:
            handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A `Server`; asked directly, whatever proxy the machine has."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server()
    yield running
    running.stop()


@pytest.fixture
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for loopback, and its key, that nobody trusts."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not there to make a certificate")
    path = tmp_path_factory.mktemp("certificate") / "both.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 1 -subj /CN=loopback"
    parts = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(path.with_suffix(".crt"))]
    subprocess.run([*command.split(), *parts], check=True, capture_output=True)
    path.write_bytes(path.read_bytes() + path.with_suffix(".crt").read_bytes())
    return path


@pytest.fixture
def tls_server(certificate: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A `Server` that speaks TLS."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    running = Server(certificate)
    yield running
    running.stop()


@pytest.fixture(scope="session")
def write_tokenizer() -> Callable[..., Path]:
    """Write a ``tokenizer.json``: byte-level BPE with some merges; without any, every byte is a token."""

    def write(path: Path, *merges: tuple[str, str]) -> Path:
        vocabulary = {letter: i for i, letter in enumerate(sorted(ByteLevel.alphabet()))}
        for a, b in merges:
            vocabulary[a + b] = len(vocabulary)
        tokenizer = Tokenizer(BPE(vocab=vocabulary, merges=list(merges)))
        tokenizer.pre_tokenizer = ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
        path.parent.mkdir(exist_ok=True)
        tokenizer.save(str(path))
        return path

    return write
