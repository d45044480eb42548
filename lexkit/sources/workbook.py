"""Read an .xlsx workbook in a process of its own, whose memory is limited.

The library that parses it allocates memory for all cells from a sheet's first to its last, and aborts the process if
that fails.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

from lexkit import bounded_process

_MEMORY = 2 << 30
"""Bytes of memory that the process may use; MorphoLEX-English needs a tenth of that."""


class WorkbookError(Exception):
    """A file is not a workbook, or needs too much memory."""


def read(path: Path) -> Iterator[tuple[str, list[list[Any]]]]:
    """Yield the name and the rows of each sheet. Cells are strings, numbers or truth values; dates are strings.

    Raises:
        WorkbookError: the file is not a workbook, or needs too much memory; the message says which.
    """
    rows = bounded_process.run(__name__, [str(path)], _MEMORY)
    try:
        for sheet, group in groupby(rows, key=lambda row: row[0]):
            yield sheet, [cells for _, cells in group]
    except bounded_process.ProcessError as error:
        raise WorkbookError(str(error)) from error


def main(send: Callable[[Any], None], path: str) -> None:
    """Send the name of the sheet and the cells for every row; this runs in the other process."""
    from python_calamine import CalamineError, CalamineWorkbook

    try:
        workbook = CalamineWorkbook.from_path(path)
        for name in workbook.sheet_names:
            for row in workbook.get_sheet_by_name(name).to_python(skip_empty_area=False):
                send((name, row))
    except (CalamineError, OSError) as error:
        sys.exit(str(error))
