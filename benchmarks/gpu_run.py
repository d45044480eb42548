"""What the stages of benchmarks/gpu.py share: where they run, how much of everything, and the figures they note."""

from __future__ import annotations

import csv
import gc
import io
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers

import lexkit
from lexkit.cli.main import main as command_line
from lexkit_distill.loading import quiet_transformers
from lexkit_distill.teacher import load_teacher

LLAMA_3_8B = {
    "vocab_size": 128_256,
    "hidden_size": 4096,
    "intermediate_size": 14_336,
    "num_hidden_layers": 32,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
}
TINY = {
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 6,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
}


class Size(NamedTuple):
    """How much of everything."""

    steps: int
    batch: int
    length: int
    corpus: int | None
    """Paragraphs of train.txt and valid.txt that are read; None for all."""
    paragraphs: int
    """Paragraphs of the text of trainings of several epochs: 20 to 30 steps."""
    smol: tuple[int, int, int]
    """Rows, tokens of each, and runs of the steps with SmolLM2."""
    llama: tuple[int, int, int]
    """Rows, tokens of each, and runs of the steps of Llama-3-8B's shape."""
    questions: int


FULL = Size(80, 16, 256, None, 400, smol=(16, 512, 9), llama=(4, 512, 7), questions=100)
SMALL = Size(12, 4, 64, 200, 80, smol=(4, 64, 3), llama=(2, 64, 3), questions=4)


class NotOnCPUError(Exception):
    """What a stage measures is not there without a GPU."""


@dataclass(frozen=True)
class Figure:
    """Something measured, and what it ought to be."""

    name: str
    value: float | str
    span: tuple[float, float] | None = None
    """The least and the most, where the value is a median."""
    goal: str = ""
    holds: bool | None = None

    def __str__(self) -> str:
        value = self.value if isinstance(self.value, str) else f"{self.value:,.6g}"
        span = f" ({self.span[0]:,.4g} to {self.span[1]:,.4g})" if self.span else ""
        goal = f"{self.goal} {'holds' if self.holds else 'MISSED'}" if self.goal else ""
        return f"{self.name:<58} {value + span:<34} {goal}".rstrip()


@dataclass
class Peak:
    """The most memory that something took."""

    bytes: int = 0


@dataclass
class Run:
    """Where the stages run, and the figures of the one that runs."""

    folder: Path
    work: Path
    device: str
    is_small: bool
    profile: Path | None = None
    """Where to write what steps spend their time on."""
    figures: list[Figure] = field(default_factory=list)

    @property
    def on_gpu(self) -> bool:
        """Whether this is what the script is for."""
        return self.device.startswith("cuda")

    @property
    def size(self) -> Size:
        """How much of everything."""
        return SMALL if self.is_small else FULL

    @property
    def dtype(self) -> str:
        """The arithmetic of everything but the comparison with a CPU."""
        return "bfloat16" if self.on_gpu else "float32"

    @cached_property
    def smol(self) -> Path:
        """The real teacher, or with --small a tiny one with its tokenizer."""
        return self.work / "smol" if self.is_small else self.folder / "smol"

    def prepare(self) -> None:
        """Make what all stages read: a store of our own, dense weights, excerpts of the text."""
        self.work.mkdir(exist_ok=True)
        if not self.path("store.duckdb").exists():
            shutil.copy(self.folder / "store.duckdb", self.path("store.duckdb"))
        size = self.size
        train, valid = (
            [line.strip() for line in (self.folder / name).read_text(encoding="utf-8").splitlines() if line.strip()]
            for name in ("train.txt", "valid.txt")
        )
        texts = {"train": train[: size.corpus], "valid": valid[: size.corpus], "short": valid[: size.paragraphs]}
        for name, paragraphs in texts.items():
            self.path(f"{name}.txt").write_text("\n\n".join(paragraphs), encoding="utf-8")
        # One document, whose rows are all of the greatest length
        self.path("joined.txt").write_text(" ".join(texts["valid"])[:600_000], encoding="utf-8")
        if self.is_small:
            make_llama(self.smol, self.folder / "smol", TINY, self.device)
        elif not any(self.smol.glob("*.safetensors")):
            (weights,) = self.smol.glob("*.gguf")
            dense = load_teacher(str(self.smol), gguf=weights.name, dtype="float32", device="cpu")
            with quiet_transformers():
                dense.model.save_pretrained(self.smol)

    def path(self, name: str) -> Path:
        """Return the path of something that the stages make."""
        return self.work / name

    def note(self, name: str, value: float | str | list[float]) -> None:
        """Note a figure, or the median of several, that has no goal."""
        values = value if isinstance(value, list) else []
        middle = statistics.median(values) if isinstance(value, list) else value
        self.figures.append(Figure(name, middle, (min(values), max(values)) if len(values) > 1 else None))

    def expect(self, name: str, value: float, at_most: float = 0) -> None:
        """Note a figure that must not exceed something, wherever it is measured."""
        self.figures.append(Figure(name, value, None, f"<= {at_most:g}", value <= at_most))

    def aim(self, name: str, values: list[float], *, at_most: float = math.inf, at_least: float = 0.0) -> None:
        """Note the median of figures of speed. It has a goal on a GPU, if the models have their size."""
        self.note(name, values)
        if self.on_gpu and not self.is_small and (at_least or at_most < math.inf):
            found = self.figures.pop()
            goal = f">= {at_least:g}" if at_least else f"<= {at_most:g}"
            self.figures.append(replace(found, goal=goal, holds=at_least <= float(found.value) <= at_most))

    @contextmanager
    def peak(self, name: str) -> Iterator[Peak]:
        """Context manager. Note the peak of the GPU's memory in the block beyond what is there before and after it."""
        found = Peak()
        if not self.on_gpu:
            yield found
            self.note(name, "not on a CPU")
            return
        free()
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        yield found
        peak = torch.cuda.max_memory_allocated()
        free()
        found.bytes = peak - min(before, torch.cuda.memory_allocated())
        self.note(name, found.bytes / 1e9)

    def training(self, name: str, *options: object, text: str = "short.txt") -> list[str]:
        """Return the arguments of a training with the defaults of this script; options take precedence."""
        shutil.rmtree(self.path(name), ignore_errors=True)
        batch = self.size.batch
        arguments: list[object] = [*"distill train --loss-on all --lr 3e-3 --quiet --gamma auto --epochs 3".split()]
        arguments += ["--teacher", self.smol, "--senses", self.path("senses"), "--store", self.path("store.duckdb")]
        arguments += ["--data", self.path(text)]
        arguments += ["--max-length", self.size.length, "--batch-size", batch, "--micro-batch-size", batch]
        arguments += ["--dtype", self.dtype, "--device", self.device, "--output", self.path(name), *options]
        return [str(argument) for argument in arguments]

    def train(self, name: str, *options: object, text: str = "short.txt") -> list[dict[str, str]]:
        """Train a student in this process, and return its log."""
        command(*self.training(name, *options, text=text))
        return log(self.path(name))

    def start(self, name: str, arguments: list[str]) -> subprocess.Popen[bytes]:
        """Start Python, with this lexkit, in a process of its own; what it says goes into NAME.err."""
        places = [str(Path(lexkit.__file__).parents[1]), os.environ.get("PYTHONPATH", "")]
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, places))}
        command = [sys.executable, *arguments]
        with self.path(f"{name}.err").open("wb") as errors:
            # Of the folder in which it starts, Python would take another lexkit
            return subprocess.Popen(command, stdout=errors, stderr=errors, env=environment, cwd=self.work)

    def last_words(self, name: str) -> str:
        """Return the last error that a process named, or the last line that it said."""
        lines = self.path(f"{name}.err").read_text(encoding="utf-8", errors="replace").strip().splitlines()
        errors = [line for line in lines if "rror: " in line and "ChildFailedError" not in line]
        return (errors or lines or ["nothing was said"])[-1]


def machine(run: Run) -> dict[str, Any]:
    """Return what the figures depend on."""
    card = torch.cuda.get_device_properties(run.device) if run.on_gpu else None
    return {
        "date": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "device": card.name if card else f"{platform.machine()}, {torch.get_num_threads()} threads",
        "memory": card.total_memory if card else None,
        "small": run.is_small,
        "lexkit": lexkit.__version__,
        "torch": torch.__version__,
        "cuda": torch.version.cuda,
        "transformers": transformers.__version__,
        "python": platform.python_version(),
    }


def free() -> None:
    """Give back the memory of what nobody holds any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def synchronize() -> None:
    """Wait for the GPU, if there is one."""
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def command(*arguments: object) -> str:
    """Run a command of lexkit in this process, and return what it prints; its errors are raised as they are."""
    printed, before = io.StringIO(), signal.getsignal(signal.SIGTERM)
    try:
        with redirect_stdout(printed):
            command_line(["--debug", *map(str, arguments)])
    except SystemExit as end:
        if end.code:
            shown = " ".join(map(str, arguments))[:200]
            raise RuntimeError(f"lexkit {shown}: exit code {end.code}") from end
    finally:
        signal.signal(signal.SIGTERM, before)
    return printed.getvalue()


def log(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a training's log, none if it has not begun."""
    path = folder / "log.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def make_llama(folder: Path, tokenizer: Path, shape: dict[str, int], device: str) -> None:
    """Save a Llama with random weights and the tokenizer of a folder: its times and memory are those of a real one."""
    loaded = transformers.AutoTokenizer.from_pretrained(tokenizer)
    sizes = {"vocab_size": len(loaded), "tie_word_embeddings": False, "max_position_embeddings": 8192, **shape}
    config = transformers.LlamaConfig(**sizes, bos_token_id=loaded.bos_token_id, eos_token_id=loaded.eos_token_id)
    if shape is TINY:
        config.initializer_range = 0.5  # spread out, so that the tokens it predicts differ
    torch.manual_seed(0)
    with torch.device(device):
        torch.set_default_dtype(torch.bfloat16)
        try:
            model = transformers.LlamaForCausalLM(config)
        finally:
            torch.set_default_dtype(torch.float32)
    with quiet_transformers():
        loaded.save_pretrained(folder)
        model.save_pretrained(folder, max_shard_size="4GB")
