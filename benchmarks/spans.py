"""How fast a store's words are cut by a tokenizer, and how long a large store takes from relations to an export.

Usage: python benchmarks/spans.py TOKENIZER... [--words 500000] [--relations 1000000] [--runs 5]

TOKENIZER is what `lexkit tokenize` takes; benchmarks/vocabularies.py brings two. The words are made of halves of the
starter data's words, so that their letters and lengths are those of real ones; one in fifty is there negated, too.
Encoding alone and encoding into the store take turns, in one process, and medians are compared.
"""

from __future__ import annotations

import argparse
import os
import random
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import lexkit
from lexkit.store.files import connect
from lexkit.store.spans import add_spans
from lexkit.tokens.loading import load_tokenizer, parse_tokenizer
from lexkit.tokens.spans import leading_space, spans

_BATCHES = (10_000, 25_000, 100_000)
_RELATING = {"relate words", "find negations", "derive relations", "rank answers", "find forms"}
_SYNONYMS = 0.95
_NEGATED = 0.02


def main() -> None:
    """Make a store, tokenize it, and take it through to an export."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("tokenizers", nargs="+", metavar="TOKENIZER")
    parser.add_argument("--words", type=int, default=500_000)
    parser.add_argument("--relations", type=int, default=1_000_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"lexkit {lexkit.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        words = write_sources(folder, options.words, options.relations)
        for tokenizer in options.tokenizers:
            compare_encoding(tokenizer, words, folder, options.runs)
        time_stages(folder, options.tokenizers[0], options.runs)


def write_sources(folder: Path, n_words: int, n_relations: int) -> list[str]:
    """Write lists of pairs and a table of segmentations; return all words."""
    lexkit.build(folder / "starter.duckdb")
    with lexkit.open(folder / "starter.duckdb") as lexicon:
        real = lexicon.words().to_pylist()
    rng = random.Random(0)
    halves = {word: len(word) // 2 for word in real}
    made: dict[str, None] = {}
    while len(made) < n_words * (1 - _NEGATED):
        first, second = rng.choices(real, k=2)
        made[" ".join((first[: halves[first]] + second[halves[second] :]).split())] = None
    bases = rng.sample(list(made), int(n_words * _NEGATED))
    words = [*made, *(f"un{base}" for base in bases)]
    with (folder / "segments.tsv").open("w", encoding="utf-8") as stream:
        stream.write("Word\tMorphoLexSegm\n")
        stream.writelines(f"un{base}\t<un<{{({base})}}\n{base}\t{{({base})}}\n" for base in bases)
    drawn: dict[tuple[str, str], None] = {}
    while len(drawn) < n_relations:
        a, b = rng.choices(words, k=2)
        if a.lower() != b.lower():
            drawn[min(a, b), max(a, b)] = None
    pairs = list(drawn)
    n_synonyms = int(len(pairs) * _SYNONYMS)
    for kind, rows in (("synonym", pairs[:n_synonyms]), ("antonym", pairs[n_synonyms:])):
        text = "".join(f"{a}\t{b}\n" for a, b in rows)
        (folder / f"{kind}.tsv").write_text(text, encoding="utf-8")
    return words


def compare_encoding(tokenizer: str, words: list[str], folder: Path, runs: int) -> None:
    """Compare `encode_batch_fast` alone, in whichever batches it is fastest, with making the table of spans."""
    name, location = parse_tokenizer(tokenizer)
    loaded = load_tokenizer(location)
    lead = leading_space(loaded)
    texts = [lead + word for word in sorted(words)]
    store = folder / "words.duckdb"
    schema = (Path(lexkit.__file__).parent / "store/schema.sql").read_text(encoding="utf-8")
    alone: dict[int, list[Seconds]] = {size: [] for size in _BATCHES}
    cut: list[Seconds] = []
    whole: list[Seconds] = []
    for _ in range(runs):
        for size in _BATCHES:
            alone[size].append(timed(lambda size=size: encode(loaded, texts, size)))  # type: ignore[misc]
        cut.append(timed(lambda: sum(batch.num_rows for batch in spans(loaded, words))))
        store.unlink(missing_ok=True)
        with connect(store, os.cpu_count() or 1) as connection:
            connection.execute(schema)
            connection.execute(
                "INSERT INTO word SELECT row_number() OVER () - 1, w, w FROM (SELECT unnest(?) w)", [words]
            )
            whole.append(timed(lambda: add_spans(connection, name, loaded)))
    for place, time_of in enumerate(Seconds._fields):
        best = min(([run[place] for run in rows] for rows in alone.values()), key=statistics.median)
        print_row(f"{name}: encode_batch_fast, {time_of} time", best, len(words))
        for what, rows in (("spans", cut), ("spans in the store", whole)):
            made = [run[place] for run in rows]
            ratio = statistics.median(best) / statistics.median(made)
            print_row(f"{name}: {what}, {time_of} time", made, len(words), f"{ratio:.2f} of its speed")


def encode(tokenizer: object, texts: list[str], size: int) -> None:
    """Encode and throw away."""
    for start in range(0, len(texts), size):
        tokenizer.encode_batch_fast(texts[start : start + size], add_special_tokens=False)  # type: ignore[attr-defined]


def time_stages(folder: Path, tokenizer: str, runs: int) -> None:
    """Time what becomes of the pairs: expansion, keep-rate, export."""
    store = folder / "large.duckdb"
    times: dict[str, list[float]] = {}

    def add(stage: str, seconds: float) -> None:
        times.setdefault(stage, []).append(seconds)

    for _ in range(runs):
        summary = lexkit.build(
            store,
            pairs=[("synonym", folder / "synonym.tsv"), ("antonym", folder / "antonym.tsv")],
            morpholex=folder / "segments.tsv",
        )
        add("expansion", sum(seconds for name, seconds in summary.stages.items() if name in _RELATING))
        add("(reading the sources)", sum(s for name, s in summary.stages.items() if name.startswith("read ")))
        add("(tokenize)", timed(lambda: lexkit.tokenize(store, [tokenizer])).wall)
        with lexkit.open(store) as lexicon:
            add("keep-rate", timed(lambda: lexicon.keep_rate(tokenizer)).wall)
        add("export", timed(lambda: lexkit.export(store, folder / "export", tokenizer=tokenizer, max_tokens=3)).wall)
    for kind in summary.statistics.kinds:
        print(f"{kind.kind + 's':<44} {kind.relations:>12,}   {kind.stated:,} stated, {kind.derived:,} derived")
    asked = [times[stage] for stage in ("expansion", "keep-rate", "export")]
    for stage, seconds in times.items():
        print_row(stage, seconds)
    print_row("expansion, keep-rate and export", [sum(run) for run in zip(*asked, strict=True)])


class Seconds(NamedTuple):
    """How long something took."""

    wall: float
    processor: float
    """Of all threads; what others do on the machine changes it little."""


def timed(work: Callable[[], object]) -> Seconds:
    """Return how long it takes."""
    wall, processor = time.perf_counter(), time.process_time()
    work()
    return Seconds(time.perf_counter() - wall, time.process_time() - processor)


def print_row(name: str, seconds: list[float], n: int | None = None, note: str = "") -> None:
    """Print a median with the least and the most, the speed, and a note."""
    median = statistics.median(seconds)
    speed = f"   {n / median:,.0f} a second" if n else ""
    print(
        f"{name:<44} {median:>8.2f} s   ({min(seconds):.2f} to {max(seconds):.2f}){speed}   {note}".rstrip(), flush=True
    )


if __name__ == "__main__":
    main()
