"""What a step of distillation costs, as ratios within one run.

Usage: python benchmarks/training.py TEACHER TEXT --senses DIR --store FILE [--runs 5] [--dtype float32|bfloat16]
       [--device cpu] [--only PART]... [--rows 4] [--length 256]

Parts: step (plain KD two ways, ours, DSKD, cached), memory (of the same, each in a process of its own), semantic
(L_sem against a loop over positions), head (CE + KL at 128,256 tokens). Two threads on a CPU; what is compared takes
turns, and medians are printed with the least and the most. On one GPU: --device cuda, with a teacher such as
Meta-Llama-3-8B-Instruct and the dictionary that 'lexkit distill senses' and 'compose' make of it.

Plain KD runs both models whole and holds the logits of both. 'masked' takes CE and KL of all positions and masks those
that are not predicted afterwards; 'answers only' selects the predicted positions before the softmaxes, which costs less
where they are few. Where every token is predicted the two differ little.

TEXT is as --data of 'lexkit distill train'. With a task (arc:FILE), only the answers are predicted, and rows have at
most --length tokens; a text makes rows of exactly so many.
"""

from __future__ import annotations

import argparse
import copy
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.compiler import set_stance
from torch.nn import functional

from lexkit.progress import Progress
from lexkit_distill.config import changed
from lexkit_distill.memo import Memo
from lexkit_distill.teacher import load_teacher
from lexkit_distill.training.batches import Batch, Batches
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.inputs import load_inputs
from lexkit_distill.training.kd import Head, kd_loss, with_kernel
from lexkit_distill.training.prefetch import DeviceBatch, Prefetcher
from lexkit_distill.training.semantic import semantic_loss
from lexkit_distill.training.step import Objective, OnlineTeacher, SignalSource
from lexkit_distill.training.student import Student, head_of
from lexkit_distill.training.teacher_cache import TeacherCache

THREADS = 2
WAYS = ("plain KD, masked", "plain KD, answers only", "KD", "DSKD", "DSKD, cached")
PLAIN = WAYS[:2]
COMPILED = "KD, compiled"
"""With `--compile`; on a GPU only, in benchmarks/gpu.py."""


class Bench:
    """Teacher, student, data and dictionary of one precision."""

    def __init__(self, options: argparse.Namespace, dtype: str) -> None:
        self.dtype = dtype
        self.config = changed(
            TrainConfig(options.teacher, options.senses, options.store),
            data=(options.text,),
            max_length=options.length,
            too_long="drop",
            gamma=5.0,
            dtype=dtype,
        )
        self.teacher = load_teacher(options.teacher, dtype=dtype, device=options.device)
        self.baseline = resident()
        inputs = load_inputs(self.config, self.teacher, Memo(), Progress())
        assert inputs.supervision is not None
        self.data, self.supervision = inputs.data, inputs.supervision
        self.supervision.rows = self.supervision.rows.to(self.teacher.device)  # where `train` puts it if it fits
        self.batches = Batches(self.data, options.rows, available=self.supervision.available())
        steps = [self.batches.step(number)[1] for number in range(self.batches.steps_per_epoch)]
        if (self.data.lengths == options.length).sum() >= 8 * options.rows:
            whole = np.flatnonzero(self.data.lengths == options.length)
            steps = [whole[place : place + options.rows] for place in range(0, 8 * options.rows, options.rows)]
        self.list = [self.batches.batch(rows, 0) for rows in steps[:8]]
        tokens = sum(int(self.data.lengths[batch.rows].sum()) for batch in self.list) / 8
        targets = sum(len(batch.positions.targets) for batch in self.list) / 8
        print(f"{dtype}: {tokens:,.0f} tokens a step, of which {targets:,.0f} are predicted", flush=True)
        self.tokens = round(tokens)
        self.students: dict[str, Student] = {}
        some = torch.from_numpy(self.list[0].token_ids[:1, :64]).to(self.teacher.device)
        with torch.no_grad():
            states = self.teacher.last_hidden(some).flatten(0, 1)
        self.head, reason = with_kernel(head_of(self.teacher), states)
        if reason is not None:
            print(f"{dtype}: plain losses, since {reason}", flush=True)

    def way(self, name: str, folder: Path) -> Callable[[Batch], float]:
        """Return what takes a step of one of `WAYS` and gives its loss."""
        student = Student(self.teacher)
        if name in PLAIN:
            return self._plain(student, masked_loss if name == PLAIN[0] else chosen_loss)
        student.head = self.head
        student.use_graphs()
        self.students[name] = student
        is_kd = name in ("KD", COMPILED)
        config = changed(self.config, beta_p=0.0, beta_n=0.0) if is_kd else self.config
        supervision = None if is_kd else self.supervision
        online = OnlineTeacher(student)
        source: SignalSource = online
        if name == "DSKD, cached":
            source = TeacherCache(
                folder / self.dtype,
                online,
                self.batches,
                identity={},
                temperature=config.loss.temperature,
                supervision=supervision,
                candidates_key="",
            )
        device = self.teacher.device
        objective = Objective(config.loss, config.kl_weight, student, supervision, float(config.loss.gamma))
        prefetcher = Prefetcher(device, objective.semantic_supervision, source.read)
        for batch in self.list if name == "DSKD, cached" else []:
            source(prefetcher(batch))
        optimizer = torch.optim.AdamW(student.trained.parameters(), lr=1e-4, fused=device.type == "cuda")
        if name == COMPILED:
            student.compile()
            student.use_graphs()
        # All ways share the teacher, whose layers the compiled way has compiled for itself alone
        stance = "default" if name == COMPILED else "force_eager"

        def prepared(place: int) -> DeviceBatch:
            return prefetcher(self.list[place])

        def step(batch: Batch) -> float:
            place = next(place for place, one in enumerate(self.list) if one is batch)
            given = prefetcher.in_turn(
                place, prepared, (place + 1) % len(self.list)
            )  # a step ahead, as the trainer does
            counts = {"targets": len(batch.positions.targets), "sampled": int(batch.positions.sampled.sum())}
            with set_stance(stance):
                loss, _ = objective(student.module, given, source(given), **counts)
                loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return float(loss.detach())

        return step

    def _plain(self, student: Student, loss_of: Callable[[Tensor, Tensor, Batch], Tensor]) -> Callable[[Batch], float]:
        """A model of its own, all of its layers, and logits of both models as they come."""
        student.full = copy.deepcopy(student.full)
        head = student.head.weight.clone()
        trained = [parameter for parameter in student.full.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(trained, lr=1e-4)

        def step(batch: Batch) -> float:
            token_ids = torch.from_numpy(batch.token_ids).to(self.teacher.device)
            with torch.no_grad(), set_stance("force_eager"):
                theirs = self.teacher.model(input_ids=token_ids, use_cache=False).logits
            hidden = student.run(student.full, token_ids, None)
            loss = loss_of(functional.linear(hidden.to(head.dtype), head), theirs, batch)
            loss.backward()
            optimizer.step()
            optimizer.zero_grad()
            return float(loss.detach())

        return step


def predicted(batch: Batch, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Rows, places and targets of the positions that predict."""
    positions = batch.positions
    rows, places, targets = (
        torch.from_numpy(part).to(device) for part in (positions.rows, positions.places, positions.targets)
    )
    return rows, places, targets


def masked_loss(ours: Tensor, theirs: Tensor, batch: Batch) -> Tensor:
    """CE + KL in fp32 of logits (B, T, V) at all positions, masked afterwards.

    That is how public code does it: CE in transformers' loss/loss_utils.py (ForCausalLMLoss, ignore_index -100), KL in
    huggingface/trl's experimental/gkd/gkd_trainer.py (generalized_jsd_loss; in fp32 only if the logits are; its callers
    sliced off the longest prompt of a batch for a time) and jongwooko/distillm's distillm/losses.py (forward_kl; fp32).
    """
    rows, places, targets = predicted(batch, ours.device)
    labels = targets.new_full(ours.shape[:2], -100)
    labels[rows, places] = targets
    ours = ours.float()
    ce = functional.cross_entropy(ours.flatten(0, 1), labels.flatten(), ignore_index=-100)
    p, log_q = functional.softmax(theirs, -1, dtype=torch.float32), functional.log_softmax(ours, -1)
    kl = functional.kl_div(log_q, p, reduction="none").sum(-1)
    mask = labels != -100
    return ce + (kl * mask).sum() / mask.sum()


def chosen_loss(ours: Tensor, theirs: Tensor, batch: Batch) -> Tensor:
    """The same of logits at the positions that predict: a slice, if these are all."""
    rows, places, targets = predicted(batch, ours.device)
    is_all = len(rows) == ours.shape[0] * (ours.shape[1] - 1)
    ours, theirs = (
        (logits[:, :-1].flatten(0, 1) if is_all else logits[rows, places]).float() for logits in (ours, theirs)
    )
    p, log_q = functional.softmax(theirs, -1), functional.log_softmax(ours, -1)
    return functional.cross_entropy(ours, targets) + functional.kl_div(log_q, p, reduction="batchmean")


def measure_steps(bench: Bench, runs: int) -> None:
    """Time the ways in turns on the same batches."""
    with tempfile.TemporaryDirectory() as folder:
        ways = {name: bench.way(name, Path(folder)) for name in WAYS}
        losses = {name: step(bench.list[0]) for name, step in ways.items()}
        print(f"{bench.dtype}: loss " + ", ".join(f"{losses[name]:.5f} of {name}" for name in (*PLAIN, "KD")))
        seconds = taking_turns(ways, bench, runs)
        print_rows(seconds, f"{bench.dtype} step", bench.tokens)
        ratio("DSKD / KD", seconds["DSKD"], seconds["KD"])
        for name in PLAIN:
            ratio(f"{name} / KD", seconds[name], seconds["KD"])
            ratio(f"{name} / DSKD, cached", seconds[name], seconds["DSKD, cached"])


def taking_turns(ways: dict[str, Callable[[Batch], float]], bench: Bench, runs: int) -> dict[str, list[float]]:
    """Seconds of a step of each way, once a run."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for run in range(runs):
        for name, step in ways.items():
            batch = bench.list[run % len(bench.list)]
            began = time.perf_counter()
            step(batch)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            seconds[name].append(time.perf_counter() - began)
    return seconds


def measure_memory(options: argparse.Namespace, dtype: str) -> None:
    """Peak memory beyond the teacher, each way in a process of its own."""
    peaks: dict[str, int] = {}
    for name in (*PLAIN, "KD", "DSKD"):
        command = [sys.executable, __file__, *sys.argv[1:3], "--senses", options.senses, "--store", options.store]
        command += ["--dtype", dtype, "--device", options.device, "--peak-of", name]
        command += ["--rows", str(options.rows), "--length", str(options.length)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        peaks[name] = json.loads(done.stdout.splitlines()[-1])
        print(f"{dtype} memory beyond the teacher, {name:<22} {peaks[name] / 1e6:>8,.0f} MB")
    for name in PLAIN:
        print(f"  {'KD / ' + name:<36} {peaks['KD'] / peaks[name]:.2f}")


def peak_of(bench: Bench, name: str) -> None:
    """Print the peak memory beyond the teacher of three steps of one way."""
    with tempfile.TemporaryDirectory() as folder:
        step = bench.way(name, Path(folder))
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        for batch in bench.list[:3]:
            step(batch)
        print(resident("VmHWM") - bench.baseline)


def resident(field: str = "VmRSS") -> int:
    """Bytes of a line of /proc/self/status."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(field))


def measure_semantic(bench: Bench, runs: int) -> None:
    """L_sem alone, choice of candidates included, against a loop over positions."""
    supervision, student = bench.supervision, Student(bench.teacher)
    batch = bench.list[0]
    chosen = batch.positions.sampled
    tokens, words = (torch.from_numpy(part[chosen]) for part in (batch.positions.targets, batch.positions.words))
    signal = OnlineTeacher(student)(Prefetcher(bench.teacher.device)(batch))
    m_t = signal.teacher_hidden[torch.from_numpy(chosen)].float()
    n_t = (m_t + 0.5 * torch.randn(m_t.shape, generator=torch.Generator().manual_seed(0))).requires_grad_()

    def ours() -> tuple[Tensor, Tensor]:
        local, senses = supervision.gathered(supervision.choose(m_t, tokens, words), m_t.device)
        total = semantic_loss(n_t, local, senses, gamma=5.0).total / len(tokens)
        return total.detach(), torch.autograd.grad(total, n_t)[0]

    rows = supervision.rows.float()
    lists = [
        (supervision.own, supervision.synonyms, supervision.antonyms, int(token), int(word))
        for token, word in zip(tokens, words, strict=True)
    ]

    def theirs() -> tuple[Tensor, Tensor]:
        total = torch.zeros(())
        for place, (own, synonyms, antonyms, token, word) in enumerate(lists):
            positive, negative = rows[slice_of(own, token)], rows[slice_of(antonyms, word)]
            positive = torch.cat([positive, rows[slice_of(synonyms, word)]])
            for pool, is_positive in ((positive, True), (negative, False)):
                if not len(pool):
                    continue
                distances = torch.norm(pool - m_t[place], dim=1)
                nearest = pool[distances.topk(min(5, len(pool)), largest=False).indices]
                mse = (n_t[place] - nearest).square().mean(1)
                total = total + (mse.mean() if is_positive else torch.relu(5.0 - mse).mean())
        total = total / len(lists)
        return total.detach(), torch.autograd.grad(total, n_t)[0]

    (loss, gradient), (expected, expected_gradient) = ours(), theirs()
    torch.testing.assert_close(loss.float(), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(gradient, expected_gradient, rtol=1e-3, atol=1e-6)
    print(f"L_sem: {len(tokens)} positions, loss {float(loss):.4f} and gradients equal")
    compare({"ours": ours, "loop over positions": theirs}, "L_sem", runs, "loop over positions", "ours")


def slice_of(lists: Any, which: int) -> Tensor:  # noqa: ANN401
    """The rows of one list."""
    if which < 0:
        return lists.rows[:0]
    return lists.rows[lists.offsets[which] : lists.offsets[which + 1]]


def measure_head(runs: int, dtype: torch.dtype, vocabulary: int = 128_256, d: int = 1024, n: int = 1024) -> None:
    """CE + KL with gradients, in chunks and with the logits of all tokens."""
    generator = torch.Generator().manual_seed(0)
    weight = torch.randn(vocabulary, d, generator=generator).mul_(d**-0.5).to(dtype)
    student, teacher = (torch.randn(n, d, generator=generator).to(dtype) for _ in range(2))
    student.requires_grad_()
    targets = torch.randint(vocabulary, (n,), generator=generator)

    def ours() -> tuple[Tensor, Tensor]:
        found = kd_loss(student, teacher, targets, Head(weight))
        return found.total.detach() / n, torch.autograd.grad(found.total, student)[0] / n

    def materialised() -> tuple[Tensor, Tensor]:
        logits = functional.linear(student, weight).float()
        with torch.no_grad():
            theirs = functional.softmax(functional.linear(teacher, weight).float(), -1)
        loss = functional.cross_entropy(logits, targets)
        own = functional.log_softmax(logits, -1)
        loss = loss + functional.kl_div(own, theirs, reduction="batchmean")
        return loss.detach(), torch.autograd.grad(loss, student)[0]

    peaks = {}
    results = {}
    for name, way in (("ours", ours), ("materialised", materialised)):
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        before = resident()
        results[name] = way()
        peaks[name] = resident("VmHWM") - before
    tolerance = {"rtol": 2e-2, "atol": 1e-4} if dtype == torch.bfloat16 else {"rtol": 1e-3, "atol": 1e-6}
    torch.testing.assert_close(results["ours"][0].float(), results["materialised"][0].float(), rtol=1e-3, atol=0)
    torch.testing.assert_close(results["ours"][1], results["materialised"][1], **tolerance)
    ratios = peaks["materialised"] / peaks["ours"]
    print(
        f"CE + KL, {n} tokens x {vocabulary:,}, d {d}, {dtype}: peak "
        + ", ".join(f"{name} {peak / 1e6:,.0f} MB" for name, peak in peaks.items())
        + f"; {ratios:.1f} times less"
    )
    compare({"ours": ours, "materialised": materialised}, f"CE + KL {dtype}", runs, "materialised", "ours")


def compare(ways: dict[str, Callable[[], Any]], title: str, runs: int, slow: str, fast: str) -> None:
    """Time ways in turns, and print medians and the ratio of two."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - began)
    print_rows(seconds, title)
    ratio(f"{slow} / {fast}", seconds[slow], seconds[fast])


def print_rows(seconds: dict[str, list[float]], title: str, tokens: int | None = None) -> None:
    """Print a line a way."""
    for name, times in seconds.items():
        middle = statistics.median(times)
        rate = f"  {tokens / middle:>8,.0f} tokens/s" if tokens else ""
        print(f"{title:<24} {name:<22} {middle:>8.3f} s ({min(times):.3f} to {max(times):.3f}){rate}")


def ratio(name: str, above: list[float], below: list[float]) -> None:
    """Print the median of the ratios within runs."""
    ratios = [one / other for one, other in zip(above, below, strict=True)]
    print(f"  {name:<36} {statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})", flush=True)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher")
    parser.add_argument("text")
    parser.add_argument("--senses", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--dtype", action="append", choices=["float32", "bfloat16"])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--rows", type=int, default=4)
    parser.add_argument("--length", type=int, default=256)
    parser.add_argument("--only", action="append")
    parser.add_argument("--peak-of", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    dtypes = options.dtype or ["float32", "bfloat16"]
    if options.peak_of:
        peak_of(Bench(options, dtypes[0]), options.peak_of)
        return
    parts = options.only or ["step", "memory", "semantic", "head"]
    for dtype in dtypes:
        if "step" in parts:
            measure_steps(Bench(options, dtype), options.runs)
        if "memory" in parts:
            measure_memory(options, dtype)
        if "head" in parts:
            measure_head(options.runs, getattr(torch, dtype))
    if "semantic" in parts:
        measure_semantic(Bench(options, "float32"), options.runs)


if __name__ == "__main__":
    main()
