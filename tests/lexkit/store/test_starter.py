"""What the starter data promise: valid entries, written for this project, that answer everyday questions."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import lexkit
from lexkit import Lexicon
from lexkit.sources.catalog import load_catalog
from lexkit.sources.data_files import data_file

FILE = data_file("starter/wiktionary.jsonl")
LINES = FILE.read_text(encoding="utf-8").splitlines()
KINDS = ("synonyms", "antonyms")
HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def entries() -> list[dict[str, Any]]:
    return [json.loads(line) for line in LINES]


@pytest.fixture(scope="module")
def lexicon(starter_store: Path) -> Iterator[Lexicon]:
    with lexkit.open(starter_store) as opened:
        yield opened


def listed(name: str) -> list[list[str]]:
    """The rows of a list of words beside this file, without its header."""
    return [line.split("\t") for line in (HERE / name).read_text(encoding="utf-8").splitlines()[1:]]


def pairs(entries: list[dict[str, Any]], kind: str) -> set[frozenset[str]]:
    return {
        frozenset((entry["word"], other["word"]))
        for entry in entries
        for place in (entry, *entry["senses"])
        for other in place.get(kind, ())
    }


def is_valid(line: str) -> bool:
    entry = json.loads(line)
    senses = entry["senses"]
    glosses = [gloss for sense in senses for gloss in sense["glosses"]]
    fields = ["word", "lang", "lang_code", "pos", "senses"]
    return (
        line == json.dumps(entry, ensure_ascii=False)
        and [field for field in entry if field in fields] == fields
        and set(entry) <= {*fields, *KINDS, "derived"}
        and (entry["lang"], entry["lang_code"]) == ("English", "en")
        and entry["pos"] in {"adj", "adv", "conj", "det", "intj", "noun", "prep", "pron", "verb"}
        and len(glosses) == len(senses) > 0
        and all(set(sense) <= {"glosses", "tags", *KINDS} for sense in senses)
        and all(re.fullmatch(r"[A-Z].*\.", gloss) and len(gloss.split()) <= 15 for gloss in glosses)
        and all(gloss.startswith("To ") for gloss in glosses if entry["pos"] == "verb")
        and all(are_others(entry["word"], place[kind]) for place in (entry, *senses) for kind in KINDS if kind in place)
    )


def are_others(word: str, linkages: list[dict[str, Any]]) -> bool:
    words = [linkage["word"] for linkage in linkages]
    return len(words) > 0 and len({word, *words}) == 1 + len(words) and all(words)


class TestFile:
    def test_every_line_is_a_valid_entry(self) -> None:
        assert not [line for line in LINES if not is_valid(line)]

    def test_entries_are_sorted_and_none_comes_twice(self, entries: list[dict[str, Any]]) -> None:
        keys = [(entry["word"], entry["pos"]) for entry in entries]
        assert keys == sorted(set(keys))

    def test_no_pair_is_of_both_kinds(self, entries: list[dict[str, Any]]) -> None:
        assert not pairs(entries, "synonyms") & pairs(entries, "antonyms")

    def test_there_are_as_many_as_the_catalogue_says(self, entries: list[dict[str, Any]]) -> None:
        (about,) = (file.about for file in load_catalog().starter if file.file == FILE.name)
        numbers = [int(number.replace(",", "")) for number in re.findall(r"[\d,]*\d", about)]
        sets = sum("synonyms" in sense for entry in entries for sense in entry["senses"])
        antonyms = len(pairs(entries, "antonyms"))
        assert numbers == [len(entries), sets, antonyms]
        assert sets >= 500
        assert antonyms >= 350


class TestAnswers:
    def test_nothing_of_the_entries_is_refused(self, lexicon: Lexicon) -> None:
        assert not [row for row in lexicon.statistics().rejections if row.source == "wiktionary"]

    def test_everyday_antonyms_are_known(self, lexicon: Lexicon) -> None:
        rows = listed("everyday_antonyms.tsv")
        unknown = [
            f"{word}/{opposite}"
            for word, opposite in rows
            if opposite not in {neighbor.word for neighbor in lexicon.antonyms(word, direct=True)}
        ]
        assert len(rows) == 100
        assert len(unknown) <= 3, unknown

    def test_everyday_words_have_synonyms_and_antonyms(self, lexicon: Lexicon) -> None:
        rows = listed("everyday_words.tsv")
        assert len(rows) == 60
        assert not [word for (word,) in rows if not lexicon.synonyms(word, direct=True)]
        assert not [word for (word,) in rows if not lexicon.antonyms(word, direct=True)]

    def test_words_that_are_younger_than_roget_are_known(self, lexicon: Lexicon) -> None:
        words = "internet email website video online app download software smartphone girlfriend basically awesome"
        assert not [word for word in words.split() if not lexicon.synonyms(word, direct=True)]
        assert "girlfriend" in {neighbor.word for neighbor in lexicon.antonyms("boyfriend")}
