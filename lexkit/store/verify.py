"""Checking a store: what the schema promises, as numbered queries that must find nothing.

``E1..`` is structure, ``E2..`` references and counts, ``W3..`` quality. Codes do not change their meaning.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import duckdb

from lexkit.store.checksum import TABLES, checksum, recorded_checksums
from lexkit.store.files import open_read_only


class Check(NamedTuple):
    """A query whose rows are faults, or a function that returns them; the first column is shown as the example."""

    code: str
    title: str
    faults: str | Callable[[duckdb.DuckDBPyConnection], list[tuple[str]]]


class Finding(NamedTuple):
    """A check that found something."""

    code: str
    title: str
    n: int
    example: str


_PAIR = "word_a || '/' || word_b || ' ' || kind"


def _changed_tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    recorded = recorded_checksums(connection)
    return [(table,) for table in TABLES if checksum(connection, table) != recorded.get(table)]


CHECKS = (
    Check(
        "E101",
        "a table or view is missing",
        """
        SELECT name FROM (VALUES ('meta'), ('source'), ('rejection'), ('word'), ('relation'), ('evidence'),
            ('morphology'), ('negation'), ('tokenizer'), ('span'), ('synonyms'), ('antonyms'), ('keep_rate')) t(name)
        ANTI JOIN information_schema.tables ON table_name = name AND table_schema = 'main'
        """,
    ),
    Check(
        "E102",
        "word ids are not 0, 1, 2 ... in the order of the words",
        "SELECT word FROM (SELECT word, word_id, row_number() OVER (ORDER BY word) - 1 AS place FROM word)"
        " WHERE word_id <> place",
    ),
    Check("E103", "a word stands twice", "SELECT word FROM word GROUP BY word HAVING count(*) > 1"),
    Check(
        "E104",
        "a word is not normalised, or its folded form is wrong",
        "SELECT word FROM word WHERE word <> nfc_normalize(word) OR word <> trim(word) OR word = ''"
        " OR contains(word, '  ') OR folded <> lower(word)",
    ),
    Check(
        "E105",
        "a pair is not in order, or a word is related to itself",
        f"SELECT {_PAIR} FROM relation WHERE word_a >= word_b"
        f" UNION ALL SELECT {_PAIR} FROM evidence WHERE word_a >= word_b OR from_a >= from_b",
    ),
    Check("E106", "a relation stands twice", f"SELECT {_PAIR} FROM relation GROUP BY ALL HAVING count(*) > 1"),
    Check(
        "E107",
        "a kind is neither synonym nor antonym",
        "SELECT kind FROM (SELECT kind FROM relation UNION ALL SELECT kind FROM evidence UNION ALL"
        " SELECT from_kind FROM evidence WHERE from_kind IS NOT NULL) WHERE kind NOT IN ('synonym', 'antonym')",
    ),
    Check(
        "E108",
        "rows are not in the order of their keys",
        """
        SELECT word FROM (SELECT word, word_id, lag(word_id) OVER (ORDER BY rowid) AS before FROM word)
        WHERE word_id <= before
        UNION ALL
        SELECT word_a || '/' || word_b FROM (
            SELECT word_a, word_b, kind, lag((word_a, word_b, kind)) OVER (ORDER BY rowid) AS before FROM relation
        ) WHERE (word_a, word_b, kind) <= before
        """,
    ),
    Check(
        "E109",
        "a table does not hold what it was built with",
        _changed_tables,
    ),
    Check(
        "E201",
        "a word id is no word",
        """
        SELECT id FROM (
            SELECT word_a AS id FROM relation UNION SELECT word_b FROM relation
            UNION SELECT word_a FROM evidence UNION SELECT word_b FROM evidence
            UNION SELECT from_a FROM evidence UNION SELECT from_b FROM evidence
            UNION SELECT word_id FROM morphology UNION SELECT word_id FROM negation UNION SELECT base_id FROM negation
            UNION SELECT word_id FROM span
        ) ANTI JOIN word ON word_id = id WHERE id IS NOT NULL
        """,
    ),
    Check(
        "E202",
        "a relation has no evidence",
        f"""
        SELECT {_PAIR} FROM relation ANTI JOIN (
            SELECT * FROM evidence WHERE rule IS NULL OR NOT starts_with(rule, 'contradicted:')
        ) USING (word_a, word_b, kind)
        """,
    ),
    Check(
        "E203",
        "evidence has no relation",
        f"""
        SELECT {_PAIR} FROM (
            SELECT * FROM evidence WHERE rule IS NULL OR NOT starts_with(rule, 'contradicted:')
        ) ANTI JOIN relation USING (word_a, word_b, kind)
        """,
    ),
    Check(
        "E204",
        "evidence, or a rejection, names an unknown source",
        "SELECT source FROM (SELECT source FROM evidence UNION SELECT source FROM rejection)"
        " ANTI JOIN source USING (source)",
    ),
    Check(
        "E205",
        "direct, n_sources, sources, pos, same_pos or contested disagree with the evidence",
        f"""
        WITH counted AS (
            SELECT word_a, word_b, kind, bool_or(rule IS NULL) AS direct, count(DISTINCT source) AS n_sources,
                string_agg(DISTINCT source, ',' ORDER BY source) AS sources,
                coalesce(string_agg(DISTINCT pos, ',' ORDER BY pos), '') AS pos, bool_or(same_pos) AS same_pos,
                count(*) OVER (PARTITION BY word_a, word_b) > 1 AS contested
            FROM evidence WHERE rule IS NULL OR NOT starts_with(rule, 'contradicted:')
            GROUP BY word_a, word_b, kind
        )
        SELECT {_PAIR} FROM relation r JOIN counted c USING (word_a, word_b, kind)
        WHERE r.direct <> c.direct OR r.n_sources <> c.n_sources OR r.sources <> c.sources
            OR r.contested <> c.contested OR r.pos <> c.pos OR r.same_pos <> c.same_pos
        """,
    ),
    Check(
        "E206",
        "a source's count of rejections is not the sum of its rejections",
        "SELECT source FROM source LEFT JOIN rejection USING (source) GROUP BY source, n_rejected"
        " HAVING n_rejected <> coalesce(sum(n), 0)",
    ),
    Check(
        "E207",
        "derived evidence comes from a relation that no source states",
        f"""
        SELECT {_PAIR} FROM (SELECT * FROM evidence WHERE from_a IS NOT NULL) d ANTI JOIN (
            SELECT word_a, word_b, kind FROM evidence WHERE rule IS NULL
        ) s ON s.word_a = from_a AND s.word_b = from_b AND s.kind = from_kind
        """,
    ),
    Check(
        "E208",
        "a contradicted derivation is contradicted by nothing",
        f"""
        SELECT {_PAIR} FROM (SELECT * FROM evidence WHERE starts_with(rule, 'contradicted:')) d ANTI JOIN (
            SELECT word_a, word_b, kind FROM evidence WHERE rule IS NULL
        ) s ON s.word_a = d.word_a AND s.word_b = d.word_b AND s.kind <> d.kind
        """,
    ),
    Check(
        "E209",
        "a span's length is not its number of tokens, or its tokenizer is unknown",
        "SELECT tokenizer || ' ' || word_id FROM span WHERE n_tokens <> len(token_ids)"
        " UNION ALL SELECT tokenizer FROM (SELECT DISTINCT tokenizer FROM span) ANTI JOIN tokenizer USING (tokenizer)",
    ),
    Check(
        "E210",
        "a tokenizer has not one span for every word",
        "SELECT tokenizer FROM tokenizer LEFT JOIN span USING (tokenizer) GROUP BY tokenizer"
        " HAVING count(DISTINCT word_id) <> (SELECT count(*) FROM word) OR count(*) <> count(DISTINCT word_id)",
    ),
    Check(
        "W301",
        "a pair is stated both as synonyms and as antonyms",
        "SELECT a.word || ' / ' || b.word FROM relation JOIN word a ON a.word_id = word_a"
        " JOIN word b ON b.word_id = word_b WHERE contested AND kind = 'synonym' AND direct",
    ),
    Check(
        "W302",
        "a source states nothing and analyses nothing",
        "SELECT source FROM source ANTI JOIN evidence USING (source)"
        " WHERE kind <> 'morpholex' OR NOT EXISTS (FROM morphology)",
    ),
)


def verify_store(path: str | os.PathLike[str]) -> list[Finding]:
    """Run every check on a store and return those that found something, in the order of their codes.

    Raises:
        StoreError: no such file, not a lexkit store, or of another schema version.
    """
    connection = open_read_only(Path(path))
    try:
        return [finding for check in CHECKS if (finding := _run(connection, check)) is not None]
    finally:
        connection.close()


def _run(connection: duckdb.DuckDBPyConnection, check: Check) -> Finding | None:
    try:
        if isinstance(check.faults, str):
            rows = connection.execute(check.faults).fetchall()
        else:
            rows = check.faults(connection)
    except duckdb.Error as error:  # a missing table or column fails every query on it
        return Finding(check.code, check.title, 1, str(error).splitlines()[0])
    return Finding(check.code, check.title, len(rows), str(rows[0][0])) if rows else None
