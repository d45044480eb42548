from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import lexkit
from lexkit.store.lexicon import Lexicon

Run = Callable[..., subprocess.CompletedProcess[str]]
SYNONYMS = """\
run\tsprint
mouse\trodent
happy\tglad
color\thue
color\ttint
well-known\tfamous
leave\tdepart
left\tsinister
go\tproceed
liberal\tprogressive
polish\tshine
numb\tinsensible
well-known\tcelebrated
find\tdiscover
"""
HEADWORDS = ("ran", "colour", "Polish", "well known", "number", "liberals", "send to Coventry", "send to coventry")
"""Words of the store without relations."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("forms")
    (folder / "synonyms.tsv").write_text(SYNONYMS, encoding="utf-8")
    (folder / "antonyms.tsv").write_text(
        "happiest\tsaddest\nleave\tarrive\nsend to Coventry\twelcome\n", encoding="utf-8"
    )
    rows = "".join(f"{word}\t{{({word})}}\n" for word in HEADWORDS)
    (folder / "words.tsv").write_text(f"Word\tMorphoLexSegm\n{rows}", encoding="utf-8")
    pairs: Any = [("synonym", folder / "synonyms.tsv"), ("antonym", folder / "antonyms.tsv")]
    lexkit.build(folder / "lexkit.duckdb", pairs=pairs, morpholex=folder / "words.tsv")
    return folder / "lexkit.duckdb"


@pytest.fixture(scope="module")
def lexicon(store: Path) -> Iterator[Lexicon]:
    with lexkit.open(store) as opened:
        yield opened


def synonyms(lexicon: Lexicon, word: str) -> list[str]:
    return sorted(neighbor.word for neighbor in lexicon.synonyms(word, forms=True))


@pytest.mark.parametrize(
    ("word", "lemma", "kind", "found"),
    [
        ("ran", "run", "inflection", ["sprint"]),
        ("mice", "mouse", "inflection", ["rodent"]),
        ("MICE", "mouse", "inflection", ["rodent"]),
        ("went", "go", "inflection", ["proceed"]),
        ("liberals", "liberal", "inflection", ["progressive"]),
        ("colour", "color", "spelling", ["hue", "tint"]),
        ("well known", "well-known", "hyphenation", ["celebrated", "famous"]),
        ("happiest", "happy", "inflection", ["glad"]),
        ("colours", "color", "inflection", ["hue", "tint"]),
    ],
)
def test_a_form_answers_with_its_lemma(lexicon: Lexicon, word: str, lemma: str, kind: str, found: list[str]) -> None:
    assert [(form.lemma, form.kind, form.source) for form in lexicon.forms(word) if form.lemma == lemma] in (
        [(lemma, kind, "rules")],
        [] if word == "colours" else None,  # colours, colour, color
    )
    assert synonyms(lexicon, word) == found
    assert lexicon.synonyms(word) == []
    assert lemma in lexicon.find(word, forms=True, kind="synonym")


def test_a_word_with_relations_answers_with_its_own(lexicon: Lexicon) -> None:
    assert synonyms(lexicon, "left") == ["sinister"]
    assert [form.lemma for form in lexicon.forms("left")] == ["leave"]


def test_antonyms_of_a_form_do_not_keep_the_synonyms_of_its_lemma_from_it(lexicon: Lexicon) -> None:
    assert synonyms(lexicon, "happiest") == ["glad"]
    assert [neighbor.word for neighbor in lexicon.antonyms("happiest", forms=True)] == ["saddest"]
    assert lexicon.antonyms("left", forms=True) == []


@pytest.mark.parametrize("word", ["number", "Polish", "news", "her", "thing", "always", "runner", "hops"])
def test_other_words_are_no_forms(lexicon: Lexicon, word: str) -> None:
    assert lexicon.forms(word) == []


def test_case_that_makes_no_other_word_is_a_spelling(lexicon: Lexicon) -> None:
    assert [form.lemma for form in lexicon.forms("send to coventry")] == ["send to Coventry"]


def test_explain_and_relation_take_forms(lexicon: Lexicon) -> None:
    assert lexicon.relation("mice", "rodents", forms=True) == ["synonym"]
    assert lexicon.relation("mice", "rodents") == []
    assert len(lexicon.explain("mice", "rodents", forms=True)) == 1


def test_a_source_comes_before_the_rules(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexkit.sources.batches import batched
    from lexkit.sources.records import Form, Statement
    from lexkit.store import build

    (tmp_path / "s.tsv").write_text("find\tdiscover\n", encoding="utf-8")
    real = build.Staging.add

    def add(staging: Any, source: str, records: Any) -> int:
        forms = [Form("found", "find", "inflection"), Form("fand", "find", "spelling")]
        return real(staging, source, [*records, *batched([*forms, Statement("founds", "find", "synonym")])])

    monkeypatch.setattr(build.Staging, "add", add)
    lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", tmp_path / "s.tsv")])
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        assert [tuple(form) for form in lexicon.forms("found")] == [("found", "find", "inflection", "pairs")]
        assert synonyms(lexicon, "fand") == ["discover", "founds"]


def test_rules_of_english_are_for_english(tmp_path: Path) -> None:
    (tmp_path / "s.tsv").write_text("run\tsprint\nwell-known\tfamous\n", encoding="utf-8")
    lexkit.build(tmp_path / "s.duckdb", pairs=[("synonym", tmp_path / "s.tsv")], language="de")
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        assert lexicon.forms("ran") == []
        assert [form.lemma for form in lexicon.forms("well known")] == ["well-known"]


class TestCommandLine:
    def test_it_says_so_in_a_line(self, store: Path, run: Run) -> None:
        found = run("lookup", "mice", "--store", str(store))
        assert found.stderr == "mice: form of mouse\n"
        assert "rodent" in found.stdout
        assert run("synonyms", "colour", "--store", str(store)).stderr == "colour: spelling of color\n"
        assert run("lookup", "left", "--store", str(store)).stderr == "left: also a form of leave\n"

    def test_json_names_the_forms(self, store: Path, run: Run) -> None:
        found = json.loads(run("lookup", "ran", "--json", "--store", str(store)).stdout)
        assert found["forms"] == [{"word": "ran", "lemma": "run", "kind": "inflection"}]
        assert [neighbor["word"] for neighbor in found["synonyms"]] == ["sprint"]

    def test_it_can_be_turned_off(self, store: Path, run: Run) -> None:
        found = run("lookup", "mice", "--no-forms", "--store", str(store))
        assert found.returncode == 1
        assert "'mice' is not in" in found.stderr

    def test_explain(self, store: Path, run: Run) -> None:
        found = run("explain", "mice", "rodents", "--store", str(store))
        assert "synonyms" in found.stdout
        assert found.stderr == "mice: form of mouse\nrodents: form of rodent\n"


@pytest.mark.slow
def test_everyday_words_of_the_real_sources(real_store: Path) -> None:
    pairs = (
        "ran run, mice mouse, happier happy, children child, went go, better good, stopped stop, studies study,"
        "tries try, bigger big, dying die, leaves leaf, wolves wolf, men man, teeth tooth, feet foot, geese goose,"
        "bought buy, thought think, written write, colour color, grey gray"
    )
    with lexkit.open(real_store) as lexicon:
        for pair in pairs.split(","):
            word, lemma = pair.split()
            assert lemma in [form.lemma for form in lexicon.forms(word)], pair
        for word in "species series bus gas always during thing sing wed red bed need feed her number corner".split():
            found = [form for form in lexicon.forms(word) if (form.kind, form.source) == ("inflection", "rules")]
            assert found == [], word  # but Wiktionary has number among the forms of numb
