"""What the words of an entry are: their usage, which of them are forms, and what of a linkage is a word."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import USAGES, Form, Headword, Record, Statement
from lexkit.sources.wiktionary import reader
from lexkit.sources.wiktionary.labels import _LABELS

Read = Callable[..., tuple[list[Record], ReadReport]]


def read_file(path: Path, language: str = "en") -> tuple[list[Record], ReadReport]:
    report = ReadReport()
    return [record for batch in reader.read(path, report, language) for record in batch.records()], report


@pytest.fixture
def read(tmp_path: Path) -> Read:
    def read_entries(*entries: dict[str, Any]) -> tuple[list[Record], ReadReport]:
        path = tmp_path / "w.jsonl"
        lines = [json.dumps({"lang_code": "en", "pos": "noun", **entry}) for entry in entries]
        path.write_text("\n".join(lines), encoding="utf-8")
        return read_file(path)

    return read_entries


def statements(records: list[Record]) -> list[Statement]:
    return [record for record in records if isinstance(record, Statement)]


def forms(records: list[Record]) -> list[Form]:
    return [record for record in records if isinstance(record, Form)]


class TestUsage:
    def test_every_label_is_of_the_vocabulary(self) -> None:
        assert set(_LABELS.values()) <= set(USAGES)

    @pytest.mark.parametrize(
        ("tags", "usage"),
        [
            (["archaic"], ("archaic",)),
            (["obsolete", "transitive"], ("obsolete",)),
            (["dated"], ("dated",)),
            (["historical"], ("historical",)),
            (["uncommon"], ("rare",)),
            (["dialectal"], ("dialect",)),
            (["Yorkshire"], ("dialect",)),
            (["US"], ("regional",)),
            (["Scotland", "New-Zealand"], ("regional",)),
            (["poetic"], ("literary",)),
            (["colloquial"], ("informal",)),
            (["vulgar", "slang"], ("slang", "vulgar")),
            (["pejorative"], ("offensive",)),
            (["ethnic", "slur"], ("offensive",)),
            (["humorous"], ("humorous",)),
            (["euphemistic"], ("euphemistic",)),
            (["figuratively"], ("figurative",)),
            (["idiomatic", "countable", "of a person"], ()),
        ],
    )
    def test_tags_of_senses_and_of_linkages(self, read: Read, tags: list[str], usage: tuple[str, ...]) -> None:
        sense = {"glosses": ["g"], "tags": tags, "synonyms": [{"word": "b"}]}
        records, _ = read(
            {"word": "a", "senses": [sense, {"glosses": ["h"]}], "antonyms": [{"word": "c", "tags": tags}]}
        )
        of_sense, of_entry = statements(records)
        assert (of_sense.usage, of_sense.other_usage) == (usage, ())
        assert (of_entry.usage, of_entry.other_usage) == ((), usage)

    @pytest.mark.parametrize(
        ("topics", "usage"),
        [
            (["medicine", "sciences"], ("technical",)),
            (["board-games", "chess", "games", "hobbies", "lifestyle"], ("technical",)),
            (["law", "legal"], ("technical",)),
            (["automotive", "transport", "vehicles"], ()),  # "bus" is a word of all
            (["geography", "natural-sciences"], ()),  # as is "Germany"
            (["time"], ()),
            ([], ()),
        ],
    )
    def test_topics_are_of_a_field(self, read: Read, topics: list[str], usage: tuple[str, ...]) -> None:
        sense = {"glosses": ["g"], "topics": topics, "synonyms": [{"word": "b"}]}
        (statement,) = statements(read({"word": "a", "senses": [sense]})[0])
        assert statement.usage == usage

    def test_a_label_belongs_to_its_sense_only(self, read: Read) -> None:
        senses = [
            {"glosses": ["not dear"], "synonyms": [{"word": "gratis"}]},
            {"glosses": ["of software"], "topics": ["software", "computing"], "synonyms": [{"word": "libre"}]},
        ]
        records, _ = read({"word": "free", "senses": senses, "synonyms": [{"word": "loose"}]})
        assert {s.other: s.usage for s in statements(records)} == {"gratis": (), "libre": ("technical",), "loose": ()}

    def test_what_all_senses_say_holds_for_the_entry(self, read: Read) -> None:
        senses = [{"glosses": ["g"], "tags": ["obsolete", "rare"]}, {"glosses": ["h"], "tags": ["obsolete"]}]
        (statement,) = statements(read({"word": "a", "senses": senses, "synonyms": [{"word": "b"}]})[0])
        assert statement.usage == ("obsolete",)

    @pytest.mark.parametrize(
        ("text", "word", "usage"),
        [
            ("unwit (archaic)", "unwit", ("archaic",)),
            ("unwit (archaic) (dialectal)", "unwit", ("archaic", "dialect")),
            ("(slang, US) jake", "jake", ("regional", "slang")),
            ("hel (17th century)", "hel", ("obsolete",)),
            ("(as) good as gold", "(as) good as gold", ()),
        ],
    )
    def test_notes_in_brackets_are_labels(self, read: Read, text: str, word: str, usage: tuple[str, ...]) -> None:
        (statement,) = statements(read({"word": "a", "synonyms": [{"word": text}]})[0])
        assert (statement.other, statement.other_usage) == (word, usage)


class TestForms:
    @pytest.mark.parametrize(
        ("word", "sense", "form"),
        [
            ("ran", {"form_of": [{"word": "run"}], "tags": ["form-of", "past"]}, ("run", "inflection")),
            ("are", {"form_of": [{"word": "be"}], "tags": ["form-of"]}, ("be", "inflection")),
            ("colour", {"alt_of": [{"word": "color"}], "tags": ["alt-of", "British"]}, ("color", "spelling")),
            ("swop", {"alt_of": [{"word": "swap"}], "tags": ["alt-of", "alternative"]}, ("swap", "spelling")),
            ("abime", {"alt_of": [{"word": "abysm"}], "tags": ["alt-of", "obsolete"]}, ("abysm", "spelling")),
            ("to-day", {"alt_of": [{"word": "today"}], "tags": ["alt-of"]}, ("today", "hyphenation")),
            ("A 1", {"alt_of": [{"word": "A1"}], "tags": ["alt-of"]}, ("A1", "hyphenation")),
        ],
    )
    def test_senses_that_are_forms(self, read: Read, word: str, sense: dict[str, Any], form: tuple[Any, Any]) -> None:
        records, report = read({"word": word, "senses": [sense]})
        assert records == [Form(word, *form), Headword(word)]
        assert report.n_rejected == 0

    @pytest.mark.parametrize(
        ("word", "sense", "reason"),
        [
            (
                "ABA",
                {"alt_of": [{"word": "a b a"}], "tags": ["abbreviation", "alt-of", "initialism"]},
                Reason.NOT_A_FORM,
            ),
            ("bus", {"alt_of": [{"word": "omnibus"}], "tags": ["alt-of", "clipping"]}, Reason.NOT_A_FORM),
            ("year", {"alt_of": [{"word": "here"}], "tags": ["alt-of", "pronunciation-spelling"]}, Reason.NOT_A_FORM),
            ("birth", {"alt_of": [{"word": "berth"}], "tags": ["alt-of", "misspelling"]}, Reason.MISSPELLING),
            ("abolisher", {"form_of": [{"word": "abolish"}], "tags": ["agent", "form-of"]}, Reason.NOT_A_FORM),
            ("bbl", {"alt_of": [{"word": "BBL Initialism of be back later"}], "tags": ["alt-of"]}, Reason.NOT_A_FORM),
            ("a", {"alt_of": [{"word": "a"}], "tags": ["alt-of"]}, Reason.SELF),
        ],
    )
    def test_what_is_no_form_is_counted(self, read: Read, word: str, sense: dict[str, Any], reason: Reason) -> None:
        records, report = read({"word": word, "senses": [sense]})
        assert records == [Headword(word)]
        assert report.rejected == {reason: 1}
        assert report.n_bad == 0

    def test_the_forms_of_an_entry(self, read: Read) -> None:
        rows = [
            ("brought", ["past"]),
            ("bring", ["infinitive"]),
            ("no-table-tags", ["table-tags"]),
            ("glossary", ["inflection-template"]),
            ("breng", ["alternative", "obsolete"]),
            ("more bring", ["comparative"]),
            ("-", ["plural"]),
            ("bringg", ["misspelling"]),
            ("brīng", ["romanization"]),
            ("br-ing", ["alternative"]),
        ]
        records, report = read({"word": "bring", "forms": [{"form": form, "tags": tags} for form, tags in rows]})
        assert forms(records) == [
            Form("brought", "bring", "inflection"),
            Form("breng", "bring", "spelling"),
            Form("br-ing", "bring", "hyphenation"),
        ]
        assert report.rejected == {Reason.NOT_A_FORM: 3, Reason.MISSPELLING: 1}

    @pytest.mark.parametrize(
        ("word", "other", "kind"),
        [
            ("hell", "Hell", "spelling"),
            ("AD", "A. D.", "spelling"),
            ("Achilles tendon", "Achilles' tendon", "spelling"),
            ("light speed", "lightspeed", "hyphenation"),
        ],
    )
    def test_a_synonym_of_the_same_letters_is_a_spelling(self, read: Read, word: str, other: str, kind: Any) -> None:
        records, report = read({"word": word, "synonyms": [{"word": other}]})
        assert records == [Form(other, word, kind), Headword(word)]
        assert report.n_rejected == 0

    def test_forms_of_other_languages_are_not_read(self, read: Read) -> None:
        sense = {"form_of": [{"word": "laufen"}], "tags": ["form-of", "past"]}
        records, _ = read({"word": "lief", "lang_code": "de", "senses": [sense]}, {"word": "run"})
        assert records == [Headword("run")]


class TestTargets:
    @pytest.mark.parametrize(
        ("text", "pos", "words", "reason"),
        [
            ("Land of the Long White Cloud -", "name", ["Land of the Long White Cloud"], None),
            ("to decrypt", "verb", ["decrypt"], None),
            ("to the letter", "adv", ["to the letter"], None),
            ("Logically negates to not everybody", "pron", [], Reason.RUNNING_TEXT),
            ("Most of these forms are non-standard", "noun", [], Reason.RUNNING_TEXT),
            ("To give something is to let it go. This is used for horses", "noun", [], Reason.RUNNING_TEXT),
            ("assessment. exaction", "noun", [], Reason.RUNNING_TEXT),
            ("English as a second language", "noun", ["English as a second language"], None),
            ("for what it is worth", "adv", ["for what it is worth"], None),
            ("Rome was not built in a day", "proverb", ["Rome was not built in a day"], None),
            ("Mr. Right", "noun", ["Mr. Right"], None),
            ("U.S. of A.", "name", ["U.S. of A."], None),
            ("see also folly", "noun", [], Reason.CROSS_REFERENCE),
            ("lark; see also folly", "noun", ["lark"], Reason.CROSS_REFERENCE),
            ("Appendix:Folly", "noun", [], Reason.CROSS_REFERENCE),
            ("S:t Petersburg", "name", ["S:t Petersburg"], None),
            ("thesaurus", "noun", ["thesaurus"], None),
            ("Thesaurus", "noun", [], Reason.THESAURUS_PAGE),
            ("word<ref>Smith 1900</ref>", "noun", ["word"], None),
            ("word[1]", "noun", ["word"], None),
            ("{{unknown|en|word}}", "noun", [], Reason.MARKUP),
        ],
    )
    def test_what_of_a_linkage_is_a_word(
        self, read: Read, text: str, pos: str, words: list[str], reason: Reason | None
    ) -> None:
        records, report = read({"word": "xyz", "pos": pos, "antonyms": [{"word": text}]})
        assert [statement.other for statement in statements(records)] == words
        assert list(report.rejected) == ([reason] if reason else [])

    def test_scopes(self, read: Read) -> None:
        linkages = [
            {"word": "b"},
            {"word": "c", "sense": "of birds"},
            {"word": "d", "source": "Thesaurus:a", "sense": "of birds"},
        ]
        senses = [{"glosses": ["g"], "synonyms": [{"word": "e"}]}]
        records, _ = read({"word": "a", "senses": senses, "synonyms": linkages})
        assert {s.other: s.scope for s in statements(records)} == {
            "b": "entry",
            "c": None,
            "d": "thesaurus",
            "e": None,
        }


class TestCases:
    """Small files that real ones are like; their README says what is expected."""

    def test_debris_of_pages_and_what_looks_like_it(self, shared: Callable[[str], Path]) -> None:
        records, report = read_file(shared("cases/wiktionary-chaff.jsonl"))
        found: dict[str, set[str]] = {}
        for statement in statements(records):
            found.setdefault(statement.word, set()).add(statement.other)
        kept = "silliness folly unwit jape caper buffoonery drollery drollness jest lark".split()
        assert found["foolishness"] == {*kept, "clowning about"}
        assert len(found["sundries"]) == 16
        assert report.rejected == {
            Reason.NOT_A_WORD: 2,
            Reason.THESAURUS_PAGE: 10,
            Reason.CROSS_REFERENCE: 7,
            Reason.SELF: 1,
        }

    def test_debris_of_a_table(self, shared: Callable[[str], Path]) -> None:
        records, report = read_file(shared("cases/wiktionary-table.jsonl"))
        assert [statement.other for statement in statements(records)] == ["world"]
        assert report.rejected == {Reason.MARKUP: 7}

    def test_null_in_a_list_is_as_good_as_absent(self, tmp_path: Path) -> None:
        file = tmp_path / "w.jsonl"
        file.write_text(
            '{"word": "kind", "lang_code": "en", "senses": [null, {"glosses": ["nice"], "synonyms": [null,'
            ' {"word": "gentle"}], "form_of": [null]}], "antonyms": [{"word": "cruel"}, null], "forms": [null]}\n',
            encoding="utf-8",
        )
        records, report = read_file(file)
        assert {(r.other, r.kind, r.sense) for r in records if isinstance(r, Statement)} == {
            ("gentle", "synonym", "nice"),
            ("cruel", "antonym", None),
        }
        assert report.rejected == {}
        assert report.n_records == 1

    def test_null_is_as_good_as_absent(self, shared: Callable[[str], Path]) -> None:
        records, report = read_file(shared("cases/nulls.jsonl"))
        assert {(s.word, s.other) for s in statements(records)} == {
            ("bring", "fetch"),
            ("cold", "chilly"),
            ("cold", "hot"),
        }
        assert report.n_rejected == 0

    @pytest.mark.parametrize(
        ("language", "glosses"),
        [
            ("de", {"Beleg": "Muster, dem etwas folgt", "Einzelfall": "einzelner Fall"}),
            ("ru", {"здание": "постройка", "род": "семья"}),
        ],
    )
    def test_senses_by_label_or_place(
        self, shared: Callable[[str], Path], language: str, glosses: dict[str, str]
    ) -> None:
        records, _ = read_file(shared("cases/sense-index.jsonl"), language)
        assert {s.other: s.sense for s in statements(records)} == glosses
        assert {s.scope for s in statements(records)} == {None}

    @pytest.mark.parametrize(
        ("language", "words"),
        [
            ("fa", ["\u062e\u0627\u0646\u0647\u200c\u062f\u0627\u0631"]),
            ("he", ["הורה"]),
            ("en", ["humane", "benign", "gentle", "gracious"]),
        ],
    )
    def test_invisible_characters(self, shared: Callable[[str], Path], language: str, words: list[str]) -> None:
        records, _ = read_file(shared("cases/invisible-characters.jsonl"), language)
        assert [statement.other for statement in statements(records)] == words

    def test_forms_lead_to_their_lemmas(self, shared: Callable[[str], Path]) -> None:
        records, report = read_file(shared("cases/alternative-forms.jsonl"))
        assert set(forms(records)) == {
            Form("colour", "color", "spelling"),
            Form("colours", "colour", "inflection"),
            Form("ran", "run", "inflection"),
        }
        assert len(statements(records)) == 3
        assert report.n_rejected == 0


class TestRealFiles:
    def test_forms_of_the_mini_dump(self, shared: Callable[[str], Path]) -> None:
        records, _ = read_file(shared("wiktionary/wiktextract-1.99.7-mini.jsonl.gz"))
        kinds = Counter(form.kind for form in set(forms(records)))
        assert kinds.keys() == {"inflection", "spelling", "hyphenation"}
        assert {
            Form("abode", "abide", "inflection"),
            Form("quizzes", "quiz", "inflection"),
            Form("abacisci", "abaciscus", "inflection"),
            Form("vapourware", "vaporware", "spelling"),
            Form("aard-vark", "aardvark", "hyphenation"),
        } <= set(forms(records))
        words = {form.word for form in forms(records)}
        assert not words & {"abolisher", "birth", "BBC", "more free"}

    def test_usage_in_the_mini_dump(self, shared: Callable[[str], Path]) -> None:
        records, _ = read_file(shared("wiktionary/wiktextract-1.99.7-mini.jsonl.gz"))
        labelled = [s for s in statements(records) if s.usage or s.other_usage]
        assert len(labelled) > 600
        assert all(s.usage == ("regional",) for s in statements(records) if s.word == "acclimate")
        assert not any(s.usage for s in statements(records) if s.word in ("month", "eagle", "world"))
