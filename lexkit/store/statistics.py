"""Count the contents of a store."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import duckdb


class KindCount(NamedTuple):
    """Numbers of relations of one kind."""

    kind: str
    relations: int
    stated: int
    derived: int
    contested: int


class SourceCount(NamedTuple):
    """One source file: records read and refused, and relations of each kind that it states."""

    source: str
    uri: str
    licence: str | None
    n_records: int
    n_rejected: int
    synonyms: int
    antonyms: int


class RuleCount(NamedTuple):
    """One derivation rule: the relations of each kind that rest on it, and those that sources contradict."""

    rule: str
    synonyms: int
    antonyms: int
    contradicted: int


class Rejected(NamedTuple):
    """Records of one source refused for one reason, with the first example."""

    source: str
    reason: str
    n: int
    example: str


class TokenizerCount(NamedTuple):
    """One tokenizer: its size, and the percentage of relations whose words need at most three tokens each."""

    tokenizer: str
    vocab_size: int
    synonyms_percent: float | None
    antonyms_percent: float | None
    cannot_write: int
    """Number of words without a span, because the tokenizer cannot encode them."""


@dataclass(frozen=True)
class Statistics:
    """Statistics of a store: numbers of rows, in total and by kind, source, rule, reason and tokenizer."""

    words: int
    words_in_relations: int
    morphology: int
    negations: int
    evidence: int
    kinds: list[KindCount]
    sources: list[SourceCount]
    rules: list[RuleCount]
    rejections: list[Rejected]
    tokenizers: list[TokenizerCount]


_KINDS = """
SELECT kind, count(r.kind), count(*) FILTER (direct), count(*) FILTER (NOT direct), count(*) FILTER (contested)
FROM (VALUES (0, 'synonym'), (1, 'antonym')) AS k(place, kind) LEFT JOIN relation r USING (kind)
GROUP BY place, kind ORDER BY place
"""
_SOURCES = """
SELECT s.source, uri, licence, n_records, n_rejected,
    count(DISTINCT (word_a, word_b)) FILTER (e.kind = 'synonym'),
    count(DISTINCT (word_a, word_b)) FILTER (e.kind = 'antonym')
FROM source s LEFT JOIN evidence e ON e.source = s.source AND rule IS NULL
GROUP BY ALL ORDER BY s.source
"""
_RULES = """
SELECT name,
    count(DISTINCT (word_a, word_b)) FILTER (kind = 'synonym' AND NOT contradicted),
    count(DISTINCT (word_a, word_b)) FILTER (kind = 'antonym' AND NOT contradicted),
    count(DISTINCT (word_a, word_b)) FILTER (contradicted)
FROM (
    SELECT *, replace(rule, 'contradicted:', '') AS name, starts_with(rule, 'contradicted:') AS contradicted
    FROM evidence WHERE rule IS NOT NULL
)
GROUP BY name ORDER BY count(*) DESC, name
"""
_TOKENIZERS = """
SELECT tokenizer, vocab_size,
    max(percent) FILTER (kind = 'synonym'), max(percent) FILTER (kind = 'antonym'),
    (SELECT count(*) FROM word) - (SELECT count(*) FROM span WHERE span.tokenizer = tokenizer.tokenizer)
FROM tokenizer LEFT JOIN (SELECT * FROM keep_rate WHERE reading = 'both' AND max_tokens = 3) USING (tokenizer)
GROUP BY tokenizer, vocab_size ORDER BY tokenizer
"""


LANGUAGE = "SELECT coalesce(max(value), error('its table meta has no language')) FROM meta WHERE key = 'language'"
"""Query for the code of the store's language."""


def count_briefly(connection: duckdb.DuckDBPyConnection) -> list[tuple[str, str]]:
    """Return names and values of what a reader of an open store wants to know first, in a few milliseconds."""
    kinds = dict(connection.execute("SELECT kind, count(*) FROM relation GROUP BY kind").fetchall())
    ((words,),) = connection.execute("SELECT count(*) FROM word").fetchall()
    ((language,),) = connection.execute(LANGUAGE).fetchall()
    return [
        ("language", language),
        ("words", f"{words:,}"),
        *((f"pairs of {kind}s", f"{kinds.get(kind, 0):,}") for kind in ("synonym", "antonym")),
        *(
            (
                f"{name}s",
                ", ".join(row[0] for row in connection.execute(f"SELECT {name} FROM {name} ORDER BY 1").fetchall()),
            )
            for name in ("source", "tokenizer")
        ),
    ]


def collect_statistics(connection: duckdb.DuckDBPyConnection) -> Statistics:
    """Count the words, relations, sources, rules, rejections and tokenizers of an open store."""

    def rows(sql: str) -> list[tuple]:  # type: ignore[type-arg]
        return connection.execute(sql).fetchall()

    def one(sql: str) -> int:
        return int(rows(sql)[0][0])

    return Statistics(
        words=one("SELECT count(*) FROM word"),
        words_in_relations=one("SELECT count(*) FROM (SELECT word_a FROM relation UNION SELECT word_b FROM relation)"),
        morphology=one("SELECT count(*) FROM morphology"),
        negations=one("SELECT count(*) FROM negation"),
        evidence=one("SELECT count(*) FROM evidence"),
        kinds=[KindCount(*row) for row in rows(_KINDS)],
        sources=[SourceCount(*row) for row in rows(_SOURCES)],
        rules=[RuleCount(*row) for row in rows(_RULES)],
        rejections=[Rejected(*row) for row in rows("SELECT * FROM rejection ORDER BY source, n DESC, reason")],
        tokenizers=[TokenizerCount(*row) for row in rows(_TOKENIZERS)] if one("SELECT count(*) FROM tokenizer") else [],
    )
