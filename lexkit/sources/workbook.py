"""Reading an .xlsx workbook in a process of its own, whose memory is bounded.

The library that parses it takes room for all cells from a sheet's first to its last, and ends the process when there is
not enough.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from lexkit import bounded_process

_MEMORY = 2 << 30
"""Bytes that the process may take; MorphoLEX-English needs a tenth of that."""


class WorkbookError(Exception):
    """A file that is not a workbook, or one that takes too much memory."""


def read(path: Path) -> Iterator[tuple[str, list[list[Any]]]]:
    """Yield the sheets of a workbook: the name, and the rows of text, numbers, truth values, and dates as text.

    Raises:
        WorkbookError: it is not a workbook, or takes too much memory; the message says which.
    """
    rows = bounded_process.run(__name__, [str(path)], _MEMORY)
    try:
        for sheet, group in groupby(rows, key=lambda row: row[0]):
            yield sheet, [cells for _, cells in group]
    except bounded_process.ProcessError as error:
        raise WorkbookError(str(error)) from error


def main(send: Callable[[Any], None], path: str) -> None:
    """Send the name of the sheet and the cells of every row; called in the other process."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_path(path)
        for name in workbook.sheet_names:
            for row in workbook.get_sheet_by_name(name).to_python(skip_empty_area=False):
                send((name, row))
    except (CalamineError, OSError) as error:
        sys.exit(str(error))
