from __future__ import annotations

import gzip
import lzma
import os
import tarfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest

import lexkit
from lexkit.errors import SourceError
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Group, Record, Statement
from lexkit.sources.wordnet import wndb
from lexkit.sources.wordnet.lmf import NO_WORDS
from lexkit.sources.wordnet.reader import read
from lexkit.sources.wordnet.synsets import NO_TARGET, SEMANTIC, Pointer, Synset

DEBIAN = Path(os.environ.get("LEXKIT_TEST_WORDNET", "/usr/share/wordnet"))

HEAD = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE LexicalResource SYSTEM "http://globalwordnet.github.io/schemas/WN-LMF-{version}.dtd">
<LexicalResource xmlns:dc="https://globalwordnet.github.io/schemas/dc/">
"""
LEXICON = (
    '<Lexicon id="oewn" label="Open English WordNet" language="en" email="x@example.org" '
    'license="https://creativecommons.org/licenses/by/4.0/" version="2024" citation="McCrae">\n'
)
_LETTERS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}


def lmf(synsets: Mapping[str, Synset], version: str = "1.3", lexicon: str = LEXICON) -> str:
    """Return WN-LMF as the Open English WordNet writes it; 1.0 has no ``members``, so the order of entries counts."""
    senses: dict[tuple[str, str], list[tuple[str, int]]] = {}
    for key, synset in synsets.items():
        for number, word in enumerate(synset.words, 1):
            senses.setdefault((word, _letter(synset)), []).append((key, number))
    entries = list(senses) if version == "1.0" else sorted(senses)
    parts = [HEAD.format(version=version), lexicon]
    for word, letter in entries:
        parts.append(f"<LexicalEntry id={_entry(word, letter)}><Lemma writtenForm={quoteattr(word)} ")
        parts.append(f'partOfSpeech="{letter}"><Pronunciation>x</Pronunciation></Lemma>\n')
        for key, number in senses[word, letter]:
            relations = "".join(
                f'<SenseRelation relType="antonym" target="s-{p.target}-{p.other}"/>'
                for p in synsets[key].antonyms
                if p.word == number and p.other
            )
            parts.append(f'  <Sense id="s-{key}-{number}" synset="{key}" dc:identifier="x">{relations}</Sense>\n')
        parts.append("</LexicalEntry>\n")
    for key, synset in synsets.items():
        members = " ".join(_entry(word, _letter(synset))[1:-1] for word in synset.words)
        given = "" if version == "1.0" else f' members="{members}" lexfile="x"'
        parts.append(f'<Synset id="{key}" ili="in" partOfSpeech="{_letter(synset)}"{given}>\n')
        if synset.gloss is not None:
            parts.append(f"  <Definition>{escape(synset.gloss)}</Definition>\n")
        targets = [("antonym", p.target) for p in synset.antonyms if not p.word]
        targets += [("similar", head) for head in synset.heads]
        parts += [f'  <SynsetRelation relType="{name}" target="{target}"/>\n' for name, target in targets]
        parts.append("  <Example>one of many</Example>\n</Synset>\n")
    return "".join([*parts, "</Lexicon>\n</LexicalResource>\n"])


def _letter(synset: Synset) -> str:
    return "s" if synset.heads else _LETTERS[synset.pos or ""]


def _entry(word: str, letter: str) -> str:
    """Return an id in quotes: letters and digits of ASCII stand for themselves, all else for its number."""
    return '"oewn-{}-{}"'.format("".join(c if c.isascii() and c.isalnum() else f"-{ord(c)}-" for c in word), letter)


SYNSETS = {
    "fast": Synset(("fast", "speedy"), "adj", "at speed", (Pointer("slow", 1, 1),), (), ""),
    "swift": Synset(("swift", "fleet"), "adj", "moving <very> fast", (), ("fast",), ""),
    "slow": Synset(("slow",), "adj", "not fast", (Pointer("fast", 1, 1),), (), ""),
    "cafe": Synset(("café", "coffee bar"), "noun", None, (), (), ""),
}


def records(path: Path, text: str | bytes | None = None, language: str = "en") -> tuple[list[Record], ReadReport]:
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode("utf-8"))
    report = ReadReport()
    return list(read(path, report, language)), report


def one_lexicon(content: str, **attributes: str) -> str:
    given = {"id": "x", "language": "en", "license": "x", **attributes}
    names = " ".join(f"{name}={quoteattr(value)}" for name, value in given.items())
    return f"<LexicalResource><Lexicon {names}>{content}</Lexicon></LexicalResource>"


class TestSynsets:
    @pytest.mark.parametrize("version", ["1.0", "1.1", "1.2", "1.3", "1.4"])
    def test_give_the_records_that_the_same_give_in_princetons_format(self, tmp_path: Path, version: str) -> None:
        found, report = records(tmp_path / "w.xml", lmf(SYNSETS, version))
        assert found == [
            Group(("fast", "speedy"), "adj", "at speed"),
            Group(("swift", "fleet"), "adj", "moving <very> fast"),
            Group(("slow",), "adj", "not fast"),
            Group(("café", "coffee bar"), "noun", None),
            Statement("fast", "slow", "antonym", "adj", "at speed"),
            Statement("slow", "fast", "antonym", "adj", "not fast"),
            Statement("swift", "fast", "synonym", "adj", "moving <very> fast", "similar"),
            Statement("swift", "speedy", "synonym", "adj", "moving <very> fast", "similar"),
            Statement("fleet", "fast", "synonym", "adj", "moving <very> fast", "similar"),
            Statement("fleet", "speedy", "synonym", "adj", "moving <very> fast", "similar"),
            Statement("speedy", "slow", "antonym", "adj", "at speed", "indirect"),
            Statement("swift", "slow", "antonym", "adj", "moving <very> fast", "indirect"),
            Statement("fleet", "slow", "antonym", "adj", "moving <very> fast", "indirect"),
        ]
        assert (report.n_records, report.rejected) == (4, {})

    def test_list_their_words_in_the_order_of_their_members(self, tmp_path: Path) -> None:
        entries = "".join(
            f'<LexicalEntry id="e{word}"><Lemma writtenForm="{word}" partOfSpeech="n"/><Sense id="s{word}" synset="y"/>'
            "</LexicalEntry>"
            for word in ("a", "b", "c")
        )
        for members in ("ec ea eb", "sc sa sb"):  # of entries in the Open English WordNet, of senses in others
            text = one_lexicon(f'{entries}<Synset id="y" partOfSpeech="n" members="{members}"/>')
            assert records(tmp_path / "w.xml", text)[0] == [Group(("c", "a", "b"), "noun", None)]

    @pytest.mark.skipif(not (DEBIAN / "data.noun").exists(), reason=f"{DEBIAN} has no WordNet (Debian's wordnet-base)")
    def test_all_of_wordnet(self, tmp_path: Path) -> None:
        synsets = {
            key: synset
            for name in wndb.FILES
            for key, synset in wndb.read(name, (DEBIAN / name).read_bytes().split(b"\n"), ReadReport())
        }
        found, report = records(tmp_path / "w.xml.xz", lzma.compress(lmf(synsets).encode("utf-8"), preset=0))
        assert Counter(found) == Counter(records(DEBIAN)[0])
        assert (report.n_records, report.rejected) == (117_659, {})


class TestLexicons:
    BOTH = one_lexicon(
        '<LexicalEntry id="e"><Lemma writtenForm="chat" partOfSpeech="n"/><Sense id="f" synset="g"/></LexicalEntry>'
        '<Synset id="g" partOfSpeech="n"/>',
        id="omw-fr",
        language="fr",
        license="https://creativecommons.org/licenses/by-nc/3.0/",
    ).replace("</LexicalResource>", lmf(SYNSETS).partition('dc/">\n')[2])

    def test_only_those_of_the_language_count(self, tmp_path: Path) -> None:
        english, report = records(tmp_path / "w.xml", self.BOTH)
        assert english == records(tmp_path / "english.xml", lmf(SYNSETS))[0]
        assert (report.n_records, report.rejected) == (5, {Reason.OTHER_LANGUAGE: 1})
        assert (report.licence, report.origin) == ("CC-BY-4.0", "wordnet")
        french, report = records(tmp_path / "w.xml", language="fr")
        assert french == [Group(("chat",), "noun", None)]
        assert (report.n_records, report.rejected) == (5, {Reason.OTHER_LANGUAGE: 4})
        assert (report.licence, report.origin) == ("CC-BY-NC-3.0", "omw-fr")

    def test_a_file_without_the_language_makes_no_store(self, tmp_path: Path) -> None:
        (tmp_path / "w.xml").write_text(lmf(SYNSETS), encoding="utf-8")
        with pytest.raises(SourceError, match=r"none of its 4 records can be used .*: another language"):
            lexkit.build(tmp_path / "s.duckdb", sources=[("wordnet", tmp_path / "w.xml")], language="fr")

    def test_a_variety_is_the_language(self, tmp_path: Path) -> None:
        text = lmf(SYNSETS)
        assert records(tmp_path / "w.xml", text.replace('language="en"', 'language="en-GB"'))[0]
        assert not records(tmp_path / "w.xml", text.replace('language="en"', 'language="enm"'))[0]

    @pytest.mark.parametrize(
        ("given", "licence"),
        [
            ("https://creativecommons.org/licenses/by/4.0/", "CC-BY-4.0"),
            ("http://creativecommons.org/licenses/by-sa/3.0/deed.en", "CC-BY-SA-3.0"),
            ("CC BY-NC-SA 4.0", "CC-BY-NC-SA-4.0"),
            ("CC-BY-4.0", "CC-BY-4.0"),
            ("https://creativecommons.org/publicdomain/zero/1.0/", "CC0-1.0"),
            ("https://wordnet.princeton.edu/license-and-commercial-use", "LicenseRef-WordNet-3.0"),
            ("wordnet 3.0", "LicenseRef-WordNet-3.0"),
            ("CC0 1.0; glosses: CC BY-NC 4.0", "CC-BY-NC-4.0"),
            ("From WordNet 3.0, for non-commercial use", "From WordNet 3.0, for non-commercial use"),
            (
                "http://www.cecill.info/licenses/Licence_CeCILL-C_V1-en.html",
                "http://www.cecill.info/licenses/Licence_CeCILL-C_V1-en.html",
            ),
            ("", None),
        ],
    )
    def test_have_the_licence_that_they_name(self, tmp_path: Path, given: str, licence: str | None) -> None:
        assert records(tmp_path / "w.xml", one_lexicon("", license=given))[1].licence == licence

    def test_several_licences_hold_at_once(self, tmp_path: Path) -> None:
        text = lmf(SYNSETS).replace("</LexicalResource>", one_lexicon("", license="CC0-1.0")[17:])
        assert records(tmp_path / "w.xml", text)[1].licence == "CC-BY-4.0 AND CC0-1.0"


class TestStore:
    def test_cites_the_wordnet_that_it_was_made_from(self, tmp_path: Path) -> None:
        open_english, french = tmp_path / "oewn.xml", tmp_path / "fr.xml"
        open_english.write_text(lmf(SYNSETS), encoding="utf-8")
        french.write_text(lmf(SYNSETS).replace('id="oewn"', 'id="omw-fr"').replace('"en"', '"fr"'), encoding="utf-8")
        for path, language, cites in ((open_english, "en", True), (french, "fr", False)):
            store, folder = path.with_suffix(".duckdb"), path.with_suffix("")
            lexkit.build(store, sources=[("wordnet", path)], language=language)
            lexkit.export(store, folder)
            readme = (folder / "README.md").read_text(encoding="utf-8")
            assert "| CC-BY-4.0" in readme
            assert ("John P. McCrae" in readme) == cites
            assert "George A. Miller" not in readme


class TestFaults:
    def test_entities_are_refused_before_they_grow(self, tmp_path: Path) -> None:
        levels = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
        bomb = f'<!DOCTYPE LexicalResource [<!ENTITY l0 "lol">{levels}]>{one_lexicon("<Definition>&l9;</Definition>")}'
        with pytest.raises(
            SourceError, match=r"w\.xml: declares the entity 'l0', which WN-LMF does not need"
        ) as caught:
            records(tmp_path / "w.xml", bomb)
        assert "\n" not in str(caught.value)

    def test_files_outside_are_not_read(self, tmp_path: Path) -> None:
        (tmp_path / "secret").write_text("secret", encoding="utf-8")
        text = f'<!DOCTYPE LexicalResource [<!ENTITY e SYSTEM "{tmp_path}/secret">]>{one_lexicon("&e;")}'
        with pytest.raises(SourceError, match="declares the entity 'e'"):
            records(tmp_path / "w.xml", text)

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("<html><body/></html>", r"w\.xml: XML of <html>, not WN-LMF"),
            ("<LexicalResource><Lexicon>", r"w\.xml: broken XML \(no element found: line 1, column 26\)"),
            ("<LexicalResource></Lexicon>", r"w\.xml: broken XML \(mismatched tag"),
            ('<?xml version="1.0" encoding="utf-99"?><LexicalResource/>', r"w\.xml: broken XML \(unknown encoding"),
            (b"<LexicalResource>\xff</LexicalResource>", r"w\.xml: broken XML \(not well-formed"),
            ("", r"w\.xml: empty file"),
            ("words", r"w\.xml: cannot be read"),
        ],
    )
    def test_what_is_not_lmf_is_refused(self, tmp_path: Path, text: str | bytes, message: str) -> None:
        with pytest.raises(SourceError, match=message) as caught:
            records(tmp_path / "w.xml", text)
        assert "\n" not in str(caught.value)

    def test_a_truncated_file_is_refused(self, tmp_path: Path) -> None:
        text = lmf(SYNSETS).encode("utf-8")
        for content in (text[:-30], gzip.compress(text)[:-9], lzma.compress(text)[:-40]):
            with pytest.raises(SourceError, match=r"w\.xml: "):
                records(tmp_path / "w.xml", content)

    def test_ids_that_come_again_count_once(self, tmp_path: Path) -> None:
        entry = '<LexicalEntry id="e"><Lemma writtenForm="{}"/><Sense id="s" synset="y"/></LexicalEntry>'
        synset = '<Synset id="y" partOfSpeech="n"><Definition>{}</Definition></Synset>'
        text = one_lexicon(entry.format("a") + entry.format("b") + synset.format("first") + synset.format("second"))
        found, report = records(tmp_path / "w.xml", text)
        assert found == [Group(("a",), "noun", "first")]
        assert (report.n_records, report.rejected) == (2, {Reason.DUPLICATE: 2})

    def test_what_leads_nowhere_is_counted(self, tmp_path: Path) -> None:
        text = one_lexicon(
            '<LexicalEntry id="e"><Lemma writtenForm="a"/><Sense id="s" synset="y">'
            '<SenseRelation relType="antonym" target="nowhere"/></Sense><Sense id="t" synset="nowhere"/>'
            '<Sense id="u"/></LexicalEntry><LexicalEntry id="f"><Sense id="v" synset="y"/></LexicalEntry>'
            '<Synset id="y"><SynsetRelation relType="antonym" target="z"/></Synset><Synset id="z"/><Synset/>'
        )
        found, report = records(tmp_path / "w.xml", text)
        assert found == [Group(("a",), None, None)]
        assert report.rejected == {NO_TARGET: 3, Reason.MALFORMED: 3, NO_WORDS: 1}
        assert "line 1" in report.examples[Reason.MALFORMED]

    def test_antonymy_of_synsets_is_left_out_by_rule(self, tmp_path: Path) -> None:
        synsets = {**SYNSETS, "cafe": SYNSETS["cafe"]._replace(antonyms=(Pointer("slow", 0, 0),))}
        found, report = records(tmp_path / "w.xml", lmf(synsets))
        assert report.rejected == {SEMANTIC: 1}
        assert not any(isinstance(r, Statement) and "café" in r[:2] for r in found)


class TestPaths:
    def test_every_way_to_keep_the_file_gives_the_same(self, tmp_path: Path) -> None:
        text = lmf(SYNSETS).encode("utf-8")
        expected = records(tmp_path / "plain.xml", text)[0]
        for name, content in (("w.xml.gz", gzip.compress(text)), ("w.xml.xz", lzma.compress(text))):
            assert records(tmp_path / name, content)[0] == expected
        with tarfile.open(tmp_path / "w.tar.xz", "w:xz") as tar:
            tar.add(tmp_path / "plain.xml", "oewn/oewn.xml")
            tar.add(tmp_path / "w.xml.gz", "oewn/LICENSE")
        with zipfile.ZipFile(tmp_path / "w.zip", "w") as archive:
            archive.write(tmp_path / "plain.xml", "../oewn.xml")
        for name in ("w.tar.xz", "w.zip"):
            assert records(tmp_path / name)[0] == expected
        (tmp_path / "folder").mkdir()
        (tmp_path / "folder" / "w.xml.xz").write_bytes(lzma.compress(text))
        assert records(tmp_path / "folder")[0] == expected
