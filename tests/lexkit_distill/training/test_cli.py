"""`lexkit distill train` as its user gives it."""

from __future__ import annotations

import functools
import json
import operator
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def options(config: Any) -> list[str]:
    from lexkit_distill.config import values

    arguments: list[str] = []
    for name, value in values(config).items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            arguments.append(option)
        elif value is not None and value is not False:
            for one in value if isinstance(value, tuple) else (value,):
                arguments += [option, str(one)]
    return arguments


@pytest.mark.slow
def test_the_printed_configuration_is_read_back_and_options_count_more(run: Run, tmp_path: Path) -> None:
    import yaml

    first = run(
        "distill",
        "train",
        "--preset",
        "paper-mistral",
        "--teacher",
        "t",
        "--data",
        "a",
        "--data",
        "b",
        "--print-config",
    )
    assert first.returncode == 0, first.stderr
    values = yaml.safe_load(first.stdout)
    assert (values["loss"]["beta_p"], values["optimiser"]["lr"], values["student"]["layers"]) == (1.5, 2e-5, 16)
    assert values["data"]["data"] == ["a", "b"]
    assert list(values) == ["teacher", "senses", "store", "data", "student", "loss", "optimiser", "run", "ablations"]
    (tmp_path / "dskd.yaml").write_text(first.stdout, encoding="utf-8")
    again = run("distill", "train", "--config", "dskd.yaml", "--print-config")
    assert again.stdout == first.stdout
    changed = run("distill", "train", "--config", "dskd.yaml", "--lr", "0.5", "--data", "c", "--print-config")
    values["optimiser"]["lr"], values["data"]["data"] = 0.5, ["c"]
    assert yaml.safe_load(changed.stdout) == values


def test_every_preset_is_whole_and_the_papers_betas_are_those_of_its_section_6_3(run: Run) -> None:
    import yaml

    from lexkit_distill.config import options as options_of
    from lexkit_distill.training.config import PRESETS, TrainConfig

    places = {option.name: option.section for option in options_of(TrainConfig)}
    for preset, fields in PRESETS.items():
        assert set(fields) <= set(places)
        printed = yaml.safe_load(run("distill", "train", "--preset", preset, "--print-config").stdout)
        found = {name: functools.reduce(operator.getitem, (*places[name], name), printed) for name in fields}
        assert found == fields
    assert (PRESETS["paper-llama"]["beta_p"], PRESETS["paper-mistral"]["beta_n"]) == (1.0, 1.5)
    odd = {"kl_weight", "targets", "drop_single_token_neighbors", "own_among_antonyms", "spaced_heads_only"}
    assert odd <= set(PRESETS["official-code"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kapa: 5\n", "dskd.yaml: unknown key 'kapa'; did you mean loss: candidates: kappa?"),
        ("kappa: 5\n", "dskd.yaml: kappa is not a field here; write it as loss: candidates: kappa"),
        ("loss:\n  gamma: wide\n", "dskd.yaml: loss: gamma: 'wide' is not a number or 'auto'; correct the value"),
        ("student:\n  layers: many\n", "layers: 'many' is not a whole number of at least 1; correct the value"),
        ("optimiser:\n  lr: -1\n", "lr: -1.0 is not a number of at least 0; correct the value"),
        ("optimiser:\n  lr: .nan\n", "lr: nan is not a number of at least 0; correct the value"),
        ("data:\n  no_end_token: 3\n", "no_end_token: 3 is not true or false; correct the value"),
        ("student: 4\n", "dskd.yaml: student is a section and needs 'field: value' lines"),
        ("- a\n", "dskd.yaml: not a mapping of sections with 'field: value' lines"),
        ("a: [\n", "dskd.yaml: not YAML"),
        ("loss:\n  gamma: 2\nrun: {}\nloss:\n  kd: true\n", "dskd.yaml, line 4: 'loss' appears twice; merge the two"),
        ("optimiser:\n  lr: 1\n  lr: 2\n", "dskd.yaml, line 3: 'lr' appears twice; merge the two"),
        ("preset: none\n", "unknown preset 'none'; use one of paper-llama"),
    ],
)
def test_a_bad_file_is_one_line(run: Run, tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "dskd.yaml").write_text(text, encoding="utf-8")
    done = run("distill", "train", "--config", "dskd.yaml", "--print-config")
    assert done.returncode == 1
    assert message in done.stderr
    assert done.stderr.count("\n") == 1


def test_what_is_missing_is_a_usage_error(run: Run) -> None:
    done = run("distill", "train", "--teacher", "x")
    assert done.returncode == 2
    assert "Missing --data, --output" in done.stderr


def test_a_dry_run_prints_the_plan(run: Run, configured: Callable[..., Any], tmp_path: Path) -> None:
    done = run("distill", "train", *options(configured()), "--dry-run")
    assert done.returncode == 0, done.stderr
    for word in ("4 layers", "trained", "shared", "activations", "tokens", "sampled", "from the first 2 steps"):
        assert word in done.stdout
    assert not (tmp_path / "student").exists()


@pytest.mark.slow
def test_a_dry_run_as_json_is_its_plan(run: Run, configured: Callable[..., Any]) -> None:
    done = run("distill", "train", *options(configured()), "--dry-run", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert set(found) == {"plan"}
    assert found["plan"]["counts"]["rows"] > 0


@pytest.mark.slow
def test_a_training_from_a_file(run: Run, configured: Callable[..., Any], tmp_path: Path) -> None:
    import yaml

    from lexkit_distill.config import values
    from lexkit_distill.config_files import to_yaml
    from lexkit_distill.training.config import TrainConfig

    (tmp_path / "dskd.yaml").write_text(to_yaml(TrainConfig, values(configured(max_steps=3))), encoding="utf-8")
    done = run("distill", "train", "--config", "dskd.yaml", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["outcome"]["steps"] == 3
    assert summary == json.loads((tmp_path / "student" / "training.json").read_text(encoding="utf-8"))
    assert (
        yaml.safe_load((tmp_path / "student" / "train.yaml").read_text(encoding="utf-8"))["optimiser"]["max_steps"] == 3
    )
