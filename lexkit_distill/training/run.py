"""Train a student from a configuration: load, check, train, save."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from lexkit.durable import write_whole
from lexkit.progress import Progress
from lexkit_distill.config import digest, options, values
from lexkit_distill.disk import disk_failures, only_run
from lexkit_distill.errors import TrainingError
from lexkit_distill.memo import Memo
from lexkit_distill.stopping import stop
from lexkit_distill.supervision.nearest import Supervision
from lexkit_distill.teacher import chosen_device
from lexkit_distill.training.batches import Batches, count
from lexkit_distill.training.cache import TeacherCache
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.export import export
from lexkit_distill.training.inputs import TrainingInputs, candidates_key, load_inputs, load_training_teacher
from lexkit_distill.training.plan import TrainPlan, check_room, make_plan
from lexkit_distill.training.step import Objective, OnlineTeacher
from lexkit_distill.training.student import Student, check_head
from lexkit_distill.training.trainer import Outcome, Trainer

DONE = "training.json"
"""Written last; makes the output a finished student."""


@dataclass(frozen=True)
class TrainSummary:
    """The plan of a training and its outcome."""

    path: str
    plan: TrainPlan
    outcome: Outcome


def train(
    config: TrainConfig,
    progress: Progress | None = None,
    *,
    dry_run: bool = False,
    memo: Memo | None = None,
    started: Callable[[TrainPlan], None] = lambda _: None,
) -> TrainSummary | None:
    """Train a student; an interrupted run resumes when this is called again.

    Ctrl-C or SIGTERM, to any of the processes, ends the run after the current step, with a checkpoint.

    Args:
        config: what to do.
        progress: told about stages and steps.
        dry_run: build everything, take two steps, and write nothing to the output.
        memo: keeps teacher and data for further trainings in this process.
        started: called with the plan, in the first process, before the first step.

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
    missing = [name for name, value in (("data", config.data.data), ("output", config.run.output)) if not value]
    if missing:
        raise TrainingError(f"no {' and no '.join(missing)}; give --{' and --'.join(missing)}")
    folder = Path(config.run.output).expanduser()
    if (folder / DONE).exists() and not dry_run:
        raise TrainingError(f"{folder}: a finished student is there already; remove it, or give another --output")
    accelerator = Accelerator(
        # Unless told to use the CPU, accelerate takes each process on a machine without GPU for one on its own
        cpu=chosen_device(config.run.device, 0).type == "cpu",
        mixed_precision="no",
        kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
    )
    is_first = accelerator.is_main_process
    try:
        with only_run(folder, TrainingError) if is_first and not dry_run else nullcontext():
            shown = progress if is_first else Progress()
            memo = memo if memo is not None else Memo()
            return _train(config, folder, accelerator, shown, dry_run, memo, started)
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
    memo: Memo,
    started: Callable[[TrainPlan], None],
) -> TrainSummary | None:
    prepared = prepare(config, folder, accelerator, progress, memo, cached=not dry_run)
    trainer = prepared.trainer
    is_first = accelerator.is_main_process
    if is_first:
        started(prepared.plan)
    with disk_failures(TrainingError, folder, "free some space, and run the same command again to resume"):
        outcome = trainer.run(until=2, saves=False) if dry_run else _run(trainer, folder, progress)
        prepared.close()
        if trainer.stopped is not None and (dry_run or not outcome.finished):
            where = f"after step {outcome.steps:,} of {outcome.total_steps:,}"
            saved = "nothing was written" if dry_run else "run the same command again to resume"
            stop(f"{folder}: stopped {where}; {saved}", trainer.stopped, speaks=is_first)
        summary = TrainSummary(str(folder), prepared.plan, outcome)
        if not dry_run:
            weights = trainer.best_weights()
            if is_first:
                progress.stage("saving the student")
                export(trainer.student, folder, weights, config, asdict(summary))
                write_whole(folder / DONE, (json.dumps(asdict(summary), indent=2) + "\n").encode())
    return summary if is_first else None


@dataclass(frozen=True)
class PreparedTraining:
    """A training that is about to begin."""

    trainer: Trainer
    plan: TrainPlan
    cache: TeacherCache | None

    def close(self) -> None:
        """Flush the cache to the disk."""
        if self.cache is not None:
            self.cache.close()


def prepare(
    config: TrainConfig,
    folder: Path,
    accelerator: Any,  # noqa: ANN401
    progress: Progress,
    memo: Memo,
    *,
    cached: bool = True,
) -> PreparedTraining:
    """Load and check everything that a training needs.

    Args:
        config: what to do.
        folder: the output; nothing is written to it.
        accelerator: accelerate's.
        progress: told about stages.
        memo: of what earlier trainings have loaded, to which this one adds.
        cached: whether to use the cache of the configuration.

    Raises:
        LexkitError: as `train` says.
    """
    progress.stage("loading the teacher")
    teacher = load_training_teacher(config, accelerator.local_process_index, memo)
    student = Student(teacher, config.student.layers, config.student.trained)
    inputs = load_inputs(config, teacher, memo, progress)
    supervision, optimiser = inputs.supervision, config.optimiser
    available = supervision.available() if supervision is not None else None
    batches = Batches(
        inputs.data,
        optimiser.batch_size,
        sample_rate=config.loss.sample_rate,
        seed=optimiser.seed,
        available=available,
    )
    held_out = None
    if inputs.held_out is not None:
        held_out = Batches(inputs.held_out, optimiser.batch_size, seed=optimiser.seed)
    progress.stage("checking the student")
    _check_student(student, batches, progress)
    gamma = _gamma(config.loss.gamma, supervision)
    objective = Objective(config.loss, config.kl_weight, student, supervision, gamma)
    online = OnlineTeacher(student)
    cache = _cache(config, inputs, batches, online, accelerator) if cached else None
    trainer = Trainer(
        optimiser,
        config.run,
        folder,
        student,
        objective,
        batches,
        held_out,
        cache or online,
        accelerator,
        {**_checkpoint_values(config), **inputs.fingerprints},
        progress,
    )
    plan = make_plan(
        student,
        count(batches, available),
        inputs.dropped,
        steps=trainer.steps,
        gamma=gamma,
        processes=accelerator.num_processes,
    )
    check_room(plan, config.run, teacher, folder)
    return PreparedTraining(trainer, plan, cache)


def _checkpoint_values(config: TrainConfig) -> dict[str, Any]:
    """All that a checkpoint has to agree with: every field but those of the section ``run``."""
    return {
        option.name: list(value) if isinstance(value, tuple) else value
        for option, value in zip(options(type(config)), values(config).values(), strict=True)
        if option.section != ("run",)
    }


def _gamma(gamma: float | str, supervision: Supervision | None) -> float:
    if isinstance(gamma, str):
        return supervision.auto_gamma() if supervision is not None else 1.0
    return gamma


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
    inputs: TrainingInputs,
    batches: Batches,
    online: OnlineTeacher,
    accelerator: Any,  # noqa: ANN401
) -> TeacherCache | None:
    if config.run.cache is None:
        return None
    folder = Path(config.run.cache).expanduser()
    dictionary = inputs.dictionary
    advice = "free some space, choose another --cache, or train without it"
    # The first process makes the files; the others find them
    with disk_failures(TrainingError, folder, advice), accelerator.main_process_first():
        return TeacherCache(
            folder,
            online,
            batches,
            identity={"teacher": inputs.teacher.fingerprint, "dtype": config.optimiser.dtype},
            temperature=config.loss.temperature,
            supervision=inputs.supervision if config.loss.semantic else None,
            candidates_key=digest(
                candidates_key(config, dictionary) if dictionary is not None else None, inputs.data.fingerprint
            ),
        )
