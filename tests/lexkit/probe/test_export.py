"""Items as tasks of lm-evaluation-harness."""

from __future__ import annotations

import importlib.util
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lexkit
from lexkit.errors import StoreError
from lexkit.probe.export import export_items
from lexkit.probe.items import make_items

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def folder(starter_store: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("items") / "out"
    with lexkit.open(starter_store) as lexicon:
        export_items(lexicon, made, 36)
    return made


def documents(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "items.jsonl").read_text(encoding="utf-8").splitlines()]


def test_documents_are_the_sentences(folder: Path, starter_store: Path) -> None:
    with lexkit.open(starter_store) as lexicon:
        items = make_items(lexicon, 36)
    expected = [sentence for item in items for own, neutral in item.sentences() for sentence in (*own, *neutral)]
    assert [f"{one['first']} {choice}" for one in documents(folder) for choice in one["choices"]] == expected


def test_scores(folder: Path) -> None:
    spec = importlib.util.spec_from_file_location("utils", folder / "utils.py")
    assert spec is not None
    assert spec.loader is not None
    utils = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(utils)
    document = {"options": ["cold", "warm"], "right": 1}
    # the first is more likely as it is, the second beyond what the neutral frame gives it
    results = [(-1.0, False), (-2.0, False), (-1.0, False), (-5.0, False)]
    assert utils.process_results(document, results) == {"acc": 1, "acc_raw": 0}
    same = [(-1.0, False)] * 4
    assert utils.process_results(document, same)["acc"] == 0.5


def test_readme(folder: Path) -> None:
    readme = (folder / "README.md").read_text(encoding="utf-8")
    assert "| lexkit_antonym | 36 | 4 | 0.25 |" in readme
    assert "`heads=36` and `seed=0`" in readme
    assert "| source | file | licence |" in readme
    assert "standard errors that the harness prints are too small" in readme


def test_the_same_files_again(folder: Path, starter_store: Path, tmp_path: Path) -> None:
    with lexkit.open(starter_store) as lexicon:
        for _ in range(2):  # an earlier export is replaced
            export_items(lexicon, tmp_path / "again", 36)
    assert {file.name: file.read_bytes() for file in (tmp_path / "again").iterdir()} == {
        file.name: file.read_bytes() for file in folder.iterdir() if file.is_file()
    }


def test_other_files_are_left_alone(starter_store: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("x", encoding="utf-8")
    with lexkit.open(starter_store) as lexicon, pytest.raises(StoreError, match="holds other files than an export"):
        export_items(lexicon, tmp_path, 36)
    assert (tmp_path / "mine").read_text(encoding="utf-8") == "x"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "lm-eval", "--tokenizer", "x"], "Error: --tokenizer cannot be used with --format lm-eval.\n"),
        (
            ["--format", "lm-eval", "--min-confidence", ".5"],
            "Error: --min-confidence cannot be used with --format lm-eval.\n",
        ),
        (["--heads", "20"], "Error: --heads, --seed and --text need --format lm-eval.\n"),
    ],
)
def test_options_that_do_not_go_together(run: Run, starter_store: Path, options: list[str], message: str) -> None:
    done = run("export", "out", "--store", starter_store, *options)
    assert done.returncode == 2
    assert done.stderr.endswith(message)


def test_command(run: Run, starter_store: Path, tmp_path: Path) -> None:
    (tmp_path / "text").write_bytes(b"\xff")
    command = ("export", tmp_path / "out", "--format", "lm-eval", "--heads", "12", "--store", starter_store)
    done = run(*command, "--text", tmp_path / "text")
    assert done.returncode == 1
    assert done.stderr.endswith("line 1: invalid UTF-8 (byte 0xff); convert the file to UTF-8\n")
    (tmp_path / "text").write_text("No sentence.", encoding="utf-8")
    done = run(*command, "--text", tmp_path / "text")
    assert done.returncode == 0, done.stderr
    assert "note: there are no substitution items: " in done.stderr
    assert done.stderr.endswith("; give a longer text\n")
    assert "items.jsonl: 144 rows" in done.stdout
