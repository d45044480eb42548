"""Building a store: read every source, stage its records, and let SQL make the tables."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import get_args

import duckdb
import pyarrow as pa
from pyarrow import csv

from lexkit import __version__
from lexkit.arguments import require_choice, require_list, require_number
from lexkit.errors import ArgumentError, SourceError
from lexkit.morphology.affixes import AffixSet
from lexkit.morphology.look_alikes import LIST, LookAlikes
from lexkit.morphology.negation import Negation, Usage, analysis_of, find_negations
from lexkit.progress import Progress
from lexkit.sources.batches import Batch
from lexkit.sources.data_files import data_file
from lexkit.sources.files import fingerprint
from lexkit.sources.frequency import frequencies
from lexkit.sources.plugins import option_of
from lexkit.sources.records import Analysis, Kind
from lexkit.sources.roget.reader import Scope
from lexkit.sources.tally import Tally
from lexkit.store.checksum import record_checksums
from lexkit.store.files import SCHEMA_VERSION, connect, named_statements, published, timestamp
from lexkit.store.forms import add_forms
from lexkit.store.inputs import Options, Pathlike, Source, choose_sources
from lexkit.store.spans import add_spans, load_tokenizers
from lexkit.store.staging import Staging
from lexkit.store.statistics import Statistics, collect_statistics

_HERE = Path(__file__).parent
MAX_REJECTED = 0.01
OPPOSITES = "not_opposites.tsv"
"""Words in -ful that are not the opposites of those in -less."""
RELIABILITY = "reliability.tsv"
"""How often each kind of evidence is right."""
_WORDS = 10_000
"""Words that become objects of Python at a time."""
_NEGATIONS = pa.schema(
    [(name, pa.bool_() if name in ("reverses", "same_pos") else pa.string()) for name in Negation._fields]
)


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
    affixes: AffixSet = "common",
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
        tokenizers: ``tokenizer.json`` files, folders that hold one, or names on the Hugging Face hub; each may be
            given a name, as in ``llama=FILE`` (see `lexkit.tokens.loading.choose`).
        sources: (name, path) for the reader of that name, see docs/plugins.md; `lexkit sources` lists them.
        language: Wiktionary's code of the language whose words are wanted.
        headwords: whether entries of Wiktionary without relations are words of the store, too.
        roget_scope: terms of one semicolon ``group``, or of one ``paragraph``, are synonyms.
        affixes: which affixes negate: the ``common`` ones (un-, in-, dis-, non-, -less), or ``all``, that is, anti-,
            de-, mis-, a-, counter-, mal-, -free and -proof, too.
        max_rejected: share of a file's records, from 0 to 1, that may be bad before the build stops.
        jobs: processes that extract and read, and threads that relate; by default as many as there are cores.
        progress: shows each stage.

    Returns:
        Counts, seconds, and the path.

    Raises:
        SourceError: a source cannot be read, is not what it should be, or has too many bad records.
        PluginError: a reader of *sources* is not installed, is broken, or yields what it must not.
        StoreError: the target cannot be written.
        TokenizerError: a tokenizer cannot be loaded.
        ArgumentError: an option has a value that it cannot have.
    """
    started = time.perf_counter()
    _check_arguments(pairs, sources, tokenizers, language, roget_scope, affixes, max_rejected, jobs)
    target = Path(output)
    n_jobs = jobs or _cores()
    clock = _Clock(progress or Progress())
    options = Options(language, headwords, roget_scope, n_jobs, clock)
    chosen = choose_sources(wiktionary, roget, morpholex, pairs, sources, options)
    loaded = load_tokenizers(tokenizers)
    try:
        with published(target) as store, connect(store, n_jobs) as connection:
            connection.execute((_HERE / "schema.sql").read_text(encoding="utf-8"))
            with Staging(connection) as staging:
                for source in chosen:
                    clock.stage(f"read {source.name}")
                    _read_source(connection, staging, source, max_rejected)
            clock.stage("relate words")
            _make_relations(connection, affixes, language)
            for name, tokenizer in loaded.items():
                clock.stage(f"tokenize with {name}")
                add_spans(connection, name, tokenizer)
            clock.stage("write")
            uris = {source.name: source.uri for source in chosen}
            _write_meta(connection, options, {"sources": uris, "tokenizers": list(loaded), "affixes": affixes})
            record_checksums(connection)
            statistics = collect_statistics(connection)
            connection.execute("CHECKPOINT")
    finally:
        clock.close()
    return BuildSummary(str(target), time.perf_counter() - started, statistics, clock.seconds)


def _check_arguments(
    pairs: object,
    sources: object,
    tokenizers: object,
    language: object,
    roget_scope: object,
    affixes: object,
    max_rejected: object,
    jobs: object,
) -> None:
    require_list("pairs", pairs, "[('synonym', 'FILE')]", 2)
    require_list("sources", sources, "[('wordnet', 'FOLDER')]", 2)
    require_list("tokenizers", tokenizers, "['NAME=PATH']")
    require_choice("roget_scope", roget_scope, get_args(Scope))
    require_choice("affixes", affixes, get_args(AffixSet))
    require_number("max_rejected", max_rejected, 0, 1, whole=False)
    require_number("jobs", jobs, 1)
    if not isinstance(language, str) or not language.strip():
        raise ArgumentError(f"language={language!r}: give the code that Wiktionary has for it, such as 'en'")


class _Clock(Progress):
    """Passes everything on, and keeps how long each stage took."""

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


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _read_source(connection: duckdb.DuckDBPyConnection, staging: Staging, source: Source, max_rejected: float) -> None:
    tally = Tally()
    n_staged = staging.add(source.name, source.read(source.path, tally))
    if tally.n_bad > max_rejected * tally.n_records:
        share = tally.n_bad / tally.n_records
        raise SourceError(
            f"{source.path}: {tally.n_bad:,} of {tally.n_records:,} records are bad, first at {tally.first_bad}; "
            + (f"fix the file, or raise --max-rejected above {share:.3g}" if share < 1 else "is it the right file?")
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
        "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            source.name,
            source.kind,
            source.origin,
            source.uri,
            digest,
            size,
            source.licence,
            tally.n_records,
            tally.n_rejected,
            timestamp(),
        ],
    )
    for reason in sorted(tally.rejected, key=lambda reason: reason.value):
        connection.execute(
            "INSERT INTO rejection VALUES (?, ?, ?, ?)",
            [source.name, reason.value, tally.rejected[reason], tally.examples[reason]],
        )


def _make_relations(connection: duckdb.DuckDBPyConnection, affixes: AffixSet, language: str) -> None:
    """Run relations.sql; between its steps Python finds which words are negated."""
    statements = named_statements(_HERE / "relations.sql")
    connection.register("frequency", frequencies(language))
    connection.register("judged", csv.read_csv(data_file(RELIABILITY), parse_options=csv.ParseOptions(delimiter="\t")))
    for name in ("words", "stated"):
        connection.execute(statements[name])
    _add_morphology(connection, statements, affixes)
    for name in ("derived", "evidence", "closeness", "answer", "reliability", "is_unusual", "relation"):
        connection.execute(statements[name])
    connection.unregister("frequency")
    connection.unregister("judged")
    add_forms(connection, language)


def _add_morphology(connection: duckdb.DuckDBPyConnection, statements: Mapping[str, str], affixes: AffixSet) -> None:
    rows = connection.execute("SELECT * EXCLUDE (pos, source) FROM stage_analysis ORDER BY word").fetchall()
    vocabulary = _vocabulary(connection.sql(statements["usage"]).to_arrow_table().to_batches(_WORDS))
    found = list(find_negations(vocabulary, (Analysis(*row) for row in rows), affixes))
    cut = [analysis_of(negation) for negation in found if negation.analyser == "affix"]
    tables = {
        "found": pa.table({name: [getattr(n, name) for n in found] for name in Negation._fields}, _NEGATIONS),
        "cut": Batch.of_columns(Analysis, zip(*cut, strict=True) if cut else [()] * len(Analysis._fields)).table,
    }
    for name, table in tables.items():
        connection.register(name, table)
    for name in ("morphology", "negation"):
        connection.execute(statements[name])
    for name in tables:
        connection.unregister(name)
    connection.register("not_opposites", csv.read_csv(data_file(OPPOSITES), parse_options=csv.ParseOptions(delimiter="\t")))
    connection.execute(statements["opposed"])
    connection.unregister("not_opposites")
    if cut or connection.sql("FROM opposed_suffixes LIMIT 1").fetchall():
        _add_affix_source(connection)


def _vocabulary(batches: Iterable[pa.RecordBatch]) -> dict[str, Usage]:
    """Every word with its usage; words of the same usage, which most are, share it."""
    vocabulary: dict[str, Usage] = {}
    usage_of = lru_cache(maxsize=_WORDS)(lambda n, pos: Usage(n, frozenset(pos)))
    for batch in batches:
        for word, n, pos in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            vocabulary[word] = usage_of(n, tuple(pos))
    return vocabulary


def _add_affix_source(connection: duckdb.DuckDBPyConnection) -> None:
    """The list of look-alikes is what the affix analyser reads: a pair that only it has rests on this source."""
    path = data_file(LIST)
    connection.execute(
        "INSERT INTO source VALUES ('affix', 'affix', 'affix', ?, ?, ?, 'Apache-2.0', ?, 0, ?)",
        [f"lexkit:{LIST}", *fingerprint(path), len(LookAlikes()), timestamp()],
    )


def _write_meta(connection: duckdb.DuckDBPyConnection, options: Options, others: Mapping[str, object]) -> None:
    chosen = {"language": options.language, "headwords": options.headwords, "roget_scope": options.roget_scope}
    rows = {
        "schema_version": str(SCHEMA_VERSION),
        "lexkit_version": __version__,
        "language": options.language,
        "built_at": timestamp(),
        "options": json.dumps({**others, **chosen}, ensure_ascii=False, sort_keys=True),
    }
    connection.executemany("INSERT INTO meta VALUES (?, ?)", list(rows.items()))
