from __future__ import annotations

from pathlib import Path

import platformdirs
import pytest

from lexkit.errors import SourceError
from lexkit.sources.cache import (
    FetchRecord,
    cache_folder,
    cached_path,
    fetched_files,
    read_record,
    resolve_files,
    write_record,
)
from lexkit.sources.catalog import load_catalog, select


def put(name: str, cache: Path) -> Path:
    """Put a file where fetching the source of that name would put it."""
    (entry,) = select(name)
    path = cached_path(entry, cache)
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

    assert names("wiktionary") == names("wiktionary-en") == ["wiktionary"]
    assert names("wiktionary-es") == ["wiktionary-es"]
    assert names("kaikki-en") == ["kaikki-en"]
    assert names("wiktionary-xx") == []
    assert names("wiktionary-dump") == ["wiktionary-dump"]
    assert names("roget") == ["roget-22", "roget-10681"]
    assert names("roget-22") == ["roget-22"]
    assert names("brown") == ["brown"]
    assert names("wordnet") == ["wordnet"]
    assert names("oewn") == ["oewn"]
    assert names("all") == [
        *("wiktionary", "wiktionary-dump", "roget-22", "roget-10681", "morpholex", "oewn", "wordnet", "brown")
    ]
    assert names("nothing") == []


def test_the_catalogue_says_which_of_several_files_is_fetched() -> None:
    for entry in load_catalog().source:
        assert len(entry.download) == 1 or sum(item.default for item in entry.download) == 1
    (wiktionary,) = select("wiktionary")
    assert wiktionary.to_fetch.url == "https://kaikki.org/dictionary/raw-wiktextract-data.jsonl.gz"


def test_both_editions_of_roget_and_one_wiktionary(tmp_path: Path) -> None:
    jsonl, old, new = (put(name, tmp_path) for name in ("wiktionary", "roget-22", "roget-10681"))
    put("wiktionary-dump", tmp_path)
    assert [path for path, _ in fetched_files("roget", cache=tmp_path)] == [old, new]
    assert [path for path, _ in fetched_files("wiktionary", cache=tmp_path)] == [jsonl]


def test_each_language_has_its_own_edition_of_wiktionary_first(tmp_path: Path) -> None:
    def found(language: str) -> Path:
        ((path, _),) = fetched_files("wiktionary", language, tmp_path)
        return path

    with pytest.raises(SourceError, match=r"wiktionary-es is not in the cache; .*'lexkit fetch wiktionary-es'"):
        fetched_files("wiktionary", "es", tmp_path)
    with pytest.raises(SourceError, match=r"wiktionary is not in the cache; .*'lexkit fetch wiktionary'"):
        fetched_files("wiktionary", "got", tmp_path)
    postprocessed = put("kaikki-es", tmp_path)
    german = put("wiktionary-de", tmp_path)
    assert (found("es"), found("de")) == (postprocessed, german)
    for language in ("en", "fr"):  # neither file is for them
        with pytest.raises(SourceError, match="is not in the cache"):
            fetched_files("wiktionary", language, tmp_path)
    english = put("wiktionary", tmp_path)  # has words of all languages
    assert (found("en"), found("es"), found("de"), found("got")) == (english, english, german, english)
    spanish = put("wiktionary-es", tmp_path)
    assert (found("en"), found("es")) == (english, spanish)


def test_roget_is_the_same_for_any_language(tmp_path: Path) -> None:
    roget = put("roget-22", tmp_path)
    assert [path for path, _ in fetched_files("roget", "es", tmp_path)] == [roget]


def test_the_open_english_wordnet_before_princetons(tmp_path: Path) -> None:
    princeton = put("wordnet", tmp_path)
    assert [path for path, _ in fetched_files("wordnet", cache=tmp_path)] == [princeton]
    open_english = put("oewn", tmp_path)
    assert [path for path, _ in fetched_files("wordnet", cache=tmp_path)] == [open_english]


def test_the_dump_where_there_is_nothing_else(tmp_path: Path) -> None:
    dump = put("wiktionary-dump", tmp_path)
    assert [path for path, _ in fetched_files("wiktionary", cache=tmp_path)] == [dump]


def test_a_file_that_is_not_whole_is_not_there(tmp_path: Path) -> None:
    path = put("morpholex", tmp_path)
    path.write_bytes(b"xy")
    assert read_record(path) is None
    with pytest.raises(SourceError, match=r"morpholex is not in the cache; fetch it with 'lexkit fetch morpholex'"):
        fetched_files("morpholex", cache=tmp_path)
    with pytest.raises(
        SourceError, match=r"wordnet is not in .*'lexkit fetch wordnet', or name a file with --source wordnet"
    ):
        fetched_files("wordnet", cache=tmp_path)


def test_the_word_fetched_instead_of_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LEXKIT_CACHE", str(tmp_path))
    path = put("morpholex", tmp_path)
    assert resolve_files("morpholex", "fetched") == [(path, select("morpholex")[0].to_fetch.url)]
    assert resolve_files("morpholex", "./fetched") == [(Path("fetched"), "./fetched")]
    assert resolve_files("roget", tmp_path / "x") == [(tmp_path / "x", str(tmp_path / "x"))]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"name": "\xed"}'])
def test_a_file_with_a_damaged_record_is_not_there(tmp_path: Path, content: bytes) -> None:
    path = put("morpholex", tmp_path)
    (record,) = set(path.parent.iterdir()) - {path}
    record.write_bytes(content)
    assert read_record(path) is None
