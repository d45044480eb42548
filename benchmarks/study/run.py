"""Run the first question of docs/study.md; branches.py runs the second.

Usage: python benchmarks/study/run.py FOLDER --data DIR --teacher DIR [--processes 2] [--table FILE] [--main]

FOLDER is one that prepare.py has filled. Every run leaves its figures in FOLDER/runs; those that are there are not done
again, so that a study that was ended goes on. After each part all of them are written to --table. With --main it ends
after the main comparison.
"""

from __future__ import annotations

import argparse
import csv
import json
import multiprocessing
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import arms
import torch
from accelerate import Accelerator
from arms import Run
from measures import Bench

from lexkit.atomic_write import new_file, write_json
from lexkit.progress import Progress
from lexkit_distill.config import changed
from lexkit_distill.memo import Memo
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.inputs import load_inputs, load_training_teacher
from lexkit_distill.training.run import prepare
from lexkit_distill.training.student import Student
from lexkit_distill.training.trainer import Trainer

BASE: dict[str, Any] = {
    "layers": 15,
    "trained": 2,
    "shots": 0,
    "loss_on": "all",
    "max_length": 128,
    "too_long": "drop",
    "batch_size": 8,
    "micro_batch_size": 8,
    "epochs": 100,
    "dtype": "bfloat16",
    "device": "cpu",
}


class Worker:
    """A process that trains and measures, one run after the other."""

    def __init__(self, folder: Path, data: Path, teacher: Path) -> None:
        torch.set_num_threads(1)
        self.folder, self.data, self.teacher = folder, data, teacher
        self.memo = Memo()
        self.accelerator = Accelerator(cpu=True, mixed_precision="no")
        self._bench: Bench | None = None

    def config(self, run: Run) -> TrainConfig:
        """Return the configuration of a run, all but its number of steps."""
        return changed(
            TrainConfig(str(self.teacher)),
            data=(
                str(self.folder / "train.txt"),
                f"arc:{self.data / 'benchmarks/arc/train.jsonl'}",
                f"csqa:{self.folder / 'csqa.jsonl'}",
            ),
            output=str(self.folder / "none"),
            senses=str(self.folder / "senses" / "predicted"),
            store=str(self.folder / "derived.duckdb"),
            cache=str(self.folder / "cache"),
            **{**BASE, **run.options},
        )

    def bench(self) -> Bench:
        """Return what students are measured by."""
        if self._bench is None:
            config = self.config(Run(arms.Arm("any"), "tuning", 0, 0, 0.0, 1.0))
            teacher = load_training_teacher(config, 0, self.memo)
            inputs = load_inputs(config, teacher, self.memo, Progress())
            assert inputs.supervision is not None
            counts = torch.bincount(torch.from_numpy(inputs.data.token_ids).long(), minlength=teacher.vocabulary_size)
            self._bench = Bench(self.folder, self.data, teacher, inputs.supervision, counts)
        return self._bench

    def __call__(self, run: Run) -> dict[str, Any]:
        """Train, measure, and leave the figures behind."""
        bench = self.bench()
        student, told = self.untrained(run) if run.phase == "reference" else self.trained(run)
        student.tail.eval()
        if run.phase == "tuning":
            found = bench.validation(student)
        else:
            found = bench.test(student, questions=run.phase != "short")
        of_run = {
            "phase": run.phase,
            "arm": run.arm.name,
            "tokens": run.tokens,
            "seed": run.seed,
            "lr": run.lr,
            "weight": run.weight,
        }
        row = of_run | told | {name: round(value, 6) for name, value in found.items()}
        write_json(self.folder / "runs" / f"{run.key}.json", row)
        return row

    def untrained(self, run: Run) -> tuple[Student, dict[str, Any]]:
        """Return the student that all runs begin with, or the teacher in a student's place."""
        teacher = self.bench().teacher
        if run.arm == arms.TEACHER:
            layers = len(teacher.model.base_model.layers)
            student = Student(teacher, layers, layers - BASE["layers"] + BASE["trained"])
        else:
            student = Student(teacher, BASE["layers"], BASE["trained"])
        return student, {"gamma": None, "steps": 0, "predicted": 0, "seconds": 0.0, "cpu_seconds": 0.0}

    def trained(self, run: Run) -> tuple[Student, dict[str, Any]]:
        """Return a student that a run has trained, and what it took."""
        config = self.config(run)
        ready = prepare(config, self.folder / "none", self.accelerator, Progress(), self.memo)
        per_step = ready.plan.counts.predicted / (ready.plan.steps / config.optimiser.epochs)
        plain = ready.trainer
        trainer = Trainer(
            replace(config.optimiser, max_steps=max(round(run.tokens / per_step), 1)),
            config.run,
            self.folder / "none",
            plain.student,
            plain.objective,
            plain.batches,
            None,
            plain.source,
            self.accelerator,
            plain.identity,
            Progress(),
        )
        began, cpu = time.perf_counter(), time.process_time()
        outcome = trainer.run(saves=False)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        ready.close()
        if not outcome.finished:  # SIGTERM: what is half trained is no result
            raise SystemExit(1)
        return plain.student, {
            "gamma": round(ready.plan.gamma, 4),
            "steps": outcome.steps,
            "predicted": outcome.tokens,
            "seconds": round(seconds, 2),
            "cpu_seconds": round(cpu, 2),
        }


_worker: Worker | None = None


def begin(folder: Path, data: Path, teacher: Path) -> None:
    """Make a process a worker."""
    global _worker
    _worker = Worker(folder, data, teacher)


def work(run: Run) -> dict[str, Any]:
    """Do a run in this process."""
    assert _worker is not None
    return _worker(run)


def missing(folder: Path, runs: list[Run]) -> list[Run]:
    """Return the runs that are not done."""
    return [run for run in runs if not (folder / "runs" / f"{run.key}.json").exists()]


def results(folder: Path, runs: list[Run]) -> list[dict[str, Any]]:
    """Return the figures of the runs that are done."""
    files = [folder / "runs" / f"{run.key}.json" for run in runs]
    return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]


def write_table(path: Path, rows: list[dict[str, Any]]) -> None:
    """Write the figures as CSV."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    with new_file(path) as beside, beside.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, names, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    """Do what is not done yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--table", type=Path, default=Path(__file__).with_name("results.csv"))
    parser.add_argument("--main", action="store_true", help="the main comparison only")
    parser.add_argument("--only", type=int, help="so many runs of each part, to try it")
    options = parser.parse_args()
    folder: Path = options.folder.resolve()
    (folder / "runs").mkdir(exist_ok=True)
    arguments = (folder, options.data.resolve(), options.teacher.resolve())
    context = multiprocessing.get_context("spawn")
    with context.Pool(options.processes, begin, arguments) as pool:
        done: list[dict[str, Any]] = []

        def part(runs: list[Run]) -> None:
            done.extend(do(pool, folder, runs, options.only))
            write_table(options.table, done)

        part(arms.reference_runs())
        part(arms.tuning_runs(arms.MAIN))
        best = told("short", arms.chosen(done))
        part(arms.main_runs(best))
        if options.main:
            return
        part(arms.long_tuning_runs(best))
        part(arms.beyond_runs(done))
        part(arms.long_runs(best, told("long", arms.chosen(done, arms.LONG))))
        part(arms.short_runs(best))


def told(length: str, best: arms.Best) -> arms.Best:
    """Say what was chosen."""
    for name, (lr, weight) in best.items():
        print(f"chosen for {length} runs of {name}: lr {lr:g}, weight {weight:g}", flush=True)
    return best


def do(pool: Any, folder: Path, runs: list[Run], only: int | None) -> list[dict[str, Any]]:  # noqa: ANN401
    """Do what is missing of some runs, and return the figures of all."""
    todo = missing(folder, runs)[:only]
    began = time.perf_counter()
    for number, row in enumerate(pool.imap_unordered(work, todo), 1):
        print(
            f"{number} of {len(todo)}, {time.perf_counter() - began:.0f} s: {row['arm']}, {row['tokens']:,} tokens, "
            f"seed {row['seed']}, lr {row['lr']:g}, weight {row['weight']:g}, "
            f"{row['seconds']:,.0f} s of training",
            flush=True,
        )
    return results(folder, runs)


if __name__ == "__main__":
    main()
