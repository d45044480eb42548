"""What a store says about the words of a dictionary. The only place of this package that reads its tables."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from lexkit.errors import StoreError
from lexkit.sources.records import Kind
from lexkit.store.lexicon import Lexicon

_WORDS = """
    SELECT word_id, word, token_ids, n_tokens
    FROM span JOIN word USING (word_id)
    WHERE tokenizer = ? AND word_id IN (SELECT word_a FROM relation UNION SELECT word_b FROM relation)
    ORDER BY word_id
"""
# both directions; contested pairs are no evidence for either kind
_RELATIONS = """
    SELECT this, other, kind FROM (
        SELECT word_a AS this, word_b AS other, kind, weight_a AS weight FROM relation WHERE NOT contested
        UNION ALL
        SELECT word_b, word_a, kind, weight_b FROM relation WHERE NOT contested
    )
    ORDER BY this, kind, weight DESC, other
"""


@dataclass(frozen=True)
class Relations:
    """Words in relations, how a tokenizer cuts them, and their relations."""

    path: Path
    words: pa.Table
    """word_id, word, token_ids, n_tokens; in the order of word_id."""
    pairs: pa.Table
    """this, other (word ids), kind; both directions, without contested pairs; the best attested first."""

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of both tables: the same for stores with the same words, cuts and relations."""
        digest = sha256()
        for table in (self.words, self.pairs):
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table.combine_chunks(), max_chunksize=1 << 16)
            digest.update(sink.getvalue())
        return digest.hexdigest()

    def neighbors(self, word: str, kind: str) -> list[str]:
        """Return the words related to *word*, the best attested first."""
        ids = self.words.filter(pc.equal(self.words["word"], word))["word_id"]
        chosen = self.pairs.filter(pc.and_(pc.is_in(self.pairs["this"], ids), pc.equal(self.pairs["kind"], kind)))
        table = self.words["word"].take(pc.index_in(chosen["other"], self.words["word_id"]))
        found: list[str] = table.to_pylist()
        return found

    def answering(self, text: str, kind: Kind | None = None) -> list[str]:
        """Return the words whose relations, all or of one kind, answer for a word of a text: run for *running*."""
        return self._lexicon.find(text, forms=True, kind=kind)

    @cached_property
    def forms_checksum(self) -> str:
        """The checksum of what the store says about forms."""
        found = self._lexicon.sql("SELECT value FROM meta WHERE key = 'checksums'")
        return str(json.loads(found["value"][0].as_py())["form"])

    @cached_property
    def _lexicon(self) -> Lexicon:
        return Lexicon(self.path)

    def of_kind(self, kind: str) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
        """Return the pairs (this, other) of one kind."""
        chosen = self.pairs.filter(pc.equal(self.pairs["kind"], kind))
        return chosen["this"].to_numpy(), chosen["other"].to_numpy()


def read_relations(store: Path, tokenizer_fingerprint: str, tokenizer_path: Path) -> Relations:
    """Read the words and relations of a store.

    Args:
        store: the store.
        tokenizer_fingerprint: which tokenizer's cuts to take.
        tokenizer_path: a tokenizer.json of it, for the error message.

    Raises:
        StoreError: no store, or it has no spans for this tokenizer.
    """
    with Lexicon(store) as lexicon:
        known = lexicon.sql("SELECT tokenizer FROM tokenizer WHERE fingerprint = ?", [tokenizer_fingerprint])
        if known.num_rows == 0:
            raise StoreError(
                f"{store}: its words are not cut by the dictionary's tokenizer ({tokenizer_fingerprint[:12]}); run "
                f"'lexkit tokenize --store {store} --tokenizer {tokenizer_path}'"
            )
        words = lexicon.sql(_WORDS, [known["tokenizer"][0].as_py()])
        pairs = lexicon.sql(_RELATIONS)
    return Relations(store, words.combine_chunks(), pairs.combine_chunks())
