"""Read MorphoLEX-English, words cut into morphemes, from an .xlsx workbook or a text table.

The original workbook (Sánchez-Gutiérrez et al. 2018) has one sheet per signature of prefixes, roots and suffixes
(``0-1-0``, ``1-1-1`` ...), and others with descriptions or counts. Sheets with words are recognised by their columns.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from lexkit.errors import SourceError
from lexkit.morphology.segmentation import SegmentationError, parse_segmentation
from lexkit.sources import workbook
from lexkit.sources.files import check_file, read_text
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Analysis, Record
from lexkit.text import normalize_word

_WORD, _SEGMENTATION, _POS = "Word", "MorphoLexSegm", "POS"
_SIGNS = frozenset("(){}<>")
"""Signs of a segmentation, which some rows wrongly have in the column for the word."""
_POS_NAMES = {"NN": "noun", "VB": "verb", "JJ": "adj", "RB": "adv", "encl": None, "minor": None}


def read(path: Path, report: ReadReport) -> Iterator[Record]:
    """Yield an `Analysis` for every word of every sheet. If a word occurs twice, the first row is used.

    A file that is not a workbook is read as a tab- or comma-separated table with the same column names. The column POS
    (``JJ|NN``) is optional.

    Raises:
        SourceError: the file cannot be read, or no sheet has the columns Word and MorphoLexSegm.
    """
    check_file(path)
    with path.open("rb") as stream:
        is_workbook = stream.read(4) == b"PK\x03\x04"
    seen: set[str] = set()
    found = False
    for sheet, rows in _workbook(path) if is_workbook else _text(path):
        header = [str(cell).strip() for cell in next(iter(rows), ())]
        if _WORD not in header or _SEGMENTATION not in header:
            continue
        found = True
        columns = [header.index(name) if name in header else len(header) for name in (_WORD, _SEGMENTATION, _POS)]
        for number, row in enumerate(rows[1:], 2):
            report.n_records += 1
            yield from _analysis(row, columns, seen, report, f"{sheet}row {number}")
    if not found:
        raise SourceError(
            f"{path}: no sheet with the columns {_WORD} and {_SEGMENTATION}; give the workbook of MorphoLEX-English"
        )


def _workbook(path: Path) -> Iterable[tuple[str, Sequence[Sequence[Any]]]]:
    try:
        for name, rows in workbook.read(path):
            yield f"sheet {name}, ", rows
    except workbook.WorkbookError as error:
        raise SourceError(f"{path}: not a readable .xlsx workbook ({error}); download it again") from error


def _text(path: Path) -> Iterable[tuple[str, Sequence[Sequence[Any]]]]:
    lines = read_text(path).removesuffix("\n").split("\n")
    if lines == [""]:
        raise SourceError(f"{path}: the file has no lines; give the workbook of MorphoLEX-English")
    if "\t" in lines[0]:
        yield "", [line.split("\t") for line in lines]
        return
    rows: list[list[str]] = []
    reader = csv.reader(lines, strict=True)
    try:
        for row in reader:
            if reader.line_num != len(rows) + 1:
                raise csv.Error("a quotation mark is not closed")
            rows.append(row)
    except csv.Error as error:
        raise SourceError(
            f"{path}, line {len(rows) + 1}: {error}; fix the line, or separate the columns with tabs"
        ) from error
    yield "", rows


def _analysis(
    row: Sequence[Any], columns: Sequence[int], seen: set[str], report: ReadReport, where: str
) -> Iterator[Analysis]:
    cells = [_cell(row, column) for column in columns]
    word, segmentation = normalize_word(cells[0]), cells[1].strip()
    example = f"{word} {segmentation}"
    if not word:
        report.reject(Reason.NO_WORD, example, where=where)
        return
    if not _SIGNS.isdisjoint(word):
        report.reject(Reason.NOT_A_WORD, example, where=where)
        return
    if word in seen:
        report.reject(Reason.DUPLICATE, example, where=where)
        return
    try:
        parsed = parse_segmentation(segmentation)
    except SegmentationError:
        report.reject(Reason.BAD_SEGMENTATION, example, where=where)
        return
    seen.add(word)
    report.where = where
    pos = _parts_of_speech(cells[2], word, report, where)
    yield Analysis(word, segmentation, parsed.prefixes, parsed.roots, parsed.suffixes, pos)


def _parts_of_speech(cell: str, word: str, report: ReadReport, where: str) -> tuple[str, ...]:
    """Read tags such as ``JJ|NN``. Unknown tags are counted; the tags of function words have no name here."""
    tags = [tag.strip() for tag in cell.split("|") if tag.strip()]
    for tag in tags:
        if tag not in _POS_NAMES:
            report.reject(Reason.UNKNOWN_POS, f"{word} {tag}", where=where)
    return tuple(name for tag in tags if (name := _POS_NAMES.get(tag)))


def _cell(row: Sequence[Any], column: int) -> str:
    value = row[column] if column < len(row) else ""
    if isinstance(value, bool):
        return str(value).lower()  # spreadsheets turn the words "true" and "false" into truth values
    return value if isinstance(value, str) else ""
