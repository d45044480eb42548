"""Charts of keep rates: layout for the SVG in the report, which does not need matplotlib, and drawing to a file."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import NamedTuple

import pyarrow as pa

from lexkit.figures import KIND_COLORS, picture

KEEP_RATE = "SELECT * FROM keep_rate"
"""Query for keep rates. It selects all columns because only some versions have ``reading``; see `keep_rate_panels`."""
_READINGS = {
    "both": "both words",
    "partner": "partner of any word",
    "one_token_head": "partner of a one-token word",
}
_LEFT, _TOP, _WIDTH, _HEIGHT = 34.0, 10.0, 276.0, 150.0


class Curve(NamedTuple):
    """The line of one tokenizer."""

    tokenizer: str
    style: int
    """Number of the colour, dashes and marker, which a tokenizer keeps in all panels."""
    points: list[tuple[float, float, int, float]]
    """The points: ``x, y`` in the picture, number of tokens, percentage."""


class Panel(NamedTuple):
    """One chart: the keep rates of one kind of relation in one reading."""

    kind: str
    reading: str
    """Description of whose tokens count; empty if the store has only one reading."""
    curves: list[Curve]


def keep_rate_panels(rates: pa.Table) -> list[Panel]:
    """Lay out the view ``keep_rate``, with a panel for each kind and reading, and a curve for each tokenizer.

    Args:
        rates: table with the columns ``tokenizer``, ``kind``, ``max_tokens``, ``percent`` and, in some stores,
            ``reading``.

    Returns:
        The panels, synonyms before antonyms; an empty list if the store has no tokenizers.
    """
    rows = rates.to_pylist()
    names = {name: style for style, name in enumerate(sorted({row["tokenizer"] for row in rows}))}
    shown = short_names(list(names))
    most = max((row["max_tokens"] for row in rows), default=1)
    order = list(_READINGS)
    points: dict[tuple[int, str, bool, str], dict[str, list[tuple[float, float, int, float]]]] = {}
    for row in sorted(rows, key=lambda row: int(row["max_tokens"])):
        reading = str(row.get("reading") or "")
        place = order.index(reading) if reading in order else len(order)
        panel = (place, reading, row["kind"] != "synonym", row["kind"])
        x = _LEFT + _WIDTH * (row["max_tokens"] - 1) / max(most - 1, 1)
        y = _TOP + _HEIGHT * (1 - row["percent"] / 100)
        point = (round(x, 1), round(y, 1), row["max_tokens"], row["percent"])
        points.setdefault(panel, {}).setdefault(row["tokenizer"], []).append(point)
    return [
        Panel(
            kind,
            _READINGS.get(reading, reading),
            [Curve(shown[name], names[name], curve[name]) for name in sorted(curve)],
        )
        for (_, reading, _, kind), curve in sorted(points.items())
    ]


def short_names(names: list[str]) -> dict[str, str]:
    """Shorten names that are paths to their last two parts, unless this makes two names equal."""
    cut = {name: "/".join(PurePosixPath(name).parts[-2:]) or name for name in names}
    return cut if len(set(cut.values())) == len(names) else {name: name for name in names}


def plot_keep_rate(rates: pa.Table, tokenizer: str, path: Path) -> None:
    """Draw the result of `Lexicon.keep_rate`, with a panel for each reading and a line for each kind.

    Raises:
        LexkitError: matplotlib is missing, or the file has an unknown suffix.
        OSError: the file cannot be written.
    """
    curves: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for row in rates.to_pylist():
        points = curves.setdefault(row["reading"], {}).setdefault(row["kind"], [])
        points.append((row["max_tokens"], row["percent"]))
    with picture(path, 3 * max(len(curves), 1), 3.2) as figure:
        figure.suptitle(f"Relations whose words have at most m tokens each ({tokenizer})")
        for place, (reading, of_reading) in enumerate(curves.items(), 1):
            axes = figure.add_subplot(1, len(curves), place)
            for kind, points in of_reading.items():
                marker = "o" if kind == "synonym" else "s"
                axes.plot(*zip(*points, strict=True), color=KIND_COLORS[kind], marker=marker, label=f"{kind}s")
            axes.set(title=f"{reading}\n{_READINGS[reading]}", xlabel="m (tokens)", ylim=(0, 103), xticks=range(1, 6))
            axes.grid(alpha=0.3)
            if place == 1:
                axes.set_ylabel("per cent kept")
                axes.legend(loc="lower right")
