"""Whole tables of a store in Arrow: relations and evidence, with words in place of ids."""

from __future__ import annotations

import duckdb
import pyarrow as pa

from lexkit.errors import QueryError
from lexkit.sources.records import KINDS
from lexkit.tokens.loading import parse_tokenizer

_WANTED = """relation.confidence >= $min_confidence
    AND NOT list_has_any(string_split(usage_a || ',' || usage_b, ','), $without_usage::VARCHAR[])"""
_CHOSEN = f"SEMI JOIN (FROM relation WHERE {_WANTED}) USING (word_a, word_b, kind)"
_RELATIONS = """
SELECT a.word AS word_a, b.word AS word_b, kind, direct, n_sources, string_split(sources, ',') AS sources, contested,
    CASE WHEN pos = '' THEN [] ELSE string_split(pos, ',') END AS pos, same_pos,
    CASE WHEN usage_a = '' THEN [] ELSE string_split(usage_a, ',') END AS usage_a,
    CASE WHEN usage_b = '' THEN [] ELSE string_split(usage_b, ',') END AS usage_b,
    confidence, weight_a, weight_b {tokens}
FROM relation
JOIN word a ON a.word_id = word_a
JOIN word b ON b.word_id = word_b
{spans}
WHERE ($kind IS NULL OR kind = $kind) AND ($contested OR NOT contested) AND {wanted}
    AND (len($pos::VARCHAR[]) = 0 OR list_has_any(string_split(pos, ','), $pos))
ORDER BY relation.word_a, relation.word_b, kind
"""
_TOKENS = ", s.token_ids AS token_ids_a, t.token_ids AS token_ids_b"
_SPANS = """
JOIN (SELECT * FROM span WHERE tokenizer = $tokenizer AND n_tokens <= $max_tokens) s ON s.word_id = relation.word_a
JOIN (SELECT * FROM span WHERE tokenizer = $tokenizer AND n_tokens <= $max_tokens) t ON t.word_id = relation.word_b
"""
_EVIDENCE = """
SELECT a.word AS word_a, b.word AS word_b, kind, source, pos, sense, scope, n_words, distance,
    coalesce(usage_a, []) AS usage_a, coalesce(usage_b, []) AS usage_b, rule, c.word AS from_a, d.word AS from_b,
    from_kind, same_pos
FROM evidence {chosen}
JOIN word a ON a.word_id = word_a
JOIN word b ON b.word_id = word_b
LEFT JOIN word c ON c.word_id = evidence.from_a
LEFT JOIN word d ON d.word_id = evidence.from_b
ORDER BY evidence.word_a, evidence.word_b, kind, source, pos, sense, scope, n_words, distance, rule,
    evidence.from_a, evidence.from_b, from_kind, usage_a, usage_b
"""
_MOST_TOKENS = 2**31 - 1


def relations(
    connection: duckdb.DuckDBPyConnection,
    kind: str | None = None,
    tokenizer: str | None = None,
    max_tokens: int | None = None,
    *,
    contested: bool = True,
    pos: tuple[str, ...] = (),
    min_confidence: float = 0,
    without: tuple[str, ...] = (),
) -> pa.Table:
    """Return relations; see `lexkit.store.lexicon.Lexicon.relations`.

    Raises:
        QueryError: the kind or the tokenizer does not exist, or *max_tokens* is given without a tokenizer.
    """
    if kind is not None and kind not in KINDS:
        raise QueryError(f"no kind {kind!r}; say synonym or antonym")
    if max_tokens is not None and (tokenizer is None or max_tokens < 1):
        raise QueryError("max_tokens must be at least 1 and needs a tokenizer; name one")
    params: dict[str, object] = {"kind": kind, "contested": contested, "pos": list(pos)}
    params |= {"min_confidence": min_confidence, "without_usage": list(without)}
    sql = _RELATIONS.format(wanted=_WANTED, tokens="", spans="")
    if tokenizer is not None:
        params |= {"tokenizer": tokenizer, "max_tokens": _MOST_TOKENS if max_tokens is None else max_tokens}
        sql = _RELATIONS.format(wanted=_WANTED, tokens=_TOKENS, spans=_SPANS)
    return connection.sql(sql, params=params).to_arrow_table()


def evidence(
    connection: duckdb.DuckDBPyConnection, *, min_confidence: float = 0, without: tuple[str, ...] = ()
) -> pa.Table:
    """Return evidence, with words in place of ids, sorted by all columns.

    By default, this is all evidence. The arguments limit it to the relations that `relations` returns for them.
    """
    if not min_confidence and not without:
        return connection.sql(_EVIDENCE.format(chosen="")).to_arrow_table()
    params: dict[str, object] = {"min_confidence": min_confidence, "without_usage": list(without)}
    return connection.sql(_EVIDENCE.format(chosen=_CHOSEN), params=params).to_arrow_table()


def find_tokenizer(connection: duckdb.DuckDBPyConnection, asked: str) -> str:
    """Return the name of a tokenizer in a store; see `lexkit.store.lexicon.Lexicon.tokenizer`.

    Raises:
        QueryError: the store has no such tokenizer.
    """
    names = [name for (name,) in connection.execute("SELECT tokenizer FROM tokenizer ORDER BY tokenizer").fetchall()]
    for name in (asked, parse_tokenizer(asked).name):
        if name in names:
            return name
    known = f"it has {', '.join(names)}" if names else "it has none"
    raise QueryError(
        f"no tokenizer {asked!r} in the store; {known}; add one with 'lexkit tokenize --tokenizer {asked}'"
    )
