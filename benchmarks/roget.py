"""How often Roget's antonyms and synonyms are what the gold says they are, and what other rules would give.

Usage: python benchmarks/roget.py FOLDER [--wordnet /usr/share/wordnet] [--sample FILE]

FOLDER holds roget/ and lexical/antsynnet/. WordNet is Debian's package wordnet-base. A pair is known to a gold that
states it, as antonyms or as synonyms and not as both. In WordNet, antonyms are words with an antonym pointer and
those of adjective clusters around them; synonyms share a synset or an adjective's cluster.
"""

from __future__ import annotations

import argparse
import random
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from itertools import combinations, groupby, product
from pathlib import Path

from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.records import Group, Record, Statement
from lexkit.sources.roget.opposites import Contrasts, Opposition, opposed_heads
from lexkit.sources.roget.reader import read, read_terms
from lexkit.sources.roget.terms import Term

Pair = frozenset[str]
Gold = dict[Pair, bool]
"""Whether a pair is one of antonyms."""
Front = dict[int, dict[int, list[str]]]
"""Terms of a head and part of speech by paragraph and group."""

LAYOUTS = ("roget10681.txt", "roget22.txt")
ALL_POS = ("noun", "verb", "adj", "adv")


def main() -> None:
    """Print all figures."""
    parser = argparse.ArgumentParser(description="Measure Roget's relations against AntSynNET and WordNet.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--wordnet", type=Path, default=Path("/usr/share/wordnet"))
    parser.add_argument("--sample", type=Path, help="write 100 random antonyms there that no gold knows")
    options = parser.parse_args()
    golds = {part: antsynnet(options.folder / "lexical/antsynnet", part) for part in ("train", "val")}
    golds["WordNet"] = wordnet(options.wordnet)
    for layout in LAYOUTS:
        report = ReadReport()
        synonyms, antonyms = pairs_of(read(options.folder / "roget" / layout, report))
        print(f"\n{layout:<40}{'pairs':>8}{''.join(f'{name:>20}' for name in golds)}")
        print(row("antonyms, % antonyms in the gold", antonyms, golds))
        print(row("synonyms, % antonyms in the gold", synonyms, golds))
        refused = {reason.value: report.rejected.get(reason, 0) for reason in (Reason.OPPOSED, Reason.TOGETHER)}
        print("".join(f"{n:>8,} left out: {reason}\n" for reason, n in refused.items()), end="")
    terms = list(read_terms(options.folder / "roget" / LAYOUTS[0], ReadReport()))
    print_scopes(terms, golds)
    print_exclusions(terms, golds)
    if options.sample:
        antonyms = pairs_of(read(options.folder / "roget" / LAYOUTS[0], ReadReport()))[1]
        unknown = sorted(tuple(sorted(pair)) for pair in antonyms if not any(pair in gold for gold in golds.values()))
        chosen = random.Random(0).sample(unknown, 100)
        options.sample.write_text("".join(f"{a}\t{b}\n" for a, b in chosen), encoding="utf-8")


def print_scopes(terms: list[Term], golds: dict[str, Gold]) -> None:
    """What other choices of leading terms give, single words only."""
    fronts: dict[tuple[str, str], Front] = defaultdict(lambda: defaultdict(lambda: defaultdict(list)))
    for term in terms:
        fronts[term.head, term.pos][term.paragraph][term.group].append(term.term)
    print(f"\n{'antonyms by scope':<40}{'pairs':>8}{''.join(f'{name:>20}' for name in golds)}")
    for pos in (("noun",), ("verb",), ("adj",), ("adv",), ALL_POS):
        for label, choose in scopes():
            found = {
                frozenset((a, b))
                for (head_a, head_b), part in product(opposed_heads(), pos)
                for left, right in choose(fronts[head_a, part], fronts[head_b, part])
                for a, b in product(left, right)
                if a != b and " " not in a + b
            }
            print(row(f"{pos[0] if len(pos) == 1 else 'all four'}, {label}", found, golds))


def scopes() -> Iterator[tuple[str, Callable[[Front, Front], Iterator[tuple[list[str], list[str]]]]]]:
    """Name and choice of each scope: pairs of lists of terms, one of each head."""
    for n_terms in (1, 2, 3, 4, 100):
        name = "all" if n_terms == 100 else f"first {n_terms}"
        yield f"{name} of first group", leading([(1, 1)], n_terms)
    yield "first 3 of two matching groups", leading([(1, 1), (1, 2)], 3)
    yield "first 3 of two matching paragraphs", leading([(1, 1), (2, 1)], 3)


def leading(places: list[tuple[int, int]], n: int) -> Callable[[Front, Front], Iterator[tuple[list[str], list[str]]]]:
    """The first *n* terms at *places*, paragraph and group, of both heads."""

    def choose(left: Front, right: Front) -> Iterator[tuple[list[str], list[str]]]:
        for paragraph, group in places:
            yield left[paragraph][group][:n], right[paragraph][group][:n]

    return choose


def print_exclusions(terms: list[Term], golds: dict[str, Gold]) -> None:
    """What each rule takes from the synonyms."""
    opposed, contrasts = Opposition(terms), Contrasts()
    found: dict[str, set[Pair]] = {"all pairs of the groups": set(), "opposed heads": set(), "form": set()}
    for key, members in groupby(terms, key=lambda term: term[:5]):
        words = tuple(dict.fromkeys(term.term for term in members))
        found["all pairs of the groups"].update(map(frozenset, combinations(words, 2)))
        found["opposed heads"].update(frozenset(pair) for pair in combinations(words, 2) if opposed(*pair))
        found["form"].update(map(frozenset, contrasts(words, key[2])))
    print(f"\n{'synonyms by rule':<40}{'pairs':>8}{''.join(f'{name:>20}' for name in golds)}")
    for label, pairs in found.items():
        print(row(label, pairs, golds))


def row(label: str, pairs: Iterable[Pair], golds: dict[str, Gold]) -> str:
    """A line of a table: per gold, how many of the pairs it knows are antonyms."""
    pairs = set(pairs)
    cells = []
    for gold in golds.values():
        known = [gold[pair] for pair in pairs if pair in gold]
        cells.append(f"{sum(known):,}/{len(known):,} {100 * sum(known) / max(1, len(known)):5.1f}%")
    return f"{label:<40}{len(pairs):>8,}{''.join(f'{cell:>20}' for cell in cells)}"


def pairs_of(records: Iterable[Record]) -> tuple[set[Pair], set[Pair]]:
    """Synonyms and antonyms."""
    found: dict[str, set[Pair]] = {"synonym": set(), "antonym": set()}
    for record in records:
        if isinstance(record, Group):
            found["synonym"].update(map(frozenset, combinations(record.words, 2)))
        elif isinstance(record, Statement):
            found[record.kind].add(frozenset((record.word, record.other)))
    return found["synonym"], found["antonym"]


def antsynnet(folder: Path, part: str) -> Gold:
    """Pairs of all parts of speech of AntSynNET."""
    stated: dict[Pair, set[bool]] = defaultdict(set)
    for file in sorted(folder.glob(f"*-pairs.{part}")):
        for line in file.read_text(encoding="utf-8").splitlines():
            a, b, label = line.split()
            stated[frozenset((a, b))].add(label == "1")
    return {pair: kinds.pop() for pair, kinds in stated.items() if len(kinds) == 1}


def wordnet(folder: Path) -> Gold:
    """Pairs of the database files in *folder*."""
    antonyms: set[Pair] = set()
    synonyms: set[Pair] = set()
    for file in sorted(folder.glob("data.*")):
        synsets = dict(_synset(line) for line in file.read_text(encoding="latin1").splitlines() if line[0] != " ")
        clusters = {
            offset: {*words}.union(*(synsets[target][0] for symbol, target, _ in pointers if symbol == "&"))
            for offset, (words, pointers) in synsets.items()
        }
        for offset, (words, pointers) in synsets.items():
            synonyms.update(map(frozenset, combinations(set(words), 2)))
            synonyms.update(map(frozenset, product(words, clusters[offset] - set(words))))
            for symbol, target, (here, there) in pointers:
                if symbol == "!":
                    antonyms.add(frozenset((words[here - 1], synsets[target][0][there - 1])))
                    antonyms.update(map(frozenset, product(clusters[offset], clusters[target])))
    return {pair: pair in antonyms for pair in antonyms ^ synonyms if len(pair) == 2}


def _synset(line: str) -> tuple[str, tuple[list[str], list[tuple[str, str, tuple[int, int]]]]]:
    """Words, and pointers as (symbol, synset, (number of the word here, of the word there)); see wndb(5WN)."""
    offset, _, _, n_words, *fields = line.split(" | ")[0].split()
    end = 2 * int(n_words, 16)
    words = [word.split("(")[0].replace("_", " ").lower() for word in fields[:end:2]]
    pointers = []
    for i in range(end + 1, end + 1 + 4 * int(fields[end]), 4):
        symbol, target, _, place = fields[i : i + 4]
        pointers.append((symbol, target, (int(place[:2], 16), int(place[2:], 16))))
    return offset, (words, pointers)


if __name__ == "__main__":
    main()
