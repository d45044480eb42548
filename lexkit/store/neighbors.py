"""The neighbours of many words at once, in one pass over a store."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import duckdb
import pyarrow as pa

from lexkit.errors import ArgumentError
from lexkit.sources.records import Kind
from lexkit.store.filters import Filter
from lexkit.store.resolver import Resolver
from lexkit.store.spelling import ends_as_capitals, has_twins
from lexkit.text import fold, is_word, normalize_word

_NEIGHBORS = """
WITH exact AS (SELECT place, word_id FROM asked JOIN word USING (word)),
found AS (
    FROM exact
    UNION ALL
    FROM spelt
    UNION ALL
    SELECT place, word_id
    FROM (FROM asked ANTI JOIN exact USING (place) ANTI JOIN spelt USING (place)) a
    JOIN word w ON w.folded = lower(a.word)
),
neighbor AS (
    SELECT place, word_b AS other, weight_a AS weight FROM found JOIN relation ON word_a = word_id
    WHERE {wanted} AND NOT list_has_any(string_split(usage_b, ','), $without::VARCHAR[])
    UNION ALL
    SELECT place, word_a, weight_b FROM found JOIN relation ON word_b = word_id
    WHERE {wanted} AND NOT list_has_any(string_split(usage_a, ','), $without::VARCHAR[])
),
listed AS (
    SELECT place, list(other ORDER BY weight DESC, other) AS others
    FROM (SELECT place, other, max(weight) AS weight FROM neighbor GROUP BY place, other)
    WHERE NOT ($forms AND (place, other) IN (SELECT (place, word_id) FROM found))
    GROUP BY place
)
SELECT coalesce(others, []) AS neighbors FROM asked LEFT JOIN listed USING (place) ORDER BY place
"""
_WANTED = """kind = $kind AND (direct OR NOT $direct) AND confidence >= $min_confidence
    AND (len($pos::VARCHAR[]) = 0 OR list_has_any(string_split(pos, ','), $pos))"""
_MISSED = "SELECT place FROM asked ANTI JOIN word USING (word) WHERE lower(word) NOT IN (SELECT folded FROM word)"


def find_neighbors(
    connection: duckdb.DuckDBPyConnection,
    resolver: Callable[[], Resolver],
    asked: list[str],
    kind: Kind,
    wanted: Filter,
    forms: bool,
) -> pa.Table:
    """Return the neighbours of many words; see `lexkit.store.lexicon.Lexicon.neighbors`."""
    normal = [normalize_word(word) for word in asked]
    # unprintable text is not a word of a store, except for joiners
    table = pa.table(
        {
            "place": pa.array(range(len(asked)), pa.int32()),
            "word": pa.array([word if is_word(word) else None for word in normal], pa.string()),
        }
    )
    connection.register("asked", table)
    if forms:
        spelt = [(place, resolver().answering(word, True, kind)) for place, word in enumerate(normal)]
    else:
        # SQL cannot compare a few words: those with variants of apostrophes, and those that are not found otherwise
        special = {place for place, word in enumerate(normal) if has_twins(word) or ends_as_capitals(fold(word))}
        spelt = [(place, resolver().ids(normal[place])) for place in sorted(special)]
        missed = [place for (place,) in connection.execute(_MISSED).fetchall()]
        spelt += [(place, resolver().by_key(normal[place])) for place in missed if place not in special]
    pairs = [(place, word_id) for place, word_ids in spelt for word_id in word_ids]
    columns = list(zip(*pairs, strict=True)) or [(), ()]
    arrays = [pa.array(column, pa.int32()) for column in columns]
    connection.register("spelt", pa.table(arrays, ["place", "word_id"]))
    params: dict[str, object] = {
        "kind": kind,
        "direct": wanted.direct,
        "min_confidence": wanted.min_confidence,
        "forms": forms,
    }
    params |= {"pos": list(wanted.pos), "without": list(wanted.without)}
    rows = connection.sql(_NEIGHBORS.format(wanted=_WANTED), params=params).to_arrow_table()
    found = rows["neighbors"].combine_chunks().cast(pa.list_(pa.int32()))
    return pa.table({"word": pa.array(asked, pa.string()), "neighbors": found})


def list_of_words(words: Iterable[Any]) -> list[str]:
    """Return words as a list of strings.

    Raises:
        ArgumentError: *words* is a string or not iterable, or one of its items is not valid text.
    """
    if isinstance(words, (str, bytes)) or not isinstance(words, Iterable):
        example = words if isinstance(words, str) else "happy"
        raise ArgumentError(f"words={words!r}: give a list of words, such as [{example!r}]")
    asked = words.to_pylist() if isinstance(words, (pa.Array, pa.ChunkedArray)) else list(words)
    for place, word in enumerate(asked):
        if not isinstance(word, str):
            raise ArgumentError(f"words[{place}] is {word!r}; give words only")
        if any("\ud800" <= character <= "\udfff" for character in word):
            raise ArgumentError(f"words[{place}] is {word!r}, which is not valid Unicode; leave it out")
    return asked
