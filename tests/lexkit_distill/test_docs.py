"""The documentation shows configurations as the commands read them."""

from __future__ import annotations

import inspect
import pkgutil
import re
from pathlib import Path

from lexkit_distill.config import make, options
from lexkit_distill.config_files import by_name, read_yaml
from lexkit_distill.sweep.config import read_sweep
from lexkit_distill.training.config import TrainConfig, preset

DOCS = Path(__file__).resolve().parents[2] / "docs"


def written(page: str, folder: Path) -> Path:
    """The only YAML block of a page, as a file."""
    (block,) = re.findall(r"```yaml\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)
    path = folder / "config.yaml"
    path.write_text(block, encoding="utf-8")
    return path


def test_the_names_of_the_reference_are_there_and_described() -> None:
    page = (DOCS / "distill-api.md").read_text(encoding="utf-8")
    for name in re.findall(r"^::: (\S+)$", page, re.MULTILINE):
        value = pkgutil.resolve_name(name)
        assert value.__doc__, name
        parameters = inspect.signature(value).parameters if inspect.isfunction(value) else {}
        if len(parameters) > 1 and value.__module__ != "lexkit_distill.config":
            described = re.findall(r"^\s+(\w+): ", value.__doc__, re.MULTILINE)
            assert set(parameters) <= set(described), name


def test_the_file_of_a_training_that_is_shown_is_read(tmp_path: Path) -> None:
    path = written("training.md", tmp_path)
    content = read_yaml(path)
    config = make(TrainConfig, {**preset(content.pop("preset")), **by_name(TrainConfig, content, str(path))})
    assert (config.data.data, config.run.output) == (("train.jsonl",), "student")
    assert (config.loss.beta_p, config.loss.candidates.kappa, config.optimiser.lr) == (2.0, 10, 3e-4)


def test_the_file_of_a_sweep_that_is_shown_is_read(tmp_path: Path) -> None:
    points = read_sweep(written("sweep.md", tmp_path)).points
    assert len(points) == 8
    assert {point.config.senses for point in points} == {"senses/predicted", "senses/next"}
    assert {point.config.optimiser.lr for point in points} == {0.003, 0.01}


def test_the_page_on_upgrading_puts_every_field_into_its_section() -> None:
    sections: dict[str, set[str]] = {}
    for option in options(TrainConfig):
        sections.setdefault(option.section[-1] if option.section else "top level", set()).add(option.name)
    sections["top level"].add("preset")
    page = (DOCS / "upgrading.md").read_text(encoding="utf-8")
    (table,) = re.findall(r"^\| section \| fields \|\n\| --- \| --- \|\n(.*?)\n\n", page, re.MULTILINE | re.DOTALL)
    rows = [line.strip("| ").split(" | ") for line in table.splitlines()]
    assert {cells[0].split(",")[0].strip("`"): set(re.findall(r"`(\w+)`", cells[1])) for cells in rows} == sections
