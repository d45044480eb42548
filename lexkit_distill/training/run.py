"""From a configuration to a student: load, check, train, save."""

from __future__ import annotations

import json
import shutil
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lexkit.durable import write_whole
from lexkit.progress import Progress
from lexkit_distill.config import format_size
from lexkit_distill.disk import disk_failures, only_run
from lexkit_distill.errors import TrainingError
from lexkit_distill.memory import available_memory
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.stopping import stop
from lexkit_distill.teacher import Teacher, chosen_device
from lexkit_distill.training.batches import Batches
from lexkit_distill.training.cache import TeacherCache
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.encode import TokenData
from lexkit_distill.training.export import export
from lexkit_distill.training.loaded import Loaded
from lexkit_distill.training.step import Live, Objective
from lexkit_distill.training.student import Student, check_head
from lexkit_distill.training.supervision import Supervision
from lexkit_distill.training.trainer import Outcome, Trainer

DONE = "training.json"
"""Written last; makes the output a finished student."""
_ADAM_BYTES = 16
"""fp32 weight, gradient and two moments of a trained parameter."""


@dataclass(frozen=True)
class TrainPlan:
    """What a training is going to do."""

    teacher: str
    processes: int
    layers: int
    trained_parameters: int
    shared_parameters: int
    memory: int
    """Bytes beside the teacher: trained weights, gradients, moments."""
    rows: int
    tokens: int
    targets: int
    positions: int
    """Sampled for the semantic loss, in an epoch."""
    dropped: dict[str, int]
    steps: int
    shared_prefix: bool
    gamma: float


@dataclass(frozen=True)
class TrainSummary:
    """What was done."""

    path: str
    plan: TrainPlan
    outcome: Outcome


def train(
    config: TrainConfig, progress: Progress | None = None, *, dry_run: bool = False, loaded: Loaded | None = None
) -> TrainSummary | None:
    """Train a student; a run that was killed goes on when this is called again.

    Ctrl-C or SIGTERM, to any of the processes, has the run end after the step that is on, with a checkpoint.

    Args:
        config: what to do.
        progress: told about stages and steps.
        dry_run: build everything, take two steps, and write nothing.
        loaded: keeps teacher and data for further trainings in this process.

    Returns:
        What was done; None in processes other than the first.

    Raises:
        TrainingError: the student, the configuration or a checkpoint do not fit, a loss is not finite, the disk is
            full, or another run writes to the output.
        Stopped: by a signal; in processes other than the first, SystemExit.
        DataError: the data are missing, empty, or too long.
        DictionaryError, StoreError, TeacherError: these are missing or do not belong together.
    """
    from accelerate import Accelerator
    from accelerate.utils import DistributedDataParallelKwargs

    progress = progress if progress is not None else Progress()
    folder = Path(config.output).expanduser()
    if (folder / DONE).exists() and not dry_run:
        raise TrainingError(f"{folder}: a finished student is there already; remove it, or give another --output")
    accelerator = Accelerator(
        # Unless told to use the CPU, accelerate takes each process on a machine without GPU for one on its own
        cpu=chosen_device(config.device, 0).type == "cpu",
        mixed_precision="no",
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    is_first = accelerator.is_main_process
    try:
        with only_run(folder, TrainingError) if is_first and not dry_run else nullcontext():
            shown = progress if is_first else Progress()
            return _train(config, folder, accelerator, shown, dry_run, loaded if loaded is not None else Loaded())
    finally:
        progress.close()
        if accelerator.num_processes > 1:
            accelerator.end_training()
            accelerator.state.destroy_process_group()


def _train(
    config: TrainConfig,
    folder: Path,
    accelerator: Any,  # noqa: ANN401
    progress: Progress,
    dry_run: bool,
    loaded: Loaded,
) -> TrainSummary | None:
    ready = prepare(config, folder, accelerator, progress, loaded, cached=not dry_run)
    trainer = ready.trainer
    is_first = accelerator.is_main_process
    with disk_failures(TrainingError, folder, "free some space, and run the same command again to go on"):
        outcome = trainer.run(until=2, saves=False) if dry_run else _run(trainer, folder, progress)
        ready.close()
        if trainer.stopped is not None and (dry_run or not outcome.finished):
            where = f"after step {outcome.steps:,} of {outcome.total_steps:,}"
            saved = "nothing was written" if dry_run else "the same command goes on from there"
            stop(f"{folder}: stopped {where}; {saved}", trainer.stopped, speaks=is_first)
        summary = TrainSummary(str(folder), ready.plan, outcome)
        if not dry_run:
            weights = trainer.best_weights()
            if is_first:
                progress.stage("saving the student")
                export(trainer.student, folder, weights, config, asdict(summary))
                write_whole(folder / DONE, (json.dumps(asdict(summary), indent=2) + "\n").encode())
    return summary if is_first else None


@dataclass(frozen=True)
class Ready:
    """A training that is about to begin."""

    trainer: Trainer
    plan: TrainPlan
    cache: TeacherCache | None

    def close(self) -> None:
        """Have the cache on the disk."""
        if self.cache is not None:
            self.cache.close()


def prepare(
    config: TrainConfig,
    folder: Path,
    accelerator: Any,  # noqa: ANN401
    progress: Progress,
    loaded: Loaded,
    *,
    cached: bool = True,
) -> Ready:
    """Load and check everything that a training needs.

    Args:
        config: what to do.
        folder: the output; nothing is written to it.
        accelerator: accelerate's.
        progress: told about stages.
        loaded: what earlier trainings have left, and where this one leaves its own.
        cached: whether to use ``config.cache``.

    Raises:
        LexkitError: as `train` says.
    """
    progress.stage("loading the teacher")
    teacher = loaded.teacher(config, accelerator.local_process_index)
    student = Student(teacher, config.layers, config.trained)
    dictionary = loaded.dictionary(config, teacher)
    progress.stage("cutting the data into tokens")
    data, dropped = loaded.data(config, config.data, teacher, dictionary)
    supervision = loaded.supervision(config, teacher, dictionary)
    batches = _batches(config, data, supervision)
    held_out = None
    if config.eval_data:
        held, _ = loaded.data(config, config.eval_data, teacher, None)
        held_out = Batches(held, config.batch_size, seed=config.seed)
    progress.stage("checking the student")
    _check_student(student, batches, progress)
    gamma = supervision.auto_gamma() if supervision and config.gamma == "auto" else 1.0
    gamma = gamma if config.gamma == "auto" else float(config.gamma)
    plan = _plan(config, student, batches, dropped, gamma, accelerator.num_processes)
    _check_room(config, plan, teacher, folder)
    identity = {
        "data_fingerprint": data.fingerprint,
        "teacher_fingerprint": teacher.fingerprint,
        "senses_fingerprint": _dictionary_fingerprint(dictionary),
    }
    live = Live(student)
    cache = _cache(config, identity, batches, live, supervision, accelerator) if cached else None
    objective = Objective(config, student, supervision, gamma)
    trainer = Trainer(
        config, folder, student, objective, batches, held_out, cache or live, accelerator, identity, progress
    )
    return Ready(trainer, plan, cache)


def _run(trainer: Trainer, folder: Path, progress: Progress) -> Outcome:
    folder.mkdir(parents=True, exist_ok=True)
    done = trainer.resume()
    if done:
        progress.note(f"going on after step {done:,}")
    return trainer.run()


def _check_student(student: Student, batches: Batches, progress: Progress) -> None:
    """Compare, on the first batch, the head with the model's logits and the shared prefix with the plain way."""
    teacher = student.teacher
    token_ids = torch.from_numpy(batches.batch(batches.step(0)[1][:2], 0).token_ids).to(teacher.device)
    check_head(teacher, token_ids[:1])
    difference = student.check_shared_prefix(token_ids)
    if not student.shares_prefix:
        progress.note(
            f"the student's own layers give another state than the teacher's ({difference:.1%}); training runs all of "
            "them, which is slower"
        )


def _cache(
    config: TrainConfig,
    identity: dict[str, Any],
    batches: Batches,
    live: Live,
    supervision: Supervision | None,
    accelerator: Any,  # noqa: ANN401
) -> TeacherCache | None:
    if config.cache is None:
        return None
    folder = Path(config.cache).expanduser()
    advice = "free some space, choose another --cache, or train without it"
    # The first process makes the files; the others find them
    with disk_failures(TrainingError, folder, advice), accelerator.main_process_first():
        return TeacherCache(folder, config, identity, batches, live, supervision)


def _dictionary_fingerprint(dictionary: SenseDictionary | None) -> str | None:
    if dictionary is None:
        return None
    meta = dictionary.meta
    return json.dumps([meta.corpus_fingerprint, meta.store_fingerprint, meta.anchor, meta.k, meta.seed, meta.rows])


def _batches(config: TrainConfig, data: TokenData, supervision: Supervision | None) -> Batches:
    available = None
    if supervision is not None:
        of_token, of_word = supervision.available()
        available = of_token.cpu().numpy(), of_word.cpu().numpy()
    return Batches(data, config.batch_size, sample_rate=config.sample_rate, seed=config.seed, available=available)


def _plan(
    config: TrainConfig, student: Student, batches: Batches, dropped: dict[str, int], gamma: float, processes: int
) -> TrainPlan:
    trained = sum(parameter.numel() for parameter in student.trained.parameters())
    data = batches.data
    positions = batches.positions(np.arange(len(data)), 0)
    steps = config.epochs * batches.steps_per_epoch
    whole = {id(parameter): parameter.numel() for parameter in student.full.parameters()}
    head = student.head.weight
    if not any(parameter.data_ptr() == head.data_ptr() for parameter in student.full.parameters()):
        whole[id(head)] = head.numel()
    return TrainPlan(
        teacher=student.teacher.name,
        processes=processes,
        layers=student.layers,
        trained_parameters=trained,
        shared_parameters=sum(whole.values()) - trained,
        memory=_ADAM_BYTES * trained,
        rows=len(data),
        tokens=len(data.token_ids),
        targets=len(positions.targets),
        positions=int(positions.sampled.sum()),
        dropped={reason: number for reason, number in dropped.items() if number},
        steps=steps if config.max_steps is None else min(steps, config.max_steps),
        shared_prefix=student.shares_prefix,
        gamma=gamma,
    )


def _check_room(config: TrainConfig, plan: TrainPlan, teacher: Teacher, folder: Path) -> None:
    """Refuse what cannot fit on the disk or in memory.

    Raises:
        TrainingError: saying how much is needed and how much is free.
    """
    width = teacher.model.dtype.itemsize
    model = (plan.trained_parameters + plan.shared_parameters) * width
    disk = (config.keep_last + 1) * 12 * plan.trained_parameters + model
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if disk > free:
        raise TrainingError(
            f"{folder}: checkpoints and student need {format_size(disk)} and {format_size(free)} is free on the disk; "
            "lower --keep-last, or give another --output"
        )
    available = available_memory(teacher.device)
    if available is not None and plan.memory > available:
        raise TrainingError(
            f"training needs {format_size(plan.memory)} of memory beside the teacher and {format_size(available)} is "
            "free; lower --trained, or use several processes with FSDP"
        )
