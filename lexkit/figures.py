"""Pictures, drawn by matplotlib (the extra ``lexkit[plot]``), and the colours that they share with the report."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from lexkit.atomic_write import write_atomically
from lexkit.errors import LexkitError
from lexkit.safe_output import check_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg", ".pdf")
COLORS = {
    "paper": ("#fbfaf6", "#15171a"),
    "raised": ("#ffffff", "#1d2024"),
    "ink": ("#1c1b19", "#ece9e2"),
    "quiet": ("#625e56", "#a8a49b"),
    "line": ("#ddd8cd", "#34383e"),
    "edge": ("#8d877b", "#747a83"),  # borders of controls: 3:1 against the paper
    "synonym": ("#00629b", "#6cbbe8"),
    "antonym": ("#b84a00", "#f0975a"),
    "on-mark": ("#ffffff", "#15171a"),
    "curve-0": ("#1c1b19", "#ece9e2"),
    "curve-1": ("#007a5a", "#3ecf9f"),
    "curve-2": ("#9c3f80", "#e39ac8"),
    "curve-3": ("#8a6d00", "#e0bd3c"),
    "curve-4": ("#3b4cc0", "#9aa5ff"),
    "curve-5": ("#a02020", "#ff8a80"),
}
"""Colours by purpose, each for a light and for a dark background. Pictures use the light one."""
INK, QUIET, PAPER = (COLORS[name][0] for name in ("ink", "quiet", "paper"))
KIND_COLORS = {kind: COLORS[kind][0] for kind in ("synonym", "antonym")}
SERIES = (*KIND_COLORS.values(), *(COLORS[f"curve-{number}"][0] for number in (1, 2, 3, 4, 5, 0)))
"""Colours of lines that stand for neither synonyms nor antonyms, in the order in which they are used."""


@contextlib.contextmanager
def picture(
    path: Path, width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Iterator[Figure]:
    """Context manager. Yield a figure to draw on; when the block succeeds, write it to *path* in one step.

    The same drawing always gives the same file, byte for byte.

    Args:
        path: the file to write; its suffix, one of `FORMATS`, selects the format.
        width: width in inches.
        height: height in inches.
        layout: matplotlib's layout engine; None leaves the axes where they are placed.

    Raises:
        LexkitError: matplotlib is missing, or the suffix is not one of `FORMATS`.
        OSError: the file cannot be written.
    """
    form = path.suffix.lower()
    if form not in FORMATS:
        raise LexkitError(f"{path}: not a picture format; choose a name that ends in {', '.join(FORMATS)}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise LexkitError("drawing needs matplotlib; install it with pip install 'lexkit[plot]'") from error
    settings = {"svg.hashsalt": "lexkit", "svg.fonttype": "none", "font.size": 9}
    no_date = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(form)
    data = BytesIO()
    with matplotlib.rc_context(settings), warnings.catch_warnings():
        # matplotlib draws boxes for letters that its font lacks; an SVG leaves the choice of font to its viewer
        odd = "Glyph .* missing from|Matplotlib currently does not support"
        warnings.filterwarnings("ignore", message=odd, category=UserWarning)
        figure = Figure(figsize=(width, height), layout=layout)
        yield figure
        check_figure(figure)
        figure.savefig(data, format=form[1:], dpi=150, metadata=no_date)
    write_atomically(path, data.getvalue(), is_shared=True)


def style_sheet() -> str:
    """Return the colours as CSS variables, for a page that is light or dark as its reader prefers."""
    colors = (f"--{name}: light-dark({light}, {dark});" for name, (light, dark) in COLORS.items())
    return f":root {{ {' '.join(colors)} }}\n"
