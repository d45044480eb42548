"""What a store is after the worst: killed writers, a full disk, several writers and readers at once."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import lexkit
from lexkit.errors import StoreError
from lexkit.store.verify import verify_store

LEXKIT = [sys.executable, "-m", "lexkit"]
MOMENTS = 17
"""Of each of the three commands: 51 together."""


def tree(folder: Path) -> dict[str, bytes]:
    """What a folder holds, hidden files included."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def letters(number: int) -> str:
    return "".join(chr(ord("a") + int(digit)) for digit in str(number))


def leftovers(folder: Path) -> list[str]:
    return [path.name for path in folder.glob(".*")]


def errors(store: Path) -> list[str]:
    return [finding.code for finding in verify_store(store) if finding.code.startswith("E")]


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two words that no other source has."""
    path = tmp_path_factory.mktemp("pairs") / "pairs.txt"
    path.write_text("oldone ancientone\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def small_store(pairs: Path) -> Path:
    lexkit.build(pairs.with_name("small.duckdb"), pairs=[("synonym", pairs)])
    return pairs.with_name("small.duckdb")


@pytest.fixture(scope="module")
def large_store(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A store that takes a second to change, and the file of Wiktionary's form that it was made from."""
    source = tmp_path_factory.mktemp("large") / "w.jsonl"
    line = json.dumps({"word": "%s", "lang_code": "en", "synonyms": [{"word": "%s"}], "padding": "x" * 1000})
    with source.open("w", encoding="utf-8") as stream:
        stream.writelines(f"{line}\n" % (f"word{i}", f"same{i}") for i in range(30_000))
    lexkit.build(source.with_name("large.duckdb"), wiktionary=[source])
    return source.with_name("large.duckdb"), source


def end_of_group(process: subprocess.Popen[bytes]) -> bool:
    """Whether the process and all that it started have ended, within a minute."""
    for _ in range(600):
        try:
            os.killpg(process.pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def seconds_at_work(command: list[str], folder: Path) -> tuple[float, float]:
    """Run a command; return the seconds that it takes, and those of them with something half made in *folder*."""
    started, at_work = time.monotonic(), 0.0
    with subprocess.Popen(command) as process:
        while process.poll() is None:
            before = time.monotonic()
            time.sleep(0.001)
            at_work += bool(leftovers(folder)) * (time.monotonic() - before)
    assert process.returncode == 0
    return time.monotonic() - started, at_work


def kill_at_random_moments(
    command: list[str], target: Path, restore: Callable[[], None], check: Callable[[], None], seed: int
) -> None:
    """Kill a command `MOMENTS` times, anywhere in its run and while it has something half made; *check* after each.

    A run that ends before its moment comes counts for nothing; another one takes its place.
    """
    restore()
    seconds, at_work = seconds_at_work(command, target.parent)
    check()
    n_killed = n_halfway = 0
    moments = random.Random(seed)
    for attempt in range(10 * MOMENTS):
        if n_killed >= MOMENTS and n_halfway >= MOMENTS // 3:
            break
        restore()
        process = subprocess.Popen(command, start_new_session=True)
        if attempt % 2:
            while process.poll() is None and not leftovers(target.parent):
                time.sleep(0.001)
            time.sleep(moments.uniform(0, at_work))
        else:
            time.sleep(moments.uniform(0, seconds))
        process.send_signal(signal.SIGKILL)
        n_killed += process.wait() == -signal.SIGKILL
        assert end_of_group(process)
        found = leftovers(target.parent)
        n_halfway += bool(found)
        assert len(found) <= 1
        check()
    assert n_killed >= MOMENTS
    assert n_halfway >= MOMENTS // 3
    subprocess.run(command, check=True, timeout=300)
    check()
    assert leftovers(target.parent) == []


@pytest.mark.slow
class TestKilledAtAnyMoment:
    def test_build(self, small_store: Path, large_store: tuple[Path, Path], tmp_path: Path) -> None:
        target = tmp_path / "s.duckdb"

        def check() -> None:
            assert errors(target) == []
            with lexkit.open(target) as lexicon:
                counts = lexicon.statistics()
            assert (counts.words, counts.evidence) in ((2, 1), (60_000, 30_000))

        command = [*LEXKIT, "build", "--quiet", "--jobs", "2", "--wiktionary", str(large_store[1])]
        restore = lambda: shutil.copy(small_store, target)  # noqa: E731
        kill_at_random_moments([*command, "--output", str(target)], target, restore, check, seed=1)  # type: ignore[arg-type]

    def test_tokenize(
        self, large_store: tuple[Path, Path], tmp_path: Path, write_tokenizer: Callable[..., Path]
    ) -> None:
        target = tmp_path / "s.duckdb"
        tokenizer = f"bytes={write_tokenizer(tmp_path / 'bytes' / 'tokenizer.json')}"

        def check() -> None:
            assert errors(target) == []
            with lexkit.open(target) as lexicon:
                assert lexicon.tokenizers() in ([], ["bytes"])
                assert lexicon.statistics().evidence == 30_000

        command = [*LEXKIT, "tokenize", "--quiet", "--store", str(target), "--tokenizer", tokenizer]
        restore = lambda: shutil.copy(large_store[0], target)  # noqa: E731
        kill_at_random_moments(command, target, restore, check, seed=2)  # type: ignore[arg-type]
        assert [finding.code for finding in verify_store(target, [tokenizer])] == []

    def test_export(self, small_store: Path, large_store: tuple[Path, Path], tmp_path: Path) -> None:
        target = tmp_path / "out" / "thesaurus"
        target.parent.mkdir()
        lexkit.export(small_store, tmp_path / "old", form="jsonl")
        lexkit.export(large_store[0], tmp_path / "new", form="jsonl")
        whole = (tree(tmp_path / "old"), tree(tmp_path / "new"))

        def restore() -> None:
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(tmp_path / "old", target)

        def check() -> None:
            assert tree(target) in whole

        command = [*LEXKIT, "export", "--quiet", "--format", "jsonl", "--store", str(large_store[0]), str(target)]
        kill_at_random_moments(command, target, restore, check, seed=3)


class TestFullDisk:
    """The commands run on a small file system that is really full; it ends with its process."""

    def assert_refused(self, done: subprocess.CompletedProcess[str], target: str, tmp_path: Path) -> None:
        assert done.returncode == 1, done.stderr
        assert done.stdout == ""
        assert done.stderr.startswith(f"error: {target}: "), done.stderr
        assert len(done.stderr.splitlines()) == 1
        assert "unexpected" not in done.stderr
        assert tree(tmp_path / "after") == tree(tmp_path / "before")
        assert leftovers(tmp_path / "after") == []

    @pytest.mark.slow
    @pytest.mark.parametrize("size", [3 << 20, 5 << 20, 8 << 20])
    def test_build(
        self, size: int, disk: Callable[..., subprocess.CompletedProcess[str]], small_store: Path, tmp_path: Path
    ) -> None:
        shutil.copy(small_store, tmp_path / "before" / "s.duckdb")
        self.assert_refused(disk(size, "build", "--output", "s.duckdb"), "s.duckdb", tmp_path)

    @pytest.mark.parametrize("room", [1 << 18, 1 << 20])
    def test_build_of_pairs(
        self, room: int, disk: Callable[..., subprocess.CompletedProcess[str]], small_store: Path, tmp_path: Path
    ) -> None:
        """The disk is full when the store is begun, or in the middle of it."""
        shutil.copy(small_store, tmp_path / "before" / "s.duckdb")
        pairs = tmp_path / "many.txt"
        pairs.write_text("".join(f"word{letters(i)} same{letters(i)}\n" for i in range(10_000)), encoding="utf-8")
        done = disk(small_store.stat().st_size + room, "build", "--output", "s.duckdb", "--pairs", f"synonym={pairs}")
        self.assert_refused(done, "s.duckdb", tmp_path)

    @pytest.mark.parametrize("share", [1.5, 2.1])
    def test_tokenize(
        self,
        share: float,
        disk: Callable[..., subprocess.CompletedProcess[str]],
        starter_store: Path,
        tmp_path: Path,
        write_tokenizer: Callable[..., Path],
    ) -> None:
        """The disk is full while the store is copied, or while spans are written."""
        shutil.copy(starter_store, tmp_path / "before" / "s.duckdb")
        tokenizer = write_tokenizer(tmp_path / "bytes" / "tokenizer.json")
        size = int(starter_store.stat().st_size * share)
        done = disk(size, "tokenize", "--store", "s.duckdb", "--tokenizer", tokenizer)
        self.assert_refused(done, "s.duckdb", tmp_path)
        assert "--output" not in done.stderr

    @pytest.mark.parametrize("form", ["parquet", "jsonl", "csv"])
    def test_export(
        self,
        form: str,
        disk: Callable[..., subprocess.CompletedProcess[str]],
        small_store: Path,
        starter_store: Path,
        tmp_path: Path,
    ) -> None:
        lexkit.export(small_store, tmp_path / "before" / "out", form="csv")
        done = disk(1 << 20, "export", "out", "--format", form, "--store", starter_store)
        self.assert_refused(done, "out", tmp_path)

    @pytest.mark.slow
    def test_report(
        self,
        disk: Callable[..., subprocess.CompletedProcess[str]],
        small_store: Path,
        starter_store: Path,
        tmp_path: Path,
    ) -> None:
        with lexkit.open(small_store) as lexicon:
            from lexkit.reporting.page import write_report

            write_report(lexicon, tmp_path / "before" / "report.html")
        done = disk(1 << 19, "report", "--store", starter_store)
        self.assert_refused(done, "report.html", tmp_path)


@pytest.mark.slow
def test_of_many_builds_of_one_store_at_once_one_wins_and_the_others_say_so(small_store: Path, tmp_path: Path) -> None:
    target = Path(shutil.copy(small_store, tmp_path / "s.duckdb"))
    command = [*LEXKIT, "build", "--quiet", "--jobs", "1", "--output", str(target)]
    for _ in range(3):
        builds = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for _ in range(6)]
        told = [(build.communicate(timeout=300)[1], build.returncode) for build in builds]
        refusal = f"error: {target}: another process is writing it; wait for it, or name another target\n"
        assert {(text, code) for text, code in told} == {("", 0), (refusal, 1)}
        assert errors(target) == []
        assert leftovers(tmp_path) == []


@pytest.mark.parametrize("fails", [False, True])
def test_a_store_that_is_replaced_while_it_is_opened_is_opened_again(
    small_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: bool
) -> None:
    """DuckDB opens a file twice: between the two, a build may put another in its place."""
    from lexkit.store import files

    target = Path(shutil.copy(small_store, tmp_path / "s.duckdb"))
    new = Path(shutil.copy(small_store, tmp_path / "new.duckdb"))
    attach, calls = files._attached, []

    def attached(path: Path) -> duckdb.DuckDBPyConnection:
        calls.append(path)
        if len(calls) == 1:
            new.replace(path)
            if fails:
                raise duckdb.IOException("Could not read enough bytes from file")
        return attach(path)

    monkeypatch.setattr(files, "_attached", attached)
    with lexkit.open(target) as lexicon:
        assert lexicon.words()
    assert len(calls) == 2


@pytest.mark.slow
def test_readers_go_on_while_builds_replace_the_store(small_store: Path, pairs: Path, tmp_path: Path) -> None:
    target = Path(shutil.copy(small_store, tmp_path / "s.duckdb"))
    commands = [
        [*LEXKIT, "build", "--quiet", "--output", str(target)],
        [*LEXKIT, "build", "--quiet", "--output", str(target), "--pairs", f"synonym={pairs}"],
    ]
    seen = set()
    with lexkit.open(target) as first:
        for command in commands * 3:
            with subprocess.Popen(command) as build, lexkit.open(target) as held:
                words = len(held.words())
                while build.poll() is None:
                    with lexkit.open(target) as lexicon:
                        seen.add((len(lexicon.words()), lexicon.sql("SELECT count(*) AS n FROM word")["n"][0].as_py()))
                    assert held.sql("SELECT count(*) AS n FROM word")["n"][0].as_py() == words
            assert build.returncode == 0
            seen.add((len(lexkit.open(target).words()),) * 2)
        assert first.relation("oldone", "ancientone") == ["synonym"]
    assert len(seen) == 2  # the old and the new, each whole
    assert all(listed == counted for listed, counted in seen)


def test_a_store_keeps_its_permissions_when_it_is_replaced(
    pairs: Path, tmp_path: Path, write_tokenizer: Callable[..., Path]
) -> None:
    store, tokenizer = tmp_path / "s.duckdb", str(write_tokenizer(tmp_path / "bytes" / "tokenizer.json"))
    lexkit.build(store, pairs=[("synonym", pairs)])
    store.chmod(0o640)
    lexkit.build(store, pairs=[("synonym", pairs)])
    assert stat.S_IMODE(store.stat().st_mode) == 0o640
    store.chmod(0o600)
    lexkit.tokenize(store, [tokenizer])
    assert stat.S_IMODE(store.stat().st_mode) == 0o600


def test_an_export_keeps_its_permissions_when_it_is_replaced(small_store: Path, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    lexkit.export(small_store, folder)
    folder.chmod(0o750)
    (folder / "relations.parquet").chmod(0o600)
    lexkit.export(small_store, folder)
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (folder, folder / "relations.parquet")]
    assert modes == [0o750, 0o600]


@pytest.mark.parametrize("name", "notes:2026.duckdb md:words :memory: a?b=c.duckdb a*b[1].db it's".split())
def test_names_that_duckdb_would_read_in_its_own_way(
    name: str, pairs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    lexkit.build(name, pairs=[("synonym", pairs)])
    with lexkit.open(name) as lexicon:
        assert len(lexicon.words())
    assert (tmp_path / name).is_file()


def test_a_name_that_is_not_text(pairs: Path, tmp_path: Path) -> None:
    name = tmp_path / os.fsdecode(b"\xff.duckdb")
    with pytest.raises(StoreError, match="not UTF-8; rename it"):
        lexkit.build(name, pairs=[("synonym", pairs)])
    (tmp_path / "a?b").mkdir()
    with pytest.raises(StoreError, match=r"a folder with \? in its name; rename it"):
        lexkit.build(tmp_path / "a?b" / "s.duckdb", pairs=[("synonym", pairs)])
    name.write_bytes(b"")
    with pytest.raises(StoreError, match="not UTF-8; rename it"):
        lexkit.open(name)
