from __future__ import annotations

from pathlib import Path

import pytest

from lexkit.errors import TokenizerError
from lexkit.tokens.loading import NamedTokenizer, load_tokenizer, parse_tokenizer


def test_what_a_store_calls_a_tokenizer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "Llama-3.1-8B"
    folder.mkdir()
    for name in ("tokenizer.json", "small.json"):
        (folder / name).touch()
    names = {
        "meta-llama/Meta-Llama-3-8B": "meta-llama/Meta-Llama-3-8B",
        "gpt2": "gpt2",
        str(folder): "Llama-3.1-8B",
        str(folder / "tokenizer.json"): "Llama-3.1-8B",
        "Llama-3.1-8B/tokenizer.json": "Llama-3.1-8B",
        "./Llama-3.1-8B/": "Llama-3.1-8B",
        "Llama-3.1-8B/small.json": "small",
        f"mine={folder}": "mine",
        "mine=org/model": "mine",
    }
    assert {text: parse_tokenizer(text).name for text in names} == names
    assert parse_tokenizer(f"mine={folder}").location == str(folder)


def test_the_folder_one_stands_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokenizer.json").touch()
    assert parse_tokenizer(".").name == parse_tokenizer("tokenizer.json").name == tmp_path.name


def test_a_path_may_hold_an_equals_sign(tmp_path: Path) -> None:
    folder = tmp_path / "a=b"
    folder.mkdir()
    assert parse_tokenizer(str(folder)) == NamedTokenizer("a=b", str(folder))


@pytest.mark.parametrize("text", ["", "=x", "x="])
def test_half_a_name(text: str) -> None:
    with pytest.raises(TokenizerError, match="give NAME=PATH"):
        parse_tokenizer(text)


@pytest.mark.parametrize("name", ["missing.json", "/no/such/folder", ".", "./missing", "~/no-such-folder"])
def test_a_tokenizer_that_is_not_there(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TokenizerError, match=r"no such tokenizer\.json"):
        load_tokenizer(name)


def test_a_file_that_is_no_tokenizer(tmp_path: Path) -> None:
    file = tmp_path / "tokenizer.json"
    file.write_text("{}", encoding="utf-8")
    with pytest.raises(TokenizerError, match=r"tokenizer\.json: not a tokenizer that can be loaded"):
        load_tokenizer(str(file))


@pytest.mark.parametrize("asked", [".", "tokenizer.model"])
def test_a_tokenizer_in_another_form_tells_how_to_convert_it(tmp_path: Path, asked: str) -> None:
    (tmp_path / "tokenizer.model").touch()
    with pytest.raises(TokenizerError, match=r"AutoTokenizer.*save_pretrained") as caught:
        load_tokenizer(str(tmp_path / asked))
    assert "\n" not in str(caught.value)
