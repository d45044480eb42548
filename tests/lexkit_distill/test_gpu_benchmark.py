"""The script that proves everything on a GPU runs on a CPU with tiny models, and says what only a GPU can show."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lexkit

BENCHMARKS = Path(__file__).resolve().parents[2] / "benchmarks"
WORDS = "kind unkind happy glad good bad light dark red crimson quick swift big large war peace".split()


def question(number: int) -> str:
    options = [
        " ".join(WORDS[(number + 3 * option + place) % 16] for place in range(option + 1)) for option in range(4)
    ]
    record = {
        "id": f"q{number}",
        "question": {
            "stem": f"What is {WORDS[number % 16]}, number {number}?",
            "choices": [{"label": label, "text": text} for label, text in zip("ABCD", options, strict=True)],
        },
        "answerKey": "ABCD"[number % 4],
    }
    return json.dumps(record) + "\n"


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    make_teacher: Callable[..., Path],
    make_sentences: Callable[..., list[str]],
) -> Path:
    """What the script reads, with a tokenizer of 500 tokens."""
    place = tmp_path_factory.mktemp("gpu")
    make_teacher(place / "smol", vocabulary=500)
    shutil.copytree(place / "smol", place / "llama3", ignore=shutil.ignore_patterns("config.json", "*.safetensors"))
    (place / "synonym.txt").write_text(
        "kind friendly\nhappy glad\nred crimson\nquick swift\nbig large\n", encoding="utf-8"
    )
    (place / "antonym.txt").write_text("kind unkind\ngood bad\nlight dark\nwar peace\n", encoding="utf-8")
    pairs: Any = [(kind, place / f"{kind}.txt") for kind in ("synonym", "antonym")]
    lexkit.build(place / "store.duckdb", pairs=pairs)
    for seed, (name, number) in enumerate({"train.txt": 300, "valid.txt": 200}.items()):
        (place / name).write_text("\n\n".join(make_sentences(number, seed)), encoding="utf-8")
    for name, numbers in {"arc/train": range(100, 109), "arc/validation": range(12)}.items():
        (place / name).parent.mkdir(exist_ok=True)
        (place / f"{name}.jsonl").write_text("".join(map(question, numbers)), encoding="utf-8")
    (place / "lexical").mkdir()
    chooser = random.Random(0)
    drawn = [chooser.sample(WORDS, 2) for _ in range(12)]
    for name in ("EN-SIMLEX-999.txt", "EN-SimVerb-3500.txt"):
        lines = [f"{one} {other} {place % 7}\n" for place, (one, other) in enumerate(drawn)]
        (place / "lexical" / name).write_text("".join(lines), encoding="utf-8")
    for name in ("adjective-pairs.train", "adjective-pairs.val"):
        lines = [f"{one}\t{other}\t{place % 2}\n" for place, (one, other) in enumerate(drawn)]
        (place / "lexical" / name).write_text("".join(lines), encoding="utf-8")
    return place


def script(*arguments: object) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    command = [sys.executable, BENCHMARKS / "gpu.py", *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
