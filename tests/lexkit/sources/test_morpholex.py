from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from xml.sax.saxutils import escape

import pytest

from lexkit.errors import SourceError
from lexkit.sources import morpholex
from lexkit.sources.data_files import data_file
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Analysis, Record
from lexkit.sources.validation import keep_valid


def read(path: Path, report: ReadReport) -> list[Record]:
    return [record for batch in keep_valid(morpholex.read(path, report), report) for record in batch.records()]


_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_RELS = "http://schemas.openxmlformats.org/package/2006/relationships"
_MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
HEADER = ("ELP_ItemID", "Word", "POS", "Nmorph", "PRS_signature", "MorphoLexSegm")


def cell(value: object) -> str:
    if isinstance(value, bool):
        return f'<c t="b"><v>{int(value)}</v></c>'
    if isinstance(value, float):
        return f"<c><v>{value}</v></c>"
    return f'<c t="inlineStr"><is><t>{escape(str(value))}</t></is></c>'


def write_workbook(path: Path, sheets: dict[str, Sequence[Sequence[object]]]) -> Path:
    """The least .xlsx file there is (ECMA-376), so that the tests need no library that writes one."""
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("[Content_Types].xml", f'<Types xmlns="{_TYPES}"/>')
        archive.writestr(
            "_rels/.rels",
            f'<Relationships xmlns="{_RELS}"><Relationship Id="r" Type="{_OFFICE}/officeDocument" '
            'Target="xl/workbook.xml"/></Relationships>',
        )
        listed = "".join(f'<sheet name="{name}" sheetId="{i}" r:id="s{i}"/>' for i, name in enumerate(sheets, 1))
        archive.writestr(
            "xl/workbook.xml",
            f'<workbook xmlns="{_MAIN}" xmlns:r="{_OFFICE}"><sheets>{listed}</sheets></workbook>',
        )
        related = "".join(
            f'<Relationship Id="s{i}" Type="{_OFFICE}/worksheet" Target="worksheets/sheet{i}.xml"/>'
            for i in range(1, len(sheets) + 1)
        )
        archive.writestr("xl/_rels/workbook.xml.rels", f'<Relationships xmlns="{_RELS}">{related}</Relationships>')
        for i, rows in enumerate(sheets.values(), 1):
            data = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
            archive.writestr(
                f"xl/worksheets/sheet{i}.xml",
                f'<worksheet xmlns="{_MAIN}"><sheetData>{data}</sheetData></worksheet>',
            )
    return path


def row(word: object, segmentation: object) -> tuple[object, ...]:
    return ("", word, "NN", 1.0, "0-1-0", segmentation)


def test_the_real_workbook(shared: Callable[[str], Path]) -> None:
    report = ReadReport()
    analyses = {
        record.word: record
        for record in read(shared("morpholex/MorphoLEX_en-reconstructed.xlsx"), report)
        if isinstance(record, Analysis)
    }
    assert len(analyses) == report.n_records == 67_887
    assert report.n_rejected == 0
    assert analyses["unchangeable"] == Analysis(
        "unchangeable", "<un<{(change)}>able>", ("un",), ("change",), ("able",), ("adj",)
    )
    assert analyses["illegal"].prefixes == ("im",)  # as MorphoLEX writes it


def test_sheets_are_known_by_their_columns(tmp_path: Path) -> None:
    file = write_workbook(
        tmp_path / "m.xlsx",
        {
            "Presentation": [["MorphoLEX-English, see the article"]],
            "1-1-0": [HEADER, row("unkind", "<un<{(kind)}")],
            "named at will": [HEADER[::-1], row("kind", "{(kind)}")[::-1]],
            "0-9-9": [["morpheme", "Word"], ["un", "961"]],
            "All prefixes": [["morpheme", "frequency"], ["un", 961.0]],
            "nothing": [],
        },
    )
    report = ReadReport()
    assert [record.word for record in read(file, report)] == ["unkind", "kind"]  # type: ignore[union-attr]
    assert report.n_records == 2


def test_bad_rows_are_counted_with_sheet_and_row(tmp_path: Path) -> None:
    rows = [
        HEADER,
        row("kind", "{(kind)}"),
        row("", "{(x)}"),
        row("unkind", "<un<(kind"),
        row("kind", "{(kin)}>d>"),
        row(42.0, "{(42)}"),
        row(True, "{(true)}"),
        row("42", "{(42)}"),
        ("short",),
    ]
    report = ReadReport()
    records = list(read(write_workbook(tmp_path / "m.xlsx", {"0-1-0": rows}), report))
    assert [record.word for record in records] == ["kind", "true"]  # type: ignore[union-attr]
    assert report.rejected == {
        Reason.NO_WORD: 3,
        Reason.BAD_SEGMENTATION: 1,
        Reason.DUPLICATE: 1,
        Reason.NOT_A_WORD: 1,
    }
    assert report.examples[Reason.BAD_SEGMENTATION] == "sheet 0-1-0, row 4: unkind <un<(kind"


def test_the_starter_table() -> None:
    report = ReadReport()
    words = {record.word for record in read(data_file("starter/morpholex.tsv"), report)}  # type: ignore[union-attr]
    assert len(words) >= 290
    assert report.n_rejected == 0


def test_a_comma_separated_export(tmp_path: Path) -> None:
    file = tmp_path / "m.csv"
    file.write_text('Word,POS,MorphoLexSegm\n"kind","JJ","{(kind)}"\n', encoding="utf-8")
    assert [record.word for record in read(file, ReadReport())] == ["kind"]  # type: ignore[union-attr]


def test_a_quotation_mark_takes_no_rows_with_it(tmp_path: Path) -> None:
    rows = [f"w{i}\t{{(w)}}" for i in range(500)]
    file = tmp_path / "m.tsv"
    file.write_text("\n".join(["Word\tMorphoLexSegm", *rows[:200], '"' + rows[200], *rows[201:]]), encoding="utf-8")
    report = ReadReport()
    assert len(list(read(file, report))) == report.n_records == 500


def test_braces_too_deep_are_a_bad_row(tmp_path: Path) -> None:
    file = tmp_path / "m.tsv"
    file.write_text("Word\tMorphoLexSegm\nkind\t" + "{" * 5000 + "(kind)" + "}" * 5000, encoding="utf-8")
    report = ReadReport()
    assert read(file, report) == []
    assert report.rejected == {Reason.BAD_SEGMENTATION: 1}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xef\xbb\xbf", "the file has no lines"),
        (b'Word,MorphoLexSegm\n"kind,{(kind)}\nunkind,x\n', "line 2: .*; fix the line"),
        (b"Word,MorphoLexSegm\nkind," + b"x" * 200_000, "field larger than field limit"),
        (b"PK\x03\x04 and then nothing", "not a readable .xlsx workbook"),
        (b"Word\tSegmentation\nkind\t{(kind)}\n", "no sheet with the columns Word and MorphoLexSegm"),
        (b"\xff\xfe", "line 1: invalid UTF-8"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    file = tmp_path / "m.xlsx"
    file.write_bytes(content)
    with pytest.raises(SourceError, match=message):
        list(read(file, ReadReport()))


def test_a_segmentation_is_no_word(shared: Callable[[str], Path]) -> None:
    report = ReadReport()
    found = list(read(shared("cases/morpholex-cells.tsv"), report))
    assert [record.word for record in found if isinstance(record, Analysis)] == ["kindness"]
    assert report.rejected == {Reason.NOT_A_WORD: 2}
    assert report.n_bad == 0


@pytest.mark.parametrize("place", ["XFD1048576", "XFD99999999"])
def test_a_cell_far_away_does_not_end_the_process(tmp_path: Path, place: str) -> None:
    """A reader that takes room for every cell up to it would need 550 GB, and abort."""
    file = write_workbook(tmp_path / "near.xlsx", {"0-1-0": [("Word", "MorphoLexSegm"), ("kind", "{(kind)}")]})
    far = tmp_path / "far.xlsx"
    with zipfile.ZipFile(file) as near, zipfile.ZipFile(far, "w") as archive:
        for name in near.namelist():
            cell_far_away = f'<row><c r="{place}" t="inlineStr"><is><t>x</t></is></c></row></sheetData>'
            archive.writestr(name, near.read(name).replace(b"</sheetData>", cell_far_away.encode()))
    with pytest.raises(SourceError, match=r"far\.xlsx: not a readable .xlsx workbook \(.*\); download it again$"):
        list(read(far, ReadReport()))


def test_control_characters_and_unknown_tags(tmp_path: Path) -> None:
    file = tmp_path / "m.tsv"
    rows = [
        "Word\tPOS\tMorphoLexSegm",
        "foo\x0cbar\tNN\t(bar)",
        "kind\tJJ\t(ki\0nd)",
        "x1\tNN\t(1)",
        "bar\tNN|ZZ\t(bar)",
    ]
    file.write_text("\n".join(rows) + "\n", encoding="utf-8")
    report = ReadReport()
    assert list(read(file, report)) == [
        Analysis("foo bar", "(bar)", (), ("bar",), (), ("noun",)),
        Analysis("bar", "(bar)", (), ("bar",), (), ("noun",)),
    ]
    assert report.n_records == 4
    assert report.rejected == {Reason.BAD_SEGMENTATION: 2, Reason.UNKNOWN_POS: 1}
