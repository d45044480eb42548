"""Prove everything that `lexkit distill` does on one GPU, from files alone, in eight minutes at most.

Usage: python benchmarks/gpu.py FOLDER [--stage NAME]... [--output FILE] [--budget SECONDS] [--device cuda] [--small]
                               [--profile FILE]
       python benchmarks/gpu.py FOLDER --pack OUT [--piece 25MB]

FOLDER holds what needs a network, or time, to make:

    smol/           SmolLM2-135M-Instruct: an ordinary folder, or its GGUF file and the other files of that folder
    llama3/         Llama-3's tokenizer.json and tokenizer_config.json
    store.duckdb    a store
    train.txt       text to collect senses from, 2 MB or so
    valid.txt       held-out text, 1 MB or so, that students are trained on and perplexity is measured on
    arc/            train*.jsonl and validation*.jsonl of ARC-Challenge
    lexical/        SimLex-999, SimVerb-3500 and AntSynNET
    wheels/         packages that the other machine lacks; only --pack reads them

Everything that the script makes goes into FOLDER/work, and the results into FOLDER/results.json (--output), which is
written again after every stage. Without --stage, FOLDER/work is emptied first; with it, a stage takes what is there
and runs before it the stages that it needs. A stage that fails does not stop the others. A stage for which the rest of
--budget is too short does not run, one that outlasts its own limit is stopped, and both are in the results.

The exit code is 1 if a stage failed, or if a figure misses a goal. Goals of speed count on a GPU at full size only.
`--device cpu --small` runs the stages with tiny models, to test this script; what needs a GPU then says so.

--pack writes FOLDER, its GGUF file in place of dense weights, with the scripts into OUT, in pieces for a machine that
takes small files only, and beside them unpack.sh. docs/benchmarks.md says how to get there and back.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import shutil
import signal
import sys
import tarfile
import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, NamedTuple

from lexkit.atomic_write import write_json
from lexkit_distill.sizes import parse_size

if TYPE_CHECKING:
    from gpu_run import Run

BEGAN = time.monotonic()
HERE = Path(__file__).resolve().parent


class Stage(NamedTuple):
    """When a stage may run. What it does is the function of its name in gpu_stages.py."""

    seconds: int
    """What it takes on an H100, roughly: it begins only if this much is left, and is stopped after twice as long."""
    needs: tuple[str, ...] = ()
    product: str = ""
    """What it leaves in FOLDER/work for the stages that need it."""


STAGES = {
    "senses": Stage(25, product="senses/meta.json"),
    "compose": Stage(5, ("senses",), product="composed"),
    "kd": Stage(12),
    "dskd": Stage(12, ("compose",), product="dskd/training.json"),
    "cached": Stage(12, ("compose",)),
    "steps": Stage(35, ("compose",)),
    "llama": Stage(60, product="composed-llama"),
    "llama_steps": Stage(60, ("llama",)),
    "head": Stage(18),
    "resume": Stage(50, ("compose",)),
    "launch": Stage(35, ("compose",)),
    "collecting": Stage(10, ("senses",)),
    "clustering": Stage(15, ("senses",)),
    "evaluation": Stage(20, ("dskd",)),
    "sweep": Stage(15, ("compose",)),
    "quantized": Stage(20),
    "equality": Stage(30, ("compose",)),
    "memory": Stage(10, ("compose",)),
}
"""In the order in which they run."""
FILES = {
    "smol/config.json": "python benchmarks/teacher.py FOLDER/smol",
    "smol/tokenizer.json": "python benchmarks/teacher.py FOLDER/smol",
    "llama3/tokenizer.json": "python benchmarks/vocabularies.py FOLDER",
    "store.duckdb": "lexkit build --output FOLDER/store.duckdb",
    "train.txt": "any text, 2 MB or so",
    "valid.txt": "any other text, 1 MB or so",
    "arc/train*.jsonl": "ARC-Challenge of https://allenai.org/data/arc",
    "arc/validation*.jsonl": "ARC-Challenge of https://allenai.org/data/arc",
    "lexical/**/*SIMLEX-999.txt": "the lists that docs/evaluation.md names",
    "lexical/**/*SimVerb-3500.txt": "the lists that docs/evaluation.md names",
    "lexical/**/*-pairs.train": "the lists that docs/evaluation.md names",
    "lexical/**/*-pairs.val": "the lists that docs/evaluation.md names",
}
"""What FOLDER holds, and how to make it."""
PACKED = ("llama3/*", "store.duckdb", "train.txt", "valid.txt", "arc/*", "lexical/**/*", "wheels/*")
UNPACK = """\
#!/bin/sh
# Put the pieces beside this script together in a folder, and install the wheels among them: sh unpack.sh FOLDER
set -e
mkdir -p "$1"
target=$(cd "$1" && pwd)
cd "$(dirname "$0")"
sha256sum --quiet -c SHA256SUMS
cat part-* | tar -xzf - -C "$target"
[ ! -d "$target/wheels" ] || python3 -m pip install --no-index --no-deps "$target"/wheels/*.whl
"""


@dataclass
class StageResult:
    """What one stage found."""

    name: str
    state: str = "not run"
    """ok, missed (a figure misses its goal), failed, stopped (its time was up), not run, or not on a CPU."""
    reason: str = ""
    """Why it is none of the first two."""
    seconds: float = 0.0
    figures: list[Any] = field(default_factory=list)


class OutOfTimeError(BaseException):
    """The time of a stage is up. Not an Exception, so that nothing on the way takes it for a failure of its own."""


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Context manager. Raise `OutOfTimeError` in the block after some seconds."""

    def ring(number: int, frame: FrameType | None) -> None:
        raise OutOfTimeError

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def missing_files(folder: Path) -> str:
    """Return one line on what is not in the folder and how to make it, or nothing."""
    missing = [name for name in FILES if not any(folder.glob(name))]
    if not any(folder.glob("smol/*.safetensors")) and not any(folder.glob("smol/*.gguf")):
        missing.append("smol/*.safetensors")
    ways: dict[str, list[str]] = {}
    for name in missing:
        ways.setdefault(FILES.get(name, FILES["smol/config.json"]), []).append(name)
    return "; ".join(f"{', '.join(names)} ({how.replace('FOLDER', str(folder))})" for how, names in ways.items())


def wanted(asked: list[str] | None, work: Path) -> list[str]:
    """Return the stages to run in order: all, or those asked for and what they need and is not there yet."""
    if not asked:
        return list(STAGES)
    found = set(asked)
    for name in reversed(STAGES):
        if name in found:
            found |= {need for need in STAGES[name].needs if not (work / STAGES[need].product).exists()}
    return [name for name in STAGES if name in found]


def run_stage(run: Run, name: str, results: dict[str, StageResult], left: float) -> StageResult:
    """Run one stage, whatever happens in it, and return what it found."""
    import gpu_stages

    stage, result = STAGES[name], results[name]
    unmet = [need for need in stage.needs if need in results and results[need].state not in ("ok", "missed")]
    if unmet:
        result.reason = f"needs {unmet[0]}, which is {results[unmet[0]].state}"
        return result
    if left < (0 if run.is_small else stage.seconds):
        result.reason = f"takes about {stage.seconds} s, and {max(left, 0):.0f} s of the budget are left"
        return result
    began = time.monotonic()
    try:
        with limited(left if run.is_small else min(2 * stage.seconds, left)):
            run.figures = result.figures
            getattr(gpu_stages, name)(run)
        result.state = "missed" if any(figure.holds is False for figure in result.figures) else "ok"
    except gpu_stages.NotOnCPUError:
        result.state = "not on a CPU"
    except OutOfTimeError:
        result.state, result.reason = "stopped", "its time was up"
    except Exception:
        traceback.print_exc()
        result.state, result.reason = "failed", traceback.format_exc().strip().splitlines()[-1]
    result.seconds = time.monotonic() - began
    return result


def line(result: StageResult) -> str:
    """Return how a stage ended."""
    return f"{result.name:<12} {result.state:<12} {result.seconds:>7.1f} s  {result.reason}".rstrip()


def measure(options: argparse.Namespace) -> int:
    """Run the stages, write the results, and return the exit code."""
    import gpu_run

    folder: Path = options.folder
    work = folder / "work"
    if not options.stage:
        shutil.rmtree(work, ignore_errors=True)
    run = gpu_run.Run(folder, work, options.device, options.small, options.profile)
    names = wanted(options.stage, work)
    results = {name: StageResult(name) for name in names}
    document = {"machine": gpu_run.machine(run), "budget": options.budget}
    print(json.dumps(document["machine"]), flush=True)
    run.prepare()
    for name in names:
        result = run_stage(run, name, results, options.budget - (time.monotonic() - BEGAN))
        print(line(result), flush=True)
        gpu_run.free()
        document |= {"seconds": time.monotonic() - BEGAN, "stages": [asdict(result) for result in results.values()]}
        write_json(options.output or folder / "results.json", document)
    print(f"\n{time.monotonic() - BEGAN:.0f} s in all; {options.output or folder / 'results.json'}\n")
    for result in results.values():
        print("\n".join([line(result), *(f"  {figure}" for figure in result.figures)]))
    return int(any(result.state in ("failed", "stopped", "missed") for result in results.values()))


class Pieces(io.RawIOBase):
    """A file to write to that is in fact several, none larger than *size*, and their checksums."""

    def __init__(self, folder: Path, size: int) -> None:
        self._folder, self._size = folder, size
        self._piece, self.names = bytearray(), list[str]()

    def writable(self) -> bool:
        """Return True: that is all this file is for."""
        return True

    def write(self, data: Any) -> int:  # noqa: ANN401  # whatever has bytes
        """Take bytes, and write out what fills a piece."""
        self._piece += data
        while len(self._piece) >= self._size:
            self._write(bytes(self._piece[: self._size]))
            del self._piece[: self._size]
        return len(data)

    def close(self) -> None:
        """Write the last piece and the checksums."""
        if not self.closed:
            self._write(bytes(self._piece))
            (self._folder / "SHA256SUMS").write_text("".join(self.names), encoding="utf-8")
        super().close()

    def _write(self, piece: bytes) -> None:
        name = f"part-{len(self.names):03}"
        (self._folder / name).write_bytes(piece)
        self.names.append(f"{hashlib.sha256(piece).hexdigest()}  {name}\n")


def pack(folder: Path, output: Path, size: int) -> None:
    """Write what another machine needs into pieces, and a script that puts them together there."""
    output.mkdir(parents=True, exist_ok=True)
    for old in output.glob("part-*"):
        old.unlink()
    weights = "smol/*.gguf" if any(folder.glob("smol/*.gguf")) else "smol/*.safetensors"
    chosen = [path for name in ("smol/*.j*", weights, *PACKED) for path in sorted(folder.glob(name)) if path.is_file()]
    with Pieces(output, size) as pieces, tarfile.open(fileobj=pieces, mode="w|gz", dereference=True) as archive:
        for path in chosen:
            archive.add(path, path.relative_to(folder))
        for script in ("gpu.py", "gpu_run.py", "gpu_stages.py", "gpu_costs.py", "training.py"):
            archive.add(HERE / script, f"benchmarks/{script}")
    (output / "unpack.sh").write_text(UNPACK, encoding="utf-8")
    print(f"{output}: {len(pieces.names)} pieces, SHA256SUMS and unpack.sh")


def main() -> None:
    """Check the folder, then measure or pack."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=lambda name: Path(name).resolve())
    parser.add_argument("--stage", action="append", choices=STAGES, metavar="NAME", help=", ".join(STAGES))
    parser.add_argument("--output", type=Path, help="results as JSON [default: FOLDER/results.json]")
    parser.add_argument("--budget", type=float, default=470, help="seconds for everything [default: 470]")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--small", action="store_true", help="tiny models, to test the script itself")
    parser.add_argument("--profile", type=Path, metavar="FILE", help="append what steps spend their time on to a file")
    parser.add_argument("--pack", type=Path, metavar="OUT", help="write FOLDER in pieces into this folder instead")
    parser.add_argument("--piece", type=parse_size, default="25MB", help="size of a piece [default: 25MB]")
    options = parser.parse_args()
    missing = missing_files(options.folder)
    if missing:
        sys.exit(f"error: {options.folder} lacks {missing}")
    if options.pack:
        pack(options.folder, options.pack, options.piece)
        return
    os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}
    # cuBLAS is deterministic only if this was said before its first product; it is the default of an H100 and H200
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    import torch

    if options.device != "cpu" and not torch.cuda.is_available():
        sys.exit("error: no GPU that torch can use is here; to test the script on a CPU, give --device cpu --small")
    sys.exit(measure(options))


if __name__ == "__main__":
    main()
