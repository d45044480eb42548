"""The presets that follow the paper and its authors' scripts are those of the table in docs/training.md."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from lexkit_distill.config import make, options, values
from lexkit_distill.training.config import PRESETS, TrainConfig
from lexkit_distill.training.official_code import DEVIATIONS

DOCS = Path(__file__).resolve().parents[3] / "docs" / "training.md"
FOLLOWING = ("paper-llama", "paper-mistral", "official-code")
OPTIONS = {option.name: option for option in options(TrainConfig)}


def rows() -> dict[str, dict[str, str]]:
    """The cells of each field's row, by column."""
    (table,) = re.findall(r"^\| field \|.*?\n\n", DOCS.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    header, _, *lines = [[cell.strip() for cell in line.strip("| ").split(" | ")] for line in table.strip().split("\n")]
    columns = [name.strip("`") for name in header[1:]]
    return {line[0].strip("`"): dict(zip(columns, line[1:], strict=True)) for line in lines}


def value(field: str, cell: str) -> Any:
    """What a cell says, as a file of --config would say it."""
    (text,) = re.fullmatch(r"`(.+)`", cell).groups()  # type: ignore[union-attr]
    return None if text == "none" else OPTIONS[field].parse(yaml.safe_load(text))


@pytest.mark.parametrize("preset", FOLLOWING)
def test_the_table_gives_the_value_of_every_field(preset: str) -> None:
    shown = {field: value(field, cells[preset]) for field, cells in rows().items()}
    used = values(make(TrainConfig, {"teacher": "teacher", **PRESETS[preset]}))
    assert shown == {field: used[field] for field in shown}
    assert set(PRESETS[preset]) <= set(shown)


@pytest.mark.parametrize("preset", ["paper-llama", "paper-mistral"])
def test_what_the_paper_gives_is_set_and_the_rest_is_lexkits_default(preset: str) -> None:
    given = {field for field, cells in rows().items() if not cells["paper"].startswith("not given")}
    assert given - DEVIATIONS.keys() == PRESETS[preset].keys()  # without an option, nothing deviates


def test_the_papers_presets_predict_every_position_with_the_betas_of_section_6_3() -> None:
    betas = {"paper-llama": 1.0, "paper-mistral": 1.5, "official-code": 1.0}
    for name, beta in betas.items():
        assert (PRESETS[name]["beta_p"], PRESETS[name]["beta_n"], PRESETS[name]["loss_on"]) == (beta, beta, "all")


def test_the_authors_scripts_add_up() -> None:
    code, paper = PRESETS["official-code"], PRESETS["paper-llama"]
    assert code["kl_weight"] == pytest.approx(0.7 * code["temperature"] ** 2)
    assert code["lr"] == pytest.approx(paper["lr"] * code["batch_size"])  # a row for each of the processes
