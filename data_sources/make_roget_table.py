"""Make ``starter/roget1911.tsv.gz``, the terms of Roget's Thesaurus with their places, from a Gutenberg text.

Usage: python data_sources/make_roget_table.py pg10681.txt data_sources/starter/roget1911.tsv.gz
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from lexkit.sources.read_report import ReadReport
from lexkit.sources.roget.reader import HEADER, read_terms


def main(text: str, table: str) -> None:
    """Write *table* from *text*; the same text gives the same bytes."""
    report = ReadReport()
    rows = [HEADER, *((*term[:6], ",".join(term.usage)) for term in read_terms(Path(text), report))]
    content = "".join("\t".join(map(str, row)) + "\n" for row in rows)
    # no time and no name in the gzip header
    Path(table).write_bytes(gzip.compress(content.encode(), mtime=0))
    print(f"{len(rows) - 1:,} terms; refused: { ({reason.value: n for reason, n in report.rejected.items()}) }")


if __name__ == "__main__":
    main(*sys.argv[1:])
