"""Where the results of an evaluation go, and what happens when they cannot be written."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import EvaluationError

Limited = Callable[[int], AbstractContextManager[None]]


@pytest.fixture
def write() -> Callable[[Path], Path]:
    from lexkit_distill.evaluation.results import Results, write

    results = Results(
        model="student", against=None, config={}, versions={"lexkit": "0" * 2000}, processes=1, data={}, tasks={}
    )
    return lambda output: write(results, {"model": []}, output)


def test_a_full_disk_is_one_line_and_leaves_the_results_of_before(
    write: Callable[[Path], Path], small_files: Limited, tmp_path: Path
) -> None:
    output = tmp_path / "results.json"
    output.write_text("of before", encoding="utf-8")
    with small_files(1000), pytest.raises(EvaluationError, match=r"cannot be written \(File too large\)") as raised:
        write(output)
    assert "\n" not in str(raised.value)
    assert [(path.name, path.read_text(encoding="utf-8")) for path in tmp_path.iterdir()] == [
        (output.name, "of before")
    ]
    log = write(output)
    assert sorted(tmp_path.iterdir()) == sorted([log, output])


@pytest.mark.parametrize("name", ["folder", "file/results.json", "pipe"])
def test_what_cannot_be_written_is_told_before_anything_is_asked(tmp_path: Path, name: str, monkeypatch: Any) -> None:
    pytest.importorskip("lm_eval", reason="comes with the extra 'eval'")
    from lexkit.progress import Progress
    from lexkit_distill.evaluation import run
    from lexkit_distill.evaluation.config import EvalConfig

    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.delattr(run, "read_data")
    config = EvalConfig(model="student", tasks="perplexity", output=str(tmp_path / name))
    with pytest.raises(EvaluationError, match=name.partition("/")[0]) as raised:
        run.evaluate_models(config, Progress())
    assert "\n" not in str(raised.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder", "pipe"]
