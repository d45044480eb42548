from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

import lexkit
from lexkit.errors import ArgumentError, QueryError, StoreError
from lexkit.sources.records import Kind
from lexkit.store.lexicon import Lexicon
from lexkit.store.verify import verify_store

KINDS: tuple[Kind, ...] = ("synonym", "antonym")


@pytest.fixture(scope="module")
def lexicon(starter_store: Path) -> Iterator[Lexicon]:
    with lexkit.open(starter_store) as opened:
        yield opened


def test_look_up(lexicon: Lexicon) -> None:
    assert "unhappy" in {neighbor.word for neighbor in lexicon.antonyms("happy")}
    assert "cheerful" in {neighbor.word for neighbor in lexicon.synonyms("happy")}
    assert lexicon.synonyms("no such word at all") == []


def test_the_best_answers_come_first(lexicon: Lexicon) -> None:
    found = lexicon.antonyms("kind")
    keys = [(-n.weight, n.word) for n in found]
    assert keys == sorted(keys)
    assert found[0].word == "unkind"
    rows = lexicon.sql("SELECT antonym FROM antonyms WHERE word = 'kind' ORDER BY weight DESC, antonym").to_pylist()
    assert [row["antonym"] for row in rows] == [n.word for n in found]


def test_parts_of_speech(lexicon: Lexicon) -> None:
    pos = {neighbor.word: neighbor.pos for neighbor in lexicon.synonyms("kind")}
    assert pos["breed"] == ("noun",)
    assert pos["friendly"] == ("adj",)


def test_options(lexicon: Lexicon) -> None:
    everything = lexicon.antonyms("kind")
    stated = lexicon.antonyms("kind", direct=True)
    assert stated == [n for n in everything if n.direct] != everything
    assert lexicon.antonyms("kind", source="roget") == [n for n in everything if "roget" in n.sources]
    assert lexicon.antonyms("kind", limit=2) == everything[:2]


def test_case_matters_only_where_it_tells_words_apart(lexicon: Lexicon) -> None:
    assert lexicon.find("HAPPY") == ["happy"]
    assert lexicon.synonyms("  Happy ") == lexicon.synonyms("happy")
    assert lexicon.find("god") != lexicon.find("God")


def test_both_directions_agree_with_the_table(lexicon: Lexicon) -> None:
    rows = lexicon.sql(
        "SELECT a.word AS a, b.word AS b, kind FROM relation JOIN word a ON a.word_id = word_a"
        " JOIN word b ON b.word_id = word_b ORDER BY hash(word_a, word_b) LIMIT 300"
    ).to_pylist()
    for row in rows:
        assert row["kind"] in lexicon.relation(row["a"], row["b"])
        assert row["kind"] in lexicon.relation(row["b"], row["a"])


@pytest.mark.parametrize("kind", ["synonym", "antonym"])
def test_the_views_are_symmetric_and_complete(lexicon: Lexicon, kind: str) -> None:
    (count,) = lexicon.sql(f"SELECT count(*) AS n FROM {kind}s").to_pylist()
    (relations,) = lexicon.sql("SELECT count(*) AS n FROM relation WHERE kind = ?", [kind]).to_pylist()
    assert count["n"] == 2 * relations["n"]
    one_way = lexicon.sql(f"SELECT word, {kind} FROM {kind}s EXCEPT SELECT {kind}, word FROM {kind}s")
    assert one_way.num_rows == 0
    columns = ["word", kind, "direct", "n_sources", "sources", "contested", "pos", "same_pos"]
    columns += ["usage", "confidence", "weight"]
    assert lexicon.sql(f"SELECT * FROM {kind}s LIMIT 1").column_names == columns


def test_explain_tells_where_a_derived_relation_comes_from(lexicon: Lexicon) -> None:
    found = lexicon.explain("friendly", "kind")
    assert found == lexicon.explain("kind", "friendly")
    assert all(e.derived_from is not None and "unkind" in e.derived_from for e in found)
    assert {e.rule for e in found} == {"un-", "un-+un-"}


def test_explain_shows_what_the_source_says(lexicon: Lexicon) -> None:
    stated = [e for e in lexicon.explain("reality", "actuality") if e.rule is None]
    assert [(e.source, e.pos, e.sense) for e in stated] == [
        ("roget", "noun", "1 Existence \u00b62.1"),
        ("wiktionary", "noun", "What really is."),
    ]


def test_words_that_differ_in_case_answer_as_one_list(tmp_path: Path) -> None:
    stated, roget = tmp_path / "a.txt", tmp_path / "b.txt"
    stated.write_text("Polish buff\nPolish glaze\npolish wax\npolish shine\npolish Polish\n", encoding="utf-8")
    roget.write_text("polish buff\npolish shine\n", encoding="utf-8")
    lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", stated), ("synonym@roget", roget)])
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        assert lexicon.find("POLISH") == ["Polish", "polish"]
        found = [(n.word, n.sources, n.n_sources) for n in lexicon.synonyms("POLISH")]
        one, both = ("pairs",), ("pairs", "pairs:2")
        # two sources relate polish and shine; of Polish and buff, and of polish and buff, each one
        assert sorted(found) == [("buff", both, 1), ("glaze", one, 1), ("shine", both, 2), ("wax", one, 1)]
        assert [n.word for n in lexicon.synonyms("POLISH", limit=2)] == [word for word, _, _ in found[:2]]
        (ids,) = lexicon.neighbors(["POLISH"], "synonym")["neighbors"]
        assert lexicon.words().take(ids.values).to_pylist() == [word for word, _, _ in found]
        assert {n.word for n in lexicon.synonyms("Polish")} == {"buff", "glaze"}


class TestNeighbors:
    def test_they_are_those_of_each_word(self, lexicon: Lexicon) -> None:
        asked = lexicon.words().to_pylist()[::501]
        for kind in KINDS:
            table = lexicon.neighbors(asked, kind)
            assert table["word"].to_pylist() == asked
            look_up = {"synonym": lexicon.synonyms, "antonym": lexicon.antonyms}[kind]
            found = [lexicon.words().take(ids.values).to_pylist() for ids in table["neighbors"]]
            assert found == [[neighbor.word for neighbor in look_up(word)] for word in asked]
            assert any(found)

    def test_stated_ones(self, lexicon: Lexicon) -> None:
        (ids,) = lexicon.neighbors(["kind"], "antonym", direct=True)["neighbors"]
        words = lexicon.words().take(ids.values).to_pylist()
        assert words == [neighbor.word for neighbor in lexicon.antonyms("kind", direct=True)]

    def test_unknown_and_repeated_words_and_case(self, lexicon: Lexicon) -> None:
        asked = ["HAPPY", "no such word", "", "happy", "a\x00b", "happy "]
        rows = lexicon.neighbors(pa.array(asked), "antonym")["neighbors"].to_pylist()
        assert rows[1] == rows[2] == rows[4] == []
        assert rows[0] == rows[3] == rows[5] != []

    def test_csr(self, lexicon: Lexicon) -> None:
        lists = lexicon.neighbors(["happy", "no such word", "kind"], "synonym")["neighbors"].combine_chunks()
        assert lists.type == pa.list_(pa.int32())
        n = [len(lexicon.synonyms(word)) for word in ("happy", "kind")]
        assert lists.offsets.to_pylist() == [0, n[0], n[0], n[0] + n[1]]

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["happy", None], "words[1] is None; "),
            (pa.array([None], pa.string()), "words[0] is None; "),
            ([1], "words[0] is 1; "),
            (pa.array([1.5]), "words[0] is 1.5; "),
            ("happy", "words='happy': give a list of words"),
            (["\udcff"], "words[0] is '\\udcff', which is not valid Unicode"),
        ],
    )
    def test_what_is_no_word_is_refused(self, lexicon: Lexicon, words: Any, said: str) -> None:
        with pytest.raises(ArgumentError) as refused:
            lexicon.neighbors(words, "synonym")
        assert str(refused.value).startswith(said)

    def test_nothing_asked(self, lexicon: Lexicon) -> None:
        assert lexicon.neighbors([], "synonym").num_rows == 0


def test_suggestions(lexicon: Lexicon) -> None:
    assert lexicon.suggest("hapyness")[0] == "happiness"
    assert "friendly" in lexicon.suggest("freindly")
    assert lexicon.suggest("qqqqqqqqqqqqqqq") == []


def test_suggestions_begin_with_the_lemma_of_a_form(starter_store: Path) -> None:
    with lexkit.open(starter_store) as lexicon:
        assert lexicon.suggest("mice")[0] == "mouse"
        assert lexicon.suggest("colour")[0] == "color"
        assert lexicon.suggest("runing")[0] == "run"


def test_words_are_in_order(lexicon: Lexicon) -> None:
    words = lexicon.words().to_pylist()
    assert isinstance(lexicon.words(), pa.StringArray)
    assert words == sorted(words)


def test_threads_share_a_lexicon(starter_store: Path) -> None:
    with lexkit.open(starter_store) as shared_lexicon, ThreadPoolExecutor(8) as pool:
        words = ["happy", "kind", "quit", "Happy", "hapyness"] * 20
        found = list(pool.map(lambda w: (shared_lexicon.synonyms(w), shared_lexicon.explain(w, "kind")), words))
        assert found == found[:5] * 20


def test_an_empty_relation_table(tmp_path: Path) -> None:
    table = tmp_path / "m.tsv"
    table.write_text("Word\tMorphoLexSegm\nkind\t{(kind)}\n", encoding="utf-8")
    lexkit.build(tmp_path / "s.duckdb", morpholex=table)
    with lexkit.open(tmp_path / "s.duckdb") as empty:
        assert empty.synonyms("kind") == []
        assert "kind" in empty


class TestSql:
    def test_parameters(self, lexicon: Lexicon) -> None:
        rows = lexicon.sql("SELECT antonym FROM antonyms WHERE word = ? ORDER BY 1", ["happy"])
        assert "unhappy" in rows["antonym"].to_pylist()

    @pytest.mark.parametrize(
        "query",
        [
            "DROP TABLE word",
            "DELETE FROM word",
            "COPY word TO 'stolen.csv'",
            "ATTACH 'other.duckdb'",
            "INSTALL httpfs",
            "LOAD httpfs",
            "SET enable_external_access = true",
            "PRAGMA database_list",
            "-- hidden\n /* twice */ PRAGMA database_list",
            "SELECT 1; SELECT 2",
            "SELECT 1; -- hidden\n DROP TABLE word",
            "EXPORT DATABASE 'stolen'",
            "SELECT * FROM read_csv('/etc/passwd')",
            "SELECT * FROM '/etc/passwd'",
            "SELECT * FROM read_text('/etc/passwd')",
            "SELECT * FROM glob('/etc/*')",
            "SELECT * FROM query('SELECT * FROM ''/etc/passwd''')",
            "EXPLAIN ANALYZE DROP TABLE word",
            "EXPLAIN ANALYZE COPY word TO 'stolen.csv'",
            "EXPLAIN ANALYZE CREATE SCHEMA memory.store",
            "EXPLAIN ANALYZE SELECT 1",
            "EXPLAIN (ANALYZE, FORMAT json) SELECT 1",
            "explain /* twice */ analyze SET VARIABLE a = 1",
            "EXPLAIN CREATE TABLE memory.main.word(a INTEGER)",
            "EXPLAIN PRAGMA database_list",
            "EXPLAIN SELECT 1; DROP TABLE word",
            "EXPLAIN",
            "EXECUTE p",
            "CHECKPOINT",
            "VACUUM",
            "ANALYZE",
            "CREATE MACRO lower(x) AS 'a'",
            "CREATE TYPE t AS ENUM ('a')",
            "SET VARIABLE a = 1",
            "WITH w AS (DELETE FROM word RETURNING word) FROM w",
            "CALL pragma_version()",
            "SELECT 1 /* ; */; /* one */ DETACH store",
            "RESET lock_configuration",
            "CREATE TEMP TABLE t AS SELECT 1",
            "BEGIN",
            "USE memory",
            "PREPARE p AS DROP TABLE word",
            "SELEC 1",
            "SELECT * FROM nothing",
            "",
        ],
    )
    def test_everything_but_one_select_is_refused(self, starter_store: Path, query: str) -> None:
        before = starter_store.read_bytes()
        with lexkit.open(starter_store) as fresh, pytest.raises(QueryError) as error:
            fresh.sql(query)
        assert "\n" not in str(error.value)
        assert starter_store.read_bytes() == before
        assert not Path("stolen.csv").exists()

    def test_a_select_can_be_explained(self, lexicon: Lexicon) -> None:
        for query in ("EXPLAIN SELECT * FROM word", "-- why\nexplain(FROM word)"):
            assert lexicon.sql(query).num_rows == 1

    @pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), 1e9, "1"])
    def test_times_that_cannot_be_waited(self, lexicon: Lexicon, timeout: float) -> None:
        with pytest.raises(ArgumentError, match="timeout="):
            lexicon.sql("SELECT 1", timeout=timeout)

    @pytest.mark.parametrize("query", [5, None, b"SELECT 1", "SELECT '\ud800'"])
    def test_queries_that_are_not_text(self, lexicon: Lexicon, query: str) -> None:
        with pytest.raises(ArgumentError, match="query="):
            lexicon.sql(query)

    def test_a_query_that_takes_too_long_is_given_up(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as fresh:
            with pytest.raises(QueryError, match=r"longer than 0\.2 s"):
                fresh.sql("SELECT count(*) FROM evidence a, evidence b, evidence c", timeout=0.2)
            assert fresh.sql("SELECT 1 AS one").to_pylist() == [{"one": 1}]

    def test_too_many_rows(self, lexicon: Lexicon) -> None:
        assert lexicon.sql("SELECT * FROM range(100)", max_rows=100).num_rows == 100
        with pytest.raises(QueryError, match="more than 99 rows"):
            lexicon.sql("SELECT * FROM range(100)", max_rows=99)

    def test_no_rows_have_columns(self, lexicon: Lexicon) -> None:
        assert lexicon.sql("SELECT word FROM word WHERE false").schema.names == ["word"]


def test_a_new_store_is_seen_although_the_old_one_is_open(tmp_path: Path) -> None:
    path = tmp_path / "s.duckdb"
    for words in ("old ancient", "new recent"):
        (tmp_path / "pairs").write_text(words, encoding="utf-8")
        lexkit.build(path, pairs=[("synonym", tmp_path / "pairs")])
        if words.startswith("old"):
            old = lexkit.open(path)
    with old, lexkit.open(path) as new:
        assert old.words().to_pylist() == ["ancient", "old"]
        assert new.words().to_pylist() == ["new", "recent"]


def test_a_pipe_is_no_store(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(StoreError, match="not a lexkit store"):
        lexkit.open(tmp_path / "pipe")


def test_a_damaged_store_is_told(starter_store: Path, tmp_path: Path) -> None:
    content = starter_store.read_bytes()
    path = tmp_path / "damaged.duckdb"
    path.write_bytes(content[: len(content) * 2 // 3])
    with pytest.raises(StoreError, match=r"damaged|cannot be opened"), lexkit.open(path) as lexicon:
        lexicon.synonyms("kind")
        lexicon.explain("kind", "friendly")
        lexicon.statistics()


@pytest.mark.parametrize("word", ["\udcff", "a\x00b", "x" * 100_000], ids=["surrogate", "NUL", "long"])
def test_words_that_cannot_be(lexicon: Lexicon, word: str) -> None:
    assert lexicon.synonyms(word) == []


class TestFilesThatAreNoStores:
    def test_missing(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match=r"no such store; make it with 'lexkit build"):
            lexkit.open(tmp_path / "no.duckdb")

    def test_a_name_too_long(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="cannot be read"):
            lexkit.open(tmp_path / ("x" * 300))

    def test_folder(self, tmp_path: Path) -> None:
        with pytest.raises(StoreError, match="a folder"):
            lexkit.open(tmp_path)

    def test_text(self, tmp_path: Path) -> None:
        (tmp_path / "t.duckdb").write_text("not a database at all", encoding="utf-8")
        with pytest.raises(StoreError, match="not a lexkit store"):
            lexkit.open(tmp_path / "t.duckdb")

    def test_another_database(self, tmp_path: Path) -> None:
        with duckdb.connect(str(tmp_path / "d.duckdb")) as connection:
            connection.execute("CREATE TABLE t AS SELECT 1")
        with pytest.raises(StoreError, match="a DuckDB file, but not a lexkit store"):
            lexkit.open(tmp_path / "d.duckdb")

    @pytest.mark.parametrize(
        ("version", "mend"),
        [
            ("3", "update lexkit with 'pip install -U lexkit'"),
            ("1", "build it again with 'lexkit build --output {}' and the sources that its table meta names"),
        ],
    )
    def test_another_schema(self, tmp_path: Path, version: str, mend: str) -> None:
        """Whatever else is in it: the tables of another schema may be others."""
        path = tmp_path / "s.duckdb"
        with duckdb.connect(str(path)) as connection:
            connection.execute("CREATE TABLE meta AS SELECT 'schema_version' AS key, ? AS value", [version])
            connection.execute("INSERT INTO meta VALUES ('lexkit_version', '7.8.9')")
        before = path.read_bytes()
        told = (
            f"{path}: store of schema {version}, made by lexkit 7.8.9; lexkit {lexkit.__version__} reads schema 2; "
            f"{mend.format(path)} (docs/upgrading.md)"
        )
        for use in (lexkit.open, verify_store, lambda store: lexkit.tokenize(store, []), self.export):
            with pytest.raises(StoreError) as caught:
                use(path)
            assert str(caught.value) == told
        assert path.read_bytes() == before
        lexkit.build(path, pairs=[("synonym", self.pairs(tmp_path))])
        with lexkit.open(path) as lexicon:
            assert "ancient" in lexicon

    def export(self, store: Path) -> object:
        return lexkit.export(store, store.with_name("out"))

    def pairs(self, folder: Path) -> Path:
        (folder / "pairs").write_text("old ancient", encoding="utf-8")
        return folder / "pairs"

    def test_cut_off(self, starter_store: Path, tmp_path: Path) -> None:
        path = tmp_path / "cut.duckdb"
        path.write_bytes(starter_store.read_bytes()[:100_000])
        with pytest.raises(StoreError, match="cannot be opened"):
            lexkit.open(path)


def test_closing_out_of_a_signal_handler_gives_up_the_query_that_it_interrupts(starter_store: Path) -> None:
    lexicon = lexkit.open(starter_store)
    before = signal.signal(signal.SIGALRM, lambda *_: lexicon.close())
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        with pytest.raises(StoreError, match="is closed; open it again"):
            lexicon.sql("SELECT count(*) FROM evidence a, evidence b, evidence c")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def test_closing_gives_up_what_other_threads_ask(starter_store: Path) -> None:
    slow = "SELECT count(*) FROM evidence a, evidence b, evidence c"
    lexicon = lexkit.open(starter_store)
    with ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(lexicon.sql, slow) for _ in range(2)]
        asked += [pool.submit(lambda: [lexicon.relations().num_rows for _ in range(10_000)]) for _ in range(2)]
        while len(lexicon._store._borrowed) < 3:
            pass
        lexicon.close()
        for future in asked:
            with pytest.raises(StoreError, match="is closed; open it again"):
                future.result()
    with pytest.raises(StoreError, match="is closed"):
        lexicon.sql("SELECT 1")
    lexicon.close()
