"""How long commands take to start: to print help, to refuse something, and to give the first useful answer.

Usage: python benchmarks/startup.py FOLDER [--runs 7]

FOLDER gets the starter store and a teacher with random weights, so that the rows of training measure imports rather
than arithmetic. Every command runs in a process of its own; in each round, each runs once. Shown are medians of the
processor's time, their ratio to `python -c pass`, medians of the wall clock, and which of the packages that take long
to import the process has imported.
"""

from __future__ import annotations

import argparse
import os
import resource
import shlex
import statistics
import subprocess
import sys
import time
from pathlib import Path

import click

import lexkit
from lexkit.cli.main import cli
from lexkit.sources.data_files import data_file
from lexkit_distill.cli import distill

SLOW = ("duckdb", "pyarrow", "numpy", "torch", "transformers", "lm_eval", "scipy", "sklearn", "datasets")
COMMAND = f"""
import sys
from lexkit.cli.main import main
try:
    main(sys.argv[1:])
finally:
    print("imported", *(name for name in {SLOW} if name in sys.modules), file=sys.stderr)
"""
TRAIN = "distill train --preset kd --teacher teacher --data text.txt --device cpu --output"
REFUSALS = (
    "lookup kind --store nowhere",
    "build --roget nowhere",
    "tokenize --tokenizer teacher --store nowhere",
    "distill senses --teacher ./nowhere --corpus text.txt --output out",
    "distill compose --senses nowhere",
    "distill inspect kind --senses nowhere",
    "distill preview --teacher teacher --data nowhere",
    f"{TRAIN} out --layers 99",
    "distill sweep --config nowhere",
    "distill eval --model teacher --tasks arc --data nowhere",
    "distill demo --text nowhere",
)
ANSWERS = (
    "lookup kind",
    'sql "SELECT count(*) FROM relation"',
    "sources",
    "distill train --print-config",
    "distill preview --teacher teacher --data text.txt --limit 1",
    f"{TRAIN} out --dry-run",
)


def main() -> None:
    """Prepare the folder, run everything in turns, and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=7)
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    prepare(options.folder)
    context = click.Context(cli)
    names = [*cli.list_commands(context), *(f"distill {name}" for name in distill.list_commands(context))]
    programs = {"python -c pass": ["-c", "pass"]}
    programs |= {f"import {name}": ["-c", f"import {name}"] for name in ("lexkit", "lexkit_distill", "torch")}
    commands = ["--version", *(f"{name} --help".strip() for name in ("", *names)), *REFUSALS, *ANSWERS]
    programs |= {f"lexkit {command}": ["-c", COMMAND, *shlex.split(command)] for command in commands}
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in programs}
    imported: dict[str, str] = {}
    for _ in range(options.runs):
        for name, program in programs.items():
            taken, imported[name] = run(program, options.folder)
            seconds[name].append(taken)
    medians = {
        name: [statistics.median(column) for column in zip(*both, strict=True)] for name, both in seconds.items()
    }
    floor = medians["python -c pass"][0]
    print("processor    ratio     wall")
    for name, (processor, wall) in medians.items():
        shown = name.replace(TRAIN, "distill train ...")
        figures = f"{processor * 1000:>6.0f} ms {processor / floor:>7.1f} {wall * 1000:>6.0f} ms"
        print(f"{figures}   {shown:<72} {imported[name]}".rstrip())


def prepare(folder: Path) -> None:
    """Make what the commands read, if it is not there: a store, a text, and a teacher of four layers."""
    (folder / "text.txt").write_text("\n\n".join(["Kind words cost nothing."] * 64) + "\n", encoding="utf-8")
    if not (folder / "lexkit.duckdb").exists():
        lexkit.build(folder / "lexkit.duckdb")
    if not (folder / "teacher" / "config.json").exists():
        save_teacher(folder / "teacher")


def save_teacher(folder: Path) -> None:
    """Save a Llama with random weights, and a tokenizer of the text that lexkit carries."""
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    tokenizer = ByteLevelBPETokenizer()
    tokenizer.train([str(data_file("starter/demo.txt"))], vocab_size=512, show_progress=False)
    PreTrainedTokenizerFast(tokenizer_object=tokenizer._tokenizer).save_pretrained(folder)
    config = LlamaConfig(
        vocab_size=512, hidden_size=64, intermediate_size=128, num_hidden_layers=4, num_attention_heads=4
    )
    LlamaForCausalLM(config).save_pretrained(folder)


def run(program: list[str], folder: Path) -> tuple[tuple[float, float], str]:
    """Return the seconds of the processor and of the clock that a program takes, and the packages it has imported."""
    environment = {key: value for key, value in os.environ.items() if key != "LEXKIT_STORE"}
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [sys.executable, *program],
        capture_output=True,
        text=True,
        cwd=folder,
        env={**environment, "HF_HUB_OFFLINE": "1"},
        check=False,
    )
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    processor = after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime
    if "Traceback" in done.stderr or "unexpected" in done.stderr:
        raise SystemExit(f"{program}: {done.stderr}")
    last = next(reversed(done.stderr.splitlines()), "")
    return (processor, wall), last.removeprefix("imported").strip() if last.startswith("imported") else ""


if __name__ == "__main__":
    main()
