from __future__ import annotations

import duckdb
import pytest

from lexkit.store.checksum import checksum


def of(*rows: tuple[object, object]) -> str:
    connection = duckdb.connect()
    connection.execute("CREATE TABLE t (a VARCHAR, b VARCHAR)")
    for row in rows:
        connection.execute("INSERT INTO t VALUES (?, ?)", row)
    return checksum(connection, "t")


def test_the_order_of_rows_does_not_matter() -> None:
    assert of(("a", "b"), ("c", "d"), ("c", "d")) == of(("c", "d"), ("a", "b"), ("c", "d"))


@pytest.mark.parametrize(
    ("some", "others"),
    [
        ([], [("a", "b")]),
        ([("a", "b")], [("a", "b"), ("a", "b")]),  # rows count as often as they stand there
        ([("ab", "c")], [("a", "bc")]),
        ([("a", None)], [("a", "")]),
        ([("a", None)], [(None, "a")]),
        ([("1:a", "b")], [("a", "1:b")]),
    ],
)
def test_different_rows_have_different_checksums(
    some: list[tuple[object, object]], others: list[tuple[object, object]]
) -> None:
    assert of(*some) != of(*others)


def test_it_is_the_same_with_every_version_of_duckdb() -> None:
    assert of(("a", "b"), (None, "c")) == "4370426a7c13409e"
