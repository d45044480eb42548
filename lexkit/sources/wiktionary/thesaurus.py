"""Mark antonyms from Thesaurus pages, which wiktextract got wrong before 2025-12-18.

If a sense of English Wiktionary refers to the Thesaurus page of another word for its antonyms, wiktextract took the
antonyms of that page, which mean nearly the same as the sense: *verbose* as an antonym of *bombastic*, from
Thesaurus:concise (https://github.com/tatuylonen/wiktextract/issues/1570). Lines have no date, and the time of a file
may be that of a copy, so only the date that the server gave for a downloaded file is reliable.
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
"""Scope of antonyms that may be near-synonyms; `data_sources/reliability.tsv` gives their confidence."""


def is_old(last_modified: str | None) -> bool | None:
    """Whether an extract with this HTTP date was made before the fix; None if the date is unknown."""
    try:
        return parsedate_to_datetime(last_modified or "").date() < FIXED
    except ValueError:
        return None


def mark(batches: Iterable[Batch], last_modified: str | None, note: Callable[[str], None]) -> Iterator[Batch]:
    """Yield batches; if the extract is old or of unknown age, give doubtful antonyms the scope `SCOPE`.

    Args:
        batches: the records of one file.
        last_modified: HTTP date of the file, if known.
        note: called at the end with a message that says how many antonyms were marked.
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
            "when wiktextract listed near-synonyms among them; 'lexkit fetch wiktionary' downloads a newer one"
        )


def _doubtful(table: pa.Table) -> list[bool]:
    """Return for each statement whether it is an antonym from another word's page; an empty list if none is."""
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
