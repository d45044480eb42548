"""The training loop: steps, evaluation, checkpoints, logs, and stopping on signals.

This is a small loop on accelerate rather than transformers' ``Trainer``. The losses need teacher and student in one
step, means over all targets of a step, and batches that are a function of the step's number. A run must also resume bit
for bit, without pickles, from the middle of an epoch. In ``Trainer``, each of these needs an override (sampler,
collator, ``compute_loss``, ``num_items_in_batch``, ``_save_checkpoint``, ``_load_rng_state``, ``evaluate``) that
depends on its internals, and together they are longer than this loop. accelerate provides the rest: devices, DDP, FSDP
and reductions.
"""

from __future__ import annotations

import math
import time
import warnings
from contextlib import closing, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from lexkit.progress import Progress
from lexkit_distill.errors import TrainingError
from lexkit_distill.stopping import SIGNALS, StopSignals
from lexkit_distill.training import checkpoint as files
from lexkit_distill.training.batches import Batches, Int64
from lexkit_distill.training.checkpoint import RunState
from lexkit_distill.training.config import OptimiserConfig, RunConfig
from lexkit_distill.training.logs import Log
from lexkit_distill.training.prefetch import DeviceBatch, Prefetcher
from lexkit_distill.training.step import SUMS, Objective, OnlineTeacher, SignalSource
from lexkit_distill.training.student import Student

CHECKPOINTS, BEST = "checkpoints", "best.safetensors"


@dataclass(frozen=True)
class Outcome:
    """Outcome of a training run."""

    steps: int
    total_steps: int
    tokens: int
    """Number of predicted tokens in this call."""
    seconds: float
    """Duration of this call."""
    finished: bool
    """False if a signal stopped the run."""
    loss: float
    """Loss of the last step."""
    best_step: int
    held_out: dict[str, float]
    """Results of the last evaluation."""


def learning_rate(step: int, steps: int, config: OptimiserConfig) -> float:
    """Return the learning rate of *step*, counted from 0: a linear rise, followed by a half cosine down to 0."""
    rise = round(config.warmup * steps)
    if step < rise:
        return config.lr * (step + 1) / rise
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - rise) / max(steps - rise, 1)))


class _StepPlan(NamedTuple):
    rows: Int64
    """Rows of the step, in all processes."""
    shares: list[Int64]
    """Rows of each batch of this process."""
    counts: dict[str, int]
    """Numbers of predicted (targets) and of sampled positions in the step."""


class Trainer:
    """Trains a student, in one of possibly several processes.

    Args:
        config: how the weights are optimised.
        run: how often checkpoints are written, and how many are kept.
        folder: the output folder.
        student: the student to train.
        objective: the loss.
        batches: the training data.
        held_out: the held-out data, if any.
        source: source of the teacher's states.
        accelerator: accelerate's accelerator.
        identity: values that a checkpoint must match: configuration, and fingerprints of data, teacher and dictionary.
        progress: reports steps, and the batches of evaluations.
        held_out_source: source of the teacher's states for the held-out data; None runs the teacher.
    """

    def __init__(
        self,
        config: OptimiserConfig,
        run: RunConfig,
        folder: Path,
        student: Student,
        objective: Objective,
        batches: Batches,
        held_out: Batches | None,
        source: SignalSource,
        accelerator: Any,  # noqa: ANN401
        identity: dict[str, Any],
        progress: Progress,
        held_out_source: SignalSource | None = None,
    ) -> None:
        self.held_out_source = held_out_source if held_out_source is not None else OnlineTeacher(student)
        self.config, self.run_config, self.folder = config, run, folder
        self.student, self.objective = student, objective
        self.batches, self.held_out, self.source = batches, held_out, source
        self.accelerator, self.progress = accelerator, progress
        self.steps = config.epochs * batches.steps_per_epoch
        if config.max_steps is not None:
            self.steps = min(self.steps, config.max_steps)
        self.eval_every = config.eval_every or batches.steps_per_epoch
        self.identity = {**identity, "processes": accelerator.num_processes}
        parameters = [parameter for parameter in student.module.parameters() if parameter.requires_grad]
        optimizer = torch.optim.AdamW(
            parameters, lr=config.lr, weight_decay=config.weight_decay, fused=student.teacher.device.type == "cuda"
        )
        self.module: nn.Module
        with warnings.catch_warnings():  # newer versions of torch rename DDP's broadcast_buffers
            warnings.simplefilter("ignore", FutureWarning)
            self.module, prepared = accelerator.prepare(student.module, optimizer)
        self.optimizer: torch.optim.Optimizer = prepared.optimizer
        self.prefetcher = Prefetcher(student.teacher.device, objective.semantic_supervision, source.read)
        self.state = RunState(processes=accelerator.num_processes)
        self.stopped: int | None = None
        """Signal, received by any process, that stopped `run`."""
        self._signals = StopSignals()
        self._plans: dict[int, _StepPlan] = {}
        self._saves = True

    def resume(self) -> int:
        """Load the newest checkpoint, if there is one, and return the number of finished steps.

        Raises:
            TrainingError: the checkpoint is damaged or belongs to another run.
        """
        found = files.checkpoints(self.folder / CHECKPOINTS)
        if found:
            self.state = files.load_checkpoint(found[-1], self.module, self.optimizer, self.identity)
        return self.state.step

    def run(self, *, until: int | None = None, saves: bool = True) -> Outcome:
        """Train to the end, to step *until*, until a signal arrives, or until the held-out loss stops improving.

        Args:
            until: step to stop after; None trains to the end.
            saves: whether to write logs and checkpoints.

        Raises:
            TrainingError: a loss is not finite.
            OSError, SafetensorError: the output cannot be written.
        """
        self._saves = saves
        steps = min(self.steps, until or self.steps)
        is_first = self.accelerator.is_main_process
        writes = saves and is_first
        trackers = self.run_config.log_with
        log = Log(self.folder, self.state.step, trackers=trackers, settings=self.identity) if writes else None
        began, tokens = time.perf_counter(), 0.0
        self.progress.stage("training")
        with closing(log) if log is not None else nullcontext(), closing(self.prefetcher), self._signals:
            while self.state.step < steps and not self._early():
                number = self.state.step
                row = self._step(number)
                tokens += row["targets"]
                self.state.step, self.state.loss = number + 1, row["loss"]
                if self.held_out is not None and ((number + 1) % self.eval_every == 0 or number + 1 == steps):
                    self.state.held_out = self.evaluate(self.held_out)
                    self._judge(self.state.held_out["ce"], saves=saves)
                    row |= {f"eval_{name}": value for name, value in self.state.held_out.items()}
                if log is not None:
                    log.write({"step": number + 1, "epoch": number // self.batches.steps_per_epoch, **row})
                self.progress.count(number + 1, self.steps, "steps")
                stopped = self.stopped is not None
                if saves and ((number + 1) % self.run_config.save_every == 0 or number + 1 == steps or stopped):
                    self._save()
                if stopped:
                    break
        finished = self.state.step >= steps or self._early()
        return Outcome(
            self.state.step,
            self.steps,
            int(tokens),
            time.perf_counter() - began,
            finished,
            math.nan if self.state.loss is None else self.state.loss,
            self.state.best_step if self.config.patience else self.state.step,
            self.state.held_out,
        )

    def _step(self, number: int) -> dict[str, float]:
        began = time.perf_counter()
        rows, shares, counts = self._plan(number)
        sums = torch.zeros(len(SUMS) + len(SIGNALS), device=self.student.teacher.device)
        for place in range(len(shares)):
            last = place == len(shares) - 1
            after = (number, place + 1) if not last else (number + 1, 0) if number + 1 < self.steps else None
            batch = self.prefetcher.in_turn((number, place), self._batch, after)
            with nullcontext() if last else self.accelerator.no_sync(self.module):
                loss, part = self.objective(self.module, batch, self.source(batch), **counts)
                # DDP and FSDP average gradients over processes, but each process has a share of one mean
                (loss * self.accelerator.num_processes).backward()
            sums[: len(SUMS)] += part
        signals = [float(self._signals.number == signal) for signal in SIGNALS]
        if any(signals):
            sums[len(SUMS) :] = torch.tensor(signals)
        sums = self.accelerator.reduce(sums, "sum")
        clipped = self.accelerator.clip_grad_norm_(self.module.parameters(), self.config.clip or math.inf)
        if isinstance(clipped, DTensor):  # of FSDP
            clipped = clipped.full_tensor()
        # The only point in a step at which the CPU waits for the device
        *values, norm = torch.cat([sums, torch.as_tensor(clipped).to(sums).reshape(1)]).tolist()
        row = self.objective.terms(values[: len(SUMS)])
        if not (math.isfinite(row["loss"]) and math.isfinite(norm)):
            self._not_finite(number, rows, {**row, "gradient_norm": norm})
        rate = learning_rate(number, self.steps, self.config)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.stopped = next((signal for signal, sent in zip(SIGNALS, values[len(SUMS) :], strict=True) if sent), None)
        return {
            **row,
            "gradient_norm": norm,
            "lr": rate,
            "seconds": time.perf_counter() - began,
        }

    def _batch(self, key: tuple[int, int]) -> DeviceBatch:
        """Prepare a batch, given the step's number and the index of the batch among those of this process."""
        number, place = key
        return self.prefetcher(self.batches.batch(self._plan(number).shares[place], self.batches.step(number)[0]))

    def _plan(self, number: int) -> _StepPlan:
        """Return the plan of a step; plans of the current step and of the next, which a thread prepares, are kept."""
        plans = self._plans  # the other thread may replace this dict, but never modifies it
        if number in plans:
            return plans[number]
        plan = self._planned(number)
        self._plans = {kept: plans[kept] for kept in (number - 1,) if kept in plans} | {number: plan}
        return plan

    def _planned(self, number: int) -> _StepPlan:
        epoch, rows = self.batches.step(number)
        shares = self.batches.shares(rows, self.accelerator.num_processes, self.config.micro_batch_size)
        positions = self.batches.positions(rows, epoch)
        counts = {"targets": len(positions.targets), "sampled": int(positions.sampled.sum())}
        return _StepPlan(rows, shares[self.accelerator.process_index], counts)

    def _not_finite(self, number: int, rows: Int64, row: dict[str, float]) -> None:
        self.optimizer.zero_grad(set_to_none=True)
        if self._saves:
            self._save()
        where = f"the state before it is in {self.folder / CHECKPOINTS}; " if self._saves else ""
        terms = ", ".join(f"{name} {row[name]:g}" for name in ("ce", "kl", "semantic", "hidden"))
        raise TrainingError(
            f"step {number + 1}: the loss or its gradient is not finite ({terms}) on rows {rows.tolist()} of the data; "
            f"{where}lower --lr, or use --dtype float32"
        )

    @torch.no_grad()
    def evaluate(self, held_out: Batches) -> dict[str, float]:
        """Return CE, perplexity, and KL to the teacher, averaged over the targets of the held-out rows."""
        source = self.held_out_source
        shares: list[Int64] = []
        for number in range(held_out.steps_per_epoch):
            rows = held_out.step(number)[1]
            of_all = held_out.shares(rows, self.accelerator.num_processes, self.config.micro_batch_size)
            shares += of_all[self.accelerator.process_index]
        sums = torch.zeros(len(SUMS), device=self.student.teacher.device)
        with closing(Prefetcher(self.student.teacher.device, None, source.read)) as prefetcher:

            def prepared(place: int) -> DeviceBatch:
                return prefetcher(held_out.batch(shares[place], 0))

            for place in range(len(shares)):
                self.progress.activity(f"evaluating on held-out data: batch {place + 1:,} of {len(shares):,}")
                batch = prefetcher.in_turn(place, prepared, place + 1 if place + 1 < len(shares) else None)
                sums += self.objective(self.module, batch, source(batch), targets=1, sampled=1)[1]
        sums = self.accelerator.reduce(sums, "sum")
        of = self.objective.terms(sums.tolist())
        return {"ce": of["ce"], "perplexity": math.exp(min(of["ce"], 700)), "kl": of["kl"]}

    def _judge(self, loss: float, *, saves: bool) -> None:
        if self.state.best is None or loss < self.state.best:
            self.state.best, self.state.best_step, self.state.worse = loss, self.state.step, 0
            if self.config.patience and saves:
                weights = files.trained_state(self.module)
                if self.accelerator.is_main_process:
                    files.save_weights(self.folder / CHECKPOINTS / BEST, weights)
        else:
            self.state.worse += 1

    def _early(self) -> bool:
        return self.config.patience is not None and self.state.worse >= self.config.patience

    def best_weights(self) -> dict[str, Tensor]:
        """Return the trained weights to keep: the last, or with ``patience`` the best; only in the first process."""
        best = self.folder / CHECKPOINTS / BEST
        if self.config.patience and best.exists():
            files.load_weights(best, self.module)
        return files.trained_state(self.module)

    def _save(self) -> None:
        files.save_checkpoint(
            self.folder / CHECKPOINTS,
            self.module,
            self.optimizer,
            self.state,
            self.identity,
            keep_last=self.run_config.keep_last,
            is_first=self.accelerator.is_main_process,
        )
        self.accelerator.wait_for_everyone()
