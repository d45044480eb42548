"""Train a student from a configuration: load everything, check it, train, and save the student."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from lexkit.arguments import user_path
from lexkit.atomic_write import write_json
from lexkit.errors import first_line
from lexkit.progress import Progress
from lexkit_distill.checks import DONE, check_output
from lexkit_distill.config import digest, options, values
from lexkit_distill.deterministic import deterministic
from lexkit_distill.disk import disk_failures, lock_folder
from lexkit_distill.errors import TrainingError
from lexkit_distill.memo import Memo
from lexkit_distill.memory import available_memory, is_out_of_memory, memory_failures
from lexkit_distill.processes import Processes
from lexkit_distill.sizes import format_size
from lexkit_distill.stopping import stop
from lexkit_distill.supervision.nearest import Supervision
from lexkit_distill.training.batches import Batch, Batches, count
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.export import export
from lexkit_distill.training.inputs import TrainingInputs, candidates_key, load_inputs, load_training_teacher
from lexkit_distill.training.kd import with_kernel
from lexkit_distill.training.memory_model import MemoryModel, MemoryPlan, memory_model
from lexkit_distill.training.plan import TrainPlan, check_room, make_plan, remedy
from lexkit_distill.training.step import Objective, OnlineTeacher
from lexkit_distill.training.student import TOLERANCE, Student, check_head, relative_difference
from lexkit_distill.training.teacher_cache import TeacherCache
from lexkit_distill.training.trainer import Outcome, Trainer

_SHARE_OF_FREE = 0.5
"""Largest share of the GPU's remaining memory for the dictionary; fragmentation and libraries need some as well."""
_CHECKED = 64
"""Tokens whose logits are compared with the head's; the logits of a long row could need more memory than a step."""


@dataclass(frozen=True)
class TrainSummary:
    """The plan of a training run and its outcome."""

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
    """Train a student. If an earlier call was interrupted, resume it.

    If any process receives Ctrl-C or SIGTERM, the run stops after the current step and writes a checkpoint.

    Args:
        config: configuration of the run.
        progress: reports stages and steps.
        dry_run: load everything and take two steps, but write nothing to the output folder.
        memo: keeps teacher and data for further runs in this process.
        started: called with the plan before the first step, in the first process only.

    Returns:
        The plan and the outcome; None in processes other than the first.

    Raises:
        TrainingError: student, configuration or checkpoint do not fit together, a loss is not finite, memory or disk
            are full, or another run writes to the output.
        Stopped: the run was stopped by a signal; processes other than the first raise SystemExit.
        DataError: the data are missing, empty, or too long.
        DictionaryError, StoreError, TeacherError: dictionary, store or teacher are missing or do not belong together.
    """
    progress = progress if progress is not None else Progress()
    missing = [name for name, value in (("data", config.data.data), ("output", config.run.output)) if not value]
    if missing:
        raise TrainingError(f"no {' and no '.join(missing)}; give --{' and --'.join(missing)}")
    folder = user_path(config.run.output)
    if not dry_run:
        check_output(folder)
    processes = Processes(config.run.device)
    claimed = lock_folder(folder, TrainingError) if processes.is_first and not dry_run else nullcontext()
    try:
        with processes.together(), claimed, deterministic(config.run.deterministic):
            shown = progress if processes.is_first else Progress()
            memo = memo if memo is not None else Memo()
            return _train(config, folder, processes.accelerator(), shown, dry_run, memo, started)
    finally:
        progress.close()


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
        with prepared.memory_failures():
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
                write_json(folder / DONE, summary)
    return summary if is_first else None


@dataclass(frozen=True)
class PreparedTraining:
    """A training run that is ready to start."""

    trainer: Trainer
    plan: TrainPlan
    memory: MemoryModel
    cache: TeacherCache | None
    held_out_cache: TeacherCache | None

    def memory_failures(self) -> AbstractContextManager[None]:
        """Context manager. If memory runs out in the block, raise a `TrainingError` that suggests values that fit."""
        return memory_failures(TrainingError, str(self.trainer.folder), self._smaller)

    def _smaller(self) -> str:
        planned, device, done = self.plan.memory, self.memory.student.teacher.device, self.trainer.state.step
        held = planned.loaded
        if device.type == "cuda":
            torch.cuda.empty_cache()
            held = torch.cuda.memory_allocated(device)
        free = available_memory(device)
        # The predicted size has just failed to fit, even if the system reports enough memory
        room = min(held + (free if free is not None else planned.peak), planned.peak * 9 // 10)
        return (
            f"step {done + 1:,} on {device} with {planned.rows} x {planned.length} tokens at once may need "
            f"{format_size(planned.peak)}, and less is free; {remedy(self.memory, room)}; run the command with it to "
            "resume from the last checkpoint"
        )

    def close(self) -> None:
        """Sync the caches to the disk."""
        for cache in (self.cache, self.held_out_cache):
            if cache is not None:
                cache.close()


def prepare(
    config: TrainConfig,
    folder: Path,
    accelerator: Any,  # noqa: ANN401
    progress: Progress,
    memo: Memo,
    *,
    cached: bool = True,
) -> PreparedTraining:
    """Load and check everything that a training run needs.

    Args:
        config: configuration of the run.
        folder: the output folder; nothing is written to it.
        accelerator: accelerate's accelerator.
        progress: reports stages.
        memo: objects loaded by earlier runs in this process; this run adds its own.
        cached: whether to use the configured cache.

    Raises:
        LexkitError: see `train`.
    """
    half = "--dtype bfloat16, " if config.optimiser.dtype == "float32" else ""
    advice = f"the teacher and the trained layers do not fit; use {half}a lower --trained, or another --device"
    with memory_failures(TrainingError, str(folder), lambda: advice):
        return _prepared(config, folder, accelerator, progress, memo, cached=cached)


def _prepared(
    config: TrainConfig,
    folder: Path,
    accelerator: Any,  # noqa: ANN401
    progress: Progress,
    memo: Memo,
    *,
    cached: bool,
) -> PreparedTraining:
    if torch.cuda.is_available():  # free memory of an earlier run in this process
        gc.collect()
        torch.cuda.empty_cache()
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
    if accelerator.distributed_type == "FSDP" and not student.shares_prefix:
        raise TrainingError(
            f"{teacher.name}: the student must run layers of the teacher, which FSDP would shard; launch with "
            "gpus.yaml instead of fsdp.yaml"
        )
    if config.run.compile and (teacher.is_spread or accelerator.distributed_type == "FSDP"):
        other = "--device-map" if teacher.is_spread else "fsdp.yaml"
        raise TrainingError(f"--compile: not possible with {other}, which modifies layers; leave one of the two out")
    progress.stage("planning the training")
    gamma = _gamma(config.loss.gamma, supervision)
    objective = Objective(config.loss, config.kl_weight, student, supervision, gamma)
    online = OnlineTeacher(student)
    cache, held_out_cache = None, None
    if cached and config.run.cache is not None:
        folder_of_cache = user_path(config.run.cache)
        cache = _cache(config, folder_of_cache, inputs, batches, online, accelerator, semantic=config.loss.semantic)
        if held_out is not None:  # without candidates, since evaluations compute CE and KL only
            beside = folder_of_cache / f"held-out-{held_out.data.states_fingerprint[:16]}"
            held_out_cache = _cache(config, beside, inputs, held_out, online, accelerator, semantic=False)
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
        held_out_cache,
    )
    memory = memory_model(
        student,
        supervision if config.loss.semantic else None,
        batches,
        held_out,
        steps=trainer.steps,
        micro=optimiser.micro_batch_size,
        cached=config.run.cache is not None,
        accelerator=accelerator,
    )
    if supervision is not None:
        _place_senses(supervision, config.run.senses_on, teacher.device, memory.plan())
    plan = make_plan(
        student,
        count(batches, available),
        inputs.dropped,
        inputs.dictionary.unused_relations if inputs.dictionary is not None else {},
        memory.plan(),
        steps=trainer.steps,
        gamma=gamma,
        processes=accelerator.num_processes,
    )
    check_room(plan, memory, config.run, teacher, folder)
    if config.run.compile:
        progress.stage("compiling the layers")
        _compile(student, batches.batch(batches.step(0)[1][: optimiser.micro_batch_size], 0), progress)
    return PreparedTraining(trainer, plan, memory, cache, held_out_cache)


def _place_senses(supervision: Supervision, where: str, device: torch.device, memory: MemoryPlan) -> None:
    """Copy the dictionary to the GPU if asked to, or with ``auto`` if it fits."""
    if device.type == "cpu" or where == "host":
        return
    free, needed = available_memory(device), memory.peak - memory.loaded
    if where == "device" or (free is not None and supervision.rows.nbytes <= _SHARE_OF_FREE * (free - needed)):
        supervision.rows = supervision.rows.to(device)


def _checkpoint_values(config: TrainConfig) -> dict[str, Any]:
    """Return the fields that a checkpoint must match: all except those that may change before a run is resumed."""
    return {
        option.name: list(value) if isinstance(value, tuple) else value
        for option, value in zip(options(type(config)), values(config).values(), strict=True)
        if option.section != ("run",) and option.name != "micro_batch_size"
    }


def _gamma(gamma: float | str, supervision: Supervision | None) -> float:
    if isinstance(gamma, str):
        return supervision.auto_gamma() if supervision is not None else 1.0
    return gamma


def _run(trainer: Trainer, folder: Path, progress: Progress) -> Outcome:
    folder.mkdir(parents=True, exist_ok=True)
    done = trainer.resume()
    if done:
        progress.note(f"resuming after step {done:,}")
    return trainer.run()


def _compile(student: Student, batch: Batch, progress: Progress) -> None:
    """Compile the layers, and run a batch through them, since torch.compile compiles on the first call."""
    student.compile()
    token_ids = torch.from_numpy(batch.token_ids).to(student.teacher.device)
    try:
        prefix = student.run_teacher(token_ids).prefix if student.shares_prefix else None
        hidden = student.run(student.module, token_ids, prefix)
        # autograd.grad instead of backward(), which would make DDP wait for gradients
        torch.autograd.grad(hidden.float().sum(), list(student.trained.parameters()))
    except Exception as error:  # compilers raise many kinds
        if is_out_of_memory(error):
            raise
        raise TrainingError(f"--compile: torch.compile failed ({first_line(error)}); train without it") from error
    _use_graphs(student, token_ids, progress)


def _use_graphs(student: Student, token_ids: Tensor, progress: Progress) -> None:
    """Run the teacher with CUDA graphs, if they give the same states as without."""
    student.use_graphs()
    if student.graphs is None:
        return
    with torch.no_grad():
        plain = student.teacher.last_hidden(token_ids)
        difference = relative_difference(student.run_teacher(token_ids).final, plain)
    reason = student.graphs.failure
    if reason is not None or not difference <= TOLERANCE[student.teacher.model.dtype]:
        student.graphs = None
        reason = reason or f"they differ by {difference:.1%}"
        progress.note(f"CUDA graphs cannot be used ({reason}); steps with a small teacher will be slower")


def _check_student(student: Student, batches: Batches, progress: Progress) -> None:
    """Check the head, the fused kernel, CUDA graphs and the shared prefix on the first batch."""
    teacher = student.teacher
    token_ids = torch.from_numpy(batches.batch(batches.step(0)[1][:2], 0).token_ids).to(teacher.device)
    some = token_ids[:1, :_CHECKED]
    check_head(teacher, some)
    with torch.no_grad():
        states = teacher.last_hidden(some).flatten(0, 1)
    student.head, reason = with_kernel(student.head, states)
    if reason is not None:
        progress.note(f"the fused loss kernel cannot be used ({reason}); training will be slower")
    _use_graphs(student, token_ids, progress)
    difference = student.check_shared_prefix(token_ids)
    if not student.shares_prefix:
        progress.note(
            f"the states after the student's frozen layers differ from the teacher's ({difference:.1%}); training "
            "runs all of the student's layers, which is slower"
        )


def _cache(
    config: TrainConfig,
    folder: Path,
    inputs: TrainingInputs,
    batches: Batches,
    online: OnlineTeacher,
    accelerator: Any,  # noqa: ANN401
    *,
    semantic: bool,
) -> TeacherCache:
    key = candidates_key(config, inputs.dictionary) if semantic and inputs.dictionary is not None else None
    advice = "free some space, choose another --cache, or train without it"
    # The first process creates the files, and the others open them
    with disk_failures(TrainingError, folder, advice), accelerator.main_process_first():
        return TeacherCache(
            folder,
            online,
            batches,
            identity={"teacher": inputs.teacher.fingerprint, "dtype": config.optimiser.dtype},
            temperature=config.loss.temperature,
            supervision=inputs.supervision if semantic else None,
            candidates_key=digest(key, batches.data.fingerprint),
        )
