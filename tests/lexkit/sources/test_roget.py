from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Callable, Iterable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexkit.errors import SourceError
from lexkit.sources.data_files import data_file
from lexkit.sources.records import Group, Headword, Statement
from lexkit.sources.roget.layouts import Head, Paragraph, parse_heads
from lexkit.sources.roget.reader import HEADER, opposed_heads, read, read_terms
from lexkit.sources.roget.terms import Term, parse_terms
from lexkit.sources.tally import Reason, Tally

TEXTS = ["roget/roget22.txt", "roget/roget10681.txt"]


def groups(terms: Iterable[Term], head: str, pos: str) -> dict[tuple[int, int], list[str]]:
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    for term in terms:
        if (term.head, term.pos) == (head, pos):
            found[term.paragraph, term.group].append(term.term)
    return found


def terms_of(text: str, pos: str = "noun") -> list[str]:
    head = Head("1", "Existence", 1, (Paragraph(pos, text, 1),))
    return [term.term for term in parse_terms(head, Tally())]


@pytest.fixture(scope="session", params=TEXTS)
def real_terms(request: pytest.FixtureRequest, shared: Callable[[str], Path]) -> list[Term]:
    return list(read_terms(shared(request.param), Tally()))


class TestRealTexts:
    def test_the_first_head(self, real_terms: list[Term]) -> None:
        nouns = groups(real_terms, "1", "noun")
        assert nouns[1, 1] == ["existence", "being", "entity", "ens", "esse", "subsistence"]
        assert nouns[2, 1] == ["reality", "actuality"]
        assert nouns[2, 3] == ["fact", "matter of fact", "sober reality"]
        assert nouns[2, 4] == ["truth"]  # &c 494
        assert nouns[3, 1] == ["presence"]  # &c (existence in space) 186
        assert nouns[6, 1] == ["ontology"]  # [Science of existence],
        verbs = groups(real_terms, "1", "verb")
        assert verbs[1, 1] == ["exist", "be"]
        assert verbs[1, 3][:2] == ["subsist", "live"]

    def test_every_head_is_there(self, real_terms: list[Term]) -> None:
        heads = {term.head: term.name for term in real_terms}
        assert len(heads) >= 1030
        missing = {str(number) for number in range(1, 1001)} - set(heads)
        # 587 Response is a cross reference and nothing else
        assert missing <= {"587"}
        assert heads["10"] == "Irrelation"  # [Want, or absence of relation.]
        assert heads["288"] == "Attraction"  # the name is on the second line
        assert heads["1000"] == "Temple"

    def test_no_marks_references_or_notes_are_left(self, real_terms: list[Term]) -> None:
        for term in real_terms:
            assert not set('[](){}<>|^&;"\n') & set(term.term), term
            assert term.term == term.term.strip(), term
        words = {term.term for term in real_terms}
        assert not {"Lat", "Lat.", "obs3", "Obs", "n", "adv", "phr", "St"} & words

    def test_opposites_have_the_same_part_of_speech(self, shared: Callable[[str], Path]) -> None:
        antonyms = [r for r in read(shared(TEXTS[1]), Tally()) if isinstance(r, Statement)]
        pairs = {(r.word, r.other): r.pos for r in antonyms}
        assert pairs["existence", "inexistence"] == "noun"
        assert {r.kind for r in antonyms} == {"antonym"}

    def test_both_texts_are_one_work(self, shared: Callable[[str], Path]) -> None:
        words = [{term.term for term in read_terms(shared(name), Tally())} for name in TEXTS]
        assert len(words[0] & words[1]) / len(words[0] | words[1]) > 0.98

    def test_few_terms_are_refused_and_all_are_counted(self, shared: Callable[[str], Path]) -> None:
        for name in TEXTS:
            tally = Tally()
            n_terms = sum(1 for _ in read_terms(shared(name), tally))
            assert n_terms + tally.n_rejected == tally.n_records
            assert tally.n_bad / tally.n_records < 0.001
            assert tally.rejected[Reason.QUOTATION] > 800


def test_the_starter_table_is_made_from_the_text(shared: Callable[[str], Path]) -> None:
    assert list(read_terms(data_file("starter/roget1911.tsv.gz"), Tally())) == list(
        read_terms(shared(TEXTS[1]), Tally())
    )


def test_opposed_heads_are_heads_of_the_starter_table() -> None:
    heads = {term.head for term in read_terms(data_file("starter/roget1911.tsv.gz"), Tally())}
    pairs = opposed_heads()
    assert len(pairs) == len(set(pairs)) >= 300
    assert {head for pair in pairs for head in pair} <= heads
    assert ("1", "2") in pairs


def test_paragraph_scope_joins_groups() -> None:
    table = data_file("starter/roget1911.tsv.gz")
    by_group = {r.words for r in read(table, Tally(), "group") if isinstance(r, Group)}
    by_paragraph = {r.words for r in read(table, Tally(), "paragraph") if isinstance(r, Group)}
    assert ("reality", "actuality") in by_group
    assert any({"reality", "actuality", "fact", "truth"} <= set(words) for words in by_paragraph)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("truth &c. 494; being", ["truth", "being"]),
        ("presence &c (existence in space) 186", ["presence"]),
        ("void 7c. (absence) 187; whip *c. (punish) 972", ["void", "whip"]),  # as the scans have it
        ("decrease &c. 36 of size", ["decrease of size"]),
        ("ens [Lat.], esse[Lat], unideal[obs3], congenite|", ["ens", "esse", "unideal", "congenite"]),
        ("clove [U.S.], gulch [U. S.]", ["clove", "gulch"]),
        ("annihilated, &c v.; extinct", ["annihilated", "extinct"]),
        ("bark [dog, seal]; [Science of existence], ontology", ["bark", "ontology"]),
        ("air, thin air [Tempest]", ["air", "thin air"]),
        ("such stuff as dreams are made of [Tempest]; air", ["air"]),
        ("half-a-dozen; a.m., prime", ["half-a-dozen", "a.m.", "prime"]),
        ("ratio, proportion. link, tie", ["ratio", "proportion", "link", "tie"]),
        ("custom (habit) 613; norm", ["custom", "norm"]),
        ("{opp. 72} dispersion", ["dispersion"]),
        ("being, being", ["being"]),
        ("be few &c adj.. render few, thin", ["be few", "render few", "thin"]),
        ("prudence &c, circumspection", ["prudence", "circumspection"]),
        ("escalate &c (increase) 35 102 194, rise", ["escalate", "rise"]),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms_of(text) == expected


def test_phrases_keep_their_commas_and_exclamations_are_parted() -> None:
    assert terms_of("out of sight, out of mind; so be it", "phrase") == ["out of sight, out of mind", "so be it"]
    assert terms_of("hush! silence! soft!", "intj") == ["hush", "silence", "soft"]


def test_a_paragraph_may_run_on_into_the_next_part_of_speech() -> None:
    head = parse_heads("     #793. Booty. -- N. booty, spoil; stolen goods. Adj. manubial.\n     V. loot.\n")[0]
    assert [(p.pos, p.text) for p in head.paragraphs] == [
        ("noun", "booty, spoil; stolen goods"),
        ("adj", "manubial."),
        ("verb", "loot."),
    ]


def test_a_stop_after_an_abbreviation_ends_no_paragraph() -> None:
    head = parse_heads("1. Evening -- N. evening, St.\n     Swithin's day, yuletide.\nV. dusk.\n")[0]
    assert [p.text for p in head.paragraphs] == ["evening, St. Swithin's day, yuletide.", "dusk."]


def test_labels_may_be_small() -> None:
    head = parse_heads("     #937. Vindication. -- N. vindication.\n     v. justify, warrant.\n")[0]
    assert [(p.pos, p.text) for p in head.paragraphs] == [("noun", "vindication."), ("verb", "justify, warrant.")]


def test_headings_pages_and_footers_are_no_terms() -> None:
    text = (
        "%\nCLASS I\n%\n     #1. Existence.-- N. existence, being.\n<--  p. 1 -->\n%\n2. BEING, IN THE CONCRETE\n%\n"
        "     #3. Substance.-- N. substance,\nthing.\n*** END OF THE PROJECT GUTENBERG EBOOK ***\nlicence, text\n"
    )
    terms = [term.term for head in parse_heads(text) for term in parse_terms(head, Tally())]
    assert terms == ["existence", "being", "substance", "thing"]


@given(st.text())
def test_any_text_is_read_without_failure(text: str) -> None:
    for layout in (f"     #1. Existence.-- N. {text}", f"1. Existence -- N. {text}\n\n2. Inexistence -- N. {text}"):
        for head in parse_heads(layout):
            tally = Tally()
            terms = list(parse_terms(head, tally))
            assert len(terms) + tally.n_rejected == tally.n_records


words = st.text("abcdefghijklmnopqrstuvwxyz'-", min_size=3).filter(lambda w: w == w.strip("'-") and w.isprintable())


@given(st.lists(st.lists(words, min_size=1, unique=True), min_size=1))
def test_plain_groups_come_back(expected: list[list[str]]) -> None:
    text = "; ".join(", ".join(group) for group in expected)
    head = Head("1", "Existence", 1, (Paragraph("noun", text + ".", 1),))
    found = groups(parse_terms(head, Tally()), "1", "noun")
    assert [found[1, number] for number in range(1, len(expected) + 1)] == expected


class TestTable:
    def write(self, path: Path, *rows: str) -> Path:
        path.write_bytes(gzip.compress("\n".join(["\t".join(HEADER), *rows]).encode()))
        return path

    def test_bad_rows_are_counted(self, tmp_path: Path) -> None:
        file = self.write(tmp_path / "t.gz", "1\tExistence\tnoun\t1\t1\tbeing", "1\tExistence\tnoun\tx\t1\tb", "1\t2")
        tally = Tally()
        assert [term.term for term in read_terms(file, tally)] == ["being"]
        assert tally.rejected == {Reason.WRONG_COLUMNS: 2}
        assert tally.first_bad == "line 3: wrong number of columns"

    def test_single_terms_are_words(self, tmp_path: Path) -> None:
        file = self.write(tmp_path / "t.gz", "1\tExistence\tnoun\t1\t1\tbeing")
        assert list(read(file, Tally())) == [Headword("being")]

    def test_a_file_without_heads_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "novel.txt"
        file.write_text("It was a dark and stormy night.\n", encoding="utf-8")
        with pytest.raises(SourceError, match=r"novel\.txt: no heads of Roget's Thesaurus found; give"):
            list(read(file, Tally()))
