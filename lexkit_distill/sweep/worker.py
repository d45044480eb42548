"""Train single runs of a sweep. Each run writes its results and trained weights to its own folder.

runs/KEY/run.json                the `RunRecord`, written last
runs/KEY/log.csv                 one row per step
runs/KEY/weights.safetensors     the trained layers, in fp32
"""

from __future__ import annotations

import csv
import multiprocessing
import os
import shutil
import signal
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from lexkit.arguments import user_path
from lexkit.atomic_write import write_json
from lexkit.errors import LexkitError, Stopped
from lexkit.progress import Progress
from lexkit_distill.config import changed, values
from lexkit_distill.disk import disk_failures
from lexkit_distill.errors import TrainingError
from lexkit_distill.memo import Memo
from lexkit_distill.processes import Processes
from lexkit_distill.senses.dictionary import read_meta
from lexkit_distill.sweep.config import Point
from lexkit_distill.sweep.records import RUN, RunRecord
from lexkit_distill.training import checkpoint as files
from lexkit_distill.training.batches import Batches
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.export import export
from lexkit_distill.training.run import PreparedTraining, prepare
from lexkit_distill.training.trainer import CHECKPOINTS

_ROWS = 4
"""Rows that run through the teacher together while a cache is filled."""
WEIGHTS = "weights.safetensors"
ADVICE = "free some space, and run the same command again to resume"


class Worker:
    """Trains runs one after the other, and keeps the objects that they share in memory.

    Args:
        threads: number of torch's CPU threads; None leaves it unchanged.
        number: number of this worker, which selects one of several GPUs.
    """

    def __init__(self, threads: int | None = None, number: int = 0) -> None:
        import torch

        if threads is not None:
            torch.set_num_threads(threads)
        self._number, self._memo = number, Memo()

    def fill(self, points: list[Point], progress: Progress) -> None:
        """Fill the cache with the teacher's states for all rows of runs that share states and candidates.

        Which rows run through the teacher together then depends on the sweep alone, not on the order of runs, the
        number of processes, or interruptions.
        """
        first = points[0].config
        prepared = self._prepare(first, Path(first.run.output), progress)
        assert prepared.cache is not None
        data = prepared.trainer.batches.data
        wanted = np.zeros(len(data), dtype=bool)
        for config in (point.config for point in points):
            batches = Batches(data, config.optimiser.batch_size, seed=config.optimiser.seed)
            steps = config.optimiser.epochs * batches.steps_per_epoch
            steps = min(config.optimiser.max_steps or steps, steps)
            whole, rest = divmod(steps, batches.steps_per_epoch)
            for epoch in range(whole):
                wanted[batches.epoch_rows(epoch)] = True
            for number in range(steps - rest, steps):
                wanted[batches.step(number)[1]] = True
        rows = np.flatnonzero(wanted)
        rows = rows[np.argsort(-data.lengths_of(rows), kind="stable")]
        progress.stage("caching the teacher's states")
        for start in range(0, len(rows), _ROWS):
            part = rows[start : start + _ROWS]
            if not prepared.cache.have(part):
                prepared.cache(prepared.trainer.prefetcher(prepared.trainer.batches.batch(part, 0)))
            progress.count(min(start + _ROWS, len(rows)), len(rows), "rows")
        prepared.close()

    def train(self, point: Point, progress: Progress) -> RunRecord:
        """Train a run and return the content of its ``run.json``. An interrupted run is resumed.

        If the run fails, the error is recorded instead, so that other runs can continue.

        Raises:
            Stopped: the run was stopped by a signal; another call resumes it.
            OSError, SafetensorError: the output cannot be written.
        """
        folder = Path(point.config.run.output)
        folder.mkdir(parents=True, exist_ok=True)
        record: RunRecord = {"key": point.key, "values": point.values, "config": _plain(point.config)}
        try:
            record |= self._train(point, folder, progress)
        except LexkitError as error:
            record |= {"error": " ".join(str(error).split())}
        write_json(folder / RUN, record)
        shutil.rmtree(folder / CHECKPOINTS, ignore_errors=True)
        return record

    def _train(self, point: Point, folder: Path, progress: Progress) -> RunRecord:
        config = point.config
        of_senses = _senses(point)
        prepared = self._prepare(config, folder, progress)
        trainer = prepared.trainer
        with prepared.memory_failures():
            trainer.resume()
            outcome = trainer.run()
        prepared.close()
        if trainer.stopped is not None and not outcome.finished:
            raise Stopped(f"{folder}: stopped after step {outcome.steps:,}", trainer.stopped)
        weights = trainer.best_weights()
        held_out = outcome.held_out
        if config.optimiser.patience and trainer.held_out is not None:
            held_out = trainer.evaluate(trainer.held_out)  # the best student may not be the last one evaluated
        files.save_weights(folder / WEIGHTS, weights)
        log = read_log(folder / "log.csv")
        return {
            **of_senses,
            "gamma_used": prepared.plan.gamma,
            "trained_parameters": prepared.plan.trained_parameters,
            "steps": outcome.steps,
            "tokens": int(sum(row["targets"] or 0 for row in log)),
            "seconds": sum(row["seconds"] or 0 for row in log),
            "loss": outcome.loss,
            "validation": held_out,
            "outcome": {**asdict(outcome), "held_out": held_out},
        }

    def test(self, point: Point, data: tuple[str, ...], progress: Progress) -> dict[str, float]:
        """Evaluate a trained run on *data*, files in the form of ``--eval-data``."""
        config = changed(point.config, eval_data=data)
        trainer = self._prepare(config, Path(config.run.output), progress).trainer
        files.load_weights(Path(config.run.output) / WEIGHTS, trainer.module)
        assert trainer.held_out is not None
        return trainer.evaluate(trainer.held_out)

    def export(self, point: Point, folder: Path, record: RunRecord, progress: Progress) -> None:
        """Write the student of a run as an ordinary transformers folder."""
        prepared = self._prepare(point.config, Path(point.config.run.output), progress)
        files.load_weights(Path(point.config.run.output) / WEIGHTS, prepared.trainer.module)
        summary = {"plan": asdict(prepared.plan), "outcome": record["outcome"], "sweep": record["values"]}
        config = changed(point.config, output=str(folder), cache=None)
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        export(prepared.trainer.student, folder, files.trained_state(prepared.trainer.module), config, summary)

    def _prepare(self, config: TrainConfig, folder: Path, progress: Progress) -> PreparedTraining:
        from lexkit_distill.teacher import resolve_device

        if config.run.device == "auto":
            config = changed(config, device=str(resolve_device("auto", self._number)))
        # A new accelerator each time, since an accelerator keeps every student that it has prepared in memory
        return prepare(config, folder, Processes(config.run.device).accelerator(), progress, self._memo)


def _senses(point: Point) -> RunRecord:
    """Return k and anchor of the run's dictionary, and check that they match the grid's values."""
    if not point.config.loss.samples_positions or point.config.senses is None:
        return {"k": None, "anchor": None}
    meta = read_meta(user_path(point.config.senses))
    for name in ("k", "anchor"):
        wanted = point.values.get(name)
        if wanted is not None and str(wanted) != str(getattr(meta, name)):
            raise TrainingError(
                f"{point.config.senses}: the dictionary has {name} {getattr(meta, name)}, and the grid has {wanted}; "
                "correct base: senses, or build the dictionary again"
            )
    return {"k": str(meta.k), "anchor": meta.anchor}


def read_log(path: Path) -> list[dict[str, float | None]]:
    """Read a run's log: one row per step, with None for measures that were not evaluated at that step."""
    with path.open(newline="", encoding="utf-8") as file:
        return [{name: float(text) if text else None for name, text in row.items()} for row in csv.DictReader(file)]


def _plain(config: TrainConfig) -> dict[str, Any]:
    return {name: list(value) if isinstance(value, tuple) else value for name, value in values(config).items()}


_worker: Worker | None = None
_stopped: Stopped | None = None


def begin(threads: int | None, numbers: Any) -> None:  # noqa: ANN401  # a queue of multiprocessing
    """Initialise a worker process. It ignores Ctrl-C, since the sweep stops it with SIGTERM."""
    global _worker
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_sweep, daemon=True).start()
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    _worker = Worker(threads, numbers.get())


def _end_with_the_sweep() -> None:
    """Wait for the sweep's process to end, then kill this one: the lock is free then, and another sweep may start."""
    sweep = multiprocessing.parent_process()
    assert sweep is not None
    sweep.join()
    os.kill(os.getpid(), signal.SIGKILL)


def train_here(point: Point) -> RunRecord:
    """Train a run in this worker process. After a signal has stopped one run, all further runs raise `Stopped`.

    Raises:
        Stopped: the run was stopped by a signal.
        TrainingError: the output cannot be written.
    """
    global _stopped
    assert _worker is not None
    if _stopped is not None:
        raise _stopped
    try:
        with disk_failures(TrainingError, Path(point.config.run.output), ADVICE):
            return _worker.train(point, Progress())
    except Stopped as error:
        _stopped = error
        raise
