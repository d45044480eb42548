from __future__ import annotations

import re
import sys
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import lexkit
from lexkit.figures import FORMATS

pytest.importorskip("matplotlib", reason="drawing needs matplotlib (pip install 'lexkit[plot]')")

SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> list[str]:
    return ["".join(text.itertext()).strip() for text in ElementTree.parse(path).iter(f"{SVG}text")]


def test_a_picture_for_each_format(run: Callable[..., Any], starter_store: Path, tmp_path: Path) -> None:
    for name, start in (("a.png", b"\x89PNG"), ("b.SVG", b"<?xml"), ("c.pdf", b"%PDF")):
        done = run("lookup", "happy", "--store", starter_store, "--plot", name)
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout.startswith("relation\tword")  # the words are printed all the same
        assert (tmp_path / name).read_bytes().startswith(start)


def test_every_neighbour_is_named_and_the_rest_counted(starter_store: Path, tmp_path: Path) -> None:
    from lexkit.reporting.neighborhood import MOST, plot_neighborhood

    with lexkit.open(starter_store) as lexicon:
        synonyms, antonyms = lexicon.synonyms("happy"), lexicon.antonyms("happy")
        plot_neighborhood(lexicon, "happy", synonyms, antonyms, tmp_path / "happy.svg")
        many = lexicon.synonyms("set")
        plot_neighborhood(lexicon, "set", many, [], tmp_path / "set.svg")
    shown = texts(tmp_path / "happy.svg")
    for neighbor in [*synonyms[:MOST], *antonyms[:MOST]]:
        assert neighbor.word in shown
    assert "happy" in shown
    assert len(many) > 2 * MOST
    assert {f"{2 * MOST} of {len(many)} synonyms", "0 antonyms"} <= set(texts(tmp_path / "set.svg"))


def test_no_label_crosses_the_frame(tmp_path: Path) -> None:
    from matplotlib.image import imread

    from lexkit.figures import PAPER
    from lexkit.reporting.neighborhood import plot_neighborhood

    wide = ["W" * 60, "m" * 50, "\u65e5\u672c" * 30]
    (tmp_path / "pairs.tsv").write_text("".join(f"{a}\t{b}\n" for a in wide for b in wide if a < b), encoding="utf-8")
    lexkit.build(tmp_path / "wide.duckdb", pairs=[("synonym", tmp_path / "pairs.tsv")])
    with lexkit.open(tmp_path / "wide.duckdb") as lexicon:
        for word in wide:
            plot_neighborhood(lexicon, word, lexicon.synonyms(word), [], tmp_path / "wide.png")
            pixels = imread(tmp_path / "wide.png")[:, :, :3]
            paper = [int(PAPER[place : place + 2], 16) / 255 for place in (1, 3, 5)]
            for border in (pixels[:, :10], pixels[:, -10:], pixels[:10], pixels[-10:]):
                assert abs(border - paper).max() < 0.01


def test_kinds_differ_by_side_and_line(starter_store: Path, tmp_path: Path) -> None:
    from lexkit.reporting.neighborhood import plot_neighborhood

    with lexkit.open(starter_store) as lexicon:
        related = lexicon.synonyms("happy", limit=3), lexicon.antonyms("happy", limit=3)
        plot_neighborhood(lexicon, "happy", *related, tmp_path / "x.svg")
    svg = (tmp_path / "x.svg").read_text(encoding="utf-8")
    for colour, is_dashed in (("#00629b", False), ("#b84a00", True)):
        styles = [style for style in re.findall(r'style="([^"]*)"', svg) if f"stroke: {colour}" in style]
        spokes = [style for style in styles if "fill: none" in style and "stroke-opacity: 0.6" in style]
        assert len(spokes) == 3
        assert all(("stroke-dasharray" in style) == is_dashed for style in spokes)
    places = {
        "".join(text.itertext()): re.search(r"text-anchor: (\w+)", text.get("style", ""))
        for text in ElementTree.fromstring(svg).iter(f"{SVG}text")
    }
    for neighbors, anchor in zip(related, ("end", "start"), strict=True):
        for neighbor in neighbors:
            found = places[neighbor.word]
            assert (found[1] if found else "start") == anchor


def test_the_same_store_gives_the_same_picture(starter_store: Path, tmp_path: Path) -> None:
    from lexkit.reporting.neighborhood import plot_neighborhood

    with lexkit.open(starter_store) as lexicon:
        for form in FORMATS:
            for name in ("a", "b"):
                plot_neighborhood(lexicon, "happy", lexicon.synonyms("happy"), [], tmp_path / (name + form))
            assert (tmp_path / f"a{form}").read_bytes() == (tmp_path / f"b{form}").read_bytes()


def test_hostile_words_are_drawn_as_they_are(
    hostile_store: Path, hostile_words: dict[str, str], tmp_path: Path
) -> None:
    from lexkit.reporting.neighborhood import plot_neighborhood

    with lexkit.open(hostile_store) as lexicon:
        for name in ("x.svg", "x.png"):  # a warning would be an error here
            plot_neighborhood(
                lexicon, hostile_words["tag"], lexicon.synonyms(hostile_words["tag"]), [], tmp_path / name
            )
    shown = texts(tmp_path / "x.svg")
    for name in ("quotes", "formula", "fragment", "other"):
        assert hostile_words[name] in shown


def test_failures_are_one_line(run: Callable[..., Any], starter_store: Path, tmp_path: Path) -> None:
    done = run("lookup", "happy", "--store", starter_store, "--plot", "x.gif")
    assert done.returncode == 2
    assert "'x.gif' does not end in .png, .svg, .pdf." in done.stderr
    done = run("lookup", "aboveboard", "--source", "morpholex", "--store", starter_store, "--plot", "x.svg")
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: aboveboard: no relations to draw in .*\n", done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_without_matplotlib(starter_store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from lexkit.reporting.neighborhood import plot_neighborhood

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with (
        lexkit.open(starter_store) as lexicon,
        pytest.raises(lexkit.LexkitError, match=r"pip install 'lexkit\[plot\]'"),
    ):
        plot_neighborhood(lexicon, "happy", lexicon.synonyms("happy"), [], tmp_path / "x.svg")
    assert list(tmp_path.iterdir()) == []
