"""Add the spans of tokenizers to a store."""

from __future__ import annotations

import os
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import duckdb
import pyarrow as pa

from lexkit.arguments import require_list, require_number, require_path
from lexkit.errors import TokenizerError
from lexkit.progress import Progress
from lexkit.store.checksum import record_checksums
from lexkit.store.files import connect, reading, store_copy, timestamp
from lexkit.tokens.loading import load_tokenizer, parse_tokenizer
from lexkit.tokens.spans import fingerprint, spans

if TYPE_CHECKING:
    from tokenizers import Tokenizer


_BATCHES = 4
"""Number of batches for one INSERT, which takes some milliseconds even for a few rows."""


class Tokenized(NamedTuple):
    """The result of `tokenize` for one tokenizer."""

    tokenizer: str
    """Name of the tokenizer in the store."""
    fingerprint: str
    vocab_size: int
    words: int
    """Number of words in the store."""
    cannot_write: int
    """Number of words without a span, because the tokenizer cannot encode them."""
    outcome: Literal["added", "replaced", "unchanged"]


def tokenize(
    store: str | os.PathLike[str],
    tokenizers: Sequence[str],
    *,
    replace: bool = False,
    jobs: int = 2,
    progress: Progress | None = None,
) -> list[Tokenized]:
    """Add to a store how tokenizers split its words.

    The store is replaced in one step at the end; readers keep the old one. A tokenizer that the store already has, with
    the same name and fingerprint, is skipped.

    Args:
        store: Path of the store.
        tokenizers: A list of ``tokenizer.json`` files, folders that contain one, or names on the Hugging Face hub. Each
            may be given a name, as in ``llama=FILE``.
        replace: Replace a different tokenizer of the same name, instead of raising `TokenizerError`.
        jobs: Number of threads of the database.
        progress: Receives a stage for each tokenizer.

    Returns:
        One `Tokenized` for each tokenizer, in the order of *tokenizers*.

    Raises:
        StoreError: The file is not a store, cannot be written, or is being changed by another process.
        TokenizerError: A tokenizer cannot be loaded, or the store has a different one with the same name.
        ArgumentError: *tokenizers* is not a list, or *jobs* is not a whole number of at least 1.
    """
    require_list("tokenizers", tokenizers, "['NAME=PATH']")
    require_number("jobs", jobs, 1)
    require_path("store", store)
    target, progress = Path(store), progress or Progress()
    loaded = load_tokenizers(tokenizers, progress)
    # Before `add_spans` turns off truncation and padding, so that the fingerprint is that of the file
    fingerprints = {name: fingerprint(tokenizer) for name, tokenizer in loaded.items()}
    with reading(target) as connection:
        known = dict(connection.execute("SELECT tokenizer, fingerprint FROM tokenizer").fetchall())
        ((n_words,),) = connection.execute("SELECT count(*) FROM word").fetchall()
    wanted = {name: digest for name, digest in fingerprints.items() if known.get(name) != digest}
    other = next((name for name in wanted if name in known), None)
    if other is not None and not replace:
        raise TokenizerError(
            f"{target}: has a different tokenizer named {other!r} (fingerprint {known[other][:12]}, this one "
            f"{fingerprints[other][:12]}); give the new one another name with NAME=PATH, or use --replace"
        )
    try:
        if wanted:
            _change(target, {name: loaded[name] for name in wanted}, jobs, progress)
    finally:
        progress.close()
    with reading(target) as connection:
        n_spans = dict(connection.execute("SELECT tokenizer, count(*) FROM span GROUP BY tokenizer").fetchall())
    return [
        Tokenized(
            name,
            digest,
            loaded[name].get_vocab_size(with_added_tokens=True),
            n_words,
            n_words - n_spans.get(name, 0),
            "unchanged" if name not in wanted else "replaced" if name in known else "added",
        )
        for name, digest in fingerprints.items()
    ]


def load_tokenizers(tokenizers: Sequence[str], progress: Progress) -> dict[str, Tokenizer]:
    """Load tokenizers, and return them by their names in a store; this is a stage of its own.

    Raises:
        TokenizerError: a tokenizer cannot be loaded, or two have the same name.
    """
    chosen: dict[str, str] = {}
    for name, location in dict.fromkeys(parse_tokenizer(text) for text in tokenizers):
        if name in chosen:
            raise TokenizerError(
                f"{chosen[name]} and {location}: both would be named {name!r}; give one another name with NAME=PATH"
            )
        chosen[name] = location
    if chosen:
        progress.stage("load tokenizers")
    return {name: load_tokenizer(location) for name, location in chosen.items()}


def add_spans(
    connection: duckdb.DuckDBPyConnection, name: str, tokenizer: Tokenizer, progress: Progress | None = None
) -> None:
    """Add a tokenizer to the tables `tokenizer` and `span` of an open store; see `lexkit.tokens.spans`.

    Raises:
        TokenizerError: the tokenizer gives words no spans of their own (see `lexkit.tokens.spans.leading_space`).
    """
    digest = fingerprint(tokenizer)
    table = connection.sql("SELECT word_id, word FROM word ORDER BY word_id").to_arrow_table()
    batches, first = spans(tokenizer, table["word"].to_pylist()), 0
    while some := list(islice(batches, _BATCHES)):
        rows = pa.Table.from_batches(some)
        rows = rows.append_column("word_id", table["word_id"].slice(first, rows.num_rows))
        connection.register("batch", rows)
        connection.execute(
            "INSERT INTO span SELECT ?, word_id, token_ids, n_tokens FROM batch WHERE token_ids IS NOT NULL", [name]
        )
        connection.unregister("batch")
        first += rows.num_rows
        if progress is not None:
            progress.count(first, table.num_rows, "words")
    connection.execute(
        "INSERT INTO tokenizer VALUES (?, ?, ?, ?)",
        [name, digest, tokenizer.get_vocab_size(with_added_tokens=True), timestamp()],
    )


def _change(target: Path, tokenizers: dict[str, Tokenizer], jobs: int, progress: Progress) -> None:
    progress.stage("copy the store")
    with store_copy(target) as path, connect(path, jobs) as connection:
        for name, tokenizer in tokenizers.items():
            progress.stage(f"tokenize with {name}")
            connection.execute("DELETE FROM span WHERE tokenizer = ?", [name])
            connection.execute("DELETE FROM tokenizer WHERE tokenizer = ?", [name])
            connection.execute("CHECKPOINT")  # so that the new rows reuse the space of the old ones
            add_spans(connection, name, tokenizer, progress)
        progress.stage("write the store")
        record_checksums(connection, ("tokenizer", "span"))
        connection.execute("CHECKPOINT")
