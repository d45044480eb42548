"""What benchmarks/gpu_stages.py measures in several stages: steps, losses at the head, and collecting.

Ways of the same job take turns, and figures are medians.
"""

from __future__ import annotations

import argparse
import math
import tempfile
import time
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from gpu_run import Run, synchronize
from torch import Tensor
from training import COMPILED, PLAIN, WAYS, Bench, taking_turns

from lexkit.progress import Progress
from lexkit_distill.senses.collect import collect
from lexkit_distill.senses.plan import batches, open_plan
from lexkit_distill.senses.sample import Sampler
from lexkit_distill.teacher import Teacher
from lexkit_distill.training.batches import Batch
from lexkit_distill.training.kd import Head, kd_loss, with_kernel

FLOPS = 790e12
"""bf16 operations a second of large matrix products on an H100 or H200, which floors are computed with."""


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


def head_costs(run: Run) -> None:
    """Compare CE + KL and their gradient with the fused losses of Liger Kernel, at both sizes of head."""
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
