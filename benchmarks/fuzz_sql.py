# ruff: noqa: E501
"""Statements of DuckDB's SQL for the lock of `Lexicon.sql` and ``lexkit sql``, and what must hold after each."""

from __future__ import annotations

import contextlib
import hashlib
import io
import random
from collections.abc import Callable
from pathlib import Path

import lexkit
from lexkit.store.lexicon import Lexicon

SECRET = "lexkitsecret"
"""What a file beside the store holds, and no statement may read."""
_HUGE = ["1", "10", "1000000", "10000000000", "9223372036854775807", "-1"]


class Grammar:
    """Derives statements; the same generator derives the same ones.

    Args:
        rng: chooses.
        folder: holds the store ``s.duckdb`` and the file ``secret.txt``.
    """

    def __init__(self, rng: random.Random, folder: Path) -> None:
        self._rng, self._folder, self._depth = rng, folder, 0

    def _one(self, *choices: str | Callable[[], str]) -> str:
        choice = self._rng.choice(choices)
        return choice if isinstance(choice, str) else choice()

    def statement(self) -> str:
        """Derive one statement, or several, with comments and white space anywhere."""
        rng = self._rng
        text = self._one(self.select, self.select, self.explain, *[self.other] * 5)
        if rng.random() < 0.15:
            text = f"{text};{self._one(self.other, self.select, '', ' ')}"
        if rng.random() < 0.2:
            comment = self._one("/* x */", "-- x\n", "/* /* */ */", "--\r", "\ufeff", "\u00a0", "\t\n", "/*", ";", "(")
            text = f"{comment}{text}"
        if rng.random() < 0.15:
            words = text.split(" ")
            words.insert(
                rng.randrange(len(words) + 1), self._one("/**/", "--x\n", ";", "\0", "\u2028", "'", '"', "$$", "\ud800")
            )
            text = " ".join(words)
        return rng.choice((str, str.lower, str.swapcase))(text) if rng.random() < 0.2 else text

    def explain(self) -> str:
        """Derive an EXPLAIN, of anything."""
        option = self._one(
            "", "ANALYZE", "(ANALYZE)", "(FORMAT json)", "(ANALYZE, FORMAT json)", "/* ANALYZE */", "ANALYZE VERBOSE"
        )
        return f"{self._one('EXPLAIN', 'EXPLAIN', 'DESCRIBE', 'SUMMARIZE', 'SHOW')} {option} {self._one(self.other, self.select, self.explain)}"

    def name(self) -> str:
        """Derive the name of a table, perhaps of one that is not there."""
        return self._one(
            "word", "relation", "evidence", "antonyms", "meta", "store.main.word", "memory.main.t", "t", "store", "lower",
            "information_schema.tables", "duckdb_settings()", "duckdb_secrets()", "pg_catalog.pg_class", "sqlite_master",
            f"'{self._folder}/s.duckdb'", '"word"', "temp.t",
        )  # fmt: skip

    def path(self) -> str:
        """Derive a file's name, in quotes."""
        return self._one(
            f"'{self._folder}/secret.txt'", f"'{self._folder}/*'", f"'{self._folder}/new.csv'", "'/etc/passwd'",
            "'/dev/zero'", "'/proc/self/environ'", "'http://127.0.0.1:9/x'", "'s3://a/b'", "'md:x'", "':memory:'", "'/dev/stdout'",
            f"'{self._folder}/s.duckdb'",
        )  # fmt: skip

    def table(self) -> str:
        """Derive what may follow FROM."""
        if self._depth > 3:
            return self.name()
        function = self._one(
            "read_csv", "read_csv_auto", "read_text", "read_blob", "read_json", "read_parquet", "glob", "sniff_csv",
            "parquet_metadata", "read_duckdb", "sqlite_scan", "iceberg_scan", "query", "query_table", "parquet_scan",
        )  # fmt: skip
        return self._one(
            self.name,
            self.name,
            self.name,
            lambda: f"{function}({self.path()})",
            lambda: f"range({self._one(*_HUGE)})",
            lambda: f"generate_series(1, {self._one(*_HUGE)}) AS g(word)",
            lambda: f"({self.select()}) AS s{self._rng.randrange(9)}",
            lambda: f"{self.name()} AS a CROSS JOIN {self.name()} AS b",
            lambda: f"query('{self.other()}')",
            lambda: self.path(),
            lambda: f"pragma_{self._one('version', 'database_list', 'show_tables', 'table_info', 'storage_info')}({self._one('', chr(39) + 'word' + chr(39))})",
            lambda: f"{self._one('checkpoint', 'force_checkpoint', 'enable_profiling', 'which_secret', 'test_all_types', 'repeat_row', 'duckdb_logs', 'seq_scan')}()",
        )  # fmt: skip

    def value(self) -> str:
        """Derive an expression."""
        if self._depth > 3:
            return "1"
        return self._one(
            "*", "1", "word", "count(*)", "NULL", "random()", "version()", "current_setting('home_directory')",
            "getenv('HOME')", "DATE 'infinity'", "TIMESTAMP '294247-01-01'", "INTERVAL 1 MONTH", "'a'::BLOB", "1e308 * 10",
            "nextval('s')", "txid_current()", "struct_pack(a := 1)", "map([1], [2])", "[1, NULL]", "0.1::DECIMAL(38, 37)",
            lambda: f"repeat('x', {self._one(*_HUGE)})",
            lambda: f"list_sum(range({self._one(*_HUGE)}))",
            lambda: f"lpad('x', {self._one(*_HUGE)}, 'y')",
            lambda: f"({self.select()})",
            lambda: f"string_agg({self.value()}, ',')",
            lambda: f"array_agg({self.value()})",
            lambda: f"regexp_matches(repeat('a', 100000), '{self._one('(a*)*b', '((a{1,99}){1,99}){1,99}', '[', 'a')}')",
            lambda: f"{'(' * 60}1{')' * 60}",
            lambda: "+".join(["1"] * self._rng.choice((2, 400, 5000))),
            lambda: f"read_text({self.path()})",
            lambda: f"{self._one('sleep_ms', 'pg_sleep', 'set_config', 'write_log', 'load_extension', 'add_parquet_key')}(10)",
        )  # fmt: skip

    def select(self) -> str:
        """Derive a SELECT, which is allowed, whatever it does."""
        self._depth += 1
        try:
            return self._one(
                lambda: f"SELECT {self.value()} FROM {self.table()}",
                lambda: f"SELECT {self.value()} FROM {self.table()} LIMIT 3",
                lambda: f"SELECT {self.value()}",
                lambda: f"FROM {self.table()}",
                lambda: f"WITH c AS ({self.select()}) SELECT * FROM c, {self.table()}",
                lambda: f"WITH c AS MATERIALIZED ({self._one(self.other, self.select)}) FROM c",
                "WITH RECURSIVE r(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM r) SELECT * FROM r",
                "WITH RECURSIVE r(n) AS (SELECT 'x' UNION ALL SELECT n || n FROM r) SELECT count(*) FROM r",
                "WITH RECURSIVE r(n) AS (SELECT 1 UNION SELECT n FROM r) SELECT * FROM r",
                lambda: f"VALUES ({self.value()})",
                lambda: f"TABLE {self.name()}",
                lambda: f"({self.select()}) UNION ALL ({self.select()})",
                lambda: f"SELECT {self.value()} AS a, {self.value()} AS a FROM {self.table()} ORDER BY ALL",
                lambda: f"PIVOT {self.name()} ON {self.value()} USING count(*)",
                lambda: f"SELECT DISTINCT ON (1) {self.value()} FROM {self.table()} QUALIFY row_number() OVER () < 9",
            )
        finally:
            self._depth -= 1

    def other(self) -> str:
        """Derive what is to be refused."""
        rows, name, path = "SELECT 1 AS word", self.name(), self.path()
        return self._one(
            f"CREATE {self._one('', 'TEMP ', 'OR REPLACE ', 'OR REPLACE TEMP ')}TABLE {name} AS {rows}",
            f"CREATE {self._one('', 'TEMP ')}VIEW {name} AS {rows}",
            f"CREATE SCHEMA {self._one('store', 'memory.store', 'main2', 'memory.main')}",
            f"CREATE {self._one('', 'TEMP ')}MACRO {self._one('lower', 'f', 'count')}(x) AS {self._one('1', 'TABLE SELECT 1')}",
            f"CREATE TYPE {self._one('mood', 'varchar')} AS ENUM ('a')",
            "CREATE SEQUENCE s", "CREATE SECRET (TYPE s3)", f"CREATE INDEX i ON {name}(word)",
            f"INSERT INTO {name} {rows}", f"UPDATE {name} SET word = 'x'", f"DELETE FROM {name}", f"TRUNCATE {name}",
            f"DROP {self._one('TABLE', 'VIEW', 'SCHEMA')} {self._one('IF EXISTS ', '')}{name} {self._one('CASCADE', '')}",
            f"ALTER TABLE {name} {self._one('RENAME TO other', 'ADD COLUMN x INT', 'DROP COLUMN word')}",
            f"COPY {self._one(name, '(' + rows + ')')} TO {path}", f"COPY {name} FROM {path}",
            f"EXPORT DATABASE {path}", f"IMPORT DATABASE {path}", "COPY FROM DATABASE store TO memory",
            f"ATTACH {path} {self._one('', 'AS x', 'AS store', '(READ_ONLY)', 'AS y (TYPE sqlite)')}",
            f"DETACH {self._one('store', 'memory', 'temp')}", f"USE {self._one('memory', 'memory.main', 'temp', 'system')}",
            f"PRAGMA {self._one('version', 'database_list', 'enable_profiling', 'threads=1', 'show_tables', 'database_size')}",
            f"SET {self._one('GLOBAL ', 'SESSION ', '')}{self._one('enable_external_access', 'lock_configuration')} = {self._one('true', 'false')}",
            f"SET {self._one('memory_limit', 'temp_directory', 'search_path', 'home_directory', 'threads')} = '{self._one('1KB', '/tmp', 'memory.main', '1')}'",
            f"RESET {self._one('memory_limit', 'lock_configuration')}", "SET VARIABLE x = 1",
            f"PREPARE p AS {self._one(rows, f'DELETE FROM {name}')}", "EXECUTE p", "DEALLOCATE p",
            f"CALL {self._one('pragma_version', 'enable_logging', 'force_checkpoint', 'add_parquet_key')}()",
            f"INSTALL {self._one('httpfs', path)}", f"LOAD {self._one('httpfs', path, 'json')}",
            "BEGIN", "COMMIT", "ROLLBACK", "CHECKPOINT", "FORCE CHECKPOINT store", "VACUUM", "VACUUM ANALYZE", "ANALYZE",
            f"MERGE INTO {name} USING ({rows}) AS n ON true WHEN MATCHED THEN DELETE",
            f"COMMENT ON TABLE {name} IS 'x'", "GRANT ALL ON word TO me", "LISTEN x", "DO $$ x $$", "KILL 1", "SELECT 1 INTO x",
            f"WITH c AS (INSERT INTO {name} {rows} RETURNING *) FROM c", "", ";", ";;", "\\copy", ".open x", ".shell ls",
        )  # fmt: skip


def prepare(folder: Path, store: Path) -> None:
    """Put into a folder what statements must leave alone."""
    (folder / "s.duckdb").write_bytes(store.read_bytes())
    (folder / "secret.txt").write_text(f"{SECRET}\n{SECRET}\n", encoding="utf-8")


def check(lexicon: Lexicon, statement: str, folder: Path, *, as_command: bool) -> None:
    """Run a statement, and make sure that it has read and changed nothing but the store, and that this is as it was.

    Raises:
        LexkitError: the statement is refused.
        AssertionError: it has done what it must not.
    """
    before = _state(folder)
    answer = ""
    try:
        answer = _command(statement, folder) if as_command else _table(lexicon, statement)
    finally:
        assert SECRET not in answer, "it reads another file"
        assert _state(folder) == before, f"it changes files: {sorted(path.name for path in folder.iterdir())}"
        assert lexicon.relation("kind", "unkind") == ["antonym"], "it changes what look-ups answer"
        assert lexicon.sql("SELECT lower('A') AS a, count(*) AS n FROM word")["a"][0].as_py() == "a"
        kept = lexicon.sql(
            "SELECT count(*) AS n FROM duckdb_tables() WHERE database_name <> 'store' UNION ALL SELECT count(*) "
            "FROM duckdb_functions() WHERE NOT internal UNION ALL SELECT count(*) FROM duckdb_schemas() WHERE NOT internal"
            " AND database_name <> 'store'"
        )
        assert kept["n"].to_pylist() == [0, 0, 0], (
            f"it leaves something behind in the connection: {kept['n'].to_pylist()}"
        )


def _state(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir() if path.is_file()}


def _table(lexicon: Lexicon, statement: str) -> str:
    return str(lexicon.sql(statement, timeout=2, max_rows=10_000).slice(0, 100))


def _command(statement: str, folder: Path) -> str:
    from lexkit.cli.sql import sql

    printed = io.StringIO()
    options = ["--store", str(folder / "s.duckdb"), "--timeout", "2", "--max-rows", "10000", "--", statement]
    with contextlib.redirect_stdout(printed):
        sql.main(options, standalone_mode=False)
    return printed.getvalue()


def open_store(folder: Path) -> Lexicon:
    """Open the store of `prepare`."""
    return lexkit.open(folder / "s.duckdb")
