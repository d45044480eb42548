from __future__ import annotations

import csv
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import lexkit

Run = Callable[..., subprocess.CompletedProcess[str]]


def run_with(text: str, *arguments: str, store: Path) -> subprocess.CompletedProcess[str]:
    """Run a command that reads *text* from standard input."""
    command = [sys.executable, "-m", "lexkit", *arguments, "--store", str(store)]
    environment = {**os.environ, "PYTHONIOENCODING": "utf-8"}
    return subprocess.run(command, input=text, capture_output=True, text=True, env=environment, check=False, timeout=60)


def rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text), delimiter="\t"))


class TestSeveralWords:
    def test_rows_say_which_word_they_are_for(self, run: Run, starter_store: Path) -> None:
        several = rows(run("lookup", "kind", "happy", "--limit", "3", "--store", starter_store).stdout)
        assert list(dict.fromkeys(row.pop("asked") for row in several)) == ["kind", "happy"]
        one = [
            row
            for word in ("kind", "happy")
            for row in rows(run("lookup", word, "--limit", "3", "--store", starter_store).stdout)
        ]
        assert several == one

    def test_standard_input(self, starter_store: Path) -> None:
        done = run_with("kind\n\n  no such word \n", "synonyms", "-", "happy", "--json", store=starter_store)
        assert [document["word"] for document in json.loads(done.stdout)] == ["kind", "happy"]
        assert done.stderr.startswith("error: 'no such word' is not in ")
        assert done.returncode == 1

    def test_one_word_of_standard_input_is_a_list_too(self, starter_store: Path) -> None:
        done = run_with("kind\n", "lookup", "-", "--json", store=starter_store)
        one = run_with("", "lookup", "kind", "--json", store=starter_store)
        assert json.loads(done.stdout) == [json.loads(one.stdout)]
        assert run_with("", "lookup", "-", "--json", store=starter_store).stdout == "[]\n"

    def test_a_missing_word_is_reported_and_the_others_answered(self, run: Run, starter_store: Path) -> None:
        done = run("antonyms", "kind", "hapyness", "xqzvw", "happy", "--store", starter_store)
        assert done.returncode == 1
        assert {row["asked"] for row in rows(done.stdout)} == {"kind", "happy"}
        first, second = done.stderr.splitlines()
        assert first.startswith("error: 'hapyness' is not in ")
        assert second.startswith("error: 'xqzvw' is not in ")

    def test_a_word_without_answers_is_no_failure(self, run: Run, starter_store: Path) -> None:
        done = run("synonyms", "aboveboard", "kind", "--source", "morpholex", "--store", starter_store)
        assert done.returncode == 0
        assert "aboveboard: no synonyms" in done.stderr.splitlines()

    @pytest.mark.parametrize("asked", ["ki\nnd", "ki\tnd"])
    def test_a_word_with_a_tab_or_a_line_end_keeps_its_row(self, run: Run, starter_store: Path, asked: str) -> None:
        done = run("synonyms", asked, "happy", "--limit", "1", "--store", starter_store)
        assert [row["asked"] for row in rows(done.stdout)] == ["ki nd", "happy"]

    def test_a_picture_is_of_one_word(self, run: Run, starter_store: Path) -> None:
        done = run("lookup", "kind", "happy", "--plot", "x.svg", "--store", starter_store)
        assert done.returncode == 2
        assert "--plot draws only one word" in done.stderr


class TestChosenAnswers:
    def test_one_part_of_speech(self, run: Run, starter_store: Path) -> None:
        found = json.loads(
            run("lookup", "kind", "--pos", "noun", "--limit", "4", "--json", "--store", starter_store).stdout
        )
        assert [row["word"] for row in found["synonyms"]][:2] == ["sort", "variety"]
        assert len(found["synonyms"]) == 4
        assert all("noun" in row["pos"] for row in found["synonyms"] + found["antonyms"])

    def test_an_unknown_part_of_speech_is_named(self, run: Run, starter_store: Path) -> None:
        done = run("lookup", "kind", "--pos", "adjective", "--store", starter_store)
        assert done.returncode == 1
        assert re.match(r"error: no part of speech 'adjective' in .*; it has .*\badj\b.*\bnoun\b", done.stderr)

    @pytest.mark.parametrize(
        ("order", "key"),
        [
            ("weight", lambda row: -row["weight"]),
            ("word", lambda row: row["word"].casefold()),
            ("confidence", lambda row: -row["confidence"]),
        ],
    )
    def test_order(self, run: Run, starter_store: Path, order: str, key: Callable[[dict[str, float]], float]) -> None:
        done = run("synonyms", "happy", "--sort", order, "--json", "--store", starter_store)
        found = json.loads(done.stdout)["synonyms"]
        assert found == sorted(found, key=key)
        limited = run("synonyms", "happy", "--sort", order, "--limit", "5", "--json", "--store", starter_store)
        assert json.loads(limited.stdout)["synonyms"] == found[:5]


class TestSuggestions:
    @pytest.mark.parametrize(("asked", "lemma"), [("runing", "run"), ("writting", "write"), ("stoping", "stop")])
    def test_a_misspelt_form_finds_its_lemma(self, run: Run, starter_store: Path, asked: str, lemma: str) -> None:
        done = run("lookup", asked, "--store", starter_store)
        assert done.returncode == 1
        assert f"; similar words: {lemma}, " in done.stderr

    def test_a_form_that_happens_to_be_misspelt_answers_with_its_lemma(self, run: Run, starter_store: Path) -> None:
        assert run("lookup", "happyer", "--store", starter_store).stderr == "happyer: form of happy\n"

    def test_a_form_names_its_lemma_where_forms_do_not_answer(self, run: Run, starter_store: Path) -> None:
        done = run("lookup", "ran", "--no-forms", "--store", starter_store)
        assert "; similar words: run, " in done.stderr

    def test_similar_forms_are_named_with_their_lemma(self, run: Run, starter_store: Path) -> None:
        assert "running (form of run)" in run("lookup", "runing", "--store", starter_store).stderr


class TestRandom:
    def test_the_same_seed_draws_the_same_words(self, run: Run, starter_store: Path) -> None:
        arguments = ("random", "-n", "3", "--seed", "7", "--json", "--store", starter_store)
        first, again = (json.loads(run(*arguments).stdout) for _ in range(2))
        assert first == again
        assert len({document["word"] for document in first}) == 3
        other = json.loads(run(*arguments, "--seed", "8").stdout)
        assert {document["word"] for document in other} != {document["word"] for document in first}

    def test_words_are_worth_looking_at(self, run: Run, starter_store: Path) -> None:
        done = run("random", "-n", "50", "--json", "--limit", "100", "--store", starter_store)
        for document in json.loads(done.stdout):
            assert any(row["direct"] for row in document["antonyms"]), document["word"]
            assert sum(row["direct"] for row in document["synonyms"]) >= 4, document["word"]

    def test_one_part_of_speech(self, run: Run, starter_store: Path) -> None:
        done = run("random", "--pos", "verb", "-n", "5", "--json", "--store", starter_store)
        found = json.loads(done.stdout)
        assert len(found) == 5
        assert all("verb" in row["pos"] for document in found for row in document["synonyms"])

    def test_other_words_follow_when_too_few_are_worth_looking_at(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            drawn = lexicon.random(6, pos="det", seed=1)
            assert set(drawn[:3]) == {"many", "much", "several"}
            assert len(set(drawn)) == 6
            assert all(lexicon.synonyms(word, pos="det") or lexicon.antonyms(word, pos="det") for word in drawn)
            assert not {"zounds", "Holy shit"} & set(lexicon.random(10_000, pos="intj"))

    def test_a_store_with_few_words_gives_those_it_has(self, tmp_path: Path) -> None:
        (tmp_path / "pairs").write_text("big large\n", encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", tmp_path / "pairs")])
        with lexkit.open(tmp_path / "s.duckdb") as lexicon:
            assert sorted(lexicon.random(5)) == ["big", "large"]

    def test_fewer_words_than_asked_for_are_said(self, run: Run, tmp_path: Path) -> None:
        (tmp_path / "pairs").write_text("big large\n", encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", tmp_path / "pairs")])
        done = run("random", "-n", "5", "--store", tmp_path / "s.duckdb")
        assert done.stderr.endswith("s.duckdb: only 2 such words to draw, not 5\n")

    def test_arguments(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            assert lexicon.random(9, pos=["noun", "verb"], seed=1) == lexicon.random(9, pos={"verb", "noun"}, seed=1)
            for arguments in ({"pos": "zzz"}, {"pos": []}, {"pos": 1}, {"pos": ""}, {"seed": "1"}, {"seed": -1}):
                with pytest.raises(lexkit.ArgumentError, match=f"^{next(iter(arguments))}="):
                    lexicon.random(**arguments)


@pytest.fixture(scope="module")
def chain_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chain")
    synonyms, antonyms = "a b\nc d\nd e\nx y\nb z\nz c\n", "b c\ne f\n"
    (folder / "synonym").write_text(synonyms, encoding="utf-8")
    (folder / "antonym").write_text(antonyms, encoding="utf-8")
    lexkit.build(folder / "s.duckdb", pairs=[(kind, folder / kind) for kind in ("synonym", "antonym")])
    return folder / "s.duckdb"


class TestPath:
    def test_every_step_is_named(self, run: Run, chain_store: Path) -> None:
        done = run("path", "a", "d", "--store", chain_store)
        assert done.stdout.splitlines() == [
            "a and d: opposite by 3 steps, 1 of them to an antonym",
            "  a - b: synonyms (pairs)",
            "  b - c: antonyms (pairs:2)",
            "  c - d: synonyms (pairs)",
        ]

    def test_two_antonyms_make_words_alike(self, run: Run, chain_store: Path) -> None:
        (chain,) = json.loads(run("path", "f", "a", "--json", "--store", chain_store).stdout)["chains"]
        assert chain["words"] == ["f", "e", "d", "c", "b", "a"]
        assert [step["kind"] for step in chain["steps"]] == ["antonym", "synonym", "synonym", "antonym", "synonym"]
        assert chain["kind"] == "synonym"

    @pytest.mark.parametrize(("arguments", "limit"), [(("a", "x"), 12), (("a", "f", "--max-steps", "4"), 4)])
    def test_no_chain(self, run: Run, chain_store: Path, arguments: tuple[str, ...], limit: int) -> None:
        done = run("path", *arguments, "--store", chain_store)
        first, second = arguments[:2]
        assert done.stdout == f"{first} and {second}: no chain of at most {limit} steps in {chain_store}\n"
        assert done.returncode == 0

    def test_a_word_and_itself(self, run: Run, chain_store: Path) -> None:
        assert run("path", "a", "A", "--store", chain_store).stdout == f"a and a are the same word in {chain_store}\n"

    def test_a_missing_word(self, run: Run, chain_store: Path) -> None:
        done = run("path", "a", "qqqq", "--store", chain_store)
        assert done.returncode == 1
        assert done.stderr.startswith("error: 'qqqq' is not in ")

    def test_steps_of_one_part_of_speech(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            chains = lexicon.chains("kind", "cruel", pos="adj", limit=5)
            assert chains
            assert all("adj" in step.neighbor.pos for chain in chains for step in chain.steps)

    def test_chains_are_as_short_as_a_plain_search_finds(self, starter_store: Path) -> None:
        with lexkit.open(starter_store) as lexicon:
            related = lexicon.sql(
                "SELECT word AS a, synonym AS b FROM synonyms UNION ALL SELECT word, antonym FROM antonyms"
            )
            neighbors: dict[str, set[str]] = {}
            for a, b in zip(*(related[name].to_pylist() for name in "ab"), strict=True):
                neighbors.setdefault(a, set()).add(b)
            for start in lexicon.random(3, seed=1):
                distances, level = {start: 0}, {start}
                while level:
                    level = {other for word in level for other in neighbors[word]} - distances.keys()
                    distances |= dict.fromkeys(level, 1 + max(distances.values()))
                for goal in lexicon.random(10, seed=2):
                    chains = lexicon.chains(start, goal, limit=2)
                    assert {len(chain.steps) for chain in chains} == {distances[goal]}
                    assert all(len(set(chain.words)) == distances[goal] + 1 for chain in chains)
                    for step in (step for chain in chains for step in chain.steps):
                        assert step.kind in lexicon.relation(step.word, step.neighbor.word)
