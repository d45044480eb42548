"""Read and write sense dictionaries.

A dictionary is a folder with these files, none of which is a pickle:

    senses.safetensors    sense embeddings (N, d), bf16
    index.parquet         one row per key: a token or word, and its rows of the senses
    tokenizer.json        the teacher's tokenizer, with which a store's words must be tokenized
    contexts.parquet      example contexts of each sense; may be deleted
    meta.json             teacher, options and fingerprints; written last
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import IO, TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from lexkit.atomic_write import new_file
from lexkit.errors import first_line
from lexkit.text import fold, normalize_word
from lexkit_distill.errors import DictionaryError
from lexkit_distill.senses.meta import (
    CONTEXTS,
    FORMAT,
    INDEX,
    META,
    SENSES,
    TOKENIZER,
    Meta,
    read_meta,
    write_meta,
)

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from lexkit_distill.supervision.relations import Relations
    from lexkit_distill.teacher import Teacher
    from lexkit_distill.tokenization import TextEncoder

__all__ = [
    "CONTEXTS",
    "FORMAT",
    "INDEX",
    "INDEX_SCHEMA",
    "META",
    "SENSES",
    "TOKENIZER",
    "Meta",
    "RowWriter",
    "SenseDictionary",
    "index_table",
    "read_meta",
    "write_meta",
    "write_table",
]

INDEX_SCHEMA = pa.schema(
    [
        ("key_kind", pa.string()),
        ("token_ids", pa.list_(pa.int32())),
        ("word", pa.string()),
        ("first_row", pa.int64()),
        ("n_rows", pa.int32()),
        ("n_seen", pa.int64()),
        ("inertia", pa.float32()),
    ]
)


_DELTA = {"first_row", "n_rows", "n_seen"}


class SenseDictionary:
    """A sense dictionary, open for reading. Its rows are memory-mapped.

    Args:
        path: folder of a dictionary made by `lexkit distill senses`.
        teacher: fingerprint that the dictionary's teacher must have; None skips this check.
        tokenizer: fingerprint that the dictionary's tokenizer must have; None skips this check.
        relations: relations of the store that it was composed with; needed for synonyms and antonyms.

    Raises:
        DictionaryError: the dictionary is missing, unfinished or damaged, or belongs to another teacher, tokenizer or
            store.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        teacher: str | None = None,
        tokenizer: str | None = None,
        relations: Relations | None = None,
    ) -> None:
        self.path = Path(path)
        self.meta = read_meta(self.path)
        self._check_belongs(teacher, tokenizer, relations)
        self.relations = relations
        try:
            self.index: pa.Table = pq.read_table(self.path / INDEX, schema=INDEX_SCHEMA).combine_chunks()
            with safe_open(self.path / SENSES, framework="pt") as file:
                self.rows: Tensor = file.get_tensor("senses")
        except (OSError, SafetensorError, pa.ArrowException) as error:
            raise DictionaryError(f"{self.path}: damaged ({first_line(error)}); build it again") from error
        self._check_whole()
        self.first: npt.NDArray[np.int64] = self.index["first_row"].to_numpy().astype(np.int64)
        self.n_rows: npt.NDArray[np.int64] = self.index["n_rows"].to_numpy().astype(np.int64)

    @classmethod
    def of(
        cls,
        path: str | os.PathLike[str],
        teacher: Teacher | None,
        encoder: TextEncoder,
        relations: Relations | None = None,
    ) -> SenseDictionary:
        """Open a dictionary, and check that it belongs to a teacher with the same weights, in whichever files.

        Args:
            path: folder of a dictionary made by `lexkit distill senses`.
            teacher: teacher that the dictionary must have been built from; None skips this check.
            encoder: encoder of the teacher; the dictionary must have the same tokenizer.
            relations: relations of the store that it was composed with; needed for synonyms and antonyms.

        Raises:
            DictionaryError: see the class.
        """
        fingerprint = teacher.fingerprint if teacher is not None else None
        if teacher is not None:
            meta = read_meta(Path(path))
            if teacher.has_fingerprint(meta.teacher_fingerprint, meta.teacher_values):
                fingerprint = meta.teacher_fingerprint
        return cls(path, teacher=fingerprint, tokenizer=encoder.fingerprint, relations=relations)

    def _check_belongs(self, teacher: str | None, tokenizer: str | None, relations: Relations | None) -> None:
        meta = self.meta
        if teacher is not None and teacher != meta.teacher_fingerprint:
            raise DictionaryError(
                f"{self.path}: made by another teacher ({meta.teacher}, weights {meta.teacher_fingerprint[:12]}, not "
                f"{teacher[:12]}); use that teacher, or build a dictionary for this one with 'lexkit distill senses'"
            )
        if tokenizer is not None and tokenizer != meta.tokenizer_fingerprint:
            raise DictionaryError(
                f"{self.path}: made with another tokenizer ({meta.tokenizer_fingerprint[:12]}, not {tokenizer[:12]}); "
                "use the teacher's own tokenizer"
            )
        if relations is not None and relations.fingerprint != meta.store_fingerprint:
            composed = "composed with another store" if meta.store_fingerprint else "not composed with a store yet"
            raise DictionaryError(
                f"{self.path}: {composed}; run 'lexkit distill compose --store {relations.path} --senses {self.path}'"
            )

    def _check_whole(self) -> None:
        index = self.index
        last = pc.max(pc.add(index["first_row"], index["n_rows"])).as_py() or 0  # None where there are no keys
        if tuple(self.rows.shape[1:]) != (self.meta.hidden_size,) or last > len(self.rows):
            raise DictionaryError(f"{self.path}: {INDEX} and {SENSES} do not fit together; build it again")

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the rows, their keys, and the relations that the dictionary was opened with."""
        digest = sha256((self.meta.digest or _digest_of(self.rows)).encode())
        for name in ("key_kind", "token_ids", "word", "first_row", "n_rows"):
            digest.update(repr(self.index[name].to_pylist()).encode())
        if self.relations is not None:
            digest.update((self.relations.fingerprint + self.relations.chosen).encode())
        return digest.hexdigest()

    @property
    def unused_relations(self) -> dict[str, int]:
        """Number of the store's relations that are left out, by reason."""
        return self.relations.left_out if self.relations is not None else {}

    @property
    def is_word(self) -> npt.NDArray[np.bool_]:
        """(keys,) whether each key is a word rather than a token."""
        return np.asarray(pc.equal(self.index["key_kind"], "word"))

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that defines the token ids."""
        from lexkit.tokens.loading import load_tokenizer

        return load_tokenizer(str(self.path / TOKENIZER))

    @cached_property
    def token_key(self) -> npt.NDArray[np.int64]:
        """(V,) key (row of `index`) of each token id, or -1 if it has no senses."""
        keys = np.flatnonzero(~self.is_word)
        ids = self.index["token_ids"].combine_chunks().take(pa.array(keys)).flatten().to_numpy()
        table = np.full(max(self.tokenizer.get_vocab_size(), int(ids.max(initial=-1)) + 1), -1, np.int64)
        table[ids] = keys
        return table

    @cached_property
    def word_key(self) -> dict[str, int]:
        """Key (row of `index`) of each word."""
        keys = np.flatnonzero(self.is_word)
        words = self.index["word"].take(pa.array(keys)).to_pylist()
        return dict(zip(words, keys.tolist(), strict=True))

    def find(self, key: Sequence[int] | str) -> int | None:
        """Return the key (row of `index`) of a word, or of the token ids of a word; None if it has no senses.

        A word that is not in the dictionary but consists of a single token has that token's key.
        """
        if isinstance(key, str):
            word = normalize_word(key)
            found = self.word_key.get(word, self.word_key.get(fold(word)))
            if found is not None:
                return found
            key = self.tokenizer.encode(" " + word, add_special_tokens=False).ids
        if len(key) == 1:
            found = int(self.token_key[key[0]]) if 0 <= key[0] < len(self.token_key) else -1
            return None if found < 0 else found
        return self._key_of_tokens.get(tuple(key))

    @cached_property
    def _key_of_tokens(self) -> dict[tuple[int, ...], int]:
        keys = np.flatnonzero(self.is_word)
        ids = self.index["token_ids"].take(pa.array(keys)).to_pylist()
        return dict(zip(map(tuple, ids), keys.tolist(), strict=True))

    def senses(self, key: Sequence[int] | str) -> Tensor:
        """Return the sense embeddings (n, d) of a word or of token ids, a view of `rows`; (0, d) if it has none."""
        found = self.find(key)
        if found is None:
            return self.rows[:0]
        return self.rows[self.first[found] : self.first[found] + int(self.n_rows[found])]

    def nearest(self, vectors: Tensor, kappa: int, *, block: int = 1 << 16) -> tuple[Tensor, Tensor]:
        """Return the senses nearest to each vector.

        Args:
            vectors: (Q, d) vectors, on any device.
            kappa: number of senses to return; fewer if the dictionary has fewer.
            block: number of rows to compare at a time.

        Returns:
            Mean squared differences (Q, kappa) in ascending order, and the rows (Q, kappa) of the senses.
        """
        queries = vectors.to(self.rows.device, torch.float32)
        distances = torch.empty(len(queries), 0)
        rows = torch.empty(len(queries), 0, dtype=torch.int64)
        for start in range(0, len(self.rows), block):
            part = self.rows[start : start + block].float()
            found = torch.cdist(queries, part, compute_mode="use_mm_for_euclid_dist").square() / queries.shape[1]
            places = torch.arange(start, start + len(part)).expand(len(queries), -1)
            distances, rows = torch.cat([distances, found], 1), torch.cat([rows, places], 1)
            best = torch.topk(distances, min(kappa, distances.shape[1]), dim=1, largest=False, sorted=True)
            distances, rows = best.values, rows.gather(1, best.indices)
        return distances, rows

    def key_of_rows(self, rows: Tensor) -> npt.NDArray[np.int64]:
        """Return the key that each of *rows* (n,) belongs to: that of a token, or of a word with composed senses."""
        order = self._owner_order
        place = np.searchsorted(self.first[order], rows.cpu().numpy(), side="right") - 1
        keys: npt.NDArray[np.int64] = order[place]
        return keys

    @cached_property
    def _owner_order(self) -> npt.NDArray[np.int64]:
        # A word of one token shares the rows of that token, which owns them
        single = pc.equal(pc.list_value_length(self.index["token_ids"]), 1).to_numpy()
        owners = np.flatnonzero(~(self.is_word & single))
        return owners[np.argsort(self.first[owners], kind="stable")]

    def name(self, key: int) -> str:
        """Return the text of a key: the word, or the text of the token."""
        word = self.index["word"][key].as_py()
        return str(word) if word is not None else self.token_text(int(self.index["token_ids"][key][0].as_py()))

    def token_text(self, token: int) -> str:
        """Return the text of a token, including its leading space."""
        return str(self.tokenizer.decode([token], skip_special_tokens=False))


class RowWriter:
    """Writes ``senses.safetensors`` row by row, under a temporary name until it is complete.

    Args:
        path: final path of the file.
        rows: number of rows (N).
        hidden_size: dimensions of a row (d).
    """

    def __init__(self, path: Path, rows: int, hidden_size: int) -> None:
        self._rows, self._written, self._sha256 = rows, 0, sha256()
        size = 2 * rows * hidden_size
        header = json.dumps(
            {"senses": {"dtype": "BF16", "shape": [rows, hidden_size], "data_offsets": [0, size]}},
            separators=(",", ":"),
        ).encode()
        header += b" " * (-len(header) % 8)  # safetensors requires aligned data
        self._stack = ExitStack()
        self._file: IO[bytes] = self._stack.enter_context(self._stack.enter_context(new_file(path)).open("wb"))
        self._file.write(len(header).to_bytes(8, "little") + header)

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of the rows written so far."""
        return self._sha256.hexdigest()

    def __enter__(self) -> RowWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Give the file its final name, or remove it if the block failed."""
        if error is None and self._written != self._rows:
            error = ValueError(f"{self._written} rows written instead of {self._rows}")
            self._stack.__exit__(ValueError, error, None)
            raise error
        self._stack.__exit__(kind, error, traceback)

    def write(self, rows: Tensor) -> None:
        """Append rows (n, d), rounded to bf16."""
        values = rows.detach().to(torch.bfloat16).contiguous()
        data = _bytes_of(values)
        self._file.write(data)
        self._sha256.update(data)
        self._written += len(values)


def _bytes_of(rows: Tensor) -> memoryview:
    return memoryview(rows.contiguous().view(torch.uint8).reshape(-1).numpy().data)


def _digest_of(rows: Tensor) -> str:
    digest = sha256()
    for part in torch.split(rows, 1 << 16):
        digest.update(_bytes_of(part))
    return digest.hexdigest()


def write_table(path: Path, table: pa.Table) -> None:
    """Write a Parquet file that gets its final name only when it is complete."""
    with new_file(path) as beside:
        pq.write_table(
            table,
            beside,
            compression="zstd",
            compression_level=9,
            use_dictionary=["key_kind"],
            column_encoding=dict.fromkeys(_DELTA & set(table.column_names), "DELTA_BINARY_PACKED"),
            write_statistics=False,
        )


def index_table(columns: dict[str, Iterable[Any]]) -> pa.Table:
    """Return a table with `INDEX_SCHEMA` from *columns* by name."""
    return pa.table({field.name: pa.array(columns[field.name], field.type) for field in INDEX_SCHEMA}, INDEX_SCHEMA)
