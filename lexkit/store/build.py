"""Build a store: read every source, stage its records, and make the tables with SQL."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import get_args

import duckdb

from lexkit import __version__
from lexkit.arguments import LANGUAGE_CODE, MOST_JOBS, require_choice, require_list, require_number, require_path
from lexkit.errors import ArgumentError, SourceError
from lexkit.morphology.affixes import AffixSet, affixes_of, languages_with_affixes
from lexkit.progress import Progress
from lexkit.sources.files import fingerprint
from lexkit.sources.plugins import option_of
from lexkit.sources.read_report import ReadReport
from lexkit.sources.roget.reader import Scope
from lexkit.sources.validation import keep_valid
from lexkit.store.checksum import record_checksums
from lexkit.store.choose_sources import Options, Pathlike, Source, choose_sources
from lexkit.store.files import SCHEMA_VERSION, connect, new_store, timestamp
from lexkit.store.relate import Derivation, make_relations
from lexkit.store.spans import add_spans, load_tokenizers
from lexkit.store.staging import Staging
from lexkit.store.statistics import Statistics, collect_statistics
from lexkit.text import without_unprintable

_OTHER_CODES = {"no": "nb", "nn": "nb", "ger": "de", "deu": "de", "eng": "en", "spa": "es", "fre": "fr", "fra": "fr"}
"""Wiktionary's codes for other codes that users may give."""
_HERE = Path(__file__).parent
MAX_REJECTED = 0.01


@dataclass(frozen=True)
class BuildSummary:
    """The result of a build: path, time and statistics of the store."""

    path: str
    seconds: float
    statistics: Statistics
    stages: dict[str, float] = field(default_factory=dict)
    """Seconds spent in each stage."""


def build(
    output: str | os.PathLike[str] = "lexkit.duckdb",
    *,
    wiktionary: Pathlike | Sequence[Pathlike] = (),
    roget: Pathlike | Sequence[Pathlike] = (),
    morpholex: Pathlike | None = None,
    pairs: Sequence[tuple[str, Pathlike]] = (),
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
    """Build a store from source files, or from the starter data if no file is given.

    The store appears, or replaces the old one, in one step at the end: a build that fails or is killed changes nothing.
    The same files and options always give the same tables, row for row, whatever *jobs* is; the times in ``meta`` and
    ``source`` are taken from the environment variable ``SOURCE_DATE_EPOCH`` if it is set. Instead of a Wiktionary,
    Roget or MorphoLEX file, the word ``fetched`` stands for what `lexkit fetch` has downloaded into the cache.

    Args:
        output: Path of the store; an existing store is replaced.
        wiktionary: JSONL files by wiktextract or from kaikki.org, plain or gzipped; or MediaWiki XML dumps, plain or
            bzip2, which wiktextract first converts to JSONL in the cache.
        roget: Roget's Thesaurus 1911, Gutenberg #22 or #10681, or lexkit's table of it.
        morpholex: MorphoLEX-English as .xlsx or a text table.
        pairs: Pairs of a kind and a file with two words on a line. All lists count as one source, since they may copy
            from each other, unless the kind names their origins after an @, as in ``synonym@moby``.
        sources: Pairs of a reader's name and a path for it. `lexkit sources` lists the readers, and docs/plugins.md
            explains how to add one.
        tokenizers: ``tokenizer.json`` files, folders that contain one, or names on the Hugging Face hub; each may be
            given a name, as in ``llama=FILE`` (see `lexkit.tokens.loading.parse_tokenizer`).
        language: Wiktionary's code of the language to build.
        headwords: Whether to include words whose Wiktionary entries have no relations.
        roget_scope: Whether the terms of one semicolon ``group``, or of one ``paragraph``, are synonyms.
        affixes: Which negating affixes to use: the language's ``common`` ones (un-, in-, dis-, non-, -less); ``all``,
            which includes riskier ones (anti-, de-, mis- ...); or ``none``. docs/negation.md lists them.
        max_rejected: Share of a file's records, from 0 to 1, that may be bad before the build stops.
        jobs: Number of processes that extract and read, and of threads that derive relations; by default, the number
            of cores.
        progress: Receives each stage.

    Returns:
        A `BuildSummary`: the path, the time in seconds, and statistics of the store.

    Raises:
        SourceError: A source cannot be read, is of the wrong kind, or has too many bad records.
        PluginError: A reader for *sources* is not installed or broken, or yields invalid records.
        StoreError: The target cannot be written.
        TokenizerError: A tokenizer cannot be loaded.
        ArgumentError: An argument has an invalid value.
    """
    started = time.perf_counter()
    require_path("output", output)
    for name, files in (("wiktionary", wiktionary), ("roget", roget), ("morpholex", morpholex or ())):
        if not isinstance(files, (str, os.PathLike)):
            require_list(name, files, "['FILE']")
    _check_arguments(pairs, sources, tokenizers, language, roget_scope, affixes, max_rejected, jobs)
    target = Path(output)
    n_jobs = jobs or _cores()
    clock = _Clock(progress or Progress())
    options = Options(language, headwords, roget_scope, n_jobs, clock)
    chosen = choose_sources(wiktionary, roget, morpholex, pairs, sources, options)
    try:
        loaded = load_tokenizers(tokenizers, clock)
        with new_store(target) as store, connect(store, n_jobs) as connection:
            connection.execute((_HERE / "schema.sql").read_text(encoding="utf-8"))
            with Staging(connection) as staging:
                for source in chosen:
                    clock.stage(f"read {source.name}")
                    _read_source(connection, staging, source, max_rejected)
            clock.stage("relate words")
            if affixes != "none" and affixes_of(language) is None:
                clock.note(_no_affixes(language))
            make_relations(connection, Derivation(language, affixes), clock)
            for name, tokenizer in loaded.items():
                clock.stage(f"tokenize with {name}")
                add_spans(connection, name, tokenizer, clock)
            clock.stage("write")
            uris = {source.name: without_unprintable(source.request or source.uri) for source in chosen}
            _write_meta(connection, options, {"sources": uris, "tokenizers": list(loaded), "affixes": affixes})
            record_checksums(connection)
            statistics = collect_statistics(connection)
            connection.execute("CHECKPOINT")
    finally:
        clock.close()
    return BuildSummary(str(target), time.perf_counter() - started, statistics, clock.seconds)


def _no_affixes(language: str) -> str:
    known = languages_with_affixes()
    usual = _OTHER_CODES.get(language.lower(), language.lower().partition("-")[0])
    meant = f"; did you mean {usual}?" if usual in known else ""
    return f"no relations are derived: lexkit has negating affixes of {', '.join(known)}, not of {language!r}{meant}"


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
    require_number("jobs", jobs, 1, MOST_JOBS)
    if not isinstance(language, str) or not re.fullmatch(LANGUAGE_CODE, language):
        raise ArgumentError(f"language={language!r}: give Wiktionary's code of the language, such as 'en'")


class _Clock(Progress):
    """Passes on all reports of progress, and measures how long each stage takes."""

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
    report = ReadReport()
    n_staged = staging.add(source.name, keep_valid(source.read(source.path, report), report))
    if report.n_bad > max_rejected * report.n_records:
        share = report.n_bad / report.n_records
        raise SourceError(
            f"{source.path}: {report.n_bad:,} of {report.n_records:,} records are bad, first at {report.first_bad}; "
            + (
                f"fix the file, or raise --max-rejected above {share:.3g}"
                if share < 1
                else "check that it is the right file"
            )
        )
    if n_staged == 0:
        refused = next(iter(report.examples.items()), None)
        first = f" (the first is refused at {refused[1]}: {refused[0].value})" if refused else ""
        raise SourceError(
            f"{source.path}: none of its {report.n_records:,} records can be used{first}; check that it is a file for "
            f"{option_of(source.kind)}" + (" and has words of the --language" if source.kind == "wiktionary" else "")
        )
    digest, size = fingerprint(source.path)
    connection.execute(
        "INSERT INTO source VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [
            source.name,
            source.kind,
            without_unprintable(report.origin or source.origin),
            without_unprintable(source.uri),
            digest,
            size,
            without_unprintable(licence) if (licence := report.licence or source.licence) else None,
            report.n_records,
            report.n_rejected,
            timestamp(),
        ],
    )
    for reason in sorted(report.rejected, key=lambda reason: reason.value):
        connection.execute(
            "INSERT INTO rejection VALUES (?, ?, ?, ?)",
            [source.name, reason.value, report.rejected[reason], report.examples[reason]],
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
