"""Lines of other editions than the English one: their schemas, their names for things, and their debris."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit.sources.parts_of_speech import common_names, read_pos
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import USAGES, Form, Headword, Record, Statement
from lexkit.sources.validation import keep_valid
from lexkit.sources.wiktionary import reader
from lexkit.sources.wiktionary.labels import _known_marks
from lexkit.sources.wiktionary.targets import read_target

Read = Callable[..., tuple[list[Record], ReadReport]]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_entry(language: str, **fields: Any) -> tuple[list[Record], ReadReport]:
        path = tmp_path / "w.jsonl"
        path.write_text(json.dumps({"lang_code": language, **fields}, ensure_ascii=False), encoding="utf-8")
        report = ReadReport()
        return [record for batch in reader.read(path, report, language) for record in batch.records()], report

    return read_entry


def statements(records: list[Record]) -> list[Statement]:
    return [record for record in records if isinstance(record, Statement)]


def senses(**glosses: str) -> list[dict[str, Any]]:
    return [{"sense_index": label[1:].replace("_", "."), "glosses": [gloss]} for label, gloss in glosses.items()]


class TestSenseIndex:
    @pytest.mark.parametrize(
        ("language", "of_entry", "index", "found"),
        [
            ("de", senses(n1="Tier", n1a="Hund", n2="Schuft"), "1a", ["Hund"]),
            ("de", senses(n1="Tier", n2="Schuft", n3="Karre"), "1, 3", ["Tier", "Karre"]),
            ("de", senses(n1="Tier", n2="Schuft", n3="Karre"), "[1\u20132]", ["Tier", "Schuft"]),
            ("pl", senses(n1_1="zwierzę", n2_1="policjant"), "2.1", ["policjant"]),
            ("pl", senses(n1_1="zwierzę", n1_2="łajdak", n2_1="policjant"), "1.1-2", ["zwierzę", "łajdak"]),
            ("ko", [{"glosses": ["시럽"]}, {"glosses": ["주스"]}], "2", ["주스"]),
            ("fr", [{"glosses": ["animal"]}, {"glosses": ["policier"]}], 2, ["policier"]),
            ("nl", [{"glosses": ["dier"]}, {"glosses": ["algemeen", "mens"]}], 2, ["mens"]),
            # no sense with this label, or in this place
            ("de", senses(n1="Tier", n3="Karre"), "2", [None]),
            ("ru", [{"glosses": ["зверь"]}], 2, [None]),
            ("cs", [{"glosses": ["zvíře"]}], "", [None]),
        ],
    )
    def test_the_gloss_is_that_of_the_sense_that_a_linkage_names(
        self, read: Read, language: str, of_entry: list[dict[str, Any]], index: str | int, found: list[str | None]
    ) -> None:
        linkage = {"word": "xyz", "sense_index": index}
        records, report = read(language, word="abc", senses=of_entry, antonyms=[linkage])
        assert report.rejected == ({Reason.UNKNOWN_SENSE: 1} if index and found == [None] else {})
        assert report.n_bad == 0
        assert [s.sense for s in statements(records)] == found
        assert {s.scope for s in statements(records)} == {None if found[0] else "entry"}

    def test_the_next_linkage_has_no_sense_of_the_one_before(self, read: Read) -> None:
        linkages = [{"word": "pejsek", "sense_index": 1}, {"word": "ratlík"}, {"word": "hafan", "sense": "zdrobněle"}]
        records, _ = read("cs", word="psík", senses=[{"glosses": ["zvíře"]}], synonyms=linkages)
        assert [s.sense for s in statements(records)] == ["zvíře", None, "zdrobněle"]

    def test_labels_are_those_of_the_named_sense(self, read: Read) -> None:
        of_entry = [{"glosses": ["zwierzę"], "tags": ["rare"]}, {"glosses": ["policjant"], "tags": ["slang"]}]
        records, _ = read("pl", word="pies", senses=of_entry, synonyms=[{"word": "glina", "sense_index": 2}])
        assert [s.usage for s in statements(records)] == [("slang",)]


class TestPartsOfSpeech:
    @pytest.mark.parametrize(
        ("name", "pos"),
        [
            ("noun", "noun"),
            ("Substantiv", "noun"),
            ("Zelfstandig naamwoord", "noun"),
            ("существительное", "noun"),
            ("proper noun", "name"),
            ("interj", "intj"),
            ("gerund", "verb"),
            ("onomatopeia", "onomatopoeia"),
            ("Sostantivo, forma flessa", "noun"),
            ("locución verbal", "phrase"),
            ("przysłówek", "adv"),
            ("rzeczownik, rodzaj męski", "noun"),
            ("locution verbale", "phrase"),
            ("  adj\u0000 ", "adj"),
        ],
    )
    def test_names_of_every_edition_have_a_common_one(self, read: Read, name: str, pos: str) -> None:
        records, report = read("de", word="abc", pos=name, synonyms=[{"word": "xyz"}])
        assert [s.pos for s in statements(records)] == [pos]
        assert report.n_rejected == 0

    @pytest.mark.parametrize(("name", "pos"), [("mantra", "mantra"), ("stem: absolvent-", None), ("a, b", None)])
    def test_unknown_names_are_counted_and_kept_if_they_are_names(self, read: Read, name: str, pos: str | None) -> None:
        records, report = read("en", word="abc", pos=name, synonyms=[{"word": "xyz"}])
        assert [s.pos for s in statements(records)] == [pos]
        assert Headword("abc") in records
        assert report.rejected == {Reason.UNKNOWN_POS: 1}
        assert report.n_bad == 0

    def test_a_name_that_says_nothing_of_grammar_is_known(self, read: Read) -> None:
        records, report = read("zh", word="abc", pos="soft-redirect", synonyms=[{"word": "xyz"}])
        assert [s.pos for s in statements(records)] == [None]
        assert report.n_rejected == 0

    def test_common_names_stand_for_themselves(self) -> None:
        assert {pos: read_pos(pos) for pos in common_names().values() if pos} == {
            pos: (pos, True) for pos in common_names().values() if pos
        }


class TestMarks:
    def test_every_label_is_of_the_vocabulary(self) -> None:
        assert set(_known_marks().values()) <= set(USAGES)

    @pytest.mark.parametrize(
        ("language", "marks", "usage"),
        [
            ("ru", ["уничижительное"], ("offensive",)),
            ("pl", ["żart."], ("humorous",)),
            ("it", ["senso figurato"], ("figurative",)),
            ("fr", ["Canada", "Louisiane"], ("regional",)),
            ("de", ["veraltet", "ugs."], ("obsolete", "informal")),
            ("nl", ["Noord-Nederlands"], ("regional",)),
        ],
    )
    def test_raw_tags_are_usage_labels(
        self, read: Read, language: str, marks: list[str], usage: tuple[str, ...]
    ) -> None:
        sense = {"glosses": ["g"], "raw_tags": marks, "synonyms": [{"word": "b"}]}
        records, report = read(language, word="a", senses=[sense, {"glosses": ["h"]}])
        assert [(s.usage, s.other_usage) for s in statements(records)] == [(usage, ())]
        records, report = read(language, word="a", synonyms=[{"word": "b", "raw_tags": marks}])
        assert [(s.usage, s.other_usage) for s in statements(records)] == [((), usage)]
        assert report.n_rejected == 0

    def test_unknown_ones_are_counted(self, read: Read) -> None:
        records, report = read("ru", word="a", synonyms=[{"word": "b", "raw_tags": ["экзоэтнонимы", None]}])
        assert len(statements(records)) == 1
        assert report.rejected == {Reason.UNKNOWN_MARK: 1}
        assert "экзоэтнонимы" in report.examples[Reason.UNKNOWN_MARK]

    def test_notes_in_brackets_in_any_language(self, read: Read) -> None:
        records, _ = read("de", word="a", synonyms=[{"word": "Narretei (veraltet)"}])
        assert [(s.other, s.other_usage) for s in statements(records)] == [("Narretei", ("obsolete",))]


class TestForms:
    def test_forms_lead_to_their_lemmas(self, read: Read) -> None:
        sense = {"glosses": ["meervoud van hond"], "form_of": [{"word": "hond"}], "tags": ["form-of", "plural"]}
        assert read("nl", word="honden", senses=[sense])[0] == [
            Form("honden", "hond", "inflection"),
            Headword("honden"),
        ]
        sense = {"glosses": ["「てんぷら」参照。"], "form_of": [{"word": "てんぷら"}]}
        assert Form("天麩羅", "てんぷら", "inflection") in read("ja", word="天麩羅", senses=[sense])[0]
        row = {"form": "pondělek", "tags": ["alternative"]}
        assert Form("pondělek", "pondělí", "spelling") in read("cs", word="pondělí", forms=[row])[0]


class TestText:
    @pytest.mark.parametrize(
        ("language", "text", "words", "reason"),
        [
            # ordinary words and sayings, which English rules would spoil
            ("nl", "De hond zit hem op de tas.", ["De hond zit hem op de tas."], None),
            ("de", "Was du heute kannst besorgen, das was ...", ["Was du heute kannst besorgen, das was ..."], None),
            ("nl", "Wie goed doet is altijd welkom", ["Wie goed doet is altijd welkom"], None),
            ("ru", "вода бьёт (ключом, фонтаном)", ["вода бьёт (ключом, фонтаном)"], None),
            ("zh", "一不做\uff0c二不休", ["一不做\uff0c二不休"], None),
            ("de", "Thesaurus", ["Thesaurus"], None),
            ("de", "to", ["to"], None),
            ("mn", "ᠮᠣᠩᠭᠣᠯ᠎ᠠ", ["ᠮᠣᠩᠭᠣᠯ᠎ᠠ"], None),
            # references and pages
            ("de", "siehe auch Torheit", [], Reason.CROSS_REFERENCE),
            ("de", "Narretei, siehe auch Torheit", ["Narretei"], Reason.CROSS_REFERENCE),
            ("de", "Verzeichnis:Deutsch", [], Reason.CROSS_REFERENCE),
            ("fr", "Thésaurus:folie", [], Reason.THESAURUS_PAGE),
            ("fr", "voir aussi folie", [], Reason.CROSS_REFERENCE),
            ("fr", "Modèle:lien", [], Reason.PLACEHOLDER),
            ("ru", "см. глупость", [], Reason.CROSS_REFERENCE),
            # markup
            ("zh", "-{發音}-", ["發音"], None),
            ("en", "[https://example.org folly]", ["folly"], None),
            ("en", "folly<!-- note -->", ["folly"], None),
            ("en", "https://example.org/folly", [], Reason.MARKUP),
            ("en", "width: 7.1%", [], Reason.MARKUP),
            ("en", "colspan=2 folly", [], Reason.MARKUP),
            ("en", "__NOTOC__", [], Reason.MARKUP),
            ("en", "Lua error in Module:links", [], Reason.MARKUP),
            # leftover punctuation
            ("de", "„Torheit“", ["Torheit"], None),
            ("en", "“folly”", ["folly"], None),
            ("en", 'folly"', ["folly"], None),
            ("en", "folly (archaic", ["folly"], None),
            ("en", "folly)", ["folly"], None),
            ("en", "→ folly", ["folly"], None),
            ("en", ",folly", ["folly"], None),
            ("en", "folly;", ["folly"], None),
            ("en", "folly\u00b9", ["folly"], None),
            ("en", "(archaic)", [], Reason.EMPTY_TARGET),
            ("en", "", [], Reason.EMPTY_TARGET),
            # none of it
            ("en", "km\u00b2", ["km\u00b2"], None),
            ("en", "f(x)", ["f(x)"], None),
            ("en", "*foo", ["*foo"], None),
            ("en", "-ness", ["-ness"], None),
            ("en", 'the "in" crowd', ['the "in" crowd'], None),
            ("en", "a\u0007b", [], Reason.NOT_A_WORD),
        ],
    )
    def test_what_of_a_linkage_is_a_word(
        self, language: str, text: str, words: list[str], reason: Reason | None
    ) -> None:
        found, _, found_reason = read_target(text, "noun", language)
        assert (list(found), found_reason) == (words, reason)

    def test_an_empty_linkage_is_refused_and_the_line_is_read(self, read: Read) -> None:
        records, report = read("en", word="abc", synonyms=[{"word": ""}, {"sense": "x"}, {"word": "xyz"}])
        assert [s.other for s in statements(records)] == ["xyz"]
        assert report.rejected == {Reason.EMPTY_TARGET: 2}
        assert report.n_bad == 0

    def test_a_stub_is_no_word(self, read: Read) -> None:
        gloss = (
            "Wiktionary does not have any English dictionary entry for this term. This is most likely because this "
            "term does not meet our criteria for inclusion (yet)."
        )
        records, report = read("en", word="runeterra", pos="noun", senses=[{"glosses": [gloss]}, {"glosses": [gloss]}])
        assert records == []
        assert report.rejected == {Reason.STUB: 1}
        assert report.n_bad == 0
        records, _ = read("en", word="runeterra", pos="noun", senses=[{"glosses": [gloss]}, {"glosses": ["A land."]}])
        assert records == [Headword("runeterra")]

    def test_glosses_and_notes_have_no_control_characters(self, read: Read) -> None:
        sense = {"glosses": ["not\u0000 kind;\n cruel"], "synonyms": [{"word": "b"}]}
        records, _ = read(
            "en", word="a", senses=[sense], antonyms=[{"word": "c", "sense": "\u0007of\tbirds", "source": "x\u0001"}]
        )
        (batch,) = keep_valid(statements(records), ReadReport())
        assert batch.table["sense"].to_pylist() == ["not kind; cruel", "x: of birds"]

    @pytest.mark.parametrize("source", ["Thesaurus:folly", "Thésaurus:folie", "อรรถาภิธาน:ระดู"])
    def test_thesauri_of_all_editions(self, read: Read, source: str) -> None:
        records, _ = read("fr", word="a", synonyms=[{"word": "b", "source": source}])
        assert [(s.sense, s.scope) for s in statements(records)] == [(source, "thesaurus")]
