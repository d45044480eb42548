from __future__ import annotations

import contextlib
import csv
import io
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import click
import duckdb
import pytest
from _pytest.capture import CaptureResult
from rich.cells import cell_len

import lexkit
from lexkit.cli.main import cli, main
from lexkit.errors import Stopped
from lexkit.sources.catalog import select
from lexkit.store.build import BuildSummary

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def small_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    for kind, pairs in (("synonym", "big large\nbig great\n"), ("antonym", "big small\n")):
        (folder / kind).write_text(pairs, encoding="utf-8")
    lexkit.build(folder / "s.duckdb", pairs=[(kind, folder / kind) for kind in ("synonym", "antonym")])
    return folder / "s.duckdb"


def run_with(text: str | bytes, *arguments: str, store: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that reads *text* from standard input."""
    data = text if isinstance(text, bytes) else text.encode()
    command = [sys.executable, "-m", "lexkit", *arguments, "--store", str(store)]
    done = subprocess.run(command, input=data, capture_output=True, check=False, timeout=60)
    return subprocess.CompletedProcess(command, done.returncode, done.stdout.decode(), done.stderr.decode())


def commands() -> list[click.Command]:
    context = click.Context(cli)
    found = [cli.get_command(context, name) for name in cli.list_commands(context)]
    return [command for command in found if command is not None]


class TestInterrupted:
    @pytest.mark.parametrize(
        ("arguments", "error", "code", "said"),
        [
            (["stats"], KeyboardInterrupt(), 130, "interrupted; nothing was changed"),
            (["distill"], KeyboardInterrupt(), 130, "interrupted"),  # which may have got half of its way
            (["distill"], Stopped("student: stopped after step 5", 15), 143, "student: stopped after step 5"),
        ],
    )
    def test_the_line_is_true_and_the_exit_code_that_of_the_signal(
        self,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
        arguments: list[str],
        error: BaseException,
        code: int,
        said: str,
    ) -> None:
        def interrupted(_: click.Context) -> None:
            raise error

        monkeypatch.setattr(cli, "invoke", interrupted)
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        assert ended.value.code == code
        assert capsys.readouterr().err == f"error: {said}\n"

    def test_a_command_called_from_python_leaves_the_handler_that_was_there(self) -> None:
        def own(*_: object) -> None:
            raise AssertionError

        before = signal.signal(signal.SIGTERM, own)
        try:
            for arguments in (["--version"], ["no such command"]):
                with pytest.raises(SystemExit):
                    main(arguments)
                assert signal.getsignal(signal.SIGTERM) is own
        finally:
            signal.signal(signal.SIGTERM, before)


class TestHelp:
    def test_nothing_heavy_is_imported(self) -> None:
        heavy = {
            "duckdb",
            "pyarrow",
            "rich",
            "httpx",
            "jinja2",
            "matplotlib",
            "msgspec",
            "tokenizers",
            "rapidfuzz",
            "torch",
            "wiktextract",
            "nltk",
        }
        for code in (
            "import lexkit",
            "from lexkit.cli.main import main\ntry: main(['--help'])\nexcept SystemExit: pass",
        ):
            check = f"{code}\nimport sys; print('LOADED', *sorted(set(sys.modules) & {heavy!r}))"
            done = subprocess.run([sys.executable, "-c", check], capture_output=True, text=True, check=True, timeout=60)
            assert done.stdout.splitlines()[-1].strip() == "LOADED"

    def test_every_command_has_an_example_or_says_what_to_install(self) -> None:
        for command in commands():
            assert "Example:" in (command.help or "") or "pip install" in (command.help or ""), command.name

    def test_examples_stand_on_lines_of_their_own(self) -> None:
        for command in commands():
            lines = command.get_help(click.Context(command, info_name=command.name)).splitlines()
            assert not any("\\b" in line for line in lines)
            if "Example:" in (command.help or ""):
                assert lines[lines.index("  Example:") + 1].startswith("    lexkit ")

    def test_every_option_is_explained(self) -> None:
        for command in commands():
            for parameter in command.params:
                if isinstance(parameter, click.Option):
                    assert parameter.help, f"{command.name} {parameter.name}"

    def test_version(self, run: Run) -> None:
        for option in ("--version", "-V"):
            assert run(option).stdout.strip().endswith(lexkit.__version__)

    def test_a_mistyped_command_is_guessed(self, run: Run) -> None:
        done = run("lokup", "kind")
        assert done.returncode == 2
        assert "Did you mean 'lookup'?" in done.stderr

    def test_a_word_in_place_of_a_command_is_to_be_looked_up(self, run: Run) -> None:
        for word in ("kind", "big", "run"):
            done = run(word)
            assert done.returncode == 2
            assert f"No such command '{word}'. To look up a word, run 'lexkit lookup WORD'." in done.stderr

    def test_the_list_of_commands_is_not_cut(self, run: Run) -> None:
        listed = " ".join(run("--help").stdout.partition("Commands:")[2].split())
        assert "..." not in listed
        assert "Build a store from source files, or from the starter data if no file is given." in listed


@pytest.fixture
def sample(starter_store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Builds within this process find their store made."""
    with lexkit.open(starter_store) as lexicon:
        counts = lexicon.statistics()
    monkeypatch.setattr("lexkit.store.build.build", lambda path, **_: BuildSummary(str(path), 1.0, counts))


def built(capsys: pytest.CaptureFixture[str], *arguments: str) -> CaptureResult[str]:
    """What `lexkit build` prints, run within this process."""
    cli.main(["build", *arguments], standalone_mode=False)
    return capsys.readouterr()


class TestBuild:
    def test_the_summary_can_be_read(self, run: Run, tmp_path: Path) -> None:
        done = run("build")
        assert done.returncode == 0
        assert (tmp_path / "lexkit.duckdb").exists()
        assert re.search(r"^lexkit\.duckdb  built in \d+\.\d s$", done.stdout, re.MULTILINE)
        assert re.search(r"words +[\d,]+ +[\d,]+ of them in relations", done.stdout)
        assert re.search(r"synonyms +[\d,]+ +[\d,]+ stated, [\d,]+ derived", done.stdout)
        assert re.search(r"roget +[\d,]+ records, 2,[\d]{3} rejected +starter:roget1911\.tsv\.gz", done.stdout)
        (note,) = done.stderr.splitlines()  # no progress bar without a terminal
        assert note.startswith("note: ")

    def test_without_sources_the_last_word_is_that_this_is_a_sample(
        self, run: Run, sample: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        printed = built(capsys, "--json")
        assert json.loads(printed.out)["path"] == "lexkit.duckdb"
        (note,) = printed.err.splitlines()
        assert note.startswith("note: ")
        assert "sample" in note
        fetch, build = (shlex.split(command) for command in re.findall("`(.*?)`", note))
        assert all(select(name) for name in fetch[2:])
        # The command it gives is valid: all that the build lacks is what the other one brings
        assert "wiktionary is not in the cache" in run(*build[1:]).stderr

    def test_nothing_is_said_of_samples_with_sources_or_if_quiet(
        self, sample: None, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert built(capsys, "--quiet") == ("", "")
        for given in (("--pairs", "synonym=pairs.txt"), ("--source", "wiktionary=w.jsonl")):
            printed = built(capsys, *given)
            assert printed.out.startswith("lexkit.duckdb  built in ")
            assert printed.err == ""

    def test_json_is_one_document(self, run: Run, tmp_path: Path) -> None:
        pairs = tmp_path / "pairs.txt"
        pairs.write_text("big large\n" * 200 + "one\n", encoding="utf-8")
        done = run("build", "--pairs", f"synonym={pairs}", "--json", "-o", "s.duckdb")
        document = json.loads(done.stdout)
        assert document["path"] == "s.duckdb"
        assert document["statistics"]["words"] == 2
        assert document["statistics"]["rejections"] == [
            {"source": "pairs", "reason": "a wrong number of columns", "n": 1, "example": "line 201: one"}
        ]

    def test_quiet_says_nothing(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "pairs.txt").write_text("big large\n", encoding="utf-8")
        done = run("build", "--quiet", "--pairs", "synonym=pairs.txt")
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")

    def test_rejections_are_told(self, run: Run, shared: Callable[[str], Path]) -> None:
        done = run("build", "--wiktionary", shared("wiktionary/raw-mixed-languages.jsonl"))
        assert re.search(r"wiktionary +64 another language, first at line 1: ", done.stdout)

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--wiktionary", "no.jsonl"], "no.jsonl: no such file"),
            (["--wiktionary", "."], "a folder, not a file"),
            (["--roget", "empty"], "empty: empty file"),
            (["--wiktionary", "list.jsonl"], "list.jsonl: 1 of 1 records are bad, first at line 1: not a JSON object"),
            (["--roget", "latin1"], "latin1, line 2: invalid UTF-8"),
            (["--roget", "list.jsonl"], "list.jsonl: no heads of Roget's Thesaurus found"),
            (["--morpholex", "list.jsonl"], "list.jsonl: no sheet with the columns Word and MorphoLexSegm"),
            (["--output", "no/store.duckdb"], "no/store.duckdb: the folder no does not exist"),
            (["--output", "list.jsonl"], "list.jsonl: exists and is not a lexkit store"),
            (["--tokenizer", "no.json"], "no.json: no such tokenizer.json"),
        ],
    )
    def test_failures_are_one_line(self, run: Run, tmp_path: Path, arguments: list[str], message: str) -> None:
        (tmp_path / "empty").write_bytes(b"")
        (tmp_path / "list.jsonl").write_text("[1, 2]\n", encoding="utf-8")
        (tmp_path / "latin1").write_bytes(b"one\ncaf\xe9\n")
        done = run("build", *arguments)
        assert done.returncode == 1
        assert done.stdout == ""
        assert done.stderr.startswith("error: ")
        assert message in done.stderr
        assert done.stderr.count("\n") == 1

    def test_debug_shows_the_traceback(self, run: Run) -> None:
        for arguments in (["--debug", "build"], ["build", "--debug"]):
            done = run(*arguments, "--wiktionary", "no.jsonl")
            assert done.returncode == 1
            assert "Traceback" in done.stderr

    def test_morpholex_is_given_once(self, run: Run) -> None:
        assert run("build", "--morpholex", "a", "--morpholex", "b").returncode == 2

    @pytest.mark.parametrize("value", ["words.txt", "synonyms=words.txt", "synonym="])
    def test_pairs_need_a_kind_and_a_file(self, run: Run, value: str) -> None:
        done = run("build", "--pairs", value)
        assert done.returncode == 2
        assert "is not synonym=FILE or antonym=FILE" in done.stderr


class TestLookUp:
    def test_rows_when_nobody_watches(self, run: Run, starter_store: Path) -> None:
        done = run("lookup", "happy", "--store", starter_store)
        header, *rows = [line.split("\t") for line in done.stdout.splitlines()]
        assert header == ["relation", "word", "pos", "how", "sources"]
        assert ["antonym", "unhappy", "adj", "stated", "morpholex, wiktionary"] in rows
        assert {row[0] for row in rows} == {"synonym", "antonym"}

    def test_one_kind(self, run: Run, starter_store: Path) -> None:
        for command in ("synonym", "antonym"):
            done = run(f"{command}s", "happy", "--store", starter_store, "--limit", "1")
            assert [line.split("\t")[0] for line in done.stdout.splitlines()] == ["relation", command]

    def test_json(self, run: Run, starter_store: Path) -> None:
        done = run("lookup", "HAPPY", "--direct", "--source", "wiktionary", "--json", "--store", starter_store)
        document = json.loads(done.stdout)
        assert document["found"] == ["happy"]
        assert "unhappy" in {row["word"] for row in document["antonyms"]}
        assert all(row["direct"] and "wiktionary" in row["sources"] for row in document["synonyms"])

    def test_relations_across_parts_of_speech_can_be_left_out(self, run: Run, starter_store: Path) -> None:
        for command in ("antonyms", "lookup"):
            words = [
                {
                    line.split("\t")[1]
                    for line in run(command, "fault", *more, "--store", starter_store).stdout.splitlines()
                }
                for more in ([], ["--same-pos"])
            ]
            assert "faultless" in words[0] - words[1]
            assert words[1] < words[0]
        neighbors = json.loads(run("synonyms", "kind", "--json", "--store", starter_store).stdout)["synonyms"]
        assert {row["same_pos"] for row in neighbors} == {True}

    def test_the_store_is_found_by_option_environment_and_default(
        self, run: Run, starter_store: Path, tmp_path: Path
    ) -> None:
        assert run("synonyms", "happy", env={"LEXKIT_STORE": str(starter_store)}).returncode == 0
        missing = run("synonyms", "happy")
        assert missing.returncode == 1
        assert "error: lexkit.duckdb: no such store; make it with 'lexkit build" in missing.stderr
        (tmp_path / "lexkit.duckdb").write_bytes(starter_store.read_bytes())
        assert run("synonyms", "happy").returncode == 0

    def test_a_miss_suggests_near_words(self, run: Run, starter_store: Path) -> None:
        done = run("lookup", "hapyness", "--store", starter_store)
        assert done.returncode == 1
        assert re.match(r"error: 'hapyness' is not in .*; similar words: happiness, ", done.stderr)

    def test_an_unknown_source_is_named(self, run: Run, starter_store: Path) -> None:
        done = run("lookup", "happy", "--source", "wordnet", "--store", starter_store)
        assert done.returncode == 1
        assert "no source 'wordnet'" in done.stderr
        assert "morpholex, roget, wiktionary" in done.stderr

    def test_a_word_without_relations(self, run: Run, starter_store: Path) -> None:
        done = run("synonyms", "aboveboard", "--store", starter_store, "--source", "morpholex")
        assert (done.returncode, done.stdout) == (0, "")
        assert done.stderr == "aboveboard: also a spelling of above board\naboveboard: no synonyms\n"


class TestExplain:
    def test_a_derivation(self, run: Run, starter_store: Path) -> None:
        done = run("explain", "kind", "friendly", "--store", starter_store)
        assert done.stdout.splitlines()[0] == "kind and friendly: synonyms"
        assert "  synonym (adj): by un- from friendly / unkind, antonyms in wiktionary" in done.stdout.splitlines()

    def test_json(self, run: Run, starter_store: Path) -> None:
        document = json.loads(run("explain", "kind", "friendly", "--json", "--store", starter_store).stdout)
        assert document["relations"] == ["synonym"]
        assert {row["rule"] for row in document["evidence"]} >= {"un-"}

    def test_words_that_are_not_related(self, run: Run, starter_store: Path) -> None:
        done = run("explain", "kind", "quit", "--store", starter_store)
        assert done.returncode == 0
        assert "are not related" in done.stdout

    def test_a_form_and_its_lemma(self, run: Run, starter_store: Path) -> None:
        done = run("explain", "mice", "mouse", "--store", starter_store)
        assert (done.returncode, done.stderr) == (0, "mice: form of mouse\n")
        assert done.stdout.startswith("mouse and mouse are the same word")


def is_open(path: Path, pid: int) -> bool:
    """Whether a process has a file open."""
    descriptors = Path(f"/proc/{pid}/fd")
    if not descriptors.exists():
        pytest.skip("no /proc to see open files in")
    for descriptor in list(descriptors.iterdir()):
        with contextlib.suppress(OSError):
            if descriptor.readlink() == path:
                return True
    return False


def with_grace(seconds: float, *arguments: str) -> list[str]:
    """The command in which an interrupted query has these seconds to end, instead of five."""
    code = f"import lexkit.cli.sql; from lexkit.cli.main import main; lexkit.cli.sql._GRACE = {seconds}; main()"
    return [sys.executable, "-c", code, *arguments]


class TestSql:
    def test_formats(self, run: Run, starter_store: Path) -> None:
        query = "SELECT antonym, sources FROM antonyms WHERE word = 'happy' AND direct ORDER BY 1"
        rows = list(csv.DictReader(io.StringIO(run("sql", query, "--store", starter_store).stdout)))
        documents = json.loads(run("sql", query, "--format", "json", "--store", starter_store).stdout)
        lines = run("sql", query, "--format", "jsonl", "--store", starter_store).stdout.splitlines()
        assert documents == list(map(json.loads, lines))
        assert [row["antonym"] for row in rows] == [row["antonym"] for row in documents]
        assert all(isinstance(row["sources"], list) for row in documents)

    def test_json_is_json(self, run: Run, small_store: Path) -> None:
        query = "SELECT sum(n_records) AS s, 1.50 AS d, 'nan'::DOUBLE AS n, [1.5, 'inf'::DOUBLE] AS l FROM source"
        done = run("sql", query, "--format", "json", "--store", small_store)
        (row,) = json.loads(done.stdout, parse_constant=pytest.fail)
        assert isinstance(row.pop("s"), int)
        assert row == {"d": 1.5, "n": None, "l": [1.5, None]}

    def test_ctrl_c(self, small_store: Path) -> None:
        command = [sys.executable, "-m", "lexkit", "sql", "SELECT count(*) FROM range(100000000000)"]
        with subprocess.Popen(
            [*command, "--store", str(small_store)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as process:
            for _ in range(3000):  # until it has opened the store
                if is_open(small_store, process.pid):
                    break
                time.sleep(0.01)
            time.sleep(0.5)  # the query itself cannot be seen from here; it takes minutes
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        assert (process.returncode, errors) == (130, "error: interrupted; nothing was changed\n")

    def test_schema(self, run: Run, small_store: Path) -> None:
        done = run("sql", "--schema", "--store", small_store)
        assert {row["name"] for row in csv.DictReader(io.StringIO(done.stdout))} >= {"word", "relation", "synonyms"}

    @pytest.mark.parametrize(
        ("query", "message"),
        [
            (
                'FROM synonyms WHERE word = "kind"',
                "Referenced column \"kind\" not found in FROM clause; write text in single quotes ('kind'); ",
            ),
            ("FROM synonym", "Table with name synonym does not exist; 'lexkit sql --schema' shows the tables"),
        ],
    )
    def test_an_unknown_name_says_what_to_do(self, run: Run, small_store: Path, query: str, message: str) -> None:
        done = run("sql", query, "--store", small_store)
        assert done.returncode == 1
        assert message in done.stderr

    def test_a_slow_reader_is_not_a_slow_query(self, small_store: Path) -> None:
        command = with_grace(0.1, "sql", "--timeout", "2", "FROM range(200000)", "--store", str(small_store))
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            time.sleep(2.5)  # beyond the time that a query has to end when it is interrupted
            n_lines = sum(1 for _ in process.stdout)
        assert (first, n_lines, process.returncode) == ("range\n", 200_000, 0)

    @pytest.mark.parametrize(
        ("value", "text"),
        [
            ("direct", "true"),
            ("NOT direct", "false"),
            ("[true, NULL]", "[true, NULL]"),
            ("['a', 'b,c']", "[a, 'b,c']"),
            ("{'a': [1]}", "{'a': [1]}"),
            ("NULL", ""),
            ("DATE 'infinity'", "infinity"),
            ("TIME '24:00:00'", "24:00:00"),
            ("'\\x00'::BLOB", r"\x00"),
        ],
    )
    def test_csv_has_values_as_duckdb_writes_them(self, run: Run, small_store: Path, value: str, text: str) -> None:
        done = run("sql", f"SELECT {value} AS x, 1 AS y FROM relation LIMIT 1", "--store", small_store)
        assert list(csv.reader(io.StringIO(done.stdout))) == [["x", "y"], [text, "1"]]
        shown = run("sql", f"SELECT {value} AS x FROM relation LIMIT 1", "--format", "table", "--store", small_store)
        assert shown.stdout == f"x\n{text}\n"

    def test_json_has_bytes_as_duckdb_writes_them(self, run: Run, small_store: Path) -> None:
        every = "".join(rf"\x{byte:02x}" for byte in range(256))
        values = f"'{every}'::BLOB AS b, ['a\\xFF'::BLOB] AS l, {{'k': 'a\\xFF'::BLOB}} AS s"
        (row,) = json.loads(run("sql", f"SELECT {values}", "--format", "json", "--store", small_store).stdout)
        ((text,),) = duckdb.sql(f"SELECT '{every}'::BLOB::VARCHAR").fetchall()
        assert row == {"b": text, "l": [r"a\xFF"], "s": {"k": r"a\xFF"}}

    @pytest.mark.parametrize("arguments", [[], ["-"]])
    def test_a_query_from_standard_input(self, small_store: Path, arguments: list[str]) -> None:
        done = run_with(
            "-- a comment\nSELECT word\nFROM word WHERE word = 'big'\n", "sql", *arguments, store=small_store
        )
        assert (done.returncode, done.stdout) == (0, "word\nbig\n")

    def test_standard_input_that_is_not_text(self, small_store: Path) -> None:
        done = run_with(b"SELECT 1,\n'\xff'", "sql", "-", store=small_store)
        assert done.returncode == 1
        assert done.stderr == "error: standard input, line 2: invalid UTF-8; convert it to UTF-8\n"

    @pytest.mark.parametrize("form", ["json", "jsonl"])
    def test_what_cannot_be_printed(self, run: Run, small_store: Path, form: str) -> None:
        for value in (
            "DATE 'infinity'",
            "TIMESTAMP '294247-01-10 04:00:54'",
            "[DATE '10000-01-01']",
            "TIME '24:00:00'",
        ):
            done = run("sql", f"SELECT {value} AS d", "--format", form, "--store", small_store)
            assert (done.returncode, done.stdout) == (1, "")
            assert re.fullmatch(r"error: column 'd' has a value .* with ::VARCHAR\n", done.stderr)

    @pytest.mark.parametrize(
        ("value", "name"),
        [
            ("340282366920938463463374607431768211455::UHUGEINT", "UHUGEINT"),
            ("[BIT '101']", "BIT"),
            ("{'a': '9'::BIGNUM}", "BIGNUM"),
            ("TIMETZ '12:00:00+15:59:59'", "TIME WITH TIME ZONE"),
        ],
    )
    def test_types_that_arrow_lacks(self, run: Run, small_store: Path, value: str, name: str) -> None:
        done = run("sql", f"SELECT {value} AS d", "--store", small_store)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"error: column 'd' has the type {name}, which Arrow lacks; make it text with ::VARCHAR\n"

    def test_names_of_such_types_are_no_types(self, run: Run, small_store: Path) -> None:
        done = run("sql", "SELECT {'BIT': 5} AS d, 'BIT'::ENUM('BIT', 'a''BIGNUM') AS e", "--store", small_store)
        assert (done.returncode, done.stdout) == (0, "d,e\n{'BIT': 5},BIT\n")

    def test_columns_of_one_name(self, run: Run, small_store: Path) -> None:
        done = run("sql", "SELECT 1 AS x, 2 AS x", "--store", small_store)
        assert done.stdout.splitlines()[1] == "1,2"

    @pytest.mark.parametrize("form", ["json", "jsonl"])
    @pytest.mark.parametrize(
        "query", ["SELECT 1 AS x, 2 AS x", "SELECT * FROM word a JOIN word b USING (word_id) WHERE false"]
    )
    def test_columns_of_one_name_are_no_json(self, run: Run, small_store: Path, form: str, query: str) -> None:
        done = run("sql", query, "--format", form, "--store", small_store)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: 2 columns are named ")
        assert "AS" in done.stderr
        assert done.stderr.count("\n") == 1

    @pytest.mark.parametrize("query", ["DROP TABLE word", "SELECT 1; SELECT 2", "SELECT * FROM '/etc/passwd'", "SELEC"])
    def test_refusals_are_one_line(self, run: Run, small_store: Path, query: str) -> None:
        done = run("sql", query, "--store", small_store)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith("error: ")
        assert done.stderr.count("\n") == 1

    @pytest.mark.skipif(sys.platform != "linux", reason="memory is limited on Linux only")
    @pytest.mark.parametrize(
        "query",
        [
            "SELECT length(repeat('x', 500000000))",  # in one string
            "SELECT repeat('x', 1000) FROM range(500000)",  # in the result
            "SELECT length(list(i)) FROM range(1000000000) t(i)",  # in an aggregate
        ],
    )
    def test_too_much_memory(self, run: Run, small_store: Path, query: str) -> None:
        done = run("sql", query, "--store", small_store, "--memory", "300", env={})
        assert done.returncode == 1
        assert done.stderr == "error: the query takes too much memory; narrow it, or raise the memory limit\n"

    def test_what_cannot_be_interrupted_is_ended(self, small_store: Path) -> None:
        # one call of a function after the other, each of minutes, in which DuckDB does not look for interrupts
        query = "SELECT sum(length(regexp_replace(repeat('ab', 60000000 + range), 'a*b', 'y', 'g'))) FROM range(1000)"
        command = with_grace(0.5, "sql", query, "--timeout", "0.5", "--store", str(small_store))
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 1
        assert done.stderr.startswith("error: the query took longer than 0.5 s")
        assert done.stderr.count("\n") == 1

    def test_a_query_or_the_schema(self, run: Run, small_store: Path) -> None:
        assert run("sql", "--store", small_store).returncode == 2


class TestStatsAndVerify:
    def test_stats(self, run: Run, starter_store: Path) -> None:
        document = json.loads(run("stats", "--json", "--store", starter_store).stdout)
        with lexkit.open(starter_store) as lexicon:
            counts = lexicon.statistics()
        assert document["words"] == counts.words
        assert [row["kind"] for row in document["kinds"]] == ["synonym", "antonym"]

    def test_stats_are_one_table_in_a_pipe(self, run: Run, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            counts = lexicon.statistics()
        rows = csv.reader(io.StringIO(run("stats", "--store", starter_store).stdout), delimiter="\t")
        assert next(rows) == ["table", "row", "column", "value"]
        values = {tuple(keys): value for *keys, value in rows}
        assert values["rows", "words", "n"] == str(counts.words)
        for kind in counts.kinds:
            assert values["relations", kind.kind, "derived"] == str(kind.derived)
        for source in counts.sources:
            assert values["sources", source.source, "file"] == source.uri
        for rejected in counts.rejections:
            assert values["rejected", f"{rejected.source}: {rejected.reason}", "n"] == str(rejected.n)

    def test_verify(self, run: Run, small_store: Path, tmp_path: Path) -> None:
        import duckdb

        assert run("verify", "--store", small_store).returncode == 0
        broken = tmp_path / "broken.duckdb"
        broken.write_bytes(small_store.read_bytes())
        with duckdb.connect(str(broken)) as connection:
            connection.execute("DELETE FROM evidence WHERE source = 'pairs'")
        done = run("verify", "--store", broken, "--json")
        assert done.returncode == 1
        assert re.fullmatch(r"error: .*broken\.duckdb: fails E109, E202.*; build it again\n", done.stderr)
        assert "E202" in {finding["code"] for finding in json.loads(done.stdout)["findings"]}


def test_a_reader_that_goes_away_is_no_error(small_store: Path) -> None:
    command = [sys.executable, "-m", "lexkit", "sql", "FROM range(200000)", "--store", str(small_store)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == ""


def test_nowhere_to_write(small_store: Path) -> None:
    command = f"{sys.executable} -m lexkit stats --store {small_store} "
    full = subprocess.run(["bash", "-c", command + "> /dev/full"], capture_output=True, text=True, check=False)
    assert full.returncode == 1
    assert full.stderr == "error: output: No space left on device; check the path, its permissions and the disk\n"
    closed = subprocess.run(["bash", "-c", command + ">&-"], capture_output=True, text=True, check=False)
    assert "Traceback" not in closed.stderr
    assert "unexpected" not in closed.stderr


def on_a_terminal(*arguments: str, columns: int = 80, **variables: str) -> str:
    """What a command shows on a terminal."""
    import os
    import pty

    leader, follower = pty.openpty()
    environment = {key: value for key, value in os.environ.items() if key not in ("NO_COLOR", "FORCE_COLOR")}
    environment |= {"COLUMNS": str(columns), "TERM": "xterm-256color"} | variables
    command = [sys.executable, "-m", "lexkit", *arguments]
    with subprocess.Popen(command, stdout=follower, stderr=subprocess.DEVNULL, env=environment) as process:
        os.close(follower)
        shown = b""
        with contextlib.suppress(OSError):  # how Linux tells that the other end has closed
            while block := os.read(leader, 100_000):
                shown += block
        process.wait(timeout=60)
    os.close(leader)
    return shown.decode()


def test_no_word_or_path_is_broken_at_the_edge_of_a_terminal(starter_store: Path, tmp_path: Path) -> None:
    store = tmp_path / ("a folder with a rather long name " * 3).strip() / "lexkit.duckdb"
    store.parent.mkdir()
    pairs = store.parent / "pairs of words.txt"
    pairs.write_text("big large\n", encoding="utf-8")
    lexkit.build(store, pairs=[("synonym", pairs)])
    for command in ("stats", "fetch"):
        shown = on_a_terminal(command, columns=60, LEXKIT_STORE=str(store), LEXKIT_CACHE=str(store.parent))
        assert str(pairs if command == "stats" else store.parent) in shown
    shown = on_a_terminal("sql", "FROM source", "--store", str(store), columns=60)
    with lexkit.open(store) as lexicon:
        (row,) = lexicon.sql("FROM source").to_pylist()
    assert row["sha256"] in shown
    path = "folder/" + "name-with-hyphens-" * 5
    assert path in on_a_terminal("sql", f"SELECT 'in {path}' AS path", "--store", str(store), columns=60)
    assert re.search(r"^sha256 +", re.sub(r"\x1b\[[0-9;]*m", "", shown), re.MULTILINE)


def test_wide_tables_fit_where_they_can(starter_store: Path) -> None:
    query = "SELECT 'some words and more of them ' || i AS a, 'ten words' AS b, i FROM range(3) t(i)"
    for columns in (80, 40, 20):
        shown = re.sub(
            r"\x1b\[[0-9;]*m", "", on_a_terminal("sql", query, "--store", str(starter_store), columns=columns)
        )
        assert all(len(line) <= columns for line in shown.splitlines())
        assert {"some", "words", "more", "them"} <= set(shown.split())


@pytest.mark.parametrize("module", ["click", "duckdb"])
def test_ctrl_c_while_a_module_is_imported_shows_no_traceback(starter_store: Path, tmp_path: Path, module: str) -> None:
    (tmp_path / f"{module}.py").write_text("import os, signal\nos.kill(os.getpid(), signal.SIGINT)\n", encoding="utf-8")
    package = str(Path(lexkit.__file__).parent.parent)
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), package])}
    done = subprocess.run(
        [sys.executable, "-m", "lexkit", "stats", "--store", str(starter_store)],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode in (130, -signal.SIGINT)
    assert done.stdout == ""
    assert done.stderr in ("", "error: interrupted; nothing was changed\n")


def test_words_stay_whole_beside_their_part_of_speech_on_a_narrow_terminal(starter_store: Path) -> None:
    shown = on_a_terminal("lookup", "kind", "--limit", "9", "--store", str(starter_store), columns=20)
    lines = [line.strip() for line in re.sub(r"\x1b\[[0-9;]*m", "", shown).splitlines()]
    assert "kindly, caring," in lines
    assert "adj, derived" in lines
    assert not any(line.startswith(",") for line in lines)


def test_tables_are_drawn_on_a_terminal(starter_store: Path) -> None:
    shown = on_a_terminal("stats", "--store", str(starter_store))
    assert "wiktionary" in shown
    assert "\u2500" in shown  # a drawn line
    assert "\t" not in shown


class TestLookUpOnATerminal:
    @staticmethod
    def shown(*arguments: str, columns: int = 80) -> list[str]:
        return re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal(*arguments, columns=columns)).splitlines()

    @pytest.mark.parametrize("columns", [80, 60])
    def test_words_are_grouped_by_part_of_speech(self, starter_store: Path, columns: int) -> None:
        lines = self.shown("lookup", "kind", "--store", str(starter_store), columns=columns)
        with lexkit.open(starter_store) as lexicon:
            synonyms, antonyms = lexicon.synonyms("kind"), lexicon.antonyms("kind")
        assert f"{len(synonyms)} synonyms" in lines
        assert f"{len(antonyms)} antonyms" in lines
        assert any(re.match("adj +kindly, ", line) for line in lines)
        assert any(re.match("noun +sort, ", line) for line in lines)
        assert any(re.match("adj, derived +", line) for line in lines)
        flat = " ".join(" ".join(lines).split())
        for neighbor in synonyms + antonyms:
            assert neighbor.word in flat
        assert all(len(line) <= columns for line in lines)

    def test_marks_stand_at_the_word_that_they_are_about(self, starter_store: Path) -> None:
        flat = " ".join(" ".join(self.shown("synonyms", "happy", "--store", str(starter_store))).split())
        assert "fain (archaic)" in flat
        assert "glad, " in flat

    def test_a_limit_says_how_many_there_are(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            n = len(lexicon.synonyms("happy"))
        assert f"3 of {n} synonyms" in self.shown("synonyms", "happy", "--limit", "3", "--store", str(starter_store))

    def test_several_words_come_one_after_the_other(self, starter_store: Path) -> None:
        lines = self.shown("lookup", "kind", "happy", "--limit", "2", "--store", str(starter_store))
        assert lines.index("kind") < lines.index("happy")

    def test_colours_unless_they_are_not_wanted(self, starter_store: Path) -> None:
        arguments = ("lookup", "happy", "--store", str(starter_store))
        colour = re.compile(r"\x1b\[[0-9;]*38;5;")
        assert len(set(colour.findall(on_a_terminal(*arguments)))) > 0
        assert not colour.search(on_a_terminal(*arguments, NO_COLOR="1"))

    def test_a_word_that_looks_like_markup(self, tmp_path: Path) -> None:
        pairs = tmp_path / "pairs.txt"
        pairs.write_text("[bold]x[/bold]\tred\n", encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", pairs)])
        assert "[bold]x[/bold]" in on_a_terminal("lookup", "red", "--store", str(tmp_path / "s.duckdb"))

    def test_words_from_right_to_left_and_wide_ones_stay_in_their_columns(self, tmp_path: Path) -> None:
        pairs = tmp_path / "pairs.tsv"
        pairs.write_text("happy\t\u05e9\u05de\u05d7\nhappy\t\u5feb\u4e50\n\u05e9\u05de\u05d7\tglad\n", encoding="utf-8")
        store = str(tmp_path / "s.duckdb")
        lexkit.build(store, pairs=[("synonym", pairs)])
        shown = re.sub(r"\x1b\[[0-9;]*m", "", on_a_terminal("synonyms", "happy", "--store", store))
        assert "\u2068\u05e9\u05de\u05d7\u2069" in shown
        assert "\u2068\u5feb" not in shown  # only where it is needed
        assert "\u2068\u05e9\u05de\u05d7\u2069 and glad" in on_a_terminal(
            "explain", "\u05e9\u05de\u05d7", "glad", "--store", store
        )
        rows = on_a_terminal("sql", "SELECT word, 'x' AS mark FROM word", "--store", store).splitlines()
        ends = {cell_len(row[: row.index("x")]) for row in rows if row.rstrip().endswith("x")}
        assert len(ends) == 1
        piped = subprocess.run(
            [sys.executable, "-m", "lexkit", "synonyms", "happy", "--store", store], capture_output=True, check=True
        )
        assert "\u2068" not in piped.stdout.decode()


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["lookup", "big", "--limit", "9" * 30], "--limit"),
        (["lookup", "big", "--min-confidence", "nan"], "--min-confidence"),
        (["sql", "SELECT 1", "--max-rows", "9" * 30], "--max-rows"),
        (["sql", "SELECT 1", "--memory", "9" * 30], "--memory"),
        (["sql", "SELECT 1", "--timeout", "inf"], "--timeout"),
        (["sql", "SELECT 1", "--timeout", "nan"], "--timeout"),
        (["build", "--jobs", "20000"], "--jobs"),
        (["build", "--max-rejected", "nan"], "--max-rejected"),
    ],
)
def test_numbers_that_no_machine_can_use(run: Run, arguments: list[str], option: str) -> None:
    done = run(*arguments)
    assert done.returncode == 2
    assert f"Invalid value for '{option}'" in done.stderr


def test_an_output_without_the_letters(run: Run, small_store: Path) -> None:
    done = run("sql", "SELECT 'caf\u00e9' AS x", "--store", small_store, env={"PYTHONIOENCODING": "ascii"})
    assert (done.returncode, done.stdout) == (1, "x\n")
    assert done.stderr.startswith(
        "error: standard output uses ascii, which cannot encode '\\xe9'; set the environment variable"
    )


@pytest.mark.parametrize("epoch", ["x", "-1", "9" * 20, "", "1.5"])
def test_a_time_that_is_none(run: Run, tmp_path: Path, epoch: str) -> None:
    (tmp_path / "pairs.txt").write_text("big large\n", encoding="utf-8")
    done = run("build", "--quiet", "--pairs", "synonym=pairs.txt", env={"SOURCE_DATE_EPOCH": epoch})
    assert done.stderr == (
        f"error: SOURCE_DATE_EPOCH={epoch!r}: give seconds since 1970, or unset the variable\n" if epoch else ""
    )


def test_a_name_that_begins_with_a_tilde_and_is_no_user(run: Run, tmp_path: Path) -> None:
    pairs = tmp_path / "pairs.tsv"
    pairs.write_text("big\tlarge\n", encoding="utf-8")
    done = run("build", "--quiet", "--pairs", f"synonym={pairs}", "-o", "~no such user", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    for name in ("~no such user", "./~no such user"):
        done = run("synonyms", "big", "--store", name, cwd=tmp_path)
        assert "large" in done.stdout
    run("report", "--store", "~no such user", "--output", "./~root", cwd=tmp_path)
    assert (tmp_path / "~root").is_file()


def test_the_name_of_a_store_that_is_not_utf_8(run: Run, tmp_path: Path) -> None:
    done = run("lookup", "big", "--store", "a\udcfb.duckdb", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr == "error: a\ufffd.duckdb: its name, or that of a folder, is not UTF-8; rename it\n"
