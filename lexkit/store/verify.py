"""Verify a store: run the checks, and compare its spans with those of given tokenizers."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import duckdb
import pyarrow as pa

from lexkit.arguments import require_list, require_path
from lexkit.errors import TokenizerError, first_line
from lexkit.progress import Progress
from lexkit.store.checks import CHECKS, Check
from lexkit.store.files import reading
from lexkit.store.spans import load_tokenizers
from lexkit.tokens.spans import fingerprint, spans

if TYPE_CHECKING:
    from tokenizers import Tokenizer

SPANS = ("E217", "a span differs from the tokens of its tokenizer")
"""Code and title of the check that needs tokenizers, which a store does not contain."""
_DIFFERENT = """
SELECT $tokenizer || ' ' || word
FROM again JOIN word USING (word_id)
LEFT JOIN (SELECT word_id, token_ids FROM span WHERE tokenizer = $tokenizer) kept USING (word_id)
WHERE kept.token_ids IS DISTINCT FROM again.token_ids
ORDER BY word
"""


class Finding(NamedTuple):
    """The result of a check that found faults."""

    code: str
    title: str
    n: int
    example: str


def verify_store(
    path: str | os.PathLike[str], tokenizers: Sequence[str] = (), *, progress: Progress | None = None
) -> list[Finding]:
    """Run every check on a store and return those that found faults, in the order of their codes.

    Args:
        path: path of the store.
        tokenizers: tokenizers that encode all words again, to check their spans; as for `lexkit.tokenize`. The spans of
            other tokenizers are not checked.
        progress: shows how many checks are done.

    Raises:
        StoreError: the file is missing, is not a lexkit store, or has another schema version.
        TokenizerError: a tokenizer cannot be loaded, or differs from the store's tokenizer of the same name.
    """
    require_path("path", path)
    require_list("tokenizers", tokenizers, "['NAME=PATH']")
    progress = progress or Progress()
    loaded = load_tokenizers(tokenizers, progress)
    with reading(Path(path)) as connection:
        for name, tokenizer in loaded.items():
            _require_recorded(connection, path, name, tokenizer)
        checks = [*CHECKS, *([Check(*SPANS, partial(_different, tokenizers=loaded))] if loaded else [])]
        findings = []
        progress.stage("check the store")
        for done, check in enumerate(checks):
            progress.count(done, len(checks), "checks")
            findings.append(run_check(connection, check))
    return sorted(finding for finding in findings if finding is not None)


def _require_recorded(
    connection: duckdb.DuckDBPyConnection, path: str | os.PathLike[str], name: str, tokenizer: Tokenizer
) -> None:
    try:
        recorded = dict(connection.execute("SELECT tokenizer, fingerprint FROM tokenizer ORDER BY ALL").fetchall())
    except duckdb.Error:  # the checks will report the missing table
        return
    if name not in recorded:
        known = f"it has {', '.join(recorded)}" if recorded else "it has none"
        raise TokenizerError(f"{path}: has no tokenizer named {name!r}; {known}; give its name with NAME=PATH")
    digest = fingerprint(tokenizer)
    if digest != recorded[name]:
        raise TokenizerError(
            f"{path}: its tokenizer {name!r} has the fingerprint {recorded[name][:12]}, but the given one has "
            f"{digest[:12]}; give the tokenizer with which the spans were made"
        )


def _different(connection: duckdb.DuckDBPyConnection, tokenizers: dict[str, Tokenizer]) -> list[tuple[str]]:
    found: list[tuple[str]] = []
    table = connection.sql("SELECT word_id, word FROM word ORDER BY word_id").to_arrow_table()
    for name, tokenizer in tokenizers.items():
        batches = list(spans(tokenizer, table["word"].to_pylist()))
        if batches:
            again = pa.Table.from_batches(batches).append_column("word_id", table["word_id"])
            connection.register("again", again)
            found += connection.execute(_DIFFERENT, {"tokenizer": name}).fetchall()
            connection.unregister("again")
    return found


def run_check(connection: duckdb.DuckDBPyConnection, check: Check) -> Finding | None:
    """Run one check on an open store, and return a finding, or None if there are no faults."""
    try:
        if isinstance(check.faults, str):
            rows = connection.execute(f"FROM ({check.faults}) ORDER BY ALL").fetchall()
        else:
            rows = check.faults(connection)
    # Queries fail if a table or column is missing, and so does reading JSON that is damaged
    except (duckdb.Error, ValueError, KeyError, TypeError) as error:
        return Finding(check.code, check.title, 1, first_line(error))
    return Finding(check.code, check.title, len(rows), str(rows[0][0])) if rows else None
