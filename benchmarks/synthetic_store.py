"""Build a store of as many relations as you like, in the shape of a real one.

Usage: python benchmarks/synthetic_store.py OUTPUT [--relations 1000000]

How it is made: every relation that the starter data state is copied as often as needed, each copy with an ending of
its own on both words ("kind" -> "kindbax"); the first copy has the words as they are. So each copy has the words'
lengths and the numbers of relations of the real words; words of different copies are never related. The copies are
built from lists of pairs by `lexkit.build`, with one line of evidence a relation.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Iterator
from pathlib import Path

import lexkit
from lexkit.sources.records import Kind

_KINDS: tuple[Kind, ...] = ("synonym", "antonym")


def main() -> None:
    """Build and say what it is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("--relations", type=int, default=1_000_000)
    options = parser.parse_args()
    build(options.output, options.relations)


def build(output: Path, n_relations: int) -> None:
    """Build a store of at least *n_relations* relations."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        lexkit.build(folder / "starter.duckdb")
        with lexkit.open(folder / "starter.duckdb") as lexicon:
            stated = lexicon.sql(
                "SELECT a.word AS a, b.word AS b, kind FROM relation JOIN word a ON a.word_id = word_a"
                " JOIN word b ON b.word_id = word_b WHERE direct ORDER BY ALL"
            ).to_pylist()
        n_copies = -(-n_relations // len(stated))
        lists = {kind: folder / f"{kind}.txt" for kind in _KINDS}
        for kind, path in lists.items():
            with path.open("w", encoding="utf-8") as lines:
                for ending in itertools.islice(endings(), n_copies):
                    for row in stated:
                        if row["kind"] == kind:
                            lines.write(f"{row['a']}{ending}\t{row['b']}{ending}\n")
        lexkit.build(output, pairs=list(lists.items()))


def endings() -> Iterator[str]:
    """Yield "", "baba", "babe" ... without end."""
    syllables = [consonant + vowel for consonant in "bdfgklmnprst" for vowel in "aeiou"]
    yield ""
    yield from ("".join(pair) for pair in itertools.product(syllables, repeat=2))


if __name__ == "__main__":
    main()
