"""How fast and in how much memory Wiktionary is read, on a synthetic file of full size.

Usage: python benchmarks/wiktionary.py FOLDER [--size 2GB] [--runs 3] [--work TEMP]

FOLDER is the one that holds wiktionary/, roget/ and morpholex/; the files are made from its samples by
synthetic_wiktionary.py. Every measurement runs in a process of its own. "Read" means: from the file to staged
relations in DuckDB. The baseline is the loop that people write: json.loads, a test of the language, lists of tuples.
Ratios are of medians of runs that took turns. Memory is the sum over all processes, sampled every 20 ms.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import synthetic_wiktionary

import lexkit

_BASELINE = """
import json, sys
n, found = 0, []
with open(sys.argv[1], encoding="utf-8") as lines:
    for line in lines:
        entry = json.loads(line)
        if entry.get("lang_code") != "en":
            continue
        for kind in ("synonyms", "antonyms"):
            for sense in entry.get("senses", ()):
                for linkage in sense.get(kind, ()):
                    found.append((entry["word"], linkage["word"], kind, entry.get("pos"),
                                  (sense.get("glosses") or [None])[-1]))
            for linkage in entry.get(kind, ()):
                found.append((entry["word"], linkage["word"], kind, entry.get("pos"), linkage.get("sense")))
        if len(found) > 100_000:
            n += len(found)
            found.clear()
print(n + len(found))
"""
_READ = """
import sys, tempfile
from pathlib import Path
import duckdb
from lexkit.sources.read_report import ReadReport
from lexkit.sources.wiktionary.reader import read
from lexkit.store.build import connect
from lexkit.store.staging import Staging
jobs = int(sys.argv[2])
with tempfile.TemporaryDirectory() as folder, connect(Path(folder) / "s.duckdb", jobs) as connection:
    with Staging(connection) as staging:
        staging.add("wiktionary", read(Path(sys.argv[1]), ReadReport(), jobs=jobs))
    print(connection.execute("SELECT count(*) FROM stage_statement").fetchone()[0])
"""
_BUILD = "import sys; from lexkit.cli.main import main; main(sys.argv[1:])"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", default="2GB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--work", type=Path)
    options = parser.parse_args()
    size = int(float(options.size[:-2]) * 10**9)
    print(f"lexkit {lexkit.__version__}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    with tempfile.TemporaryDirectory(dir=options.work) as temporary:
        folder = Path(temporary)
        samples = options.folder / "wiktionary"
        large = make(samples, folder / "large.jsonl", size)
        throughput(large, options.runs)
        print_memory(large)
        whole_build(options.folder, large, folder / "store.duckdb", options.runs)
        large.unlink()
        half = make(samples, folder / "half.jsonl", size // 2)
        print_memory(half)
        compressed(half, options.runs)
        half.unlink()
        mixed = make(samples, folder / "mixed.jsonl", size // 2, english=0.14)
        row(
            "read, 14% English, two cores",
            [run(_READ, [mixed, "2"], {0, 1})["seconds"] for _ in range(options.runs)],
            mixed,
        )
        mixed.unlink()
        print_memory(make(samples, folder / "twice.jsonl", 2 * size))


def print_memory(path: Path) -> None:
    """Print the peak memory of reading a file."""
    done = run(_READ, [path, "2"], {0, 1})
    print(f"{'read, peak memory':<34} {done['peak_mib']:>9.0f} MiB   {path.stat().st_size / 1e9:.1f} GB", flush=True)


def make(samples: Path, path: Path, size: int, english: float = 1.0) -> Path:
    """Write a synthetic file."""
    synthetic_wiktionary.write(samples, path, size, english)
    return path


def throughput(path: Path, runs: int) -> None:
    """Compare with the baseline, on one core, and with itself, on two."""
    cases: dict[str, Callable[[], dict[str, Any]]] = {
        "json.loads loop, one core": lambda: run(_BASELINE, [path], {0}),
        "read, one core": lambda: run(_READ, [path, "1"], {0}),
        "read, two cores": lambda: run(_READ, [path, "2"], {0, 1}),
        "two apart, a core and file each": lambda: apart(path),
    }
    seconds = take_turns(cases, runs)
    for name, values in seconds.items():
        row(name, values, path)
    baseline, one, two, at_once = (statistics.median(values) for values in seconds.values())
    print(f"{'one core against the loop':<34} {baseline / one:>9.2f} times")
    print(f"{'two cores against one':<34} {one / two:>9.2f} times")
    print(f"{'the same, of two apart':<34} {2 * one / at_once:>9.2f} times")


def apart(path: Path) -> dict[str, Any]:
    """Read the file twice at once, on a core each: what two cores of this machine do at most."""
    with ThreadPoolExecutor(2) as threads:
        done = list(threads.map(lambda core: run(_READ, [path, "1"], {core}), (0, 1)))
    return max(done, key=lambda one: one["seconds"])


def compressed(path: Path, runs: int) -> None:
    """Compare reading compressed files with decompressing them and nothing else."""
    packed = path.with_suffix(".jsonl.gz")
    with path.open("rb") as source, gzip.open(packed, "wb", compresslevel=6) as target:
        shutil.copyfileobj(source, target, 1 << 20)
    zstd = path.with_suffix(".jsonl.zst")
    with path.open("rb") as source, pa.CompressedOutputStream(str(zstd), "zstd") as target:
        shutil.copyfileobj(source, target, 1 << 20)
    discard = "import sys\nfrom pathlib import Path\nfrom lexkit.sources.files import open_binary\n"
    discard += "with open_binary(Path(sys.argv[1])) as stream:\n    while stream.read(1 << 22): pass\nprint(0)"
    cases: dict[str, Callable[[], dict[str, Any]]] = {
        "gzip -dc": lambda: shell(f"gzip -dc {packed} > /dev/null"),
        "read .gz, two cores": lambda: run(_READ, [packed, "2"], {0, 1}),
        "Zstandard decompressor": lambda: run(discard, [zstd], {0, 1}),
        "read .zst, two cores": lambda: run(_READ, [zstd, "2"], {0, 1}),
    }
    seconds = take_turns(cases, runs)
    for name, values in seconds.items():
        row(name, values, path)
    medians = [statistics.median(values) for values in seconds.values()]
    print(f"{'.gz against gzip -dc':<34} {medians[0] / medians[1]:>9.2f} times")
    print(f"{'.zst against its decompressor':<34} {medians[2] / medians[3]:>9.2f} times")
    packed.unlink()
    zstd.unlink()


def whole_build(data: Path, wiktionary: Path, store: Path, runs: int) -> None:
    """Build from everything."""
    arguments = ["build", "--quiet", "--output", store, "--wiktionary", wiktionary]
    arguments += ["--roget", data / "roget/roget10681.txt"]
    arguments += ["--morpholex", data / "morpholex/MorphoLEX_en-reconstructed.xlsx"]
    done = [run(_BUILD, arguments, {0, 1}) for _ in range(runs)]
    row("whole build, two cores", [one["seconds"] for one in done], wiktionary)
    print(f"{'whole build, peak memory':<34} {max(one['peak_mib'] for one in done):>9.0f} MiB")
    with lexkit.open(store) as lexicon:
        counts = lexicon.statistics()
    relations = sum(kind.relations for kind in counts.kinds)
    print(f"{'result':<34} {counts.words:,} words, {relations:,} relations, {store.stat().st_size / 2**20:.0f} MiB")


def take_turns(cases: dict[str, Callable[[], dict[str, Any]]], runs: int) -> dict[str, list[float]]:
    """Run every case *runs* times, in turns, and return the seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in cases}
    for _ in range(runs):
        for name, case in cases.items():
            seconds[name].append(case()["seconds"])
    return seconds


def run(code: str, arguments: list[Any], cores: set[int]) -> dict[str, Any]:
    """Run Python code in a process of its own on some cores; return its seconds and the peak memory in MiB."""
    return measured([sys.executable, "-c", code, *map(str, arguments)], cores)


def shell(command: str) -> dict[str, Any]:
    """Run a shell command; as `run`."""
    return measured(["sh", "-c", command], {0, 1})


def measured(command: list[str], cores: set[int]) -> dict[str, Any]:
    """Run a command on some cores."""
    peak = 0.0
    started = time.perf_counter()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, cores),
    ) as process:
        done = threading.Event()

        def watch() -> None:
            nonlocal peak
            while not done.wait(0.02):
                peak = max(peak, memory(process.pid))

        watcher = threading.Thread(target=watch)
        watcher.start()
        _, errors = process.communicate()
        seconds = time.perf_counter() - started
        done.set()
        watcher.join()
    if process.returncode:
        raise SystemExit(errors)
    return {"seconds": seconds, "peak_mib": peak}


def memory(pid: int) -> float:
    """Resident memory in MiB of a process and its descendants; 0 if it has gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="ascii").split()[1])
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
    except (OSError, IndexError):
        return 0.0
    return pages * os.sysconf("SC_PAGE_SIZE") / 2**20 + sum(memory(int(child)) for child in children)


def row(name: str, seconds: list[float], path: Path) -> None:
    """Print the median of some runs, the least and the most, and the rate in the bytes of *path*."""
    median = statistics.median(seconds)
    rate = path.stat().st_size / 1e6 / median
    print(f"{name:<34} {median:>9.2f} s   ({min(seconds):.2f} to {max(seconds):.2f})   {rate:.0f} MB/s", flush=True)


if __name__ == "__main__":
    main()
