"""What the repository promises about itself."""

from __future__ import annotations

import doctest
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import duckdb
import pytest

from lexkit.cli.main import cli
from lexkit.store.checks import CHECKS
from lexkit.store.verify import SPANS

ROOT = Path(__file__).resolve().parent.parent

DOCS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def readme_command(name: str) -> str:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    (command,) = re.findall(rf"<!-- command: {name} -->\n```sh\n(.+)\n```", text)
    return str(command)


@pytest.mark.parametrize("name", ["use", "test"])
def test_ci_runs_the_commands_of_the_readme(name: str) -> None:
    lines = [line.strip() for line in (ROOT / ".ci/run").read_text(encoding="utf-8").splitlines()]
    assert lines.count(readme_command(name)) == 1


def test_torch_is_pinned_to_a_build_without_cuda() -> None:
    assert "torch==2.13.0" in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    assert "-c constraints.txt" in readme_command("test")


def shown(document: Path) -> Iterator[tuple[str, str]]:
    """The commands of a document's console blocks, in order, each with the output shown below it."""
    for block in re.findall(r"```console\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            yield command, output


@pytest.mark.parametrize("document", DOCS, ids=lambda path: path.name)
def test_shown_commands_print_what_is_shown(document: Path, tmp_path: Path) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "LEXKIT_STORE"}
    for command, output in shown(document):
        program, *arguments = shlex.split(command)
        assert program == "lexkit"
        done = subprocess.run(
            [sys.executable, "-m", "lexkit", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=tmp_path,
            env=environment,
            timeout=120,
            check=False,
        )
        assert done.stdout == output, command


@pytest.mark.parametrize("document", [path for path in DOCS if ">>> " in path.read_text("utf-8")], ids=lambda p: p.name)
def test_shown_python_does_what_is_shown(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = doctest.testfile(str(document), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
    assert results.attempted > 0


def test_the_documentation_lists_every_page() -> None:
    site = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    assert {path.name for path in DOCS} - {"README.md"} == set(re.findall(r"[a-z-]+\.md", site))


def test_every_command_and_option_of_the_docs_exists_and_every_command_is_documented() -> None:
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    context = click.Context(cli)
    options = {"--help", "--version", "--debug"}
    for name in cli.list_commands(context):
        assert f"`lexkit {name}" in guide, name
        command = cli.get_command(context, name)
        assert command is not None
        for one in [command, *(command.commands.values() if isinstance(command, click.Group) else ())]:
            options |= {option for parameter in one.params for option in parameter.opts}
    for document in DOCS:
        for line in re.findall(r"^(?:\$ )?lexkit .*", document.read_text(encoding="utf-8"), re.MULTILINE):
            assert set(re.findall(r"(?<= )--[a-z-]+", line)) <= options, line


def test_every_table_view_and_column_is_documented() -> None:
    text = (ROOT / "docs/data-model.md").read_text(encoding="utf-8")
    with duckdb.connect() as connection:
        connection.execute((ROOT / "lexkit/store/schema.sql").read_text(encoding="utf-8"))
        rows = connection.execute("SELECT table_name, column_name FROM information_schema.columns").fetchall()
    for table, column in rows:
        (row,) = re.findall(rf"^\| `{table}` \|.*", text, re.MULTILINE)
        assert re.search(rf"\b{column}\b", row), f"{table}.{column}"


def test_every_check_is_documented() -> None:
    text = (ROOT / "docs/data-model.md").read_text(encoding="utf-8")
    for code, title in [*((check.code, check.title) for check in CHECKS), SPANS]:
        assert f"| {code} | {title} |" in text, code


def test_the_core_needs_no_torch() -> None:
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    core = config[config.index("dependencies = [") : config.index("[project.optional-dependencies]")]
    assert "torch" not in core
    assert "transformers" not in core
