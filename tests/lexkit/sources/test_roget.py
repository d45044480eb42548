from __future__ import annotations

import gzip
import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from functools import cache
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexkit.errors import SourceError
from lexkit.sources.data_files import data_file
from lexkit.sources.files import read_text
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import USAGES, Group, Headword, Record, Statement
from lexkit.sources.roget.layouts import Head, Paragraph, parse_heads
from lexkit.sources.roget.opposites import LEADING, Contrasts, Opposition, antonyms, opposed_heads
from lexkit.sources.roget.reader import HEADER, Scope, _leading, _synonyms, read, read_terms
from lexkit.sources.roget.terms import Term, parse_terms
from lexkit.sources.validation import keep_valid

TEXTS = ["roget/roget22.txt", "roget/roget10681.txt"]


def groups(terms: Iterable[Term], head: str, pos: str) -> dict[tuple[int, int], list[str]]:
    found: dict[tuple[int, int], list[str]] = defaultdict(list)
    for term in terms:
        if (term.head, term.pos) == (head, pos):
            found[term.paragraph, term.group].append(term.term)
    return found


def terms_of(text: str, pos: str = "noun") -> list[str]:
    head = Head("1", "Existence", 1, (Paragraph(pos, text, 1),))
    return [term.term for term in parse_terms(head, ReadReport())]


@cache
def parsed(path: Path) -> tuple[list[Term], ReadReport]:
    report = ReadReport()
    return list(read_terms(path, report)), report


@pytest.fixture(scope="session", params=TEXTS)
def real_terms(request: pytest.FixtureRequest, shared: Callable[[str], Path]) -> list[Term]:
    return parsed(shared(request.param))[0]


class Read(NamedTuple):
    records: list[Record]
    report: ReadReport


@pytest.fixture(scope="session", params=TEXTS)
def real(request: pytest.FixtureRequest, shared: Callable[[str], Path]) -> Read:
    report = ReadReport()
    return Read(list(read(shared(request.param), report)), report)


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

    def test_opposites_have_the_same_part_of_speech(self, real: Read) -> None:
        pairs = stated(real.records, "antonym")
        assert pairs["existence", "inexistence"] == "noun"
        assert pairs["greatness", "smallness"] == "noun"
        assert pairs["ascend", "descend"] == "verb"
        assert pairs["affirmatively", "no"] == "adv"
        assert len(pairs) >= 3000

    def test_both_texts_are_one_work(self, shared: Callable[[str], Path]) -> None:
        words = [{term.term for term in parsed(shared(name))[0]} for name in TEXTS]
        assert len(words[0] & words[1]) / len(words[0] | words[1]) > 0.98

    def test_few_terms_are_refused_and_all_are_counted(self, shared: Callable[[str], Path]) -> None:
        for name in TEXTS:
            terms, report = parsed(shared(name))
            assert len(terms) + report.n_rejected == report.n_records
            assert report.n_bad / report.n_records < 0.001
            assert report.rejected[Reason.QUOTATION] > 800

    def test_marks_become_labels_of_the_terms_before_them(self, shared: Callable[[str], Path]) -> None:
        for name, marks in zip(TEXTS, (("obs3]", "[Lat", "[Fr"), ("^", "[Lat.]", "[Fr.]")), strict=True):
            terms, text = parsed(shared(name))[0], read_text(shared(name))
            labels = [label for term in terms for label in term.usage]
            assert set(labels) <= set(USAGES)
            assert labels.count("obsolete") > 0.95 * text.count(marks[0])
            # most of the others are of quotations, which are no terms
            assert labels.count("foreign") > 0.85 * (text.count(marks[1]) + text.count(marks[2]))
            usage = {(term.head, term.term): term.usage for term in terms}
            assert usage["2", "inexistence"] == ("obsolete",)
            assert usage["33", "ne plus ultra"] == ("foreign",)
            assert usage["1", "existence"] == ()
            assert usage["450", "brainpan"] == ("obsolete",)

    def test_breaks_that_the_texts_lack_are_there(self, real_terms: list[Term]) -> None:
        words = {term.term for term in real_terms}
        assert {"orismology", "adytum", "prefiguration", "mantua", "scrutinizer"} <= words
        wrong = [term for term in words if "latitudinarianism " in term or term.startswith("claim the attention e")]
        assert wrong == []


def corrections() -> list[list[str]]:
    rows = data_file("roget_corrections.tsv").read_text(encoding="utf-8").splitlines()
    assert rows[0] == "head\tpos\twritten\tmeant"
    return [row.split("\t") for row in rows[1:]]


def test_every_correction_is_of_something_in_the_texts(shared: Callable[[str], Path]) -> None:
    rows = corrections()
    assert rows == sorted(rows, key=lambda row: (place(row[0])[0], row))
    written: dict[tuple[str, str], set[str]] = defaultdict(set)
    for name in TEXTS:
        for head in parse_heads(read_text(shared(name))):
            for paragraph in head.paragraphs:
                written[head.number, paragraph.pos].update(re.findall(r"[\w']+", paragraph.text))
    for number, pos, text, _ in rows:
        assert set(re.findall(r"[\w']+", text)) <= written[number, pos], text


def test_the_starter_table_is_made_from_the_text(shared: Callable[[str], Path]) -> None:
    assert parsed(data_file("starter/roget1911.tsv.gz"))[0] == parsed(shared(TEXTS[1]))[0]


def test_a_table_gives_words_only_and_no_control_characters(tmp_path: Path) -> None:
    table = tmp_path / "roget.tsv"
    terms = ["x\x1b[2Jy", "12345", "good", "fine\u2028", "a\x00b", ""]
    lines = [f"1\tExist\x1b[1mence\tnoun\t1\t1\t{term}\n" for term in terms]
    table.write_text("head\tname\tpos\tparagraph\tgroup\tterm\n" + "".join(lines), encoding="utf-8")
    report = ReadReport()
    (batch,) = keep_valid(read(table, report), report)
    (group,) = batch.records()
    assert isinstance(group, Group)
    assert group.words == ("good", "fine")
    assert group.sense is not None
    assert group.sense.isprintable()
    assert report.rejected == {Reason.NOT_A_WORD: 3, Reason.NO_WORD: 1}


def test_no_preposition_or_article_is_left_of_a_term(real_terms: list[Term]) -> None:
    # "be the due &c n.. of; have right to" is "be the due of", and "give rise, to" is a slip of the text
    left = re.compile("the|an?|of|to|for|from|by|on|upon|at|into")
    # "to" itself is there as a direction, and heads of adverbs have other prepositions
    found = {term.term for term in real_terms if left.fullmatch(term.term) and term.pos != "adv"}
    assert found == set()
    assert {"the", "of", "a"}.isdisjoint(term.term for term in real_terms)
    terms = {(term.head, term.term) for term in real_terms}
    assert {("924", "be the due of"), ("924", "be due to"), ("720", "have a brush with")} <= terms
    assert {("153", "give rise to"), ("892", "at home"), ("897", "the old story"), ("676", "be in for")} <= terms


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("be the due &c n.. of; have right", ["be the due of", "have right"]),
        ("be the due &c. n. of; have right", ["be the due of", "have right"]),
        ("have words &c n.. with.", ["have words with"]),
        ("sculptured &c v.. in relief", ["sculptured", "in relief"]),
        ("be a reproach &c n.. to, shame", ["be a reproach to", "shame"]),
        ("the same &c n.. selfsame", ["the same", "selfsame"]),
        ("cat &c n . dog; mouse", ["cat", "dog", "mouse"]),
        ("sale &c v . in stock; shop", ["sale", "in stock", "shop"]),
        ("be the due &c n.. of [Lat.]; right", ["be the due of", "right"]),
        ("be the due &c n.. of", ["be the due of"]),
    ],
)
def test_a_second_full_stop_after_a_reference(text: str, terms: list[str]) -> None:
    assert terms_of(text) == terms


def place(number: str) -> tuple[int, str]:
    digits = number.rstrip("ab")
    return int(digits), number


class TestOpposedHeads:
    def test_each_pair_stands_once_and_in_the_order_of_the_book(self) -> None:
        pairs = opposed_heads()
        assert all(place(a) < place(b) for a, b in pairs)
        assert pairs == sorted(set(pairs), key=lambda pair: (place(pair[0]), place(pair[1])))
        assert len(pairs) >= 400

    @pytest.mark.parametrize("name", TEXTS)
    def test_they_are_heads_of_both_texts_with_their_names(self, name: str, shared: Callable[[str], Path]) -> None:
        names = {head.number: head.name for head in parse_heads(read_text(shared(name)))}
        rows = [row.split("\t") for row in data_file("roget_opposites.tsv").read_text(encoding="utf-8").splitlines()]
        assert rows[0] == ["head_a", "head_b", "name_a", "name_b"]
        for a, b, name_a, name_b in rows[1:]:
            for number, written in ((a, name_a), (b, name_b)):
                assert set(re.findall(r"\w+", written.lower())) & set(re.findall(r"\w+", names[number].lower())), number

    @pytest.mark.parametrize(("name", "n"), [(TEXTS[0], 10), (TEXTS[1], 9)])
    def test_what_the_texts_note_as_opposite_is_there(self, name: str, n: int, shared: Callable[[str], Path]) -> None:
        text = read_text(shared(name))
        noted = set()
        for note in re.finditer(r"\{opp\.\s+(\d+)\}", text):
            (head,) = re.findall(r"^\s*#?(\d+)[a-z]?\.? ", text[: note.end()], re.MULTILINE)[-1:]
            noted.add(tuple(sorted((head, note[1]), key=place)))
        assert n - 5 <= len(noted) <= n
        assert noted <= set(opposed_heads())

    def test_of_three_heads_in_a_row_the_ends_are_opposed(self) -> None:
        pairs = set(opposed_heads())
        assert ("66", "67") in pairs  # beginning, end; 68 is the middle
        assert not {("66", "68"), ("67", "68")} & pairs
        assert {("118", "121"), ("118", "122"), ("121", "122")} <= pairs  # present, future, past


class TestAntonyms:
    def test_they_are_leading_terms(self) -> None:
        terms = [
            *(Term("1", "Existence", "noun", 1, 1, term) for term in ("being", "of old", "entity", "esse")),
            Term("1", "Existence", "noun", 1, 2, "reality"),
            Term("2", "Inexistence", "noun", 1, 1, "nothing"),
            Term("2", "Inexistence", "adj", 1, 1, "null"),
        ]
        assert LEADING == 3
        found = list(antonyms(terms, Opposition(terms), ReadReport()))
        assert {(r.word, r.other) for r in found} == {("being", "nothing"), ("entity", "nothing")}
        assert {r.scope for r in found} == {"heads"}

    def test_not_opposes_a_word_of_the_opposed_head(self) -> None:
        terms = [
            Term("650", "Perfection", "adj", 3, 2, "perfect"),
            Term("651", "Imperfection", "adj", 2, 1, "faulty"),
            Term("651", "Imperfection", "adj", 2, 4, "not perfect"),
            Term("651", "Imperfection", "adj", 2, 4, "not amiss"),
        ]
        (found,) = antonyms(terms, Opposition(terms), ReadReport())
        assert (found.word, found.other, found.pos) == ("faulty", "perfect", "adj")
        assert found.sense == "651 Imperfection / 650 Perfection"

    def test_not_in_the_texts(self, real: Read) -> None:
        pairs = stated(real.records, "antonym")
        assert pairs["insufficient", "enough"] == "adj"  # "not enough &c 639" under 640
        assert pairs["disbelieve", "believe"] == "verb"
        assert pairs["fail", "succeed"] == "verb"

    def test_words_that_stand_together_more_often_are_none_and_counted(self) -> None:
        terms = [
            Term("1", "Existence", "noun", 1, 1, "a"),
            Term("2", "Inexistence", "noun", 1, 1, "b"),
            *(Term(head, "Other", "noun", 1, 1, term) for head in ("700", "800") for term in "ab"),
        ]
        report = ReadReport()
        assert list(antonyms(terms, Opposition(terms), report)) == []
        assert report.rejected == {Reason.TOGETHER: 1}


class TestGroups:
    def test_opposites_in_one_group_are_no_synonyms(self, real: Read) -> None:
        synonyms = synonym_pairs(real.records)
        for a, b in (("add", "subtract"), ("rise", "fall"), ("import", "export"), ("rational", "irrational")):
            assert frozenset((a, b)) not in synonyms
        assert frozenset(("uncle", "aunt")) not in synonyms
        assert {frozenset(("ascent", "rise")), frozenset(("reality", "actuality"))} <= synonyms
        assert 2000 < real.report.rejected[Reason.OPPOSED] < 3000

    @pytest.mark.parametrize("scope", ["group", "paragraph"])
    def test_every_pair_is_a_synonym_or_counted_and_every_term_a_word(self, scope: Scope) -> None:
        width = {"group": 5, "paragraph": 4}[scope]
        together: dict[tuple[object, ...], set[str]] = defaultdict(set)
        small = [t for t in parsed(data_file("starter/roget1911.tsv.gz"))[0] if int(t.head.rstrip("ab")) < 40]
        for term in small:
            together[term[:width]].add(term.term)
        report = ReadReport()
        records = list(_synonyms(small, scope, Opposition(small), Contrasts(), report))
        n_pairs = sum(
            len(r.words) * (len(r.words) - 1) // 2 - len(r.apart) if isinstance(r, Group) else isinstance(r, Statement)
            for r in records
        )
        assert n_pairs + report.rejected[Reason.OPPOSED] == sum(len(w) * (len(w) - 1) // 2 for w in together.values())
        words: set[str] = set()
        for record in records:
            words.update(record.words if isinstance(record, Group) else record[: 1 + isinstance(record, Statement)])
        assert words == set().union(*together.values())

    def test_a_lone_leading_term_is_a_synonym_of_those_that_lead_the_other_groups(self) -> None:
        terms = [
            *(Term("642", "Importance", "adj", 1, 1, term) for term in ("important",)),
            *(Term("642", "Importance", "adj", 1, 2, term) for term in ("momentous", "material")),
            Term("642", "Importance", "adj", 1, 3, "unimportant"),
            Term("642", "Importance", "adj", 1, 4, "grand", ("slang",)),
            *(Term("642", "Importance", "adj", 2, 1, term) for term in ("urgent", "pressing")),
            Term("642", "Importance", "adj", 2, 2, "critical"),
            Term("642", "Importance", "phrase", 1, 1, "no joke"),
            Term("642", "Importance", "phrase", 1, 2, "the cream"),
        ]
        report = ReadReport()
        found = list(_leading(terms, Opposition(terms), Contrasts(), report))
        assert [(r.word, r.other, r.usage, r.other_usage) for r in found] == [
            ("important", "momentous", (), ()),
            ("important", "grand", (), ("slang",)),
        ]
        assert {(r.kind, r.scope, r.sense) for r in found} == {("synonym", "leading", "642 Importance ¶1")}
        assert report.rejected == {Reason.OPPOSED: 1}

    def test_leading_terms_of_the_texts(self, real: Read) -> None:
        found = [r for r in real.records if isinstance(r, Statement) and r.scope == "leading"]
        assert ("important", "momentous") in {(r.word, r.other) for r in found}
        in_groups = {word for r in real.records if isinstance(r, Group) for word in r.words}
        assert len({r.word for r in found} - in_groups) > 900

    def test_groups_have_the_labels_of_their_words(self) -> None:
        terms = [Term("1", "Existence", "noun", 1, 1, *term) for term in (("being",), ("ens", ("foreign",)))]
        (group,) = _synonyms(terms, "group", Opposition(terms), Contrasts(), ReadReport())
        assert group == Group(("being", "ens"), "noun", "1 Existence ¶1.1", "group", ((), ("foreign",)))
        (whole,) = _synonyms(
            terms[:1] * 2 + [terms[0]._replace(term="entity")],
            "paragraph",
            Opposition(terms),
            Contrasts(),
            ReadReport(),
        )
        assert whole == Group(("being", "entity"), "noun", "1 Existence ¶1", "paragraph")

    def test_a_term_opposed_to_all_others_of_its_group_is_still_a_word(self, tmp_path: Path) -> None:
        file = tmp_path / "t.tsv"
        rows = ["\t".join(HEADER), *(f"84\tNumber\tadj\t3\t2\t{word}" for word in ("rational", "irrational"))]
        file.write_text("\n".join(rows) + "\n", encoding="utf-8")
        report = ReadReport()
        (group,) = read(file, report)
        assert isinstance(group, Group)
        assert (group.words, group.apart) == (("rational", "irrational"), ((1, 2),))
        assert report.rejected == {Reason.OPPOSED: 1}
        assert report.examples[Reason.OPPOSED] == "84 Number ¶3.2: rational / irrational"

    @pytest.mark.parametrize(
        ("a", "b", "pos"),
        [
            ("import", "export", "verb"),
            ("inflow", "outflow", "noun"),
            ("rational", "irrational", "adj"),
            ("cyclone", "anticyclone", "noun"),
            ("mermaid", "merman", "noun"),
            ("godfather", "godmother", "noun"),
            ("carnivorous", "herbivorous", "adj"),
            ("monogamy", "polygamy", "noun"),
            ("uncle", "niece", "noun"),
            ("major key", "minor key", "noun"),
            ("allegro", "adagio", "adv"),
            ("bull", "bear", "noun"),
        ],
    )
    def test_forms_that_exclude_each_other(self, a: str, b: str, pos: str) -> None:
        assert Contrasts()((a, "x", b), pos) == {(a, b)}

    @pytest.mark.parametrize(
        ("a", "b", "pos"),
        [
            ("implant", "plant", "verb"),  # into, not negation
            ("ravel", "unravel", "verb"),
            ("port", "import", "verb"),
            ("excite", "incite", "verb"),
            ("contortion", "distortion", "noun"),
            ("reality", "actuality", "noun"),
            ("inter", "exter", "noun"),  # too little is left
            ("call", "put", "verb"),  # options are nouns
        ],
    )
    def test_forms_that_do_not(self, a: str, b: str, pos: str) -> None:
        assert Contrasts()((a, b), pos) == set()


def stated(records: Iterable[Record], kind: str) -> dict[tuple[str, str], str | None]:
    return {(r.word, r.other): r.pos for r in records if isinstance(r, Statement) and r.kind == kind}


def synonym_pairs(records: Iterable[Record]) -> set[frozenset[str]]:
    pairs: set[frozenset[str]] = set()
    for record in records:
        if isinstance(record, Group):
            apart = {(record.words[i - 1], record.words[j - 1]) for i, j in record.apart}
            pairs.update(frozenset(pair) for pair in combinations(record.words, 2) if pair not in apart)
        elif isinstance(record, Statement) and record.kind == "synonym":
            pairs.add(frozenset((record.word, record.other)))
    return pairs


def test_paragraph_scope_joins_groups() -> None:
    terms = [term for term in parsed(data_file("starter/roget1911.tsv.gz"))[0] if term.head == "1"]
    by_group, by_paragraph = (
        {r.words for r in _synonyms(terms, scope, Opposition(terms), Contrasts(), ReadReport()) if isinstance(r, Group)}
        for scope in get_args(Scope)
    )
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
        ("unable to say 'no'; cry 'wolf!'.", ["unable to say no", "cry wolf"]),
        ("say 'boo' to a goose; slip 'twixt cup and lip", ["say 'boo' to a goose", "slip 'twixt cup and lip"]),
        ("how happens it? in some way", ["how happens it", "in some way"]),
        ("misbeliever.1, xenogenesis1; 653 attic; 5 point", ["misbeliever", "xenogenesis", "attic", "5 point"]),
        ("e. g., D. V.; a.m.", ["e. g.", "D. V.", "a.m."]),
        ("falling : slump, drop", ["falling", "slump", "drop"]),
    ],
)
def test_terms(text: str, expected: list[str]) -> None:
    assert terms_of(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ens [Lat.], being", [("foreign",), ()]),
        ("unideal[obs3], congenite|, ideal^", [("obsolete",)] * 3),
        ("vamose* [obs3][U. S.]; fire *, go", [("obsolete", "regional", "slang"), ("slang",), ()]),
        ("tu quoque[Lat: you too]; nothing [note: Latin]", [("foreign",), ()]),
        (
            "bark [dog]; nary a one [Dial.], grand [Coll.], fact &c. 2 [Science of law]",
            [(), ("dialect",), ("informal",), ()],
        ),
        ("tender mercies [ironically], oriel [Arch.]", [("humorous",), ("technical",)]),
        ("Anglican^, Sanskrit [Lat.]", [(), ("foreign",)]),  # no obsolete name
        ("obtain [transitive], get", [(), ()]),
    ],
)
def test_marks_belong_to_the_term_before_them(text: str, expected: list[tuple[str, ...]]) -> None:
    head = Head("1", "Existence", 1, (Paragraph("noun", text, 1),))
    assert [tuple(sorted(term.usage)) for term in parse_terms(head, ReadReport())] == expected


def test_a_mark_after_an_exclamation_belongs_to_it() -> None:
    head = Head("293", "Departure", 1, (Paragraph("intj", "farewell!, adieu! [Fr.], goodbye!", 1),))
    assert [(term.term, term.usage) for term in parse_terms(head, ReadReport())] == [
        ("farewell", ()),
        ("adieu", ("foreign",)),
        ("goodbye", ()),
    ]


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
    terms = [term.term for head in parse_heads(text) for term in parse_terms(head, ReadReport())]
    assert terms == ["existence", "being", "substance", "thing"]


@given(st.text())
def test_any_text_is_read_without_failure(text: str) -> None:
    for layout in (f"     #1. Existence.-- N. {text}", f"1. Existence -- N. {text}\n\n2. Inexistence -- N. {text}"):
        for head in parse_heads(layout):
            report = ReadReport()
            terms = list(parse_terms(head, report))
            assert len(terms) + report.n_rejected == report.n_records


words = st.text("abcdefghijklmnopqrstuvwxyz'-", min_size=3).filter(lambda w: w == w.strip("'-") and w.isprintable())


@given(st.lists(st.lists(words, min_size=1, unique=True), min_size=1))
def test_plain_groups_come_back(expected: list[list[str]]) -> None:
    text = "; ".join(", ".join(group) for group in expected)
    head = Head("1", "Existence", 1, (Paragraph("noun", text + ".", 1),))
    found = groups(parse_terms(head, ReadReport()), "1", "noun")
    assert [found[1, number] for number in range(1, len(expected) + 1)] == expected


class TestTable:
    def write(self, path: Path, *rows: str) -> Path:
        path.write_bytes(gzip.compress("\n".join(["\t".join(HEADER), *rows]).encode()))
        return path

    def test_bad_rows_are_counted(self, tmp_path: Path) -> None:
        file = self.write(tmp_path / "t.gz", "1\tExistence\tnoun\t1\t1\tbeing", "1\tExistence\tnoun\tx\t1\tb", "1\t2")
        report = ReadReport()
        assert [term.term for term in read_terms(file, report)] == ["being"]
        assert report.rejected == {Reason.WRONG_COLUMNS: 2}
        assert report.first_bad == "line 3: a wrong number of columns"

    def test_labels_may_be_missing(self, tmp_path: Path) -> None:
        file = self.write(tmp_path / "t.gz", "1\tExistence\tnoun\t1\t1\tens\tforeign,obsolete")
        assert [term.usage for term in read_terms(file, ReadReport())] == [("foreign", "obsolete")]
        (tmp_path / "old.tsv").write_text("\t".join(HEADER[:6]) + "\n1\tExistence\tnoun\t1\t1\tens\n", encoding="utf-8")
        assert [term.usage for term in read_terms(tmp_path / "old.tsv", ReadReport())] == [()]

    def test_single_terms_are_words(self, tmp_path: Path) -> None:
        file = self.write(tmp_path / "t.gz", "1\tExistence\tnoun\t1\t1\tbeing")
        assert list(read(file, ReadReport())) == [Headword("being")]

    def test_a_file_without_heads_is_refused(self, tmp_path: Path) -> None:
        file = tmp_path / "novel.txt"
        file.write_text("It was a dark and stormy night.\n", encoding="utf-8")
        with pytest.raises(SourceError, match=r"novel\.txt: no heads of Roget's Thesaurus found; give"):
            list(read(file, ReadReport()))
