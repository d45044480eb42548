"""Pictures, by matplotlib, which is in the extra ``lexkit[plot]``."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from lexkit.atomic_write import write_atomically
from lexkit.errors import LexkitError
from lexkit.safe_output import check_figure

if TYPE_CHECKING:
    import pyarrow as pa

_FORMS = (".png", ".svg", ".pdf")
_TITLES = {
    "both": "both words",
    "partner": "partner of any word",
    "one_token_head": "partner of a one-token word",
}
_STYLES = {"synonym": ("#0072b2", "o"), "antonym": ("#d55e00", "s")}  # told apart by the colour-blind, and in print


def plot_keep_rate(rates: pa.Table, tokenizer: str, path: Path) -> None:
    """Draw what `Lexicon.keep_rate` returns, a panel for each reading and a line for each kind.

    Raises:
        LexkitError: matplotlib is missing, or the file's ending is none it can write here.
    """
    if path.suffix.lower() not in _FORMS:
        raise LexkitError(f"{path}: cannot be drawn; let the name end in {', '.join(_FORMS)}")
    try:
        import matplotlib
        from matplotlib.figure import Figure
    except ImportError as error:
        raise LexkitError("drawing needs matplotlib; install it with pip install 'lexkit[plot]'") from error
    rows = rates.to_pylist()
    readings = list(dict.fromkeys(row["reading"] for row in rows))
    with matplotlib.rc_context({"svg.hashsalt": "lexkit", "font.size": 9}):
        figure = Figure(figsize=(3 * max(len(readings), 1), 3.2), layout="constrained")
        figure.suptitle(f"Relations that need at most m tokens a word, {tokenizer}")
        for place, reading in enumerate(readings):
            axes = figure.add_subplot(1, len(readings), place + 1)
            for kind, (colour, marker) in _STYLES.items():
                points = [
                    (row["max_tokens"], row["percent"])
                    for row in rows
                    if (row["reading"], row["kind"]) == (reading, kind)
                ]
                if points:
                    axes.plot(*zip(*points, strict=True), color=colour, marker=marker, label=f"{kind}s")
            axes.set(title=f"{reading}\n{_TITLES[reading]}", xlabel="m", ylim=(0, 103), xticks=range(1, 6))
            axes.grid(alpha=0.3)
            if place == 0:
                axes.set_ylabel("per cent kept")
                axes.legend(loc="lower right")
        check_figure(figure)
        # without a date, so that the same store gives the same file
        metadata = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}.get(path.suffix.lower())
        picture = BytesIO()
        figure.savefig(picture, format=path.suffix.lower()[1:], dpi=150, metadata=metadata)
    write_atomically(path, picture.getvalue())
