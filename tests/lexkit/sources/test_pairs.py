from __future__ import annotations

from pathlib import Path

from lexkit.sources.pairs import read
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Statement
from lexkit.sources.validation import keep_valid


def test_two_words_a_line(tmp_path: Path) -> None:
    file = tmp_path / "pairs.txt"
    file.write_bytes(b"\xef\xbb\xbfkind nice\r\n\nice cream\tgelato\ncaf\xe9 x\none\na b c\nkind kind\nkind &\n")
    report = ReadReport()
    (batch,) = keep_valid(read(file, report, "synonym"), report)
    assert list(batch.records()) == [
        Statement("kind", "nice", "synonym"),
        Statement("ice cream", "gelato", "synonym"),
    ]
    assert report.n_records == 7
    assert report.rejected == {
        Reason.INVALID_UTF8: 1,
        Reason.WRONG_COLUMNS: 2,
        Reason.SELF: 1,
        Reason.NOT_A_WORD: 1,
    }
    assert report.first_bad == "line 4: invalid UTF-8"
