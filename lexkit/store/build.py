"""Building a store: read every source, stage its records, and let SQL make the tables."""

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
from lexkit.morphology.affixes import AffixSet, affixes_of, languages
from lexkit.progress import Progress
from lexkit.sources.files import fingerprint
from lexkit.sources.gate import let_in
from lexkit.sources.plugins import option_of
from lexkit.sources.read_report import ReadReport
from lexkit.sources.roget.reader import Scope
from lexkit.store.checksum import record_checksums
from lexkit.store.choose_sources import Options, Pathlike, Source, choose_sources
from lexkit.store.files import SCHEMA_VERSION, connect, published, timestamp
from lexkit.store.relate import Derivation, make_relations
from lexkit.store.spans import add_spans, load_tokenizers
from lexkit.store.staging import Staging
from lexkit.store.statistics import Statistics, collect_statistics
from lexkit.text import without_unprintable

_OTHER_CODES = {"no": "nb", "nn": "nb", "ger": "de", "deu": "de", "eng": "en", "spa": "es", "fre": "fr", "fra": "fr"}
"""What users may write for codes of Wiktionary."""
_HERE = Path(__file__).parent
MAX_REJECTED = 0.01


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
    """Build a store from source files, or from the starter data if none is named.

    The target appears, or is replaced, in one step at the end: a build that fails or is killed leaves it as it was.
    The same files and options give the same tables, row for row, whatever *jobs* is; the times in ``meta`` and
    ``source`` are taken from the environment variable ``SOURCE_DATE_EPOCH`` where it is set. The word ``fetched``
    instead of a Wiktionary, Roget or MorphoLEX file means what `lexkit fetch` has brought into the cache.

    Args:
        output: The path of the store; an existing store there is replaced.
        wiktionary: JSONL files by wiktextract or from kaikki.org, plain or gzipped; or MediaWiki XML dumps, plain or
            bzip2, which wiktextract first makes into JSONL in the cache.
        roget: Roget's Thesaurus 1911, Gutenberg #22 or #10681, or lexkit's table of it.
        morpholex: MorphoLEX-English, .xlsx or a table of text.
        pairs: Pairs of a kind and a file that has two words a line. Lists count as one source, since who copied from
            whom is not known, unless the kind has their origins after an @, as in ``synonym@moby``.
        sources: Pairs of a reader's name and a path for it; `lexkit sources` lists the readers, and docs/plugins.md
            says how to add one.
        tokenizers: ``tokenizer.json`` files, folders that hold one, or names on the Hugging Face hub; each may be
            given a name, as in ``llama=FILE`` (see `lexkit.tokens.loading.choose`).
        language: Wiktionary's code of the language whose words are wanted.
        headwords: Whether entries of Wiktionary without relations are words of the store, too.
        roget_scope: Which terms of Roget are synonyms: those of one semicolon ``group``, or of one ``paragraph``.
        affixes: Which affixes of the language negate: the ``common`` ones (un-, in-, dis-, non-, -less); ``all``, that
            is, riskier ones (anti-, de-, mis- ...), too; or ``none``. docs/negation.md lists them.
        max_rejected: The share of a file's records, from 0 to 1, that may be bad before the build stops.
        jobs: Processes that extract and read, and threads that relate; by default as many as there are cores.
        progress: Shows each stage.

    Returns:
        A `BuildSummary`: the path, the seconds that it took, and the counts.

    Raises:
        SourceError: A source cannot be read, is not what it should be, or has too many bad records.
        PluginError: A reader of *sources* is not installed, is broken, or yields what it must not.
        StoreError: The target cannot be written.
        TokenizerError: A tokenizer cannot be loaded.
        ArgumentError: An option has a value that it cannot have.
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
    loaded = load_tokenizers(tokenizers)
    try:
        with published(target) as store, connect(store, n_jobs) as connection:
            connection.execute((_HERE / "schema.sql").read_text(encoding="utf-8"))
            with Staging(connection) as staging:
                for source in chosen:
                    clock.stage(f"read {source.name}")
                    _read_source(connection, staging, source, max_rejected)
            clock.stage("relate words")
            if affixes != "none" and affixes_of(language) is None:
                clock.note(_no_affixes(language))
            make_relations(connection, Derivation(language, affixes))
            for name, tokenizer in loaded.items():
                clock.stage(f"tokenize with {name}")
                add_spans(connection, name, tokenizer)
            clock.stage("write")
            uris = {source.name: without_unprintable(source.asked or source.uri) for source in chosen}
            _write_meta(connection, options, {"sources": uris, "tokenizers": list(loaded), "affixes": affixes})
            record_checksums(connection)
            statistics = collect_statistics(connection)
            connection.execute("CHECKPOINT")
    finally:
        clock.close()
    return BuildSummary(str(target), time.perf_counter() - started, statistics, clock.seconds)


def _no_affixes(language: str) -> str:
    known = languages()
    usual = _OTHER_CODES.get(language.lower(), language.lower().partition("-")[0])
    meant = f"; did you mean {usual}?" if usual in known else ""
    return f"no relations are derived: lexkit has no negating affixes of {language!r}, but of {', '.join(known)}{meant}"


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
    report = ReadReport()
    n_staged = staging.add(source.name, let_in(source.read(source.path, report), report))
    if report.n_bad > max_rejected * report.n_records:
        share = report.n_bad / report.n_records
        raise SourceError(
            f"{source.path}: {report.n_bad:,} of {report.n_records:,} records are bad, first at {report.first_bad}; "
            + (f"fix the file, or raise --max-rejected above {share:.3g}" if share < 1 else "is it the right file?")
        )
    if n_staged == 0:
        refused = next(iter(report.examples.items()), None)
        first = f" (the first is refused at {refused[1]}: {refused[0].value})" if refused else ""
        raise SourceError(
            f"{source.path}: nothing for the store among its {report.n_records:,} records{first}; check that it is a "
            f"file for {option_of(source.kind)}"
            + (" and of the code --language" if source.kind == "wiktionary" else "")
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
