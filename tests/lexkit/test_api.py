"""What `lexkit` itself offers: its names, whatever was imported before, and the store that it opens by default."""

from __future__ import annotations

import inspect
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lexkit
from lexkit.cli.main import main

ROOT = Path(__file__).resolve().parents[2]
FUNCTIONS = ("build", "export", "fetch", "open", "report", "tokenize")


@pytest.mark.parametrize("name", lexkit.__all__)
def test_every_public_name_is_there_and_in_the_reference(name: str) -> None:
    value = getattr(lexkit, name)
    assert name in dir(lexkit)
    if name == "__version__":
        return
    assert value.__name__ == name
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    assert f"::: {value.__module__ if value.__module__ == 'lexkit.errors' else 'lexkit.' + name}\n" in text


def test_the_reference_has_every_method_of_a_lexicon() -> None:
    text = (ROOT / "docs/api.md").read_text(encoding="utf-8")
    (listed,) = re.findall(r"::: lexkit\.Lexicon\n.*?members: \[(.*?)\]", text, re.DOTALL)
    public = {name for name in dir(lexkit.Lexicon) if not name.startswith("_")}
    assert set(re.findall(r"\w+", listed)) == public | {"path"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_functions_have_types_and_describe_every_argument(name: str) -> None:
    function = getattr(lexkit, name)
    parameters = inspect.signature(function).parameters
    assert set(function.__annotations__) == {*parameters, "return"}
    document = inspect.cleandoc(function.__doc__)  # Python 3.13 takes the indentation away by itself
    described = re.findall(r"^ {4}(\w+): [A-Z`]", document.partition("Args:")[2], re.MULTILINE)
    assert described[: len(parameters)] == list(parameters)


@pytest.mark.parametrize(
    "first",
    [
        "import lexkit",
        "import lexkit.reporting.page, lexkit.fetching.fetch",
        "import lexkit.reporting, lexkit.fetching, lexkit.cli.report, lexkit.cli.fetch",
        "import lexkit; lexkit.fetch, lexkit.report; import lexkit.fetching.download, lexkit.reporting.keep_rate",
        "from lexkit import fetch, report",
        "from lexkit import *",
    ],
)
def test_functions_are_not_hidden_by_modules_whatever_is_imported_first(first: str) -> None:
    """In a fresh interpreter: a sub-package of the same name would become the attribute."""
    names = ", ".join(f"lexkit.{name}" for name in FUNCTIONS)
    code = f"{first}\nimport lexkit, types\nprint(*(isinstance(f, types.FunctionType) for f in ({names})))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.split() == ["True"] * len(FUNCTIONS)


def test_no_module_has_the_name_of_a_function() -> None:
    assert {path.stem for path in Path(lexkit.__file__).parent.iterdir()}.isdisjoint(lexkit.__all__)


def test_importing_lexkit_imports_nothing_else() -> None:
    code = "import sys; before = set(sys.modules); import lexkit; print([m for m in sys.modules if '.' not in m and "
    code += "m not in before and m not in sys.stdlib_module_names])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "['lexkit']"


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    (folder / "pairs").write_text("good fine\ngood kind\nbad poor", encoding="utf-8")
    lexkit.build(folder / "small.duckdb", pairs=[("synonym", folder / "pairs")])
    return folder / "small.duckdb"


class TestTheDefaultStore:
    """It is that of the command line."""

    def answers(self, capsys: pytest.CaptureFixture[str]) -> tuple[str, str]:
        """The number of words that Python and the command find, or what they say instead."""
        try:
            with lexkit.open() as lexicon:
                python = str(len(lexicon.words()))
        except lexkit.StoreError as error:
            python = f"error: {error}"
        with pytest.raises(SystemExit):
            main(["sql", "SELECT count(*) AS n FROM word"])
        out, err = capsys.readouterr()
        return python, (out or err).splitlines()[-1]

    @pytest.mark.parametrize(
        ("variable", "answer"),
        [
            (None, "5"),
            ("", "5"),
            ("other.duckdb", "error: other.duckdb: no such store; make it with 'lexkit build --output other.duckdb'"),
            ("~/kept.duckdb", "5"),
            ("~/lexkit.duckdb", "error: {folder}/home/lexkit.duckdb: no such store"),
            ("{folder}/home/kept.duckdb", "5"),
        ],
    )
    def test_it_is_that_of_the_commands(
        self,
        tmp_path: Path,
        small_store: Path,
        variable: str | None,
        answer: str,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        (tmp_path / "home").mkdir()
        shutil.copy(small_store, tmp_path / "lexkit.duckdb")
        shutil.copy(small_store, tmp_path / "home" / "kept.duckdb")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setenv("HOME", str(tmp_path / "home"))
        monkeypatch.delenv("LEXKIT_STORE", raising=False)
        if variable is not None:
            monkeypatch.setenv("LEXKIT_STORE", variable.format(folder=tmp_path))
        python, command = self.answers(capsys)
        assert python == command
        assert python.startswith(answer.format(folder=tmp_path))

    def test_there_is_none(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.chdir(tmp_path)
        monkeypatch.delenv("LEXKIT_STORE", raising=False)
        python, command = self.answers(capsys)
        assert python == command
        assert python.startswith("error: lexkit.duckdb: no such store; make it with 'lexkit build --output lexkit.")


def test_the_functions_print_nothing(
    small_store: Path,
    tmp_path: Path,
    write_tokenizer: Callable[..., Path],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    shutil.copy(small_store, tmp_path / "lexkit.duckdb")
    lexkit.tokenize("lexkit.duckdb", [f"bytes={write_tokenizer(tmp_path / 'tokenizer.json')}"])
    lexkit.export("lexkit.duckdb", "out")
    assert lexkit.report().path == Path("report.html")
    (tmp_path / "pairs").write_text("a b", encoding="utf-8")
    lexkit.build("small.duckdb", pairs=[("synonym", "pairs")])
    assert capfd.readouterr() == ("", "")


class TestReport:
    def test_it_is_that_of_the_command(
        self, small_store: Path, tmp_path: Path, run: Callable[..., subprocess.CompletedProcess[str]]
    ) -> None:
        report = lexkit.report(small_store, tmp_path / "a.html", limit=2)
        assert (report.carried, report.relations) == (2, 3)
        assert run("report", "--store", small_store, "--output", "b.html", "--limit", "2").returncode == 0
        assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()
        assert report.bytes == (tmp_path / "b.html").stat().st_size

    @pytest.mark.parametrize("limit", [-1, None, "all", 1.5])
    def test_limits_that_cannot_be(self, small_store: Path, tmp_path: Path, limit: int) -> None:
        with pytest.raises(lexkit.ArgumentError, match=r"limit=.*: give a whole number from 0 on"):
            lexkit.report(small_store, tmp_path / "a.html", limit=limit)
        with pytest.raises(lexkit.ArgumentError, match="output=None: give a path"):
            lexkit.report(small_store, None)  # type: ignore[arg-type]
