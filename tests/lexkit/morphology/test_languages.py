from __future__ import annotations

import re
from pathlib import Path

import pytest

from lexkit.morphology.affixes import Affixes, affixes_of
from lexkit.morphology.negation import Usage, find_negations
from lexkit.morphology.segmentation import parse_segmentation
from lexkit.sources.data_files import data_file

LANGUAGES = sorted(path.stem for path in data_file("affixes").glob("*.toml"))
READ = Path(__file__).parents[3] / "benchmarks" / "judged"
JUDGED = sorted(Path(__file__).parent.glob("negations_*.tsv"))
USED = Usage(n_statements=3)


def affixes(language: str) -> Affixes:
    found = affixes_of(language)
    assert found is not None
    return found


def test_a_language_without_a_file_has_no_negations() -> None:
    assert affixes_of("tlh") is None
    assert list(find_negations(dict.fromkeys(["unkind", "kind"], USED), "tlh")) == []


def test_no_affixes_no_negations() -> None:
    assert list(find_negations(dict.fromkeys(["unkind", "kind"], USED), "en", affixes="none")) == []


def test_a_noun_with_a_capital_negates_the_noun_and_not_the_adjective() -> None:
    adjectives, nouns = ("recht", "unrecht", "wert", "rechtlos", "wertlos"), ("Recht", "Unrecht", "Wert")
    vocabulary = {word: Usage(3, frozenset({"adj"})) for word in adjectives}
    vocabulary |= {word: Usage(3, frozenset({"noun"})) for word in nouns}
    found = {n.word: n.base for n in find_negations(vocabulary, "de")}
    assert found == {"unrecht": "recht", "Unrecht": "Recht", "rechtlos": "Recht", "wertlos": "Wert"}


@pytest.mark.parametrize("language", LANGUAGES)
def test_files_are_sound(language: str) -> None:
    found = affixes(language)
    assert found.title
    assert found.sources
    patterns = [found.verbs, found.names, *(pattern for pattern, _ in found.verb_forms)]
    for affix in found.affix:
        assert affix.forms
        re.compile(affix.bases, re.VERBOSE)
        for form in affix.forms:
            assert form.form == form.form.lower()
            assert not (form.before if affix.position == "suffix" else form.after)
            patterns += [form.before, form.after, *(p for p, _ in (*form.changes, *form.other_end))]
    for pattern in patterns:
        re.compile(pattern)
    entries = [entry for words in found.look_alikes.values() for entry in words]
    assert len(entries) == len(set(entries))
    assert all(reason.strip() and "\t" not in reason for reason in found.look_alikes)


@pytest.mark.parametrize("language", LANGUAGES)
def test_affixes_are_written_in_notation(language: str) -> None:
    for affix in affixes(language).affix:
        for form in affix.forms:
            words = [form.form + "basis", "basis"] if affix.position == "prefix" else ["basis" + form.form, "basis"]
            for found in find_negations(dict.fromkeys(words, USED), language, affixes="all"):
                assert parse_segmentation(found.segmentation).roots == (found.base,)


@pytest.mark.parametrize("path", JUDGED, ids=lambda path: path.stem)
def test_judged_words(path: Path) -> None:
    language = path.stem.removeprefix("negations_")
    rows = [row.split("\t") for row in path.read_text(encoding="utf-8").splitlines()[1:]]
    assert len(rows) >= 40
    assert {row[2] for row in rows} == {"yes", "no"}
    vocabulary = {word: USED for row in rows for word in row[:2]}
    found = {n.word: n.base for n in find_negations(vocabulary, language)}
    expected = {word: base if verdict == "yes" else None for word, base, verdict, *_ in rows}
    assert {word: found.get(word) for word in expected} == expected


@pytest.mark.parametrize("language", LANGUAGES)
def test_pairs_read_by_eye(language: str) -> None:
    """What was judged right is still found, and most of what is found was judged right."""
    lines = (READ / f"negation_{language}.tsv").read_text(encoding="utf-8").splitlines()
    assert lines[0] == "word\tbase\taffix\treverses\tjudgement\tnote"
    rows = [line.split("\t") for line in lines[1:]]
    assert len(rows) >= 100
    assert {row[4] for row in rows} <= {"yes", "no", "unsure"}
    assert all(row[5] for row in rows if row[4] != "yes")
    vocabulary = {word: USED for row in rows for word in row[:2]}
    found = {(n.word, n.base): n for n in find_negations(vocabulary, language)}
    right = {(row[0], row[1]) for row in rows if row[4] == "yes"}
    assert len(right) >= 0.9 * len(rows)
    assert right <= found.keys()
