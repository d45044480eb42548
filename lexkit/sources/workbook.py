"""Reading an .xlsx workbook in a process of its own, whose memory is bounded.

The library that parses it takes room for all cells from a sheet's first to its last, and ends the process when there is
not enough. So this file is also a program, which prints a line of JSON for each row: the sheet's name and the cells.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec

_MEMORY = 2 << 30
"""Bytes that the process may take; MorphoLEX-English needs a tenth of that."""


class WorkbookError(Exception):
    """A file that is not a workbook, or one that takes too much memory."""


def read(path: Path) -> Iterator[tuple[str, list[list[Any]]]]:
    """Yield the sheets of a workbook: the name, and the rows of text, numbers, truth values, and dates as text.

    Raises:
        WorkbookError: it is not a workbook, or takes too much memory; the message says which.
    """
    command = [sys.executable, str(Path(__file__)), str(path)]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        try:
            rows = map(msgspec.json.decode, process.stdout)
            for sheet, group in groupby(rows, key=lambda row: row[0]):
                yield sheet, [cells for _, cells in group]
            complaint = process.stderr.read().decode("utf-8", "replace").strip()
        finally:
            process.kill()
    if process.returncode == 1 and complaint:
        raise WorkbookError(complaint.splitlines()[-1])
    if process.returncode:
        raise WorkbookError("it takes too much memory, or is damaged")


def _main(path: str) -> None:
    from python_calamine import CalamineError, CalamineWorkbook

    _bound_memory()
    encode = msgspec.json.Encoder().encode
    try:
        workbook = CalamineWorkbook.from_path(path)
        for name in workbook.sheet_names:
            for row in workbook.get_sheet_by_name(name).to_python(skip_empty_area=False):
                sys.stdout.buffer.write(encode((name, row)) + b"\n")
    except (CalamineError, OSError) as error:
        sys.exit(str(error))


def _bound_memory() -> None:
    try:
        import resource
    except ImportError:  # Windows
        return
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    _main(sys.argv[1])
