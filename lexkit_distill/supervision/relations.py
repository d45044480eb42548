"""Read words and relations from a store. No other module of lexkit_distill queries these tables."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lexkit.arguments import user_path
from lexkit.errors import StoreError
from lexkit.sources.records import Kind
from lexkit.store.lexicon import Lexicon
from lexkit.store.results import ARCHAIC, OFFENSIVE

_WORDS = """
    SELECT word_id, word, token_ids, n_tokens
    FROM span JOIN word USING (word_id)
    WHERE tokenizer = ? AND word_id IN (SELECT word_a FROM relation UNION SELECT word_b FROM relation)
    ORDER BY word_id
"""
# Both directions of each relation, with the reason for excluding it, if any
_RELATIONS = """
    WITH written AS (SELECT word_id FROM span WHERE tokenizer = $tokenizer)
    SELECT this, other, kind, CASE
        WHEN contested THEN 'contested'
        WHEN this NOT IN (FROM written) OR other NOT IN (FROM written) THEN 'no tokens for the words'
        WHEN confidence < $min_confidence THEN 'confidence below ' || $min_confidence
        WHEN list_has_any(string_split(usage, ','), $archaic::VARCHAR[]) THEN 'archaic'
        WHEN list_has_any(string_split(usage, ','), $offensive::VARCHAR[]) THEN 'offensive'
        END AS reason
    FROM (
        SELECT word_a AS this, word_b AS other, weight_a AS weight, usage_a || ',' || usage_b AS usage, * FROM relation
        UNION ALL
        SELECT word_b, word_a, weight_b, usage_a || ',' || usage_b, * FROM relation
    )
    ORDER BY this, kind, weight DESC, other
"""


@dataclass(frozen=True)
class Relations:
    """The words of a store that are in relations, their tokens, and their relations."""

    path: Path
    words: pa.Table
    """Columns word_id, word, token_ids and n_tokens; sorted by word_id."""
    pairs: pa.Table
    """Columns this, other (word ids) and kind; both directions, each word's best neighbours first."""
    fingerprint: str
    """SHA-256 (hex) of all words, their tokens and all relations, including those not in `pairs`."""
    chosen: str
    """SHA-256 (hex) of `pairs`."""
    left_out: dict[str, int]
    """Number of the store's relations that are not in `pairs`, by reason."""

    def neighbors(self, word: str, kind: str) -> list[str]:
        """Return the words related to *word* by *kind*, the best first."""
        ids = self.words.filter(pc.equal(self.words["word"], word))["word_id"]
        chosen = self.pairs.filter(pc.and_(pc.is_in(self.pairs["this"], ids), pc.equal(self.pairs["kind"], kind)))
        table = self.words["word"].take(pc.index_in(chosen["other"], self.words["word_id"]))
        found: list[str] = table.to_pylist()
        return found

    def answering(self, text: str, kind: Kind | None = None) -> list[str]:
        """Return the words whose relations a look-up of *text* uses, for one kind or all: run for *running*."""
        return self._lexicon.find(text, forms=True, kind=kind)

    @cached_property
    def forms_checksum(self) -> str:
        """Checksums of the tables that determine which lemmas a form stands for: form, word and relation."""
        found = self._lexicon.sql("SELECT value FROM meta WHERE key = 'checksums'")
        checksums = json.loads(found["value"][0].as_py())
        return " ".join(str(checksums[table]) for table in ("form", "word", "relation"))

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self.path)

    def of_kind(self, kind: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return the word ids (this, other) of all pairs of one kind, each (n,)."""
        chosen = self.pairs.filter(pc.equal(self.pairs["kind"], kind))
        return chosen["this"].to_numpy(), chosen["other"].to_numpy()


def read_relations(
    store: str | os.PathLike[str],
    tokenizer_fingerprint: str,
    tokenizer_path: str | os.PathLike[str],
    *,
    min_confidence: float = 0,
    archaic: bool = True,
    offensive: bool = True,
) -> Relations:
    """Read the words and relations of a store. Contested pairs, stated as both synonyms and antonyms, are left out.

    Args:
        store: path of the store.
        tokenizer_fingerprint: fingerprint of the tokenizer whose spans are read.
        tokenizer_path: path of its tokenizer.json, for the error message.
        min_confidence: relations with a lower confidence are left out.
        archaic: whether to include relations of archaic and obsolete words.
        offensive: whether to include relations of offensive and vulgar words.

    Raises:
        StoreError: the store does not exist, or has no spans for this tokenizer.
    """
    store = user_path(store)
    with Lexicon(store) as lexicon:
        known = lexicon.sql("SELECT tokenizer FROM tokenizer WHERE fingerprint = ?", [tokenizer_fingerprint])
        if known.num_rows == 0:
            raise StoreError(
                f"{store}: has no spans for the dictionary's tokenizer ({tokenizer_fingerprint[:12]}); run "
                f"'lexkit tokenize --store {store} --tokenizer {tokenizer_path}'"
            )
        tokenizer = known["tokenizer"][0].as_py()
        words = lexicon.sql(_WORDS, [tokenizer]).combine_chunks()
        params = {
            "tokenizer": tokenizer,
            "min_confidence": min_confidence,
            "archaic": [] if archaic else list(ARCHAIC),
            "offensive": [] if offensive else list(OFFENSIVE),
        }
        pairs = lexicon.sql(_RELATIONS, params).combine_chunks()
    left_out = {row["values"]: row["counts"] // 2 for row in pairs["reason"].drop_null().value_counts().to_pylist()}
    chosen = pairs.filter(pc.is_null(pairs["reason"])).drop_columns("reason")
    fingerprint = _digest(words, pairs.drop_columns("reason"))
    return Relations(store, words, chosen, fingerprint, _digest(chosen), dict(sorted(left_out.items())))


def _digest(*tables: pa.Table) -> str:
    digest = sha256()
    for table in tables:
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table.combine_chunks(), max_chunksize=1 << 16)
        digest.update(sink.getvalue())
    return digest.hexdigest()
