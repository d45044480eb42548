"""What a source under a non-commercial licence says can be separated from the rest of a store."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import msgspec
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lexkit
from lexkit.morphology.affixes import AffixSet
from lexkit.progress import Progress
from lexkit.sources.batches import Batch, batched
from lexkit.sources.data_files import data_file
from lexkit.sources.plugins import Plugin, Reader
from lexkit.sources.read_report import ReadReport
from lexkit.sources.records import Analysis, Form, Group, Headword, Record, Statement
from lexkit.store import choose_sources, tables
from lexkit.store.files import cursor
from lexkit.store.relate import Derivation, exclude_sources, make_relations
from lexkit.store.staging import Staging

SCHEMA = Path(lexkit.__file__).parent / "store/schema.sql"
WORDS = {"tie", "bind", "loosen", "kind", "unkind", "cruel", "mean", "happy", "unhappy", "fasten", "nice", "faultless"}
HEADS = {"43", "44", "705", "906", "907"}
WORDNET = """<?xml version="1.0"?>
<!DOCTYPE LexicalResource SYSTEM "http://globalwordnet.github.io/schemas/WN-LMF-1.3.dtd">
<LexicalResource xmlns:dc="x"><Lexicon id="w" label="w" language="en" email="x" license="CC-BY-4.0" version="1">
<LexicalEntry id="e1"><Lemma writtenForm="untie" partOfSpeech="v"/><Sense id="s1" synset="y1"/></LexicalEntry>
<LexicalEntry id="e2"><Lemma writtenForm="unbind" partOfSpeech="v"/><Sense id="s2" synset="y1"/></LexicalEntry>
<LexicalEntry id="e3"><Lemma writtenForm="kind" partOfSpeech="a"/><Sense id="s3" synset="y2">
<SenseRelation relType="antonym" target="s4"/></Sense></LexicalEntry>
<LexicalEntry id="e4"><Lemma writtenForm="unkind" partOfSpeech="a"/><Sense id="s4" synset="y3"/></LexicalEntry>
<LexicalEntry id="e5"><Lemma writtenForm="gentle" partOfSpeech="s"/><Sense id="s5" synset="y4"/></LexicalEntry>
<Synset id="y1" ili="in" partOfSpeech="v"/><Synset id="y2" ili="in" partOfSpeech="a"/>
<Synset id="y3" ili="in" partOfSpeech="a"/>
<Synset id="y4" ili="in" partOfSpeech="s"><SynsetRelation relType="similar" target="y2"/></Synset>
</Lexicon></LexicalResource>
"""
MYTHES = "UTF-8\nunkind|1\n(adj)|cruel (similar term)|mean|kind (antonym)\nuntie|1\n(verb)|loosen|tie (antonym)\n"
PAIRS = "unkind cruel\nuntie unbind\nneverheard unkind\nKind kind\naccurate faultless\n"


Contents = dict[str, list[Any]]


class Read(NamedTuple):
    """A source whose records are read."""

    kind: str
    origin: str
    records: tuple[Record | Batch, ...]


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Read]:
    """Some of each reader, as it reads."""
    folder = tmp_path_factory.mktemp("sources")
    lines = data_file("starter/wiktionary.jsonl").read_text("utf-8").splitlines()
    wanted = "\n".join(line for line in lines if msgspec.json.decode(line)["word"] in WORDS)
    head, *rows = gzip.decompress(data_file("starter/roget1911.tsv.gz").read_bytes()).decode().splitlines()
    table = "\n".join([head, *(row for row in rows if row.partition("\t")[0] in HEADS)])
    segmented = data_file("starter/morpholex.tsv").read_text("utf-8")
    segmented += "untie\tVB\t<un<{(tie)}\nfault\tNN\t{(fault)}\nfaultless\tJJ\t{(fault)}>less>\n"
    files = {}
    for name, text in (
        ("w", wanted),
        ("r", table),
        ("m", segmented),
        ("p", PAIRS),
        ("x.xml", WORDNET),
        ("y.dat", MYTHES),
    ):
        files[name] = folder / name
        files[name].write_text(text + "\n", encoding="utf-8")
    options = choose_sources.Options("en", True, "group", 1, Progress())
    others = [("wordnet", files["x.xml"]), ("mythes", files["y.dat"])]
    pairs = [("synonym", files["p"])]
    chosen = choose_sources.choose_sources(files["w"], files["r"], files["m"], pairs, others, options)
    found = {}
    for source in chosen:
        report = ReadReport()
        records = tuple(source.read(source.path, report))
        assert records, source.name
        found[source.name] = Read(source.kind, report.origin or source.origin, records)
    return found


@pytest.fixture(scope="module")
def store(sources: dict[str, Read]) -> Iterator[duckdb.DuckDBPyConnection]:
    with build(sources) as connection:
        yield connection


def build(sources: Mapping[str, Read], language: str = "en", affixes: AffixSet = "common") -> duckdb.DuckDBPyConnection:
    """Do what a build does of the sources, in memory."""
    connection = duckdb.connect(config={"threads": 1})
    connection.execute("ATTACH ':memory:' AS store; USE store.main;" + SCHEMA.read_text("utf-8"))
    with Staging(connection) as staging:
        for name, source in sources.items():
            staging.add(name, batched(source.records))
            row = [name, source.kind, source.origin, name, "", 0, None, 1, 0, ""]
            connection.execute("INSERT INTO source VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
    make_relations(connection, Derivation(language, affixes))
    options = json.dumps({"language": language, "affixes": affixes})
    connection.execute("INSERT INTO meta VALUES ('options', ?)", [options])
    return connection


def contents(connection: duckdb.DuckDBPyConnection) -> Contents:
    """Return all that a connection sees of what relations are made of, with words for ids."""
    of_word = "JOIN word USING (word_id) ORDER BY ALL"
    statements = {
        "source": "SELECT * EXCLUDE (read_at, n_rejected) FROM source ORDER BY source",
        "word": "SELECT * EXCLUDE (word_id) FROM word ORDER BY word_id",
        "morphology": f"SELECT word, morphology.* EXCLUDE (word_id) FROM morphology {of_word}",
        "negation": "SELECT w.word, b.word AS base, n.* EXCLUDE (word_id, base_id) FROM negation n"
        " JOIN word w USING (word_id) JOIN word b ON b.word_id = base_id ORDER BY ALL",
    }
    found = {name: connection.sql(statement).to_arrow_table().to_pylist() for name, statement in statements.items()}
    found["relation"] = tables.relations(connection).to_pylist()
    found["evidence"] = tables.evidence(connection).to_pylist()
    return found


def assert_separable(sources: Mapping[str, Read], excluded: Iterable[str], **options: Any) -> None:
    """Check that a store without some of its sources is a store that is built without them."""
    with build(sources, **options) as store:
        found = contents_without(store, excluded)
    assert_equal(found, contents_of({name: read for name, read in sources.items() if name not in excluded}, **options))


def contents_without(store: duckdb.DuckDBPyConnection, excluded: Iterable[str]) -> Contents:
    with cursor(store) as free:
        exclude_sources(free, list(excluded))
        return contents(free)


def contents_of(sources: Mapping[str, Read], **options: Any) -> Contents:
    with build(sources, **options) as store:
        return contents(store)


def assert_equal(found: Contents, wanted: Contents) -> None:
    for name, rows in wanted.items():
        assert found[name] == rows, name


class TestTables:
    @pytest.mark.parametrize("excluded", ["wiktionary", "roget", "morpholex", "pairs", "wordnet", "mythes"])
    def test_each_reader_can_be_left_out(
        self, sources: dict[str, Read], store: duckdb.DuckDBPyConnection, excluded: str
    ) -> None:
        others = {name: read for name, read in sources.items() if name != excluded}
        assert_equal(contents_without(store, [excluded]), contents_of(others))

    def test_parts_of_speech_of_analyses_go_with_them(self) -> None:
        """MorphoLEX alone knows untie as a verb, and able at all."""
        sources = {
            "plugin": Read("plugin", "plugin", (Statement("untie", "loose", "synonym", "adj"), Headword("tie"))),
            "morpholex": Read(
                "morpholex",
                "morpholex",
                (
                    Analysis("untie", "<un<{(tie)}", ("un",), ("tie",), (), ("verb",)),
                    Analysis("unable", "<un<{(able)}", ("un",), ("able",), (), ("adj",)),
                    Analysis("able", "{(able)}", (), ("able",), (), ("adj",)),
                ),
            ),
        }
        with build(sources) as store, cursor(store) as free:
            exclude_sources(free, ["morpholex"])
            assert (_own_rule(store, "tie", "untie"), _own_rule(free, "tie", "untie")) == ("reversal", "negation")
            assert (_own_rule(store, "able", "unable"), _own_rule(free, "able", "unable")) == ("negation", None)
        assert_separable(sources, ["morpholex"])

    # All 665 hold, which takes minutes
    @settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    @given(
        st.lists(st.sampled_from(("absent", "free", "free", "excluded")), min_size=6, max_size=6),
        st.sampled_from(("common", "all", "none")),
    )
    def test_combinations(self, sources: dict[str, Read], states: list[str], affixes: AffixSet) -> None:
        state = dict(zip(sources, states, strict=True))
        some = {name: read for name, read in sources.items() if state[name] != "absent"}
        assert_separable(some, [name for name in some if state[name] == "excluded"], affixes=affixes)

    @settings(max_examples=6, deadline=None)
    @given(st.data())
    def test_any_sources(self, data: st.DataObject) -> None:
        sources = {f"s{i}": data.draw(_READ) for i in range(data.draw(st.integers(1, 3)))}
        if data.draw(st.booleans()):
            sources["morpholex"] = Read("morpholex", "morpholex", data.draw(_ANALYSES))
        excluded = data.draw(st.sets(st.sampled_from(sorted(sources)), min_size=1))
        assert_separable(sources, excluded, affixes=data.draw(st.sampled_from(("common", "all"))))


def _own_rule(connection: duckdb.DuckDBPyConnection, base: str, word: str) -> str | None:
    rows = tables.evidence(connection).to_pylist()
    return next((row["rule"] for row in rows if (row["word_a"], row["word_b"]) == (base, word)), None)


_WORD = st.sampled_from(
    "tie untie bind unbind kind Kind unkind cruel hope hopeless hopeful lock unlock hopelessness big abo".split()
)
_POS = st.sampled_from((None, "verb", "noun", "adj"))
_SENSE = st.sampled_from((None, "a sense", "1 Head ¶ 1", "2 Head ¶ 1"))
_USAGE = st.sampled_from(((), ("archaic",), ("slang", "vulgar")))
_SCOPE = st.sampled_from((None, "indirect", "similar", "group"))


def _statement(words: list[str]) -> st.SearchStrategy[Statement]:
    kinds = st.sampled_from(("synonym", "antonym"))
    return st.builds(Statement, st.just(words[0]), st.just(words[1]), kinds, _POS, _SENSE, _SCOPE, _USAGE, _USAGE)


def _group(words: list[str]) -> st.SearchStrategy[Group]:
    usage = st.sampled_from(((), (("slang",),) * len(words)))
    return st.builds(Group, st.just(tuple(words)), _POS, _SENSE, _SCOPE, usage, st.sampled_from(((), ((1, 2),))))


_RECORD = st.one_of(
    st.lists(_WORD, min_size=2, max_size=2, unique=True).flatmap(_statement),
    st.lists(_WORD, min_size=2, max_size=4, unique=True).flatmap(_group),
    st.builds(Headword, _WORD),
    st.builds(Form, st.just("hopes"), st.just("hope"), st.just("inflection")),
)
_READ = st.builds(
    Read,
    st.sampled_from(("pairs", "wordnet", "roget", "plugin")),
    st.sampled_from(("one", "another")),  # of one origin, some may be free and some not
    st.lists(_RECORD, max_size=8).map(tuple),
)
_ANALYSES = st.lists(
    st.sampled_from(
        (
            Analysis("untie", "<un<{(tie)}", ("un",), ("tie",), (), ("verb",)),
            Analysis("unbind", "<un<{(bind)}", ("un",), ("bind",), (), ("noun",)),
            Analysis("kind", "{(kind)}", (), ("kind",), (), ("adj", "noun")),
            Analysis("hopeless", "{(hope)}>less>", (), ("hope",), ("less",), ("adj",)),
            Analysis("lock", "{(lock)}", (), ("lock",), ()),
        )
    ),
    unique=True,
).map(tuple)


ES = """synonym feliz contento
antonym infeliz contento
synonym infeliz triste
synonym atar ligar
"""
NON_COMMERCIAL = """synonym desatar soltar
antonym desatar ligar
antonym triste alegre
synonym infeliz desdichado
"""


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have `--source said=FILE` read files whose first line is their licence."""

    def read(path: Path, report: ReadReport, language: str) -> Iterator[Statement]:
        licence, *lines = path.read_text("utf-8").splitlines()
        report.licence = licence or None
        for line in lines:
            report.n_records += 1
            kind, word, other = line.split()
            yield Statement(word, other, kind, "verb" if word.endswith("ar") else "adj")  # type: ignore[arg-type]

    reader = Reader("said", "lines", read, None, None)
    monkeypatch.setattr(choose_sources, "find", lambda name: Plugin(name, "tests 1", reader))


@pytest.mark.usefixtures("plugin")
class TestExports:
    def test_an_export_is_that_of_a_build_without(self, tmp_path: Path, write_tokenizer: Callable[..., Path]) -> None:
        """Three of four files forbid commercial use, in their own ways; of one, nobody knows."""
        tokenizer = write_tokenizer(tmp_path / "bytes" / "tokenizer.json")
        licences = ("", "CC0-1.0", "CC-BY-NC-SA-4.0", "cc-by-nc 3.0", "Creative Commons Attribution-NonCommercial")
        files = []
        for place, licence in enumerate(licences):
            files.append(("said", tmp_path / str(place)))
            files[-1][1].write_text(f"{licence}\n{ES if place < 2 else NON_COMMERCIAL}", encoding="utf-8")
        made: dict[str, Any] = {"language": "es", "affixes": "all", "tokenizers": [f"bytes={tokenizer}"], "jobs": 1}
        lexkit.build(tmp_path / "all", sources=files, **made)
        lexkit.build(tmp_path / "some", sources=files[:2], **made)
        for place, options in enumerate(({}, {"tokenizer": "bytes"}, {"min_confidence": 0.85, "archaic": False})):
            found, wanted = tmp_path / f"free{place}", tmp_path / f"without{place}"
            lexkit.export(tmp_path / "all", found, licence_free_of="nc", **options)
            lexkit.export(tmp_path / "some", wanted, **options)
            for file in wanted.glob("*.parquet"):
                table, other = pq.read_table(found / file.name), pq.read_table(file)
                assert table.equals(other)
                assert table.num_rows
                facts, others = (json.loads(each.schema.metadata[b"lexkit"]) for each in (table, other))
                assert facts.pop("left_out") == ["said:3", "said:4", "said:5"]
                assert others.pop("left_out") == []
                assert facts == others
            lines, others = ((each / "README.md").read_text("utf-8").splitlines() for each in (found, wanted))
            place = next(number for number, line in enumerate(lines) if line.startswith("Everything that depends on"))
            assert lines[:place] + lines[place + 2 :] == others
        assert "| said | 0 | unknown to lexkit; ask the author |" in lines

    def test_nothing_is_left_of_a_store_of_such_sources_alone(self, tmp_path: Path) -> None:
        (tmp_path / "nc").write_text("CC-BY-NC-4.0\nantonym big small\n", encoding="utf-8")
        lexkit.build(tmp_path / "s", sources=[("said", tmp_path / "nc")], jobs=1)
        done = lexkit.export(tmp_path / "s", tmp_path / "out", licence_free_of="nc")
        assert [file.rows for file in done] == [0, 0]
