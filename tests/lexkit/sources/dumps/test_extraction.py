"""The cache, with a stand-in for the development version of wiktextract, whose pages take no time."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

import lexkit
from lexkit.errors import SourceError
from lexkit.progress import Progress
from lexkit.sources.dumps.extraction import extract
from lexkit.sources.dumps.wiktwords import Development, Released, find_installed, wiktwords_of


class Told(Progress):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.counts: list[tuple[int, int | None, str]] = []
        self.notes: list[str] = []

    def stage(self, name: str) -> None:
        self.stages.append(name)

    def count(self, done: int, total: int | None, unit: str) -> None:
        self.counts.append((done, total, unit))

    def note(self, text: str) -> None:
        self.notes.append(text)


def entries(path: Path) -> list[Any]:
    return [json.loads(line) for line in gzip.open(path, "rt", encoding="utf-8")]


def leftovers(cache: Path) -> list[str]:
    """What lies in the cache beside results, locks, and what wiktwords said of itself."""
    names = [file.name for file in (cache / "wiktextract").iterdir()]
    return [name for name in names if not name.endswith((".jsonl.gz", ".lock", ".txt"))]


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("dump.xml", marks=pytest.mark.slow),
        "dump.xml.bz2",
        pytest.param("a dump; $(false) 'of' x.dat", marks=pytest.mark.slow),
    ],
)
def test_a_dump_becomes_entries_of_the_language(
    write_dump: Callable[..., Path], development: Path, cache: Path, name: str
) -> None:
    told = Told()
    path = extract(write_dump(name), language="en", progress=told)
    assert [entry["word"] for entry in entries(path)] == ["glad", "sad"]
    assert path.parent == cache / "wiktextract"
    assert leftovers(cache) == []
    assert (3, 3, "pages") in told.counts
    assert [stage.split()[0] for stage in told.stages] == ["check", "check", "collect", "extract"]


@pytest.mark.slow
def test_a_dump_is_extracted_once(write_dump: Callable[..., Path], development: Path, tmp_path: Path) -> None:
    path = write_dump("dump.xml")
    first = extract(path)
    again = extract(shutil.copy(path, tmp_path / "renamed"))
    assert first == again
    assert development.read_text() == "collect\nextract\n"


@pytest.mark.slow
def test_dump_language_corpus_and_wiktextract_make_a_difference(
    write_dump: Callable[..., Path], development: Path, cache: Path
) -> None:
    path = write_dump("dump.xml")
    results = [extract(path), extract(path, language="fr")]
    results.append(extract(write_dump("other.xml", {"glad": "==en==\n[[happy]]"})))
    corpus = cache / "nltk_data" / "corpora" / "brown"
    corpus.mkdir(parents=True)
    (corpus / "cats.txt").write_text("ca01 news\n")
    results.append(extract(path))
    for record in development.parents[2].glob("site/wikitextprocessor*/RECORD"):
        record.write_text("wikitextprocessor/__init__.py,sha256=1,0\n")
    results.append(extract(path))
    assert len(set(results)) == len(results)


@pytest.mark.slow
def test_the_user_is_told_of_the_stand_in_and_of_nothing_else(
    write_dump: Callable[..., Path], development: Path, cache: Path
) -> None:
    told = Told()
    extract(write_dump(), progress=told)
    assert len(told.notes) == 1
    assert "'lexkit fetch brown'" in told.notes[0]
    corpus = cache / "nltk_data" / "corpora" / "brown"
    corpus.mkdir(parents=True)
    (corpus / "cats.txt").write_text("ca01 news\n")
    extract(write_dump(), progress=told)
    assert len(told.notes) == 1


@pytest.mark.slow
def test_the_store_names_the_dump(write_dump: Callable[..., Path], development: Path, tmp_path: Path) -> None:
    path = write_dump("dump.xml.bz2")
    store = tmp_path / "store.duckdb"
    summary = lexkit.build(store, wiktionary=[path])
    with lexkit.open(store) as lexicon:
        assert {neighbor.word for neighbor in lexicon.synonyms("glad")} == {"happy", "content"}
    with duckdb.connect(str(store), read_only=True) as connection:
        row = connection.execute("SELECT source, kind, uri, sha256, bytes, n_records FROM source").fetchone()
    assert row is not None
    assert row[:3] == ("wiktionary", "wiktionary", str(path))
    assert row[4:] == (path.stat().st_size, 2)
    assert any("extract" in stage for stage in summary.stages)


@pytest.mark.slow
def test_the_command_line_notes_on_standard_error(
    write_dump: Callable[..., Path], development: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    path = write_dump("dump.xml")
    done = run("build", "--wiktionary", path, "--json", env={"HOME": str(path.parent)})
    assert json.loads(done.stdout)["statistics"]["words"] == 5
    assert done.stderr.startswith("note: wiktextract runs without NLTK's Brown corpus")
    assert len(done.stderr.splitlines()) == 1
    quiet = run("build", "--wiktionary", path, "--quiet", env={"HOME": str(path.parent)})
    assert (quiet.stdout, quiet.stderr) == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "reason"),
    [("fail", "(ValueError: page 7 is too hard)"), ("die", "(killed by SIGKILL"), ("leave a worker", "(killed by SIG")],
)
def test_a_failure_of_wiktextract_is_one_line(
    write_dump: Callable[..., Path],
    development: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    how: str,
    reason: str,
) -> None:
    path = write_dump()
    monkeypatch.setenv("FAKE", how)
    with pytest.raises(SourceError) as caught:
        extract(path)
    assert str(caught.value).startswith(f"{path}: wiktextract 1.99.7 failed {reason}")
    assert "\n" not in str(caught.value)
    assert processes_in(cache) == []
    monkeypatch.delenv("FAKE")
    assert len(entries(extract(path))) == 2


@pytest.mark.slow
def test_pages_that_wiktextract_gives_up_are_counted(
    write_dump: Callable[..., Path], development: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE", "give up pages")
    told = Told()
    extract(write_dump(), progress=told)
    assert told.notes[1:] == ["wiktextract failed on 2 pages of dump.xml, first on glad"]


@pytest.mark.parametrize("language", ["xx", "English", "../en", ""])
def test_an_unknown_language_is_refused(write_dump: Callable[..., Path], development: Path, language: str) -> None:
    with pytest.raises(SourceError, match=r"is not a language code|a code"):
        extract(write_dump(), language=language)
    assert not development.exists() or "collect" not in development.read_text()


@pytest.mark.slow
def test_a_dump_without_the_language_is_refused(
    write_dump: Callable[..., Path], development: Path, cache: Path
) -> None:
    with pytest.raises(SourceError, match="no entry in it"):
        extract(write_dump(pages={"triste": "==fr==\n[[malheureux]]"}))
    assert leftovers(cache) == []


def test_a_cache_that_cannot_be_written_is_one_line(
    write_dump: Callable[..., Path], development: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "occupied").write_text("")
    monkeypatch.setenv("LEXKIT_CACHE", str(tmp_path / "occupied"))
    with pytest.raises(SourceError, match="set LEXKIT_CACHE to a folder with room"):
        extract(write_dump())


@pytest.mark.slow
def test_wiktextract_is_never_imported_here(write_dump: Callable[..., Path], development: Path) -> None:
    extract(write_dump())
    assert not {"wiktextract", "wikitextprocessor"} & set(sys.modules)


@pytest.mark.slow
def test_two_at_once_extract_once(
    write_dump: Callable[..., Path], development: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("FAKE_SECONDS", "0.2")
    path, told, results = write_dump(), [Told(), Told()], []
    threads = [threading.Thread(target=lambda t=t: results.append(extract(path, progress=t))) for t in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(results)) == 1
    assert development.read_text() == "collect\nextract\n"
    # how the threads are scheduled decides whether the second comes before the first is done
    assert sum("waiting for it" in note for t in told for note in t.notes) <= 1


def processes_in(folder: Path) -> list[int]:
    """Processes whose working folder is in *folder*; those that are being killed get some seconds to go."""
    if not Path("/proc/self/cwd").exists():
        pytest.skip("no /proc to look for processes in")
    for _ in range(100):
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if (process / "cwd").readlink().is_relative_to(folder):
                    found.append(int(process.name))
            except OSError:
                continue
        if not found:
            return []
        time.sleep(0.1)
    return found


@contextmanager
def building(path: Path, store: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "lexkit", "build", "--quiet", "--wiktionary", path, "--output", store]
    environment = os.environ | {"HOME": str(store.parent)}
    with subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True) as process:
        yield process
        process.kill()


def wait_for(condition: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    deadline = time.monotonic() + 120
    while not condition():
        assert process.poll() is None, process.stderr and process.stderr.read()
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("phase", "how"),
    [
        ("collect", signal.SIGKILL),
        *(
            pytest.param(phase, how, marks=pytest.mark.slow)
            for phase, how in [
                ("collect", signal.SIGINT),
                ("collect", signal.SIGTERM),
                ("extract", signal.SIGINT),
                ("extract", signal.SIGTERM),
                ("extract", signal.SIGKILL),
            ]
        ),
    ],
)
def test_no_process_outlives_a_stopped_build(
    write_dump: Callable[..., Path],
    development: Path,
    cache: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    phase: str,
    how: signal.Signals,
) -> None:
    path, store = write_dump("dump.xml.bz2"), tmp_path / "store.duckdb"
    monkeypatch.setenv("FAKE_SECONDS", "0.5" if phase == "collect" else "0.1")
    with building(path, store) as process:
        wait_for(lambda: development.exists() and phase in development.read_text(), process)
        process.send_signal(how)
        assert process.wait(20) == {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -9}[how]
    assert processes_in(cache) == []
    assert not store.exists()
    assert not list((cache / "wiktextract").glob("*.jsonl.gz"))
    monkeypatch.delenv("FAKE_SECONDS")
    lexkit.build(store, wiktionary=[path])
    # pages that were collected are not collected again
    assert development.read_text().split().count("collect") == (2 if phase == "collect" else 1)


@pytest.mark.slow
def test_twelve_builds_killed_at_random_moments_leave_nothing_half(
    write_dump: Callable[..., Path], development: Path, cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, store = write_dump("dump.xml.bz2"), tmp_path / "store.duckdb"
    reference = entries(extract(path))
    shutil.rmtree(cache)
    chance = random.Random(7)
    monkeypatch.setenv("FAKE_SECONDS", "0.05")
    for _ in range(12):
        with building(path, store) as process:
            time.sleep(chance.uniform(0.2, 1.6))
            process.kill()
        for whole in cache.glob("wiktextract/*.jsonl.gz"):
            assert entries(whole) == reference
            whole.unlink()
    assert entries(extract(path)) == reference
    assert leftovers(cache) == []


RELEASED = "usage: wiktwords [--language LANGUAGE] [--cache CACHE] [--num-threads NUM_THREADS]"
DEVELOPMENT = "usage: wiktwords [--dump-file-language-code CODE] [--language-code CODE] [--db-path PATH]"


def test_the_two_kinds_are_told_by_their_help() -> None:
    assert isinstance(wiktwords_of(RELEASED), Released)
    assert isinstance(wiktwords_of(DEVELOPMENT), Development)
    with pytest.raises(SourceError, match="unknown kind"):
        wiktwords_of("usage: wiktwords [--help]")


def test_options_that_the_development_version_has_had_for_some_time_only() -> None:
    old = wiktwords_of(DEVELOPMENT)
    new = wiktwords_of(f"{DEVELOPMENT} [--edition CODE] [--skip-extraction]")
    assert "--dump-file-language-code" in old.collect("d.bz2", "en", "en")
    assert "--page" in old.collect("d.bz2", "en", "en")
    assert new.collect("d.bz2", "en", "fr")[2:7] == ["--edition", "en", "--language-code", "fr", "--skip-extraction"]
    assert "--page" not in new.extract("en", "fr", "French", 2)


def test_without_wiktextract_the_user_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(SourceError, match="'pip install wiktextract'"):
        find_installed()


def test_broken_dumps_are_refused_before_wiktextract_runs(
    write_dump: Callable[..., Path], development: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    path = write_dump("dump.xml.bz2")
    data = bz2.decompress(path.read_bytes())
    bomb = b'<!DOCTYPE m [<!ENTITY a "b">]>'
    for broken in (path.read_bytes()[:-9], bomb + data, b"<mediawiki></mediawiki>", b"<html></html>"):
        path.write_bytes(broken)
        done = run("build", "--wiktionary", path, "--quiet", env={"HOME": str(path.parent)})
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {path}")
        assert len(done.stderr.splitlines()) == 1
    assert not development.exists()
