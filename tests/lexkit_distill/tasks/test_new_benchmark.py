"""A module in the package is all that a new benchmark takes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lexkit_distill

BIRDS = """
from lexkit_distill.data_files import DataFiles
from lexkit_distill.tasks.task import HubData, Task, lettered, number_of


def _parse(record, where, seed):
    return lettered(number_of(where), where, record["ask"], record["birds"], record["right"])


TASK = Task(
    name="song_birds",
    aliases=("birds",),
    parse=_parse,
    files=DataFiles(("birds/test.jsonl",), ("birds/train.jsonl",), "birds/test.jsonl and birds/train.jsonl"),
    hub=HubData("nobody/birds", "test", "train"),
    compared="letters",
    shots=2,
)
"""
SAMPLES = """
import json
import sys
from collections import Counter
from lexkit_distill.training.config import DataConfig
from lexkit_distill.training.data import training_documents
for sample in training_documents([sys.argv[1]], DataConfig(), seed=0, dropped=Counter()):
    print(json.dumps([message["content"] for message in sample.messages]))
"""


@pytest.mark.slow
def test_a_module_makes_a_benchmark_to_train_and_to_evaluate_on(
    run: Callable[..., subprocess.CompletedProcess[str]], make_teacher: Callable[..., Path], tmp_path: Path
) -> None:
    pytest.importorskip("lm_eval", reason="needs the extra 'eval'")
    package = Path(str(lexkit_distill.__file__)).parent
    shutil.copytree(package, tmp_path / "packages/lexkit_distill", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "packages/lexkit_distill/tasks/song_birds.py").write_text(BIRDS, encoding="utf-8")
    (tmp_path / "birds").mkdir()
    for name in ("test", "train"):
        records = [{"ask": f"{name} {n}?", "birds": ["wren", "rook"], "right": n % 2} for n in range(3)]
        text = "".join(json.dumps(record) + "\n" for record in records)
        (tmp_path / f"birds/{name}.jsonl").write_text(text, encoding="utf-8")
    path = os.pathsep.join((str(tmp_path / "packages"), str(package.parent)))
    environment = {**os.environ, "PYTHONPATH": path, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}

    for command in ("eval", "train"):
        shown = run("distill", command, "--help", env=environment)
        assert "song_birds" in shown.stdout, shown.stderr

    arguments = [sys.executable, "-c", SAMPLES, f"song-birds:{tmp_path / 'birds/train.jsonl'}"]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=tmp_path, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    samples = [json.loads(line) for line in done.stdout.splitlines()]
    assert [len(sample) for sample in samples] == [6, 6, 6]  # two worked examples and the question, each answered
    assert samples[1][-2:] == ["train 1?\nA. wren\nB. rook\nAnswer with the letter.", "B"]

    model = make_teacher(tmp_path / "model")
    arguments = ["distill", "eval", "--model", str(model), "--tasks", "birds", "--data", str(tmp_path)]
    done = run(*arguments, "--protocol", "likelihood", "--device", "cpu", "--dtype", "float32", env=environment)
    assert done.returncode == 0, done.stderr
    results = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert results["tasks"]["song_birds"]["metrics"]["acc"]["n"] == 3
    log = (tmp_path / "results.questions.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["target"] for line in log] == ["A", "B", "A"]
    assert all(len(json.loads(line)["shots"]) == 2 for line in log)
