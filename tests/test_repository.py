"""What the repository promises about itself."""

from __future__ import annotations

import ast
import doctest
import graphlib
import json
import re
import shlex
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import duckdb
import pytest

import lexkit
from lexkit.cli.main import cli
from lexkit.sources.catalog import load_catalog
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
    """The commands of a document's console blocks, in order, each with the output shown below it.

    A command may go over several lines: each but the last ends with a backslash, each but the first begins with ``> ``.
    """
    for block in re.findall(r"```console\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL):
        for command, output in re.findall(r"^\$ (.*\n(?:> .*\n)*)((?:(?!\$ ).*\n)*)", block, re.MULTILINE):
            yield re.sub(r"\\\n> ", "", command), output


SLOW_DOCS = {"data-model.md", "negation.md", "report.md", "sql-cookbook.md"}
"""Those whose commands take longest."""


@pytest.mark.parametrize(
    "document",
    [pytest.param(path, marks=pytest.mark.slow) if path.name in SLOW_DOCS else path for path in DOCS],
    ids=lambda path: path.name,
)
def test_shown_commands_print_what_is_shown(
    document: Path, tmp_path: Path, starter_store: Path, run: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    for command, output in shown(document):
        program, *arguments = shlex.split(command)
        assert program == "lexkit"
        if arguments == ["build", "--quiet"]:  # every page begins so; .ci/run and other tests run it
            shutil.copy(starter_store, tmp_path)
            continue
        done = run(*arguments)
        assert done.stdout + done.stderr == output, command


@pytest.mark.parametrize("document", [path for path in DOCS if ">>> " in path.read_text("utf-8")], ids=lambda p: p.name)
@pytest.mark.usefixtures("made_starter_store")
def test_shown_python_does_what_is_shown(document: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    results = doctest.testfile(str(document), module_relative=False, optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0
    assert results.attempted > 0


def test_the_site_has_every_page_once() -> None:
    navigation = (ROOT / "mkdocs.yml").read_text(encoding="utf-8").split("\nnav:\n")[1]
    assert sorted(re.findall(r"[\w-]+\.md", navigation)) == sorted({path.name for path in DOCS} - {"README.md"})


def anchors(document: Path) -> set[str]:
    """The anchors of a document's headings, as the site makes them."""
    text = re.sub(r"^```.*?^```", "", document.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    return {re.sub(r"[-\s]+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower()) for heading in headings}


@pytest.mark.parametrize("document", [*DOCS, ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"], ids=lambda p: p.name)
def test_no_link_is_broken(document: Path) -> None:
    code = re.compile(r"^ *```.*?^ *```|`[^`\n]*`", re.MULTILINE | re.DOTALL)
    text = code.sub("", document.read_text(encoding="utf-8"))
    for link in re.findall(r"\]\((?!https?:)([^)\s]+)\)", text):
        path, _, anchor = link.partition("#")
        target = document.parent / path if path else document
        assert target.is_file(), link
        assert not anchor or anchor in anchors(target), link


def commands() -> Iterator[tuple[str, click.Command]]:
    """Every command by what is typed for it, those of groups included."""
    context = click.Context(cli)
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert command is not None
        yield f"lexkit {name}", command
        if isinstance(command, click.Group):
            for subname in command.list_commands(context):
                subcommand = command.get_command(context, subname)
                assert subcommand is not None
                yield f"lexkit {name} {subname}", subcommand


def options(command: click.Command) -> list[click.Option]:
    return [parameter for parameter in command.params if isinstance(parameter, click.Option)]


def row(option: click.Option) -> str:
    """An option's row in docs/commands.md."""
    value = "" if option.is_flag else option.metavar or "N"
    if isinstance(option.type, click.Choice):
        value = "\\|".join(option.type.choices)
    names = ", ".join(f"`{name}`" for name in [*option.opts, *option.secondary_opts])
    default = f" Default: `{option.default}`." if option.show_default is True else ""
    return f"| {names}{' ' * bool(value)}{value} | {option.help}{default} |"


def test_every_command_is_in_the_guide_and_has_an_example() -> None:
    guide = (ROOT / "docs/guide.md").read_text(encoding="utf-8")
    for name, command in commands():
        assert f"`{name}" in guide or name.count(" ") > 1, name
        assert "Example:" in (command.help or "") or "pip install" in (command.help or ""), name


def test_every_option_is_documented() -> None:
    """Those of lexkit in docs/commands.md, in the words of --help; those of lexkit_distill anywhere."""
    text = (ROOT / "docs/commands.md").read_text(encoding="utf-8")
    sections = dict(re.findall(r"^## `(lexkit [a-z-]+)`\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL))
    everywhere = "".join(document.read_text(encoding="utf-8") for document in DOCS)
    for name, command in commands():
        if name.startswith("lexkit distill"):
            missing = [option.opts[0] for option in options(command) if f"{option.opts[0]}" not in everywhere]
        else:
            rows = sections[name].splitlines()
            missing = [row(option) for option in options(command) if row(option) not in rows]
            assert sum(line.startswith("| `") for line in rows) == len(options(command)), name
        assert missing == [], name


def test_every_option_of_the_docs_exists() -> None:
    known = {"--help", "--version", "--debug"}
    for _, command in commands():
        known |= {name for option in options(command) for name in option.opts + option.secondary_opts}
    for document in DOCS:
        for line in re.findall(r"^(?:\$ )?lexkit .*", document.read_text(encoding="utf-8"), re.MULTILINE):
            assert set(re.findall(r"(?<= )--[a-z-]+", line)) <= known, line


def test_every_source_is_documented_with_its_licence() -> None:
    text = (ROOT / "docs/sources.md").read_text(encoding="utf-8")
    listed = (ROOT / "docs/fetch.md").read_text(encoding="utf-8")
    for entry in load_catalog().source:
        name = entry.name.removesuffix(f"-{entry.language}")
        row = (
            rf"^\| {re.escape(name if name == entry.name else name + '-LANGUAGE')} \|.*\| {re.escape(entry.licence)} \|"
        )
        assert re.search(row, text, re.MULTILINE), entry.name
        if name != entry.name:
            codes = re.search(rf"^\| `{name}-LANGUAGE` \|.*", listed, re.MULTILINE)
            assert codes and re.search(rf"\b{entry.language}\b", codes[0]), entry.name


def test_the_drawing_of_the_schema_is_that_of_the_schema() -> None:
    done = subprocess.run([sys.executable, ROOT / "docs/draw_schema.py"], capture_output=True, text=True, check=True)
    assert (ROOT / "docs/schema.svg").read_text(encoding="utf-8") == done.stdout, "python docs/draw_schema.py"
    assert "(schema.svg)" in (ROOT / "docs/data-model.md").read_text(encoding="utf-8")


def test_the_commands_of_distill_are_those_of_their_help() -> None:
    script = "docs/write_distill_commands.py"
    done = subprocess.run([sys.executable, ROOT / script], capture_output=True, text=True, check=True)
    assert (ROOT / "docs/distill-commands.md").read_text(encoding="utf-8") == done.stdout, f"python {script}"


def test_the_pictures_show_what_the_commands_answer(starter_store: Path) -> None:
    shown = {path.name: ElementTree.parse(path).getroot().itertext() for path in (ROOT / "docs/pictures").glob("*.svg")}
    words = {name: set(re.findall(r"[a-z-]+", " ".join(texts))) for name, texts in shown.items()}
    with lexkit.open(starter_store) as lexicon:
        for picture, word, limit in (("lookup.svg", "kind", 8), ("graph.svg", "happy", 18)):
            answers = [*lexicon.synonyms(word, limit=limit), *lexicon.antonyms(word, limit=limit)]
            assert {answer.word for answer in answers} <= words[picture], "python docs/draw_pictures.py"


def test_pictures_are_there_small_and_need_no_network() -> None:
    for page in DOCS:
        for target in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text(encoding="utf-8")):
            picture = page.parent / target
            assert picture.stat().st_size <= 150_000, picture
            if picture.suffix == ".svg":
                text = picture.read_text(encoding="utf-8")
                assert not re.search(r"url\((?!['\"]?#)|<script|<image|@import|@font-face|\bon[a-z]+=", text), picture
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for name in ("lookup.svg", "report.png", "graph.svg"):
        assert f"(docs/pictures/{name})" in readme


@pytest.mark.slow
def test_the_site_is_built_and_loads_nothing_from_other_servers(tmp_path: Path) -> None:
    if find_spec("zensical") is None or shutil.which("npm") is None:
        pytest.skip("Zensical and npm are needed: pip install -e '.[docs]'")
    (tmp_path / "site/0.1").mkdir(parents=True)
    (tmp_path / "site/0.1/index.html").write_text("an earlier version", encoding="utf-8")
    command = [sys.executable, "docs/build_site.py", str(tmp_path / "site")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    (first, second) = json.loads((tmp_path / "site/versions.json").read_text(encoding="utf-8"))
    assert (first["aliases"], second["version"]) == (["latest"], "0.1")
    site = tmp_path / "site" / first["version"]
    pages = {path.stem for path in DOCS} - {"README", "index"}
    assert {path.parent.name for path in site.glob("*/index.html")} >= pages
    for path in [*site.rglob("*.html"), *site.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        assert not re.search(r"(<(script|link|img)\b[^>]*(src|href)=.?|url\(.?|@import .?)(https?:)?//", text), path
    assert "\\frac" in (site / "training/index.html").read_text("utf-8")
    assert (site / "pictures/report.png").exists()


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


@pytest.mark.parametrize("package", ["lexkit_distill"])
def test_modules_do_not_import_each_other_in_a_circle(package: str) -> None:
    """Not even for their types; imports inside functions do not count."""
    files = {".".join(path.relative_to(ROOT).with_suffix("").parts): path for path in ROOT.glob(f"{package}/**/*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in files.items()}

    def imported(path: Path) -> Iterator[str]:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        inner = {node for part in ast.walk(tree) if isinstance(part, ast.FunctionDef) for node in ast.walk(part)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module and node not in inner:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
                yield from (name if name in modules else node.module for name in names)

    graph = {name: {other for other in imported(path) if other in modules} for name, path in modules.items()}
    assert len(graph) > 50
    graphlib.TopologicalSorter(graph).prepare()  # raises CycleError, which names the circle


def test_the_core_needs_no_torch() -> None:
    config = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    core = config[config.index("dependencies = [") : config.index("[project.optional-dependencies]")]
    assert "torch" not in core
    assert "transformers" not in core
