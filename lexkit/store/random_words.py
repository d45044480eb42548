"""Draw random words that have several synonyms and an antonym."""

from __future__ import annotations

import random
from collections.abc import Sequence

import duckdb

_LEAST_SYNONYMS = 4
_RARE, _COMMON = 2.5, 6.0
"""Frequencies on the Zipf scale between which a word is neither unheard of nor as common as *get*."""

_CANDIDATES = """
WITH end_of AS (
    SELECT word_a AS word_id, kind, direct, pos FROM relation
    UNION ALL
    SELECT word_b, kind, direct, pos FROM relation
),
counted AS (
    SELECT word_id, count(*) FILTER (direct AND kind = 'synonym') AS synonyms,
        count(*) FILTER (direct AND kind = 'antonym') AS antonyms
    FROM end_of
    WHERE len($pos::VARCHAR[]) = 0 OR list_has_any(string_split(pos, ','), $pos)
    GROUP BY word_id
)
SELECT word, synonyms >= $synonyms AND antonyms > 0
    AND coalesce(frequency BETWEEN $rare AND $common, NOT (SELECT count(frequency) > 0 FROM word)) AS is_rich
FROM counted JOIN word USING (word_id)
WHERE label IS NULL AND word_id NOT IN (SELECT word_id FROM form)
ORDER BY word_id
"""


def draw_words(connection: duckdb.DuckDBPyConnection, n: int, pos: Sequence[str], seed: int | None) -> list[str]:
    """Return words drawn from those that have relations, rich ones first; see `lexkit.store.lexicon.Lexicon.random`."""
    params = {"pos": list(pos), "synonyms": _LEAST_SYNONYMS, "rare": _RARE, "common": _COMMON}
    rows = connection.execute(_CANDIDATES, params).fetchall()
    rich = [word for word, is_rich in rows if is_rich]
    others = [word for word, is_rich in rows if not is_rich]
    draw = random.Random(seed)
    drawn = draw.sample(rich, min(n, len(rich)))
    return drawn + draw.sample(others, min(n - len(drawn), len(others)))
