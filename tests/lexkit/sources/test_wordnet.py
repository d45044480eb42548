from __future__ import annotations

import os
import re
import tarfile
import zipfile
from pathlib import Path

import pytest

import lexkit
from lexkit.errors import SourceError
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Group, Record, Statement
from lexkit.sources.wordnet.reader import read
from lexkit.sources.wordnet.synsets import MOST_SATELLITES, NO_TARGET, SEMANTIC

DEBIAN = Path(os.environ.get("LEXKIT_TEST_WORDNET", "/usr/share/wordnet"))

LICENCE = "  1 WordNet 3.0 Copyright 2006 by Princeton University.  All rights reserved.  \n"
FILES = {
    "data.noun": """\
00000100 03 n 02 hot_dog 0 Frankfurter 1 001 @ 00000200 n 0000 | a sausage in a roll; "he ate a hot dog"
00000200 03 n 01 food 0 000 | what is eaten  \n""",
    "data.verb": "00000100 30 v 01 rise 0 002 ! 00000200 v 0101 ! 00000200 v 0102 02 + 01 00 + 02 01 | go up\n"
    "00000200 30 v 02 sink 0 fall 2 002 ! 00000100 v 0201 ! 00000100 v 0101 00 | go down\n",
    "data.adj": """\
00000100 00 a 02 fast 0 speedy(a) 0 002 & 00000200 a 0000 ! 00000300 a 0101 | at speed
00000200 00 s 02 swift 0 fleet(ip) 0 001 & 00000100 a 0000 | moving fast
00000300 00 a 01 slow(p) 0 002 ! 00000100 a 0101 ! 00000200 s 0101 | not fast
""",
    "data.adv": "00000100 02 r 0a a 0 b 0 c 0 d 0 e 0 f 0 g 0 h 0 i 0 j 0 000 |\n",
}


def folder(path: Path, notice: str = LICENCE, **changes: str) -> Path:
    path.mkdir(exist_ok=True)
    for name, text in FILES.items():
        (path / name).write_text(notice + changes.get(name.partition(".")[2], text), encoding="latin-1")
    return path


def records(path: Path) -> tuple[list[Record], ReadReport]:
    report = ReadReport()
    return list(read(path, report)), report


def antonyms(path: Path) -> list[tuple[str, str]]:
    return statements(path, None)


def statements(path: Path, scope: str | None) -> list[tuple[str, str]]:
    return [(r.word, r.other) for r in records(path)[0] if isinstance(r, Statement) and r.scope == scope]


class TestSynsets:
    def test_are_groups_with_pos_and_definition(self, tmp_path: Path) -> None:
        found, report = records(folder(tmp_path / "dict"))
        assert [r for r in found if isinstance(r, Group)] == [
            Group(("hot dog", "Frankfurter"), "noun", "a sausage in a roll"),
            Group(("food",), "noun", "what is eaten"),
            Group(("rise",), "verb", "go up"),
            Group(("sink", "fall"), "verb", "go down"),
            Group(("fast", "speedy"), "adj", "at speed"),
            Group(("swift", "fleet"), "adj", "moving fast"),
            Group(("slow",), "adj", "not fast"),
            Group(tuple("abcdefghij"), "adv", None),
        ]
        assert (report.n_records, report.rejected) == (8, {})

    def test_antonyms_are_those_of_words_not_of_synsets(self, tmp_path: Path) -> None:
        assert antonyms(folder(tmp_path / "dict")) == [
            ("rise", "sink"),
            ("rise", "fall"),
            ("fall", "rise"),
            ("sink", "rise"),
            ("fast", "slow"),
            ("slow", "fast"),
            ("slow", "swift"),
        ]

    def test_their_sense_is_that_of_the_word_that_points(self, tmp_path: Path) -> None:
        found, _ = records(folder(tmp_path / "dict"))
        assert Statement("fall", "rise", "antonym", "verb", "go down") in found


class TestWhatFollowsFromSynsets:
    def test_a_satellite_has_the_antonyms_of_its_head(self, tmp_path: Path) -> None:
        adj = FILES["data.adj"].replace("002 ! 00000100 a 0101 ! 00000200 s 0101", "001 ! 00000100 a 0101")
        found, _ = records(folder(tmp_path / "dict", adj=adj))
        assert [r for r in found if isinstance(r, Statement) and r.scope == "indirect"] == [
            Statement("speedy", "slow", "antonym", "adj", "at speed", "indirect"),
            Statement("swift", "slow", "antonym", "adj", "moving fast", "indirect"),
            Statement("fleet", "slow", "antonym", "adj", "moving fast", "indirect"),
        ]

    def test_words_of_opposite_synsets_are_indirect_antonyms_unless_they_are_stated(self, tmp_path: Path) -> None:
        verb = FILES["data.verb"].replace(
            "01 rise 0 002 ! 00000200 v 0101 ! 00000200 v 0102", "02 rise 0 soar 0 001 ! 00000200 v 0101"
        )
        verb = verb.replace("002 ! 00000100 v 0201 ! 00000100 v 0101", "001 ! 00000100 v 0101")
        path = folder(tmp_path / "dict", verb=verb)
        assert ("rise", "sink") in antonyms(path)
        assert [p for p in statements(path, "indirect") if p[0] in ("rise", "soar")] == [
            ("rise", "fall"),
            ("soar", "sink"),
            ("soar", "fall"),
        ]

    def test_a_satellite_is_similar_to_its_head(self, tmp_path: Path) -> None:
        path = folder(tmp_path / "dict")
        assert statements(path, "similar") == [
            ("swift", "fast"),
            ("swift", "speedy"),
            ("fleet", "fast"),
            ("fleet", "speedy"),
        ]

    def test_the_satellites_of_a_head_with_very_many_are_kinds_of_it(self, tmp_path: Path) -> None:
        def adjectives(n: int) -> str:
            satellites = "".join(f"{i:08} 00 s 01 word{i} 0 001 & 00000100 a 0000 | x\n" for i in range(1000, 1000 + n))
            return (
                "00000100 00 a 01 first 0 001 ! 00000300 a 0101 | x\n"
                f"{satellites}00000300 00 a 01 last 0 001 ! 00000100 a 0101 | x\n"
            )

        few = folder(tmp_path / "few", adj=adjectives(MOST_SATELLITES))
        many = folder(tmp_path / "many", adj=adjectives(MOST_SATELLITES + 1))
        assert len(statements(few, "similar")) == MOST_SATELLITES
        assert ("word1000", "last") in statements(few, "indirect")
        assert statements(many, "similar") == []
        assert not any("word1000" in pair for pair in statements(many, "indirect"))


class TestFaults:
    @pytest.mark.parametrize(
        "line",
        [
            "a word",
            "00000200 03 n",
            "00000200 03 n 02 food 0 000 | one word of two",
            "00000200 03 n 0000001 food 0 000 | a number of words of seven digits",
            "00000200 03 n 00 000 | no words",
            "00000200 03 n 01 food 0 001 @ 00000100 n | a pointer of three fields",
            "00000200 03 n 01 food 0 -1 | fewer pointers than none",
            "00000200 03 n 01 food 0 001 ! 00000100 n 01 | one number of two",
            "00000200 03 n 01 food 0 001 ! 00000100 n -1-1 | no numbers",
            "0000020x 03 n 01 food 0 000 | no offset",
        ],
    )
    def test_a_line_that_is_no_synset_is_bad(self, tmp_path: Path, line: str) -> None:
        first, _, _ = FILES["data.noun"].partition("\n")
        found, report = records(folder(tmp_path / "dict", noun=f"{first}\n{line}\n"))
        assert report.rejected == {Reason.MALFORMED: 1}
        assert report.first_bad == "data.noun, line 3: a malformed record"
        assert Group(("hot dog", "Frankfurter"), "noun", "a sausage in a roll") in found

    @pytest.mark.parametrize("target", ["00000999 v 0101", "00000100 n 0101", "00000100 v 0102", "00000100 v 0301"])
    def test_a_pointer_to_nothing_is_bad(self, tmp_path: Path, target: str) -> None:
        verb = FILES["data.verb"].replace("00000100 v 0101 00", f"{target} 00")
        noun = FILES["data.noun"].replace("00000100 03", "00000101 03")
        path = folder(tmp_path / "dict", verb=verb, noun=noun)
        _, report = records(path)
        assert report.rejected == {NO_TARGET: 1}
        assert report.n_bad == 1
        assert len(antonyms(path)) == 6

    def test_antonymy_of_synsets_is_left_out_by_rule(self, tmp_path: Path) -> None:
        _, report = records(folder(tmp_path / "dict", verb=FILES["data.verb"].replace("0101 00 |", "0000 00 |")))
        assert report.rejected == {SEMANTIC: 1}
        assert report.n_bad == 0

    def test_a_synset_that_comes_again_counts_once(self, tmp_path: Path) -> None:
        _, report = records(folder(tmp_path / "dict", adv=FILES["data.adv"] * 2))
        assert report.rejected == {Reason.DUPLICATE: 1}

    def test_invalid_utf8_is_bad(self, tmp_path: Path) -> None:
        _, report = records(folder(tmp_path / "dict", adv="00000100 02 r 01 caf\xe9 0 000 |\n"))
        assert report.rejected == {Reason.INVALID_UTF8: 1}


class TestPaths:
    def test_folder_dict_and_archive_give_the_same(self, tmp_path: Path) -> None:
        inner = folder(tmp_path / "dict")
        expected = records(inner)[0]
        for mode in ("w", "w:gz", "w:bz2", "w:xz"):
            with tarfile.open(tmp_path / "wn.tar", mode) as archive:
                archive.add(inner, "WordNet-3.0/dict")
            assert records(tmp_path / "wn.tar")[0] == expected
        for leading in ("", "oewn2024/", "../../"):
            with zipfile.ZipFile(tmp_path / "wn.zip", "w", zipfile.ZIP_DEFLATED) as archive:
                for file in inner.iterdir():
                    archive.write(file, f"{leading}{file.name}")
            assert records(tmp_path / "wn.zip")[0] == expected
        assert {path.name for path in tmp_path.iterdir()} == {"dict", "wn.tar", "wn.zip"}
        assert records(tmp_path)[0] == expected

    def test_an_archive_of_two_wordnets_is_refused(self, tmp_path: Path) -> None:
        inner = folder(tmp_path / "dict")
        with tarfile.open(tmp_path / "wn.tar", "w") as archive:
            archive.add(inner, "3.0")
            archive.add(inner, "3.1")
        with pytest.raises(SourceError, match=r"wn\.tar: contains several files data\.\w+; unpack it"):
            records(tmp_path / "wn.tar")

    def test_a_missing_file_is_named(self, tmp_path: Path) -> None:
        (folder(tmp_path / "dict") / "data.adv").unlink()
        with pytest.raises(SourceError, match=r"dict: no data\.adv in it; give the folder of data\.noun"):
            records(tmp_path / "dict")
        with pytest.raises(SourceError, match=r"none: no data\.noun, data\.verb, data\.adj, data\.adv in it"):
            (tmp_path / "none").mkdir()
            records(tmp_path / "none")

    def test_what_is_no_archive_is_refused(self, tmp_path: Path) -> None:
        with tarfile.open(tmp_path / "wn.tar.gz", "w:gz") as archive:
            archive.add(folder(tmp_path / "dict"))
        with zipfile.ZipFile(tmp_path / "wn.zip", "w", zipfile.ZIP_DEFLATED) as zipped:
            zipped.write(tmp_path / "dict" / "data.noun", "data.noun")
            zipped.write(tmp_path / "dict" / "data.verb", "data.verb")
        whole, zip_ = ((tmp_path / name).read_bytes() for name in ("wn.tar.gz", "wn.zip"))
        broken_zip = zip_[:60] + bytes(20) + zip_[80:]
        for content in (b"text", whole[:200], whole[:-6], whole[:-6] + bytes(6), zip_, zip_[:200], broken_zip, b""):
            (tmp_path / "file").write_bytes(content)
            with pytest.raises(SourceError, match="file: "):
                records(tmp_path / "file")


class TestLicence:
    @pytest.mark.parametrize(
        ("notice", "licence"),
        [
            (LICENCE, "LicenseRef-WordNet-3.0"),
            (LICENCE + "  2 Not for commercial use.\n", "LicenseRef-WordNet-3.0 AND LicenseRef-non-commercial"),
            ("  1 provided by\n  2 the Open English Wordnet team under CC-BY 4.0\n" + LICENCE, "CC-BY-4.0"),
            ("", None),
        ],
    )
    def test_is_what_the_first_lines_name(self, tmp_path: Path, notice: str, licence: str | None) -> None:
        assert records(folder(tmp_path / "dict", notice))[1].licence == licence
        lexkit.build(tmp_path / "s.duckdb", sources=[("wordnet", tmp_path / "dict")])
        with lexkit.open(tmp_path / "s.duckdb") as lexicon:
            (row,) = lexicon.sql("SELECT licence, origin FROM source WHERE kind = 'wordnet'").to_pylist()
        assert row == {"licence": licence, "origin": "wordnet"}


@pytest.fixture(scope="module")
def debian() -> tuple[list[Record], ReadReport]:
    if not (DEBIAN / "data.noun").exists():
        pytest.skip(f"WordNet is not in {DEBIAN} (Debian's package wordnet-base puts it there)")
    return records(DEBIAN)


@pytest.fixture(scope="module")
def debian_store(tmp_path_factory: pytest.TempPathFactory, debian: object) -> Path:
    path = tmp_path_factory.mktemp("wordnet") / "s.duckdb"
    lexkit.build(path, sources=[("wordnet", DEBIAN)])
    return path


class TestWordNet30:
    def test_has_the_synsets_and_words_that_princeton_publishes(self, debian: tuple[list[Record], ReadReport]) -> None:
        found, report = debian
        groups = [r for r in found if isinstance(r, Group)]
        assert (report.n_records, report.rejected, len(groups)) == (117_659, {}, 117_659)
        assert sum(len({word.lower() for word in group.words}) for group in groups) == 206_941  # word-sense pairs
        by_pos = {pos: {w.lower() for g in groups if g.pos == pos for w in g.words} for pos in {g.pos for g in groups}}
        assert {pos: len(words) for pos, words in by_pos.items()} == {
            "noun": 117_798,
            "verb": 11_529,
            "adj": 21_479,
            "adv": 4_481,
        }

    def test_every_pointer_is_an_antonym(self, debian: tuple[list[Record], ReadReport]) -> None:
        lines = [line for name in FILES for line in (DEBIAN / name).read_text(encoding="utf-8").splitlines()]
        n_pointers = sum(len(re.findall(r" ! \d{8} ", line.partition("|")[0])) for line in lines)
        stated = [record for record in debian[0] if isinstance(record, Statement)]
        assert n_pointers == sum(record.scope is None for record in stated) == 7_979

    def test_what_follows_from_its_synsets_stays_in_bounds(self, debian: tuple[list[Record], ReadReport]) -> None:
        pairs = {
            scope: {frozenset((r.word, r.other)) for r in debian[0] if isinstance(r, Statement) and r.scope == scope}
            for scope in ("indirect", "similar")
        }
        assert {scope: len(found) for scope, found in pairs.items()} == {"indirect": 26_268, "similar": 23_868}
        assert frozenset(("swift", "slow")) in pairs["indirect"]

    def test_facts(self, debian_store: Path) -> None:
        with lexkit.open(debian_store) as lexicon:
            assert lexicon.relation("able", "unable") == ["antonym"]
            assert lexicon.relation("fast", "slow") == ["antonym"]
            assert lexicon.relation("swift", "slow") == ["antonym"]  # by way of fast
            rules = lexicon.sql(
                "SELECT DISTINCT rule FROM evidence "
                "JOIN word a ON a.word_id = word_a JOIN word b ON b.word_id = word_b "
                "WHERE a.word = 'slow' AND b.word = 'swift'"
            )
            assert rules.to_pylist() == [{"rule": "indirect"}]
            assert [n.direct for n in lexicon.antonyms("slow") if n.word == "swift"] == [False]
            assert lexicon.relation("car", "automobile") == ["synonym"]
            assert lexicon.relation("galore", "abounding") == ["synonym"]  # galore(ip)
            assert "ice cream" in lexicon
            assert "Venus" in lexicon
            (evidence,) = {e for e in lexicon.explain("car", "automobile") if e.pos == "noun"}
            assert (
                evidence.sense == "a motor vehicle with four wheels; usually propelled by an internal combustion engine"
            )
