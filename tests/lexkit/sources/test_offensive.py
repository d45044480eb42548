from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow.csv as csv
import pytest

from lexkit.sources.data_files import data_file
from lexkit.sources.offensive import Offensive, offensive_words
from lexkit.sources.read_report import ReadReport
from lexkit.sources.roget.reader import read_terms
from lexkit.text import fold, normalize_word

EVERYDAY = 4.5
SWEAR_WORDS = {"fuck", "fucked", "fucking", "shit"}
"""Everyday words without another sense."""


@pytest.fixture(scope="module")
def listed() -> dict[str, Offensive]:
    return {entry.word: entry for entry in offensive_words()}


def test_words_are_sorted_folded_and_listed_once_each_with_a_reason() -> None:
    entries = offensive_words()
    words = [entry.word for entry in entries]
    assert len(words) > 800
    assert words == sorted(set(words))
    assert all(word == fold(normalize_word(word)) for word in words)
    assert all(len(entry.reason.split()) > 1 for entry in entries)
    assert {entry.label for entry in entries} == {"offensive", "vulgar"}
    assert {source for entry in entries for source in entry.sources} == {"roget", "wordnet", "wiktionary"}


def test_everyday_words_are_offensive_in_one_sense_only(listed: dict[str, Offensive]) -> None:
    table = csv.read_csv(
        data_file("frequency_en.tsv.gz"), parse_options=csv.ParseOptions(delimiter="\t", quote_char=False)
    )
    zipf = dict(zip(table["word"].to_pylist(), table["zipf"].to_pylist(), strict=True))
    everyday = {word for word, entry in listed.items() if not entry.in_sense and zipf.get(word, 0) >= EVERYDAY}
    assert everyday == SWEAR_WORDS
    assert {listed[word].label for word in everyday} == {"vulgar"}


@pytest.mark.parametrize("word", ["spade", "cracker", "retard", "queer", "gypsy", "jew", "chink", "ass", "fairy"])
def test_words_with_other_senses_are_marked(listed: dict[str, Offensive], word: str) -> None:
    assert listed[word].in_sense
    assert "; " in listed[word].reason or " also " in listed[word].reason


@pytest.mark.parametrize("word", ["nigger in the woodpile", "sheeny", "squaw", "half-caste", "wop", "rich as a jew"])
def test_slurs_of_the_1911_edition_and_their_phrases(listed: dict[str, Offensive], word: str) -> None:
    assert listed[word].label == "offensive"
    assert not listed[word].in_sense


@pytest.mark.parametrize("word", ["niggardly", "savage", "heathen", "pagan", "idiot", "jew's harp", "black", "lesbian"])
def test_other_words_are_left_out(listed: dict[str, Offensive], word: str) -> None:
    assert word not in listed


def test_words_and_heads_of_roget_are_there(listed: dict[str, Offensive], shared: Callable[[str], Path]) -> None:
    places: dict[str, dict[str, tuple[str, ...]]] = {}
    for name in ("roget22", "roget10681"):
        for term in read_terms(shared(f"roget/{name}.txt"), ReadReport()):
            places.setdefault(fold(term.term), {})[term.head] = term.usage
    for word, entry in listed.items():
        assert ("roget" in entry.sources) == (word in places), word
        assert all(entry.label in places[word][head] for head in entry.heads)
        assert entry.in_sense or not entry.heads
    assert "offensive" in places["coon"]["431"]
    assert "offensive" not in places["slant"]["217"]
