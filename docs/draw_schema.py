"""Draws lexkit/store/schema.sql as docs/schema.svg: `python docs/draw_schema.py > docs/schema.svg`."""

from __future__ import annotations

import sys
from pathlib import Path

import duckdb

ROOT = Path(__file__).resolve().parent.parent
LAYOUT = (
    ("source", "rejection", "meta", "reliability"),
    ("evidence", "relation"),
    ("word", "form", "tokenizer"),
    ("morphology", "negation", "span"),
)
"""Tables from left to right, and in each column from top to bottom."""
REFERENCES = (
    ("rejection", "source", "source"),
    ("evidence", "source", "source"),
    ("evidence", "word_a", "relation"),
    ("relation", "word_a", "word"),
    ("form", "word_id", "word"),
    ("morphology", "word_id", "word"),
    ("negation", "word_id", "word"),
    ("span", "word_id", "word"),
    ("span", "tokenizer", "tokenizer"),
)
"""(table, column, table that it refers to)."""
WIDTH, GAP, LINE, MARGIN = 190, 60, 18, 12


def main() -> None:
    """Print the drawing."""
    sys.stdout.write(draw())


def draw() -> str:
    """Return the drawing as SVG, in colours that do on light and on dark."""
    with duckdb.connect() as connection:
        connection.execute((ROOT / "lexkit/store/schema.sql").read_text(encoding="utf-8"))
        rows = connection.execute(
            "SELECT table_name, column_name, lower(data_type)"
            " FROM duckdb_columns() JOIN duckdb_tables() USING (table_name) ORDER BY table_name, column_index"
        ).fetchall()
    columns: dict[str, list[tuple[str, str]]] = {}
    for table, column, data_type in rows:
        columns.setdefault(table, []).append((column, data_type))
    assert sorted(columns) == sorted(table for names in LAYOUT for table in names)
    boxes: dict[str, tuple[int, int]] = {}
    bottom = 0
    for place, names in enumerate(LAYOUT):
        y = MARGIN
        for name in names:
            boxes[name] = (MARGIN + place * (WIDTH + GAP), y)
            y += (len(columns[name]) + 1) * LINE + 30
        bottom = max(bottom, y)
    width = 2 * MARGIN + len(LAYOUT) * WIDTH + (len(LAYOUT) - 1) * GAP
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {bottom}" role="img"',
        'font-family="sans-serif" font-size="12" aria-label="The tables of a store and what they refer to">',
        f'<rect width="{width}" height="{bottom}" fill="#fff"/>',
    ]
    parts += [_line(boxes, columns, *reference) for reference in REFERENCES]
    parts += [_box(name, *boxes[name], columns[name]) for name in boxes]
    return "\n".join([*parts, "</svg>", ""])


def _box(name: str, x: int, y: int, columns: list[tuple[str, str]]) -> str:
    height = (len(columns) + 1) * LINE + 6
    parts = [
        f'<g id="{name}">',
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{height}" rx="4" fill="#fafafa" stroke="#37474f"/>',
        f'<rect x="{x}" y="{y}" width="{WIDTH}" height="{LINE + 3}" rx="4" fill="#37474f"/>',
        f'<text x="{x + 8}" y="{y + 15}" fill="#fff" font-weight="bold">{name}</text>',
    ]
    for number, (column, data_type) in enumerate(columns, 1):
        baseline = y + number * LINE + 16
        parts.append(f'<text x="{x + 8}" y="{baseline}" fill="#212121">{column}</text>')
        parts.append(f'<text x="{x + WIDTH - 8}" y="{baseline}" fill="#78909c" text-anchor="end">{data_type}</text>')
    return "\n".join([*parts, "</g>"])


def _line(
    boxes: dict[str, tuple[int, int]], columns: dict[str, list[tuple[str, str]]], table: str, column: str, other: str
) -> str:
    """A line from the row of a column to the head of the table that it refers to."""
    row = [name for name, _ in columns[table]].index(column) + 1
    (x, y), (other_x, other_y) = boxes[table], boxes[other]
    start, end = y + row * LINE + 12, other_y + 11
    if x == other_x:  # below each other
        path = f"M{x} {start} h-6 V{end} h6"
    elif x < other_x:
        path = f"M{x + WIDTH} {start} C{x + WIDTH + GAP / 2:g} {start} {other_x - GAP / 2:g} {end} {other_x} {end}"
    else:
        path = f"M{x} {start} C{x - GAP / 2:g} {start} {other_x + WIDTH + GAP / 2:g} {end} {other_x + WIDTH} {end}"
    return f'<path d="{path}" fill="none" stroke="#90a4ae" stroke-width="1.5"/>'


if __name__ == "__main__":
    main()
