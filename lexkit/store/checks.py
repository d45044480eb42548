"""The checks of `lexkit verify`: the promises of the schema, as numbered queries that must find nothing.

``E1..`` checks structure, ``E2..`` references and counts, ``W3..`` quality. The meaning of a code never changes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import duckdb

from lexkit.sources import validation
from lexkit.store.checksum import TABLES, checksum, recorded_checksums
from lexkit.store.relate import derive_again, summarize_again
from lexkit.text import without_unprintable


class Check(NamedTuple):
    """A query or a function that returns faults as rows. The first column of the first row is shown as an example."""

    code: str
    title: str
    faults: str | Callable[[duckdb.DuckDBPyConnection], list[tuple[str]]]


SCHEMA = Path(__file__).with_name("schema.sql")
_VIEW = re.compile(r"^CREATE VIEW (\w+) AS\n(.*?);$", re.MULTILINE | re.DOTALL)
_PAIR = "word_a || '/' || word_b || ' ' || kind"


def _changed_tables(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    recorded = recorded_checksums(connection)
    return [(table,) for table in TABLES if checksum(connection, table) != recorded.get(table)]


_COLUMNS = """
    SELECT table_name || '.' || column_name AS name, data_type FROM information_schema.columns
    WHERE table_schema = 'main' AND table_catalog = current_database()
"""


def _wrong_columns(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    """Compare tables, views and their columns with those of the schema."""
    with duckdb.connect() as empty:
        empty.execute(SCHEMA.read_text(encoding="utf-8"))
        expected = empty.execute(_COLUMNS).fetchall()
    found = set(connection.execute(_COLUMNS).fetchall())
    return sorted((name,) for name, data_type in expected if (name, data_type) not in found)


def _wrong_views(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    """Compare the rows of each view with those of its SELECT in the schema."""
    views = _VIEW.findall(SCHEMA.read_text(encoding="utf-8"))
    return [(name,) for name, select in views if checksum(connection, name) != checksum(connection, f"({select})")]


def _wrong_derivations(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    """Derive relations again with the statement that builds use, and return the differences in both directions."""
    derive_again(connection)
    columns = (
        "word_a, word_b, kind, source, pos, regexp_replace(rule, '^contradicted:', '') AS rule,"
        " from_a, from_b, from_kind, same_pos, usage_a, usage_b, distance"
    )
    return connection.execute(
        f"""
        WITH kept AS (SELECT {columns} FROM evidence WHERE rule IS NOT NULL), again AS (SELECT {columns} FROM derived)
        SELECT {_PAIR} FROM ((FROM kept EXCEPT FROM again) UNION ALL (FROM again EXCEPT FROM kept))
        ORDER BY ALL
        """
    ).fetchall()


def _wrong_summaries(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    """Summarize evidence again with the statements that builds use, and return the relations that differ.

    Rounded numbers may differ by one unit between machines.
    """
    summarize_again(connection)
    return connection.execute(
        f"""
        SELECT {_PAIR} FROM relation r FULL JOIN summarized s USING (word_a, word_b, kind)
        WHERE (r.direct, r.n_sources, r.contested, r.sources, r.pos, r.same_pos, r.usage_a, r.usage_b)
            IS DISTINCT FROM (s.direct, s.n_sources, s.contested, s.sources, s.pos, s.same_pos, s.usage_a, s.usage_b)
            OR abs(r.confidence - s.confidence) > 0.011
            OR greatest(abs(r.weight_a - s.weight_a), abs(r.weight_b - s.weight_b)) > 0.011
        ORDER BY ALL
        """
    ).fetchall()


def _wrong_words(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    """Find words that a build would refuse."""
    folded = connection.execute("SELECT word FROM word WHERE folded <> lower(word)").fetchall()
    return sorted({*folded, *_faults(connection, "SELECT word FROM word", validation.WORD)})


def _wrong_texts(connection: duckdb.DuckDBPyConnection) -> list[tuple[str]]:
    frequencies = "SELECT word || ' ' || frequency FROM word WHERE NOT frequency BETWEEN 0 AND 9"
    found = set(connection.execute(frequencies).fetchall())
    for columns, rule in _TEXTS.items():
        for column in columns.split(", "):
            name, _, table = column.partition(" of ")
            faults = _faults(connection, f"SELECT DISTINCT {name} FROM {table}", rule)
            found.update((f"{column}: {fault}",) for (fault,) in faults)
    return sorted(found)


def _faults(connection: duckdb.DuckDBPyConnection, query: str, rule: validation.Rule) -> list[tuple[str]]:
    column = connection.sql(query).to_arrow_table().column(0)
    return [(without_unprintable(fault),) for fault in rule.faults(column)]


_TEXTS = {
    "sense of evidence, segmentation of morphology": validation.TEXT,
    "uri of source, origin of source, licence of source, reason of rejection, example of rejection": validation.LINE,
    "pos of evidence, scope of evidence, unnest(pos) of morphology": validation.NAME,
    "unnest(usage_a) of evidence, unnest(usage_b) of evidence": validation.LABEL,
    "unnest(prefixes) of morphology, unnest(roots) of morphology, unnest(suffixes) of morphology": validation.MORPHEME,
}
"""Rules for columns of text, by columns and tables."""

CHECKS = (
    Check(
        "E101",
        "a table, a view or a column is missing or has another type",
        _wrong_columns,
    ),
    Check(
        "E102",
        "word ids are not 0, 1, 2 ... in the order of the words",
        "SELECT word FROM (SELECT word, word_id, row_number() OVER (ORDER BY word) - 1 AS place FROM word)"
        " WHERE word_id <> place",
    ),
    Check("E103", "a word occurs twice", "SELECT word FROM word GROUP BY word HAVING count(*) > 1"),
    Check(
        "E104",
        "a word has no letter, is not normalised, or has a wrong folded form",
        _wrong_words,
    ),
    Check(
        "E105",
        "a pair is not in order, or a word is related to itself",
        f"SELECT {_PAIR} FROM relation WHERE word_a >= word_b"
        f" UNION ALL SELECT {_PAIR} FROM evidence WHERE word_a >= word_b OR from_a >= from_b"
        " UNION ALL SELECT word_id || '/' || base_id || ' negation' FROM negation WHERE word_id = base_id",
    ),
    Check("E106", "a relation occurs twice", f"SELECT {_PAIR} FROM relation GROUP BY ALL HAVING count(*) > 1"),
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
        "the content of a table is not what was built",
        _changed_tables,
    ),
    Check(
        "E110",
        "a view differs from its definition in the schema",
        _wrong_views,
    ),
    Check(
        "E111",
        "a gloss, a part of speech, a label, a morpheme, a frequency or a note on a source is not valid",
        _wrong_texts,
    ),
    Check(
        "E201",
        "a word id does not exist in word",
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
        "a summary of the evidence in relation (direct, n_sources, confidence, weight ...) disagrees with it",
        _wrong_summaries,
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
        "evidence is marked as contradicted, but no source contradicts it",
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
        "a tokenizer has two spans for a word",
        "SELECT DISTINCT tokenizer FROM span GROUP BY tokenizer, word_id HAVING count(*) > 1",
    ),
    Check(
        "E211",
        "the kind of derived evidence does not follow from its rule",
        f"""
        SELECT {_PAIR} FROM (
            SELECT *, regexp_replace(rule, '^contradicted:', '') AS name FROM evidence WHERE rule IS NOT NULL
        )
        WHERE kind IS DISTINCT FROM CASE
            WHEN name IN ('negation', 'reversal', 'indirect') OR contains(name, '/') THEN 'antonym'
            WHEN name = 'double negation' THEN 'synonym'
            WHEN contains(name, '+') THEN from_kind
            WHEN from_kind = 'synonym' THEN 'antonym'
            WHEN from_kind = 'antonym' THEN 'synonym'
        END
        """,
    ),
    Check(
        "E212",
        "derived evidence does not follow from the negations",
        _wrong_derivations,
    ),
    Check(
        "E213",
        "the sources state only the other kind, but derived evidence is not marked as contradicted",
        f"""
        WITH stated AS (SELECT DISTINCT word_a, word_b, kind FROM evidence WHERE rule IS NULL)
        SELECT {_PAIR} FROM (SELECT * FROM evidence WHERE rule NOT LIKE 'contradicted:%') d
        ANTI JOIN stated s ON s.word_a = d.word_a AND s.word_b = d.word_b AND s.kind = d.kind
        SEMI JOIN stated t ON t.word_a = d.word_a AND t.word_b = d.word_b AND t.kind <> d.kind
        """,
    ),
    Check(
        "E214",
        "a source's count of records does not match what it states and analyses",
        """
        SELECT source FROM source
        LEFT JOIN (SELECT source, count(*) AS n FROM evidence WHERE rule IS NULL GROUP BY source) USING (source)
        WHERE n_records < 0 OR n_rejected < 0 OR (n > 0 AND n_records = 0)
            OR (kind = 'pairs' AND n > n_records - n_rejected)  -- each line states at most one relation
            OR (kind = 'morpholex' AND n_records
                <> (SELECT count(*) FROM morphology WHERE analyser = 'morpholex')
                + (SELECT coalesce(sum(rejection.n), 0) FROM rejection
                   WHERE rejection.source = source.source AND reason <> 'an unknown part of speech'))
        """,
    ),
    Check(
        "E215",
        "the sources are not those that the build recorded",
        """
        WITH recorded AS (SELECT unnest(json_keys(value, '$.sources')) AS source FROM meta WHERE key = 'options')
        SELECT source FROM (SELECT source FROM source WHERE kind <> 'affix') ANTI JOIN recorded USING (source)
        UNION ALL
        SELECT source FROM recorded ANTI JOIN source USING (source)
        """,
    ),
    Check(
        "E216",
        "a word has several analyses, or is negated without one",
        "SELECT word_id FROM morphology GROUP BY word_id HAVING count(*) > 1"
        " UNION ALL SELECT word_id FROM negation ANTI JOIN morphology USING (word_id)",
    ),
    Check(
        "E218",
        "a form, or its lemma, does not exist in word",
        "SELECT id FROM (SELECT word_id AS id FROM form UNION SELECT lemma_id FROM form)"
        " ANTI JOIN word ON word_id = id",
    ),
    Check(
        "E219",
        "a form has an unknown kind, is its own lemma, or occurs twice",
        "SELECT word_id || '/' || lemma_id || ' ' || kind FROM form"
        " WHERE kind NOT IN ('inflection', 'spelling', 'hyphenation') OR word_id = lemma_id"
        " UNION ALL SELECT word_id || '/' || lemma_id || ' ' || kind FROM (FROM form GROUP BY ALL HAVING count(*) > 1)",
    ),
    Check(
        "E220",
        "a form names an unknown source",
        "SELECT source FROM form ANTI JOIN source USING (source) WHERE source <> 'rules'",
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
        "SELECT source FROM source ANTI JOIN evidence USING (source) ANTI JOIN form USING (source)"
        " WHERE kind <> 'morpholex' OR NOT EXISTS (FROM morphology)",
    ),
)
