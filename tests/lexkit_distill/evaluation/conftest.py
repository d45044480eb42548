from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

WORDS = "river bank money water light dark red bus road friend enemy quick strong old house tree".split()


def arc_record(number: int, answer: int | None = None) -> dict[str, Any]:
    """A question of ARC in the form of the hub; its options differ in length."""
    options = [
        " ".join(WORDS[(number * 5 + option * 3 + place) % 16] for place in range(option + 1)) for option in range(4)
    ]
    return {
        "id": f"q{number}",
        "question": f"What is the {WORDS[number % 16]} of the {WORDS[(number * 7) % 16]}, number {number}?",
        "choices": {"text": options, "label": ["A", "B", "C", "D"]},
        "answerKey": "ABCD"[number % 4 if answer is None else answer],
    }


def write_lines(path: Path, records: list[Any]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def arc(tmp_path: Path) -> Path:
    """A folder of data with 12 questions of ARC and 9 worked examples."""
    folder = tmp_path / "data"
    write_lines(folder / "arc/validation.jsonl", [arc_record(number) for number in range(12)])
    write_lines(folder / "arc/train.jsonl", [arc_record(number) for number in range(100, 109)])
    return folder


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, make_teacher: Callable[..., Path]) -> Path:
    """A tiny model with room for prompts of several examples."""
    return make_teacher(tmp_path_factory.mktemp("model"), length=2048)


@pytest.fixture(scope="session")
def other_folder(tmp_path_factory: pytest.TempPathFactory, make_teacher: Callable[..., Path]) -> Path:
    """Another of the same shape and tokenizer."""
    return make_teacher(tmp_path_factory.mktemp("other"), length=2048, seed=1)


@pytest.fixture
def write_senses(tmp_path: Path) -> Callable[..., Path]:
    """Write a dictionary of a model by hand: for each token the senses (k, d), which are rounded to bf16."""

    def write(model: Any, senses: dict[int, Any], name: str = "senses", **changes: Any) -> Path:
        import numpy as np

        from lexkit_distill.senses import dictionary as files
        from lexkit_distill.senses.build import LAYER

        folder = tmp_path / name
        folder.mkdir()
        tokens = sorted(senses)
        counts = [len(senses[token]) for token in tokens]
        columns: dict[str, Any] = {
            "key_kind": ["token"] * len(tokens),
            "token_ids": [[token] for token in tokens],
            "word": [None] * len(tokens),
            "first_row": np.cumsum([0, *counts])[:-1],
            "n_rows": counts,
            "n_seen": counts,
            "inertia": [0.0] * len(tokens),
        }
        with files.RowWriter(folder / files.SENSES, sum(counts), model.hidden_size) as writer:
            for token in tokens:
                writer.write(senses[token])
        files.write_table(folder / files.INDEX, files.index_table(columns))
        (folder / files.TOKENIZER).write_text(model.encoder.plain_tokenizer.to_str(), encoding="utf-8")
        values: dict[str, Any] = {
            "format": files.FORMAT,
            "lexkit_version": "0",
            "teacher": model.name,
            "teacher_fingerprint": model.fingerprint,
            "tokenizer_fingerprint": model.encoder.fingerprint,
            "layer": LAYER,
            "anchor": "predicted",
            "k": "2",
            "max_per_token": 10,
            "seed": 0,
            "corpus_fingerprint": "",
            "dtype": "bfloat16",
            "rows": sum(counts),
            "hidden_size": model.hidden_size,
            "tokens": len(tokens),
            "teacher_values": model.values_digest,
        }
        files.write_meta(folder, files.Meta(**{**values, **changes}))
        return folder

    return write


@pytest.fixture
def evaluate(
    run: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> Callable[..., tuple[dict[str, Any], list[dict[str, Any]]]]:
    """Run `lexkit distill eval` in a process of its own, without network; return its results and its log."""

    def command(*arguments: str | Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        done = run("distill", "eval", "--dtype", "float32", "--device", "cpu", *arguments)
        assert done.returncode == 0, done.stderr
        results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
        log = (tmp_path / "results.questions.jsonl").read_text(encoding="utf-8")
        return results, [json.loads(line) for line in log.splitlines()]

    return command
