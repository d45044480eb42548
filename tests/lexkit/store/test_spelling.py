"""Words are found however their letters and signs are typed."""
# ruff: noqa: RUF001

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

import lexkit
from lexkit.store.lexicon import Lexicon
from lexkit.store.spelling import find_unusual, search_key
from lexkit.text import normalize_word

Open = Callable[..., Lexicon]


@pytest.fixture
def store_of(tmp_path: Path) -> Open:
    """Build a store in which each pair of words are synonyms, and open it."""

    def build(*pairs: tuple[str, str]) -> Lexicon:
        file = tmp_path / "pairs.tsv"
        file.write_text("".join(f"{a}\t{b}\n" for a, b in pairs), encoding="utf-8")
        lexkit.build(tmp_path / "s.duckdb", language="xx", pairs=[("synonym", file)])
        return lexkit.open(tmp_path / "s.duckdb")

    return build


CASES = [
    ("l'homme", "l’homme"),
    ("l’homme", "l'homme"),
    ("l’homme", "L'HOMME"),
    ("l’homme", "l`homme"),
    ("м'яч", "м’яч"),
    ("мʼяч", "м'яч"),
    ("мʹяч", "м’яч"),
    ("n'est-ce pas", "n’est‑ce pas"),
    ("می‌خواهم", "میخواهم"),
    ("میخواهم", "می‌خواهم"),
    ("क्‍ष", "क्ष"),
    ("Straße", "STRASSE"),
    ("Straße", "Strasse"),
    ("Strasse", "straße"),
    ("straße", "STRAẞE"),
    ("istanbul", "İSTANBUL"),
    ("İstanbul", "istanbul"),
    ("ısparta", "ISPARTA"),
    ("οδός", "ΟΔΌΣ"),
    ("οδός", "ΟΔΟΣ"),
    ("Μάιος", "ΜΑΪΟΣ"),
    ("ΟΔΟΣ", "οδος"),
    ("москва", "МОСКВА"),
    ("вперёд", "вперед"),
    ("вперёд", "ВПЕРЕД"),
    ("жёсткость", "Жесткость"),
    ("елка", "ёлка"),
    ("Королёв", "королев"),
    ("საქართველო", "ᲡᲐᲥᲐᲠᲗᲕᲔᲚᲝ"),
    ("well-known", "well‐known"),
    ("well-known", "well‑known"),
    ("well‑known", "well-known"),
    ("ice cream", "ice\u00a0cream"),
    ("cat", "ｃａｔ"),
    ("ﬁn", "fin"),
    ("café", "cafe\u0301"),
    ("ქალაქი", "ქალაქი"),
    ("שלום", "שָׁלוֹם"),
    ("كِتَاب", "كتاب"),
]
"""A word of a store, and how it may be asked for."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Lexicon]]:
    """Build stores of the words of all cases, those that have one key in different ones; ``xN`` is a synonym."""
    words: dict[str, list[str]] = {}
    for stored, _ in CASES:
        spelt = words.setdefault(search_key(normalize_word(stored)), [])
        spelt.extend({stored} - {*spelt})
    folder = tmp_path_factory.mktemp("spelling")
    opened = []
    for n in range(max(map(len, words.values()))):
        file = folder / f"{n}.tsv"
        rows = (f"{spelt[n]}\tx{search_key(spelt[n])}x\n" for spelt in words.values() if len(spelt) > n)
        file.write_text("".join(rows), encoding="utf-8")
        lexkit.build(folder / f"{n}.duckdb", language="xx", pairs=[("synonym", file)])
        opened.append(lexkit.open(folder / f"{n}.duckdb"))
    yield opened
    for lexicon in opened:
        lexicon.close()


@pytest.mark.parametrize(("stored", "asked"), CASES)
def test_a_word_is_found_in_every_spelling(stores: list[Lexicon], stored: str, asked: str) -> None:
    word = normalize_word(stored)
    (lexicon,) = (lexicon for lexicon in stores if word in lexicon.words().to_pylist())
    assert lexicon.find(asked) == [word]
    assert asked in lexicon
    (other,) = (neighbor.word for neighbor in lexicon.synonyms(asked))
    assert other == f"x{search_key(word)}x"
    assert [item.kind for item in lexicon.explain(other.upper(), asked)] == ["synonym"]
    assert lexicon.relation(asked, other) == ["synonym"]
    assert lexicon.suggest(asked, 1) == [word]
    (row,) = lexicon.neighbors([asked], "synonym")["neighbors"].to_pylist()
    assert [lexicon.words()[place].as_py() for place in row] == [other]


def test_apostrophes_of_one_store_are_one_word(store_of: Open) -> None:
    with store_of(("l'homme", "adulte"), ("l’homme", "monsieur")) as lexicon:
        for word in ("l'homme", "l’homme", "lʼhomme"):
            assert sorted(lexicon.find(word)) == ["l'homme", "l’homme"]
            assert sorted(neighbor.word for neighbor in lexicon.synonyms(word)) == ["adulte", "monsieur"]
        rows = lexicon.neighbors(["l’homme", "adulte", "nothing"], "synonym")["neighbors"].to_pylist()
        assert [sorted(lexicon.words()[place].as_py() for place in row) for row in rows] == [
            ["adulte", "monsieur"],
            ["l'homme"],
            [],
        ]


def test_the_word_as_it_is_written_comes_first(store_of: Open) -> None:
    with store_of(("νόμος", "law"), ("νομός", "prefecture"), ("Maße", "dimensions"), ("Masse", "bulk")) as lexicon:
        assert lexicon.find("νομός") == ["νομός"]
        assert lexicon.find("ΝΟΜΟΣ") == ["νομός", "νόμος"]
        assert lexicon.find("maße") == ["Maße"]
        assert lexicon.find("masse") == ["Masse"]
    with store_of(("все", "люди"), ("всё", "полностью"), ("ёж", "зверь")) as lexicon:
        assert lexicon.find("все") == ["все"]
        assert lexicon.find("Всё") == ["всё"]
        assert lexicon.find("еж") == ["ёж"]


def test_capitals_of_a_greek_word_are_all_its_accents(store_of: Open) -> None:
    with store_of(("οδός", "δρόμος"), ("ΟΔΟΣ", "street"), ("νόμος", "law"), ("νομός", "prefecture")) as lexicon:
        for word in ("οδος", "οδοσ", "Οδοσ"):
            assert lexicon.find(word) == ["ΟΔΟΣ", "οδός"]
            (row,) = lexicon.neighbors([word], "synonym")["neighbors"].to_pylist()
            assert {lexicon.words()[place].as_py() for place in row} == {"δρόμος", "street"}
        assert lexicon.find("ΟΔΟΣ") == ["ΟΔΟΣ"]
        assert lexicon.find("Νομός") == ["νομός"]
        assert lexicon.find("νομοσ") == lexicon.find("νομος") == ["νομός", "νόμος"]


def test_letters_that_differ_stay_apart() -> None:
    words = ["resume", "résumé", "أب", "اب", "ñu", "nu", "й", "и", "ö", "o", "が", "か", "l", "ł"]
    assert len({search_key(word) for word in words}) == len(words)


def test_only_unusual_words_are_kept_apart() -> None:
    assert find_unusual(pa.array(["plain", "слово", "Straße", "l’eau"])) == {"strasse": [2], "l'eau": [3]}
    assert find_unusual(pa.array([], pa.string())) == {}
