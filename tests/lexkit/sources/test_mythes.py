from __future__ import annotations

import gzip
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

import lexkit
from lexkit.errors import SourceError
from lexkit.sources.data_files import data_file
from lexkit.sources.mythes import MISSING_MEANINGS, ONE_SIDED, WRONG_ENCODING, read
from lexkit.sources.mythes_notes import (
    ALTERNATIVES,
    COMPARE,
    GAP,
    HYPERNYM,
    HYPONYM,
    LOST,
    OTHER_MARK,
    RELATED,
    SHARED_DAY,
    SIMILAR,
)
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import USAGES, Headword, Record, Statement

DEBIAN = Path("/usr/share/mythes")
FILES = {
    "ca": "th_ca_ES_v3.dat",
    "da": "th_da_DK.dat",
    "cs": "th_cs_CZ_v2.dat",
    "de": "th_de_DE_v2.dat",
    "en": "th_en_US_v2.dat",
    "es": "th_es_ES_v2.dat",
    "fr": "thes_fr.dat",
    "hu": "th_hu_HU_v2.dat",
    "it": "th_it_IT_v2.dat",
    "nb": "th_nb_NO_v2.dat",
    "nn": "th_nn_NO_v2.dat",
    "pl": "th_pl_PL_v2.dat",
    "pt": "th_pt_BR.dat",
    "ru": "th_ru_RU_v2.dat",
    "sv": "th_sv_SE_v2.dat",
    "uk": "th_uk_UA_v2.dat",
}


def records(path: Path, text: str | bytes, language: str = "en") -> tuple[list[Record], ReadReport]:
    file = path / "th.dat"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    report = ReadReport()
    return list(read(file, report, language)), report


class TestMeanings:
    def test_unmarked_terms_are_synonyms_and_antonyms_are_marked(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path,
            "UTF-8\nmerry|2\n(adj)|jolly|glad (similar term)|sad (antonym)|happy (generic term)\n(Odd)|gay \n"
            "alone|1\n-\n",
        )
        assert found == [
            Statement("merry", "jolly", "synonym", "adj"),
            Statement("merry", "sad", "antonym", "adj"),
            Statement("merry", "gay", "synonym", None, "Odd"),
            Headword("alone"),
        ]
        assert report.n_records == 5
        assert report.rejected == {SIMILAR: 1, HYPERNYM: 1}
        assert report.examples[SIMILAR] == "line 3: merry: glad"
        assert report.n_bad == 0

    def test_unmarked_terms_beside_a_related_one_must_return_the_synonymy(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path,
            "UTF-8\nlunar|1\n(adj)|moony|moon|satellite (related term)\n"
            "moony|1\n(adj)|lunar|moon|satellite (related term)\nmoon|1\n(noun)|orb\n",
        )
        assert found == [
            Statement("lunar", "moony", "synonym", "adj"),
            Statement("moony", "lunar", "synonym", "adj"),
            Statement("moon", "orb", "synonym", "noun"),
        ]
        assert report.rejected == {RELATED: 2, ONE_SIDED: 2}

    def test_an_entry_is_spelt_as_in_its_meaning(self, tmp_path: Path) -> None:
        found, _ = records(tmp_path, "UTF-8\nrome|2\n(noun)|Rome|Eternal City\n(noun)|capital\n")
        assert found == [
            Statement("Rome", "Eternal City", "synonym", "noun"),
            Statement("rome", "capital", "synonym", "noun"),
        ]

    def test_a_meaning_without_its_entry_is_spelt_as_the_others_where_most_have_it(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path,
            "UTF-8\nherz|3\n-|Herz|Pumpe (ugs.)\n-|Herz...|Kardio...\n-|Gefühl|Herz\nkardio|1\n-|Kardio\n"
            "treulosigkeit|2\n-|Treulosigkeit (von Ehepartnern)|Untreue\n-|Ehebruch\n"
            "gut|3\n-|Gut|Landgut\n-|gut|okay\n-|prima\n",
            "de",
        )
        assert found == [
            Statement("Herz", "Pumpe", "synonym", other_usage=("informal",)),
            Headword("Herz"),
            Statement("Herz", "Gefühl", "synonym"),
            Headword("Kardio"),
            Statement("Treulosigkeit", "Untreue", "synonym"),
            Statement("Treulosigkeit", "Ehebruch", "synonym"),
            Statement("Gut", "Landgut", "synonym"),
            Statement("gut", "okay", "synonym"),
            Statement("gut", "prima", "synonym"),
        ]
        assert report.rejected == {GAP: 2, OTHER_MARK: 1}
        assert report.examples[OTHER_MARK] == "line 9: Treulosigkeit: Treulosigkeit (von Ehepartnern)"

    def test_an_entry_without_meanings_is_a_word(self, tmp_path: Path) -> None:
        found, report = records(tmp_path, "UTF-8\nkind|0\ngood|1\n-|fine\n")
        assert found == [Headword("kind"), Statement("good", "fine", "synonym")]
        assert (report.n_records, report.rejected) == (3, {})

    def test_marks_may_stand_for_the_part_of_speech(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path, "\ufeffUTF-8\nжизнь|3\n(синоним)|пекло\n(антоним)|рай\n(сходный термин)|беспорядок\n"
        )
        assert found == [
            Statement("жизнь", "пекло", "synonym"),
            Statement("жизнь", "рай", "antonym"),
            Headword("жизнь"),
        ]
        assert report.rejected == {SIMILAR: 1}


def words(found: list[Record]) -> list[tuple[str, str]]:
    return [(record.word, record.other) for record in found if isinstance(record, Statement)]


class TestNotes:
    @pytest.mark.parametrize("language", ["en", "de", "pl", "uk", "fr", "xx"])
    def test_are_understood_in_files_of_any_language(self, shared: Callable[[str], Path], language: str) -> None:
        report = ReadReport()
        found = list(read(shared("cases/mythes-notes.dat"), report, language))
        assert found == [
            Statement("großartig", "geil", "synonym", other_usage=("informal",)),
            Statement("großartig", "prima", "synonym"),
            Statement("osiedleniec", "autochton", "antonym"),
            Statement("osiedleniec", "przybysz", "synonym", other_usage=("informal",)),
            Statement("абетка", "азбука", "synonym"),
            Statement("абетка", "алфавіт", "synonym"),
            Statement("maison", "demeure", "synonym", "noun"),
            Statement("maison", "logis", "synonym", "noun"),
            Statement("bello", "grazioso", "synonym", "adj"),
            Statement("bello", "vago", "synonym", "adj"),
        ]
        assert report.rejected == {}

    def test_of_style_are_labels_of_either_word(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path,
            "UTF-8\nbüezer|1\n-|Büezer (ugs., schweiz.)|Prolet (veraltend oder abwertend) (derb)|Arbeiter (Hauptform)\n"
            "белькотіти|1\n(розм.)|(рідше) (розм.) бубоніти|лепетати\n",
        )
        assert found == [
            Statement(
                "Büezer",
                "Prolet",
                "synonym",
                usage=("regional", "informal"),
                other_usage=("dated", "vulgar", "offensive"),
            ),
            Statement("Büezer", "Arbeiter", "synonym", usage=("regional", "informal")),
            Statement("белькотіти", "бубоніти", "synonym", usage=("informal",), other_usage=("rare", "informal")),
            Statement("белькотіти", "лепетати", "synonym", usage=("informal",)),
        ]
        assert report.rejected == {}

    def test_of_other_relations_refuse_under_their_names(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path,
            "UTF-8\nstudi|4\n-|Studi (ugs.)|Mensch (oft ironisch) (ugs.) (Oberbegriff)|akademik (pojęcie nadrzędne)\n"
            "-|żak (pojęcie podrzędne)|bachelor (underbegreb)|egér (kategória)|(пор.) учень|(див. ще) школяр\n"
            "(névnap)|01-27|János\n(Antónimo)|maestro\n",
        )
        assert found == [
            Headword("Studi"),
            Headword("studi"),
            Headword("studi"),
            Statement("studi", "maestro", "antonym"),
        ]
        assert report.rejected == {HYPERNYM: 3, HYPONYM: 2, COMPARE: 2, SHARED_DAY: 2}

    @pytest.mark.parametrize(
        ("text", "pos", "sense"),
        [
            ("(Adverbe)", "adv", None),
            ("(Adjectif Nom)", None, None),
            ("(s.m.inv.)", "noun", None),
            ("(v. Mettere da parte)", "verb", "Mettere da parte"),
            ("(agg. Contrario)", "adj", "Contrario"),
            ("(agg. Raro)", "adj", "Raro"),
            ("(v. Erbo transitivo?)", "verb", None),
            ("(příd. jm.)", "adj", None),
            ("(intr.-prnl.)", "verb", None),
            ("(adv.) ", "adv", None),
            ("(про звук)", None, "про звук"),
            ("(?)", None, None),
        ],
    )
    def test_before_the_terms_are_parts_of_speech_or_senses(
        self, tmp_path: Path, text: str, pos: str | None, sense: str | None
    ) -> None:
        assert records(tmp_path, f"UTF-8\na|1\n{text}|b\n")[0] == [Statement("a", "b", "synonym", pos, sense)]

    def test_a_mark_that_two_languages_read_differently_is_known_in_these_only(self) -> None:
        marks = msgspec.toml.decode(data_file("mythes_marks.toml").read_bytes())
        meanings: dict[str, dict[str, str]] = {}
        for language, table in marks.items():
            for meaning, names in table.items():
                for name in names:
                    # within a language a mark has one meaning
                    assert meanings.setdefault(name.casefold(), {}).setdefault(language, meaning) == meaning, name
        differing = {name: by for name, by in meanings.items() if len(set(by.values())) > 1}
        assert differing == {}

    def test_every_meaning_in_the_file_of_marks_is_one(self) -> None:
        marks = msgspec.toml.decode(data_file("mythes_marks.toml").read_bytes())
        pos = {"noun", "verb", "adj", "adv", "pron", "prep", "conj", "intj", "det"}
        relations = {"synonym", "antonym", "hypernym", "hyponym", "similar", "related", "compare", "shared_day"}
        assert {meaning for table in marks.values() for meaning in table} <= {*pos, *relations, *USAGES, "note"}

    def test_words_that_may_be_left_out_are(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path,
            "UTF-8\n(bestått) prøve|1\n-|(sich) (auf etwas) freuen|an der (ganz) kurzen Leine|Angestellte(r)|"
            '(for)herde|achten (auf)|[gos] llebrer|im Jahr (...)|"grobe Arbeit"|(a (b) c) d\n',
        )
        assert words(found) == [
            ("prøve", other)
            for other in (
                "freuen",
                "an der kurzen Leine",
                "Angestellte",
                "herde",
                "achten",
                "llebrer",
                "im Jahr",
                "grobe Arbeit",
                "d",
            )
        ]
        assert report.rejected == {}

    def test_marks_that_touch_their_word_are_marks(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path,
            "UTF-8\nkind|1\n(adj)|good(antonym)|(antonym)mean2|[antonym]bad|mean -- (antonym)|(antonym): cruel|"
            "harsh, (antonym)(dated)|nice(dated)|human(generic term)|gentle(man)\n",
        )
        assert found == [
            *(Statement("kind", other, "antonym", "adj") for other in ("good", "mean2", "bad", "mean", "cruel")),
            Statement("kind", "harsh", "antonym", "adj", other_usage=("dated",)),
            Statement("kind", "nice", "synonym", "adj", other_usage=("dated",)),
            Statement("kind", "gentle", "synonym", "adj"),
        ]
        assert report.rejected == {HYPERNYM: 1}

    def test_that_are_not_known_refuse_the_term_where_a_relation_would_stand(self, tmp_path: Path) -> None:
        found, report = records(tmp_path, "UTF-8\nbank (of a river)|1\n-|shore (xyzzy)|(xyzzy) side|b (xyzzy, ugs.)\n")
        assert found == [
            Statement("bank", "side", "synonym"),
            Statement("bank", "b", "synonym", other_usage=("informal",)),
        ]
        assert report.rejected == {OTHER_MARK: 1}
        assert report.examples[OTHER_MARK] == "line 3: bank: shore (xyzzy)"

    def test_what_is_no_word_is_refused(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path,
            "UTF-8\nword|1\n-|möchten Sie ...|Normal…|(all)|word]|ikke annet/andre|und/oder|ment\ufffdn|mentï¿½n\n"
            "möchten ...|1\n-|wollen\n",
        )
        assert words(found) == [("word", "und/oder")]
        assert report.rejected == {GAP: 3, Reason.NOT_A_WORD: 1, Reason.LEFTOVER: 1, ALTERNATIVES: 1, LOST: 2}


class TestOrigin:
    ENGLISH = "UTF-8\nhot dog|1\n(noun)|frankfurter|food (generic term)\n"

    def test_the_english_thesaurus_is_made_from_wordnet(self, tmp_path: Path) -> None:
        report = records(tmp_path, self.ENGLISH)[1]
        assert (report.licence, report.origin) == ("LicenseRef-WordNet-3.0", "wordnet")

    @pytest.mark.parametrize(
        "text", ["UTF-8\nhot dog|1\n(noun)|frankfurter\n", "UTF-8\nWurst|1\n-|Essen (Oberbegriff)|Wiener\n"]
    )
    def test_one_without_its_marks_is_not(self, tmp_path: Path, text: str) -> None:
        report = records(tmp_path, text)[1]
        assert (report.licence, report.origin) == (None, None)

    def test_nor_is_one_of_another_language(self, tmp_path: Path) -> None:
        records(tmp_path, self.ENGLISH)
        report = ReadReport()
        list(read(tmp_path / "th.dat", report, "ne"))
        assert (report.licence, report.origin) == (None, None)

    def test_it_adds_no_source_to_what_wordnet_states(self, tmp_path: Path) -> None:
        records(tmp_path, self.ENGLISH)
        (tmp_path / "dict").mkdir()
        for name in ("noun", "verb", "adj", "adv"):
            notice = "  1 WordNet 3.0 Copyright 2006 by Princeton University.\n"
            line = "00000100 03 n 02 hot_dog 0 frankfurter 1 000 | a sausage in a roll\n" if name == "noun" else ""
            (tmp_path / "dict" / f"data.{name}").write_text(notice + line, encoding="utf-8")
        pairs = tmp_path / "pairs.txt"
        pairs.write_text("hot dog\tfrankfurter\n", encoding="utf-8")
        sources = [("wordnet", tmp_path / "dict"), ("mythes", tmp_path / "th.dat")]
        for lists, n_sources in (([], 1), ([("synonym", pairs)], 2)):
            lexkit.build(tmp_path / "s.duckdb", sources=sources, pairs=lists)
            with lexkit.open(tmp_path / "s.duckdb") as lexicon:
                (row,) = lexicon.sql("SELECT n_sources, sources FROM relation WHERE direct").to_pylist()
            assert {"mythes", "wordnet"} <= set(row["sources"].split(","))
            assert row["n_sources"] == n_sources


class TestFile:
    @pytest.mark.parametrize(
        ("name", "codec"),
        [("ISO8859-1", "latin-1"), ("UTF-8", "utf-8"), ("ISO8859-15", "iso8859-15"), ("CP-1252", "cp1252")],
    )
    def test_is_in_the_encoding_of_its_first_line(self, tmp_path: Path, name: str, codec: str) -> None:
        text = f"{name}\r\ncafé|1\r\n-|bistro\r\n".encode(codec)
        assert records(tmp_path, text)[0] == [Statement("café", "bistro", "synonym")]
        assert records(tmp_path, gzip.compress(text))[0] == [Statement("café", "bistro", "synonym")]

    def test_windows_code_pages(self, tmp_path: Path) -> None:
        for name in ("microsoft-cp1251", "CP-1251", "cp1251"):
            assert records(tmp_path, f"{name}\nжизнь|1\n-|пекло\n".encode("cp1251"))[0]

    @pytest.mark.parametrize("first", [b"kind|1", b"", b"\xff\xfe", b"ISCII-DEVANAGARI", b"x" * 500])
    def test_without_an_encoding_is_refused(self, tmp_path: Path, first: bytes) -> None:
        with pytest.raises(SourceError, match=r"th\.dat, line 1: '.{0,40}' is not an encoding; give a \.dat file"):
            records(tmp_path, first + b"\nkind|1\n-|good\n")

    @pytest.mark.parametrize(
        "codec",
        [
            "rot13",
            "hex",
            "zlib",
            "utf-16",
            "utf-7",
            "idna",
            "punycode",
            "unicode_escape",
            "raw_unicode_escape",
            "hz",
            "iso2022_jp",
            "iso2022_kr",
            "cp037",
        ],
    )
    def test_codecs_that_are_no_encodings_are_refused(self, tmp_path: Path, codec: str) -> None:
        with pytest.raises(SourceError, match="is not an encoding"):
            records(tmp_path, f"{codec}\nkind|1\n-|good\n")

    @pytest.mark.parametrize("codec", ["utf-8-sig", "koi8-r", "shift_jis", "big5", "gb18030", "euc-kr", "tis-620"])
    def test_other_encodings_of_text_are_read(self, tmp_path: Path, codec: str) -> None:
        assert records(tmp_path, f"{codec}\nkind|1\n-|good\n")[0] == [Statement("kind", "good", "synonym")]

    def test_a_line_is_one_bad_record_however_many_of_its_terms_are_bad(self, tmp_path: Path) -> None:
        _, report = records(tmp_path, "UTF-8\nkind|2\n-|a]|b]|c]|good\n-|n\ufffdce]|fin\ufffd\n")
        assert report.rejected == {Reason.LEFTOVER: 3, LOST: 2}
        assert (report.n_bad, report.n_records) == (2, 3)

    def test_bad_lines_are_counted_and_the_rest_is_read(self, tmp_path: Path) -> None:
        found, report = records(
            tmp_path,
            b"UTF-8\nkind|2\n(adj)|good\nbig|1\n(adj)|large\nstray line\n(adj)|one too many\n\nsmall|2\n(adj)|caf\xe9\n"
            b"(adj)|little\nlast|3\n(adj)|final\n",
        )
        assert [(r.word, r.other) for r in found if isinstance(r, Statement)] == [
            ("kind", "good"),
            ("big", "large"),
            ("small", "little"),
            ("last", "final"),
        ]
        assert report.rejected == {MISSING_MEANINGS: 2, Reason.MALFORMED: 2, WRONG_ENCODING: 1}
        assert report.n_bad == 5
        assert report.first_bad == "line 2: an entry with fewer meanings than it declares"
        assert report.n_records == 11

    def test_a_meaning_may_look_like_an_entry(self, tmp_path: Path) -> None:
        found, report = records(tmp_path, "UTF-8\ntwo|2\n(noun)|2\n-|22\n")
        assert [r.other for r in found if isinstance(r, Statement)] == ["2", "22"]
        assert report.rejected == {}


def of_debian(language: str) -> Path:
    path = DEBIAN / FILES[language]
    if not path.exists():
        pytest.skip(f"{path.name} is not in {DEBIAN} (Debian's packages mythes-* put it there)")
    return path


@pytest.mark.parametrize(
    "language", [name if name in ("pl", "uk") else pytest.param(name, marks=pytest.mark.slow) for name in FILES]
)
def test_the_thesauri_of_debian_lose_little_to_unknown_marks(language: str) -> None:
    report = ReadReport()
    found = [record for record in read(of_debian(language), report, language) if isinstance(record, Statement)]
    assert [record.other for record in found if set(record.other) & set("()[]{}\ufffd…")] == []
    assert report.rejected.get(OTHER_MARK, 0) < 0.01 * len(found)
    assert report.n_bad < 0.01 * report.n_records  # more would stop a build


@pytest.mark.slow
def test_the_english_thesaurus_of_debian(tmp_path: Path) -> None:
    file = of_debian("en")
    text = file.read_bytes()
    lexkit.build(tmp_path / "s.duckdb", sources=[("mythes", file)])
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        (row,) = (source for source in lexicon.statistics().sources if source.source == "mythes")
        assert row.n_records == len(text.splitlines()) - 1  # the first line names the encoding
        reasons = {r.reason: r.n for r in lexicon.statistics().rejections}
        for mark, reason in (("generic", HYPERNYM), ("similar", SIMILAR), ("related", RELATED)):
            # a few are phrases with alternatives
            assert reasons[reason.value] == pytest.approx(text.count(f"({mark} term)".encode()), abs=20)
            assert reasons[reason.value] > 10_000
        assert lexicon.relation("happy", "unhappy") == ["antonym"]
        assert lexicon.relation("happy", "blissful") == []  # a similar term
        assert lexicon.relation(".22 caliber", "diameter") == []  # a related one, though unmarked
        assert lexicon.relation(".22 caliber", ".22 calibre") == ["synonym"]
        assert "Alost" in lexicon


@pytest.mark.parametrize("name", ["undefined", "hex", "utf-99", "\x00"])
def test_what_is_not_an_encoding(tmp_path: Path, name: str) -> None:
    file = tmp_path / "th.dat"
    file.write_text(f"{name}\nbig|1\n-|large\n", encoding="utf-8")
    with pytest.raises(SourceError, match=r"line 1: .* is not an encoding"):
        list(read(file, ReadReport()))


def test_a_number_of_meanings_that_no_file_has(tmp_path: Path) -> None:
    file = tmp_path / "th.dat"
    file.write_text(f"UTF-8\nbig|{'9' * 5000}\n-|large\nsmall|1\n-|little\n", encoding="utf-8")
    report = ReadReport()
    assert [record for record in read(file, report) if isinstance(record, Statement)] == [
        Statement("small", "little", "synonym")
    ]
    assert report.rejected == {Reason.MALFORMED: 2}
