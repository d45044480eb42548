"""Large, compressed and hostile files: the same records whatever the cut, counted or refused whatever the content."""

from __future__ import annotations

import bz2
import contextlib
import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lexkit.errors import SourceError
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Form, Headword, Record, Statement
from lexkit.sources.wiktionary import blocks, reader, workers
from lexkit.sources.wiktionary.entries import parse_block


def read(path: Path, **options: Any) -> tuple[list[Record], ReadReport]:
    report = ReadReport()
    records = [record for batch in reader.read(path, report, **options) for record in batch.records()]
    return sorted(records, key=repr), report


def facts(report: ReadReport) -> tuple[Any, ...]:
    return report.n_records, report.n_bad, report.rejected, report.examples, report.first_bad


def line(number: int, **fields: Any) -> bytes:
    entry = {"word": f"word{number}", "lang_code": "en", "synonyms": [{"word": f"same{number}"}], **fields}
    return json.dumps(entry).encode()


def zstd(data: bytes) -> bytes:
    return bytes(pa.Codec("zstd").compress(data, asbytes=True))


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blocks, "BLOCK", 300)
    monkeypatch.setattr(blocks, "_MARGIN", 16)


@pytest.fixture(scope="module")
def content() -> bytes:
    """English lines, lines of other languages, bad lines and blank ones, with every kind of line end."""
    lines: list[bytes] = [b"\xef\xbb\xbf" + line(0)]
    for number in range(1, 60):
        lines.append(line(number, padding="x" * (number * 37 % 500)))
        lines += [b""] * (number % 3 == 0)
        lines += [json.dumps({"word": "sana", "lang_code": "fi"}).encode()] * (number % 4 == 0)
        lines += [b"{"] * (number == 41)
    return b"\r\n".join(lines[:30]) + b"\n" + b"\n".join(lines[30:])


class TestCuts:
    @pytest.mark.parametrize("size", [1, 7, 100, 1000, 10**6])
    def test_blocks_hold_whole_lines(self, size: int, content: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(blocks, "BLOCK", size)
        with_stream = list(blocks.blocks(__import__("io").BytesIO(content)))
        assert b"".join(with_stream) == content
        assert all(block.endswith(b"\n") for block in with_stream[:-1])

    @pytest.mark.parametrize("size", [1, 7, 100, 1000, 10**6])
    def test_ranges_cover_every_line_once(
        self, size: int, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(blocks, "BLOCK", size)
        monkeypatch.setattr(blocks, "_MARGIN", 5)
        path = tmp_path / "w.jsonl"
        path.write_bytes(content)
        found = [blocks.read_range(path, *place) for place in blocks.ranges(0, len(content), size)]
        assert b"".join(data[:length] for data, length in found) == content

    def test_the_cut_changes_nothing(self, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = tmp_path / "w.jsonl"
        path.write_bytes(content)
        whole, report = read(path)
        assert report.rejected == {Reason.OTHER_LANGUAGE: 14, Reason.INVALID_JSON: 1}
        assert report.n_records == 60 + 14 + 1
        assert Headword("word59") in whole
        assert Statement("word0", "same0", "synonym", scope="entry") in whole
        for size in (1, 13, 300, 5000):
            monkeypatch.setattr(blocks, "BLOCK", size)
            records, cut = read(path)
            assert records == whole
            assert facts(cut) == facts(report)
        number = content.split(b"\n").index(b"{") + 1
        assert report.first_bad == f"line {number}: invalid JSON"

    def test_processes_change_nothing(
        self, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_blocks: None
    ) -> None:
        monkeypatch.setattr(reader, "_WORTH_WORKERS", 0)
        for name, packed in (("w", content), ("w.gz", gzip.compress(content)), ("w.zst", zstd(content))):
            path = tmp_path / name
            path.write_bytes(packed)
            one, report = read(path, jobs=1)
            three, same = read(path, jobs=3)
            assert three == one
            assert facts(same) == facts(report)


class TestCompression:
    @pytest.mark.parametrize(
        "pack",
        [
            gzip.compress,
            bz2.compress,
            zstd,
            lambda data: gzip.compress(data[:1000]) + gzip.compress(data[1000:]),
            lambda data: bz2.compress(data[:1000]) + bz2.compress(data[1000:]),
            lambda data: zstd(data[:1000]) + zstd(data[1000:]),
            lambda data: b"\x5f\x2a\x4d\x18\4\0\0\0note" + zstd(data),
        ],
        ids=["gzip", "bzip2", "zstd", "gzip members", "bzip2 streams", "zstd frames", "zstd after a skippable frame"],
    )
    def test_any_compression_is_read(self, pack: Callable[[bytes], bytes], content: bytes, tmp_path: Path) -> None:
        plain, packed = tmp_path / "plain", tmp_path / "packed"  # told by content, not by name
        plain.write_bytes(content)
        packed.write_bytes(pack(content))
        assert read(packed)[0] == read(plain)[0]

    @pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, zstd], ids=["gzip", "bzip2", "zstd"])
    @pytest.mark.parametrize("damage", ["cut", "flip", "garbage"])
    @pytest.mark.parametrize("jobs", [1, 2])
    def test_broken_files_are_refused(
        self,
        pack: Callable[[bytes], bytes],
        damage: str,
        jobs: int,
        content: bytes,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(reader, "_WORTH_WORKERS", 0)
        if (pack, damage) == (zstd, "flip"):
            pytest.skip("Arrow writes Zstandard without checksums, so nobody can tell")
        packed = bytearray(pack(os.urandom(20_000).hex().encode() + b"\n" + content))
        if damage == "cut":
            del packed[len(packed) // 2 :]
        elif damage == "flip":
            packed[len(packed) // 2] ^= 0xFF
        else:
            packed[len(packed) // 3 :] = b"garbage" * 1000
        path = tmp_path / "broken.jsonl.xx"
        path.write_bytes(packed)
        with pytest.raises(
            SourceError, match=r"broken\.jsonl\.xx: broken (gzip|bzip2|Zstandard) \(.*\); download it again"
        ):
            read(path, jobs=jobs)


class TestHostileLines:
    def test_a_line_that_is_too_long(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("lexkit.sources.wiktionary.entries.MAX_LINE", 10_000)
        monkeypatch.setattr(blocks, "MAX_LINE", 10_000)
        monkeypatch.setattr(blocks, "BLOCK", 4096)
        monkeypatch.setattr(blocks, "_MARGIN", 64)
        content = b"\n".join([line(1), line(2, padding="x" * 100_000), line(3), line(4, padding="y" * 9_000)])
        for name, packed in (("plain", content), ("gz", gzip.compress(content))):
            path = tmp_path / name
            path.write_bytes(packed)
            records, report = read(path)
            assert [r.word for r in records if isinstance(r, Headword)] == ["word1", "word3", "word4"]
            assert report.rejected == {Reason.TOO_LONG: 1}
            assert report.first_bad == "line 2: a line of more than 16 MiB"

    @pytest.mark.slow
    def test_a_line_of_100_megabytes_is_not_kept(self, tmp_path: Path) -> None:
        path = tmp_path / "w.jsonl"
        with path.open("wb") as stream:
            stream.write(line(1) + b'\n{"word": "')
            for _ in range(100):
                stream.write(b"x" * 10**6)
            stream.write(b'"}\n' + line(2))
        packed = tmp_path / "w.jsonl.gz"
        packed.write_bytes(gzip.compress(path.read_bytes(), 1))
        code = (
            "import sys; from pathlib import Path; from lexkit.sources.read_report import ReadReport;"
            "from lexkit.sources.wiktionary.reader import read; report = ReadReport();"
            "n = sum(batch.table.num_rows for batch in read(Path(sys.argv[1]), report));"
            # Not getrusage's, which carries over the peak of the process that started this one
            "peak = Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0];"
            "print(n, report.n_bad, int(peak) // 1024)"
        )
        for file in (path, packed):
            done = subprocess.run([sys.executable, "-c", code, str(file)], capture_output=True, text=True, check=True)
            n, bad, mebibytes = map(int, done.stdout.split())
            assert (n, bad) == (4, 1)
            assert mebibytes < 300

    @pytest.mark.parametrize(
        ("hostile", "reason"),
        [
            (b'{"word": "a", "lang_code": "en", "senses": ' + b"[" * 50_000, Reason.INVALID_JSON),
            (
                b'{"word": "a", "lang_code": "en", "senses": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
                Reason.INVALID_JSON,
            ),
            (b'{"word": 1, "lang_code": "en"}', Reason.WRONG_TYPE),
            (b'{"word": null, "lang_code": "en"}', Reason.NO_WORD),
            (b'{"word": "a", "lang_code": "en", "synonyms": 1}', Reason.WRONG_TYPE),
            (
                b'{"word": "a", "lang_code": "en", "forms": [{"form": "b", "tags": ["plural"]}, {"tags": 7}]}',
                Reason.WRONG_TYPE,
            ),
            (b'{"word": "a", "lang_code": "en", "senses": [null], "synonyms": [null, 1]}', Reason.WRONG_TYPE),
            (b'{"word": null, "lang_code": "en", "forms": [null]}', Reason.NO_WORD),
            (b'[null, {"word": "a", "lang_code": "en"}]', Reason.NOT_AN_OBJECT),
            (
                b'{"word": "a", "lang_code": "en", "senses": [{"glosses": 1, "synonyms": [{"word": "b"}]}]}',
                Reason.WRONG_TYPE,
            ),
            (
                b'{"word": "a", "lang_code": "en", "synonyms": [{"word": "b"}, {"word": "c", "tags": 7}]}',
                Reason.WRONG_TYPE,
            ),
            (b'{"word": "a\\ud800", "lang_code": "en"}', Reason.INVALID_JSON),
            (b'{"word": "a\\u0000b", "lang_code": "en"}', Reason.NOT_A_WORD),
            (b'{"word": "a\x00b", "lang_code": "en"}', Reason.INVALID_JSON),
            (b'{"word": "a", "word": "b", "lang_code": "en"}', None),
            (b"\x00" * 100, Reason.INVALID_JSON),
            (b"\xff\xfe{}", Reason.INVALID_UTF8),
            (b"null", Reason.NOT_AN_OBJECT),
        ],
    )
    def test_one_hostile_line_among_good_ones(self, hostile: bytes, reason: Reason | None, tmp_path: Path) -> None:
        path = tmp_path / "w.jsonl"
        path.write_bytes(b"\r\n".join([line(1), hostile, line(2)]))
        records, report = read(path)
        assert {"word1", "word2"} <= {r.word for r in records if isinstance(r, Headword)}
        assert {Statement(f"word{n}", f"same{n}", "synonym", scope="entry") for n in (1, 2)} <= set(records)
        assert list(report.rejected) == ([reason] if reason else [])
        if reason:
            assert not any(isinstance(r, Statement) and r.word == "a" for r in records)
            assert not any(isinstance(r, Form) for r in records)


@pytest.fixture(scope="module")
def real_lines(shared: Callable[[str], Path]) -> list[bytes]:
    with gzip.open(shared("wiktionary/wiktextract-1.99.7-mini.jsonl.gz")) as stream:
        lines = sorted(stream.read().splitlines(), key=len)[:600]
    return lines + shared("wiktionary/raw-mixed-languages.jsonl").read_bytes().splitlines()


_INSERTIONS = [b"\x00", b"\xff", b"\xed\xa0\x80", b"[", b"{", b'"', b"\\", b"\\ud800", b"null", b"-1e999"]
_REPLACEMENTS = [(b'"', b""), (b"[", b"{"), (b": ", b":"), (b'"word": "', b'"word": 3, "')]


def mutate(random_: random.Random, text: bytes) -> bytes:
    """Bend a line as broken writers, disks and attackers do."""
    data = bytearray(text)
    for _ in range(random_.randint(1, 4)):
        place, other = random_.randrange(len(data) + 1), random_.randrange(len(data) + 1)
        action = random_.randrange(5)
        if action == 0:
            data[place:other] = b""
        elif action == 1:
            data[place:place] = random_.choice(_INSERTIONS)
        elif action == 2 and place < len(data):
            data[place] = random_.randrange(256)
        elif action == 3:
            data[place:place] = data[min(place, other) : max(place, other)][:2000]
        else:
            data = bytearray(data.replace(*random_.choice(_REPLACEMENTS), 1))
    return bytes(data)


@settings(max_examples=250, deadline=None)
@given(seed=st.integers(0, 2**64))
def test_mutated_real_lines_are_read_or_counted(real_lines: list[bytes], seed: int) -> None:
    """Twenty lines an example, 5,000 in a run: no failure, and the good lines between them are not touched."""
    random_ = random.Random(seed)
    mutants = [mutate(random_, random_.choice(real_lines)).replace(b"\n", b" ") for _ in range(20)]
    good = [line(number) for number in range(21)]
    block = b"\n".join(b"\n".join(pair) for pair in zip(good, [*mutants, b""], strict=True))
    report = ReadReport()
    n_lines, batches = parse_block(block, len(block), report, "en", True)
    assert n_lines >= 41
    records = {record for batch in batches for record in batch.records()}
    kept = {Statement(f"word{number}", f"same{number}", "synonym", scope="entry") for number in range(21)}
    assert kept <= records
    assert report.n_records >= 21
    assert all(text.isprintable() for text in report.examples.values())
    assert ReadReport.load(report.dump()).rejected == report.rejected


class TestWorkers:
    def test_a_worker_that_dies_is_told(self, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(reader, "_WORTH_WORKERS", 0)
        monkeypatch.setattr(blocks, "BLOCK", 100)
        path = tmp_path / "w.jsonl"
        path.write_bytes(content * 20)
        started: list[workers._Worker] = []
        start = workers._Worker.__init__

        def remember(worker: workers._Worker) -> None:
            start(worker)
            started.append(worker)

        monkeypatch.setattr(workers._Worker, "__init__", remember)
        batches = reader.read(path, ReadReport(), jobs=2)
        next(batches)
        for worker in started:
            worker._process.send_signal(signal.SIGKILL)
        with pytest.raises(SourceError, match=r"a process that reads .* died"):
            list(batches)
        assert all(worker._process.returncode is not None for worker in started)

    def test_workers_end_with_a_reader_that_is_given_up(
        self, content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(reader, "_WORTH_WORKERS", 0)
        monkeypatch.setattr(blocks, "BLOCK", 100)
        path = tmp_path / "w.jsonl"
        path.write_bytes(content * 20)
        before = children()
        batches = reader.read(path, ReadReport(), jobs=2)
        next(batches)
        assert len(children()) > len(before)
        batches.close()  # type: ignore[attr-defined]
        assert children() == before

    def test_workers_end_with_their_parent(self, content: bytes, tmp_path: Path) -> None:
        path = tmp_path / "w.jsonl"
        path.write_bytes(content * 20)
        code = (
            "import sys, time; from pathlib import Path; from lexkit.sources.read_report import ReadReport;"
            "from lexkit.sources.wiktionary import blocks, reader; reader._WORTH_WORKERS = 0; blocks.BLOCK = 100;"
            "batches = reader.read(Path(sys.argv[1]), ReadReport(), jobs=3); next(batches); print('on', flush=True);"
            "time.sleep(60)"
        )
        with subprocess.Popen([sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            process.stdout.readline()
            found = children(process.pid)
            process.kill()
        assert len(found) == 2
        for _ in range(500):
            if not any(Path(f"/proc/{pid}").exists() for pid in found):
                break
            time.sleep(0.01)
        assert not any(Path(f"/proc/{pid}").exists() for pid in found)


def children(pid: int | str = "self") -> list[str]:
    tasks = Path(f"/proc/{pid}/task")
    if not tasks.exists():
        pytest.skip("needs /proc")
    found: list[str] = []
    for task in tasks.iterdir():
        # A thread of DuckDB or Arrow may end between the listing and the reading.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found += (task / "children").read_text(encoding="ascii").split()
    return found


def test_headwords_may_be_left_out(tmp_path: Path) -> None:
    path = tmp_path / "w.jsonl"
    path.write_bytes(line(1) + b"\n" + json.dumps({"word": "alone", "lang_code": "en"}).encode())
    records, report = read(path, headwords=False)
    assert records == [Statement("word1", "same1", "synonym", scope="entry")]
    assert report.n_records == 2


@pytest.mark.parametrize(
    ("tags", "sense_tags", "reason"),
    [
        (["obsolete"], [], None),
        (["misspelling"], [], Reason.MISSPELLING),
        (["misconstruction"], [], Reason.MISSPELLING),
        ([], ["misspelling", "alt-of"], Reason.MISSPELLING),
        (["Roman", "numeral"], [], Reason.NUMERAL),
        (["numeral"], [], None),  # "policy racket" has it, too
        (["symbol"], [], None),  # so has "decimal point"
    ],
)
def test_tags_that_disqualify(tmp_path: Path, tags: list[str], sense_tags: list[str], reason: Reason | None) -> None:
    path = tmp_path / "w.jsonl"
    sense = {"glosses": ["g"], "tags": sense_tags, "synonyms": [{"word": "other", "tags": tags}]}
    path.write_bytes(json.dumps({"word": "a", "lang_code": "en", "senses": [sense]}).encode())
    records, report = read(path)
    assert list(report.rejected) == ([reason] if reason else [])
    assert any(isinstance(r, Statement) for r in records) == (reason is None)
