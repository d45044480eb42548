from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lexkit.morphology.negation import LookAlikes, Negation, find_negations
from lexkit.morphology.segmentation import parse_segmentation
from lexkit.sources.data_files import data_file
from lexkit.sources.morpholex import read
from lexkit.sources.records import Analysis
from lexkit.sources.tally import Tally


def analysis(word: str, segmentation: str) -> Analysis:
    parsed = parse_segmentation(segmentation)
    return Analysis(word, segmentation, parsed.prefixes, parsed.roots, parsed.suffixes)


def negated(word: str, segmentation: str, *vocabulary: str) -> list[tuple[str, str]]:
    return [(n.base, n.rule) for n in find_negations([analysis(word, segmentation)], [word, *vocabulary])]


@pytest.fixture(scope="session")
def real(shared: Callable[[str], Path]) -> dict[str, Negation]:
    analyses = [
        record
        for record in read(shared("morpholex/MorphoLEX_en-reconstructed.xlsx"), Tally())
        if isinstance(record, Analysis)
    ]
    return {found.word: found for found in find_negations(analyses, [record.word for record in analyses])}


@pytest.mark.parametrize(
    ("word", "base", "rule"),
    [
        ("unkind", "kind", "un-"),
        ("unhappiness", "happiness", "un-"),
        ("illegal", "legal", "in-"),
        ("irregularity", "regularity", "in-"),
        ("immoral", "moral", "in-"),
        ("ignoble", "noble", "in-"),
        ("independent", "dependent", "in-"),
        ("impartially", "partially", "in-"),
        ("dissatisfied", "satisfied", "dis-"),
        ("disagreement", "agreement", "dis-"),
        ("nonfiction", "fiction", "non-"),
        ("penniless", "penny", "-less"),
        ("merciless", "mercy", "-less"),
        ("faultless", "fault", "-less"),
        ("invertebrate", "vertebrate", "in-"),
        ("undo", "do", "un-"),
    ],
)
def test_bases_are_words_as_they_are_spelt(real: dict[str, Negation], word: str, base: str, rule: str) -> None:
    assert (real[word].base, real[word].rule) == (base, rule)


@pytest.mark.parametrize(
    "word",
    "invaluable infamous disease onboard decipher income priceless inhabit inflammable discuss display "
    "disembowel unbosom indisposed ruthless hapless indifferent impair dispose disappoint distract dissolution unloose "
    "countless wireless imply immigrate".split(),
)
def test_look_alikes_negate_nothing(real: dict[str, Negation], word: str) -> None:
    assert word not in real


def test_negations_are_many(real: dict[str, Negation]) -> None:
    assert len(real) > 2000
    assert all(found.word != found.base for found in real.values())


def test_a_base_must_be_a_word() -> None:
    assert negated("unkempt", "<un<(kempt)") == []
    assert negated("unkempt", "<un<(kempt)", "kempt") == [("kempt", "un-")]


def test_a_base_may_differ_in_case_and_hyphen() -> None:
    assert negated("unchristian", "<un<{(christ)>ian>}", "Christian") == [("Christian", "un-")]
    assert negated("non-smoker", "<non<{(smoke)}>er>", "smoker") == [("smoker", "non-")]
    assert negated("UNENVIED", "<un<{(envy)}", "envied") == [("envied", "un-")]


def test_only_the_outermost_affix_is_cut() -> None:
    assert negated("undiscouraged", "<un<<dis<{(courage)}", "discouraged", "couraged") == [("discouraged", "un-")]
    assert negated("reunify", "<re<<un<{(ify)}", "ify", "unify") == []


def test_the_list_of_look_alikes_gives_reasons() -> None:
    rows = data_file("look_alikes.tsv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "word\treason"
    assert all(len(row.split("\t")) == 2 and all(row.split("\t")) for row in rows)
    words = [row.split("\t")[0] for row in rows[1:]]
    assert words == sorted(set(words))
    assert "DISTORTION" in LookAlikes()
    assert "disorder" not in LookAlikes()
