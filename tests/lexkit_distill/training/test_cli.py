"""`lexkit distill train` as its user gives it."""

from __future__ import annotations

import dataclasses
import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def options(config: Any) -> list[str]:
    arguments: list[str] = []
    for name, value in dataclasses.asdict(config).items():
        option = f"--{name.replace('_', '-')}"
        if value is True:
            arguments.append(option)
        elif value is not None and value is not False:
            for one in value if isinstance(value, tuple) else (value,):
                arguments += [option, str(one)]
    return arguments


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
    assert (values["beta_p"], values["lr"], values["layers"]) == (1.5, 2e-5, 16)
    assert values["data"] == ["a", "b"]
    (tmp_path / "dskd.yaml").write_text(first.stdout, encoding="utf-8")
    again = run("distill", "train", "--config", "dskd.yaml", "--print-config")
    assert again.stdout == first.stdout
    changed = run("distill", "train", "--config", "dskd.yaml", "--lr", "0.5", "--data", "c", "--print-config")
    assert yaml.safe_load(changed.stdout) == {**values, "lr": 0.5, "data": ["c"]}


def test_every_preset_is_whole_and_the_papers_betas_are_those_of_its_section_6_3(run: Run) -> None:
    import yaml

    from lexkit_distill.training.config import PRESETS, TrainConfig

    names = {field.name for field in dataclasses.fields(TrainConfig)}
    for preset, fields in PRESETS.items():
        assert set(fields) <= names
        printed = run("distill", "train", "--preset", preset, "--print-config")
        assert {name: yaml.safe_load(printed.stdout)[name] for name in fields} == fields
    assert (PRESETS["paper-llama"]["beta_p"], PRESETS["paper-mistral"]["beta_n"]) == (1.0, 1.5)
    odd = {"kl_weight", "targets", "drop_single_token_neighbors", "own_among_antonyms", "spaced_heads_only"}
    assert odd <= set(PRESETS["official-code"])


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kapa: 5\n", "dskd.yaml: unknown key 'kapa'; did you mean kappa?"),
        ("gamma: wide\n", "dskd.yaml: gamma: 'wide' is neither a number nor 'auto'; mend the value"),
        ("layers: many\n", "dskd.yaml: layers: 'many' is not a valid integer range; mend the value"),
        ("- a\n", "dskd.yaml: not a list of 'field: value'"),
        ("a: [\n", "dskd.yaml: not YAML"),
        ("preset: none\n", "preset 'none': there are paper-llama"),
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
    for word in ("4 layers", "trained", "shared", "beside the teacher", "tokens", "sampled", "by the first 2 steps"):
        assert word in done.stdout
    assert not (tmp_path / "student").exists()


def test_a_training_from_a_file(run: Run, configured: Callable[..., Any], tmp_path: Path) -> None:
    import yaml

    values = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in dataclasses.asdict(configured(max_steps=3)).items()
    }
    (tmp_path / "dskd.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    done = run("distill", "train", "--config", "dskd.yaml", "--json")
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout)
    assert summary["outcome"]["steps"] == 3
    assert summary == json.loads((tmp_path / "student" / "training.json").read_text(encoding="utf-8"))
    assert yaml.safe_load((tmp_path / "student" / "train.yaml").read_text(encoding="utf-8"))["max_steps"] == 3
