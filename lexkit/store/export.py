"""Export a store to a folder of Parquet, JSON lines, CSV or SQLite files, with a README that lists their licences."""

from __future__ import annotations

import csv
import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, get_args

import duckdb
import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from lexkit import __version__
from lexkit.arguments import require_choice, require_number, require_path, require_text
from lexkit.progress import Progress
from lexkit.sources.catalog import is_non_commercial
from lexkit.store import tables
from lexkit.store.files import cursor, reading
from lexkit.store.publish_folder import published_folder
from lexkit.store.readme import SQLITE_FILE, is_export, write_readme
from lexkit.store.relate import exclude_sources
from lexkit.store.results import unwanted
from lexkit.store.sqlite import write_sqlite

Form = Literal["parquet", "jsonl", "csv", "sqlite"]
FORMS: tuple[Form, ...] = get_args(Form)
_ROW_GROUP = 1 << 17
"""Rows in a row group of Parquet: enough for zstd to compress well, and few enough for readers to skip groups."""
_LINES = 10_000
_SORTED_BY = ("word_a", "word_b", "kind")


class Exported(NamedTuple):
    """A file of an export, with the number of rows in its tables."""

    file: str
    rows: int
    bytes: int


def export(
    store: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    *,
    form: Form = "parquet",
    tokenizer: str | None = None,
    max_tokens: int | None = None,
    contested: bool | None = None,
    licence_free_of: Literal["nc"] | None = None,
    min_confidence: float = 0,
    archaic: bool = True,
    offensive: bool = True,
    progress: Progress | None = None,
) -> list[Exported]:
    """Write a store's relations and evidence to files for other programs.

    With *tokenizer*, the files contain relations with the token ids of both words, which distillation reads, and no
    evidence. With the same versions of the libraries, the same store and options give the same files, byte for byte.

    Args:
        store: Path of the store.
        folder: Folder to write. If it is an earlier export, it is replaced in one step.
        form: ``parquet`` (zstd), ``jsonl``, ``csv`` (lists joined by spaces), or ``sqlite`` (one file, lists as JSON
            text).
        tokenizer: Add the token ids of this tokenizer; see `Lexicon.tokenizer`.
        max_tokens: Write only pairs whose words both have at most this number of tokens.
        contested: Whether to write pairs that are in the store as both kinds. By default, they are written, except
            with *tokenizer*.
        licence_free_of: ``nc`` leaves out the sources whose licence forbids commercial use, with everything that
            depends on them: the export is that of a store built without them. Sources whose licence lexkit does not
            know are kept.
        min_confidence: Lowest confidence of the relations to write, from 0 to 1; their evidence is left out as well.
        archaic: Whether to write pairs with a word that is archaic or obsolete in this relation.
        offensive: Whether to write pairs with a word that is offensive or vulgar in this relation.
        progress: Receives each stage.

    Returns:
        One `Exported` for each file, except the README.

    Raises:
        QueryError: The store has no such tokenizer.
        ArgumentError: *form* or *licence_free_of* is unknown, or *min_confidence* is not a number from 0 to 1.
        StoreError: The file is not a store, or the folder cannot be written or contains something else.
    """
    require_path("store", store)
    require_path("folder", folder)
    require_choice("form", form, FORMS)
    if licence_free_of is not None:
        require_choice("licence_free_of", licence_free_of, ("nc",))
    if tokenizer is not None:
        require_text("tokenizer", tokenizer, "'llama'")
    require_number("min_confidence", min_confidence, 0, 1, whole=False)
    without, progress = unwanted(archaic, offensive), progress or Progress()
    progress.stage("read the store")
    with reading(Path(store)) as opened:
        connection = cursor(opened)
        name = None if tokenizer is None else tables.find_tokenizer(connection, tokenizer)
        wants_contested = contested if contested is not None else name is None
        rows = _sources(connection) if licence_free_of else []
        excluded = [row["source"] for row in rows if is_non_commercial(row["licence"])]
        if excluded:
            progress.stage(f"leave out {', '.join(excluded)}")
            exclude_sources(connection, excluded)
        relations = tables.relations(
            connection,
            None,
            name,
            max_tokens,
            contested=wants_contested,
            min_confidence=min_confidence,
            without=without,
        )
        found = {"relations": relations}
        if name is None:
            found["evidence"] = tables.evidence(connection, min_confidence=min_confidence, without=without)
        facts = _facts(connection, excluded, name, max_tokens)
        facts |= {"contested": wants_contested, "min_confidence": min_confidence, "without_usage": list(without)}
    with published_folder(Path(folder), is_export) as new:
        n_rows = {}
        if form == "sqlite":
            progress.stage("write SQLite")
            write_sqlite(found, new / SQLITE_FILE, facts["sources"])
            n_rows[SQLITE_FILE] = sum(table.num_rows for table in found.values())
        else:
            for table_name, table in found.items():
                progress.stage(f"write {table_name}")
                _WRITERS[form](table, new / f"{table_name}.{form}", facts)
                n_rows[f"{table_name}.{form}"] = table.num_rows
        write_readme(new, form, found, facts)
        return [Exported(file, n, (new / file).stat().st_size) for file, n in n_rows.items()]


def _sources(connection: duckdb.DuckDBPyConnection) -> list[dict[str, Any]]:
    query = "SELECT source, kind, origin, coalesce(uri, '') AS uri, sha256, licence FROM source ORDER BY source"
    rows: list[dict[str, Any]] = connection.sql(query).to_arrow_table().to_pylist()
    return rows


def _facts(
    connection: duckdb.DuckDBPyConnection,
    excluded: list[str],
    tokenizer: str | None,
    max_tokens: int | None,
) -> dict[str, Any]:
    """Return the metadata of the files. They name the file of each source, but not its folder."""
    language = connection.execute("SELECT value FROM meta WHERE key = 'language'").fetchone()
    ((has_frequencies,),) = connection.execute("SELECT count(frequency) > 0 FROM word").fetchall()
    facts: dict[str, Any] = {
        "lexkit_version": __version__,
        "language": language[0] if language else None,
        "left_out": excluded,
        "sources": [
            {"source": row["source"], "kind": row["kind"], "file": Path(row["uri"]).name, "sha256": row["sha256"]}
            | {"origin": row["origin"], "licence": row["licence"]}
            for row in _sources(connection)
        ],
        "has_frequencies": has_frequencies,
        "tokenizer": None,
    }
    if tokenizer is not None:
        ((digest, size),) = connection.execute(
            "SELECT fingerprint, vocab_size FROM tokenizer WHERE tokenizer = ?", [tokenizer]
        ).fetchall()
        facts["tokenizer"] = {"name": tokenizer, "fingerprint": digest, "vocab_size": size, "max_tokens": max_tokens}
    return facts


def _write_parquet(table: pa.Table, path: Path, facts: dict[str, Any]) -> None:
    metadata = {"lexkit": json.dumps(facts, ensure_ascii=False, sort_keys=True)}
    order = pq.SortingColumn.from_ordering(table.schema, [(name, "ascending") for name in _SORTED_BY])
    pq.write_table(
        table.replace_schema_metadata(metadata),
        path,
        compression="zstd",
        row_group_size=_ROW_GROUP,
        sorting_columns=order,
    )


def _write_jsonl(table: pa.Table, path: Path, facts: dict[str, Any]) -> None:
    encoder = msgspec.json.Encoder()
    with path.open("wb") as stream:
        for batch in _batches(table):
            stream.write(encoder.encode_lines(batch.to_pylist()))


def _write_csv(table: pa.Table, path: Path, facts: dict[str, Any]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(table.column_names)
        for batch in _batches(table):
            writer.writerows(zip(*map(_cells, batch.columns), strict=True))


def _batches(table: pa.Table) -> Iterator[pa.RecordBatch]:
    yield from table.to_batches(max_chunksize=_LINES)


def _cells(column: pa.Array) -> list[Any]:
    values: list[Any] = column.to_pylist()
    if pa.types.is_list(column.type):
        return [" ".join(map(str, value)) for value in values]
    if pa.types.is_boolean(column.type):
        return ["true" if value else "false" for value in values]
    return values


_WRITERS: dict[str, Callable[[pa.Table, Path, dict[str, Any]], None]] = {
    "parquet": _write_parquet,
    "jsonl": _write_jsonl,
    "csv": _write_csv,
}
