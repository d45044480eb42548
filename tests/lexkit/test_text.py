from __future__ import annotations

import sys
import unicodedata

import duckdb
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from lexkit.text import fold, is_word, normalize_word


def test_one_spelling_for_one_word() -> None:
    assert normalize_word("  ice\u00a0  cream\n") == "ice cream"
    assert normalize_word("cafe\u0301") == "caf\u00e9"
    assert normalize_word("Polish") == "Polish"


@given(st.text())
def test_normalizing_twice_changes_nothing(text: str) -> None:
    once = normalize_word(text)
    assert normalize_word(once) == once
    assert once == once.strip()


def test_fold_is_what_duckdb_calls_lower_case() -> None:
    # characters that this Python's Unicode does not have yet may be newer in DuckDB's
    letters = [c for c in map(chr, range(1, sys.maxunicode + 1)) if unicodedata.category(c) not in ("Cs", "Cn")]
    with duckdb.connect() as connection:
        connection.register("letters", pa.table({"letter": letters}))
        rows = connection.execute("SELECT letter, lower(letter) FROM letters").fetchall()
    assert [(letter, lower) for letter, lower in rows if fold(letter) != lower] == []
    assert fold("\u039f\u0394\u039f\u03a3") == "\u03bf\u03b4\u03bf\u03c3"  # no final sigma


def test_a_word_has_a_letter_and_can_be_printed() -> None:
    assert all(map(is_word, ["a", "catch-22", "\u00fcber", "b/c"]))
    assert not any(map(is_word, ["", "&", "42", "a\x00b", "\ud800a"]))
