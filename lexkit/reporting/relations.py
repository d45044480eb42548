"""Pack the relations of a report: 190,000 of them take 1.3 megabytes of text."""

from __future__ import annotations

import base64
import gzip
import json
from itertools import groupby
from operator import itemgetter
from typing import NamedTuple

from lexkit.errors import StoreError
from lexkit.safe_output import printable
from lexkit.store.lexicon import Lexicon

# The relations of the best-connected word come first, then the remaining ones of the second, and so on: the words that
# readers are likely to look for are complete. The id of the word breaks ties, so the choice is always the same.
_CHOSEN = """
WITH degree AS (
    SELECT word_id, count(*) AS n
    FROM (SELECT word_a AS word_id FROM relation UNION ALL SELECT word_b FROM relation)
    GROUP BY word_id
),
ranked AS (SELECT word_id, n, row_number() OVER (ORDER BY n DESC, word_id) AS place FROM degree),
chosen AS (
    SELECT relation.*
    FROM relation JOIN ranked a ON a.word_id = word_a JOIN ranked b ON b.word_id = word_b
    ORDER BY least(a.place, b.place), greatest(a.place, b.place), kind
    LIMIT ?
)
"""
_WORDS = f"""
{_CHOSEN}
SELECT word_id, word, n
FROM word JOIN degree USING (word_id)
WHERE word_id IN (SELECT word_a FROM chosen UNION SELECT word_b FROM chosen)
ORDER BY word_id
"""
_RELATIONS = f"""
{_CHOSEN}
SELECT word_a, word_b, round(4 * weight_a)::INTEGER, round(4 * weight_b)::INTEGER,
    round(100 * confidence)::INTEGER, kind, direct, contested, n_sources, sources, pos, usage_a, usage_b
FROM chosen ORDER BY word_a, word_b, kind DESC
"""


class PackedRelations(NamedTuple):
    """Relations in the form in which a page contains them."""

    text: str
    """JSON object, compressed with gzip and encoded in base64; `pack_relations` describes its fields."""
    n_relations: int
    n_words: int
    """Number of words that have at least one of these relations."""


def pack_relations(lexicon: Lexicon, limit: int) -> PackedRelations:
    """Pack at most *limit* relations, those of the best-connected words.

    The JSON object has these fields:

    - ``words``: the words in code point order.
    - ``degrees``: the number of relations of each word in the whole store, so that a page can say what it lacks.
    - ``labels``: the distinct ``[kind, direct, contested, n_sources, sources, pos, usage_a, usage_b]``.
    - columns with the relations sorted by their first word: ``counts`` (number of relations by first word), ``steps``
      (position of the second word, minus that of the first word or of the second word before it), ``label``,
      ``weight_a`` and ``weight_b`` in quarters, which is enough for sorting, and ``confidence`` in per cent.

    Columns contain differences of positions because small numbers compress better.

    Raises:
        StoreError: the store is damaged.
    """
    words = lexicon.sql(_WORDS, [limit])
    places = {word_id: place for place, word_id in enumerate(words["word_id"].to_pylist())}
    table = lexicon.sql(_RELATIONS, [limit])
    columns = [column.to_pylist() for column in table.columns]
    counts, steps = [0] * len(places), []
    try:
        for first, pairs in groupby(zip(columns[0], columns[1], strict=True), key=itemgetter(0)):
            before = places[first]
            for _, second in pairs:
                counts[places[first]] += 1
                steps.append(places[second] - before)
                before = places[second]
    except KeyError as error:
        raise StoreError(f"{lexicon.path}: damaged (a relation has no word {error}); build it again") from error
    labels: dict[tuple[object, ...], int] = {}
    label = [labels.setdefault(row, len(labels)) for row in zip(*columns[5:], strict=True)]
    document = {
        "words": list(map(printable, words["word"].to_pylist())),
        "degrees": words["n"].to_pylist(),
        "labels": [[*row[:4], *map(_split, row[4:])] for row in labels],
        "counts": counts,
        "steps": steps,
        "label": label,
        "weight_a": columns[2],
        "weight_b": columns[3],
        "confidence": columns[4],
    }
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    packed = base64.b64encode(gzip.compress(data, mtime=0)).decode("ascii")
    return PackedRelations(packed, table.num_rows, len(places))


def _split(names: object) -> list[str]:
    return printable(str(names)).split(",") if names else []
