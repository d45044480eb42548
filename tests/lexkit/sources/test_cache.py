from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from lexkit.errors import SourceError
from lexkit.sources.cache import FetchRecord, cache_folder, fetched, place_of, read_record, resolve, write_record
from lexkit.sources.catalog import load_catalog, select


def put(name: str, cache: Path) -> Path:
    """Put a file where fetching the source of that name would put it."""
    (entry,) = select(name)
    path = place_of(entry, cache)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"x")
    write_record(path, FetchRecord(name, entry.to_fetch.url, "0" * 64, 1, None, None, "-", "-", "-", "2026-01-01"))
    return path


def test_the_option_then_the_environment_then_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXKIT_CACHE", "~/named")
    assert cache_folder("given") == Path("given")
    assert cache_folder() == Path.home() / "named"
    monkeypatch.setenv("LEXKIT_CACHE", "")
    assert cache_folder() == Path(platformdirs.user_cache_dir("lexkit"))


def test_names_that_a_user_says() -> None:
    def names(name: str) -> list[str]:
        return [entry.name for entry in select(name)]

    assert names("wiktionary") == ["wiktionary"]
    assert names("wiktionary-dump") == ["wiktionary-dump"]
    assert names("roget") == ["roget-22", "roget-10681"]
    assert names("roget-22") == ["roget-22"]
    assert names("brown") == ["brown"]
    assert names("wordnet") == ["wordnet"]
    assert names("oewn") == ["oewn"]
    assert names("all") == [entry.name for entry in load_catalog().source]
    assert names("nothing") == []


def test_the_catalogue_says_which_of_several_files_is_fetched() -> None:
    for entry in load_catalog().source:
        assert len(entry.download) == 1 or sum(item.default for item in entry.download) == 1
    (wiktionary,) = select("wiktionary")
    assert wiktionary.to_fetch.file == "kaikki.org-dictionary-English.jsonl.gz"


def test_both_editions_of_roget_and_one_wiktionary(tmp_path: Path) -> None:
    jsonl, old, new = (put(name, tmp_path) for name in ("wiktionary", "roget-22", "roget-10681"))
    put("wiktionary-dump", tmp_path)
    assert [path for path, _ in fetched("roget", tmp_path)] == [old, new]
    assert [path for path, _ in fetched("wiktionary", tmp_path)] == [jsonl]


def test_the_open_english_wordnet_before_princetons(tmp_path: Path) -> None:
    princeton = put("wordnet", tmp_path)
    assert [path for path, _ in fetched("wordnet", tmp_path)] == [princeton]
    open_english = put("oewn", tmp_path)
    assert [path for path, _ in fetched("wordnet", tmp_path)] == [open_english]


def test_the_dump_where_there_is_nothing_else(tmp_path: Path) -> None:
    dump = put("wiktionary-dump", tmp_path)
    assert [path for path, _ in fetched("wiktionary", tmp_path)] == [dump]


def test_a_file_that_is_not_whole_is_not_there(tmp_path: Path) -> None:
    path = put("morpholex", tmp_path)
    path.write_bytes(b"xy")
    assert read_record(path) is None
    with pytest.raises(SourceError, match=r"morpholex is not in the cache; fetch it with 'lexkit fetch morpholex'"):
        fetched("morpholex", tmp_path)
    with pytest.raises(
        SourceError, match=r"wordnet is not in .*'lexkit fetch wordnet', or name a file with --source wordnet"
    ):
        fetched("wordnet", tmp_path)


def test_the_word_fetched_instead_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXKIT_CACHE", str(tmp_path))
    path = put("morpholex", tmp_path)
    assert resolve("morpholex", "fetched") == [(path, select("morpholex")[0].to_fetch.url)]
    assert resolve("morpholex", "./fetched") == [(Path("fetched"), "./fetched")]
    assert resolve("roget", tmp_path / "x") == [(tmp_path / "x", str(tmp_path / "x"))]
