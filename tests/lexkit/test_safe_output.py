"""Whatever a store, an argument or the environment holds: no command prints it so that it commands a terminal."""

from __future__ import annotations

import base64
import gzip
import io
import itertools
import json
import re
import signal
import sys
import unicodedata
import warnings
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click
import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import lexkit
from lexkit.cli.main import cli, main
from lexkit.cli.progress import show_progress
from lexkit.safe_output import SafeStream, isolated, markdown, printable, safe_streams

DIRECTIONS = "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
SIGNS = [chr(c) for c in (*range(0x20), *range(0x7F, 0xA0)) if chr(c) not in "\t\n"]
SIGNS += [*DIRECTIONS, "\u2028", "\u2029", "\ufeff", "\U000e0041"]
SEQUENCES = [
    "\x1b[95mpink",
    "\x1b]8;;https://evil.example\x1b\\link",
    "\x1bPq",
    "\x9b2J",
    "\r\x1b[A",
    "</script><img src=x onerror=alert(1)>",
    "<!--",
    "\" onmouseover=alert(1) x='",
    "$x^{$",
    "| [a](javascript:b) ` |",
    "[link=https://evil.example]a[/link]",
    "\u2068\u05d0\u2069\u202e",
]
# an argument, or the name of a file
HOSTILE = "x\x1b[95mx\x1b[2J\x9b2J\x07\r\u202e\u2068\u2028\udcff\u200e<b>$x^{$|`"
TOKENIZER = "t\x1b[95m$x^{$</title>\u202e"
ROOT = Path(lexkit.__file__).parents[1]
STYLE = re.compile(r"\x1b\[[0-9;]*m")
BAR = re.compile(r"\r?\x1b\[(\?25[hl]|2K|1A)")


class Stream(io.TextIOWrapper):
    """A terminal, or a pipe."""

    def __init__(self, is_terminal: bool) -> None:
        super().__init__(io.BytesIO(), encoding="utf-8", newline="")
        self.is_terminal = is_terminal

    def isatty(self) -> bool:
        return self.is_terminal

    @property
    def text(self) -> str:
        self.flush()
        content: bytes = self.buffer.getvalue()  # type: ignore[attr-defined]
        return content.decode()


def unsafe(text: str, is_terminal: bool) -> set[str]:
    """Signs that may not go out; escape sequences of the data do not pass for those of rich."""
    found = set(re.findall(r"\x1b\[95m|\x1b\]8|\x1b\[2J", text))
    if is_terminal:
        text = re.sub("\u2068([^\u2068\u2069\n]*)\u2069", r"\1", BAR.sub("", STYLE.sub("", text)))
    return found | {c for c in text if c not in "\n\t" and (unicodedata.category(c) in ("Cc", "Cs") or c in SIGNS)}


def poison(path: Path) -> None:
    """Write every sign and sequence into every column of text that a look-up or a count shows."""
    bad = [f"a{text}b{number}" for number, text in enumerate(SIGNS + SEQUENCES)]
    with duckdb.connect(str(path)) as store:
        store.execute("CREATE TEMP TABLE bad (id INTEGER, text VARCHAR)")
        store.executemany("INSERT INTO bad VALUES (?, ?)", list(enumerate(bad)))
        columns = store.execute(
            "SELECT table_name, column_name, data_type FROM duckdb_columns() JOIN duckdb_tables() USING (table_name)"
            " WHERE NOT duckdb_tables.temporary AND data_type IN ('VARCHAR', 'VARCHAR[]') AND column_name NOT IN"
            " ('usage', 'kind', 'from_kind', 'key', 'value', 'folded', 'rule', 'way', 'reader', 'tokenizer', 'scope')"
        ).fetchall()
        for table, column, kind in columns:
            text = f"(SELECT text FROM bad WHERE id = {table}.rowid % {len(bad)})"
            where = ""
            if (table, column) == ("word", "word"):  # whose order stays, so that they are found
                text, where = f"word || {text}", "WHERE word NOT IN ('kind', 'good')"
            value = text if kind == "VARCHAR" else f"[{text}]"
            store.execute(f"UPDATE {table} SET {column} = {value} {where}")
        for table in ("tokenizer", "span"):
            store.execute(f"UPDATE {table} SET tokenizer = ?", [TOKENIZER])
        store.execute("UPDATE meta SET value = value || ? WHERE key IN ('language', 'built_at')", ["".join(SEQUENCES)])


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory, write_tokenizer: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("clean")
    words = "".join(f"kind\tword{number:03}\n" for number in range(len(SIGNS + SEQUENCES)))
    (folder / "synonyms.tsv").write_text(words + "kind\tgood\n1\t2\n", encoding="utf-8")
    store = folder / "s.duckdb"
    tokenizer = write_tokenizer(folder / "t" / "tokenizer.json")
    lexkit.build(store, pairs=[("synonym", folder / "synonyms.tsv")], tokenizers=[f"t={tokenizer}"], max_rejected=1)
    return store


@pytest.fixture(scope="module")
def poisoned(clean: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    store = tmp_path_factory.mktemp("poisoned") / "s.duckdb"
    store.write_bytes(clean.read_bytes())
    poison(store)
    return store


@pytest.fixture(autouse=True)
def surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    monkeypatch.setattr("resource.setrlimit", lambda *_: None)  # this process may hold more than a query may
    for name, value in {"TERM": "xterm-256color", "COLUMNS": "200", "HF_HUB_OFFLINE": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("LEXKIT_CACHE", str(tmp_path / "cache\x1b[2J\u202e"))


def printed(arguments: list[str], is_terminal: bool) -> str:
    """Run a command, and return its standard output after a check of both its streams."""
    streams = Stream(is_terminal), Stream(is_terminal)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("always")
        patch.setattr(sys, "stdout", streams[0])
        patch.setattr(sys, "stderr", streams[1])
        with pytest.raises(SystemExit):
            main(arguments)
    for stream in streams:
        assert not unsafe(stream.text, is_terminal), (arguments, stream.text)
    assert "Traceback" not in streams[1].text
    return streams[0].text


def commands(group: click.Group = cli, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        if isinstance(command, click.Group):
            yield from commands(command, (*path, name))
        else:
            yield (*path, name), command


CORE = [(path, command) for path, command in commands() if path[0] != "distill"]
QUERY = "SELECT word, pos, sense, usage_a FROM evidence JOIN word ON word_b = word_id"
FOUND = {"words": "kind", "word1": "kind", "word2": "good", "query": QUERY}
KNOWN = {**FOUND, "tokenizer": TOKENIZER, "tokenizers": TOKENIZER, "folder": "out"}


def value_of(parameter: click.Parameter, hostile: bool) -> list[str]:
    """What a command is given: something that it finds, or something hostile."""
    name = str(parameter.name)
    ending = {"plot": ".svg", "output": ".html"}.get(name, "")
    text = HOSTILE + ending if hostile else KNOWN[name]
    return [text] if isinstance(parameter, click.Argument) else [parameter.opts[0], text]


def calls(path: tuple[str, ...], command: click.Command, store: Path) -> Iterator[list[str]]:
    """Arguments for a command, among them every option, and every choice of those that have some."""
    given = {str(parameter.name): parameter for parameter in command.params}
    at = ["--store", str(store)] if "store" in given else []
    if path == ("build",):
        Path(HOSTILE).write_text(f"kind\tgo{SEQUENCES[0]}od\nkind\tgood\n", encoding="utf-8")
        at = ["--jobs", "1", "--max-rejected", "1", "--pairs", f"synonym={HOSTILE}"]
    needed = [p for p in command.params if p.required or p.name in FOUND]
    base, hostile = (
        [*path, *at, *itertools.chain.from_iterable(value_of(p, bad) for p in needed)] for bad in (False, True)
    )
    yield from (base, hostile, [*path, "--store", HOSTILE, *hostile[len(path) + len(at) :]], [*path, HOSTILE, HOSTILE])
    for option in given.values():
        if isinstance(option, click.Option) and option.name != "store" and option not in needed:
            if option.name == "form":
                assert isinstance(option.type, click.Choice)
                yield from ([*base, option.opts[0], choice] for choice in option.type.choices)
            elif not option.is_flag:
                yield [*base, *value_of(option, True)]
    if "as_json" in given:
        yield [*base, "--json"]


@pytest.mark.parametrize(("path", "command"), CORE, ids=lambda part: " ".join(part) if isinstance(part, tuple) else "")
def test_no_command_prints_a_sign_that_commands(path: tuple[str, ...], command: click.Command, poisoned: Path) -> None:
    different = {tuple(arguments): arguments for arguments in calls(path, command, poisoned)}.values()
    for number, arguments in enumerate(different):
        for is_terminal in (True, False) if number == 0 else (number % 2 == 0,):
            text = printed(arguments, is_terminal)
            if "--json" in arguments and text:
                json.loads(text)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(list(commands())), st.text(st.characters(exclude_categories=())), st.booleans())
def test_no_command_repeats_an_argument_that_commands(
    command: tuple[tuple[str, ...], click.Command], text: str, is_terminal: bool
) -> None:
    path, parameters = command[0], command[1].params
    option = next((p.opts[0] for p in parameters if isinstance(p, click.Option) and not p.is_flag), "--json")
    printed([*path, option, text, f"--no {text}"], is_terminal)  # which no command has


def test_nothing_goes_around_the_check() -> None:
    for file in [file for package in ("lexkit", "lexkit_distill") for file in (ROOT / package).rglob("*.py")]:
        text = file.read_text("utf-8")
        assert text.count(".savefig(") == text.count("check_figure(figure)"), file
        if file not in (ROOT / "lexkit/cli/output.py", ROOT / "lexkit/cli/progress.py"):
            assert not re.search(
                r"\bConsole\(|click\.(style|secho|progressbar)|rich.progress import.* Progress\b", text
            ), file


class TestCommands:
    def test_usage_and_help_of_every_command(self) -> None:
        for path, _ in commands():
            assert printed([*path, "--help"], True)
            printed([*path, f"--{HOSTILE}"], True)

    def test_evidence_is_shown_and_not_carried_out(self, poisoned: Path) -> None:
        shown = printed(["explain", "kind", "good", "--store", str(poisoned)], True)
        assert "\\u0000" in printed(["sql", "SELECT chr(0)", "--store", str(poisoned)], False)
        assert "kind and good: synonyms" in shown
        rows = printed(["sql", "FROM evidence", "--store", str(poisoned)], False)
        assert "a\\u001b[95mpinkb" in rows
        assert "\\u202e" in rows

    def test_json_keeps_what_it_escapes(self, poisoned: Path) -> None:
        words = "SELECT word FROM word"
        found = json.loads(printed(["sql", words, "--format", "json", "--store", str(poisoned)], True))
        with lexkit.Lexicon(poisoned) as lexicon:
            assert [row["word"] for row in found] == lexicon.sql(words)["word"].to_pylist()

    def test_a_traceback(
        self, poisoned: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
    ) -> None:
        def fail(*_: Any) -> None:
            raise RuntimeError(HOSTILE)

        monkeypatch.setattr(lexkit.Lexicon, "statistics", fail)
        with pytest.raises(SystemExit):
            main(["--debug", "stats", "--store", str(poisoned)])
        said = capsys.readouterr().err
        assert "Traceback" in said
        assert not unsafe(said, False)

    def test_clicks_own_way_to_run_them(self, poisoned: Path) -> None:
        done = CliRunner().invoke(cli, ["sql", "FROM word", "--store", str(poisoned)])
        assert done.exit_code == 0
        assert not unsafe(done.output, False)


def test_what_others_write_beside_a_progress_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    streams = Stream(True), Stream(True)
    monkeypatch.setattr(sys, "stdout", streams[0])
    monkeypatch.setattr(sys, "stderr", streams[1])
    with safe_streams():
        progress = show_progress(quiet=False)
        progress.stage(f"reading {HOSTILE}")
        progress.note(HOSTILE)
        print(HOSTILE)  # noqa: T201
        sys.stderr.write(f"{HOSTILE}\n")
        progress.close()
    said = streams[1].text
    assert said.count("\\u001b[95mx") >= 3
    assert not unsafe(said, True)


class TestWritten:
    """What commands write to files that are shown later."""

    def test_the_report_has_no_markup_but_its_own(self, clean: Path, poisoned: Path) -> None:
        class Tags(HTMLParser):
            def __init__(self, text: str) -> None:
                super().__init__()
                self.found: set[object] = set()
                self.feed(text)

            def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
                self.found |= {tag, *((tag, name) for name, _ in attrs)}
                self.found |= {value for name, value in attrs if name in ("href", "src") and value and ":" in value}

            def handle_comment(self, data: str) -> None:
                self.found.add("comment")

        pages = {}
        for store in (clean, poisoned):
            printed(["report", "--store", str(store), "--output", f"{store.parent.name}.html"], False)
            pages[store] = Path(f"{store.parent.name}.html").read_text("utf-8")
        assert Tags(pages[poisoned]).found == Tags(pages[clean]).found
        assert not unsafe(pages[poisoned], False)
        packed = re.search(r'id="data">([^<]*)<', pages[poisoned])
        assert packed is not None
        assert not unsafe(gzip.decompress(base64.b64decode(packed[1])).decode(), False)

    @pytest.mark.parametrize("arguments", [["lookup", "kind"], ["keep-rate", "--tokenizer", TOKENIZER]])
    def test_pictures_show_text_as_it_is(self, poisoned: Path, arguments: list[str]) -> None:
        printed([*arguments, "--store", str(poisoned), "--plot", "picture.svg"], False)
        picture = Path("picture.svg").read_text("utf-8")
        ElementTree.fromstring(picture)  # which no control character may be in
        assert not unsafe(picture, False)

    def test_the_readme_of_an_export(self, poisoned: Path) -> None:
        with duckdb.connect(str(poisoned)) as store:
            store.execute("UPDATE source SET uri = ?, licence = ?", ["".join(SEQUENCES), "\n# | [a](b)"])
        printed(["export", "out", "--store", str(poisoned), "--tokenizer", TOKENIZER], False)
        readme = Path("out/README.md").read_text("utf-8")
        assert not unsafe(readme, False)
        row = readme.split("| source | file | licence |\n| --- | --- | --- |\n")[1].splitlines()[0]
        assert len(re.findall(r"(?<!\\)\|", row)) == 4
        assert row.endswith(r"| \# \| \[a\](b) |")
        assert not re.search(r"(?<!\\)[<\]]", row)


class TestPrintable:
    @settings(max_examples=50, deadline=None)
    @given(st.text())
    def test_a_document_of_json_stays_the_same(self, text: str) -> None:
        assert json.loads(printable(json.dumps([text], ensure_ascii=False))) == [text]

    @settings(max_examples=50, deadline=None)
    @given(st.text(), st.booleans())
    def test_nothing_unsafe_passes_a_stream(self, text: str, is_terminal: bool) -> None:
        stream = Stream(is_terminal)
        safe = SafeStream(stream)
        safe.write(f"{text}{isolated(text)}\n")
        assert not unsafe(stream.text, is_terminal)
        assert (isolated(text) in stream.text) == is_terminal

    @settings(max_examples=50, deadline=None)
    @given(st.text(st.sampled_from("a \\`*_[]()<>|#&$~\n\x1b")))
    def test_markdown_is_one_line_of_plain_text(self, text: str) -> None:
        shown = markdown(text)
        assert "\n" not in shown
        assert not re.search(r"(?<!\\)(\\\\)*[`*\[\]<>|#&$~]", shown)
