from __future__ import annotations

import hashlib
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

import lexkit
from lexkit.errors import PluginError, SourceError
from lexkit.sources import plugin_reading
from lexkit.sources.files import fingerprint
from lexkit.sources.plugins import Plugin, Reader, find, installed
from lexkit.sources.read_report import OwnReason, ReadReport, Reason
from lexkit.sources.records import Analysis, Group, Headword, Statement
from lexkit.sources.validation import keep_valid

Run = Callable[..., subprocess.CompletedProcess[str]]
DOCS = Path(__file__).resolve().parents[3] / "docs/plugins.md"

READS = """
from lexkit.sources.plugins import Reader
from lexkit.sources.records import *
def read(path, report, language):
    report.n_records += 1
    {body}
READER = Reader("A title", "text", read, "CC0-1.0", "A citation.")
"""
PAIR = READS.format(body="yield Statement('small', 'little', 'synonym')")


def block(name: str) -> str:
    (text,) = re.findall(rf"<!-- {name} -->\n```\w+\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    return str(text)


def stores(path: Path, *rows: str) -> list[tuple[Any, ...]]:
    with lexkit.open(path) as lexicon:
        return [tuple(row.values()) for row in lexicon.sql(" ".join(rows)).to_pylist()]


class TestTheExampleOfTheDocs:
    @pytest.fixture
    def glossary(self, packages: Any, tmp_path: Path) -> Path:
        project = msgspec.toml.decode(block("file: pyproject.toml"))["project"]
        code = block("file: lexkit_glossary.py")
        packages.add(
            project["name"], "lexkit_glossary", code, project["entry-points"]["lexkit.sources"], project["version"]
        )
        file = tmp_path / "colours.txt"
        file.write_text(block("file: colours.txt"), encoding="utf-8")
        return file

    def test_prints_what_is_shown(self, glossary: Path, packages: Any, run: Run) -> None:
        output = ""
        for command in block("commands").splitlines():
            done = run(*shlex.split(command)[1:], env=packages.environment)
            assert done.stderr == ""
            output += done.stdout
        assert output == block("output")

    def test_works_from_python(self, glossary: Path, tmp_path: Path) -> None:
        lexkit.build(tmp_path / "s.duckdb", sources=[("glossary", glossary), ("glossary", glossary)])
        with lexkit.open(tmp_path / "s.duckdb") as lexicon:
            assert [n.word for n in lexicon.synonyms("scarlet")] == ["vermilion", "cardinal red"]
            assert lexicon.relation("pale", "vivid") == ["antonym"]
            assert lexicon.sources() == ["glossary", "glossary:2"]

    def test_is_listed(self, glossary: Path, packages: Any, run: Run) -> None:
        done = run("sources", "--json", env=packages.environment)
        readers = {reader["name"]: reader for reader in json.loads(done.stdout)}
        assert readers["glossary"] == {
            "name": "glossary",
            "package": "lexkit-glossary 1.0",
            "option": "--source glossary=PATH",
            "title": "Glossaries of Example Press",
            "reads": "text with a word and its synonyms on each line",
            "licence": "CC0-1.0",
            "licence_note": "",
            "citation": "Example Press: Glossaries. 2026.",
        }
        assert done.stderr == ""

    def test_can_be_installed_by_pip(self, tmp_path: Path, run: Run) -> None:
        pytest.importorskip("hatchling", reason="the example's build backend is not installed")
        package = tmp_path / "package"
        package.mkdir()
        for name in ("pyproject.toml", "lexkit_glossary.py"):
            (package / name).write_text(block(f"file: {name}"), encoding="utf-8")
        target = tmp_path / "target"
        pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet", "--no-index"]
        options = ["--no-deps", "--no-build-isolation", "--target", str(target), str(package)]
        subprocess.run([*pip, *options], check=True, timeout=120, cwd=tmp_path)
        done = run("sources", env={"PYTHONPATH": f"{target}:{Path(lexkit.__file__).parents[1]}"})
        assert "\nglossary\tlexkit-glossary 1.0\t" in done.stdout


class TestList:
    def test_has_lexkits_own_readers_with_licence_and_citation(self) -> None:
        listed, problems = installed()
        assert problems == []
        by_name = {reader.name: reader for reader in listed}
        assert {"wiktionary", "roget", "morpholex", "pairs", "wordnet", "mythes"} <= set(by_name)
        for reader in listed:
            assert reader.licence or reader.licence_note, reader.name
            assert reader.citation or reader.name == "pairs", reader.name
        assert by_name["morpholex"].licence == "CC-BY-NC-SA-4.0"
        assert by_name["pairs"].option == "--pairs KIND[@ORIGIN]=FILE"

    def test_goes_on_after_a_broken_reader(self, packages: Any, run: Run) -> None:
        packages.add("good", "good_reader", PAIR, {"good": "good_reader:READER"})
        packages.add("bad", "bad_reader", "import no_such_module", {"bad": "bad_reader:READER"})
        done = run("sources", env=packages.environment)
        assert done.returncode == 0
        names = [line.split("\t")[0] for line in done.stdout.splitlines()]
        assert "good" in names
        assert "bad" not in names
        (line,) = done.stderr.splitlines()
        assert line.startswith("warning: plugin 'bad' of bad 1.0 cannot be loaded: ModuleNotFoundError: ")


class TestFinding:
    def test_an_unknown_name_tells_those_there_are(self) -> None:
        with pytest.raises(PluginError, match=r"no reader is called 'wordnt', only .*wordnet"):
            find("wordnt")

    def test_two_packages_with_one_name_are_an_error(self, packages: Any, run: Run, tmp_path: Path) -> None:
        for package in ("one", "two"):
            packages.add(package, f"reader_{package}", PAIR, {"same": f"reader_{package}:READER"})
        done = run("build", "--source", f"same={__file__}", env=packages.environment)
        assert done.returncode == 1
        assert done.stderr == ("error: one 1.0 and two 1.0 each have a reader called 'same'; uninstall all but one\n")
        assert not (tmp_path / "lexkit.duckdb").exists()

    @pytest.mark.parametrize("name", ["roget", "pairs", "affix", "rules", "Upper", "a,b", "a:b", "a b"])
    def test_names_that_a_store_cannot_tell_apart_are_refused(self, packages: Any, name: str) -> None:
        packages.add("thief", "thief_reader", PAIR, {name: "thief_reader:READER"})
        (problem,) = installed()[1]
        assert problem.startswith(f"plugin {name!r} of thief 1.0: ")
        assert problem.endswith("its authors must choose another")

    @pytest.mark.parametrize(
        ("code", "message"),
        [
            ("1 / 0", "cannot be loaded: ZeroDivisionError: division by zero"),
            ("raise SystemExit(0)", "cannot be loaded: SystemExit: 0"),
            ("raise ValueError('two\\nlines')", "cannot be loaded: ValueError: two lines"),
            ("READ = 1", "cannot be loaded: AttributeError"),
            ("def READER(): pass", "is a function, not a lexkit.sources.plugins.Reader"),
            (PAIR + "READER = Reader", "is a type, not a lexkit.sources.plugins.Reader"),
            (PAIR + "READER = Reader('t', 'r', 'read', None, None)", "has a read that is not a function"),
            (PAIR + "READER = Reader('t', None, read, None, None)", "has a reads that is not a string"),
            (PAIR + "READER = Reader('t', 'r', read, 3, None)", "has a licence that is neither text nor None"),
        ],
    )
    def test_broken_packages_are_named_in_one_line(self, packages: Any, code: str, message: str) -> None:
        packages.add("fool", "fool_reader", code, {"fool": "fool_reader:READER"})
        with pytest.raises(PluginError) as caught:
            find("fool")
        assert str(caught.value).startswith("plugin 'fool' of fool 1.0")
        assert message in str(caught.value)
        assert "\n" not in str(caught.value)


def plugin(records: Iterable[Any] | Callable[[Path, ReadReport, str], Any]) -> Plugin:
    def read(path: Path, report: ReadReport, language: str) -> Iterator[Any]:
        for record in records:  # type: ignore[union-attr]
            report.n_records += 1
            yield record

    return Plugin("fool", "fool 1.0", Reader("t", "r", records if callable(records) else read, None, None))


def tidied(records: Iterable[Any] | Callable[[Path, ReadReport, str], Any]) -> tuple[list[Any], ReadReport]:
    report = ReadReport()
    batches = keep_valid(plugin_reading.read_with_plugin(Path("file"), report, plugin(records), "en"), report)
    return [record for batch in batches for record in batch.records()], report


class TestRecords:
    def test_words_are_brought_into_the_spelling_of_the_store(self) -> None:
        records, _ = tidied(
            [
                Headword(" a  b "),
                Statement("cafe\u0301", "x\u00a0y", "synonym", "noun", " one\n sense "),
                Group(("a", " a", "b"), None, ""),
                Group(["c", "c "]),  # type: ignore[arg-type]
                Statement("a", "b", "antonym", None, "lone \udce9"),
            ]
        )
        assert records == [
            Headword("a b"),
            Headword("c"),
            Statement("caf\u00e9", "x y", "synonym", "noun", "one sense"),
            Statement("a", "b", "antonym", None, "lone"),
            Group(("a", "b")),
        ]

    def test_what_is_no_word_or_related_to_itself_is_counted(self) -> None:
        records, report = tidied(
            [Headword("12"), Statement("a", "", "synonym"), Statement("a", "a ", "antonym"), Group(("1", "\ud800"))]
        )
        assert records == []
        assert report.rejected == {Reason.NOT_A_WORD: 4, Reason.SELF: 1}  # a statement counts once, a group by words
        assert report.examples[Reason.SELF] == "its 3rd record: a"

    @pytest.mark.parametrize(
        ("record", "reason", "example"),
        [
            (Statement("a", "b", "synonym", "noun,verb"), Reason.NOT_A_NAME, "noun,verb"),
            (Statement("a", "b", "synonym", ""), Reason.NOT_A_NAME, ""),
            (Statement("a", "b", "synonym", None, None, "\x1b[2J"), Reason.NOT_A_NAME, "\ufffd[2J"),
            (Statement("a", "b", "synonym", usage=("odd",)), Reason.UNKNOWN_LABEL, "odd"),
            (Group(("a", "b"), usage=(("slang",),)), Reason.MALFORMED, "2 words but labels for 1"),
            (Group(("a", "b"), apart=((1, 10**30),)), Reason.MALFORMED, f"places (1, {10**30}) of 2 words"),
            (Group(tuple(f"w{n}" for n in range(1001))), Reason.TOO_MANY, "w0, w1 ..."),
            (Headword("ha" * 501), Reason.NOT_A_WORD, "ha" * 80),
        ],
    )
    def test_what_is_at_fault_is_refused_and_counted(self, record: Any, reason: Reason, example: str) -> None:
        records, report = tidied([Headword("good"), record])
        assert records == [Headword("good")]
        assert report.rejected == {reason: 1}
        assert report.examples == {reason: f"its 2nd record: {example}"}

    def test_a_long_gloss_is_cut_and_counted(self) -> None:
        records, report = tidied([Statement("a", "b", "synonym", None, "so " * 4000)])
        assert records == [Statement("a", "b", "synonym", None, ("so " * 4000)[:10_000].strip())]
        assert report.rejected == {Reason.LONG_GLOSS: 1}

    @pytest.mark.parametrize(
        ("number", "ordinal"), [(1, "1st"), (2, "2nd"), (11, "11th"), (22, "22nd"), (112, "112th"), (24723, "24,723rd")]
    )
    def test_the_place_is_the_number_of_the_record(self, number: int, ordinal: str) -> None:
        _, report = tidied([Headword("a")] * (number - 1) + [Headword("12")])
        assert report.examples[Reason.NOT_A_WORD] == f"its {ordinal} record: 12"

    def test_or_the_line_that_the_reader_says(self) -> None:
        def read(path: Path, report: ReadReport, language: str) -> Iterator[Any]:
            for report.line in (7, 8, 9):
                report.n_records += 1
                yield Statement("a", "a" if report.line == 8 else "b", "synonym")

        assert tidied(read)[1].examples[Reason.SELF] == "line 8: a"

    @pytest.mark.parametrize(
        ("record", "message"),
        [
            ("a", "'a', which is not a Headword"),
            (None, "None, which is not a Headword"),
            (("a", "b", "synonym"), "which is not a Headword"),
            (Analysis("a", "{(a)}", (), ("a",), ()), "which is not a Headword"),
            (Headword(b"a"), "word=b'a'): Expected `str`, got `bytes`"),  # type: ignore[arg-type]
            (Statement("a", None, "synonym"), "Expected `str`, got `null` - at `$[1]`"),  # type: ignore[arg-type]
            (Statement("a", "b", "hypernym"), "Invalid enum value 'hypernym'"),  # type: ignore[arg-type]
            (Statement("a", "b", ["synonym"]), "Expected `str`, got `array`"),  # type: ignore[arg-type]
            (Statement("a", "b", "synonym", None, 3), "Expected `str | null`, got `int`"),  # type: ignore[arg-type]
            (Group("ab"), "Expected `array`, got `str`"),  # type: ignore[arg-type]
            (Group(("a", 1)), "Expected `str`, got `int`"),  # type: ignore[arg-type]
            (Group(("a", "b"), apart=((1.5, 2),)), "Expected `int`, got `float`"),  # type: ignore[arg-type]
        ],
    )
    def test_what_no_store_can_hold_ends_the_build(self, record: Any, message: str) -> None:
        with pytest.raises(PluginError) as caught:
            tidied([Headword("good"), record])
        assert str(caught.value).startswith("plugin 'fool' of fool 1.0 yields as record 2 of file ")
        assert message in str(caught.value)

    @pytest.mark.parametrize(
        ("read", "message"),
        [
            (lambda path, report, language: 3, "fails after 0 records of file: TypeError: "),
            (lambda path, report: [], "fails after 0 records of file: TypeError: "),
            (lambda path, report, language: {}[path], "fails after 0 records of file: KeyError: "),
            (lambda path, report, language: sys.exit(0), "fails after 0 records of file: SystemExit: 0; report"),
            (lambda path, report, language: [Headword("a")], "does not count the records of file"),
            (lambda path, report, language: report.reject(Reason.MALFORMED, "x") or [], "does not count the records"),
            (lambda path, report, language: setattr(report, "n_records", 10**30) or [Headword("a")], "does not count"),
            (lambda path, report, language: setattr(report, "n_records", "1") or [Headword("a")], "does not count"),
            (lambda path, report, language: report.reject("odd", "x") or [], "fails after 0 records of file: Attri"),
            (
                lambda path, report, language: setattr(report, "licence", 4) or [],
                "gives file a licence that is neither text",
            ),
        ],
    )
    def test_readers_that_fail_are_named_in_one_line(self, read: Any, message: str) -> None:
        with pytest.raises(PluginError) as caught:
            tidied(read)
        assert str(caught.value).startswith(f"plugin 'fool' of fool 1.0 {message}")
        assert str(caught.value).endswith("; report it to its authors")

    def test_what_a_reader_says_of_the_file_is_passed_on(self) -> None:
        def read(path: Path, report: ReadReport, language: str) -> Any:
            raise SourceError(f"{path}: no glossary; check the path")

        with pytest.raises(SourceError, match=r"^file: no glossary; check the path$"):
            tidied(read)


class TestBuild:
    @pytest.mark.parametrize(
        ("body", "message"),
        [
            ("yield Headword('a'); raise OSError(5, 'Input/output error')", "fails after 1 records of "),
            ("yield Statement('a', 'b', 'hyponym')", "yields as record 1 of "),
        ],
    )
    def test_a_failing_plugin_leaves_the_old_store(
        self, packages: Any, run: Run, tmp_path: Path, body: str, message: str
    ) -> None:
        packages.add("fool", "failing_reader", READS.format(body=body), {"fool": "failing_reader:READER"})
        (tmp_path / "pairs").write_text("big large\n", encoding="utf-8")
        assert run("build", "--quiet", "--pairs", "synonym=pairs").returncode == 0
        before = (tmp_path / "lexkit.duckdb").read_bytes()
        done = run("build", "--source", "fool=pairs", env=packages.environment)
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr.startswith(f"error: plugin 'fool' of fool 1.0 {message}pairs")
        assert done.stderr.count("\n") == 1
        assert (tmp_path / "lexkit.duckdb").read_bytes() == before
        assert sorted(path.name for path in tmp_path.iterdir()) == ["lexkit.duckdb", "pairs", "site-packages"]

    def test_own_reasons_are_in_the_store_and_stop_a_build_where_they_are_faults(
        self, packages: Any, tmp_path: Path
    ) -> None:
        code = PAIR.replace("report.n_records += 1", "report.n_records += 2; report.reject(OWN, 'x', line=7)")
        code = f"from lexkit.sources.read_report import OwnReason\nOWN = OwnReason('out of tune', bad=True)\n{code}"
        packages.add("own", "own_reader", code, {"own": "own_reader:READER"})
        store = tmp_path / "s.duckdb"
        with pytest.raises(SourceError, match=r"1 of 2 records are bad, first at line 7: out of tune; .* above 0\.5"):
            lexkit.build(store, sources=[("own", __file__)])
        lexkit.build(store, sources=[("own", __file__)], max_rejected=0.5)
        assert stores(store, "SELECT * FROM rejection") == [("own", "out of tune", 1, "line 7: x")]

    def test_nothing_in_a_file_is_told(self, packages: Any) -> None:
        packages.add("none", "none_reader", READS.format(body="return iter(())"), {"none": "none_reader:READER"})
        with pytest.raises(SourceError, match=r"none of its .* records can be used; .* file for --source none$"):
            lexkit.build("no-store", sources=[("none", __file__)])

    def test_language_is_passed_on(self, packages: Any, tmp_path: Path) -> None:
        packages.add("l", "l_reader", READS.format(body="yield Headword('in ' + language)"), {"l": "l_reader:READER"})
        lexkit.build(tmp_path / "s.duckdb", sources=[("l", __file__)], language="la")
        assert stores(tmp_path / "s.duckdb", "SELECT word FROM word") == [("in la",)]

    def test_a_folder_is_taken_by_readers_of_folders_only(self, packages: Any, tmp_path: Path) -> None:
        takes = PAIR.replace('"A citation.")', '"A citation.", folders=True)')
        packages.add("both", "file_reader", PAIR, {"file": "file_reader:READER"})
        packages.add("folders", "folder_reader", takes, {"folder": "folder_reader:READER"})
        folder = tmp_path / "data"
        folder.mkdir()
        with pytest.raises(SourceError, match="empty folder"):
            lexkit.build(tmp_path / "s.duckdb", sources=[("folder", folder)])
        (folder / "b").write_bytes(b"bb")
        (folder / "a").write_bytes(b"a")
        with pytest.raises(SourceError, match="a folder, not a file"):
            lexkit.build(tmp_path / "s.duckdb", sources=[("file", folder)])
        lexkit.build(tmp_path / "s.duckdb", sources=[("folder", folder)])
        lines = "".join(f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in (("a", b"a"), ("b", b"bb")))
        digest = hashlib.sha256(lines.encode()).hexdigest()
        assert stores(tmp_path / "s.duckdb", "SELECT sha256, bytes FROM source") == [(digest, 3)]
        assert fingerprint(folder) == (digest, 3)


@pytest.mark.slow
class TestBuiltInReadersByName:
    def test_are_the_same_as_by_their_options(self, tmp_path: Path, shared: Callable[[str], Path]) -> None:
        roget = shared("roget/roget10681.txt")
        counts = [
            lexkit.build(tmp_path / "s.duckdb", roget=roget).statistics,
            lexkit.build(tmp_path / "s.duckdb", sources=[("roget", roget)]).statistics,
        ]
        assert counts[0] == counts[1]

    def test_pairs_want_their_kind(self) -> None:
        with pytest.raises(SourceError, match="give the file with --pairs KIND=FILE"):
            lexkit.build("no-store", sources=[("pairs", __file__)])

    def test_morpholex_is_one_file(self) -> None:
        with pytest.raises(SourceError, match="a second file of MorphoLEX"):
            lexkit.build("no-store", morpholex=__file__, sources=[("morpholex", __file__)])

    @pytest.mark.parametrize("value", ["wordnet", "=x", "wordnet="])
    def test_name_and_path_are_both_needed(self, run: Run, value: str) -> None:
        done = run("build", "--source", value)
        assert done.returncode == 2
        assert "is not NAME=PATH." in done.stderr


class TestOwnReason:
    def test_reasons_of_one_text_are_one(self) -> None:
        report = ReadReport()
        report.reject(OwnReason("odd"), "a")
        report.reject(OwnReason("odd", bad=True), "b")
        assert report.rejected == {OwnReason("odd"): 2}
        assert report.n_bad == 1

    @pytest.mark.parametrize("text", ["", " ", "two\nlines", "a malformed record"])
    def test_a_text_is_one_line_and_new(self, text: str) -> None:
        with pytest.raises(ValueError, match=r"is not a reason|use that"):
            OwnReason(text)
