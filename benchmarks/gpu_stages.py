"""The stages of benchmarks/gpu.py: a function each, in the order in which they run.

A stage runs commands of lexkit in this process wherever it can, and notes figures. A figure that misses its goal makes
the stage one that missed. This module imports torch; gpu.py imports it only when its folder is checked.
"""

from __future__ import annotations

import json
import shutil
import statistics
import time
from collections.abc import Callable
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import yaml
from gpu_costs import collecting_costs, head_costs, step_costs
from gpu_run import LLAMA_3_8B, TINY, NotOnCPUError, Run, command, free, log, make_llama

from lexkit_distill.teacher import load_teacher

MEASURED = [*"loss ce kl semantic positive negative active_hinges gradient_ratio gradient_norm".split()]
"""Columns of log.csv that depend on every sum of a step."""


def milliseconds(rows: list[dict[str, str]], first: int) -> list[float]:
    """Return the durations of the steps from *first* on."""
    return [1e3 * float(row["seconds"]) for row in rows[first:]]


def make_senses(run: Run, teacher: Path, corpus: Path, name: str, *options: object) -> dict[str, Any]:
    """Make the dictionary of a teacher and the sample that it is clustered from, and return its summary."""
    for old in (name, f"sample-{name}"):
        shutil.rmtree(run.path(old), ignore_errors=True)
    arguments = ["--teacher", teacher, "--corpus", corpus, "--output", run.path(name), "--json", "--quiet"]
    arguments += ["--sample", run.path(f"sample-{name}"), "--dtype", run.dtype, "--device", run.device]
    found: dict[str, Any] = json.loads(command("distill", "senses", *arguments, *options))
    return found


def compose_senses(run: Run, name: str) -> dict[str, Any]:
    """Give a dictionary the words of the store."""
    store = ["--store", run.path("store.duckdb")]
    command("tokenize", *store, "--tokenizer", f"{name}={run.path(name)}/tokenizer.json", "--quiet")
    found: dict[str, Any] = json.loads(command("distill", "compose", "--senses", run.path(name), *store, "--json"))
    return found


def senses(run: Run) -> None:
    """Make the dictionary of SmolLM2."""
    began = time.perf_counter()
    summary = make_senses(run, run.smol, run.path("train.txt"), "senses")
    run.note("seconds, loading included", time.perf_counter() - began)
    for name in ("tokens", "keys", "rows"):
        run.note(name, summary[name])


def compose(run: Run) -> None:
    """Add the words of the store to it."""
    run.note("words", compose_senses(run, "senses")["words"])
    run.path("composed").touch()


def kd(run: Run) -> None:
    """Train by KD alone."""
    trained(run, "kd", "--preset", "kd")


def dskd(run: Run) -> None:
    """Train by DSKD."""
    trained(run, "dskd")


def trained(run: Run, name: str, *options: object) -> None:
    """Train a student of SmolLM2 on all of valid.txt, and note times, losses and memory."""
    steps = run.size.steps
    with run.peak("peak memory, GB"):
        rows = run.train(name, *options, "--max-steps", steps, text="valid.txt")
    times = milliseconds(rows, steps // 3)
    run.note("step, ms", times)
    run.note("first loss", float(rows[0]["loss"]))
    run.note("last loss", float(rows[-1]["loss"]))
    run.expect("steps that are not in the log", steps - len(rows))


def cached(run: Run) -> None:
    """Train by DSKD for three epochs with a cache, which the first fills."""
    shutil.rmtree(run.path("cache"), ignore_errors=True)
    rows = run.train("cached", "--cache", run.path("cache"))
    for name, is_later in (("filling", False), ("filled", True)):
        times = milliseconds([row for row in rows if (row["epoch"] != "0") == is_later], 3)
        run.note(f"step, cache {name}, ms", times)


def largest(ours: list[dict[str, str]], theirs: list[dict[str, str]], column: str) -> float:
    """Return the largest relative difference of a column."""
    pairs = [(float(one[column]), float(other[column])) for one, other in zip(ours, theirs, strict=True)]
    return max(abs(one - other) / max(abs(other), 1e-12) for one, other in pairs)


def steps(run: Run) -> None:
    """Time the ways of a step in turns, with SmolLM2."""
    step_costs(run, run.smol, "senses", *run.size.smol, is_llama=False)


def head(run: Run) -> None:
    """Compare CE + KL and their gradient with the fused losses of Liger Kernel, at both sizes of head."""
    if not run.on_gpu:
        raise NotOnCPUError
    head_costs(run)


def llama(run: Run) -> None:
    """Make a teacher of Llama-3-8B's shape with random weights, and its dictionary."""
    folder = run.path("llama")
    steps: dict[str, Callable[[], object]] = {
        "making": lambda: make_llama(folder, run.folder / "llama3", TINY if run.is_small else LLAMA_3_8B, run.device),
        "senses": lambda: make_senses(run, folder, run.path("joined.txt"), "senses-llama", "--anchor", "next"),
        "composing": lambda: compose_senses(run, "senses-llama"),
    }
    for name, step in steps.items():
        began = time.perf_counter()
        step()
        free()
        run.note(f"{name}, seconds", time.perf_counter() - began)
    run.path("composed-llama").touch()


def llama_steps(run: Run) -> None:
    """Take steps, and collect, at the shape of Llama-3-8B."""
    folder, (rows, length, runs) = run.path("llama"), run.size.llama
    bench = step_costs(run, folder, "senses-llama", rows, length, runs, is_llama=True)
    free()
    collecting_costs(run, bench.teacher, run.path("sample-senses-llama"), 8)
    del bench
    options = ["--teacher", folder, "--senses", run.path("senses-llama"), "--max-length", length]
    predicted(run, "dry run", *options, "--batch-size", rows, "--micro-batch-size", rows, "--keep-last", 1)


def predicted(run: Run, name: str, *options: object) -> None:
    """Compare what the plan of a dry run predicts of memory with what the run takes."""
    with run.peak(f"{name}: peak memory, GB") as peak:
        plan = json.loads(command(*run.training("dry", *options, text="joined.txt"), "--dry-run", "--json"))["plan"]
    memory = plan["memory"]
    for part, size in memory.items():
        run.note(f"{name}: predicted {part}" + ", GB" * (size > 1e6), size / 1e9 if size > 1e6 else size)
    if run.on_gpu:
        run.expect(f"{name}: predicted / peak, distance from 1", abs(memory["peak"] / peak.bytes - 1), 0.15)


def resume(run: Run) -> None:
    """Kill trainings with SIGKILL, resume them, and count what differs from the same trainings left alone."""
    kinds = ["default, cached", "deterministic, cached", "deterministic"]

    def arguments(kind: str, which: str) -> list[str]:
        name, options = f"{which}-{kind}".replace(", ", "-"), ["--deterministic"] * kind.startswith("deterministic")
        if kind.endswith("cached"):
            shutil.rmtree(run.path(f"cache-{name}"), ignore_errors=True)
            options += ["--cache", str(run.path(f"cache-{name}"))]
        return run.training(name, *options, "--max-steps", 60, "--save-every", 10)

    killed = {kind: arguments(kind, "killed") for kind in kinds}
    kill_after(run, killed, 35)
    times = {}
    for kind, again in killed.items():
        whole = arguments(kind, "whole")
        command(*whole)
        command(*again)
        one, other = (log(Path(each[each.index("--output") + 1])) for each in (whole, again))
        pairs = [(row[name], twin[name]) for row, twin in zip(one, other, strict=True) for name in MEASURED]
        differ = sum(value != twin for value, twin in pairs)
        if kind.startswith("deterministic") or not run.on_gpu:
            run.expect(f"{kind}: values that differ, of {len(pairs):,}", differ)
        else:
            run.note(f"{kind}: values that differ, of {len(pairs):,}", differ)
        run.note(f"{kind}: loss, largest relative difference", largest(one, other, "loss"))
        times[kind] = milliseconds([row for row in one if row["epoch"] != "0"], 3)
    cost = statistics.median(times["deterministic, cached"]) / statistics.median(times["default, cached"])
    run.note("time of a cached step, deterministic / default", cost)


def kill_after(run: Run, trainings: dict[str, list[str]], rows: int) -> None:
    """Start trainings in processes of their own, and kill each when its log has more than some rows."""
    folders = {name: Path(each[each.index("--output") + 1]) for name, each in trainings.items()}
    running = {name: run.start(name, ["-m", "lexkit", *each]) for name, each in trainings.items()}
    try:
        while running:
            for name, process in list(running.items()):
                if len(log(folders[name])) > rows:
                    process.kill()
                elif process.poll() is not None:
                    raise RuntimeError(f"{name}: ended before it could be killed: {run.last_words(name)}")
                if process.poll() is not None:
                    del running[name]
            time.sleep(0.01)
    finally:
        for process in running.values():
            process.kill()
            process.wait()


def launch(run: Run) -> None:
    """Train under `accelerate launch` with the configurations that lexkit ships, one process each."""
    options = ["--max-steps", 8]
    configs = ["gpus", "fsdp"] if run.on_gpu else ["gpus"]
    running = {}
    for name in configs:
        shipped = str(resources.files("lexkit_distill.training") / "accelerate" / f"{name}.yaml")
        launcher = ["-m", "accelerate.commands.launch", "--config_file", shipped, "--num_processes", "1"]
        launcher += ["--main_process_port", "0", "-m", "lexkit"]
        running[name] = run.start(name, [*launcher, *run.training(f"launched-{name}", *options)])
    try:
        alone = run.train("alone", *options)
        for name, process in running.items():
            if process.wait():
                raise RuntimeError(f"{name}.yaml: exit code {process.returncode}: {run.last_words(name)}")
            launched = log(run.path(f"launched-{name}"))
            difference = largest(launched[:1], alone[:1], "loss")
            run.expect(f"{name}.yaml: first loss, relative difference from alone", difference, 1e-3)
            run.note(
                f"{name}.yaml: last loss, relative difference from alone", largest(launched[-1:], alone[-1:], "loss")
            )
    finally:
        for process in running.values():
            if process.poll() is None:
                process.terminate()
                process.wait()
    if not run.on_gpu:
        run.note("fsdp.yaml", "not on a CPU")


def collecting(run: Run) -> None:
    """Compare collecting hidden states of SmolLM2 with its forward pass alone, logits included."""
    teacher = load_teacher(str(run.smol), dtype=run.dtype, device=run.device)
    collecting_costs(run, teacher, run.path("sample-senses"), 4 if run.is_small else 40)


def clustering(run: Run) -> None:
    """Cluster one sample twice, and compare the bytes."""
    sample = ["--sample", run.path("sample-senses"), "--dtype", run.dtype, "--device", run.device]
    found = []
    for name in ("clustered", "clustered-again"):
        shutil.rmtree(run.path(name), ignore_errors=True)
        began = time.perf_counter()
        corpus = ["--teacher", run.smol, "--corpus", run.path("train.txt"), "--output", run.path(name)]
        command("distill", "senses", *corpus, *sample, "--quiet")
        run.note(f"{name}, seconds, loading included", time.perf_counter() - began)
        found.append((run.path(name) / "senses.safetensors").read_bytes())
    different = len(found[0]) != len(found[1]) or sum(one != other for one, other in zip(*found, strict=True))
    run.expect("bytes that differ", different)


def evaluation(run: Run) -> None:
    """Evaluate a student beside its teacher: perplexity, words, and questions by likelihood."""
    models = ["--model", run.path("dskd"), "--against", run.smol, "--teacher", run.smol]
    data = ["--data", run.folder, "--text", run.path("valid.txt"), "--output", run.path("eval.json")]
    how = ["--protocol", "likelihood", "--shots", 2, "--limit", run.size.questions, "--max-length", 512]
    tasks = ["--tasks", "perplexity,lexical,arc", "--dtype", run.dtype, "--device", run.device]
    found = json.loads(command("distill", "eval", *models, *data, *how, *tasks, "--json", "--quiet"))
    for task, result in found["tasks"].items():
        for name, metric in result["metrics"].items():
            run.note(f"{task}: {name}, of {metric['n']:,}", metric["value"])


def sweep(run: Run) -> None:
    """Train two settings and choose one."""
    shutil.rmtree(run.path("sweep"), ignore_errors=True)
    text, size = str(run.path("short.txt")), run.size
    base = {
        "teacher": str(run.smol),
        "senses": str(run.path("senses")),
        "store": str(run.path("store.duckdb")),
        "data": {"data": [text], "eval_data": [text], "loss_on": "all", "max_length": size.length},
        "loss": {"gamma": "auto"},
        "optimiser": {"max_steps": 12, "batch_size": size.batch, "micro_batch_size": size.batch, "dtype": run.dtype},
        "run": {"device": run.device},
    }
    content = {"base": base, "grid": {"lr": [1e-3, 3e-3]}, "output": str(run.path("sweep"))}
    run.path("sweep.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    command("distill", "sweep", "--config", run.path("sweep.yaml"), "--quiet")
    for path in sorted(run.path("sweep").glob("runs/*/run.json")):
        record = json.loads(path.read_bytes())
        run.note(f"lr {record['values']['lr']}: CE", record["validation"]["ce"])
    run.expect("students missing", 1 - (run.path("sweep") / "student" / "config.json").exists())


def quantized(run: Run) -> None:
    """Train by KD from a teacher whose layers bitsandbytes quantises as they are loaded."""
    if not run.on_gpu:
        raise NotOnCPUError
    if find_spec("bitsandbytes") is None:
        run.note("bitsandbytes", "not installed")
        return
    (dense,) = run.train("dense", "--preset", "kd", "--max-steps", 1)
    for kind in ("8bit", "4bit"):
        with run.peak(f"{kind}: peak memory, GB"):
            rows = run.train(kind, "--preset", "kd", "--max-steps", 8, "--quantize", kind)
        run.note(f"{kind}: step, ms", milliseconds(rows, 3))
        run.note(f"{kind}: first CE, relative difference from dense", largest(rows[:1], [dense], "ce"))
        run.expect(f"{kind}: last loss / first", float(rows[-1]["loss"]) / float(rows[0]["loss"]), 1)


def equality(run: Run) -> None:
    """Compare the first steps in fp32 without TF32 with those of the CPU: a tiny Llama, and SmolLM2 with short rows."""
    if not run.on_gpu:
        raise NotOnCPUError
    precision = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        make_llama(run.path("tiny"), run.folder / "smol", TINY, "cpu")
        make_senses(run, run.path("tiny"), run.path("short.txt"), "senses-tiny", "--dtype", "float32")
        compose_senses(run, "senses-tiny")
        for model, of in ((run.path("tiny"), "senses-tiny"), (run.smol, "senses")):
            for name, options in (("KD", ["--preset", "kd"]), ("DSKD", [])):
                common = ["--teacher", model, "--senses", run.path(of), "--dtype", "float32", *options]
                common += "--max-steps 3 --lr 1e-5 --max-length 64 --batch-size 2 --micro-batch-size 2".split()
                gpu, cpu = (run.train(f"on-{device}", *common, "--device", device) for device in (run.device, "cpu"))
                for column in ("loss", "ce", "kl", "semantic", "gradient_norm"):
                    run.expect(f"{model.name}, {name}: {column}, relative difference", largest(gpu, cpu, column), 1e-4)
    finally:
        torch.set_float32_matmul_precision(precision)


def memory(run: Run) -> None:
    """Compare what dry runs predict of memory with what they take."""
    for dtype in ("bfloat16", "float32"):
        predicted(run, dtype, "--dtype", dtype)
