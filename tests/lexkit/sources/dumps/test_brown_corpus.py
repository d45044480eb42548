from __future__ import annotations

from pathlib import Path

import pytest

from lexkit.sources.dumps import brown_corpus
from lexkit.sources.dumps.brown_corpus import find_brown, write_standin


def put_corpus(nltk_data: Path, name: str = "brown/cats.txt") -> None:
    file = nltk_data / "corpora" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"ca01 news\n")


def test_a_stand_in_is_a_corpus(cache: Path) -> None:
    assert find_brown(cache) is None
    assert write_standin(cache / "nltk_data") == find_brown(cache) == cache / "nltk_data"


@pytest.mark.parametrize("name", ["brown/cats.txt", "brown.zip"])
def test_a_fetched_corpus_is_used(cache: Path, name: str) -> None:
    put_corpus(cache / "nltk_data", name)
    assert find_brown(cache) == cache / "nltk_data"


def test_a_corpus_where_nltk_looks_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    put_corpus(tmp_path / "mine")
    monkeypatch.setenv("NLTK_DATA", f"{tmp_path / 'none'}:{tmp_path / 'mine'}")
    assert find_brown(tmp_path / "cache") == tmp_path / "mine"


@pytest.mark.slow
def test_the_folders_are_those_of_nltk() -> None:
    data = pytest.importorskip("nltk.data")
    assert set(map(Path, data.path)) <= set(map(Path, brown_corpus._nltk_path()))
