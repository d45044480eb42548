"""How often words are used, from ``data_sources/frequency_LANGUAGE.tsv.gz``, the data of the package wordfreq."""

from __future__ import annotations

import gzip
from functools import cache

import pyarrow as pa
from pyarrow import csv

from lexkit.sources.data_files import data_file, reading

SCHEMA = pa.schema([("folded", pa.string()), ("zipf", pa.float64())])


@cache
def frequencies(language: str) -> pa.Table:
    """Return a table of words in lower case and their frequencies. It has no rows for a language without a file.

    Frequencies are on the Zipf scale, log10 of the occurrences in a billion words: 7.7 for "the", 3 for "unkind". Words
    below 2 are not in the table.
    """
    path = data_file(f"frequency_{language}.tsv.gz")
    if not path.exists():
        return SCHEMA.empty_table()
    options = {"parse_options": csv.ParseOptions(delimiter="\t", quote_char=False)}
    with reading(path):
        text = pa.py_buffer(gzip.decompress(path.read_bytes()))
        return csv.read_csv(pa.BufferReader(text), **options).rename_columns(SCHEMA.names).cast(SCHEMA)
