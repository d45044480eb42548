"""Configurations: values are checked in Python, YAML and on the command line alike, and every field counts."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from lexkit.errors import ArgumentError
from lexkit_distill.config import Config, changed, digest, make, options, values
from lexkit_distill.training.config import CandidateConfig, LossConfig, TrainConfig


@dataclass(frozen=True)
class WiderCandidates(CandidateConfig):
    """Candidates with an option that somebody has just added."""

    breadth: float = 0.0
    """An option of the candidates."""


@dataclass(frozen=True)
class WiderLoss(LossConfig):
    """The loss with these."""

    candidates: WiderCandidates = field(default_factory=WiderCandidates)
    sharpness: int = 0
    """An option of the loss."""


@dataclass(frozen=True)
class WiderTrain(TrainConfig):
    """A training with these."""

    loss: WiderLoss = field(default_factory=WiderLoss)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"trained": -1}, "StudentConfig: trained: -1 is not a whole number of at least 1"),
        ({"trained": 1.5}, "trained: 1.5 is not a whole number"),
        ({"trained": True}, "trained: True is not a whole number"),
        ({"lr": "fast"}, "OptimiserConfig: lr: 'fast' is not a number of at least 0"),
        ({"lr": float("nan")}, "lr: nan is not a number"),
        ({"lr": float("inf")}, "lr: inf is not a number"),
        ({"temperature": 0}, "LossConfig: temperature: 0 is not a number above 0"),
        ({"fraction": 1.1}, "DataConfig: fraction: 1.1 is not a number from 0 to 1"),
        ({"gamma": "wide"}, "gamma: 'wide' is not a number or 'auto'"),
        ({"loss_on": "some"}, "loss_on: 'some' is not 'completion' or 'all'"),
        ({"data": "a.txt"}, "data: not a tuple, such as ('a.txt',); correct the value"),
        ({"data": ["a.txt", "b.txt"]}, "data: not a tuple, such as ('a.txt', 'b.txt'); correct the value"),
        ({"data": (1,)}, "data: 1 is not text"),
        ({"no_end_token": 1}, "DataConfig: no_end_token: 1 is not true or false"),
        ({"log_with": ("aim",)}, "RunConfig: log_with: 'aim' is not 'tensorboard' or 'wandb' or 'mlflow'"),
        ({"kappa": 0}, "CandidateConfig: kappa: 0 is not a whole number of at least 1"),
        ({"kapa": 5}, "TrainConfig has no field 'kapa'"),
    ],
)
def test_a_value_that_a_field_cannot_have_is_one_line_in_python_too(changes: dict[str, Any], fault: str) -> None:
    with pytest.raises(ArgumentError) as raised:
        changed(TrainConfig("teacher"), **changes)
    assert fault in str(raised.value)
    assert "\n" not in str(raised.value)


def test_numbers_are_numbers_and_null_is_the_default() -> None:
    config = make(TrainConfig, {"teacher": "t", "gamma": 2, "lr": 1, "layers": None})
    assert (config.loss.gamma, config.optimiser.lr, config.student.layers) == (2, 1, None)
    parse = {option.name: option.parse for option in options(TrainConfig)}
    assert parse["lr"]("1e-4") == 1e-4  # YAML 1.1 takes this for text
    assert parse["gamma"]("0.5") == 0.5
    assert parse["gamma"]("auto") == "auto"
    assert parse["data"]("a") == ("a",)
    assert parse["teacher"](7) == "7"


def test_every_field_is_in_a_section_and_has_help() -> None:
    sections = {option.section[:1] for option in options(TrainConfig)}
    assert sections == {(), ("data",), ("student",), ("loss",), ("optimiser",), ("run",), ("ablations",)}
    names = [option.name for option in options(TrainConfig)]
    assert len(set(names)) == len(names)
    assert all(option.help.endswith((".", "]")) for option in options(TrainConfig))
    config = make(TrainConfig, {"teacher": "t", "kappa": 3, "seed": 4})
    assert values(config)["kappa"] == config.loss.candidates.kappa == 3
    assert make(TrainConfig, values(config)) == config


def test_a_digest_is_that_of_every_field() -> None:
    plain = make(WiderTrain, {"teacher": "t"})
    for name, value in {"breadth": 1.0, "sharpness": 1, "kappa": 6, "lr": 1.0, "output": "x"}.items():
        assert digest(changed(plain, **{name: value})) != digest(plain), name
    assert digest(make(WiderTrain, {"teacher": "t"})) == digest(plain)


def test_a_field_that_is_added_counts_for_checkpoints_and_candidates(
    configured: Callable[..., Any], tmp_path: Path
) -> None:
    from lexkit_distill.errors import TrainingError
    from lexkit_distill.training.run import train

    def config(**changes: Any) -> WiderTrain:
        given = {**values(configured(max_steps=4, epochs=1, cache=str(tmp_path / "cache"))), **changes}
        return make(WiderTrain, given)

    train(config())
    (tmp_path / "student" / "training.json").unlink()
    with pytest.raises(TrainingError, match=r"another configuration \(sharpness was 0, now 1\)"):
        train(config(sharpness=1))
    with pytest.raises(TrainingError, match=r"another configuration \(breadth was 0.0, now 1.0\)"):
        train(config(breadth=1.0))
    caches = [path.name for path in (tmp_path / "cache").glob("candidates-*")]
    assert len(caches) == 2  # made before the checkpoint was looked at
    train(config(sharpness=1, output=str(tmp_path / "other")))
    assert len(list((tmp_path / "cache").glob("candidates-*"))) == 2


def test_two_dictionaries_that_differ_in_their_rows_alone_do_not_share_candidates(
    configured: Callable[..., Any], tmp_path: Path, senses: Path
) -> None:
    """As two that were made with another --max-per-token do, and with as many rows."""
    import shutil

    from lexkit_distill.senses.dictionary import RowWriter, SenseDictionary, read_meta, write_meta
    from lexkit_distill.training.run import train

    other = tmp_path / "senses"
    shutil.copytree(senses, other)
    rows = SenseDictionary(senses).rows
    with RowWriter(other / "senses.safetensors", len(rows), rows.shape[1]) as writer:
        writer.write(rows.flip(0))
    meta = read_meta(other)
    assert meta.digest not in (None, writer.digest)
    write_meta(other, replace(meta, digest=writer.digest))
    losses = {}
    for name, folder in (("one", senses), ("two", other)):
        for cache in (None, str(tmp_path / "cache")):
            summary = train(
                configured(
                    senses=str(folder),
                    cache=cache,
                    max_steps=3,
                    epochs=1,
                    output=str(tmp_path / f"{name}{cache is None}"),
                )
            )
            assert summary is not None
            losses[name, cache is None] = summary.outcome.loss
    assert losses["one", True] != pytest.approx(losses["two", True], rel=1e-4)
    for name in ("one", "two"):
        assert losses[name, False] == pytest.approx(losses[name, True], rel=0.01)
    assert len(list((tmp_path / "cache").glob("candidates-*"))) == 2


def test_the_digest_of_the_rows_is_in_the_dictionary(senses: Path) -> None:
    from hashlib import sha256

    from safetensors import safe_open

    with safe_open(senses / "senses.safetensors", framework="pt") as file:
        import torch

        data = file.get_tensor("senses").view(torch.uint8).numpy().tobytes()
    meta = json.loads((senses / "meta.json").read_text(encoding="utf-8"))
    assert meta["digest"] == sha256(data).hexdigest()


def test_configurations_know_nothing_of_the_command_line() -> None:
    import subprocess
    import sys

    code = (
        "import sys, lexkit_distill.training.config, lexkit_distill.senses.config, lexkit_distill.evaluation.config\n"
        "print([name for name in ('click', 'torch', 'transformers') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_a_section_is_a_configuration_of_its_own() -> None:
    assert issubclass(LossConfig, Config)
    with pytest.raises(ArgumentError, match="beta_p"):
        LossConfig(beta_p=-1)
