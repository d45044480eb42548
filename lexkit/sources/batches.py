"""Batches of records of one type as Arrow tables, the form in which records go from readers to the store."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from lexkit.sources.records import Analysis, Form, Group, Headword, Record, Statement

_WORDS = pa.list_(pa.string())
SCHEMAS: dict[type, pa.Schema] = {
    Headword: pa.schema([("word", pa.string())]),
    Statement: pa.schema(
        [(name, pa.string()) for name in ("word", "other", "kind", "pos", "sense", "scope")]
        + [("usage", _WORDS), ("other_usage", _WORDS)]
    ),
    Group: pa.schema(
        [
            ("words", _WORDS),
            ("pos", pa.string()),
            ("sense", pa.string()),
            ("scope", pa.string()),
            ("usage", pa.list_(_WORDS)),
            ("apart", pa.list_(pa.list_(pa.int32()))),
        ]
    ),
    Form: pa.schema([(name, pa.string()) for name in ("word", "lemma", "kind")]),
    Analysis: pa.schema(
        [
            ("word", pa.string()),
            ("segmentation", pa.string()),
            ("prefixes", _WORDS),
            ("roots", _WORDS),
            ("suffixes", _WORDS),
            ("pos", _WORDS),
        ]
    ),
}
"""Columns for each type of record, in the order of its fields."""

_ROWS = 100_000
"""Number of rows in a batch. An INSERT takes some milliseconds even for a few rows."""


class Batch(NamedTuple):
    """Records of one type; the columns of the table are those of `SCHEMAS`."""

    record_type: type
    table: pa.Table

    @classmethod
    def of_columns(cls, record_type: type, columns: Iterable[Sequence[Any]]) -> Batch:
        """Make a batch from columns: one sequence for each field of the records."""
        schema = SCHEMAS[record_type]
        arrays = [pa.array(column, field.type) for column, field in zip(columns, schema, strict=True)]
        return cls(record_type, pa.Table.from_arrays(arrays, schema=schema))

    def records(self) -> Iterator[Record]:
        """Yield the records one by one."""
        for row in zip(*(column.to_pylist() for column in self.table.columns), strict=True):
            yield self.record_type(*map(_tupled, row))


def _tupled(cell: Any) -> Any:  # noqa: ANN401
    return tuple(map(_tupled, cell)) if isinstance(cell, list) else cell


def batched(records: Iterable[Record | Batch]) -> Iterator[Batch]:
    """Collect records and small batches into larger batches of bounded size."""
    rows: dict[type, list[Any]] = {record_type: [] for record_type in SCHEMAS}
    tables: dict[type, list[pa.Table]] = {record_type: [] for record_type in SCHEMAS}
    for record in records:
        if isinstance(record, Batch):
            waiting = tables[record.record_type]
            waiting.append(record.table)
            if sum(table.num_rows for table in waiting) >= _ROWS:
                yield _joined(record.record_type, waiting)
        else:
            collected = rows[type(record)]
            collected.append(record)
            if len(collected) == _ROWS:
                yield Batch.of_columns(type(record), zip(*collected, strict=True))
                collected.clear()
    for record_type, collected in rows.items():
        if collected:
            tables[record_type].append(Batch.of_columns(record_type, zip(*collected, strict=True)).table)
        if tables[record_type]:
            yield _joined(record_type, tables[record_type])


def _joined(record_type: type, tables: list[pa.Table]) -> Batch:
    # Arrow compiles a regular expression again for each chunk, so make one chunk
    batch = Batch(record_type, pa.concat_tables(tables).combine_chunks())
    tables.clear()
    return batch
