from __future__ import annotations

from pathlib import Path

import pytest

from lexkit.sources.dumps import brown
from lexkit.sources.dumps.brown import find_brown


def put_corpus(nltk_data: Path, name: str = "brown/cats.txt") -> None:
    file = nltk_data / "corpora" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"ca01 news\n")


def test_the_stand_in_is_made_when_nothing_is_there(cache: Path) -> None:
    found = find_brown(cache)
    assert found.is_standin
    assert sorted(file.name for file in (found.nltk_data / "corpora" / "brown").iterdir()) == ["ca01", "cats.txt"]
    assert find_brown(cache) == found


@pytest.mark.parametrize("name", ["brown/cats.txt", "brown.zip"])
def test_a_fetched_corpus_is_used(cache: Path, name: str) -> None:
    find_brown(cache)
    put_corpus(cache / "nltk_data", name)
    found = find_brown(cache)
    assert (found.nltk_data, found.is_standin) == (cache / "nltk_data", False)


def test_a_corpus_where_nltk_looks_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_corpus(tmp_path / "mine")
    monkeypatch.setenv("NLTK_DATA", f"{tmp_path / 'none'}:{tmp_path / 'mine'}")
    assert find_brown(tmp_path / "cache").nltk_data == tmp_path / "mine"


def test_the_folders_are_those_of_nltk() -> None:
    data = pytest.importorskip("nltk.data")
    assert set(map(Path, data.path)) <= set(map(Path, brown._nltk_path()))
