"""How long `lexkit build` takes on real sources, how much memory, what it makes, and how fast a word is looked up.

Usage: python benchmarks/build.py FOLDER [--runs 5]

FOLDER holds roget/roget10681.txt, wiktionary/wiktextract-1.99.7-mini.jsonl.gz and
morpholex/MorphoLEX_en-reconstructed.xlsx. Every build runs in a process of its own; medians are printed, with the
least and the most, since other work on the machine can only make a run slower.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import lexkit

_CHILD = """
import json, resource, sys, time
from lexkit.cli.main import main
started = time.perf_counter()
try:
    main(json.loads(sys.argv[1]))
except SystemExit as error:
    assert error.code == 0
used = resource.getrusage(resource.RUSAGE_SELF)
print(json.dumps({"seconds": time.perf_counter() - started, "cpu": used.ru_utime + used.ru_stime,
                  "peak_mib": used.ru_maxrss / 1024}), file=sys.stderr)
"""


def main() -> None:
    """Build, look up, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"lexkit {lexkit.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "lexkit.duckdb"
        runs = [build(options.folder, store) for _ in range(options.runs)]
        print_row("build, wall time", [run["seconds"] for run in runs], "s")
        print_row("build, processor time", [run["cpu"] for run in runs], "s")
        print_row("build, peak memory", [run["peak_mib"] for run in runs], "MiB")
        print_contents(store)
        print_lookups(store)


def build(data: Path, store: Path) -> dict[str, Any]:
    """Build once and return seconds, processor seconds, and peak memory in MiB."""
    arguments = ["build", "--output", str(store), "--quiet"]
    arguments += ["--roget", str(data / "roget/roget10681.txt")]
    arguments += ["--wiktionary", str(data / "wiktionary/wiktextract-1.99.7-mini.jsonl.gz")]
    arguments += ["--morpholex", str(data / "morpholex/MorphoLEX_en-reconstructed.xlsx")]
    done = subprocess.run(
        [sys.executable, "-c", _CHILD, json.dumps(arguments)], capture_output=True, text=True, check=True
    )
    measured: dict[str, Any] = json.loads(done.stderr.splitlines()[-1])
    return measured


def print_contents(store: Path) -> None:
    """Print what the store holds."""
    with lexkit.open(store) as lexicon:
        counts = lexicon.statistics()
    relations = sum(kind.relations for kind in counts.kinds)
    roget = next(source for source in counts.sources if source.source == "roget")
    print(f"{'words':<28} {counts.words:>12,}   {counts.words_in_relations:,} of them in relations")
    for kind in counts.kinds:
        print(f"{kind.kind + 's':<28} {kind.relations:>12,}   {kind.stated:,} stated, {kind.derived:,} derived")
    print(f"{'synonyms from Roget groups':<28} {roget.synonyms:>12,}")
    size = store.stat().st_size
    print(f"{'file':<28} {size / 2**20:>12.1f} MiB   {size / relations:.0f} bytes a relation, evidence included")


def print_lookups(store: Path) -> None:
    """Print the time of the first look-up after opening, and of warm look-ups of random words."""
    first, warm = [], []
    for seed in range(5):
        with lexkit.open(store) as lexicon:
            started = time.perf_counter()
            lexicon.synonyms("happy")
            first.append(1000 * (time.perf_counter() - started))
            words = random.Random(seed).sample(lexicon.words().to_pylist(), 2000)
            for word in words:
                started = time.perf_counter()
                lexicon.synonyms(word)
                lexicon.antonyms(word)
                warm.append(1000 * (time.perf_counter() - started))
    print_row("first look-up after opening", first, "ms")
    print_row("look-up of a word, warm", warm, "ms")


def print_row(name: str, values: list[float], unit: str) -> None:
    """Print a median with the least and the most."""
    print(f"{name:<28} {statistics.median(values):>12.3f} {unit}   ({min(values):.3f} to {max(values):.3f})")


if __name__ == "__main__":
    main()
