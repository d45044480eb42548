"""Make relations: run the steps of relations.sql, and find negated words in Python between them."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from functools import cache, lru_cache
from pathlib import Path
from typing import NamedTuple

import duckdb
import pyarrow as pa
from pyarrow import csv

from lexkit.morphology.affixes import AffixSet, affix_file, affixes_of
from lexkit.morphology.negation import Negation, Usage, analysis_of, find_negations
from lexkit.progress import Progress
from lexkit.sources.batches import Batch
from lexkit.sources.data_files import data_file
from lexkit.sources.files import fingerprint
from lexkit.sources.frequency import frequencies
from lexkit.sources.offensive import offensive_words
from lexkit.sources.records import Analysis
from lexkit.store.files import named_statements, timestamp
from lexkit.store.forms import add_forms

_HERE = Path(__file__).parent
_WORDS = 10_000
"""Number of words that are converted to Python objects at a time."""
_NEGATIONS = pa.schema(
    [(name, pa.bool_() if name in ("reverses", "same_pos") else pa.string()) for name in Negation._fields]
)
_OPPOSED = pa.schema([(name, pa.string()) for name in ("negative", "positive", "pattern", "replacement", "rule")])


class Derivation(NamedTuple):
    """The settings with which relations are derived."""

    language: str
    """Wiktionary's code of the language."""
    affixes: AffixSet
    """The set of the language's negating affixes."""

    @classmethod
    def of_store(cls, connection: duckdb.DuckDBPyConnection) -> Derivation:
        """Return the settings with which an open store was built."""
        ((text,),) = connection.execute("SELECT value FROM meta WHERE key = 'options'").fetchall()
        try:
            options = json.loads(text)
            return cls(options["language"], options["affixes"])
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise duckdb.DataError(f"options in meta: {type(error).__name__}") from error  # reported like other damage


def make_relations(
    connection: duckdb.DuckDBPyConnection, derivation: Derivation, progress: Progress | None = None
) -> None:
    """Fill the tables of a new store from the staged records (`lexkit.store.staging`).

    Args:
        connection: connection to the store.
        derivation: language of the words, and set of negating affixes.
        progress: shows the stages that follow the one in which this is called.
    """
    language, progress = derivation.language, progress or Progress()
    connection.register("frequency", frequencies(language))
    connection.register("judged", _list("reliability.tsv"))
    connection.register("listed", _listed(language))
    _run(connection, "reliability", "words", "labels", "stated")
    _run(connection, "case_only", "reject_case_only", "count_case_only", "drop_case_only", "indirect", "drop_indirect")
    for name in ("frequency", "judged", "listed"):
        connection.unregister(name)
    _relate(connection, derivation, progress)
    progress.stage("find forms")
    add_forms(connection, language)


def exclude_sources(connection: duckdb.DuckDBPyConnection, sources: Collection[str]) -> None:
    """Make a connection see a store as if it had been built without some sources.

    This applies to the tables from which relations are made: `source`, `word`, `morphology`, `negation`, `evidence` and
    `relation`. Temporary tables of the same names hide them, and are filled with the statements of a build.

    Args:
        connection: connection to a store that `lexkit.store.files.open_read_only` has opened.
        sources: names of the sources to leave out.
    """
    for statement in _statements("exclude_sources.sql").values():
        connection.execute(statement, {"sources": list(sources)} if "$sources" in statement else None)
    _relate(connection, Derivation.of_store(connection), Progress())


def derive_again(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table `derived` from what a store's sources state and from its negations."""
    for table in ("stated", "indirect", "opposed_suffixes", "derived"):
        connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
    for table in ("stated", "indirect"):
        connection.execute(_statements("exclude_sources.sql")[table])
    _oppose_suffixes(connection, Derivation.of_store(connection))
    _run(connection, "labels", "derived")


def summarize_again(connection: duckdb.DuckDBPyConnection) -> None:
    """Make the temporary table `summarized` from a store's evidence. It must equal `relation`."""
    connection.execute("CREATE TEMP TABLE relation AS FROM relation LIMIT 0")
    try:
        _summarize(connection)
        connection.execute("CREATE OR REPLACE TEMP TABLE summarized AS FROM temp.relation")
    finally:
        connection.execute("DROP TABLE temp.relation")


def _relate(connection: duckdb.DuckDBPyConnection, derivation: Derivation, progress: Progress) -> None:
    """Run all steps that follow the temporary tables `stated` and `stage_analysis`."""
    progress.stage("find negations")
    rows = connection.execute("SELECT * EXCLUDE (pos, source) FROM stage_analysis ORDER BY word").fetchall()
    vocabulary = _vocabulary(connection.sql(_statements()["usage"]).to_arrow_table().to_batches(_WORDS))
    analyses = (Analysis(*row) for row in rows)
    found = list(find_negations(vocabulary, derivation.language, analyses, derivation.affixes))
    cut = [analysis_of(negation) for negation in found if negation.analyser == "affix"]
    columns = zip(*cut, strict=True) if cut else [()] * len(Analysis._fields)
    connection.register(
        "found", pa.table({name: [getattr(n, name) for n in found] for name in Negation._fields}, _NEGATIONS)
    )
    connection.register("cut", Batch.of_columns(Analysis, columns).table)
    _run(connection, "morphology", "negation")
    connection.unregister("found")
    connection.unregister("cut")
    _oppose_suffixes(connection, derivation)
    _add_affix_source(connection, derivation.language, is_used=bool(cut))
    progress.stage("derive relations")
    _run(connection, "labels", "derived", "evidence")
    progress.stage("rank answers")
    _summarize(connection)


def _summarize(connection: duckdb.DuckDBPyConnection) -> None:
    for table in ("head", "closeness", "answer", "chance"):
        connection.execute(f"DROP TABLE IF EXISTS temp.{table}")
    _run(connection, "head", "closeness", "answer", "is_own_rule", "chance", "is_unusual", "tied", "relation")


def _oppose_suffixes(connection: duckdb.DuckDBPyConnection, derivation: Derivation) -> None:
    rules = None if derivation.affixes == "none" else affixes_of(derivation.language)
    opposed = rules.opposed if rules else ()
    rows = [(pair.negative, pair.positive, *change, pair.rule) for pair in opposed for change in pair.changes]
    refused = [word for words in rules.not_opposites.values() for word in words] if rules else []
    columns = zip(*rows, strict=True) if rows else [()] * len(_OPPOSED)
    connection.register("opposed_suffix", pa.table([pa.array(column, pa.string()) for column in columns], _OPPOSED))
    connection.register("not_opposites", pa.table({"word": pa.array(refused, pa.string())}))
    _run(connection, "opposed")
    connection.unregister("opposed_suffix")
    connection.unregister("not_opposites")


@cache
def _statements(file: str = "relations.sql") -> dict[str, str]:
    return named_statements(_HERE / file)


def _run(connection: duckdb.DuckDBPyConnection, *names: str) -> None:
    for name in names:
        connection.execute(_statements()[name])


@cache
def _list(name: str) -> pa.Table:
    return csv.read_csv(data_file(name), parse_options=csv.ParseOptions(delimiter="\t"))


@cache
def _listed(language: str) -> pa.Table:
    """Return the words that are offensive, vulgar or archaic in every sense, with one label each."""
    labels: dict[str, str] = {}
    if language == "en":
        labels.update(dict.fromkeys(_list("archaic.tsv")["word"].to_pylist(), "archaic"))
        labels.update({entry.word: entry.label for entry in offensive_words() if not entry.in_sense})
    columns = {"folded": list(labels), "label": list(labels.values())}
    return pa.table(columns, pa.schema([("folded", pa.string()), ("label", pa.string())]))


def _vocabulary(batches: Iterable[pa.RecordBatch]) -> dict[str, Usage]:
    """Return the usage of every word. Words with equal usage, which most have, share one object."""
    vocabulary: dict[str, Usage] = {}
    usage_of = lru_cache(maxsize=_WORDS)(lambda n, pos, frequency: Usage(n, frozenset(pos), frequency))
    for batch in batches:
        for word, n, pos, frequency in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            vocabulary[word] = usage_of(n, tuple(pos), frequency)
    return vocabulary


def _add_affix_source(connection: duckdb.DuckDBPyConnection, language: str, is_used: bool) -> None:
    """Record the language's file of affixes as the source of pairs that only these affixes show."""
    ((is_opposed,),) = connection.execute("SELECT count(*) > 0 FROM opposed_suffixes").fetchall()
    if not (is_used or is_opposed):
        return
    path = affix_file(language)
    n_records = len(rules.affix) + len(rules.list_of_look_alikes) if (rules := affixes_of(language)) else 0
    connection.execute(
        "INSERT INTO source VALUES ('affix', 'affix', 'affix', ?, ?, ?, 'Apache-2.0', ?, 0, ?)",
        [f"lexkit:affixes/{path.name}", *fingerprint(path), n_records, timestamp()],
    )
