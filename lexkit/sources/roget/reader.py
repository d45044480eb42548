"""Read Roget's Thesaurus as records: groups of synonyms, and antonyms between opposed heads."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, groupby
from pathlib import Path
from typing import Literal

from lexkit.errors import SourceError
from lexkit.sources.files import read_text
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import USAGES, Group, Headword, Record, Statement
from lexkit.sources.roget.layouts import parse_heads
from lexkit.sources.roget.opposites import Contrasts, Opposition, antonyms
from lexkit.sources.roget.terms import Term, parse_terms
from lexkit.text import fold, is_name, is_word, normalize_word

_NUMBER = re.compile(r"[0-9]{1,9}")
Scope = Literal["group", "paragraph"]
HEADER = ("head", "name", "pos", "paragraph", "group", "term", "usage")
"""Columns of the tab-separated table of terms, in this order; the last is optional."""


def read(path: Path, report: ReadReport, scope: Scope = "group") -> Iterator[Record]:
    """Yield the records of a Roget file: Gutenberg #22, #10681, or the table of terms, plain or compressed.

    Args:
        path: the file; its content shows which of the three it is.
        report: counts terms read and refused.
        scope: whether the terms of one semicolon group, or those of one paragraph, are synonyms. With groups, a term
            that is alone in the first group of its paragraph is also a synonym of those that begin the other groups.

    Raises:
        SourceError: the file cannot be read, or has no heads.
    """
    terms = list(read_terms(path, report))
    opposed, contrasts = Opposition(terms), Contrasts()
    yield from _synonyms(terms, scope, opposed, contrasts, report)
    if scope == "group":
        yield from _leading(terms, opposed, contrasts, report)
    yield from antonyms(terms, opposed, report)


def read_terms(path: Path, report: ReadReport) -> Iterator[Term]:
    """Yield the terms of a Roget file in the order of the book; it raises the same errors as `read`."""
    text = read_text(path)
    if text.startswith("\t".join(HEADER[:6])):
        yield from _table(text, report)
        return
    heads = parse_heads(text)
    if not heads:
        raise SourceError(
            f"{path}: no heads of Roget's Thesaurus found; give Project Gutenberg's etext #22 or #10681, "
            f"or a table with the columns {', '.join(HEADER)} (the last is optional)"
        )
    for head in heads:
        yield from parse_terms(head, report)


def _table(text: str, report: ReadReport) -> Iterator[Term]:
    for number, line in enumerate(text.removesuffix("\n").split("\n")[1:], 2):
        row = line.split("\t")
        report.n_records += 1
        usage = tuple(label for label in ",".join(row[6:]).split(",") if label)
        if (
            len(row) not in (len(HEADER) - 1, len(HEADER))
            or not all(_NUMBER.fullmatch(cell) for cell in row[3:5])
            or not is_name(row[2])
            or not set(usage) <= set(USAGES)
        ):
            report.reject(Reason.WRONG_COLUMNS, " | ".join(row), line=number)
            continue
        term = normalize_word(row[5])
        if not term:
            report.reject(Reason.NO_WORD, " | ".join(row), line=number)
            continue
        if not is_word(term):
            report.reject(Reason.NOT_A_WORD, " | ".join(row), line=number)
            continue
        yield Term(row[0], row[1], row[2], int(row[3]), int(row[4]), term, usage)


def _synonyms(
    terms: Iterable[Term], scope: Scope, opposed: Opposition, contrasts: Contrasts, report: ReadReport
) -> Iterator[Record]:
    # The terms of one group are consecutive in the book, so no sorting is needed.
    width = 5 if scope == "group" else 4
    for key, grouped in groupby(terms, key=lambda term: term[:width]):
        number, name, pos, *place = key
        members = list(grouped)
        if len(members) == 1:
            yield Headword(members[0].term)
            continue
        usage = {term.term: term.usage for term in reversed(members)}
        words = tuple(reversed(usage))
        sense = f"{number} {name} ¶{'.'.join(map(str, place))}"
        apart = contrasts(words, pos)
        apart.update((a, b) for a, b in combinations(words, 2) if opposed(a, b))
        yield _group(words, apart, usage, Group((), pos, sense, scope))
        for a, b in sorted(apart):
            report.reject(Reason.OPPOSED, f"{a} / {b}", where=sense)


def _group(
    words: tuple[str, ...], apart: set[tuple[str, str]], usage: Mapping[str, tuple[str, ...]], place: Group
) -> Group:
    """Return *words* as synonyms of each other, except for the pairs *apart*."""
    labels = tuple(usage[word] for word in words)
    places = {word: place for place, word in enumerate(words, 1)}
    pairs = tuple(sorted((places[a], places[b]) for a, b in apart))
    return place._replace(words=words, usage=labels if any(labels) else (), apart=pairs)


def _leading(
    terms: Iterable[Term], opposed: Opposition, contrasts: Contrasts, report: ReadReport
) -> Iterator[Statement]:
    """Yield a term that is alone in a paragraph's first group as a synonym of the first term of every other group.

    Sayings (``Phr.``) are left out, because the first of a paragraph does not summarise the others.
    """
    for (number, name, pos, paragraph), members in groupby(terms, key=lambda term: term[:4]):
        first, *groups = (list(group) for _, group in groupby(members, key=lambda term: term.group))
        if len(first) > 1 or pos == "phrase":
            continue
        word = first[0]
        sense = f"{number} {name} ¶{paragraph}"
        others = {group[0].term: group[0] for group in groups}
        apart = contrasts((word.term, *others), pos)
        for other in others.values():
            if fold(other.term) == fold(word.term):
                continue
            if (word.term, other.term) in apart or opposed(word.term, other.term):
                report.reject(Reason.OPPOSED, f"{word.term} / {other.term}", where=sense)
            else:
                yield Statement(word.term, other.term, "synonym", pos, sense, "leading", word.usage, other.usage)
