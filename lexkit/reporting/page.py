"""Write the report of a store, a self-contained HTML page."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Callable
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import jinja2

from lexkit.arguments import require_number, require_path
from lexkit.atomic_write import write_atomically
from lexkit.errors import StoreError
from lexkit.figures import style_sheet
from lexkit.progress import Progress
from lexkit.reporting import DEFAULT_LIMIT
from lexkit.reporting.keep_rate import KEEP_RATE, keep_rate_panels
from lexkit.reporting.relations import pack_relations
from lexkit.safe_output import printable
from lexkit.store.lexicon import Lexicon
from lexkit.store.lexicon import open as open_store

_TOP_WORDS = 20
_CONTESTED_PAIRS = 12
_SCRIPTS = ("data.js", "address.js", "graph.js", "explore.js", "table.js", "keep_rate.js", "main.js")

# Number of relations that two sources both state or, if they are the same source, that it states; `alone` counts those
# that no other source states
_OVERLAP = """
WITH stated AS (
    SELECT DISTINCT word_a, word_b, kind, source FROM evidence WHERE rule IS NULL
),
counted AS (
    SELECT *, count(*) OVER (PARTITION BY word_a, word_b, kind) AS n_sources FROM stated
)
SELECT a.kind, a.source, b.source AS other, count(*) AS n, count(*) FILTER (a.n_sources = 1) AS alone
FROM counted a JOIN counted b USING (word_a, word_b, kind)
GROUP BY ALL
ORDER BY a.kind DESC, a.source, other
"""
_DEGREES = """
SELECT word, count(*) FILTER (kind = 'synonym') AS synonyms, count(*) FILTER (kind = 'antonym') AS antonyms,
    least(count(*) FILTER (kind = 'synonym' AND direct), count(*) FILTER (kind = 'antonym' AND direct)) AS balance
FROM (SELECT word_a AS word_id, kind, direct FROM relation UNION ALL SELECT word_b, kind, direct FROM relation)
JOIN word USING (word_id)
GROUP BY word_id, word
"""
# Pairs that the store has as both kinds, with the evidence for each kind: first those that most sources mention, then
# those of common words
_CONTESTED = """
SELECT a.word, b.word AS other,
    max(sources) FILTER (kind = 'synonym') AS synonym_sources,
    max(sources) FILTER (kind = 'antonym') AS antonym_sources,
    bool_or(direct) FILTER (kind = 'synonym') AS synonym_stated,
    bool_or(direct) FILTER (kind = 'antonym') AS antonym_stated
FROM relation JOIN word a ON a.word_id = word_a JOIN word b ON b.word_id = word_b
WHERE contested
GROUP BY word_a, word_b, a.word, b.word, a.frequency, b.frequency
ORDER BY sum(len(string_split(sources, ','))) DESC,
    least(coalesce(a.frequency, 0), coalesce(b.frequency, 0)) DESC, word_a, word_b
LIMIT ?
"""


class Report(NamedTuple):
    """A finished report."""

    path: Path
    bytes: int
    relations: int
    """Number of relations in the store; the counts of the page include all of them."""
    carried: int
    """Number of relations that can be searched and drawn in the page."""


def report(
    store: str | os.PathLike[str] | None = None,
    output: str | os.PathLike[str] = "report.html",
    *,
    limit: int = DEFAULT_LIMIT,
    progress: Progress | None = None,
) -> Report:
    """Write a self-contained HTML page about a store: counts, sources, keep rates, all relations, and graphs of words.

    The same store gives the same page, byte for byte. The page appears, or is replaced, in one step.

    Args:
        store: Path of the store. By default, the store that `lexkit.open` opens.
        output: Path of the page.
        limit: Most relations that can be searched and drawn in the page, those of the best-connected words first. The
            counts are always those of the whole store.
        progress: Receives each stage.

    Returns:
        A `Report`: the path, its size in bytes, and the number of relations in the store and in the page.

    Raises:
        StoreError: The store does not exist or is damaged, or *output* exists and is not an HTML page.
        ArgumentError: *limit* is not a whole number from 0 on.
        OSError: The file cannot be written.
    """
    require_path("output", output)
    require_number("limit", limit, 0, or_none=False)
    with open_store(store) as lexicon:
        return write_report(lexicon, Path(output), limit=limit, progress=progress)


def write_report(
    lexicon: Lexicon, path: Path, *, limit: int = DEFAULT_LIMIT, progress: Progress | None = None
) -> Report:
    """Write the report of an open store; see `report`.

    Args:
        lexicon: the store.
        path: the file to write.
        limit: most relations that can be searched and drawn in the page, those of the best-connected words first.
        progress: receives each stage.

    Raises:
        StoreError: the store is damaged, or the file exists and is not an HTML page.
        OSError: the file cannot be written.
    """
    progress = progress or Progress()
    _require_page(path)
    progress.stage("pack relations")
    packed = pack_relations(lexicon, limit)
    progress.stage("count")
    counts = lexicon.statistics()
    relations = sum(kind.relations for kind in counts.kinds)
    theme, script = _asset("theme.js"), "".join(map(_asset, _SCRIPTS))
    style = style_sheet() + _asset("page.css")
    page = (
        _environment()
        .get_template("page.html")
        .render(
            meta=_meta(lexicon),
            counts=counts,
            relations=relations,
            packed=packed,
            overlap=_overlaps(lexicon),
            top=lexicon.sql(f"{_DEGREES} ORDER BY synonyms + antonyms DESC, word_id LIMIT {_TOP_WORDS}").to_pylist(),
            # the first word shown has many stated relations of both kinds
            start=lexicon.sql(
                f"{_DEGREES} ORDER BY balance DESC, synonyms + antonyms DESC, word_id LIMIT 1"
            ).to_pylist(),
            contested=lexicon.sql(_CONTESTED, [_CONTESTED_PAIRS]).to_pylist(),
            panels=keep_rate_panels(lexicon.sql(KEEP_RATE)),
            style=style,
            theme=theme,
            script=script,
            style_hash=_hash(style),
            script_hashes=[_hash(theme), _hash(script)],
        )
    )
    progress.stage("write the page")
    data = page.encode()
    write_atomically(path, data, is_shared=True)
    return Report(path, len(data), relations, packed.n_relations)


def _meta(lexicon: Lexicon) -> dict[str, str]:
    rows = lexicon.sql("SELECT key, value FROM meta")
    meta = dict(zip(*(column.to_pylist() for column in rows.columns), strict=True))
    for name in ("lexkit_version", "language", "built_at", "schema_version"):
        if name not in meta:
            raise StoreError(f"{lexicon.path}: damaged (its table meta has no {name}); build it again")
    return meta


def _require_page(path: Path) -> None:
    """Check that only an older page would be replaced, because users may take `--output` for the path of the store."""
    if not path.is_file():
        return
    with path.open("rb") as stream:
        start = stream.read(1000).lstrip()
    if start and not start.lower().startswith(b"<!doctype html"):
        raise StoreError(f"{path}: exists and is not an HTML page, so it is not replaced; choose another --output")


class Overlap(NamedTuple):
    """How many relations of one kind sources state in common."""

    kind: str
    sources: list[str]
    n: dict[str, dict[str, int]]
    alone: dict[str, int]


def _overlaps(lexicon: Lexicon) -> list[Overlap]:
    rows = lexicon.sql(_OVERLAP).to_pylist()
    found = []
    for kind in ("synonym", "antonym"):
        of_kind = [row for row in rows if row["kind"] == kind]
        sources = sorted({row["source"] for row in of_kind})
        n = {source: dict.fromkeys(sources, 0) for source in sources}
        for row in of_kind:
            n[row["source"]][row["other"]] = row["n"]
        alone = {row["source"]: row["alone"] for row in of_kind if row["source"] == row["other"]}
        found.append(Overlap(kind, sources, n, alone))
    return [overlap for overlap in found if overlap.sources]


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.FunctionLoader(_asset),
        autoescape=True,
        finalize=lambda value: printable(value) if type(value) is str else value,  # but leave lexkit's own markup
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    filters: dict[str, Callable[..., Any]] = {
        "number": lambda n: f"{n:,}",
        "share": lambda n, of: 100 * n / of if of else 0.0,
        "file_name": _file_name,
        "printable": printable,
        "names": lambda sources: sources.replace(",", ", "),
    }
    environment.filters.update(filters)
    return environment


def _asset(name: str) -> str:
    return (files("lexkit.reporting") / "assets" / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """Return the hash that identifies an inline script or style in a content security policy."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode("ascii")


def _file_name(uri: str) -> str:
    """Return the name of a file without its folder, because pages are shared and need not reveal local paths."""
    return uri if uri.startswith("lexkit:") else PurePosixPath(uri).name
