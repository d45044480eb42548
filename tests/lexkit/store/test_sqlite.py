"""`lexkit export --format sqlite`: the tables of the other forms, in one file that Python's own sqlite3 reads."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import lexkit
from lexkit.errors import StoreError

Limited = Callable[[int], AbstractContextManager[None]]


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, write_tokenizer: Callable[..., Path]) -> Path:
    folder = tmp_path_factory.mktemp("sources")
    (folder / "synonyms").write_text("unkind cruel\nunkind unjust\nbig large\nbig small\nö ü\n", encoding="utf-8")
    (folder / "antonyms").write_text("unkind friendly\nbig small\n", encoding="utf-8")
    write_tokenizer(folder / "bytes" / "tokenizer.json")
    pairs: Any = [("synonym", folder / "synonyms"), ("antonym", folder / "antonyms")]
    lexkit.build(folder / 's"d.duckdb', pairs=pairs, tokenizers=[str(folder / "bytes")])
    return folder / 's"d.duckdb'


@contextlib.contextmanager
def opened(folder: Path) -> Iterator[sqlite3.Connection]:
    with contextlib.closing(sqlite3.connect(f"file:{folder / 'lexkit.sqlite'}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        yield connection


def rows(connection: sqlite3.Connection, table: str, schema: pa.Schema) -> list[dict[str, Any]]:
    """The rows of a table as those of Arrow."""
    found = [dict(row) for row in connection.execute(f"SELECT * FROM {table} ORDER BY rowid")]
    for field in schema:
        for row in found:
            if pa.types.is_list(field.type):
                row[field.name] = json.loads(row[field.name])
            elif pa.types.is_boolean(field.type):
                assert row[field.name] in (0, 1)
                row[field.name] = bool(row[field.name])
    return found


@pytest.mark.parametrize("tokenizer", [None, "bytes"])
def test_it_has_every_row_of_parquet(store: Path, tmp_path: Path, tokenizer: str | None) -> None:
    lexkit.export(store, tmp_path / "parquet", tokenizer=tokenizer)
    (done,) = lexkit.export(store, tmp_path / "sqlite", form="sqlite", tokenizer=tokenizer)
    assert {path.name for path in (tmp_path / "sqlite").iterdir()} == {"README.md", "lexkit.sqlite"}
    tables = {path.stem: pq.read_table(path) for path in (tmp_path / "parquet").glob("*.parquet")}
    assert (done.file, done.rows) == ("lexkit.sqlite", sum(table.num_rows for table in tables.values()))
    with opened(tmp_path / "sqlite") as connection:
        names = {row["name"] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert names == {*tables, "sources"}
        for name, table in tables.items():
            assert rows(connection, name, table.schema) == table.to_pylist()


def test_counts_are_those_of_parquet_on_the_starter_data(starter_store: Path, tmp_path: Path) -> None:
    for form in ("parquet", "sqlite"):
        lexkit.export(starter_store, tmp_path / form, form=form)  # type: ignore[arg-type]
    with opened(tmp_path / "sqlite") as connection, lexkit.open(starter_store) as lexicon:
        for name in ("relations", "evidence"):
            ((count,),) = connection.execute(f"SELECT count(*) FROM {name}").fetchall()
            assert count == pq.read_metadata(tmp_path / "parquet" / f"{name}.parquet").num_rows
        for view in ("synonyms", "antonyms"):
            ((count,),) = connection.execute(f"SELECT count(*) FROM {view}").fetchall()
            assert count == lexicon.sql(f"SELECT count(*) AS n FROM {view}").to_pylist()[0]["n"]  # type: ignore[index]
        (sources,) = connection.execute("SELECT json_group_array(source) FROM sources").fetchone()
        assert json.loads(sources) == lexicon.sql("SELECT source FROM source ORDER BY source")["source"].to_pylist()


def test_views_have_both_directions_as_those_of_the_store(store: Path, tmp_path: Path) -> None:
    lexkit.export(store, tmp_path / "out", form="sqlite")
    with opened(tmp_path / "out") as connection, lexkit.open(store) as lexicon:
        for kind in ("synonym", "antonym"):
            table = lexicon.sql(f"SELECT * FROM {kind}s")
            found = rows(connection, f"(SELECT 0 AS rowid, * FROM {kind}s)", table.schema)
            for row in found:
                del row["rowid"]
            assert sorted(map(json.dumps, found)) == sorted(map(json.dumps, table.to_pylist()))


@pytest.mark.parametrize("name", ["synonyms", "antonyms", "relations", "evidence"])
def test_words_are_looked_up_by_an_index(store: Path, tmp_path: Path, name: str) -> None:
    lexkit.export(store, tmp_path / "out", form="sqlite")
    columns = ("word",) if name.endswith("onyms") else ("word_a", "word_b")
    with opened(tmp_path / "out") as connection:
        for column in columns:
            plan = [
                row["detail"]
                for row in connection.execute(f"EXPLAIN QUERY PLAN SELECT * FROM {name} WHERE {column} = 'big'")
            ]
            assert any("USING INDEX" in step for step in plan)
            assert not any(step.startswith("SCAN") for step in plan)


def test_a_file_that_cannot_grow_is_one_line_and_leaves_the_export_of_before(
    store: Path, tmp_path: Path, small_files: Limited
) -> None:
    lexkit.export(store, tmp_path / "out", form="csv")
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}
    with (
        small_files(8192),
        pytest.raises(StoreError, match=r"out: cannot be written \(.*\); free disk space") as raised,
    ):
        lexkit.export(store, tmp_path / "out", form="sqlite")
    assert "\n" not in str(raised.value)
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
