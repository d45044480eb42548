"""Roget's Thesaurus as records: groups of synonyms, and antonyms between opposed heads."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Literal

from lexkit.errors import SourceError
from lexkit.sources.data_files import data_file
from lexkit.sources.files import read_text
from lexkit.sources.records import Group, Headword, Record, Statement
from lexkit.sources.roget.layouts import parse_heads
from lexkit.sources.roget.terms import Term, parse_terms
from lexkit.sources.tally import Reason, Tally
from lexkit.text import normalize_word

Scope = Literal["group", "paragraph"]
HEADER = ("head", "name", "pos", "paragraph", "group", "term")
"""Columns of the table of facts, tab-separated, in this order."""


def read(path: Path, tally: Tally, scope: Scope = "group") -> Iterator[Record]:
    """Yield the records of a Roget file: Gutenberg #22, #10681, or the table of facts, plain or gzipped.

    Args:
        path: the file; which of the three it is shows in its content.
        tally: counts terms read and refused.
        scope: what makes terms synonyms: standing in one semicolon group, or in one paragraph.

    Raises:
        SourceError: the file cannot be read, or holds no heads.
    """
    terms = list(read_terms(path, tally))
    yield from _synonyms(terms, scope)
    yield from _antonyms(terms)


def read_terms(path: Path, tally: Tally) -> Iterator[Term]:
    """Yield the facts of a Roget file in the order of the book; errors as `read`."""
    text = read_text(path)
    if text.startswith("\t".join(HEADER) + "\n"):
        yield from _table(text, tally)
        return
    heads = parse_heads(text)
    if not heads:
        raise SourceError(
            f"{path}: no heads of Roget's Thesaurus found; give Project Gutenberg's etext #22 or #10681, "
            f"or a table with the columns {', '.join(HEADER)}"
        )
    for head in heads:
        yield from parse_terms(head, tally)


def _table(text: str, tally: Tally) -> Iterator[Term]:
    rows = csv.reader(text.splitlines()[1:], delimiter="\t", quoting=csv.QUOTE_NONE)
    for number, row in enumerate(rows, 2):
        tally.n_records += 1
        if len(row) != len(HEADER) or not (row[3].isdecimal() and row[4].isdecimal()):
            tally.reject(Reason.WRONG_COLUMNS, " | ".join(row), line=number)
            continue
        term = normalize_word(row[5])
        if not term:
            tally.reject(Reason.NO_WORD, " | ".join(row), line=number)
            continue
        yield Term(row[0], row[1], row[2], int(row[3]), int(row[4]), term)


def _synonyms(terms: Iterable[Term], scope: Scope) -> Iterator[Record]:
    # The keys of one group stand together in the book, so no sorting is needed.
    width = 5 if scope == "group" else 4
    for key, members in groupby(terms, key=lambda term: term[:width]):
        number, name, pos, *place = key
        words = tuple(dict.fromkeys(term.term for term in members))
        if len(words) == 1:
            yield Headword(words[0])
        else:
            yield Group(words, pos, f"{number} {name} ¶{'.'.join(map(str, place))}")


def _antonyms(terms: Iterable[Term]) -> Iterator[Statement]:
    """Opposed heads give antonyms between their leading nouns, verbs and adjectives, if these are single words.

    The leading term is the first of the first paragraph. What leads the adverbs are mostly idioms, which oppose
    nothing ("because" / "of course"), and so do terms of several words in other places.
    """
    leading: dict[tuple[str, str], str] = {}
    names: dict[str, str] = {}
    for term in terms:
        names.setdefault(term.head, term.name)
        leading.setdefault((term.head, term.pos), term.term)
    for head_a, head_b in opposed_heads():
        for pos in ("noun", "verb", "adj"):
            a, b = leading.get((head_a, pos), ""), leading.get((head_b, pos), "")
            if a and b and a != b and " " not in a + b:
                sense = f"{head_a} {names[head_a]} / {head_b} {names[head_b]}"
                yield Statement(a, b, "antonym", pos, sense)


def opposed_heads() -> list[tuple[str, str]]:
    """Return the numbers of the opposed heads, from ``data_sources/roget_opposites.tsv``."""
    rows = data_file("roget_opposites.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [(row.split("\t")[0], row.split("\t")[1]) for row in rows]
