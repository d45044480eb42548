"""The stages of benchmarks/gpu.py: a function each, in the order in which they run.

A stage runs commands of lexkit in this process wherever it can, and notes figures. A figure that misses its goal makes
the stage one that missed. This module imports torch; gpu.py imports it only when its folder is checked.
"""

from __future__ import annotations

import argparse
import json
import math
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from importlib import resources
from importlib.util import find_spec
from itertools import islice
from pathlib import Path
from typing import Any

import torch
import yaml
from gpu_run import LLAMA_3_8B, TINY, NotOnCPUError, Run, command, free, has_option, log, make_llama, synchronize
from torch import Tensor
from training import COMPILED, PLAIN, WAYS, Bench, taking_turns

from lexkit.progress import Progress
from lexkit_distill.senses.collect import collect
from lexkit_distill.senses.plan import batches, open_plan
from lexkit_distill.senses.sample import Sampler
from lexkit_distill.teacher import Teacher, load_teacher
from lexkit_distill.training.batches import Batch
from lexkit_distill.training.kd import Head, kd_loss, with_kernel

FLOPS = 790e12
"""bf16 operations a second of large matrix products on an H100 or H200, which floors are computed with."""
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


def step_costs(run: Run, teacher: Path, senses: str, rows: int, length: int, runs: int, *, is_llama: bool) -> Bench:
    """Note medians, ratios and peaks of the ways of a step that predicts every token; return what was loaded."""
    paths = {"teacher": teacher, "text": run.path("joined.txt"), "senses": run.path(senses)}
    named = {name: str(path) for name, path in {**paths, "store": run.path("store.duckdb")}.items()}
    options = argparse.Namespace(**named, device=run.device, rows=rows, length=length)
    began = time.perf_counter()
    bench = Bench(options, run.dtype)
    with tempfile.TemporaryDirectory(dir=run.work) as folder:
        wanted = [name for name in WAYS if name != PLAIN[1]] + [COMPILED] * run.on_gpu
        ways = {name: bench.way(name, Path(folder)) for name in wanted}
        for _ in range(2):  # what is compiled is compiled now
            for step in ways.values():
                step(bench.list[0])
        run.note("loading and first steps, seconds", time.perf_counter() - began)
        for name, student in bench.students.items():
            if student.graphs is not None and student.graphs.failure is not None:
                run.note(f"{name}, CUDA graph", student.graphs.failure)
        seconds = taking_turns(ways, bench, runs)
        for name, times in seconds.items():
            run.note(f"{name}, ms", [1e3 * one for one in times])
        for name, step in ways.items():
            with run.peak(f"{name}, peak beyond what is resident, GB"):
                step(bench.list[0])
        if run.profile is not None:
            write_profiles(run.profile, teacher.name, ways, bench)
    ratios = {name: [one / other for one, other in zip(seconds[name], seconds["KD"], strict=True)] for name in ways}
    run.aim("DSKD / KD", ratios["DSKD"], at_most=1.03 if is_llama else 1.05)
    run.aim(f"{PLAIN[0]} / KD", ratios[PLAIN[0]], at_least=1.6 if is_llama else 0.0)
    note_floors(run, bench, seconds, is_llama=is_llama)
    return bench


def head(run: Run) -> None:
    """Compare CE + KL and their gradient with the fused losses of Liger Kernel, at both sizes of head."""
    if not run.on_gpu:
        raise NotOnCPUError
    for name, tokens, vocabulary, width in (("Llama-3", 2044, 128_256, 4096), ("SmolLM2", 8176, 49_152, 576)):
        generator = torch.Generator(run.device).manual_seed(0)
        made: dict[str, Any] = {"generator": generator, "device": run.device, "dtype": torch.bfloat16}
        weight = torch.randn(vocabulary, width, **made) * 2 * width**-0.5
        theirs = torch.randn(tokens, width, **made)
        ours = theirs + 0.5 * torch.randn(tokens, width, **made)
        targets = torch.randint(vocabulary, (tokens,), generator=generator, device=run.device)
        ways = head_ways(run, theirs, targets, weight)
        seconds: dict[str, list[float]] = {way: [] for way in ways}
        found = {}
        for turn in range(12):
            for way, loss_of in ways.items():
                hidden = ours.clone().requires_grad_()
                synchronize()
                began = time.perf_counter()
                loss = loss_of(hidden)
                loss.backward()
                synchronize()
                if turn >= 3:
                    seconds[way].append(time.perf_counter() - began)
                found[way] = float(loss), hidden.grad
        loss, gradient = found["lexkit"]
        for way, times in seconds.items():
            run.note(f"{name}: {way}, ms", [1e3 * one for one in times])
            with run.peak(f"{name}: {way}, peak, GB"):
                ways[way](ours.clone().requires_grad_()).backward()
            if way != "lexkit":
                ratios = [one / other for one, other in zip(times, seconds["lexkit"], strict=True)]
                run.note(f"{name}: {way} / lexkit", ratios)
                run.note(f"{name}: {way}, loss, relative difference", abs(found[way][0] / loss - 1))
                assert gradient is not None
                difference = (found[way][1].float() - gradient.float()).norm() / gradient.float().norm()
                run.note(f"{name}: {way}, gradient, relative difference", float(difference))


def head_ways(run: Run, theirs: Tensor, targets: Tensor, weight: Tensor) -> dict[str, Callable[[Tensor], Tensor]]:
    """Return what gives the mean of CE + KL of the student's hidden states."""
    plain = Head(weight)
    fused, reason = with_kernel(plain, theirs[:64])
    run.note("the fused kernel", reason or "works")

    def lexkit(with_head: Head) -> Callable[[Tensor], Tensor]:
        return lambda hidden: kd_loss(hidden, theirs, targets, with_head).total / len(targets)

    ways = {"lexkit": lexkit(fused), "lexkit, plain code": lexkit(plain)}
    try:
        from liger_kernel.chunked_loss import LigerFusedLinearJSDLoss
        from liger_kernel.transformers import LigerFusedLinearCrossEntropyLoss, LigerFusedLinearJSD
    except ImportError:
        run.note("Liger Kernel", "not installed")
        return ways
    ce, kl = LigerFusedLinearCrossEntropyLoss(), LigerFusedLinearJSD(jsd_beta=0.0)  # 0: KL(teacher || student)
    ways["Liger, CE and KL"] = lambda hidden: ce(weight, hidden, targets) + kl(hidden, weight, theirs, weight, targets)
    both = LigerFusedLinearJSDLoss(weight_hard_loss=1.0, weight_soft_loss=1.0, beta=0.0)
    ways["Liger, chunked"] = lambda hidden: both(hidden, weight, theirs, weight, targets)
    return ways


def note_floors(run: Run, bench: Bench, seconds: dict[str, list[float]], *, is_llama: bool) -> None:
    """Note the floors of KD and of a cached step, and the times as multiples of them."""
    for name, floor in floors(bench.teacher, bench.tokens).items():
        if run.on_gpu:
            run.note(f"{name}, floor by multiply-adds at {FLOPS / 1e12:g} TFLOP/s, ms", 1e3 * floor)
            goal = {"KD": 1.4, "DSKD, cached": 2.2}[name] if is_llama else math.inf
            run.aim(f"{name} / floor", [one / floor for one in seconds[name]], at_most=goal)
            if name == "KD":
                run.note(f"{COMPILED} / floor", [one / floor for one in seconds[COMPILED]])
        else:
            run.note(f"{name} / floor", "not on a CPU")


def write_profiles(path: Path, teacher: str, ways: dict[str, Callable[[Batch], float]], bench: Bench) -> None:
    """Append to a file what a step of each way spends its time on."""
    for name, step in ways.items():
        with torch.profiler.profile() as profile:
            step(bench.list[0])
        by_device, by_host = (
            profile.key_averages().table(sort_by=column, row_limit=45, max_name_column_width=90)
            for column in ("self_device_time_total", "self_cpu_time_total")
        )
        with path.open("a", encoding="utf-8") as file:
            file.write(f"== {teacher}, {name}: a step\n{by_device}\n{by_host}\n")


def floors(teacher: Teacher, tokens: int, trained: int = 2) -> dict[str, float]:
    """Return the seconds that the multiply-adds of a step take, attention's own left out; see docs/training.md."""
    layers = teacher.model.base_model.layers
    layer = sum(parameter.numel() for parameter in layers[0].parameters())
    head = teacher.model.get_output_embeddings().weight.numel()
    kd = (len(layers) + 3 * trained) * layer + 3 * head
    return {"KD": 2 * kd * tokens / FLOPS, "DSKD, cached": 2 * (3 * trained * layer + 2 * head) * tokens / FLOPS}


def collecting_costs(run: Run, teacher: Teacher, sample: Path, count: int) -> None:
    """Note tokens a second of collecting, by anchor, as a share of those of the bare forward pass in the same turn."""
    plan = open_plan(sample)
    assert plan is not None
    middle = list(islice(batches(plan, 8192), plan.batches // 2, plan.batches // 2 + count))
    tokens = sum(int(batch.lengths.sum()) for batch in middle)

    @torch.inference_mode()
    def bare() -> None:
        for batch in middle:
            teacher.model(input_ids=torch.from_numpy(batch.token_ids).to(teacher.device), use_cache=False)

    def collected(anchor: Any) -> None:  # noqa: ANN401
        with tempfile.TemporaryDirectory(dir=run.work) as folder:
            sizes = {"vocabulary": teacher.vocabulary_size, "hidden_size": teacher.hidden_size, "batches": plan.batches}
            # Smaller than in a run, so that this short one writes as often
            sampler = Sampler(Path(folder), 0, cap=2000, buffer_rows=2**25 // teacher.hidden_size, **sizes)
            collect(teacher, plan, sampler, iter(middle), anchor=anchor, seed=0, progress=Progress())

    jobs: dict[str, Callable[[], None]] = {"bare": bare}
    jobs |= {anchor: (lambda anchor=anchor: collected(anchor)) for anchor in ("predicted", "next")}
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(4):
        for name, job in jobs.items():
            synchronize()
            began = time.perf_counter()
            job()
            synchronize()
            if turn:
                seconds[name].append(time.perf_counter() - began)
    for name, times in seconds.items():
        run.note(f"{'forward' if name == 'bare' else f'collecting, {name}'}, tokens/s", [tokens / one for one in times])
        if name != "bare":
            shares = [one / other for one, other in zip(seconds["bare"], times, strict=True)]
            run.aim(f"collecting, {name} / forward", shares, at_least=0.85)


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
    kinds = ["default, cached"]
    if has_option("train", "--deterministic"):
        kinds += ["deterministic, cached", "deterministic"]
    else:
        run.note("--deterministic", "not run: there is no such option")

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
    if "deterministic, cached" in times:
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
    wanted = ["--deterministic"] if has_option("senses", "--deterministic") else []
    sample = ["--sample", run.path("sample-senses"), "--dtype", run.dtype, "--device", run.device, *wanted]
    found = []
    for name in ("clustered", "clustered-again"):
        shutil.rmtree(run.path(name), ignore_errors=True)
        began = time.perf_counter()
        corpus = ["--teacher", run.smol, "--corpus", run.path("train.txt"), "--output", run.path(name)]
        command("distill", "senses", *corpus, *sample, "--quiet")
        run.note(f"{name}, seconds, loading included", time.perf_counter() - began)
        found.append((run.path(name) / "senses.safetensors").read_bytes())
    different = len(found[0]) != len(found[1]) or sum(one != other for one, other in zip(*found, strict=True))
    run.expect(f"bytes that differ{' with --deterministic' if wanted else ''}", different)


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
