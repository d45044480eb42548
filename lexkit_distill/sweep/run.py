"""Run a sweep: train the missing runs, choose a setting, test it, and write the results."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Generator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from lexkit.atomic_write import write_json
from lexkit.errors import LexkitError, Stopped
from lexkit.progress import Progress
from lexkit_distill.disk import disk_failures, lock_folder, read_json
from lexkit_distill.errors import TrainingError
from lexkit_distill.sweep.config import Point, SweepConfig
from lexkit_distill.sweep.records import RunRecord, describe, read_run
from lexkit_distill.sweep.results import Setting, choose, settings, write_table
from lexkit_distill.sweep.worker import ADVICE, WEIGHTS, Worker, begin, train_here

STUDENT = "student"


@dataclass(frozen=True)
class Sweep:
    """Results of a sweep."""

    table: Path
    settings: list[Setting]
    chosen: Setting | None
    student: Path | None
    """Model folder of the chosen setting's best run; None if no setting was chosen."""

    @property
    def failed(self) -> list[RunRecord]:
        """Records of the runs that failed."""
        return [run for setting in self.settings for run in setting.runs if "error" in run]


def sweep(
    config: SweepConfig, progress: Progress | None = None, *, processes: int = 1, threads: int | None = None
) -> Sweep:
    """Train every point of a grid, choose a setting by the validation data, and evaluate it on the test data.

    Finished runs are skipped, and an interrupted run resumes from its last checkpoint. Results do not depend on the
    number of processes; on a CPU, their last digits depend on the number of threads. Ctrl-C or SIGTERM stops each
    current run after its step, with a checkpoint.

    Args:
        config: configuration of the sweep.
        progress: reports runs and, with one process, steps.
        processes: number of runs to train at the same time.
        threads: number of CPU threads per process; None divides the CPUs among the processes.

    Raises:
        TrainingError: a process was killed, the disk is full, another sweep writes to the output folder, or the sweep
            was started by 'accelerate launch'. Finished runs are kept.
        Stopped: the sweep was stopped by a signal.
    """
    progress = progress if progress is not None else Progress()
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        raise TrainingError("a sweep starts its own processes; leave out 'accelerate launch', and give --processes")
    if processes > 1 and config.points[0].config.run.device_map:
        raise TrainingError(
            f"--processes {processes}: device_map gives all GPUs to one process; leave out one of the two"
        )
    try:
        with lock_folder(config.output, TrainingError), disk_failures(TrainingError, config.output, ADVICE):
            return _sweep(config, progress, processes, threads)
    except (KeyboardInterrupt, SystemExit) as error:  # the command line raises SystemExit for SIGTERM
        number = signal.SIGTERM if isinstance(error, SystemExit) else getattr(error, "number", signal.SIGINT)
        done = sum(read_run(point) is not None for point in config.points)
        where = f"{config.output}: stopped with {done:,} of {len(config.points):,} runs finished"
        raise Stopped(f"{where}; run the same command again to resume", number) from error
    finally:
        progress.close()


def _sweep(config: SweepConfig, progress: Progress, processes: int, threads: int | None) -> Sweep:
    records = {point.key: known for point in config.points if (known := read_run(point)) is not None}
    missing = [point for point in config.points if point.key not in records]
    here: Worker | None = Worker(threads)
    if missing and here is not None:
        _fill(here, config, missing, progress)
    if processes > 1 and len(missing) > 1:
        here = None  # frees its teacher
    with closing(_trained(missing, here, processes, threads, progress)) as trained:
        for done in trained:
            records[done["key"]] = done
            write_table(config, settings(config, records), None)
    found = settings(config, records)
    chosen = choose(found, config.metric)
    student = None
    if chosen is not None:
        worker = here if here is not None else Worker(threads)
        _have_weights(config, chosen, worker, progress)
        chosen = _tested(config, chosen, worker, progress)
        found = [chosen if setting.values == chosen.values else setting for setting in found]
        student = _exported(config, chosen, worker, progress)
    table = write_table(config, found, chosen)
    if not config.keep_all:
        _remove_weights(config, chosen)
    return Sweep(table, found, chosen, student)


def _fill(worker: Worker, config: SweepConfig, missing: list[Point], progress: Progress) -> None:
    """Fill the teacher caches of the missing runs in advance, once for all points, finished or not, that share one."""
    wanted = {point.teacher_key for point in missing}
    groups: dict[str, list[Point]] = {}
    for point in config.points:
        if point.teacher_key in wanted:
            groups.setdefault(point.teacher_key, []).append(point)
    for points in groups.values():
        with suppress(LexkitError):  # the run itself will record the error
            worker.fill(points, progress)


def _trained(
    missing: list[Point], worker: Worker | None, processes: int, threads: int | None, progress: Progress
) -> Generator[RunRecord, None, None]:
    """Train in this process or in several, and yield records as runs finish."""
    if worker is not None:
        for number, point in enumerate(missing, 1):
            progress.note(f"run {number} of {len(missing)}: {describe(point)}")
            yield worker.train(point, progress)
        return
    context = multiprocessing.get_context("spawn")
    numbers = context.Queue()
    processes = min(processes, len(missing))
    for number in range(processes):
        numbers.put(number)
    if threads is None and hasattr(os, "sched_getaffinity"):
        threads = max(len(os.sched_getaffinity(0)) // processes, 1)
    progress.stage("training")
    with ProcessPoolExecutor(processes, context, begin, (threads, numbers)) as pool:
        jobs = {pool.submit(train_here, point): point for point in missing}
        try:
            for number, job in enumerate(as_completed(jobs), 1):
                yield job.result()
                progress.count(number, len(missing), "runs")
        except BrokenProcessPool as error:
            raise TrainingError(
                "a process of the sweep was killed, possibly because memory ran out; use fewer --processes, and run "
                "the same command again to resume"
            ) from error
        except BaseException:
            _stop(pool)
            raise


def _stop(pool: ProcessPoolExecutor) -> None:
    """Stop the processes after their current step; a second signal kills them at once."""
    pool.shutdown(wait=False, cancel_futures=True)
    children = multiprocessing.active_children()
    try:
        for child in children:
            child.terminate()
        for child in children:
            child.join()
    except BaseException:
        for child in children:
            child.kill()
        raise


def _have_weights(config: SweepConfig, chosen: Setting, worker: Worker, progress: Progress) -> None:
    """Repeat runs whose weights were deleted when an earlier sweep of a smaller grid chose another setting."""
    points = {point.key: point for point in config.points}
    for run in chosen.runs:
        point = points[run["key"]]
        if not (Path(point.config.run.output) / WEIGHTS).exists():
            progress.note(f"repeating a run for its weights: {describe(point)}")
            worker.train(point, progress)


def _tested(config: SweepConfig, chosen: Setting, worker: Worker, progress: Progress) -> Setting:
    """Return the chosen setting with results on the test data, which no other step uses."""
    if not config.test_data:
        return chosen
    points = {point.key: point for point in config.points}
    runs = []
    for run in chosen.runs:
        progress.stage("testing the chosen setting")
        runs.append({**run, "test": worker.test(points[run["key"]], config.test_data, progress)})
    return Setting(chosen.values, tuple(runs))


def _exported(config: SweepConfig, chosen: Setting, worker: Worker, progress: Progress) -> Path:
    """Export the best student of the chosen setting, by the validation data, and return its folder."""
    best = min(chosen.runs, key=lambda run: sum(run["validation"][name] for name in config.metric.split("+")))
    point = next(point for point in config.points if point.key == best["key"])
    folder, mark = config.output / STUDENT, config.output / STUDENT / "sweep.json"
    saved = read_json(mark, TrainingError, "remove the folder to save the student again") if mark.exists() else {}
    if saved.get("key") == best["key"]:
        return folder
    progress.stage("saving the student")
    worker.export(point, folder, best, progress)
    write_json(mark, {"key": best["key"], "values": best["values"]})
    return folder


def _remove_weights(config: SweepConfig, chosen: Setting | None) -> None:
    kept = {run["key"] for run in chosen.runs} if chosen is not None else set()
    for point in config.points:
        if point.key not in kept:
            (Path(point.config.run.output) / WEIGHTS).unlink(missing_ok=True)
