from __future__ import annotations

import errno
import hashlib
import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lexkit.errors import FetchError
from lexkit.fetching.download import Fetched, fetch_source
from lexkit.fetching.partial_download import Patience
from lexkit.progress import Progress
from lexkit.sources.cache import read_record
from lexkit.sources.catalog import CatalogEntry, Download
from lexkit.sources.files import fingerprint

BODY = random.Random(3).randbytes(400_000)
NEW_BODY = random.Random(4).randbytes(300_000)
PATH = "/data.bin"
IMPATIENT = Patience(tries=3, timeout=5, sleep=lambda seconds: None)


def entry(url: str, file: str = "data.bin", **known: Any) -> CatalogEntry:
    return CatalogEntry(
        name="thing",
        title="A thing",
        kind="thing",
        homepage="https://thing.example/",
        licence="CC-BY-NC-SA-4.0",
        licence_note="non-commercial use only",
        citation="A. Uthor: Thing.",
        download=(Download(file=file, url=url, **known),),
    )


def names(cache: Path) -> set[str]:
    """The files in the cache, without the lock, which stays."""
    files = {str(path.relative_to(cache)) for path in cache.rglob("*") if path.is_file()}
    return {name for name in files if not name.endswith(".lock")}


def assert_whole(cache: Path, body: bytes = BODY) -> None:
    path = cache / "thing" / "data.bin"
    assert path.read_bytes() == body
    record = read_record(path)
    assert record is not None
    assert (record.sha256, record.bytes) == fingerprint(path)
    assert names(cache) == {"thing/data.bin", "thing/data.bin.json"}


class TestFetching:
    def test_a_file_and_its_record(self, server: Any, tmp_path: Path) -> None:
        url = server.on(PATH, server.send(BODY, etag='"abc"', modified="Sat, 01 Aug 2026 00:00:00 GMT"))
        fetched = fetch_source(entry(url), tmp_path)
        assert_whole(tmp_path)
        assert not fetched.was_there
        assert fetched.resumed_at == 0
        record = json.loads((tmp_path / "thing" / "data.bin.json").read_text(encoding="utf-8"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record.pop("fetched_at"))
        assert record == {
            "source": "thing",
            "url": url,
            "sha256": fingerprint(fetched.path)[0],
            "bytes": len(BODY),
            "etag": '"abc"',
            "last_modified": "Sat, 01 Aug 2026 00:00:00 GMT",
            "licence": "CC-BY-NC-SA-4.0",
            "licence_note": "non-commercial use only",
            "citation": "A. Uthor: Thing.",
        }

    def test_what_is_there_is_not_fetched_again(self, server: Any, tmp_path: Path) -> None:
        thing = entry(server.on(PATH, server.send(BODY), server.send(NEW_BODY, etag='"2"')))
        fetch_source(thing, tmp_path)
        assert fetch_source(thing, tmp_path).was_there
        assert len(server.requests) == 1
        assert not fetch_source(thing, tmp_path, force=True).was_there
        assert_whole(tmp_path, NEW_BODY)

    def test_a_file_that_was_cut_or_has_no_record_is_fetched_again(self, server: Any, tmp_path: Path) -> None:
        thing = entry(server.on(PATH, server.send(BODY)))
        path = fetch_source(thing, tmp_path).path
        path.write_bytes(BODY[:1000])
        assert not fetch_source(thing, tmp_path).was_there
        path.with_name("data.bin.json").write_text("{", encoding="utf-8")
        assert not fetch_source(thing, tmp_path).was_there
        assert_whole(tmp_path)

    def test_a_forced_fetch_that_fails_leaves_the_old_file(self, server: Any, tmp_path: Path) -> None:
        thing = entry(server.on(PATH, server.send(BODY), server.send(NEW_BODY, etag='"2"', stop_after=1000)))
        fetch_source(thing, tmp_path)
        with pytest.raises(FetchError):
            fetch_source(thing, tmp_path, force=True, patience=IMPATIENT)
        assert (tmp_path / "thing" / "data.bin").read_bytes() == BODY
        assert fetch_source(thing, tmp_path).was_there

    def test_progress_says_how_many_bytes_have_come(self, server: Any, tmp_path: Path) -> None:
        class Heard(Progress):
            def __init__(self) -> None:
                self.stages: list[str] = []
                self.transfers: list[tuple[int, int | None]] = []

            def stage(self, name: str) -> None:
                self.stages.append(name)

            def transfer(self, done: int, total: int | None) -> None:
                self.transfers.append((done, total))

        heard = Heard()
        fetch_source(entry(server.on(PATH, server.send(BODY))), tmp_path, progress=heard)
        assert heard.stages == ["fetch data.bin", "check data.bin"]
        assert heard.transfers[0] == (0, len(BODY))
        assert heard.transfers[-1] == (len(BODY), len(BODY))
        assert heard.transfers == sorted(heard.transfers)

    def test_memory_does_not_grow_with_the_file(self, server: Any, tmp_path: Path) -> None:
        thing = entry(server.on(PATH, server.send(bytes(32 << 20))))
        fetch_source(thing, tmp_path)
        tracemalloc.start()
        try:
            fetch_source(thing, tmp_path, force=True)
            assert tracemalloc.get_traced_memory()[1] < 8 << 20
        finally:
            tracemalloc.stop()

    def test_chunks_need_no_length(self, server: Any, tmp_path: Path) -> None:
        answers = [server.send(BODY, chunked=True, stop_after=100_000), server.send(BODY, chunked=True)]
        fetch_source(entry(server.on(PATH, *answers)), tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path)
        assert server.requests[1]["Range"] is not None


class TestGoingOn:
    def test_after_a_dropped_connection(self, server: Any, tmp_path: Path) -> None:
        thing = entry(server.on(PATH, server.send(BODY, stop_after=150_000), server.send(BODY)))
        fetched = fetch_source(thing, tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path)
        assert [request["Range"] for request in server.requests] == [None, "bytes=150000-"]
        assert server.requests[1]["If-Range"] == '"1"'
        assert fetched.resumed_at == 0  # nothing came from an earlier run

    def test_after_a_reset(self, server: Any, tmp_path: Path) -> None:
        thing = entry(server.on(PATH, server.send(BODY, stop_after=150_000, reset=True), server.send(BODY)))
        fetch_source(thing, tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path)

    def test_in_another_run(self, server: Any, tmp_path: Path) -> None:
        thing = entry(server.on(PATH, server.send(BODY, stop_after=150_000), server.status(503), server.send(BODY)))
        with pytest.raises(FetchError, match=r"503 Service Unavailable; fetch again later; 150,000 bytes are kept"):
            fetch_source(thing, tmp_path, patience=Patience(tries=2, sleep=lambda seconds: None))
        assert names(tmp_path) == {"thing/data.bin.part", "thing/data.bin.part.json"}
        fetched = fetch_source(thing, tmp_path)
        assert fetched.resumed_at == 150_000
        assert server.requests[-1]["Range"] == "bytes=150000-"
        assert_whole(tmp_path)

    def test_by_the_date_where_there_is_no_strong_etag(self, server: Any, tmp_path: Path) -> None:
        same: dict[str, Any] = {"etag": 'W/"1"', "modified": "Sat, 01 Aug 2026 00:00:00 GMT"}
        thing = entry(server.on(PATH, server.send(BODY, stop_after=1000, **same), server.send(BODY, **same)))
        fetch_source(thing, tmp_path, patience=IMPATIENT)
        assert server.requests[1]["If-Range"] == same["modified"]
        assert_whole(tmp_path)

    def test_not_where_the_server_says_nothing_of_the_version(self, server: Any, tmp_path: Path) -> None:
        answers = [server.send(BODY, etag=None, stop_after=1000), server.send(NEW_BODY, etag=None)]
        fetch_source(entry(server.on(PATH, *answers)), tmp_path, patience=IMPATIENT)
        assert server.requests[1]["Range"] is None
        assert_whole(tmp_path, NEW_BODY)

    def test_from_the_beginning_where_the_server_ignores_range(self, server: Any, tmp_path: Path) -> None:
        answers = [server.send(BODY, stop_after=1000), server.send(BODY, ranges=False)]
        fetch_source(entry(server.on(PATH, *answers)), tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path)

    @pytest.mark.parametrize("believes", [False, True], ids=["honours If-Range", "ignores If-Range"])
    def test_from_the_beginning_where_the_file_has_changed(self, server: Any, tmp_path: Path, believes: bool) -> None:
        answers = [server.send(BODY, stop_after=150_000), server.send(NEW_BODY, etag='"2"', believes=believes)]
        fetch_source(entry(server.on(PATH, *answers)), tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path, NEW_BODY)

    def test_from_the_beginning_where_only_the_length_tells_of_a_change(self, server: Any, tmp_path: Path) -> None:
        answers = [server.send(BODY, stop_after=150_000), server.send(NEW_BODY)]
        fetch_source(entry(server.on(PATH, *answers)), tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path, NEW_BODY)

    @pytest.mark.parametrize("content_range", ["bytes 7-399999/400000", "bytes 1000-", "lines 1-2/3", ""])
    def test_from_the_beginning_where_another_part_comes(self, server: Any, tmp_path: Path, content_range: str) -> None:
        def other_part(handler: Any) -> None:
            handler.send_response(206)
            handler.send_header("Content-Range", content_range)
            handler.send_header("Content-Length", "5")
            handler.end_headers()
            handler.wfile.write(b"wrong")

        thing = entry(server.on(PATH, server.send(BODY, stop_after=1000), other_part, server.send(BODY)))
        fetch_source(thing, tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path)

    def test_from_the_beginning_where_the_part_is_longer_than_the_file(self, server: Any, tmp_path: Path) -> None:
        # 416, since the file has become shorter than what had come of the old one
        answers = [server.send(BODY, stop_after=350_000), server.send(NEW_BODY, etag='"2"', believes=True)]
        fetch_source(entry(server.on(PATH, *answers)), tmp_path, patience=IMPATIENT)
        assert len(server.requests) == 3
        assert_whole(tmp_path, NEW_BODY)

    def test_without_asking_where_only_the_name_was_missing(self, server: Any, tmp_path: Path) -> None:
        thing = entry(server.on(PATH, server.send(BODY, stop_after=1000), server.status(503)))
        with pytest.raises(FetchError):
            fetch_source(thing, tmp_path, patience=IMPATIENT)
        (tmp_path / "thing" / "data.bin.part").write_bytes(BODY)
        asked = len(server.requests)
        assert fetch_source(thing, tmp_path).resumed_at == len(BODY)
        assert len(server.requests) == asked
        assert_whole(tmp_path)

    @pytest.mark.parametrize(
        "note", [b"", b"{", b"[]", b'{"\xed', b'{"url": "http://127.0.0.1:9/other", "etag": "\\"1\\""}']
    )
    def test_not_from_a_part_of_who_knows_what(self, server: Any, tmp_path: Path, note: bytes) -> None:
        (tmp_path / "thing").mkdir()
        (tmp_path / "thing" / "data.bin.part").write_bytes(b"who knows what")
        (tmp_path / "thing" / "data.bin.part.json").write_bytes(note)
        fetch_source(entry(server.on(PATH, server.send(BODY))), tmp_path)
        assert server.requests[0]["Range"] is None
        assert_whole(tmp_path)


class TestPatience:
    def test_500_twice_and_then_the_file(self, server: Any, tmp_path: Path) -> None:
        pauses: list[float] = []
        thing = entry(server.on(PATH, server.status(500), server.status(500), server.send(BODY)))
        fetch_source(thing, tmp_path, patience=Patience(pause=2, sleep=pauses.append))
        assert_whole(tmp_path)
        assert pauses == [2, 4]

    def test_the_server_may_say_how_long_to_wait_within_reason(self, server: Any, tmp_path: Path) -> None:
        pauses: list[float] = []
        busy = [
            server.status(429, Retry_After=after) for after in ("7", "86400", "soon", "Thu, 01 Jan 1970 00:00:00 GMT")
        ]
        fetch_source(entry(server.on(PATH, *busy, server.send(BODY))), tmp_path, patience=Patience(sleep=pauses.append))
        assert pauses == [7, 60, 4, 8]

    def test_it_ends(self, server: Any, tmp_path: Path) -> None:
        thing = entry(server.on(PATH, server.status(500)))
        with pytest.raises(FetchError, match=r"/data.bin: the server answers 500 Internal Server Error; fetch again"):
            fetch_source(thing, tmp_path, patience=IMPATIENT)
        assert len(server.requests) == IMPATIENT.tries
        assert names(tmp_path) == set()

    def test_it_ends_with_a_server_that_always_sends_too_little(self, server: Any, tmp_path: Path) -> None:
        big = random.Random(5).randbytes(3 << 20)
        thing = entry(server.on(PATH, server.send(big, ranges=False, stop_after=2 << 20)))
        with pytest.raises(FetchError, match="closed after 2,097,152 of 3,145,728 bytes"):
            fetch_source(thing, tmp_path, patience=IMPATIENT)
        assert len(server.requests) <= IMPATIENT.tries + 1
        assert "thing/data.bin" not in names(tmp_path)

    def test_a_long_file_may_break_more_often_than_that(self, server: Any, tmp_path: Path) -> None:
        big = random.Random(5).randbytes(8 << 20)
        fetch_source(entry(server.on(PATH, server.send(big, stop_after=1 << 20))), tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path, big)
        assert len(server.requests) == 8

    def test_a_silent_server(self, server: Any, tmp_path: Path) -> None:
        done = threading.Event()
        stall = lambda place: done.wait(20) if place > 0 else None  # noqa: E731
        thing = entry(server.on(PATH, server.send(BODY, before=stall), server.send(BODY)))
        try:
            fetch_source(thing, tmp_path, patience=Patience(timeout=0.2, sleep=lambda seconds: None))
        finally:
            done.set()
        assert len(server.requests) == 2
        assert_whole(tmp_path)


class TestRefusals:
    @pytest.mark.parametrize(
        ("code", "message"),
        [
            (401, "401 Unauthorized; the publisher does not serve this machine; see https://thing.example/"),
            (403, "403 Forbidden; the publisher does not serve this machine; see https://thing.example/"),
            (404, "404 Not Found; the publisher has moved or removed it; see https://thing.example/"),
            (410, "410 Gone; the publisher has moved or removed it; see https://thing.example/"),
            (416, "416 Requested Range Not Satisfiable; see https://thing.example/ for what has changed there"),
            (418, "418 I'm a teapot; see https://thing.example/"),
            (204, "204 No Content; see https://thing.example/"),
            (206, "206 Partial Content; see https://thing.example/"),
            (304, "304 Not Modified; see https://thing.example/"),
            (799, "799; see https://thing.example/"),
        ],
    )
    def test_a_status(self, server: Any, tmp_path: Path, code: int, message: str) -> None:
        url = server.on(PATH, server.status(code))
        with pytest.raises(FetchError) as caught:
            fetch_source(entry(url), tmp_path)
        words = str(caught.value)
        assert words.startswith(f"{url}: the server answers {message}")
        assert len(server.requests) == 1
        assert names(tmp_path) == set()

    @pytest.mark.parametrize(
        "location",
        [
            "file:///etc/passwd",
            "ftp://127.0.0.1/x",
            "data:,x",
            "gopher://127.0.0.1/",
            "//[/",
            "http://\xe9:x/",
            "http://a..b/",
        ],
    )
    def test_a_redirect_to_something_else_than_http(self, server: Any, tmp_path: Path, location: str) -> None:
        with pytest.raises(FetchError, match=r"redirected from http to|the address is invalid|cannot be reached"):
            fetch_source(entry(server.on(PATH, server.status(302, Location=location))), tmp_path)
        assert len(server.requests) == 1
        assert names(tmp_path) == set()

    @pytest.mark.parametrize("location", [PATH, "", "#x"])
    def test_a_redirect_to_itself(self, server: Any, tmp_path: Path, location: str) -> None:
        with pytest.raises(FetchError, match="redirected 10 times"):
            fetch_source(entry(server.on(PATH, server.status(301, Location=location))), tmp_path)
        assert len(server.requests) == 10

    def test_tls(
        self, server: Any, tls_server: Any, certificate: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        thing = entry(tls_server.on(PATH, tls_server.send(BODY), tls_server.status(302, Location=server.url)))
        with pytest.raises(FetchError, match=r"the server's certificate is not trusted \(.+\); see https://thing"):
            fetch_source(thing, tmp_path)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        fetch_source(thing, tmp_path)
        assert_whole(tmp_path)
        with pytest.raises(FetchError, match=r"redirected from https to http://127"):
            fetch_source(thing, tmp_path, force=True)
        assert not server.requests

    def test_a_good_redirect_keeps_the_range(self, server: Any, tmp_path: Path) -> None:
        server.on("/elsewhere", server.send(BODY, stop_after=1000), server.send(BODY))
        fetch_source(entry(server.on(PATH, server.status(307, Location="/elsewhere"))), tmp_path, patience=IMPATIENT)
        assert [request["Range"] for request in server.requests] == [None, None, "bytes=1000-", "bytes=1000-"]
        assert_whole(tmp_path)

    def test_a_length_that_the_catalogue_does_not_know(self, server: Any, tmp_path: Path) -> None:
        with pytest.raises(FetchError, match=r"400,000 bytes, but the catalogue says 7; see"):
            fetch_source(entry(server.on(PATH, server.send(BODY)), bytes=7), tmp_path)
        assert names(tmp_path) == set()

    def test_a_wrong_checksum(self, server: Any, tmp_path: Path) -> None:
        with pytest.raises(FetchError, match=r"its SHA-256 is [0-9a-f]{64}, but the catalogue says 00+; fetch again"):
            fetch_source(entry(server.on(PATH, server.send(BODY)), bytes=len(BODY), sha256="0" * 64), tmp_path)
        assert names(tmp_path) == set()  # nor is it gone on from

    def test_neither_length_nor_checksum(self, server: Any, tmp_path: Path) -> None:
        unknown = server.send(BODY, stated=False)
        with pytest.raises(FetchError, match="does not say how long the file is"):
            fetch_source(entry(server.on(PATH, unknown)), tmp_path)
        path = tmp_path / "body"
        path.write_bytes(BODY)
        fetch_source(entry(server.on(PATH, unknown), sha256=fingerprint(path)[0]), tmp_path / "cache")
        assert_whole(tmp_path / "cache")

    @pytest.mark.parametrize("header", ["Content-Length: " + "9" * 5000, "Content-Length: -1", "X: " + "x" * 200_000])
    def test_headers_without_measure(self, server: Any, tmp_path: Path, header: str) -> None:
        def answer(handler: Any) -> None:
            handler.wfile.write(f"HTTP/1.1 200 OK\r\n{header}\r\n\r\n".encode() + BODY)

        with pytest.raises(FetchError, match="the answer is not HTTP"):
            fetch_source(entry(server.on(PATH, answer)), tmp_path, patience=IMPATIENT)
        assert names(tmp_path) == set()

    def test_headers_without_end(self, server: Any, tmp_path: Path) -> None:
        def answer(handler: Any) -> None:
            handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while True:
                handler.wfile.write(b"X: x\r\n" * 10_000)

        with pytest.raises(FetchError, match="the answer is not HTTP"):
            fetch_source(entry(server.on(PATH, answer)), tmp_path, patience=IMPATIENT)

    @pytest.mark.parametrize("etag", ['"\xe9"', '"\x1b[2J"'])
    def test_an_etag_that_cannot_be_sent_back(self, server: Any, tmp_path: Path, etag: str) -> None:
        answers = [server.send(BODY, etag=etag, stop_after=1000), server.send(BODY, etag=etag)]
        fetch_source(entry(server.on(PATH, *answers)), tmp_path, patience=IMPATIENT)
        assert server.requests[1]["Range"] is None
        assert_whole(tmp_path)

    @pytest.mark.parametrize("stated", [10, 500_000], ids=["less", "more"])
    def test_a_length_that_is_a_lie(self, server: Any, tmp_path: Path, stated: int) -> None:
        lie = server.send(BODY, stated=False, headers={"Content-Length": str(stated)})
        thing = entry(server.on(PATH, lie), sha256=hashlib.sha256(BODY).hexdigest())
        with pytest.raises(FetchError, match=r"its SHA-256 is|closed after 400,000 of 500,000 bytes"):
            fetch_source(thing, tmp_path, patience=IMPATIENT)
        assert "thing/data.bin" not in names(tmp_path)

    def test_a_rest_that_is_longer_than_stated_is_cut(self, server: Any, tmp_path: Path) -> None:
        def longer(handler: Any) -> None:
            handler.send_response(206)
            handler.send_header("Content-Range", f"bytes 1000-399999/{len(BODY)}")
            handler.send_header("ETag", '"1"')
            handler.send_header("Content-Length", str(len(BODY)))
            handler.end_headers()
            handler.wfile.write(BODY[1000:] + bytes(1000))

        fetch_source(entry(server.on(PATH, server.send(BODY, stop_after=1000), longer)), tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path)

    def test_another_encoding(self, server: Any, tmp_path: Path) -> None:
        with pytest.raises(FetchError, match="an encoding that was not requested"):
            fetch_source(entry(server.on(PATH, server.send(BODY, headers={"Content-Encoding": "gzip"}))), tmp_path)
        assert server.requests[0]["Accept-Encoding"] == "identity"
        assert names(tmp_path) == set()

    @pytest.mark.parametrize(
        ("file", "body", "message"),
        [
            ("x.jsonl.gz", b'{"word": "not compressed"}', "received something that is not a .gz file"),
            ("x.xml.bz2", b"\x1f\x8b\x08", "received something that is not a .bz2 file"),
            ("x.xlsx", b"\xd0\xcf\x11\xe0", "received something that is not a .xlsx file"),
            ("x.txt", b"\n<!DOCTYPE html>\n<title>Log in</title>", "received a web page instead of the file"),
            ("x.jsonl.gz", b"<HTML>", "received a web page instead of the file"),
            ("x.txt", b"", "received an empty file"),
        ],
    )
    def test_another_kind_of_file(self, server: Any, tmp_path: Path, file: str, body: bytes, message: str) -> None:
        with pytest.raises(FetchError, match=message):
            fetch_source(entry(server.on(PATH, server.send(body)), file), tmp_path)
        assert names(tmp_path) == set()

    def test_no_http_at_all(self, server: Any, tmp_path: Path) -> None:
        def garbage(handler: Any) -> None:
            handler.wfile.write(b"\x00\xffgarbage\r\n" * 10)

        with pytest.raises(FetchError, match="the answer is not HTTP"):
            fetch_source(entry(server.on(PATH, garbage)), tmp_path, patience=IMPATIENT)

    def test_nobody_listens(self, tmp_path: Path) -> None:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))  # bound, but not listening
            url = f"http://127.0.0.1:{taken.getsockname()[1]}/"
            with pytest.raises(FetchError, match="the server refuses the connection; fetch again later"):
                fetch_source(entry(url), tmp_path, patience=IMPATIENT)

    @pytest.mark.parametrize(
        ("error", "message"),
        [
            (
                socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution"),
                r"no network, or no DNS \(.*tion\)",
            ),
            (OSError(errno.ENETUNREACH, "Network is unreachable"), r"no network, or no DNS \(.*is unreachable\)"),
        ],
    )
    def test_no_network(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: OSError, message: str) -> None:
        def fail(*args: object, **options: object) -> None:
            raise error

        pauses: list[float] = []
        monkeypatch.setattr(socket, "getaddrinfo", fail)
        with pytest.raises(FetchError, match=message) as caught:
            fetch_source(entry("http://thing.example/x"), tmp_path, patience=Patience(sleep=pauses.append))
        assert "connect this machine" in str(caught.value)
        assert not pauses  # nobody waits half a minute to hear that the cable is out

    def test_a_network_that_goes_away_for_a_moment(
        self, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        thing = entry(server.on(PATH, server.send(BODY, stop_after=1000), server.send(BODY)))
        real, asked = socket.getaddrinfo, []

        def once_missing(*args: Any, **options: Any) -> Any:
            asked.append(args)
            if len(asked) == 2:
                raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")
            return real(*args, **options)

        monkeypatch.setattr(socket, "getaddrinfo", once_missing)
        fetch_source(thing, tmp_path, patience=IMPATIENT)
        assert_whole(tmp_path)

    def test_an_address_that_is_none(self, tmp_path: Path) -> None:
        for url in ("file:///etc/passwd", "thing.example", "http://thing.example:port/"):
            with pytest.raises(FetchError, match=re.escape(url)):
                fetch_source(entry(url), tmp_path)


class TestProxies:
    @pytest.mark.parametrize("variable", ["http_proxy", "all_proxy"])
    @pytest.mark.parametrize("scheme", ["", "http://"])
    def test_one_for_http(
        self, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, scheme: str
    ) -> None:
        monkeypatch.setenv(variable, scheme + server.url.removeprefix("http://"))
        server.on("http://thing.example/x", server.send(BODY))
        fetch_source(entry("http://thing.example/x"), tmp_path)
        assert_whole(tmp_path)

    @pytest.mark.parametrize("no_proxy", ["127.0.0.1,::1/128,[::1]", "*"])  # some of which httpx alone would reject
    def test_none_where_the_environment_says_so(
        self, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, no_proxy: str
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
        monkeypatch.setenv("no_proxy", no_proxy)
        fetch_source(entry(server.on(PATH, server.send(BODY))), tmp_path)
        assert_whole(tmp_path)

    def test_one_that_refuses(self, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("https_proxy", server.url)
        with pytest.raises(FetchError, match=r"the proxy refuses the connection \(501 .*; check http_proxy"):
            fetch_source(entry("https://thing.example/x"), tmp_path)

    @pytest.mark.parametrize("proxy", ["socks5://user:secret@127.0.0.1:9", "ftp://user:secret@x", "http://x:port"])
    def test_one_that_cannot_be(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxy: str) -> None:
        monkeypatch.setenv("http_proxy", proxy)
        with pytest.raises(FetchError, match="the proxy cannot be used") as caught:
            fetch_source(entry("http://thing.example/x"), tmp_path)
        assert "secret" not in str(caught.value)


class TestTwoAtOnce:
    def test_the_second_is_told(self, server: Any, tmp_path: Path) -> None:
        begun, go_on = threading.Event(), threading.Event()

        def wait(place: int) -> None:
            begun.set()
            go_on.wait(20)

        thing = entry(server.on(PATH, server.send(BODY, before=wait)))
        results: list[Fetched] = []
        first = threading.Thread(target=lambda: results.append(fetch_source(thing, tmp_path)))
        first.start()
        try:
            assert begun.wait(20)
            with pytest.raises(FetchError, match="another lexkit process is fetching it; wait until it is done"):
                fetch_source(thing, tmp_path)
        finally:
            go_on.set()
            first.join()
        assert len(results) == 1
        assert_whole(tmp_path)
        assert fetch_source(thing, tmp_path).was_there


class TestTheDisk:
    def test_full_as_the_system_says_it(self, server: Any, tmp_path: Path) -> None:
        if not Path("/dev/full").is_char_device():
            pytest.skip("this system has no /dev/full")
        thing = entry(server.on(PATH, server.send(BODY)))
        (tmp_path / "thing").mkdir()
        part = tmp_path / "thing" / "data.bin.part"
        part.symlink_to("/dev/full")
        with pytest.raises(
            FetchError, match=r"data.bin: cannot be written \(No space left on device\); free some space"
        ):
            fetch_source(thing, tmp_path)
        part.unlink()
        fetch_source(thing, tmp_path)
        assert_whole(tmp_path)

    def test_too_small_for_what_is_to_come(self, server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        thing = entry(server.on(PATH, server.send(BODY)))
        with monkeypatch.context() as patched:
            patched.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(10, 5, 5))  # type: ignore[attr-defined]
            with pytest.raises(FetchError, match=r"no space: 400,000 bytes are needed, 5 are free"):
                fetch_source(thing, tmp_path)
        fetch_source(thing, tmp_path)
        assert_whole(tmp_path)

    def test_a_limit_on_the_size_of_files(self, server: Any, tmp_path: Path) -> None:
        url = server.on(PATH, server.send(BODY))
        codes, said = run_fetchers(url, {tmp_path: 150_000}, LIMIT_OF_SIZE)
        assert codes == [1]
        assert "FetchError" in said
        assert "(File too large); the file system or a limit (ulimit -f) allows no larger file" in said
        assert "thing/data.bin" not in names(tmp_path)
        assert fetch_source(entry(url), tmp_path).resumed_at == 150_000
        assert_whole(tmp_path)

    def test_a_cache_that_cannot_be_written(self, server: Any, folder: Path) -> None:
        thing = entry(server.on(PATH, server.send(BODY)))
        with without_rights(folder), pytest.raises(FetchError) as caught:
            fetch_source(thing, folder / "cache")
        assert "cannot be written (Permission denied); choose another cache with --cache" in str(caught.value)

    def test_a_cache_that_is_a_file(self, server: Any, tmp_path: Path) -> None:
        (tmp_path / "cache").write_bytes(b"")
        with pytest.raises(FetchError, match=r"cannot be written \(Not a directory\); choose another cache"):
            fetch_source(entry(server.on(PATH, server.send(BODY))), tmp_path / "cache")

    def test_a_complete_cache_need_not_be_writable(self, server: Any, folder: Path) -> None:
        thing = entry(server.on(PATH, server.send(BODY)))
        fetch_source(thing, folder)
        (folder / "thing" / "data.bin.lock").unlink()
        with without_rights(folder / "thing"):
            assert fetch_source(thing, folder).was_there


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that another user reaches as well, which pytest's is not."""
    with TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def without_rights(folder: Path) -> Iterator[None]:
    """Inside, nothing can be made in *folder*, not even by root."""
    user = os.geteuid()
    folder.chmod(0o555)
    if user == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(user)
        folder.chmod(0o755)


FETCHER = """
import json, os, signal, sys
from pathlib import Path
from lexkit.progress import Progress
from lexkit.sources.catalog import CatalogEntry, Download
from lexkit.fetching.download import fetch_source
from lexkit.fetching.partial_download import Patience

{setup}

url, runs, options = sys.argv[1], json.loads(sys.argv[2]), sys.argv[3:]
thing = CatalogEntry("thing", "A thing", "thing", "-", "-", "-", "-", (Download("data.bin", url),))
for cache, moment in runs:
    progress = Progress()
    child = os.fork()
    if child == 0:
        prepare(cache, moment, progress)
        patience = Patience(tries=2, sleep=lambda seconds: None)
        fetch_source(thing, Path(cache), force="force" in options, progress=progress, patience=patience)
        os._exit(0)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(code, flush=True)
    if code == 0:
        break
"""

LIMIT_OF_SIZE = """
def prepare(cache, moment, progress):
    import resource
    resource.setrlimit(resource.RLIMIT_FSIZE, (moment, moment))
"""

KILL_AT_EVENT = """
def prepare(cache, moment, progress):
    left = moment
    def watch(event, arguments):
        nonlocal left
        if event in ("open", "os.mkdir", "os.rename", "os.remove", "os.truncate", "fcntl.flock", "shutil.rmtree"):
            if event == "fcntl.flock" or str(arguments[0]).startswith(cache):
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
    sys.addaudithook(watch)
"""

KILL_AT_BYTE = """
def prepare(cache, moment, progress):
    def transfer(done, total):
        if done >= moment:
            os.kill(os.getpid(), signal.SIGKILL)
    progress.transfer = transfer
"""


def run_fetchers(url: str, runs: dict[Path, int], setup: str, *options: str) -> tuple[list[int], str]:
    """Fetch into each cache in a process of its own until one succeeds; return their exit codes and what they said.

    The processes are forks of one that has imported everything, which takes longer than all the rest.
    """
    moments = json.dumps([(str(cache), moment) for cache, moment in runs.items()])
    arguments = [sys.executable, "-c", FETCHER.format(setup=setup), url, moments, *options]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=120, check=False)
    return [int(code) for code in done.stdout.split()], done.stderr


def assert_survives(url: str, cache: Path, old: bytes | None) -> None:
    """After a kill: the old file or the new one, never a half; and the next run succeeds."""
    path = cache / "thing" / "data.bin"
    assert (path.read_bytes() if path.exists() else None) in (old, BODY)
    if read_record(path) is not None:
        assert path.read_bytes() in (old, BODY)
    fetch_source(entry(url), cache, force=old is not None, patience=IMPATIENT)
    assert_whole(cache)


class TestKilled:
    @pytest.mark.parametrize("old", [None, NEW_BODY], ids=["first", "force"])
    def test_between_any_two_changes_of_the_cache(self, server: Any, tmp_path: Path, old: bytes | None) -> None:
        moments = {tmp_path / str(moment): moment for moment in range(60)}
        if old is not None:
            fetch_source(entry(server.on(PATH, server.send(old, etag='"0"'))), tmp_path / "0")
            for cache in [*moments][1:]:
                shutil.copytree(tmp_path / "0", cache)
        url = server.on(PATH, server.send(BODY))
        codes, said = run_fetchers(url, moments, KILL_AT_EVENT, *([] if old is None else ["force"]))
        assert set(codes[:-1]) == {-signal.SIGKILL}, said
        assert codes[-1] == 0
        assert len(codes) > 10  # each of them was met
        for cache, _ in zip(moments, codes[:-1], strict=False):
            assert_survives(url, cache, old)

    def test_in_the_middle_of_the_file(self, server: Any, tmp_path: Path) -> None:
        url = server.on(PATH, server.send(BODY, block=10_000))
        # A busy machine receives up to 64 KiB at once, and the last of these must not end the file
        places = random.Random(6).sample(range(100_000, len(BODY) - (1 << 16)), 10)
        moments = {tmp_path / str(place): place for place in places}
        codes, said = run_fetchers(url, moments, KILL_AT_BYTE)
        assert codes == [-signal.SIGKILL] * len(places), said
        for cache in moments:
            part = (cache / "thing" / "data.bin.part").read_bytes()
            assert 0 < len(part) < len(BODY)
            assert BODY.startswith(part)
            assert_survives(url, cache, None)
            assert server.requests[-1]["Range"] == f"bytes={len(part)}-"


ANSWERS = st.sampled_from(
    ["whole", "short", "reset", "no ranges", "other", "other believed", "500", "416", "chunks", "broken chunks", "junk"]
)


@given(script=st.lists(st.tuples(ANSWERS, st.integers(0, 5000)), max_size=8), runs=st.integers(1, 3))
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_a_server_does_a_file_is_whole_or_not_there(
    server: Any, tmp_path_factory: pytest.TempPathFactory, script: list[tuple[str, int]], runs: int
) -> None:
    one, two = BODY[:5000], NEW_BODY[:4000]

    def junk(handler: Any) -> None:
        handler.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")

    def answer(kind: str, place: int) -> Callable[[Any], None]:
        made: Callable[[Any], None] = {
            "whole": server.send(one),
            "short": server.send(one, stop_after=place),
            "reset": server.send(one, stop_after=place, reset=True),
            "no ranges": server.send(one, ranges=False, stop_after=place),
            "other": server.send(two, etag='"2"', stop_after=place),
            "other believed": server.send(two, etag='"2"', believes=True, stop_after=place),
            "500": server.status(500),
            "416": server.status(416),
            "chunks": server.send(one, chunked=True),
            "broken chunks": server.send(one, chunked=True, stop_after=place),
            "junk": junk,
        }[kind]
        return made

    cache = tmp_path_factory.mktemp("cache")
    path = cache / "thing" / "data.bin"
    url = server.on(PATH, *(answer(kind, place) for kind, place in script), server.send(one))
    for _ in range(runs):
        try:
            fetch_source(entry(url), cache, force=True, patience=IMPATIENT)
        except FetchError as error:
            assert "\n" not in str(error)
        else:
            assert path.read_bytes() in (one, two)
        assert not path.exists() or path.read_bytes() in (one, two)
