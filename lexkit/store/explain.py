"""Find the evidence that relates two words."""

from __future__ import annotations

from collections.abc import Sequence

import duckdb

from lexkit.sources.records import Kind
from lexkit.store.filters import Filter
from lexkit.store.index import Index
from lexkit.store.result_lists import Explanation
from lexkit.store.results import Evidence

_CONTRADICTED = "contradicted:"
_EVIDENCE = """
SELECT kind, source, pos, sense, scope, coalesce(usage, []), rule, same_pos, from_a, from_b, from_kind
FROM evidence
WHERE (
        (list_contains($words, word_a) AND list_contains($others, word_b))
        OR (list_contains($words, word_b) AND list_contains($others, word_a))
    )
    AND (len($pos::VARCHAR[]) = 0 OR list_contains($pos, pos))
    {confident}
ORDER BY rule IS NOT NULL, kind DESC, source, pos, sense, rule, from_a, from_b
"""
_CONFIDENT = "AND (word_a, word_b, kind) IN (SELECT (word_a, word_b, kind) FROM relation WHERE confidence >= $least)"


def find_evidence(
    connection: duckdb.DuckDBPyConnection, index: Index, words: Sequence[int], others: Sequence[int], wanted: Filter
) -> Explanation:
    """Return the evidence that relates any of *words* to any of *others*; see `Lexicon.explain`.

    Args:
        connection: connection to the store.
        index: index of the store.
        words: ids of words.
        others: ids of words.
        wanted: filter, of which only ``pos`` and ``min_confidence`` are used.
    """
    params: dict[str, object] = {"words": words, "others": others, "pos": list(wanted.pos)}
    if wanted.min_confidence:
        params["least"] = wanted.min_confidence
    query = _EVIDENCE.format(confident=_CONFIDENT if wanted.min_confidence else "")
    return Explanation(_evidence(index, *row) for row in connection.execute(query, params).fetchall())


def _evidence(
    index: Index,
    kind: Kind,
    source: str,
    pos: str | None,
    sense: str | None,
    scope: str | None,
    usage: list[str],
    rule: str | None,
    same_pos: bool,
    from_a: int | None,
    from_b: int | None,
    from_kind: Kind | None,
) -> Evidence:
    contradicted = rule is not None and rule.startswith(_CONTRADICTED)
    rule = rule.removeprefix(_CONTRADICTED) if rule is not None else None
    origin = None
    if from_a is not None and from_b is not None and from_kind is not None:
        origin = (index.word(from_a), index.word(from_b), from_kind)
    return Evidence(kind, source, pos, sense, scope, tuple(usage), rule, same_pos, contradicted, origin)
