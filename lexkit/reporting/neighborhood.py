"""Draw a word's neighbourhood with matplotlib, which the extra ``lexkit[plot]`` installs."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from lexkit.figures import INK, KIND_COLORS, PAPER, QUIET, picture
from lexkit.sources.records import Kind

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from lexkit.store.lexicon import Lexicon
    from lexkit.store.results import Neighbor

MOST = 18
"""Most neighbours of each kind in a picture, which has twice as many if there is only one kind; more are illegible."""
# Kinds differ in side, line and marker as well as in colour
_LINES: dict[str, str] = {"synonym": "solid", "antonym": "dashed"}
_MARKERS: dict[str, str] = {"synonym": "o", "antonym": "D"}
_ROW, _RADIUS, _HALF_WIDTH, _MARGIN = 0.3, 1.6, 4.0, 0.15  # inches
_LABEL_SIZE, _TITLE_SIZE = 9, 13  # points


_Related: TypeAlias = "tuple[Neighbor, Kind]"


class _Node(NamedTuple):
    word: str
    kind: Kind
    direct: bool
    side: int
    x: float
    y: float


def plot_neighborhood(
    lexicon: Lexicon, title: str, synonyms: Sequence[Neighbor], antonyms: Sequence[Neighbor], path: Path
) -> None:
    """Draw synonyms on an arc to the left, antonyms on one to the right, and lines for relations among them.

    The same store and arguments give the same file. The picture shows the first `MOST` neighbours of each kind and
    states how many there are. If there is only one kind, it shows twice as many, on both sides.

    Args:
        lexicon: the store in which relations among the neighbours are looked up.
        title: the word in the middle.
        synonyms: the synonyms, the most important first.
        antonyms: the antonyms, the most important first.
        path: the file to write; see `lexkit.figures.picture`.

    Raises:
        LexkitError: matplotlib is missing, or the file has an unknown suffix.
        OSError: the file cannot be written.
    """
    left, right = _sides(
        [(neighbor, "synonym") for neighbor in synonyms], [(neighbor, "antonym") for neighbor in antonyms]
    )
    nodes = [*_arc(left, -1), *_arc(right, 1)]
    half_height = _ROW * (max(len(left), len(right), 5) + 1) / 2 + 0.35
    with picture(path, 2 * _HALF_WIDTH, 2 * half_height, layout=None) as figure:
        figure.set_facecolor(PAPER)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set(xlim=(-_HALF_WIDTH, _HALF_WIDTH), ylim=(-half_height, half_height))
        axes.set_axis_off()
        _draw(axes, title, nodes, _edges(lexicon, nodes))
        _caption(axes, half_height, nodes, {"synonym": len(synonyms), "antonym": len(antonyms)})


def _sides(synonyms: list[_Related], antonyms: list[_Related]) -> tuple[list[_Related], list[_Related]]:
    """Return the neighbours on the left and on the right: one kind on each side, or two halves of the only kind."""
    if synonyms and antonyms:
        return synonyms[:MOST], antonyms[:MOST]
    only = (synonyms or antonyms)[: 2 * MOST]
    half = (len(only) + 1) // 2
    return only[:half], only[half:]


def _arc(related: list[_Related], side: int) -> list[_Node]:
    """Place neighbours in rows of equal height on half an ellipse."""
    nodes = []
    half = _ROW * (max(len(related), 5) + 1) / 2
    for place, (neighbor, kind) in enumerate(related):
        y = _ROW * ((len(related) - 1) / 2 - place)
        x = side * _RADIUS * sqrt(1 - (y / half) ** 2)
        nodes.append(_Node(neighbor.word, kind, neighbor.direct, side, x, y))
    return nodes


def _edges(lexicon: Lexicon, nodes: Sequence[_Node]) -> list[tuple[_Node, _Node, Kind]]:
    # a contested word occurs twice; lines lead to its first node
    first = {node.word: node for node in reversed(nodes)}
    edges: list[tuple[_Node, _Node, Kind]] = []
    for word, node in first.items():
        for kind, related in (("synonym", lexicon.synonyms(word)), ("antonym", lexicon.antonyms(word))):
            edges += [
                (node, first[neighbor.word], "synonym" if kind == "synonym" else "antonym")
                for neighbor in related
                if word < neighbor.word and neighbor.word in first
            ]
    return edges


def _draw(axes: Axes, title: str, nodes: Sequence[_Node], edges: Sequence[tuple[_Node, _Node, Kind]]) -> None:
    from matplotlib.patches import PathPatch
    from matplotlib.path import Path as Curve

    for a, b, kind in edges:
        # curved towards the middle, so that nodes on the same arc do not hide the line between them
        bow = (a.x + b.x) / 2 * (0.45 if a.side == b.side else 0.75), (a.y + b.y) / 2 * 0.9
        curve = Curve([(a.x, a.y), bow, (b.x, b.y)], [Curve.MOVETO, Curve.CURVE3, Curve.CURVE3])
        look = {"edgecolor": KIND_COLORS[kind], "linestyle": _LINES[kind], "linewidth": 0.6, "alpha": 0.35}
        axes.add_patch(PathPatch(curve, facecolor="none", **look))
    for node in nodes:
        color = KIND_COLORS[node.kind]
        axes.plot([0, node.x], [0, node.y], color=color, linestyle=_LINES[node.kind], linewidth=1, alpha=0.6)
        fill = color if node.direct else PAPER
        axes.plot([node.x], [node.y], _MARKERS[node.kind], color=color, markerfacecolor=fill, markersize=6, zorder=3)
        align = "right" if node.side < 0 else "left"
        start = node.x + node.side * 0.13
        word = _fitted(node.word, _HALF_WIDTH - abs(start) - _MARGIN, _LABEL_SIZE)
        axes.text(start, node.y, word, color=INK, size=_LABEL_SIZE, ha=align, va="center_baseline")
    pill = {"boxstyle": "round,pad=0.5,rounding_size=1", "facecolor": INK, "edgecolor": PAPER}
    axes.text(
        0,
        0,
        _fitted(title, 1.4 * _RADIUS, _TITLE_SIZE),
        color=PAPER,
        size=_TITLE_SIZE,
        weight="bold",
        ha="center",
        va="center",
        bbox=pill,
        zorder=4,
    )


def _caption(axes: Axes, half_height: float, nodes: Sequence[_Node], counts: dict[str, int]) -> None:
    for side, (kind, n) in enumerate(counts.items()):
        drawn = sum(node.kind == kind for node in nodes)
        text = f"{drawn} of {n:,} {kind}s" if n > drawn else f"{n} {kind}{'' if n == 1 else 's'}"
        place = (-_HALF_WIDTH + 0.2, "left") if side == 0 else (_HALF_WIDTH - 0.2, "right")
        axes.text(place[0], half_height - 0.25, text, color=KIND_COLORS[kind], weight="bold", ha=place[1], va="center")
    axes.text(0, -half_height + 0.2, "filled: stated, hollow: derived", color=QUIET, size=8, ha="center")


def _fitted(word: str, width: float, size: float) -> str:
    """Shorten a word to at most *width* inches in matplotlib's bold font, which is wider than most fonts."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(size=size, weight="bold")
    shown, end = word, len(word)
    while end > 1 and text_to_path.get_text_width_height_descent(shown, font, ismath=False)[0] > 72 * width:
        end -= 1
        shown = word[:end].rstrip() + "…"
    return shown
