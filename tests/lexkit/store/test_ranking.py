"""Weight, confidence and usage: which answers come first, and which are left out."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import lexkit
from lexkit.errors import ArgumentError
from lexkit.store.lexicon import Lexicon
from lexkit.store.verify import verify_store

Run = Callable[..., subprocess.CompletedProcess[str]]
HEADER = "head\tname\tpos\tparagraph\tgroup\tterm\tusage"


def roget(path: Path, *groups: str) -> Path:
    """A table of Roget: a paragraph a head, groups of terms, each perhaps with a label after a colon."""
    rows = [HEADER]
    for number, group in enumerate(groups, 1):
        for term in group.split(", "):
            word, _, usage = term.partition(":")
            rows.append(f"x{number}\tHead\tadj\t1\t1\t{word}\t{usage}")
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    return path


def entry(word: str, pos: str = "adj", tags: tuple[str, ...] = (), **linkages: list[Any]) -> str:
    """A line of Wiktionary with one sense."""
    lists = {
        kind: [{"word": item} if isinstance(item, str) else {"word": item[0], "tags": [item[1]]} for item in items]
        for kind, items in linkages.items()
    }
    sense = {"glosses": [f"sense of {word}"], "tags": list(tags), **lists}
    return json.dumps({"word": word, "lang_code": "en", "pos": pos, "senses": [sense]})


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Lexicon]]:
    """Build a store and open it."""
    lexicons = []

    def build(**sources: Any) -> Lexicon:
        lexkit.build(tmp_path / "s.duckdb", **sources)
        lexicons.append(lexkit.open(tmp_path / "s.duckdb"))
        return lexicons[-1]

    yield build
    for lexicon in lexicons:
        lexicon.close()


def answers(lexicon: Lexicon, word: str, kind: str = "synonym", **options: Any) -> list[str]:
    return [neighbor.word for neighbor in getattr(lexicon, f"{kind}s")(word, **options)]


class TestWeight:
    def test_words_of_small_groups_that_stand_near_come_first(self, tmp_path: Path, opened: Any) -> None:
        lexicon = opened(roget=roget(tmp_path / "r.tsv", "glad, happy", "glad, a1, b2, c3, d4, e5, f6, merry"))
        order = answers(lexicon, "glad")
        assert order[0] == "happy"
        assert order.index("a1") < order.index("f6")  # neither is in the table of frequencies

    def test_what_people_say_comes_before_rare_words_and_phrases(self, tmp_path: Path, opened: Any) -> None:
        pairs = tmp_path / "p.txt"
        pairs.write_text("glad\thappy\nglad\tfain\nglad\tas happy as a king\nglad\tjocund\n", encoding="utf-8")
        lexicon = opened(pairs=[("synonym", pairs)])
        order = answers(lexicon, "glad")
        assert (order[0], order[-1]) == ("happy", "as happy as a king")

    def test_it_depends_on_the_direction(self, tmp_path: Path, opened: Any) -> None:
        pairs = tmp_path / "p.txt"
        pairs.write_text("big\tginormous\n", encoding="utf-8")
        lexicon = opened(pairs=[("synonym", pairs)])
        (common,), (rare,) = lexicon.synonyms("ginormous"), lexicon.synonyms("big")
        assert common.weight > rare.weight
        (row,) = lexicon.sql("SELECT weight_a, weight_b FROM relation").to_pylist()
        assert (row["weight_a"], row["weight_b"]) == (rare.weight, common.weight)

    def test_the_words_own_negation_comes_first(self, tmp_path: Path, opened: Any) -> None:
        pairs = tmp_path / "p.txt"
        pairs.write_text("sad\thappy\nunhappy\thappy\nunfortunate\thappy\n", encoding="utf-8")
        assert answers(opened(pairs=[("antonym", pairs)]), "happy", "antonym")[0] == "unhappy"

    def test_what_only_lacks_a_thing_is_no_first_opposite_of_it(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            friend = lexicon.antonyms("friend")
        assert friend[0].word == "enemy"
        assert all(n.confidence < 0.2 for n in friend if n.word == "friendless")

    def test_all_that_answers_has_one_order(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            for kind in ("synonym", "antonym"):
                found = answers(lexicon, "strong", kind)
                view = lexicon.sql(
                    f"SELECT {kind} AS answer FROM {kind}s WHERE word = 'strong' ORDER BY weight DESC, answer"
                )
                (places,) = lexicon.neighbors(["strong"], kind)["neighbors"].to_pylist()  # type: ignore[arg-type]
                assert view["answer"].to_pylist() == found
                assert lexicon.words().take(places).to_pylist() == found


class TestConfidence:
    def test_independent_sources_are_surer_than_one(self, tmp_path: Path, opened: Any) -> None:
        one, two = tmp_path / "1.txt", tmp_path / "2.txt"
        one.write_text("big\tlarge\nsmall\tlittle\n", encoding="utf-8")
        two.write_text("big\tlarge\n", encoding="utf-8")
        lexicon = opened(pairs=[("synonym@a", one), ("synonym@b", two), ("synonym@b", two)])
        (large,), (little,) = lexicon.synonyms("big"), lexicon.synonyms("small")
        assert little.confidence == 0.8
        assert large.confidence == 0.96  # 1 - 0.2 * 0.2
        assert large.n_sources == 2

    def test_derived_across_parts_of_speech_hardly_ever_holds(self, tmp_path: Path, opened: Any) -> None:
        pairs, table = tmp_path / "p.txt", tmp_path / "m.tsv"
        pairs.write_text("faultless\taccurate\n", encoding="utf-8")
        table.write_text("Word\tMorphoLexSegm\nfaultless\t{(fault)}>less>\nfault\t{(fault)}\n", encoding="utf-8")
        lexicon = opened(pairs=[("synonym", pairs)], morpholex=table)
        (fault,) = lexicon.antonyms("accurate")
        assert (fault.word, fault.same_pos) == ("fault", False)
        assert fault.confidence <= 0.1
        assert lexicon.antonyms("accurate", min_confidence=0.5) == []

    def test_the_farther_apart_in_a_group_the_less_sure(self, tmp_path: Path, opened: Any) -> None:
        lexicon = opened(roget=roget(tmp_path / "r.tsv", "a1, b2, c3, d4, e5, f6, g7, h8, i9, j0"))
        chances = {neighbor.word: neighbor.confidence for neighbor in lexicon.synonyms("a1")}
        assert chances["b2"] > chances["d4"] > chances["j0"]
        assert "j0" not in answers(lexicon, "a1", min_confidence=0.5)

    def test_a_table_says_how_sure_each_kind_of_evidence_is(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            rows = lexicon.sql("SELECT * FROM reliability").to_pylist()
            chances = lexicon.sql("SELECT min(confidence) AS low, max(confidence) AS high FROM relation").to_pylist()
        assert all(0 < row["confidence"] < 1 for row in rows)
        assert 0 < chances[0]["low"] <= 0.1
        assert 0.95 < chances[0]["high"] <= 1

    def test_nothing_is_certain(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            assert lexicon.sql("SELECT max(confidence) AS most FROM relation")["most"].to_pylist() == [0.99]

    @pytest.mark.parametrize("value", [-0.1, 1.5, float("nan"), "much"])
    def test_what_is_no_chance_is_refused(self, starter_store: Path, value: Any) -> None:
        with lexkit.open(starter_store) as lexicon:
            for ask in (
                lambda: lexicon.synonyms("kind", min_confidence=value),
                lambda: lexicon.neighbors(["kind"], "synonym", min_confidence=value),
                lambda: lexicon.relations(min_confidence=value),
            ):
                with pytest.raises(ArgumentError, match="min_confidence"):
                    ask()


class TestUsage:
    def test_the_label_belongs_to_one_of_the_two_words(self, tmp_path: Path, opened: Any) -> None:
        lexicon = opened(roget=roget(tmp_path / "r.tsv", "you, thou:archaic"))
        (thou,), (you,) = lexicon.synonyms("you"), lexicon.synonyms("thou")
        assert (thou.usage, you.usage) == (("archaic",), ())
        assert answers(lexicon, "you", archaic=False) == []
        assert answers(lexicon, "thou", archaic=False) == ["you"]
        (evidence,) = lexicon.explain("you", "thou")
        assert evidence.usage == ("archaic",)

    def test_a_word_is_archaic_only_if_all_that_relate_it_say_so(self, tmp_path: Path, opened: Any) -> None:
        file = tmp_path / "w.jsonl"
        lines = [entry("holp", synonyms=[("aid", "archaic"), ("save", "archaic")]), entry("aid", synonyms=["holp"])]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        usage = {neighbor.word: neighbor.usage for neighbor in opened(wiktionary=file).synonyms("holp")}
        assert usage == {"aid": (), "save": ("archaic",)}

    def test_an_insult_is_one_whoever_else_has_it(self, tmp_path: Path, opened: Any) -> None:
        file, pairs = tmp_path / "w.jsonl", tmp_path / "p.txt"
        file.write_text(entry("fool", "noun", synonyms=[("mongoloid", "offensive")]) + "\n", encoding="utf-8")
        pairs.write_text("fool\tmongoloid\nfool\tidiot\n", encoding="utf-8")
        lexicon = opened(wiktionary=file, pairs=[("synonym", pairs)])
        assert answers(lexicon, "fool", offensive=False) == ["idiot"]
        assert answers(lexicon, "fool")[-1] == "mongoloid"

    def test_listed_slurs_are_offensive_in_every_source(self, tmp_path: Path, opened: Any) -> None:
        pairs = tmp_path / "p.txt"
        pairs.write_text("foreigner\tdago\nforeigner\talien\n", encoding="utf-8")
        lexicon = opened(pairs=[("synonym", pairs)])
        assert answers(lexicon, "foreigner", offensive=False) == ["alien"]
        assert "dago" in answers(lexicon, "foreigner")

    def test_commands_and_exports_leave_them_out(self, tmp_path: Path, opened: Any, run: Run) -> None:
        opened(roget=roget(tmp_path / "r.tsv", "you, thou:archaic, yis:obsolete, yous:vulgar, theta"))
        store = ("--store", str(tmp_path / "s.duckdb"))
        found = {
            option: json.loads(run("lookup", "you", *option.split(), "--json", *store).stdout)["synonyms"]
            for option in ("", "--no-archaic", "--no-offensive", "--min-confidence 0.75")
        }
        words = {option: {n["word"] for n in neighbors} for option, neighbors in found.items()}
        assert words[""] == {"thou", "yis", "yous", "theta"}
        assert words["--no-archaic"] == {"yous", "theta"}
        assert words["--no-offensive"] == {"thou", "yis", "theta"}
        assert words["--min-confidence 0.75"] == {"thou"}  # beside it
        shown = run("synonyms", "you", *store).stdout
        assert "stated, archaic" in shown
        done = run("export", "out", "--no-archaic", "--no-offensive", *store)
        assert done.returncode == 0, done.stderr
        for name in ("relations", "evidence"):
            rows = pq.read_table(tmp_path / "out" / f"{name}.parquet").to_pylist()
            assert {word for row in rows for word in (row["word_a"], row["word_b"])} == {"you", "theta"}
        assert "archaic or obsolete or offensive or vulgar" in (tmp_path / "out/README.md").read_text("utf-8")


def test_words_that_differ_in_case_only_are_no_synonyms(tmp_path: Path, opened: Any) -> None:
    pairs = tmp_path / "p.txt"
    pairs.write_text("Moon\tmoon\nMoon\tsatellite\nmoon\tsatellite\n", encoding="utf-8")
    lexicon = opened(pairs=[("synonym", pairs)])
    assert answers(lexicon, "Moon") == ["satellite"]
    (row,) = lexicon.sql("SELECT reason, n, example FROM rejection").to_pylist()
    assert row == {"reason": "synonyms that differ only in case", "n": 1, "example": "Moon / moon"}
    assert [finding for finding in verify_store(tmp_path / "s.duckdb") if finding.code.startswith("E")] == []


def test_less_and_ful_are_opposites_but_for_measures(tmp_path: Path, opened: Any) -> None:
    pairs = tmp_path / "p.txt"
    words = "hopeful hopeless painful painless careful careless pitiful pitiless armful armless shameful shameless"
    pairs.write_text("".join(f"{word}\tqq\n" for word in words.split()), encoding="utf-8")
    lexicon = opened(pairs=[("synonym", pairs)])
    rows = lexicon.sql(
        "SELECT word, antonym, confidence FROM antonyms WHERE word LIKE '%ful' AND antonym LIKE '%less'"
    ).to_pylist()
    assert {(row["word"], row["antonym"]) for row in rows} == {
        ("hopeful", "hopeless"),
        ("painful", "painless"),
        ("careful", "careless"),
    }
    assert {e.rule for e in lexicon.explain("hopeful", "hopeless")} == {"-less/-ful"}
    assert all(row["confidence"] > 0.9 for row in rows)


class TestWordsThatAreFoundTwice:
    """POLISH is Polish and polish: relations are chosen first, and put together then."""

    def test_what_one_of_them_says_well_counts(self, tmp_path: Path, opened: Any) -> None:
        file = tmp_path / "w.jsonl"
        lines = [entry("polish", "verb", synonyms=["shine"]), entry("Polish", synonyms=[("shine", "archaic"), "zeta"])]
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        lexicon = opened(wiktionary=file)
        shine = next(n for n in lexicon.synonyms("POLISH") if n.word == "shine")
        assert shine.usage == ()
        for options in ({"archaic": False}, {"min_confidence": 0.9}, {"direct": True}, {}):
            found = answers(lexicon, "POLISH", **options)
            (places,) = lexicon.neighbors(["POLISH"], "synonym", **options)["neighbors"].to_pylist()
            assert set(found) == {"shine", "zeta"}
            assert lexicon.words().take(places).to_pylist() == found


def test_terms_that_are_opposed_do_not_bring_the_others_closer(tmp_path: Path, opened: Any) -> None:
    terms = "import, aa, bb, cc, dd, ee, ff, gg, hh, export"
    lexicon = opened(roget=roget(tmp_path / "r.tsv", terms))
    (far,) = {e.kind for e in lexicon.explain("import", "hh")}
    rows = lexicon.sql(
        "SELECT a.word || b.word AS pair, distance, n_words FROM evidence JOIN word a ON a.word_id = word_a"
        " JOIN word b ON b.word_id = word_b WHERE 'import' IN (a.word, b.word) ORDER BY distance"
    ).to_pylist()
    assert far == "synonym"
    assert [row["distance"] for row in rows] == list(range(1, 9))  # export is opposed
    assert {row["n_words"] for row in rows} == {10}
    assert lexicon.relation("import", "export") != ["synonym"]


def test_a_derived_word_that_is_listed_is_labelled(tmp_path: Path, opened: Any) -> None:
    pairs = tmp_path / "p.txt"
    pairs.write_text("shitless\tbrave\nshit\tx1\n", encoding="utf-8")
    lexicon = opened(pairs=[("synonym", pairs)])
    assert [(n.word, n.usage) for n in lexicon.antonyms("brave")] == [("shit", ("vulgar",))]
    assert lexicon.antonyms("brave", offensive=False) == []


def test_what_is_said_twice_counts_once(tmp_path: Path, opened: Any) -> None:
    pairs = tmp_path / "p.txt"
    pairs.write_text("aa\tbb\nbb\taa\naa\tbb\naa\tzz\n", encoding="utf-8")
    lexicon = opened(pairs=[("synonym", pairs)])
    rows = lexicon.sql("SELECT word_a, word_b, n_words FROM evidence ORDER BY ALL").to_pylist()
    assert rows == [{"word_a": 0, "word_b": 1, "n_words": 2}, {"word_a": 0, "word_b": 2, "n_words": 3}]


def test_old_words_are_archaic_wherever_they_stand(tmp_path: Path, opened: Any) -> None:
    pairs = tmp_path / "p.txt"
    pairs.write_text("often\toft\noften\tfrequently\n", encoding="utf-8")
    lexicon = opened(pairs=[("synonym", pairs)])
    assert answers(lexicon, "often") == ["frequently", "oft"]
    assert answers(lexicon, "often", archaic=False) == ["frequently"]
