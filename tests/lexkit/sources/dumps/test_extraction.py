"""The cache, with a stand-in for wiktextract whose pages take no time."""

from __future__ import annotations

import bz2
import gzip
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import duckdb
import pytest

import lexkit
from lexkit.errors import SourceError
from lexkit.progress import Progress
from lexkit.sources.dumps.extraction import extract


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
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def leftovers(cache: Path) -> list[str]:
    """What lies in the cache beside results and locks."""
    names = [file.name for file in (cache / "wiktextract").iterdir()]
    return [name for name in names if not name.endswith((".jsonl.gz", ".lock"))]


def put_corpus(cache: Path) -> None:
    corpus = cache / "nltk_data" / "corpora" / "brown"
    corpus.mkdir(parents=True)
    (corpus / "cats.txt").write_text("ca01 news\n")


@pytest.mark.parametrize("name", ["dump.xml", "a dump; $(false) 'of' \udcff.bz2"])
def test_a_dump_becomes_entries_of_the_language(
    write_dump: Callable[..., Path], calls: Path, cache: Path, name: str
) -> None:
    told = Told()
    path = extract(write_dump(name), progress=told)
    assert [entry["word"] for entry in entries(path)] == ["glad", "sad"]
    assert path.parent == cache / "wiktextract"
    assert leftovers(cache) == []
    assert (3, None, "pages") in told.counts
    assert told.counts[-1] == (3, 3, "pages")
    assert [stage.split()[0] for stage in told.stages] == ["check", "read", "extract"]
    assert told.notes == ["wiktextract works better with NLTK's Brown corpus; 'lexkit fetch brown' downloads it"]


def test_a_dump_is_extracted_once_for_a_language_and_a_corpus(
    write_dump: Callable[..., Path], calls: Path, tmp_path: Path, cache: Path
) -> None:
    path = write_dump()
    first = extract(path)
    assert extract(shutil.copy(path, tmp_path / "renamed")) == first
    assert calls.read_text() == "collect\nextract\n"
    french = extract(path, language="fr")
    assert [entry["word"] for entry in entries(french)] == ["triste"]
    put_corpus(cache)
    told = Told()
    with_corpus = extract(path, progress=told)
    assert told.notes == []
    assert len({first, french, with_corpus}) == 3


def test_the_store_names_the_dump(write_dump: Callable[..., Path], calls: Path, tmp_path: Path) -> None:
    path = write_dump("dump.xml.bz2")
    store = tmp_path / "store.duckdb"
    summary = lexkit.build(store, wiktionary=[path])
    with lexkit.open(store) as lexicon:
        assert {neighbor.word for neighbor in lexicon.synonyms("glad")} == {"happy", "content"}
    with closing(duckdb.connect(str(store), read_only=True)) as connection:
        row = connection.execute("SELECT source, kind, uri, sha256, bytes, n_records FROM source").fetchone()
    assert row is not None
    assert row[:3] == ("wiktionary", "wiktionary", str(path))
    assert row[4:] == (path.stat().st_size, 2)
    assert any("extract" in stage for stage in summary.stages)


@pytest.mark.parametrize(
    ("fake", "reason"),
    [
        ("extract: fail", "wiktextract failed (ValueError: this is too hard); run again to resume"),
        ("collect: die", "wiktextract failed (killed by SIGKILL, perhaps out of memory); run again"),
        ("extract: leave a worker and die", "wiktextract failed (killed by SIGKILL"),
        ("collect: take all memory", "wiktextract failed (it needs more than 2,048 MiB of memory); run again"),
    ],
)
def test_a_failure_of_wiktextract_is_one_line(
    write_dump: Callable[..., Path], calls: Path, monkeypatch: pytest.MonkeyPatch, fake: str, reason: str
) -> None:
    path = write_dump()
    monkeypatch.setenv("FAKE", fake)
    with pytest.raises(SourceError) as caught:
        extract(path)
    assert str(caught.value).startswith(f"{path}: {reason}")
    assert "\n" not in str(caught.value)
    assert_gone(calls)
    monkeypatch.delenv("FAKE")
    assert len(entries(extract(path))) == 2
    assert calls.read_text().count("collect") == (2 if fake.startswith("collect") else 1)


@pytest.mark.parametrize(
    ("how", "reason"),
    [("fail", "ValueError: this is too hard"), ("die", "its process died, or took more than 600 seconds")],
)
def test_pages_on_which_wiktextract_fails_are_counted(
    write_dump: Callable[..., Path], calls: Path, monkeypatch: pytest.MonkeyPatch, how: str, reason: str
) -> None:
    monkeypatch.setenv("FAKE", f"page glad: {how}")
    told = Told()
    assert [entry["word"] for entry in entries(extract(write_dump(), progress=told))] == ["sad"]
    assert told.notes[1:] == [f"pages on which wiktextract failed: 1, first 'glad' ({reason})"]


@pytest.mark.parametrize("language", ["xx", "English", "../en", ""])
def test_an_unknown_language_is_refused(
    write_dump: Callable[..., Path], calls: Path, cache: Path, language: str
) -> None:
    with pytest.raises(SourceError, match=r"does not know the language '.*'; give --language a code such as en"):
        extract(write_dump(), language=language)
    assert not calls.exists()
    assert leftovers(cache) == []


def test_a_dump_without_the_language_is_refused(write_dump: Callable[..., Path], calls: Path, cache: Path) -> None:
    with pytest.raises(SourceError, match="no entries of the language 'en'"):
        extract(write_dump(pages={"triste": "==fr==\n[[malheureux]]"}))
    assert leftovers(cache) == []


def test_a_broken_dump_is_refused_and_leaves_nothing(write_dump: Callable[..., Path], calls: Path, cache: Path) -> None:
    path = write_dump("dump.xml.bz2")
    data = bz2.decompress(path.read_bytes())
    for broken in (path.read_bytes()[:-9], b'<!DOCTYPE m [<!ENTITY a "b">]>' + data):
        path.write_bytes(broken)
        with pytest.raises(SourceError) as caught:
            extract(path)
        assert str(caught.value).startswith(str(path))
        assert "\n" not in str(caught.value)
        assert leftovers(cache) == []
    assert not calls.exists()


def test_a_cache_that_cannot_be_written_is_one_line(
    write_dump: Callable[..., Path], cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "occupied").write_text("")
    monkeypatch.setenv("LEXKIT_CACHE", str(tmp_path / "occupied"))
    with pytest.raises(SourceError, match="set LEXKIT_CACHE to a folder with free space"):
        extract(write_dump())


def test_another_wiktextract_is_refused(write_dump: Callable[..., Path], calls: Path, tmp_path: Path) -> None:
    (tmp_path / "site" / "wikitextprocessor.py").write_text("")
    with pytest.raises(SourceError, match=r"check that wiktextract 1\.99\.7 is installed"):
        extract(write_dump())


def test_without_wiktextract_the_user_is_told_what_to_install(
    write_dump: Callable[..., Path], cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(SourceError, match="wiktextract is not installed; 'pip install wiktextract"):
        extract(write_dump())


def test_two_at_once_extract_once(write_dump: Callable[..., Path], calls: Path) -> None:
    path, told, results = write_dump(), [Told(), Told()], []
    threads = [threading.Thread(target=lambda t=t: results.append(extract(path, progress=t))) for t in told]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(results) == 2
    assert len(set(results)) == 1
    assert calls.read_text() == "collect\nextract\n"


def pids(calls: Path) -> list[int]:
    return [int(line.split()[1]) for line in calls.read_text().splitlines() if line.startswith("pid")]


def assert_gone(calls: Path) -> None:
    """The processes that the stand-in named have ended; those that are being killed get some seconds to go."""
    deadline = time.monotonic() + 60
    for pid in pids(calls):
        while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2]:
            assert time.monotonic() < deadline
            time.sleep(0.01)


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")
@pytest.mark.parametrize(
    ("place", "how"), [("collect", signal.SIGKILL), ("page sad", signal.SIGKILL), ("page sad", signal.SIGINT)]
)
def test_no_process_outlives_a_stopped_extraction(
    write_dump: Callable[..., Path],
    calls: Path,
    cache: Path,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
    how: signal.Signals,
) -> None:
    path = write_dump("dump.xml.bz2")
    code = (
        "import pathlib, sys; from lexkit.sources.dumps.extraction import extract; extract(pathlib.Path(sys.argv[1]))"
    )
    environment = os.environ | {"FAKE": f"{place}: hang"}
    with subprocess.Popen([sys.executable, "-c", code, path], env=environment, stderr=subprocess.DEVNULL) as process:
        while not (calls.exists() and pids(calls)):
            assert process.poll() is None
            time.sleep(0.01)
        process.send_signal(how)
        assert process.wait(60) == -how
    assert_gone(calls)
    assert not list((cache / "wiktextract").glob("*.jsonl.gz"))
    assert [entry["word"] for entry in entries(extract(path))] == ["glad", "sad"]
    # pages that were collected are not collected again
    assert calls.read_text().split().count("collect") == (2 if place == "collect" else 1)
    assert leftovers(cache) == []
