"""Make ``frequency_en.tsv.gz``, how often words are used, from the package wordfreq (3.1.1; no longer updated).

Usage: python data_sources/make_frequency_table.py en data_sources/frequency_en.tsv.gz
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

from wordfreq import get_frequency_dict, zipf_frequency

LEAST = 2.0
"""Lowest frequency of words in the table, on the Zipf scale; 2 is once in ten million words."""
HEADER = ("word", "zipf")


def main(language: str, table: str) -> None:
    """Write *table*; the same version of wordfreq gives the same bytes."""
    words = {word: zipf_frequency(word, language) for word in get_frequency_dict(language, "large")}
    kept = sorted((word, zipf) for word, zipf in words.items() if zipf >= LEAST and any(map(str.isalpha, word)))
    content = "".join("\t".join(row) + "\n" for row in [HEADER, *((word, f"{zipf:.2f}") for word, zipf in kept)])
    # no time and no name in the gzip header
    Path(table).write_bytes(gzip.compress(content.encode(), mtime=0))
    print(f"{len(kept):,} words")


if __name__ == "__main__":
    main(*sys.argv[1:])
