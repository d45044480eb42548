"""Building a store: read every source, stage its records, and let SQL make the tables."""

from __future__ import annotations

import datetime
import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import pyarrow as pa

from lexkit import __version__
from lexkit.errors import SourceError
from lexkit.morphology.negation import find_negations
from lexkit.progress import Progress
from lexkit.sources.files import fingerprint
from lexkit.sources.plugins import option_of
from lexkit.sources.records import Analysis, Kind
from lexkit.sources.roget.reader import Scope
from lexkit.sources.tally import Tally
from lexkit.store.files import SCHEMA_VERSION, published
from lexkit.store.inputs import Options, Pathlike, Source, choose_sources
from lexkit.store.staging import Staging
from lexkit.store.statistics import Statistics, collect_statistics
from lexkit.tokens import spans as tokens

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_HERE = Path(__file__).parent
MAX_REJECTED = 0.01
_MEMORY = "1GiB"
_READABLE_SINCE = "v1.0.0"
"""The oldest DuckDB that reads the file; left alone, DuckDB writes what only its own version and later ones read."""


@dataclass(frozen=True)
class BuildSummary:
    """What a build made."""

    path: str
    seconds: float
    statistics: Statistics
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds by stage."""


def build(
    output: str | os.PathLike[str] = "lexkit.duckdb",
    *,
    wiktionary: Pathlike | Sequence[Pathlike] = (),
    roget: Pathlike | Sequence[Pathlike] = (),
    morpholex: Pathlike | None = None,
    pairs: Sequence[tuple[Kind, Pathlike]] = (),
    sources: Sequence[tuple[str, Pathlike]] = (),
    tokenizers: Sequence[str] = (),
    language: str = "en",
    headwords: bool = True,
    roget_scope: Scope = "group",
    max_rejected: float = MAX_REJECTED,
    jobs: int | None = None,
    progress: Progress | None = None,
) -> BuildSummary:
    """Build a store from source files, or from the starter data if none is named.

    The target appears, or is replaced, in one step at the end: a build that fails or is killed leaves it as it was.
    The same files and options give the same tables, row for row, whatever *jobs* is; the times in ``meta`` and
    ``source`` are taken from the environment variable ``SOURCE_DATE_EPOCH`` where it is set. The word ``fetched``
    instead of a Wiktionary, Roget or MorphoLEX file means what `lexkit fetch` has brought into the cache.

    Args:
        output: the store's path; an existing store there is replaced.
        wiktionary: wiktextract or kaikki.org JSONL files, plain or gzipped; or MediaWiki XML dumps, plain or bzip2,
            which wiktextract first makes into JSONL in the cache.
        roget: Roget's Thesaurus 1911, Gutenberg #22 or #10681, or lexkit's table of it.
        morpholex: MorphoLEX-English, .xlsx or a table of text.
        pairs: (kind, file) of lists with two words a line.
        sources: (name, path) for the reader of that name, see docs/plugins.md; `lexkit sources` lists them.
        tokenizers: ``tokenizer.json`` files, folders that hold one, or names on the Hugging Face hub.
        language: Wiktionary's code of the language whose words are wanted.
        headwords: whether entries of Wiktionary without relations are words of the store, too.
        roget_scope: terms of one semicolon ``group``, or of one ``paragraph``, are synonyms.
        max_rejected: share of a file's records, from 0 to 1, that may be bad before the build stops.
        jobs: processes that extract and read, and threads that relate; by default as many as there are cores.
        progress: told of each stage.

    Returns:
        Counts, seconds, and the path.

    Raises:
        SourceError: a source cannot be read, is not what it should be, or has too many bad records.
        PluginError: a reader of *sources* is not installed, is broken, or yields what it must not.
        StoreError: the target cannot be written.
        TokenizerError: a tokenizer cannot be loaded.
    """
    started = time.perf_counter()
    target = Path(output)
    n_jobs = jobs or _cores()
    clock = _Clock(progress or Progress())
    options = Options(language, headwords, roget_scope, n_jobs, clock)
    chosen = choose_sources(wiktionary, roget, morpholex, pairs, sources, options)
    loaded = {name: tokens.load_tokenizer(name) for name in dict.fromkeys(tokenizers)}
    try:
        with published(target) as store, connect(store, n_jobs) as connection:
            connection.execute((_HERE / "schema.sql").read_text(encoding="utf-8"))
            with Staging(connection) as staging:
                for source in chosen:
                    clock.stage(f"read {source.name}")
                    _read_source(connection, staging, source, max_rejected)
            clock.stage("relate words")
            _make_relations(connection)
            for name, tokenizer in loaded.items():
                clock.stage(f"tokenize with {name}")
                _add_spans(connection, name, tokenizer)
            clock.stage("write")
            uris = {source.name: source.uri for source in chosen}
            _write_meta(connection, options, {"sources": uris, "tokenizers": list(loaded)})
            statistics = collect_statistics(connection)
            connection.execute("CHECKPOINT")
    finally:
        clock.close()
    return BuildSummary(str(target), time.perf_counter() - started, statistics, clock.seconds)


class _Clock(Progress):
    """Tells of stages and keeps how long each took; the rest it passes on."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._started = time.perf_counter()
        self._current: str | None = None
        self.seconds: dict[str, float] = {}

    def stage(self, name: str) -> None:
        self._end_stage()
        self._current = name
        self._progress.stage(name)

    def count(self, done: int, total: int | None, unit: str) -> None:
        self._progress.count(done, total, unit)

    def note(self, text: str) -> None:
        self._progress.note(text)

    def close(self) -> None:
        self._end_stage()
        self._progress.close()

    def _end_stage(self) -> None:
        now = time.perf_counter()
        if self._current is not None:
            self.seconds[self._current] = now - self._started
        self._current, self._started = None, now


def connect(path: Path, jobs: int) -> duckdb.DuckDBPyConnection:
    """Open a new database to build a store in; what does not fit into memory spills into the folder of *path*."""
    return duckdb.connect(
        str(path),
        config={
            "threads": jobs,
            "memory_limit": _MEMORY,
            "temp_directory": str(path.parent / "spill"),
            "storage_compatibility_version": _READABLE_SINCE,
        },
    )


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_source(connection: duckdb.DuckDBPyConnection, staging: Staging, source: Source, max_rejected: float) -> None:
    tally = Tally()
    n_staged = staging.add(source.name, source.read(source.path, tally))
    if tally.n_bad > max_rejected * tally.n_records:
        share = tally.n_bad / tally.n_records
        raise SourceError(
            f"{source.path}: {tally.n_bad:,} of {tally.n_records:,} records are bad, first at {tally.first_bad}; "
            + (f"mend the file, or raise --max-rejected above {share:.3g}" if share < 1 else "is it the right file?")
        )
    if n_staged == 0:
        refused = next(iter(tally.examples.items()), None)
        first = f" (the first is refused at {refused[1]}: {refused[0].value})" if refused else ""
        raise SourceError(
            f"{source.path}: nothing for the store among its {tally.n_records:,} records{first}; check that it is a "
            f"file for {option_of(source.kind)}"
            + (" and of the code --language" if source.kind == "wiktionary" else "")
        )
    digest, size = fingerprint(source.path)
    connection.execute(
        "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [source.name, source.kind, source.uri, digest, size, source.licence, tally.n_records, tally.n_rejected, _now()],
    )
    for reason in sorted(tally.rejected, key=lambda reason: reason.value):
        connection.execute(
            "INSERT INTO rejection VALUES (?, ?, ?, ?)",
            [source.name, reason.value, tally.rejected[reason], tally.examples[reason]],
        )


def _make_relations(connection: duckdb.DuckDBPyConnection) -> None:
    """Run relations.sql; between its steps Python finds what the words of MorphoLEX negate."""
    statements = named_statements(_HERE / "relations.sql")
    connection.execute(statements["words"])
    connection.execute(statements["stated"])
    _add_morphology(connection)
    for name in ("derived", "evidence", "relation"):
        connection.execute(statements[name])


def named_statements(path: Path) -> dict[str, str]:
    """Return the statements of an SQL file by the name in the comment line ``-- name: ...`` above each."""
    parts = re.split(r"^-- name: (\w+)$", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _add_morphology(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        """
        INSERT INTO morphology
        SELECT word_id, segmentation, prefixes, roots, suffixes, 'morpholex' FROM stage_analysis JOIN word USING (word)
        ORDER BY word_id
        """
    )
    rows = connection.execute(
        "SELECT word, segmentation, prefixes, roots, suffixes FROM morphology JOIN word USING (word_id)"
        " ORDER BY word_id"
    ).fetchall()
    vocabulary = [word for (word,) in connection.execute("SELECT word FROM word").fetchall()]
    found = list(find_negations((Analysis(*row) for row in rows), vocabulary))
    columns = list(zip(*found, strict=True)) or [()] * 5
    names = ("word", "base", "affix", "position", "analyser")
    table = pa.table({name: pa.array(column, pa.string()) for name, column in zip(names, columns, strict=True)})
    connection.register("found", table)
    connection.execute(
        """
        INSERT INTO negation
        SELECT w.word_id, b.word_id, affix, position, analyser
        FROM found JOIN word w ON w.word = found.word JOIN word b ON b.word = found.base
        ORDER BY ALL
        """
    )
    connection.unregister("found")


def _add_spans(connection: duckdb.DuckDBPyConnection, name: str, tokenizer: Tokenizer) -> None:
    # Before it is set to cut nothing off and fill nothing up: it is the file that is recorded
    digest = tokens.fingerprint(tokenizer)
    rows = connection.execute("SELECT word FROM word ORDER BY word_id").fetchall()
    first = 0
    for batch in tokens.spans(tokenizer, [word for (word,) in rows]):
        ids = pa.array(range(first, first + batch.num_rows), pa.int32())
        first += batch.num_rows
        table = pa.table({"word_id": ids, "token_ids": batch["token_ids"], "n_tokens": batch["n_tokens"]})
        connection.register("batch", table)
        connection.execute(
            "INSERT INTO span SELECT ?, word_id, token_ids, n_tokens FROM batch ORDER BY word_id", [name]
        )
        connection.unregister("batch")
    connection.execute(
        "INSERT INTO tokenizer VALUES (?, ?, ?, ?)",
        [name, digest, tokenizer.get_vocab_size(with_added_tokens=True), _now()],
    )


def _write_meta(connection: duckdb.DuckDBPyConnection, options: Options, others: Mapping[str, object]) -> None:
    chosen = {"language": options.language, "headwords": options.headwords, "roget_scope": options.roget_scope}
    rows = {
        "schema_version": str(SCHEMA_VERSION),
        "lexkit_version": __version__,
        "language": options.language,
        "built_at": _now(),
        "options": json.dumps({**others, **chosen}, ensure_ascii=False, sort_keys=True),
    }
    connection.executemany("INSERT INTO meta VALUES (?, ?)", list(rows.items()))


def _now() -> str:
    epoch = os.environ.get("SOURCE_DATE_EPOCH", "")
    seconds = int(epoch) if epoch.isdecimal() else int(time.time())
    return datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
