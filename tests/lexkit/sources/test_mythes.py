from __future__ import annotations

import gzip
from pathlib import Path

import pytest

import lexkit
from lexkit.errors import SourceError
from lexkit.sources.mythes import (
    GENERIC,
    MISSING_MEANINGS,
    ONE_SIDED,
    OTHER_MARK,
    RELATED,
    SIMILAR,
    WRONG_ENCODING,
    read,
)
from lexkit.sources.records import Headword, Record, Statement
from lexkit.sources.tally import Reason, Tally

DEBIAN = Path("/usr/share/mythes/th_en_US_v2.dat")


def records(path: Path, text: str | bytes) -> tuple[list[Record], Tally]:
    file = path / "th.dat"
    file.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    tally = Tally()
    return list(read(file, tally)), tally


class TestMeanings:
    def test_unmarked_terms_are_synonyms_and_antonyms_are_marked(self, tmp_path: Path) -> None:
        found, tally = records(
            tmp_path,
            "UTF-8\nmerry|2\n(adj)|jolly|glad (similar term)|sad (antonym)|happy (generic term)\n(Odd)|gay \n"
            "alone|1\n-\n",
        )
        assert found == [
            Statement("merry", "jolly", "synonym", "adj"),
            Statement("merry", "sad", "antonym", "adj"),
            Statement("merry", "gay", "synonym", None),
            Headword("alone"),
        ]
        assert tally.n_records == 5
        assert tally.rejected == {SIMILAR: 1, GENERIC: 1}
        assert tally.examples[SIMILAR] == "line 3: merry: glad"
        assert tally.n_bad == 0

    def test_unmarked_terms_beside_a_related_one_must_return_the_synonymy(self, tmp_path: Path) -> None:
        found, tally = records(
            tmp_path,
            "UTF-8\nlunar|1\n(adj)|moony|moon|satellite (related term)\n"
            "moony|1\n(adj)|lunar|moon|satellite (related term)\nmoon|1\n(noun)|orb\n",
        )
        assert found == [
            Statement("lunar", "moony", "synonym", "adj"),
            Statement("moony", "lunar", "synonym", "adj"),
            Statement("moon", "orb", "synonym", "noun"),
        ]
        assert tally.rejected == {RELATED: 2, ONE_SIDED: 2}

    def test_an_entry_is_spelt_as_in_its_meaning(self, tmp_path: Path) -> None:
        found, _ = records(tmp_path, "UTF-8\nrome|2\n(noun)|Rome|Eternal City\n(noun)|capital\n")
        assert found == [
            Statement("Rome", "Eternal City", "synonym", "noun"),
            Statement("rome", "capital", "synonym", "noun"),
        ]

    def test_unknown_marks_are_refused(self, tmp_path: Path) -> None:
        found, tally = records(tmp_path, "UTF-8\nbank|1\n-|shore (poetic)|(river) side|a (b) c|(all)\n")
        assert [r.other for r in found if isinstance(r, Statement)] == ["(river) side", "a (b) c", "(all)"]
        assert tally.rejected == {OTHER_MARK: 1}

    def test_marks_may_stand_for_the_part_of_speech(self, tmp_path: Path) -> None:
        found, tally = records(
            tmp_path, "\ufeffUTF-8\nжизнь|3\n(синоним)|пекло\n(антоним)|рай\n(сходный термин)|беспорядок\n"
        )
        assert found == [
            Statement("жизнь", "пекло", "synonym"),
            Statement("жизнь", "рай", "antonym"),
            Headword("жизнь"),
        ]
        assert tally.rejected == {SIMILAR: 1}


class TestOrigin:
    ENGLISH = "UTF-8\nhot dog|1\n(noun)|frankfurter|food (generic term)\n"

    def test_the_english_thesaurus_is_made_from_wordnet(self, tmp_path: Path) -> None:
        tally = records(tmp_path, self.ENGLISH)[1]
        assert (tally.licence, tally.origin) == ("LicenseRef-WordNet-3.0", "wordnet")

    @pytest.mark.parametrize(
        "text", ["UTF-8\nhot dog|1\n(noun)|frankfurter\n", "UTF-8\nWurst|1\n-|Essen (Oberbegriff)|Wiener\n"]
    )
    def test_one_without_its_marks_is_not(self, tmp_path: Path, text: str) -> None:
        tally = records(tmp_path, text)[1]
        assert (tally.licence, tally.origin) == (None, None)

    def test_nor_is_one_of_another_language(self, tmp_path: Path) -> None:
        records(tmp_path, self.ENGLISH)
        tally = Tally()
        list(read(tmp_path / "th.dat", tally, "ne"))
        assert (tally.licence, tally.origin) == (None, None)

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

    @pytest.mark.parametrize("codec", ["rot13", "hex", "zlib", "utf-16"])
    def test_codecs_that_are_no_encodings_are_refused(self, tmp_path: Path, codec: str) -> None:
        with pytest.raises(SourceError, match="is not an encoding"):
            records(tmp_path, f"{codec}\nkind|1\n-|good\n")

    def test_bad_lines_are_counted_and_the_rest_is_read(self, tmp_path: Path) -> None:
        found, tally = records(
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
        assert tally.rejected == {MISSING_MEANINGS: 2, Reason.MALFORMED: 2, WRONG_ENCODING: 1}
        assert tally.n_bad == 5
        assert tally.first_bad == "line 2: an entry with fewer meanings than it says"
        assert tally.n_records == 11

    def test_a_meaning_may_look_like_an_entry(self, tmp_path: Path) -> None:
        found, tally = records(tmp_path, "UTF-8\ntwo|2\n(noun)|2\n-|22\n")
        assert [r.other for r in found if isinstance(r, Statement)] == ["2", "22"]
        assert tally.rejected == {}


def test_the_thesaurus_of_debian(tmp_path: Path) -> None:
    if not DEBIAN.exists():
        pytest.skip(f"{DEBIAN.name} is not in {DEBIAN.parent} (Debian's package mythes-en-us puts it there)")
    text = DEBIAN.read_bytes()
    lexkit.build(tmp_path / "s.duckdb", sources=[("mythes", DEBIAN)])
    with lexkit.open(tmp_path / "s.duckdb") as lexicon:
        (row,) = (source for source in lexicon.statistics().sources if source.source == "mythes")
        assert row.n_records == len(text.splitlines()) - 1  # the first line names the encoding
        reasons = {r.reason: r.n for r in lexicon.statistics().rejections}
        for mark in ("generic term", "similar term", "related term"):
            assert reasons[f"marked as a {mark}"] == text.count(f"({mark})".encode()) > 10_000
        assert lexicon.relation("happy", "unhappy") == ["antonym"]
        assert lexicon.relation("happy", "blissful") == []  # a similar term
        assert lexicon.relation(".22 caliber", "diameter") == []  # a related one, though unmarked
        assert lexicon.relation(".22 caliber", ".22 calibre") == ["synonym"]
        assert "Alost" in lexicon
