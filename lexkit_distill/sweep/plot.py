"""The paper's Figure 3 and Tables 4 to 6 for a sweep: the effect of each swept value, with all others as chosen.

Figure 3 shows the student's depth: all layers and trained layers. Tables 4, 5 and 6 show k, kappa and beta. Other names
in the grid get a table and a figure of the same kind. Where the paper reports accuracy, these show CE and KL on the
validation data, as means over seeds with their standard deviations. matplotlib is part of the extra ``lexkit[plot]``.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path
from typing import Any

from lexkit.atomic_write import write_atomically
from lexkit.errors import LexkitError
from lexkit.figures import INK, SERIES, picture
from lexkit_distill.sweep.results import Setting

FIGURE_3 = ("layers", "trained")
TABLES = {"k": "table4-k", "kappa": "table5-kappa", "beta": "table6-beta"}
_TITLES = {
    "layers": "layers of the student",
    "trained": "trained layers",
    "k": "k, senses of a token",
    "kappa": "kappa, senses of a position",
    "beta": "beta",
    "lr": "learning rate",
}
_MEASURES = {"ce": "CE", "kl": "KL to the teacher"}


@dataclass(frozen=True)
class Slice:
    """Settings that differ from the chosen one only in the value of one name."""

    name: str
    values: list[Any]
    means: dict[str, list[tuple[float, float]]]
    """Mean and standard deviation over seeds, for each measure (ce, kl) and value."""
    seeds: list[int]
    """Number of seeds at each value."""


def slices(settings: list[Setting], chosen: Setting) -> list[Slice]:
    """Return a slice for each name in the grid with more than one value; failed settings are left out."""
    found = [_along(settings, chosen.values, name) for name in chosen.values]
    return [part for part in found if len(part.values) > 1]


def _along(settings: list[Setting], through: dict[str, Any], name: str) -> Slice:
    others = {key: value for key, value in through.items() if key != name}
    along = [
        setting
        for setting in settings
        if not setting.failed
        and {key: value for key, value in setting.values.items() if key != name} == others
        and all(setting.mean(measure) for measure in _MEASURES)
    ]
    means = {measure: [setting.mean(measure) or (0.0, 0.0) for setting in along] for measure in _MEASURES}
    return Slice(name, [setting.values[name] for setting in along], means, [len(setting.runs) for setting in along])


def _lines(settings: list[Setting], chosen: Setting, part: Slice) -> list[tuple[str, Slice]]:
    """Return the labelled lines of a figure; as in the paper, Figure 3 has one for KD (beta 0) and each other beta."""
    betas = list(dict.fromkeys(setting.values.get("beta") for setting in settings))
    if part.name not in FIGURE_3 or len(betas) < 2:
        return [("", part)]
    lines = [
        (f"DSKD, beta {beta:g}" if beta else "KD", _along(settings, {**chosen.values, "beta": beta}, part.name))
        for beta in betas
    ]
    return [(label, line) for label, line in lines if line.values]


def write_plots(settings: list[Setting], chosen: Setting, folder: Path) -> list[Path]:
    """Write a table and a figure for each slice, and return their paths. Slices of Figure 3 share one figure.

    Raises:
        LexkitError: matplotlib is missing, or no name in the grid has several finished values.
    """
    every = slices(settings, chosen)
    if not every:
        raise LexkitError("nothing to plot: no name in the grid has two values with finished runs; add values to it")
    folder.mkdir(parents=True, exist_ok=True)
    depth = [part for part in every if part.name in FIGURE_3]
    groups = {"figure3-layers": depth} if depth else {}
    groups |= {TABLES.get(part.name, part.name): [part] for part in every if part not in depth}
    paths = []
    for part in every:
        paths.append(folder / f"{TABLES.get(part.name, part.name)}.csv")
        write_atomically(paths[-1], _table(part).encode())
    for name, group in groups.items():
        paths.append(folder / f"{name}.png")
        with picture(paths[-1], 4.2 * len(_MEASURES), 3.1 * len(group)) as figure:
            grid = figure.subplots(len(group), len(_MEASURES), squeeze=False)
            for row, part in zip(grid, group, strict=True):
                for axes, measure in zip(row, _MEASURES, strict=True):
                    lines = _lines(settings, chosen, part)
                    for color, (label, line) in zip(cycle(SERIES), lines, strict=False):
                        _draw(axes, line, measure, color, label)
                    _mark(axes, part, measure, chosen)
                    if len(lines) > 1:
                        axes.legend(frameon=False)
    return paths


def _table(part: Slice) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([part.name, *(f"{name}{end}" for name in _MEASURES for end in ("", "_sd")), "seeds"])
    for number, value in enumerate(part.values):
        figures = [f"{figure:.6g}" for name in _MEASURES for figure in part.means[name][number]]
        writer.writerow([value, *figures, part.seeds[number]])
    return text.getvalue()


def _draw(axes: Any, part: Slice, measure: str, color: str, label: str) -> None:  # noqa: ANN401
    places, order = _places(part)
    means = [part.means[measure][place] for place in order]
    axes.errorbar(
        places,
        [mean for mean, _ in means],
        [sd for _, sd in means],
        marker="o",
        capsize=3,
        color=color,
        linestyle="-" if _is_numeric(part) else "none",
        label=label,
    )


def _mark(axes: Any, part: Slice, measure: str, chosen: Setting) -> None:  # noqa: ANN401
    """Circle the chosen value, and label the axes."""
    places, order = _places(part)
    at = [part.values[place] for place in order].index(chosen.values[part.name])
    mean = part.means[measure][order[at]][0]
    axes.plot(places[at], mean, marker="o", markersize=11, fillstyle="none", color=INK, linestyle="none")
    if _is_numeric(part) and min(places) > 0 and max(places) / min(places) > 20:
        axes.set_xscale("log")
    else:
        axes.set_xticks(places, [str(part.values[place]) for place in order])
    axes.set(xlabel=_TITLES.get(part.name, part.name), ylabel=_MEASURES[measure])
    axes.margins(x=0.08, y=0.15)


def _is_numeric(part: Slice) -> bool:
    return all(_number(value) is not None for value in part.values)


def _places(part: Slice) -> tuple[list[float], list[int]]:
    """Return the coordinates of the values on the axis, in ascending order, and the indices of the values."""
    if not _is_numeric(part):
        return [float(place) for place in range(len(part.values))], list(range(len(part.values)))
    numbers = [_number(value) or 0.0 for value in part.values]
    order = sorted(range(len(numbers)), key=numbers.__getitem__)
    return [numbers[place] for place in order], order


def _number(value: Any) -> float | None:  # noqa: ANN401
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
