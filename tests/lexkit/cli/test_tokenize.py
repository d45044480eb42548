from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

import lexkit

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("built")
    (folder / "s.txt").write_text("is be\nsee behold\n", encoding="utf-8")
    (folder / "a.txt").write_text("up down\n", encoding="utf-8")
    pairs = [("synonym", folder / "s.txt"), ("antonym", folder / "a.txt")]
    lexkit.build(folder / "lexkit.duckdb", pairs=pairs)
    return folder


@pytest.fixture
def tokenized(run: Run, built: Path, tmp_path: Path, write_tokenizer: Callable[..., Path]) -> Path:
    """A folder with ``lexkit.duckdb`` of three pairs, cut by a tokenizer called ``letters``."""
    shutil.copytree(built, tmp_path, dirs_exist_ok=True)
    write_tokenizer(tmp_path / "letters" / "tokenizer.json")
    done = run("tokenize", "--tokenizer", "letters")
    assert done.stdout == "letters: 6 words, 256 tokens, added\n"
    assert done.stderr == ""
    return tmp_path


def test_tokenize_says_what_it_did(run: Run, tokenized: Path) -> None:
    assert run("tokenize", "--tokenizer", "letters/tokenizer.json").stdout.endswith("unchanged\n")
    assert run("tokenize", "--tokenizer", "letters", "--quiet").stdout == ""
    done = run("tokenize", "--tokenizer", "other=letters", "--json")
    (row,) = json.loads(done.stdout)["tokenizers"]
    assert (row["tokenizer"], row["outcome"], row["words"]) == ("other", "added", 6)


@pytest.mark.slow
def test_verify_compares_the_spans_of_tokenizers_that_it_is_given(run: Run, tokenized: Path) -> None:
    done = run("verify")
    assert done.returncode == 0
    assert done.stderr == "note: the spans of letters were not compared with their tokenizers; --tokenizer does\n"
    assert json.loads(run("verify", "--json").stdout)["not_compared"] == ["letters"]
    done = run("verify", "--tokenizer", "letters")
    assert (done.returncode, done.stderr) == (0, "")
    with duckdb.connect(str(tokenized / "lexkit.duckdb")) as connection:
        connection.execute("UPDATE span SET token_ids = list_reverse(token_ids)")
    done = run("verify", "--tokenizer", "letters")
    assert "E217\ta span differs from the tokens of its tokenizer\t6\tletters be\n" in done.stdout
    assert (done.returncode, done.stderr) == (1, "error: lexkit.duckdb: fails E109, E217; build it again\n")


def test_keep_rate(run: Run, tokenized: Path) -> None:
    lines = run("keep-rate", "--tokenizer", "letters").stdout.splitlines()
    assert lines[0].split("\t") == ["reading", "kind", "1", "2", "3", "4", "5"]
    # is, be: 3 tokens each, with the space; see: 4; behold: 7; up: 3; down: 5
    assert lines[1:] == [
        "both\tsynonym\t0.00\t0.00\t50.00\t50.00\t50.00",
        "both\tantonym\t0.00\t0.00\t0.00\t0.00\t100.00",
        "partner\tsynonym\t0.00\t0.00\t50.00\t75.00\t75.00",
        "partner\tantonym\t0.00\t0.00\t50.00\t50.00\t100.00",
    ]
    document = json.loads(run("keep-rate", "--tokenizer", "letters/tokenizer.json", "--json").stdout)
    assert document["tokenizer"] == "letters"
    assert document["keep_rate"][2] == {"reading": "both", "kind": "synonym", "max_tokens": 3, "percent": 50.0}


@pytest.mark.slow
@pytest.mark.parametrize(("name", "start"), [("a.png", b"\x89PNG"), ("a.svg", b"<?xml"), ("a.pdf", b"%PDF")])
def test_keep_rate_draws(run: Run, tokenized: Path, name: str, start: bytes) -> None:
    pytest.importorskip("matplotlib")
    pictures = []
    for _ in range(2):
        assert run("keep-rate", "--tokenizer", "letters", "--plot", name).returncode == 0
        pictures.append((tokenized / name).read_bytes())
    assert pictures[0].startswith(start)
    assert pictures[0] == pictures[1]
    if name == "a.svg":
        assert b"antonyms" in pictures[0] or b"<use" in pictures[0]


def test_drawing_without_matplotlib_tells_what_to_install(run: Run, tokenized: Path) -> None:
    (tokenized / "matplotlib.py").write_text("raise ImportError", encoding="utf-8")
    done = run("keep-rate", "--tokenizer", "letters", "--plot", "a.png", env={"PYTHONPATH": f"{tokenized}:{_path()}"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "error: drawing needs matplotlib; install it with pip install 'lexkit[plot]'\n"


def _path() -> str:
    import os

    return os.environ.get("PYTHONPATH", "")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["keep-rate", "--tokenizer", "gpt2"], "no tokenizer 'gpt2' in the store; it has letters; add one with"),
        (["keep-rate", "--tokenizer", "letters", "--plot", "a.gif"], "choose a name that ends in .png, .svg, .pdf"),
        (["keep-rate", "--tokenizer", "letters", "--plot", "none/a.png"], "none"),
        (["tokenize", "--tokenizer", "letters", "--store", "none.duckdb"], "no such store"),
        (["tokenize", "--tokenizer", "none.json"], "no such tokenizer.json"),
        (["export", "out", "--tokenizer", "gpt2"], "no tokenizer 'gpt2'"),
        (["export", "letters"], "holds other files than an export"),
    ],
)
def test_failures_take_one_line(run: Run, tokenized: Path, arguments: list[str], message: str) -> None:
    done = run(*arguments)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_max_tokens_wants_a_tokenizer(run: Run, tokenized: Path) -> None:
    assert run("export", "out", "--max-tokens", "3").returncode == 2
    assert not (tokenized / "out").exists()


def test_export(run: Run, tokenized: Path) -> None:
    done = run("export", "out", "--tokenizer", "letters", "--max-tokens", "3", "--format", "jsonl")
    size = (tokenized / "out/relations.jsonl").stat().st_size
    assert done.stdout == f"out/relations.jsonl: 1 rows, {size:,} bytes\n"
    row = json.loads((tokenized / "out/relations.jsonl").read_text("utf-8"))
    assert (row["word_a"], row["word_b"], row["kind"]) == ("be", "is", "synonym")
    assert (len(row["token_ids_a"]), len(row["token_ids_b"])) == (3, 3)
    document = json.loads(run("export", "out", "--json").stdout)
    assert [file["file"] for file in document["files"]] == ["relations.parquet", "evidence.parquet"]
