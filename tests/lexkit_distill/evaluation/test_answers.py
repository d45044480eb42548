from __future__ import annotations

import pytest

from lexkit_distill.evaluation import answers

LETTERS = ["A", "B", "C", "D"]


@pytest.mark.parametrize(
    "text",
    [
        "B",
        " B",  # a tokenizer that joins the letter with the space before it
        "\nB",
        "B.",
        "(B)",
        "**B**",
        "b",
        "B. red",
        "B) red",
        "B\nBecause it is red",
        "Answer: B",
        "The answer is B.",
        "The correct answer is (B) red",
        "the best option is B",
        "I think the answer is B",
    ],
)
def test_the_letter_is_found_however_it_is_written(text: str) -> None:
    assert answers.letter(text, LETTERS) == "B"


@pytest.mark.parametrize(
    "text", ["", " ", "red", "E", "Better", "A dog", "A dog.", "a river and a bank", "I'm not sure"]
)
def test_what_is_no_letter_of_the_options_is_no_answer(text: str) -> None:
    assert answers.letter(text, LETTERS) is None


@pytest.mark.parametrize(
    ("given", "right", "f1", "exact"),
    [
        ("The Normans", ["Normans"], 1.0, 1.0),
        ("in the 10th century", ["10th and 11th centuries", "10th century"], 0.8, 0.0),
        ("unanswerable", [], 1.0, 1.0),
        ("Unanswerable.", [], 1.0, 1.0),
        ("", [], 1.0, 1.0),
        ("Normandy", [], 0.0, 0.0),
        ("unanswerable", ["France"], 0.0, 0.0),
        ("Denmark Denmark", ["Denmark"], 2 / 3, 0.0),
        ("Rollo", ["France", "Rollo"], 1.0, 1.0),
    ],
)
def test_words_are_scored_as_squad_scores_them(given: str, right: list[str], f1: float, exact: float) -> None:
    assert answers.f1(given, right) == pytest.approx(f1)
    assert answers.exact(given, right) == exact
