from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lexkit.morphology.segmentation import Segmentation, SegmentationError, parse_segmentation


def test_real_segmentations_are_read_whole(shared: Callable[[str], Path]) -> None:
    rows = shared("morpholex/real_sample.tsv").read_text(encoding="utf-8").splitlines()
    assert len(rows) == 46
    for row in rows:
        _, notation = row.split("\t")
        assert letters(parse_segmentation(notation)) == bare(notation)


def letters(segmentation: Segmentation) -> str:
    return "".join(morpheme.text for morpheme in segmentation.morphemes)


def bare(notation: str) -> str:
    return re.sub(r"[<>(){}]", "", notation)


@pytest.mark.parametrize(
    ("notation", "prefixes", "roots", "suffixes"),
    [
        ("{<un<(change)>able>}", ("un",), ("change",), ("able",)),
        ("{(above)}{(board)}", (), ("above", "board"), ()),
        ("<over<{(capit)>al>}>ize>>ion>", ("over",), ("capit",), ("al", "ize", "ion")),
        ("<dis<<en<{(chant)}", ("dis", "en"), ("chant",), ()),
        ("<over<{<ex<(pose)}", ("over", "ex"), ("pose",), ()),
    ],
)
def test_morphemes(notation: str, prefixes: tuple[str], roots: tuple[str], suffixes: tuple[str]) -> None:
    parsed = parse_segmentation(notation)
    assert (parsed.prefixes, parsed.roots, parsed.suffixes) == (prefixes, roots, suffixes)


@pytest.mark.parametrize("notation", ["", "kind", "{(kind)", "(kind)}", "{}", "<un<", "((kind))", "{(kind) }"])
def test_anything_else_is_refused(notation: str) -> None:
    with pytest.raises(SegmentationError):
        parse_segmentation(notation)


morphemes = st.text(st.characters(blacklist_characters="<>(){}", blacklist_categories=["Cs"]), min_size=1, max_size=9)
roots = morphemes.map("({})".format)
parts = st.recursive(
    roots | morphemes.map("<{}<".format) | morphemes.map(">{}>".format),
    lambda inner: st.lists(inner, min_size=1, max_size=5).map(lambda ps: "{" + "".join(ps) + "}"),
    max_leaves=12,
)


@given(st.lists(parts, max_size=5), roots)
def test_every_notation_of_the_grammar_is_read_whole(before: list[str], root: str) -> None:
    notation = "".join([*before, root])
    parsed = parse_segmentation(notation)
    assert letters(parsed) == bare(notation)
    assert parsed.roots[-1] == root[1:-1]


@given(st.text("<>(){}ab"))
def test_what_is_read_is_what_was_written(text: str) -> None:
    try:
        parsed = parse_segmentation(text)
    except SegmentationError:
        return
    assert letters(parsed) == bare(text)
    assert parsed.roots
