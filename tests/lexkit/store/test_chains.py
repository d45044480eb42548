from __future__ import annotations

from pathlib import Path

import pytest

import lexkit
from lexkit.errors import ArgumentError


def test_a_chain_between_a_form_and_a_word(starter_store: Path) -> None:
    with lexkit.open(starter_store) as lexicon:
        assert lexicon.chains("mice", "cat", max_steps=1) == []
        (chain, *_) = lexicon.chains("ran", "walk", forms=True, limit=1)
        assert chain.words[0] == "run"
        assert chain.words[-1] == "walk"


def test_unsure_steps_and_unwanted_words_can_be_left_out(starter_store: Path) -> None:
    with lexkit.open(starter_store) as lexicon:
        starts, goals = lexicon.random(12, seed=5), lexicon.random(12, seed=6)
        for start, goal in zip(starts, goals, strict=True):
            for chain in lexicon.chains(start, goal, min_confidence=0.9, archaic=False, direct=True):
                assert all(step.neighbor.confidence >= 0.9 for step in chain.steps)
                assert all(step.neighbor.direct for step in chain.steps)
                assert not any({"archaic", "obsolete"} & set(step.neighbor.usage) for step in chain.steps)


def test_a_chain_means_the_same_in_both_directions(starter_store: Path) -> None:
    with lexkit.open(starter_store) as lexicon:
        for start, goal in (("happy", "tragic"), ("kind", "cruel"), ("stone", "music")):
            there, back = lexicon.chains(start, goal, limit=500), lexicon.chains(goal, start, limit=500)
            assert {tuple(chain.words) for chain in there} == {tuple(reversed(chain.words)) for chain in back}


@pytest.mark.parametrize("options", [{"limit": -1}, {"max_steps": 0}, {"max_steps": 13}, {"min_confidence": 2}])
def test_numbers_that_cannot_be(starter_store: Path, options: dict[str, int]) -> None:
    with lexkit.open(starter_store) as lexicon, pytest.raises(ArgumentError):
        lexicon.chains("kind", "cruel", **options)  # type: ignore[arg-type]


def test_words_drawn_at_random_are_not_forms_or_offensive(starter_store: Path) -> None:
    with lexkit.open(starter_store) as lexicon:
        for word in lexicon.random(100, seed=1):
            rows = lexicon.sql("SELECT label FROM word WHERE word = ?", [word]).to_pylist()
            assert rows == [{"label": None}]
            assert not [form for form in lexicon.forms(word) if form.kind == "inflection"]
        with pytest.raises(ArgumentError):
            lexicon.random(0)
