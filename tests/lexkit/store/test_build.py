from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import combinations
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lexkit
from lexkit.errors import SourceError, StoreError
from lexkit.progress import Progress
from lexkit.store import checksum
from lexkit.store.verify import verify_store

TABLES = ("meta", *checksum.TABLES)


def tables(path: Path, *names: str) -> dict[str, list[tuple[Any, ...]]]:
    """The rows of some tables, or of all."""
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        return {name: connection.execute(f"SELECT * FROM {name}").fetchall() for name in names or TABLES}


def related(path: Path) -> set[tuple[str, str, str]]:
    with closing(duckdb.connect(str(path), read_only=True)) as connection:
        return set(
            connection.execute(
                "SELECT a.word, b.word, kind FROM relation JOIN word a ON a.word_id = word_a"
                " JOIN word b ON b.word_id = word_b"
            ).fetchall()
        )


@pytest.fixture
def build_from(tmp_path: Path) -> Callable[..., Path]:
    """Build from pair lists and MorphoLEX rows given as text."""

    def build(synonyms: str = "", antonyms: str = "", morpholex: str = "", **options: Any) -> Path:
        pairs = []
        for kind, text in (("synonym", synonyms), ("antonym", antonyms)):
            if text:
                file = tmp_path / f"{kind}s.txt"
                file.write_text(text.replace("; ", "\n"), encoding="utf-8")
                pairs.append((kind, file))
        table = tmp_path / "morpholex.tsv"
        rows = [row.split() for row in morpholex.split("; ") if row]
        table.write_text("Word\tMorphoLexSegm\n" + "".join(f"{w}\t{s}\n" for w, s in rows), encoding="utf-8")
        path = tmp_path / "store.duckdb"
        lexkit.build(path, pairs=pairs, morpholex=table if rows else None, **options)
        return path

    return build


KIND = "kind {(kind)}; unkind <un<{(kind)}; friendly {(friend)}>ly>; unfriendly <un<{(friend)}>ly>"
STORES = ["starter_store", pytest.param("real_store", marks=pytest.mark.slow)]


class TestTable1:
    """The six examples of the paper (DSKD, arXiv 2602.22351, Table 1)."""

    DERIVED = (
        ("quit", "continue", "antonym", "dis-"),
        ("accurate", "fault", "antonym", "-less"),
        ("opposite", "similar", "antonym", "dis-"),
        ("variable", "changeable", "synonym", "un-"),
        ("kind", "friendly", "synonym", "un-"),
        ("interest", "zeal", "synonym", "dis-"),
    )

    @pytest.mark.parametrize("store", STORES)
    def test_all_six_come_out(self, store: str, request: pytest.FixtureRequest) -> None:
        with lexkit.open(request.getfixturevalue(store)) as lexicon:
            for word, other, kind, rule in self.DERIVED:
                assert kind in lexicon.relation(word, other), (word, other)
                assert rule in {e.rule for e in lexicon.explain(word, other) if e.kind == kind}

    @pytest.mark.parametrize("store", STORES)
    def test_what_is_stated_stays(self, store: str, request: pytest.FixtureRequest) -> None:
        with lexkit.open(request.getfixturevalue(store)) as lexicon:
            assert lexicon.relation("happy", "unhappy") == ["antonym"]
            assert lexicon.relation("unkind", "friendly") == ["antonym"]
            assert lexicon.relation("quit", "discontinue") == ["synonym"]

    @pytest.mark.parametrize("store", STORES)
    @pytest.mark.parametrize("word", ["invaluable", "infamous", "disease", "onboard", "decipher", "income"])
    def test_look_alikes_derive_nothing(self, store: str, word: str, request: pytest.FixtureRequest) -> None:
        with lexkit.open(request.getfixturevalue(store)) as lexicon:
            rows = lexicon.sql(
                "SELECT * FROM negation n JOIN word w ON w.word_id IN (n.word_id, n.base_id) WHERE n.word_id ="
                " (SELECT word_id FROM word WHERE word = ?)",
                [word],
            )
            assert rows.num_rows == 0


class TestRelations:
    def test_one_negated_word_turns_the_kind_over(self, build_from: Callable[..., Path]) -> None:
        store = build_from(antonyms="unkind friendly", morpholex=KIND)
        assert related(store) == {
            ("friendly", "unkind", "antonym"),
            ("friendly", "kind", "synonym"),
            ("kind", "unkind", "antonym"),
            ("friendly", "unfriendly", "antonym"),
        }

    def test_two_negated_words_keep_it(self, build_from: Callable[..., Path]) -> None:
        store = build_from(synonyms="unkind unfriendly", morpholex=KIND)
        assert ("friendly", "kind", "synonym") in related(store)
        assert ("friendly", "unkind", "antonym") in related(store)
        assert ("kind", "unfriendly", "antonym") in related(store)

    def test_derivation_is_one_step(self, build_from: Callable[..., Path]) -> None:
        words = "ab {(ab)}>x>; unab <un<{(ab)}; ununab <un<<un<{(ab)}; cd {(cd)}"
        # bases of three letters at least
        words = words.replace("ab", "abc").replace("cd", "def")
        store = build_from(synonyms="ununabc def", morpholex=words)
        assert ("def", "unabc", "antonym") in related(store)
        assert not any({"abc", "def"} == {a, b} for a, b, _ in related(store))

    def test_no_word_is_related_to_itself(self, build_from: Callable[..., Path]) -> None:
        store = build_from(antonyms="unkind kind", morpholex=KIND)
        assert all(a != b for a, b, _ in related(store))

    def test_a_pair_stated_as_both_is_contested(self, build_from: Callable[..., Path]) -> None:
        store = build_from(synonyms="cleave split; big large", antonyms="split cleave")
        with lexkit.open(store) as lexicon:
            assert lexicon.relation("cleave", "split") == ["synonym", "antonym"]
            assert lexicon.synonyms("cleave")[0].contested
            assert lexicon.antonyms("cleave")[0].contested
            assert not lexicon.synonyms("big")[0].contested

    def test_a_derivation_against_a_statement_is_kept_as_evidence_only(self, build_from: Callable[..., Path]) -> None:
        store = build_from(synonyms="unkind friendly; kind friendly", morpholex=KIND)
        with lexkit.open(store) as lexicon:
            assert lexicon.relation("kind", "friendly") == ["synonym"]
            contradicted = [e for e in lexicon.explain("kind", "friendly") if e.contradicted]
            rules = lexicon.sql("SELECT DISTINCT rule FROM evidence")["rule"].to_pylist()
        assert [(e.kind, e.rule, e.derived_from) for e in contradicted] == [
            ("antonym", "un-", ("friendly", "unkind", "synonym"))
        ]
        assert "contradicted:un-" in rules

    def test_a_derivation_that_is_stated_too_stays_direct(self, build_from: Callable[..., Path]) -> None:
        store = build_from(synonyms="kind friendly", antonyms="unkind friendly", morpholex=KIND)
        with lexkit.open(store) as lexicon:
            (neighbor,) = [n for n in lexicon.synonyms("kind") if n.word == "friendly"]
            assert neighbor.direct
            assert len(lexicon.explain("kind", "friendly")) == 2

    def test_groups_relate_every_pair_and_no_more(self, tmp_path: Path) -> None:
        table = tmp_path / "roget.tsv"
        rows = [("1", "X", "noun", 1, 1, w) for w in "abc"] + [("1", "X", "noun", 1, 2, w) for w in "de"]
        header = "head\tname\tpos\tparagraph\tgroup\tterm"
        table.write_text("\n".join([header, *("\t".join(map(str, row)) for row in rows)]), encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", roget=[table])
        expected = {(a, b, "synonym") for group in ("abc", "de") for a, b in combinations(group, 2)}
        assert related(tmp_path / "s.duckdb") == expected

    def test_every_source_is_named(self, build_from: Callable[..., Path], tmp_path: Path) -> None:
        more = tmp_path / "more.txt"
        more.write_text("big large\n", encoding="utf-8")
        file = tmp_path / "first.txt"
        file.write_text("large big\nsmall little\n", encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", file), ("synonym", more)])
        with lexkit.open(tmp_path / "s.duckdb") as lexicon:
            assert lexicon.synonyms("big")[0].sources == ("pairs", "pairs:2")
            assert lexicon.sources() == ["pairs", "pairs:2"]

    def test_sources_of_one_origin_count_once(self, tmp_path: Path) -> None:
        for name, pairs in (("a", "big large\n"), ("b", "large big\nbig huge\n"), ("c", "big large\n")):
            (tmp_path / name).write_text(pairs, encoding="utf-8")
        kinds: Any = {"a": "synonym", "b": "synonym", "c": "synonym@thesaurus"}
        lexkit.build(tmp_path / "one", pairs=[(kinds[name], tmp_path / name) for name in "ab"])
        lexkit.build(tmp_path / "two", pairs=[(kinds[name], tmp_path / name) for name in "abc"])
        with lexkit.open(tmp_path / "one") as one, lexkit.open(tmp_path / "two") as two:
            (once, _), (twice, _) = one.synonyms("big"), two.synonyms("big")
            origins = two.sql("SELECT source, origin FROM source ORDER BY source").to_pylist()
        assert (once.word, once.n_sources, once.sources) == ("large", 1, ("pairs", "pairs:2"))
        assert (twice.word, twice.n_sources) == ("large", 2)
        assert twice.confidence > once.confidence
        assert [row["origin"] for row in origins] == ["pairs", "pairs", "thesaurus"]


def expected_relations(
    stated: set[tuple[str, str, str]], base: dict[str, str]
) -> tuple[set[tuple[str, str, str]], set[tuple[str, str, str]]]:
    """DESIGN section 3, word for word: relations, and derivations that statements contradict."""
    other = {"synonym": "antonym", "antonym": "synonym"}
    derived = {(*sorted((word, base[word])), "antonym") for word in base}
    for a, b, kind in stated:
        if a in base:
            derived.add((*sorted((base[a], b)), other[kind]))
        if b in base:
            derived.add((*sorted((a, base[b])), other[kind]))
        if a in base and b in base:
            derived.add((*sorted((base[a], base[b])), kind))
    derived = {(a, b, kind) for a, b, kind in derived if a != b}
    contradicted = {
        (a, b, kind) for a, b, kind in derived if (a, b, other[kind]) in stated and (a, b, kind) not in stated
    }
    return stated | (derived - contradicted), contradicted


word_pairs = st.tuples(
    st.sampled_from(["abc", "unabc", "def", "undef", "ghi", "unghi", "jkl"]),
    st.sampled_from(["abc", "unabc", "def", "undef", "ghi", "unghi", "jkl"]),
).filter(lambda pair: pair[0] != pair[1])


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(synonyms=st.lists(word_pairs, max_size=6), antonyms=st.lists(word_pairs, max_size=6))
def test_the_sql_derives_what_the_rules_say(
    build_from: Callable[..., Path], synonyms: list[tuple[str, str]], antonyms: list[tuple[str, str]]
) -> None:
    bases = ("abc", "def", "ghi")
    store = build_from(
        "; ".join(map(" ".join, synonyms)),
        "; ".join(map(" ".join, antonyms)),
        "; ".join(f"{w} {{({w})}}; un{w} <un<{{({w})}}" for w in bases),
    )
    stated = {(*sorted(pair), "synonym") for pair in synonyms} | {(*sorted(pair), "antonym") for pair in antonyms}
    relations, contradicted = expected_relations(stated, {f"un{w}": w for w in bases})  # type: ignore[arg-type]
    assert related(store) == relations
    with closing(duckdb.connect(str(store), read_only=True)) as connection:
        found = connection.execute(
            "SELECT DISTINCT a.word, b.word, kind FROM evidence JOIN word a ON a.word_id = word_a"
            " JOIN word b ON b.word_id = word_b WHERE starts_with(rule, 'contradicted:')"
        ).fetchall()
        contested = connection.execute("SELECT count(*) FROM relation WHERE contested").fetchone()
    assert set(found) == contradicted
    pairs = [(a, b) for a, b, _ in relations]
    assert contested == (sum(pairs.count(pair) == 2 for pair in pairs),)


class TestNegation:
    def test_without_morpholex_the_affix_is_the_analyser(self, build_from: Callable[..., Path]) -> None:
        store = build_from(antonyms="unkind friendly", synonyms="kind gentle; inhabit dwell; habit custom")
        assert ("friendly", "kind", "synonym") in related(store)
        assert not any({"inhabit", "habit"} == {a, b} for a, b, _ in related(store))
        with lexkit.open(store) as lexicon:
            (row,) = lexicon.sql(
                "SELECT word, segmentation, prefixes, roots, m.analyser, n.analyser AS negation, affix, position"
                " FROM morphology m JOIN negation n USING (word_id) JOIN word USING (word_id)"
            ).to_pylist()
            (evidence,) = lexicon.explain("unkind", "kind")
            assert lexicon.sources() == ["affix", "pairs", "pairs:2"]
        assert tuple(row.values()) == ("unkind", "<un<(kind)", ["un"], ["kind"], "affix", "affix", "un", "prefix")
        assert (evidence.source, evidence.rule, evidence.kind) == ("affix", "negation", "antonym")

    def test_a_store_without_negations_names_no_analyser(self, build_from: Callable[..., Path]) -> None:
        with lexkit.open(build_from(synonyms="big large")) as lexicon:
            assert lexicon.sources() == ["pairs"]

    def test_words_that_morpholex_has_rest_on_it(self, build_from: Callable[..., Path]) -> None:
        store = build_from(synonyms="unkind cruel; unjust unfair; just fair", morpholex=KIND)
        with lexkit.open(store) as lexicon:
            assert [e.source for e in lexicon.explain("unkind", "kind")] == ["morpholex"]
            assert [e.source for e in lexicon.explain("unjust", "just") if e.rule == "negation"] == ["affix"]

    def test_risky_affixes_count_only_on_demand(self, build_from: Callable[..., Path]) -> None:
        words = "amoral wicked; moral good; decentralize scatter; centralize gather; carefree merry; care worry"
        derived = {("centralize", "scatter", "antonym"), ("moral", "wicked", "antonym"), ("care", "merry", "antonym")}
        assert not derived & related(build_from(synonyms=words))
        store = build_from(synonyms=words, affixes="all")
        assert derived < related(store)
        assert json.loads(dict(tables(store, "meta")["meta"])["options"])["affixes"] == "all"
        with lexkit.open(store) as lexicon:
            assert {e.rule for e in lexicon.explain("decentralize", "centralize")} == {"reversal"}

    def test_reversal_has_a_rule_of_its_own(self, tmp_path: Path) -> None:
        table = tmp_path / "roget.tsv"
        rows = [("1", "verb", "unlock"), ("1", "verb", "open"), ("1", "noun", "lock"), ("5", "verb", "lock")]
        rows += [("5", "verb", "shut"), ("9", "adj", "unkind"), ("9", "adj", "cruel"), ("13", "adj", "kind")]
        lines = [f"{head}\tX\t{pos}\t1\t1\t{term}" for head, pos, term in rows]
        table.write_text("\n".join(["head\tname\tpos\tparagraph\tgroup\tterm", *lines]), encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", roget=[table])
        with lexkit.open(tmp_path / "s.duckdb") as lexicon:
            assert [e.rule for e in lexicon.explain("lock", "unlock")] == ["reversal"]
            assert [e.rule for e in lexicon.explain("kind", "unkind")] == ["negation"]
            assert lexicon.relation("lock", "open") == ["antonym"]

    def test_two_negations_cancel(self, build_from: Callable[..., Path]) -> None:
        store = build_from(synonyms="nonunhappy content; unhappy sad; happy glad")
        assert ("happy", "nonunhappy", "synonym") in related(store)
        assert ("nonunhappy", "unhappy", "antonym") in related(store)
        with lexkit.open(store) as lexicon:
            assert [e.rule for e in lexicon.explain("happy", "nonunhappy")] == ["double negation"]

    def test_what_crosses_parts_of_speech_is_marked(self, build_from: Callable[..., Path]) -> None:
        store = build_from(synonyms="faultless accurate; blameless faultless; fault error; blame censure")
        with lexkit.open(store) as lexicon:
            marked = {n.word: n.same_pos for n in lexicon.antonyms("fault")}
            assert marked == {"accurate": False, "faultless": False, "blameless": False}
            assert lexicon.antonyms("fault", same_pos=True) == []
            # Two adjectives, two nouns
            assert [n.word for n in lexicon.synonyms("fault", same_pos=True)] == ["error", "blame"]
            assert [n.word for n in lexicon.synonyms("faultless", same_pos=True)] == ["accurate", "blameless"]

    @pytest.mark.slow
    def test_pairs_that_the_authors_code_gets_wrong(self, real_store: Path) -> None:
        with lexkit.open(real_store) as lexicon:
            for word, other in (("come", "revenue"), ("board", "onboard"), ("code", "decipher"), ("habit", "inhabit")):
                assert "antonym" not in lexicon.relation(word, other), (word, other)
            assert lexicon.relation("unhappy", "happy") == ["antonym"]


@pytest.mark.slow
class TestDeterminism:
    def test_threads_and_repetition_change_no_row(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SOURCE_DATE_EPOCH", "1700000000")
        monkeypatch.setattr("lexkit.sources.wiktionary.reader._WORTH_WORKERS", 0)
        monkeypatch.setattr("lexkit.sources.wiktionary.blocks.BLOCK", 10_000)
        stores = []
        for jobs in (1, 2, 3):
            path = tmp_path / f"{len(stores)}.duckdb"
            lexkit.build(path, jobs=jobs)
            stores.append(tables(path))
        assert stores[0] == stores[1] == stores[2]
        assert dict(stores[0]["meta"])["built_at"] == "2023-11-14T22:13:20Z"

    def test_ids_follow_the_words(self, starter_store: Path) -> None:
        rows = tables(starter_store, "word")["word"]
        assert [row[0] for row in rows] == list(range(len(rows)))
        assert [row[1] for row in rows] == sorted(row[1] for row in rows)


class TestRecordOfTheBuild:
    @pytest.mark.slow
    def test_sources_and_rejections(self, real_store: Path) -> None:
        found = tables(real_store, "source", "rejection")
        sources = {row[0]: row for row in found["source"]}
        assert set(sources) == {"wiktionary", "roget", "morpholex", "pairs", "pairs:2", "affix"}
        assert sources["affix"][3] == "lexkit:affixes/en.toml"
        assert sources["wiktionary"][6] == "CC-BY-SA-4.0"
        assert sources["wiktionary"][7] == 1916
        assert len(sources["roget"][4]) == 64
        assert sources["pairs"][6] is None
        reasons = {(row[0], row[1]): row[2] for row in found["rejection"]}
        assert reasons["wiktionary", "a redirect"] == 15
        assert sum(n for (source, _), n in reasons.items() if source == "roget") == sources["roget"][8]

    def test_meta(self, starter_store: Path) -> None:
        meta = dict(tables(starter_store, "meta")["meta"])
        assert meta["schema_version"] == "2"
        assert meta["language"] == "en"
        assert meta["lexkit_version"] == lexkit.__version__
        assert json.loads(meta["options"])["sources"]["roget"] == "starter:roget1911.tsv.gz"

    def test_old_versions_of_duckdb_can_read_it(self, starter_store: Path) -> None:
        with starter_store.open("rb") as stream:
            header = stream.read(20)
        assert int.from_bytes(header[12:], "little") == 64  # the storage version of DuckDB 0.9.2 to 1.1.3
        with closing(duckdb.connect(str(starter_store), read_only=True)) as connection:
            views = connection.execute("SELECT sql FROM duckdb_views() WHERE NOT internal").fetchall()
        assert not any('"if"(' in sql for (sql,) in views)  # what 2.0 takes for a function is syntax to others

    @pytest.mark.slow
    def test_progress_is_told_of_every_stage(self, tmp_path: Path) -> None:
        class Recorder(Progress):
            def __init__(self) -> None:
                self.seen: list[str] = []

            def stage(self, name: str) -> None:
                self.seen.append(name)

            def close(self) -> None:
                self.seen.append("closed")

        recorder = Recorder()
        summary = lexkit.build(tmp_path / "s.duckdb", progress=recorder)
        assert recorder.seen == [
            "read wiktionary", "read roget", "read morpholex", "relate words", "find negations", "derive relations",
            "rank answers", "find forms", "write", "closed",
        ]  # fmt: skip
        assert list(summary.stages) == recorder.seen[:-1]

    @pytest.mark.slow
    def test_roget_is_as_large_as_it_should_be(self, real_store: Path) -> None:
        with lexkit.open(real_store) as lexicon:
            counts = lexicon.statistics()
        roget = next(row for row in counts.sources if row.source == "roget")
        assert roget.synonyms >= 150_000
        assert counts.words_in_relations >= 40_000


@pytest.mark.slow
class TestAtomicity:
    @pytest.fixture
    def old(self, tmp_path: Path) -> Path:
        path = tmp_path / "old.duckdb"
        pairs = tmp_path / "pairs.txt"
        pairs.write_text("old ancient\n", encoding="utf-8")
        lexkit.build(path, pairs=[("synonym", pairs)])
        return path

    def build_again(self, store: Path) -> None:
        new = store.with_name("new.txt")
        new.write_text("new recent\n", encoding="utf-8")
        lexkit.build(store, pairs=[("synonym", new)])

    def leftovers(self, folder: Path) -> list[str]:
        return [path.name for path in folder.iterdir() if "building" in path.name]

    def test_a_failed_build_leaves_the_old_store(self, old: Path, tmp_path: Path) -> None:
        before = old.read_bytes()
        bad = tmp_path / "bad.jsonl"
        bad.write_text("[1, 2]\n", encoding="utf-8")
        with pytest.raises(SourceError):
            lexkit.build(old, wiktionary=[bad])
        assert old.read_bytes() == before
        assert self.leftovers(tmp_path) == []

    def test_a_build_replaces_the_old_store_while_it_is_read(self, old: Path) -> None:
        with lexkit.open(old) as reader:
            code = f"import lexkit; lexkit.build({str(old)!r})"
            subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
            assert reader.relation("old", "ancient") == ["synonym"]
        with lexkit.open(old) as reader:
            assert reader.relation("happy", "unhappy") == ["antonym"]

    def test_a_killed_build_leaves_the_old_store_and_its_litter_is_removed(self, old: Path, tmp_path: Path) -> None:
        before = old.read_bytes()
        code = f"import lexkit; lexkit.build({str(old)!r})"
        process = subprocess.Popen([sys.executable, "-c", code])
        for _ in range(3000):
            if list(tmp_path.glob(".old*/lock")):
                break
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert old.read_bytes() == before
        assert len(self.leftovers(tmp_path)) == 1
        self.build_again(old)
        assert self.leftovers(tmp_path) == []

    def test_a_terminated_build_leaves_nothing(self, old: Path, tmp_path: Path) -> None:
        before = old.read_bytes()
        process = subprocess.Popen([sys.executable, "-m", "lexkit", "build", "--quiet", "--output", str(old)])
        for _ in range(3000):
            if list(tmp_path.glob(".old*/store.duckdb")):
                break
            time.sleep(0.01)
        process.terminate()
        assert process.wait(60) == 128 + signal.SIGTERM
        assert old.read_bytes() == before
        assert self.leftovers(tmp_path) == []

    def test_of_two_builds_of_one_store_one_wins_and_the_other_says_so(self, old: Path, tmp_path: Path) -> None:
        code = f"import lexkit; lexkit.build({str(old)!r})"
        with subprocess.Popen([sys.executable, "-c", code]) as first:
            for _ in range(3000):
                if list(tmp_path.glob(".old*/store.duckdb")):
                    break
                time.sleep(0.01)
            with pytest.raises(StoreError, match="another process is writing it; wait for it, or name another"):
                lexkit.build(old)
        assert first.returncode == 0
        with lexkit.open(old) as lexicon:
            assert "kind" in lexicon
        assert self.leftovers(tmp_path) == []

    def test_litter_is_removed_whatever_the_name(self, tmp_path: Path) -> None:
        for name in ("locked-once", "killed-at-once"):
            (tmp_path / f".a[1].duckdb.building-{name}").mkdir()
        (tmp_path / ".a[1].duckdb.building-locked-once/lock").touch()
        pairs = tmp_path / "pairs"
        pairs.write_text("big large", encoding="utf-8")
        lexkit.build(tmp_path / "a[1].duckdb", pairs=[("synonym", pairs)])
        assert self.leftovers(tmp_path) == []

    def test_a_link_stays_one(self, old: Path, tmp_path: Path) -> None:
        link = tmp_path / "link.duckdb"
        link.symlink_to(old.name)
        self.build_again(link)
        assert link.is_symlink()
        with lexkit.open(old) as lexicon:
            assert "recent" in lexicon

    def test_pipes_and_devices_are_left_alone(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe")
        with pytest.raises(StoreError, match="is not a lexkit store"):
            lexkit.build(tmp_path / "pipe")
        with pytest.raises(SourceError, match="a pipe or a device"):
            lexkit.build(tmp_path / "s.duckdb", roget=tmp_path / "pipe")
        assert (tmp_path / "pipe").is_fifo()

    def test_a_full_disk_leaves_the_old_store(self, old: Path, tmp_path: Path) -> None:
        before = old.read_bytes()
        command = f"ulimit -f 500; exec {sys.executable} -m lexkit build --quiet --output {old}"
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 1
        assert "old.duckdb: cannot be written (" in done.stderr
        assert done.stderr.count("\n") == 1
        assert old.read_bytes() == before
        assert self.leftovers(tmp_path) == []

    def test_other_files_are_left_alone(self, tmp_path: Path) -> None:
        notes = tmp_path / "notes.txt"
        notes.write_text("do not lose me", encoding="utf-8")
        database = tmp_path / "mine.duckdb"
        with closing(duckdb.connect(str(database))) as connection:
            connection.execute("CREATE TABLE mine AS SELECT 42 AS answer")
        for file in (notes, database):
            before = file.read_bytes()
            with pytest.raises(StoreError, match="is not a lexkit store, so it is left alone"):
                lexkit.build(file)
            assert file.read_bytes() == before

    def test_a_broken_store_may_be_built_again(self, old: Path) -> None:
        old.write_bytes(old.read_bytes()[:20_000])
        self.build_again(old)
        with lexkit.open(old) as lexicon:
            assert "recent" in lexicon

    @pytest.mark.parametrize("target", ["missing/store.duckdb", "file/store.duckdb", "."])
    def test_a_target_that_cannot_be(self, tmp_path: Path, target: str) -> None:
        (tmp_path / "file").write_text("x", encoding="utf-8")
        with pytest.raises(StoreError, match=r"--output"):
            lexkit.build(tmp_path / target)

    @pytest.mark.skipif(not Path("/proc/self").exists(), reason="needs a folder that nobody can write, such as /proc")
    def test_a_folder_that_cannot_be_written(self) -> None:
        with pytest.raises(StoreError, match="cannot be written"):
            lexkit.build("/proc/store.duckdb")


class TestRejected:
    @pytest.fixture
    def file(self, tmp_path: Path) -> Iterator[Path]:
        path = tmp_path / "wiktionary.jsonl"
        good = json.dumps({"word": "kind", "lang_code": "en"})
        path.write_text("\n".join([good] * 99 + ["{"]), encoding="utf-8")
        yield path

    def test_one_in_a_hundred_is_counted(self, file: Path, tmp_path: Path) -> None:
        summary = lexkit.build(tmp_path / "s.duckdb", wiktionary=[file])
        assert [(r.reason, r.n, r.example) for r in summary.statistics.rejections] == [
            ("invalid JSON", 1, "line 100: {")
        ]

    def test_more_stop_the_build(self, file: Path, tmp_path: Path) -> None:
        message = r"1 of 100 records are bad, first at line 100: invalid JSON; .* --max-rejected above 0.01"
        with pytest.raises(SourceError, match=message):
            lexkit.build(tmp_path / "s.duckdb", wiktionary=[file], max_rejected=0.009)
        assert not (tmp_path / "s.duckdb").exists()

    def test_records_left_out_by_rule_do_not_count_as_bad(self, tmp_path: Path) -> None:
        file = tmp_path / "w.jsonl"
        lines = [{"word": "kind", "lang_code": "en"}, *({"word": "x", "lang_code": "fi"} for _ in range(50))]
        file.write_text("\n".join(map(json.dumps, lines)), encoding="utf-8")
        summary = lexkit.build(tmp_path / "s.duckdb", wiktionary=[file])
        assert summary.statistics.rejections[0].n == 50

    def test_a_file_that_gives_nothing_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "w.jsonl"
        file.write_text('{"word": "kind", "lang_code": "en"}\n' * 3, encoding="utf-8")
        message = r"none of its 3 records can be used \(the first is refused at line 1: .*\); .*--language"
        with pytest.raises(SourceError, match=message):
            lexkit.build(tmp_path / "s.duckdb", wiktionary=file, language="English")

    @pytest.mark.parametrize("option", ["wiktionary", "roget"])
    def test_files_that_are_none(self, option: str, tmp_path: Path) -> None:
        empty = tmp_path / "empty"
        empty.write_bytes(b"")
        for path, message in ((tmp_path / "no", "no such file"), (tmp_path, "a folder"), (empty, "empty file")):
            with pytest.raises(SourceError, match=message):
                lexkit.build(tmp_path / "s.duckdb", **{option: [path]})

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_a_file_that_may_not_be_read(self, tmp_path: Path) -> None:
        file = tmp_path / "secret"
        file.write_text("x", encoding="utf-8")
        file.chmod(0)
        with pytest.raises(SourceError, match="cannot be read"):
            lexkit.build(tmp_path / "s.duckdb", roget=[file])


class TestLanguage:
    def test_english_sources_are_refused_for_other_languages(self, tmp_path: Path) -> None:
        roget = tmp_path / "roget.tsv"
        roget.write_text("head\tname\tpos\tparagraph\tgroup\tterm\n", encoding="utf-8")
        with pytest.raises(SourceError, match=r"roget\.tsv: roget is English, but --language is es; leave one out"):
            lexkit.build(tmp_path / "s.duckdb", roget=roget, language="es")
        with pytest.raises(SourceError, match="starter data are English, but --language is es; give a source"):
            lexkit.build(tmp_path / "s.duckdb", language="es")

    @pytest.mark.parametrize(
        ("language", "meant"), [("ES", "es"), ("pt-BR", "pt"), ("no", "nb"), ("deu", "de"), ("tlh", None)]
    )
    def test_a_language_without_affixes_is_told(self, tmp_path: Path, language: str, meant: str | None) -> None:
        notes: list[str] = []

        class Noting(Progress):
            def note(self, text: str) -> None:
                notes.append(text)

        pairs = tmp_path / "pairs"
        pairs.write_text("unkind cruel\nkind nice\n", encoding="utf-8")
        built = lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", pairs)], language=language, progress=Noting())
        assert [kind.derived for kind in built.statistics.kinds] == [0, 0]
        (note,) = notes
        assert note.startswith("no relations are derived: lexkit has negating affixes of ca, ")
        assert note.endswith(f"did you mean {meant}?" if meant else f", uk, not of {language!r}")

    def test_each_language_has_its_own_affixes(self, shared: Callable[[str], Path], tmp_path: Path) -> None:
        expected = {
            "es": {("inútil", "útil", False, True), ("deshacer", "hacer", True, True)},
            "it": {("sleale", "leale", False, True)},
            "pt": set(),
            "de": {("unfreundlich", "freundlich", False, True), ("arbeitslos", "Arbeit", False, False)},
        }
        for language, negations in expected.items():
            store = tmp_path / f"{language}.duckdb"
            lexkit.build(store, wiktionary=shared("cases/affixes-other-languages.jsonl"), language=language)
            with lexkit.open(store) as lexicon:
                rows = lexicon.sql(
                    "SELECT w.word, b.word, reverses, n.same_pos FROM negation n"
                    " JOIN word w USING (word_id) JOIN word b ON b.word_id = base_id"
                )
                assert set(zip(*(column.to_pylist() for column in rows.columns), strict=True)) == negations
                if language == "de":
                    assert [n.confidence for n in lexicon.antonyms("Arbeit")] == [0.1, 0.05]
            assert verify_store(store) == []
