from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lexkit.morphology.affixes import AffixSet, affixes_of
from lexkit.morphology.look_alikes import LookAlikes
from lexkit.morphology.negation import Negation, Usage, analysis_of, find_negations
from lexkit.morphology.segmentation import parse_segmentation
from lexkit.sources.morpholex import read
from lexkit.sources.read_report import ReadReport
from lexkit.sources.records import Analysis

USED = Usage(n_statements=3)
JUDGED = Path(__file__).parent / "negations.tsv"


def analysis(word: str, segmentation: str) -> Analysis:
    parsed = parse_segmentation(segmentation)
    return Analysis(word, segmentation, parsed.prefixes, parsed.roots, parsed.suffixes)


def negated(word: str, segmentation: str, *vocabulary: str) -> list[tuple[str, str]]:
    words = dict.fromkeys([word, *vocabulary], USED)
    return [(n.base, n.rule) for n in find_negations(words, analyses=[analysis(word, segmentation)]) if n.word == word]


def english() -> LookAlikes:
    affixes = affixes_of("en")
    assert affixes is not None
    return affixes.list_of_look_alikes


def by_affix(*words: str, affixes: AffixSet = "common") -> dict[str, str]:
    return {n.word: n.base for n in find_negations(dict.fromkeys(words, USED), affixes=affixes)}


@pytest.fixture(scope="session")
def morpholex(shared: Callable[[str], Path]) -> list[Analysis]:
    records = read(shared("morpholex/MorphoLEX_en-reconstructed.xlsx"), ReadReport())
    return [record for record in records if isinstance(record, Analysis)]


@pytest.fixture(scope="session")
def real(morpholex: list[Analysis]) -> dict[str, Negation]:
    vocabulary = {record.word: Usage(pos=frozenset(record.pos)) for record in morpholex}
    return {found.word: found for found in find_negations(vocabulary, analyses=morpholex)}


@pytest.fixture(scope="session")
def judged() -> list[list[str]]:
    """Words with a base, or with what looks like one, whether they are that base negated, and why."""
    return [row.split("\t") for row in JUDGED.read_text(encoding="utf-8").splitlines()[1:]]


def mistakes(judged: list[list[str]], analyses: list[Analysis]) -> list[tuple[str, str | None]]:
    vocabulary = {word: USED for row in judged for word in row[:2]}
    found = {n.word: n.base for n in find_negations(vocabulary, analyses=analyses)}
    expected = {word: base if verdict == "yes" else None for word, base, verdict, _ in judged}
    return [(word, found.get(word)) for word, base in expected.items() if found.get(word) != base]


def test_judged_words_without_morpholex(judged: list[list[str]]) -> None:
    assert len(judged) > 800
    assert mistakes(judged, []) == []


def test_judged_words_with_morpholex(judged: list[list[str]], morpholex: list[Analysis]) -> None:
    assert mistakes(judged, morpholex) == []


def test_without_the_list_of_look_alikes_many_words_would_be_misjudged(
    judged: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(LookAlikes, "includes", lambda *_: False)
    assert len(mistakes(judged, [])) > 100


@pytest.mark.parametrize(
    ("word", "base", "rule"),
    [
        ("unkind", "kind", "un-"),
        ("unhappiness", "happiness", "un-"),
        ("illegal", "legal", "in-"),
        ("irregularity", "regularity", "in-"),
        ("immoral", "moral", "in-"),
        ("ignoble", "noble", "in-"),
        ("independent", "dependent", "in-"),
        ("impartial", "partial", "in-"),
        ("dissatisfied", "satisfied", "dis-"),
        ("disagreement", "agreement", "dis-"),
        ("nonfiction", "fiction", "non-"),
        ("penniless", "penny", "-less"),
        ("merciless", "mercy", "-less"),
        ("faultless", "fault", "-less"),
        ("invertebrate", "vertebrate", "in-"),
        ("undo", "do", "un-"),
    ],
)
def test_bases_are_words_as_they_are_spelt(real: dict[str, Negation], word: str, base: str, rule: str) -> None:
    assert (real[word].base, real[word].rule) == (base, rule)


@pytest.mark.parametrize(
    "word",
    "invaluable infamous disease onboard decipher income priceless inhabit inflammable discuss display "
    "disembowel unbosom indisposed ruthless hapless indifferent impair dispose disappoint distract dissolution unloose "
    "countless wireless imply immigrate impartially insolvents distaste discolor discolour dissociable".split(),
)
def test_look_alikes_negate_nothing(real: dict[str, Negation], word: str) -> None:
    assert word not in real


def test_negations_are_many(real: dict[str, Negation]) -> None:
    assert len(real) > 2000
    assert all(found.word != found.base for found in real.values())


def test_a_base_must_be_a_word() -> None:
    assert negated("unkempt", "<un<(kempt)") == []
    assert negated("unkempt", "<un<(kempt)", "kempt") == [("kempt", "un-")]


def test_a_base_may_differ_in_case_and_hyphen() -> None:
    assert negated("unchristian", "<un<{(christ)>ian>}", "Christian") == [("Christian", "un-")]
    assert negated("non-smoker", "<non<{(smoke)}>er>", "smoker") == [("smoker", "non-")]
    assert negated("UNENVIED", "<un<{(envy)}", "envied") == [("envied", "un-")]


def test_only_the_outermost_affix_is_cut() -> None:
    assert negated("undiscouraged", "<un<<dis<{(courage)}", "discouraged", "couraged") == [("discouraged", "un-")]
    assert negated("reunify", "<re<<un<{(ify)}", "ify", "unify") == []


def test_y_is_i_before_less_even_if_there_is_a_word_in_i() -> None:
    assert by_affix("pennilessness", "penny", "penni") == {"pennilessness": "penny"}
    assert by_affix("bikiniless", "bikini") == {"bikiniless": "bikini"}
    assert by_affix("skiless", "ski", "sky") == {"skiless": "ski"}


def test_two_negations_are_none() -> None:
    assert by_affix("nonunhappy", "unhappy", "happy") == {"nonunhappy": "unhappy", "unhappy": "happy"}
    assert by_affix("nonunhappy", "happy") == {}


def test_the_suffix_may_be_inside() -> None:
    found = {n.word: n for n in find_negations(dict.fromkeys(["carelessness", "carelessly", "careless", "care"], USED))}
    assert {n.base for n in found.values()} == {"care"}
    assert {word: n.same_pos for word, n in found.items()} == {
        "carelessness": True,
        "carelessly": False,
        "careless": False,
    }


def test_morpholex_knows_what_the_spelling_does_not_tell() -> None:
    assert by_affix("inxylose", "xylose") == {}
    assert negated("inxylose", "<im<{(xylose)}", "xylose") == [("xylose", "in-")]
    assert negated("inxylose", "<in<{(xylose)}", "xylose") == []


def test_what_morpholex_overlooks_is_found_by_affix() -> None:
    words = dict.fromkeys(["impartial", "partial"], USED)
    (found,) = find_negations(words, analyses=[analysis("impartial", "<im<{(part)}>ial>")])
    assert found.analyser == "morpholex"
    (found,) = find_negations(words, analyses=[analysis("impartial", "{(impartial)}")])
    assert found.analyser == "affix"


def test_a_short_base_must_be_in_use() -> None:
    def bases(n_word: int, n_base: int) -> list[str]:
        return [n.base for n in find_negations({"dishep": Usage(n_word), "hep": Usage(n_base)})]

    assert bases(30, 2) == []
    assert bases(30, 3) == ["hep"]
    assert bases(0, 0) == ["hep"]


@pytest.mark.parametrize(
    ("word", "pos", "base", "base_pos", "reverses", "same_pos"),
    [
        ("unlock", "verb", "lock", "noun verb", True, True),
        ("untangle", "", "tangle", "", True, True),
        ("unlocked", "verb", "locked", "verb", True, True),
        ("uncaring", "verb", "caring", "verb", False, True),
        ("untied", "adj", "tied", "verb", False, True),
        ("unkind", "adj", "kind", "adj noun", False, True),
        ("unrest", "", "rest", "noun verb", False, True),
        ("unbar", "verb adj", "bar", "noun verb", True, True),
        ("unstring", "verb", "string", "noun verb", True, True),
        ("disconnect", "verb", "connect", "verb", True, True),
        ("disembarking", "verb", "embarking", "verb", True, True),
        ("disqualified", "", "qualified", "", True, True),
        ("disconnected", "adj", "connected", "adj verb", False, True),
        ("disagree", "verb", "agree", "verb", False, True),
        ("disorder", "noun verb", "order", "noun verb", False, True),
        ("disable", "verb", "able", "adj", False, False),
        ("nonstop", "adj", "stop", "noun verb", False, False),
        ("faultless", "adj", "fault", "noun", False, False),
    ],
)
def test_reversal_and_part_of_speech(
    word: str, pos: str, base: str, base_pos: str, reverses: bool, same_pos: bool
) -> None:
    vocabulary = {word: Usage(3, frozenset(pos.split())), base: Usage(3, frozenset(base_pos.split())), "unlock": USED}
    found = next(n for n in find_negations(vocabulary) if n.word == word)
    assert (found.base, found.reverses, found.same_pos) == (base, reverses, same_pos)


def test_names_of_peoples_are_negated_other_names_are_no_bases() -> None:
    assert by_affix("un-American", "American", "underwent", "Derwent") == {"un-American": "American"}


def test_phrases_and_odd_characters_are_left_alone() -> None:
    assert by_affix("unkind act", "kind act", "un<x", "<x", "un{", "{", "un", "less", "-less", "in-", "non-") == {}


@pytest.mark.parametrize(
    ("word", "base"),
    [
        ("amoral", "moral"),
        ("anaerobic", "aerobic"),
        ("antiwar", "war"),
        ("decentralize", "centralize"),
        ("deactivate", "activate"),
        ("misfortune", "fortune"),
        ("counterproductive", "productive"),
        ("malfunction", "function"),
        ("carefree", "care"),
        ("waterproof", "water"),
    ],
)
def test_risky_affixes_count_only_on_demand(word: str, base: str) -> None:
    assert by_affix(word, base) == {}
    assert by_affix(word, base, affixes="all") == {word: base}


@pytest.mark.parametrize(
    "word",
    "arouse avow annual aesthetic antibody antidote decode decipher delight depart desire mission mistress mischief "
    "counterpart counteract malady mallet reproof scot-free".split(),
)
def test_look_alikes_of_risky_affixes(word: str) -> None:
    lures = [word.removeprefix(p) for p in ("a", "an", "anti", "de", "mis", "counter", "mal")]
    lures += [word.removesuffix(s).rstrip("-") for s in ("free", "proof")]
    assert word not in by_affix(word, *lures, affixes="all")


@pytest.mark.parametrize(
    ("word", "base", "segmentation", "prefixes", "suffixes"),
    [
        ("unkind", "kind", "<un<(kind)", ("un",), ()),
        ("illegal", "legal", "<im<(legal)", ("im",), ()),
        ("pennilessness", "penny", "(penny)>less>>ness>", (), ("less", "ness")),
        ("carelessly", "care", "(care)>less>>ly>", (), ("less", "ly")),
    ],
)
def test_words_cut_by_affix_are_written_as_morpholex_does(
    word: str, base: str, segmentation: str, prefixes: tuple[str, ...], suffixes: tuple[str, ...]
) -> None:
    (found,) = find_negations(dict.fromkeys([word, base], USED))
    assert analysis_of(found) == Analysis(word, segmentation, prefixes, (base,), suffixes)


def test_an_entry_of_look_alikes_stands_for_all_words_that_begin_so() -> None:
    assert english().includes("distortion", "prefix")
    assert not english().includes("disorder", "prefix")


def test_look_alikes_take_nothing_along_that_only_begins_like_them() -> None:
    """Unhand is a look-alike, but unhandy is not handy; nonet, but nonethnic; uncanny, but uncanned."""
    pairs = {
        "undecayed": "decayed",
        "uncanned": "canned",
        "ungainsaid": "gainsaid",
        "unhandicapped": "handicapped",
        "unhandled": "handled",
        "unhandsome": "handsome",
        "unhandy": "handy",
        "nonaged": "aged",
        "nonethnic": "ethnic",
        "nondescriptive": "descriptive",
        "infestivity": "festivity",
    }
    assert by_affix(*pairs, *pairs.values()) == pairs


def test_look_alikes_of_risky_affixes_in_words_of_morpholex(morpholex: list[Analysis]) -> None:
    vocabulary = {record.word: Usage(pos=frozenset(record.pos)) for record in morpholex}
    found = {negation.word for negation in find_negations(vocabulary, analyses=morpholex, affixes="all")}
    refused = "missing misted misting demoralize apathetic anesthetic anaesthetic antitrust misere".split()
    assert set(refused) <= set(vocabulary) | {"misere"}
    assert not found & set(refused)
    assert {"misspell", "misled", "demobilize", "atypical", "asexual"} <= found


def test_a_look_alike_of_a_prefix_says_nothing_of_a_suffix() -> None:
    assert by_affix("image", "mage", "imageless") == {"imageless": "image"}


def test_a_short_base_must_not_be_much_rarer_than_the_word() -> None:
    def bases(frequency: float | None) -> list[str]:
        vocabulary = {"dishep": Usage(frequency=4.6), "hep": Usage(frequency=frequency)}
        return [n.base for n in find_negations(vocabulary)]

    assert bases(2.5) == []
    assert bases(2.7) == ["hep"]
    assert bases(None) == []  # rarer than any word of the table


def test_a_base_must_have_a_part_of_speech_that_the_affix_takes() -> None:
    def bases(pos: str) -> list[str]:
        vocabulary = {"sinnlos": USED, "Sinn": Usage(3, frozenset(pos.split()))}
        return [n.base for n in find_negations(vocabulary, "de")]

    assert bases("") == bases("noun") == bases("noun verb") == ["Sinn"]
    assert bases("verb") == []
