from __future__ import annotations

import pytest

from lexkit.morphology.inflections import inflection_candidates, punctuation_candidates, spelling_candidates

FORMS = """
ran run, went go, stopped stop, studies study, tries try, bought buy, thought think, written write,
dying die, lying lie,
mice mouse, children child, men man, women woman, policemen policeman, teeth tooth, feet foot, geese goose,
leaves leaf, leaves leave, wolves wolf, axes axe, axes axis, axes ax, crises crisis, data datum, criteria criterion,
buses bus, boxes box, heroes hero, churches church, quizzes quiz, skis ski, mothers-in-law mother-in-law,
happier happy, happiest happy, bigger big, nicer nice, better good, better well, worst bad, older old, driest dry,
running run, making make, hoping hope, hopping hop, panicked panic, travelled travel, visited visit, agreed agree,
understood understand, overcame overcome, withdrew withdraw, rewritten rewrite,
left leave, found find, saw see, lay lie, ice creams ice cream, field mice field mouse
"""
OTHERS = """
news new, species specie, bus bu, gas ga, always alway, during dure, thing the, sing se, wed we, red re, bed be,
need nee, feed fee, her he, number numb, corner corn, evening even, this thi, glass glas, virus viru, basis basi,
hoped hop, planed plan, stared star, offer off, rather rath, after aft, interest inter, forest fore, seed see,
bring bre, spring spre, butter butt, princess prince, dying dye, hundred hundr
"""


@pytest.mark.parametrize("pair", FORMS.replace("\n", " ").strip().split(", "))
def test_forms_of_everyday_words(pair: str) -> None:
    words = pair.split(" ")
    form, lemma = " ".join(words[: len(words) // 2]), " ".join(words[len(words) // 2 :])
    assert lemma in {candidate.lemma for candidate in inflection_candidates(form)}


@pytest.mark.parametrize("pair", OTHERS.replace("\n", " ").strip().split(", "))
def test_words_that_only_look_like_forms(pair: str) -> None:
    form, lemma = pair.split(" ")
    assert lemma not in {candidate.lemma for candidate in inflection_candidates(form)}


@pytest.mark.parametrize(
    ("british", "american"),
    [
        ("colour", "color"),
        ("dishonourable", "dishonorable"),
        ("neighbourhood", "neighborhood"),
        ("realise", "realize"),
        ("organisations", "organizations"),
        ("analyse", "analyze"),
        ("centre", "center"),
        ("kilometres", "kilometers"),
        ("catalogue", "catalog"),
        ("travelled", "traveled"),
        ("anaesthetic", "anesthetic"),
        ("defence", "defense"),
        ("grey", "gray"),
    ],
)
def test_british_and_american_spellings_lead_to_each_other(british: str, american: str) -> None:
    assert american in {candidate.lemma for candidate in spelling_candidates(british)}
    assert british in {candidate.lemma for candidate in spelling_candidates(american)}


@pytest.mark.parametrize(
    "word", ["four", "hour", "tour", "prise", "rise", "wise", "filled", "tilled", "timbre", "rogue"]
)
def test_other_words_keep_their_spelling(word: str) -> None:
    assert spelling_candidates(word) == []


def test_hyphens_and_apostrophes() -> None:
    def written(word: str) -> set[str]:
        return {candidate.lemma for candidate in punctuation_candidates(word)}

    assert {"well-known", "wellknown"} <= written("well known")
    assert "o'clock" in written("o\u2019clock") & written("o' clock")
    assert written("in action") == written("make up") == written("re-cover") == set()
