"""HTML tables for notebooks, in which all text is escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

from lexkit.safe_output import printable


def html_table(header: Sequence[str], rows: Iterable[Sequence[object]], caption: str = "") -> str:
    """Return an HTML table. Tuples are joined by commas, and None leaves a cell empty.

    >>> html_table(["word", "pos"], [["<b>", ("adj", "noun")]])
    '<table><tr><th>word</th><th>pos</th></tr><tr><td>&lt;b&gt;</td><td>adj, noun</td></tr></table>'
    """
    above = f"<caption>{html_text(caption)}</caption>" if caption else ""
    lines = [("th", header), *(("td", row) for row in rows)]
    body = "".join(
        f"<tr>{''.join(f'<{tag}>{html_text(cell)}</{tag}>' for cell in row)}</tr>" for tag, row in lines if row
    )
    return f"<table>{above}{body}</table>"


def html_text(value: object) -> str:
    """Return *value* as escaped text that HTML displays literally."""
    if isinstance(value, bool):
        value = "yes" if value else "no"
    if isinstance(value, tuple):
        value = ", ".join(map(str, value))
    return html.escape(printable("" if value is None else str(value)))
