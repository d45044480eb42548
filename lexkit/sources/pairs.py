"""Read lists of word pairs with two words on a line, as HG2Vec and dict2vec publish them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lexkit.sources.files import open_binary
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Kind, Record, Statement


def read(path: Path, report: ReadReport, kind: Kind) -> Iterator[Record]:
    """Yield a statement of *kind* for every line of two words in a plain or compressed file.

    A tab separates the words, which may then contain spaces; a line without a tab is split at white space. Blank lines
    are not counted.

    Raises:
        SourceError: the file cannot be read.
    """
    with open_binary(path) as stream:
        for number, line in enumerate(stream, 1):
            if not line.strip():
                continue
            report.n_records += 1
            result = _parse(line)
            if isinstance(result, Reason):
                report.reject(result, line.decode("utf-8", "replace").strip(), line=number)
            else:
                report.line = number
                yield Statement(*result, kind)


def _parse(line: bytes) -> tuple[str, str] | Reason:
    try:
        text = line.decode("utf-8-sig").strip()
    except UnicodeDecodeError:
        return Reason.INVALID_UTF8
    columns = text.split("\t") if "\t" in text else text.split()
    return (columns[0], columns[1]) if len(columns) == 2 else Reason.WRONG_COLUMNS
