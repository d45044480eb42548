"""`--compile`: the losses of the layers as they are, and one line where they cannot be compiled."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch", reason="lexkit[distill] is not installed")

from lexkit_distill.errors import TrainingError
from lexkit_distill.memo import Memo
from lexkit_distill.training.run import train
from lexkit_distill.training.student import Student

Configured = Callable[..., Any]


def losses(folder: Path) -> list[float]:
    with (folder / "log.csv").open(newline="", encoding="utf-8") as file:
        return [float(row[name]) for row in csv.DictReader(file) for name in ("loss", "gradient_norm")]


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # torch.compile's own
def test_compiled_layers_have_the_losses_of_the_others(configured: Configured, tmp_path: Path) -> None:
    memo = Memo()
    for name, compiles in (("compiled", True), ("plain", False), ("again", True)):
        train(configured(output=str(tmp_path / name), compile=compiles, max_steps=6), memo=memo)
    assert losses(tmp_path / "compiled") == pytest.approx(losses(tmp_path / "plain"), rel=1e-4)
    assert losses(tmp_path / "compiled") != losses(tmp_path / "plain")  # or nothing was compiled
    assert losses(tmp_path / "again") == losses(tmp_path / "compiled")
    # Nothing of it is in what is saved
    from transformers import AutoModelForCausalLM

    assert AutoModelForCausalLM.from_pretrained(tmp_path / "compiled") is not None


def test_a_compiler_that_fails_is_named(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: Any) -> None:
        raise RuntimeError("no working C++ compiler\nand a long trace")

    monkeypatch.setattr(Student, "compile", lambda _: monkeypatch.setattr(Student, "run_teacher", fails))
    with pytest.raises(TrainingError) as raised:
        train(configured(compile=True))
    assert str(raised.value) == "--compile: torch.compile failed (no working C++ compiler); train without it"


def test_layers_that_are_changed_later_are_not_compiled(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accelerate import Accelerator

    monkeypatch.setattr(Accelerator, "distributed_type", "FSDP")
    with pytest.raises(
        TrainingError,
        match=r"^--compile: not possible with fsdp.yaml, which modifies layers; leave one of the two out$",
    ):
        train(configured(compile=True))
