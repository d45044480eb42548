"""The paper's Figure 3 and Tables 4 to 6 for a sweep: what each swept value does, all others being the chosen ones.

Figure 3 is the student's depth: total layers, and trained ones. Tables 4, 5 and 6 are k, kappa and beta. Other names of
the grid get a table and a figure of the same kind. The paper shows accuracies; these are the validation's CE and KL,
means over seeds with their standard deviation. matplotlib is in the extra ``lexkit[plot]``.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from lexkit.durable import write_whole
from lexkit.errors import LexkitError
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
    """The settings that differ from the chosen one in a single name."""

    name: str
    values: list[Any]
    means: dict[str, list[tuple[float, float]]]
    """For CE and KL: mean and standard deviation over the seeds, at each value."""
    seeds: list[int]


def slices(settings: list[Setting], chosen: Setting) -> list[Slice]:
    """Return a slice for each name of the grid that has more than one value; failed settings are left out."""
    found = []
    for name in chosen.values:
        others = {key: value for key, value in chosen.values.items() if key != name}
        along = [
            setting
            for setting in settings
            if not setting.failed
            and {key: value for key, value in setting.values.items() if key != name} == others
            and all(setting.mean(measure) for measure in _MEASURES)
        ]
        if len(along) > 1:
            means = {measure: [setting.mean(measure) or (0.0, 0.0) for setting in along] for measure in _MEASURES}
            values = [setting.values[name] for setting in along]
            found.append(Slice(name, values, means, [len(setting.runs) for setting in along]))
    return found


def write_plots(settings: list[Setting], chosen: Setting, folder: Path) -> list[Path]:
    """Write a table for each slice, and figures; return their paths.

    Raises:
        LexkitError: matplotlib is missing, or nothing was swept.
    """
    try:
        import matplotlib as mpl
        from matplotlib.figure import Figure
    except ImportError as error:
        raise LexkitError("drawing needs matplotlib; install it with pip install 'lexkit[plot]'") from error
    every = slices(settings, chosen)
    if not every:
        raise LexkitError("nothing to draw: no name of the grid has two values that came to an end")
    folder.mkdir(parents=True, exist_ok=True)
    depth = [part for part in every if part.name in FIGURE_3]
    groups = {"figure3-layers": depth} if depth else {}
    groups |= {TABLES.get(part.name, part.name): [part] for part in every if part not in depth}
    paths = []
    for part in every:
        paths.append(folder / f"{TABLES.get(part.name, part.name)}.csv")
        write_whole(paths[-1], _table(part).encode())
    with mpl.rc_context({"svg.hashsalt": "lexkit", "font.size": 9}):
        for name, group in groups.items():
            figure = Figure(figsize=(4.2 * len(_MEASURES), 3.1 * len(group)), layout="constrained")
            grid = figure.subplots(len(group), len(_MEASURES), squeeze=False)
            for row, part in zip(grid, group, strict=True):
                for axes, measure in zip(row, _MEASURES, strict=True):
                    _draw(axes, part, measure, chosen)
            stream = BytesIO()
            figure.savefig(stream, format="png", dpi=150)
            paths.append(folder / f"{name}.png")
            write_whole(paths[-1], stream.getvalue())
    return paths


def _table(part: Slice) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([part.name, *(f"{name}{end}" for name in _MEASURES for end in ("", "_sd")), "seeds"])
    for number, value in enumerate(part.values):
        figures = [f"{figure:.6g}" for name in _MEASURES for figure in part.means[name][number]]
        writer.writerow([value, *figures, part.seeds[number]])
    return text.getvalue()


def _draw(axes: Any, part: Slice, measure: str, chosen: Setting) -> None:  # noqa: ANN401
    numbers = [number for value in part.values if (number := _number(value)) is not None]
    numeric = len(numbers) == len(part.values)
    order = sorted(range(len(numbers)), key=numbers.__getitem__) if numeric else range(len(part.values))
    places = [numbers[place] for place in order] if numeric else [float(place) for place in order]
    means = [part.means[measure][place] for place in order]
    axes.errorbar(
        places, [mean for mean, _ in means], [sd for _, sd in means], marker="o", capsize=3, color="#0072b2",
        linestyle="-" if numeric else "none",
    )  # fmt: skip
    at = [part.values[place] for place in order].index(chosen.values[part.name])
    axes.plot(places[at], means[at][0], marker="o", markersize=11, fillstyle="none", color="#d55e00", linestyle="none")
    if numeric and min(places) > 0 and max(places) / min(places) > 20:
        axes.set_xscale("log")
    else:
        axes.set_xticks(places, [str(part.values[place]) for place in order])
    axes.set(xlabel=_TITLES.get(part.name, part.name), ylabel=_MEASURES[measure])
    axes.margins(x=0.08, y=0.15)


def _number(value: Any) -> float | None:  # noqa: ANN401
    try:
        return None if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        return None
