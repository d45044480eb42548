"""Fill a store's table `form`, which says which words are forms of others, and propose lemmas for unknown words."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import duckdb
import pyarrow as pa

from lexkit.morphology.inflections import (
    NEVER_JOINED,
    Candidate,
    british_pattern,
    inflection_candidates,
    inflection_pattern,
    punctuation_candidates,
    spelling_candidates,
)
from lexkit.store.files import named_statements
from lexkit.store.index import Index

_STATEMENTS = Path(__file__).parent / "forms.sql"
_LEAST = 3
"""Least number of letters before an ending."""
RULES = "rules"
"""Name in the column `source` for forms that rules find and no source lists."""
ENGLISH = "en"
_CANDIDATES = pa.schema(
    [
        ("word", pa.string()),
        ("lemma", pa.string()),
        ("kind", pa.string()),
        ("pos", pa.string()),
        ("is_listed", pa.bool_()),
    ]
)


def add_forms(connection: duckdb.DuckDBPyConnection, language: str) -> None:
    """Fill the table `form` of an open store that has its relations: first with listed forms, then by rules."""
    statements = named_statements(_STATEMENTS)
    connection.execute(statements["known"])

    def rows(pattern: str, propose: Callable[[str], list[Candidate]]) -> list[tuple[object, ...]]:
        words = connection.execute(statements["matching"], [pattern]).fetchall()
        return [(word, *candidate) for (word,) in words for candidate in propose(word)]

    proposed = []
    if language == ENGLISH:
        lemmas = {word for (word,) in connection.execute("SELECT word FROM known JOIN word USING (word_id)").fetchall()}
        inflections = partial(inflection_candidates, among=lemmas)
        proposed = [*rows(inflection_pattern(), inflections), *rows(british_pattern(), spelling_candidates)]
    columns = zip(*proposed, strict=True) if proposed else [()] * len(_CANDIDATES)
    arrays = [pa.array(column, field.type) for column, field in zip(columns, _CANDIDATES, strict=True)]
    connection.register("candidate", pa.table(arrays, _CANDIDATES))
    connection.execute(statements["form"], [NEVER_JOINED])
    connection.unregister("candidate")
    connection.execute("DROP TABLE known")


def propose_forms(word: str, index: Index, language: str) -> list[Candidate]:
    """Return the words of which a word that is not in the store may be a form, by the same rules as `add_forms`.

    Other spellings of the word are preferred; without any, these are the lemmas that have relations.
    """
    candidates = punctuation_candidates(word)
    if language == ENGLISH:
        candidates += spelling_candidates(word)
    if found := [candidate for candidate in candidates if index.find(candidate.lemma) is not None]:
        return found
    return list(_inflections(word, index)) if language == ENGLISH else []


_ENDINGS = {"ing": {"verb"}, "ed": {"verb"}, "er": {"adj", "adv"}, "est": {"adj", "adv"}, "s": {"noun", "verb"}}
"""Endings that writers may join to a word without the change of spelling that it needs, by parts of speech."""


def misspelt_lemmas(word: str, index: Index, language: str) -> list[str]:
    """Return the words with relations that a misspelt form may be of: run for runing, happy for happyer."""
    found: dict[str, None] = {}
    for ending, wanted in _ENDINGS.items() if language == ENGLISH else ():
        stem = word.removesuffix(ending)
        if stem == word or len(stem) < _LEAST:
            continue
        single = stem[:-1] if stem[-1] == stem[-2] else stem
        for lemma in (stem, single, f"{stem}e", f"{single}e"):
            word_id = index.find(lemma)
            if word_id is not None and index.pos(word_id) & wanted:
                found[lemma] = None
    return list(found)


def _inflections(word: str, index: Index) -> Iterator[Candidate]:
    # colours may be a form of color, if the store does not have colour
    spelt = [word, *(candidate.lemma for candidate in spelling_candidates(word))]
    fitting, others = [], []
    for candidate in dict.fromkeys(candidate for form in spelt for candidate in inflection_candidates(form)):
        word_id = index.find(candidate.lemma)
        if word_id is None or not index.degree(word_id):
            continue
        pos = index.pos(word_id)
        if candidate.pos == "adj":
            fits = bool(pos & {"adj", "adv"}) or (not pos and word.endswith("est"))
        else:
            fits = not pos or candidate.pos in pos
        if candidate.is_listed or fits:
            fitting.append(candidate)
        elif candidate.pos != "adj":
            others.append(candidate)
    # runing is rather a misspelt form of the verb run than a right one of the noun rune
    yield from fitting or ([] if misspelt_lemmas(word, index, ENGLISH) else others)
