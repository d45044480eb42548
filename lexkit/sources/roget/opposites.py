"""What Roget opposes: antonyms, and terms that share a group although they are not synonyms.

Roget arranges most ideas in pairs of correlative heads (1 Existence, 2 Inexistence), and a head begins with the terms
that name it. However, a group may also list kinds of a thing (uncle, aunt) or both ends of a scale (import, export).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations, product
from typing import NamedTuple

from lexkit.sources.data_files import data_file
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Statement
from lexkit.sources.roget.terms import Term

LEADING = 3
"""Number of terms in a head's first group that are leading; docs/benchmarks.md compares other choices."""
_SHORTEST_REST = 4
_SHORTEST_ELEMENT = 2


def opposed_heads() -> list[tuple[str, str]]:
    """Return the numbers of the opposed heads, from ``data_sources/roget_opposites.tsv``."""
    rows = data_file("roget_opposites.tsv").read_text(encoding="utf-8").splitlines()[1:]
    return [(row.split("\t")[0], row.split("\t")[1]) for row in rows]


class Opposition:
    """Decides whether Roget opposes two terms, from the heads that have them: opposed heads, or the same one."""

    def __init__(self, terms: Iterable[Term]) -> None:
        self._opposite: dict[str, list[str]] = defaultdict(list)
        for a, b in opposed_heads():
            self._opposite[a].append(b)
            self._opposite[b].append(a)
        self._heads: dict[str, set[str]] = defaultdict(set)
        for term in terms:
            self._heads[term.term].add(term.head)
        self._against = {
            term: frozenset(opposite for head in heads for opposite in self._opposite.get(head, ()))
            for term, heads in self._heads.items()
        }

    def __call__(self, a: str, b: str) -> bool:
        """Whether the book opposes *a* and *b*, at least as often as it lists them under the same head."""
        if self._against[a].isdisjoint(self._heads[b]):
            return False
        theirs = self._heads[b]
        n_opposed = sum(other in theirs for head in self._heads[a] for other in self._opposite.get(head, ()))
        return n_opposed >= len(self._heads[a] & theirs)


class _Form(NamedTuple):
    """A part of a word that contrasts with the others in its row of the table."""

    row: int
    variant: str
    pos: frozenset[str]
    """Parts of speech to which the contrast is limited; if empty, it applies to all."""


class Contrasts:
    """Finds terms whose form shows that they exclude each other, with ``data_sources/roget_contrasts.tsv``.

    The rows of the table are prefixes before the same rest (im-port, ex-port; ``-`` stands for no prefix), endings
    after the same beginning (mer-man, mer-maid), final elements of learned compounds whose first elements name
    different kinds (carni-vorous, herbi-vorous), and closed sets of words (relatives).
    """

    def __init__(self) -> None:
        tables: dict[str, dict[str, list[_Form]]] = {
            kind: defaultdict(list) for kind in ("prefix", "ending", "element", "words")
        }
        text = data_file("roget_contrasts.tsv").read_text(encoding="utf-8")
        for number, row in enumerate(csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)):
            for member in row["members"].split():
                form = _Form(number, member, frozenset(row["pos"].split()))
                tables[row["kind"]][member.strip("-") if row["kind"] != "words" else member].append(form)
        # Every word could have no prefix, so check that only for the rest of a word with another prefix.
        self._without_prefix = {form.row for form in tables["prefix"].pop("")}
        self._prefixes, self._endings, self._elements, self._words = map(dict, tables.values())
        self._known: dict[tuple[str, str], list[tuple[tuple[int, str], str]]] = {}
        self._starts = sorted({len(form) for form in self._prefixes})
        self._ends = sorted({len(form) for form in (*self._endings, *self._elements)})

    def __call__(self, terms: Sequence[str], pos: str) -> set[tuple[str, str]]:
        """Return the pairs of *terms* that contrast, each in the order of *terms*."""
        if len(terms) < 2:
            return set()
        places = {term: place for place, term in enumerate(terms)}
        seen: dict[tuple[int, str], dict[str, str]] = {}
        for term in terms:
            for key, variant in self._known_forms(term, pos):
                seen.setdefault(key, {})[term] = variant
        for (row, rest), variants in seen.items():
            if row in self._without_prefix and rest in places:
                variants[rest] = "-"
        return {
            (a, b) if places[a] < places[b] else (b, a)
            for variants in seen.values()
            for a, b in combinations(variants, 2)
            if variants[a] != variants[b]
        }

    def _known_forms(self, term: str, pos: str) -> list[tuple[tuple[int, str], str]]:
        key = (term, pos)
        if key not in self._known:
            self._known[key] = list(self._forms(term, pos))
        return self._known[key]

    def _forms(self, term: str, pos: str) -> Iterator[tuple[tuple[int, str], str]]:
        """Yield keys and variants of a term. Two terms contrast if they have the same key with different variants."""
        for form in self._words.get(term, ()):
            if not form.pos or pos in form.pos:
                yield (form.row, ""), form.variant
        for length in self._starts:
            for form in self._prefixes.get(term[:length], ()):
                if len(term) - length >= _SHORTEST_REST and (not form.pos or pos in form.pos):
                    yield (form.row, term[length:]), form.variant
        for length in self._ends:
            beginning, end = term[:-length], term[-length:]
            for form in self._endings.get(end, ()):
                yield (form.row, beginning), form.variant
            for form in self._elements.get(end, ()):
                if len(beginning) >= _SHORTEST_ELEMENT and " " not in term:
                    yield (form.row, form.variant), beginning


def antonyms(terms: Sequence[Term], opposed: Opposition, report: ReadReport) -> Iterator[Statement]:
    """Yield an antonym for each pair of leading terms of opposed heads that are single words of one part of speech.

    The leading terms are the first `LEADING` ones of the first group. A term such as ``not perfect`` also makes
    *perfect* an antonym of the leading terms of its own paragraph, if an opposed head has *perfect*. Pairs that the
    book lists under one head more often than under opposed heads are counted in *report* instead.
    """
    names = {term.head: term.name for term in terms}
    usage = {(term.head, term.pos, term.term): term.usage for term in terms}
    seen: set[tuple[str, str, str, str, str]] = set()
    for head_a, head_b, pos, a, b in (*_leading_pairs(terms), *_negated_pairs(terms)):
        key = (head_a, head_b, pos, min(a, b), max(a, b))
        if a == b or key in seen:
            continue
        seen.add(key)
        sense = f"{head_a} {names[head_a]} / {head_b} {names[head_b]}"
        if opposed(a, b):
            yield Statement(a, b, "antonym", pos, sense, "heads", usage[head_a, pos, a], usage[head_b, pos, b])
        else:
            report.reject(Reason.TOGETHER, f"{a} / {b}", where=sense)


_Pair = tuple[str, str, str, str, str]
"""Two heads, a part of speech, and a term of each head."""


def _leading_pairs(terms: Iterable[Term]) -> Iterator[_Pair]:
    leading: dict[tuple[str, str], list[str]] = defaultdict(list)
    for term in terms:
        first = leading[term.head, term.pos]
        if term.paragraph == term.group == 1 and len(first) < LEADING:
            first.append(term.term)
    for head_a, head_b in opposed_heads():
        for pos in ("noun", "verb", "adj", "adv"):
            for a, b in product(leading.get((head_a, pos), ()), leading.get((head_b, pos), ())):
                if " " not in a + b:
                    yield head_a, head_b, pos, a, b


def _negated_pairs(terms: Iterable[Term]) -> Iterator[_Pair]:
    opposite: dict[str, set[str]] = defaultdict(set)
    for a, b in opposed_heads():
        opposite[a].add(b)
        opposite[b].add(a)
    heads: dict[tuple[str, str], list[str]] = defaultdict(list)
    leading: dict[tuple[str, str, int], list[str]] = defaultdict(list)
    negated = []
    for term in terms:
        heads[term.term, term.pos].append(term.head)
        first = leading[term.head, term.pos, term.paragraph]
        if term.group == 1 and len(first) < LEADING:
            first.append(term.term)
        if term.term.startswith("not ") and term.term.count(" ") == 1:
            negated.append(term)
    for term in negated:
        word = term.term.removeprefix("not ")
        there = [head for head in heads.get((word, term.pos), ()) if head in opposite[term.head]]
        for other in leading[term.head, term.pos, term.paragraph] if there else ():
            if " " not in other:
                yield term.head, there[0], term.pos, other, word
