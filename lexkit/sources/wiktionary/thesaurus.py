"""Antonyms from Thesaurus pages, which wiktextract got wrong before 2025-12-18.

Where a sense of English Wiktionary names the Thesaurus page of another word for its antonyms, wiktextract took the
antonyms of that page, words that mean nearly the same as the sense: *verbose* as an antonym of *bombastic*, from
Thesaurus:concise (https://github.com/tatuylonen/wiktextract/issues/1570). A line does not say when it was made, and
neither does the time of a file, which may be that of a copy; what the server said of a fetched file does.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Iterator
from email.utils import parsedate_to_datetime

import pyarrow as pa
import pyarrow.compute as pc

from lexkit.sources.batches import Batch
from lexkit.sources.records import Statement

FIXED = datetime.date(2025, 12, 18)
SCOPE = "old_thesaurus"
"""The scope of antonyms that may be near-synonyms; `data_sources/reliability.tsv` says how sure they are."""


def is_old(last_modified: str | None) -> bool | None:
    """Whether an extract of this date, as HTTP writes it, was made before the fix; None where nobody knows."""
    try:
        return parsedate_to_datetime(last_modified or "").date() < FIXED
    except ValueError:
        return None


def mark(batches: Iterable[Batch], last_modified: str | None, note: Callable[[str], None]) -> Iterator[Batch]:
    """Pass batches on; in those of an old extract, or one of unknown age, give doubtful antonyms a scope of their own.

    Args:
        batches: the records of one file.
        last_modified: the date of the file, as HTTP writes it, if it is known.
        note: shows at the end how many there are.
    """
    old = is_old(last_modified)
    if old is False:
        yield from batches
        return
    n_marked = 0
    for batch in batches:
        doubtful = _doubtful(batch.table) if batch.record_type is Statement else []
        n_marked += sum(doubtful)
        yield _marked(batch, doubtful) if any(doubtful) else batch
    if n_marked:
        when = "was made" if old else "may have been made"
        note(
            f"{n_marked:,} antonyms from Thesaurus pages have a low confidence: this extract {when} before {FIXED}, "
            "when wiktextract listed near-synonyms among them; 'lexkit fetch wiktionary' brings a newer one"
        )


def _doubtful(table: pa.Table) -> list[bool]:
    """Return for each statement whether it is an antonym from the page of another word; nothing if none is."""
    some = pc.and_(pc.equal(table["kind"], "antonym"), pc.equal(table["scope"], "thesaurus"))
    if not pc.any(some).as_py():
        return []
    rows = zip(some.to_pylist(), table["word"].to_pylist(), table["sense"].to_pylist(), strict=True)
    return [bool(may_be and not _is_own_page(sense, word)) for may_be, word, sense in rows]


def _is_own_page(sense: str, word: str) -> bool:
    return re.match(rf"Thesaurus:(?:[a-z]+:)?{re.escape(word)}(?:: |$)", sense, re.IGNORECASE) is not None


def _marked(batch: Batch, doubtful: list[bool]) -> Batch:
    place = batch.table.schema.get_field_index("scope")
    scopes = pc.if_else(pa.array(doubtful), SCOPE, batch.table["scope"])
    return Batch(batch.record_type, batch.table.set_column(place, batch.table.schema.field(place), scopes))
