"""Whole tables of a store in Arrow: relations and evidence, with words for ids."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import duckdb
import pyarrow as pa

from lexkit.errors import QueryError
from lexkit.sources.records import KINDS
from lexkit.store.files import named_statements
from lexkit.tokens.loading import choose

_HERE = Path(__file__).parent
_RELATIONS = """
SELECT a.word AS word_a, b.word AS word_b, kind, direct, n_sources, string_split(sources, ',') AS sources, contested,
    CASE WHEN pos = '' THEN [] ELSE string_split(pos, ',') END AS pos, same_pos {tokens}
FROM relation
JOIN word a ON a.word_id = word_a
JOIN word b ON b.word_id = word_b
{spans}
WHERE ($kind IS NULL OR kind = $kind) AND ($contested OR NOT contested)
ORDER BY relation.word_a, relation.word_b, kind
"""
_TOKENS = ", s.token_ids AS token_ids_a, t.token_ids AS token_ids_b"
_SPANS = """
JOIN (SELECT * FROM span WHERE tokenizer = $tokenizer AND n_tokens <= $max_tokens) s ON s.word_id = relation.word_a
JOIN (SELECT * FROM span WHERE tokenizer = $tokenizer AND n_tokens <= $max_tokens) t ON t.word_id = relation.word_b
"""
_EVIDENCE = """
SELECT a.word AS word_a, b.word AS word_b, kind, source, pos, sense, rule, c.word AS from_a, d.word AS from_b,
    from_kind, same_pos
FROM evidence
JOIN word a ON a.word_id = word_a
JOIN word b ON b.word_id = word_b
LEFT JOIN word c ON c.word_id = evidence.from_a
LEFT JOIN word d ON d.word_id = evidence.from_b
ORDER BY evidence.word_a, evidence.word_b, kind, source, pos, sense, rule, evidence.from_a, evidence.from_b, from_kind
"""
_MOST_TOKENS = 2**31 - 1


def relations(
    connection: duckdb.DuckDBPyConnection,
    kind: str | None = None,
    tokenizer: str | None = None,
    max_tokens: int | None = None,
    *,
    contested: bool = True,
) -> pa.Table:
    """Return relations; see `lexkit.store.lexicon.Lexicon.relations`.

    Raises:
        QueryError: no such kind or tokenizer, or *max_tokens* without a tokenizer.
    """
    if kind is not None and kind not in KINDS:
        raise QueryError(f"no kind {kind!r}; say synonym or antonym")
    if max_tokens is not None and (tokenizer is None or max_tokens < 1):
        raise QueryError("max_tokens is a number from 1 on, and wants a tokenizer; name one")
    params: dict[str, object] = {"kind": kind, "contested": contested}
    sql = _RELATIONS.format(tokens="", spans="")
    if tokenizer is not None:
        params |= {"tokenizer": tokenizer, "max_tokens": _MOST_TOKENS if max_tokens is None else max_tokens}
        sql = _RELATIONS.format(tokens=_TOKENS, spans=_SPANS)
    return connection.sql(sql, params=params).to_arrow_table()


def evidence(connection: duckdb.DuckDBPyConnection) -> pa.Table:
    """Return all evidence, with words for ids, sorted by all columns."""
    return connection.sql(_EVIDENCE).to_arrow_table()


def find_tokenizer(connection: duckdb.DuckDBPyConnection, asked: str) -> str:
    """Return the name by which a store knows a tokenizer; see `lexkit.store.lexicon.Lexicon.tokenizer`.

    Raises:
        QueryError: the store has no such tokenizer.
    """
    names = [name for (name,) in connection.execute("SELECT tokenizer FROM tokenizer ORDER BY tokenizer").fetchall()]
    for name in (asked, choose(asked).name):
        if name in names:
            return name
    known = f"it has {', '.join(names)}" if names else "it has none"
    raise QueryError(
        f"no tokenizer {asked!r} in the store; {known}; add one with 'lexkit tokenize --tokenizer {asked}'"
    )


def leave_out(connection: duckdb.DuckDBPyConnection, sources: Collection[str], analysers: Collection[str]) -> None:
    """Have this connection see a store without what rests on some sources, or on some analysers of words.

    Evidence goes if one of *sources* states it, or what it is derived from; and, where it is derived, if none but
    *analysers* attest the negation that it takes. Relations are then made of the rest as a build makes them.

    Args:
        connection: to a store that `lexkit.store.files.open_read_only` has opened; the tables `evidence` and `relation`
            are shadowed in it by temporary ones.
        sources: names of sources.
        analysers: as in `negation.analyser`.
    """
    statements = named_statements(_HERE / "leave_out.sql")
    connection.execute(statements["evidence"], {"sources": list(sources), "analysers": list(analysers)})
    connection.execute(statements["relation"])
    connection.execute(named_statements(_HERE / "relations.sql")["relation"])
