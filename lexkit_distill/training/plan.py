"""Describe a training run before it starts, and check that it fits on the disk and in memory."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from lexkit_distill.errors import TrainingError
from lexkit_distill.memory import available_memory
from lexkit_distill.sizes import format_size
from lexkit_distill.teacher import Teacher
from lexkit_distill.training.batches import DataCounts
from lexkit_distill.training.config import RunConfig
from lexkit_distill.training.memory_model import MemoryModel, MemoryPlan
from lexkit_distill.training.student import Student

FEW = 0.01
"""Share of sampled positions with relations below which `warning` advises against the run."""


@dataclass(frozen=True)
class TrainPlan:
    """What a training run is going to do."""

    teacher: str
    processes: int
    layers: int
    trained_parameters: int
    shared_parameters: int
    memory: MemoryPlan
    counts: DataCounts
    dropped: dict[str, int]
    """Number of documents or rows left out of the data, by reason."""
    unused_relations: dict[str, int]
    """Number of the store's relations that are not used, by reason."""
    steps: int
    shared_prefix: bool
    gamma: float


def make_plan(
    student: Student,
    counts: DataCounts,
    dropped: dict[str, int],
    unused_relations: dict[str, int],
    memory: MemoryPlan,
    *,
    steps: int,
    gamma: float,
    processes: int,
) -> TrainPlan:
    """Return the plan of a training run."""
    trained = sum(parameter.numel() for parameter in student.trained.parameters())
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
        memory=memory,
        counts=counts,
        dropped={reason: number for reason, number in dropped.items() if number},
        unused_relations=unused_relations,
        steps=steps,
        shared_prefix=student.shares_prefix,
        gamma=gamma,
    )


def warning(counts: DataCounts) -> str | None:
    """Return one line of advice if hardly any sampled position has relations, otherwise None."""
    share = counts.share_with_relations
    if share is None or share >= FEW:
        return None
    return (
        f"only {share:.1%} of the sampled positions have synonyms or antonyms, so related words hardly influence "
        "training; use --loss-on all, other data, or a store with more words"
    )


def check_room(plan: TrainPlan, model: MemoryModel, config: RunConfig, teacher: Teacher, folder: Path) -> None:
    """Check that a training run fits on the disk and in memory.

    Raises:
        TrainingError: it does not; the message gives the size that is needed and the size that is free.
    """
    width = teacher.model.dtype.itemsize
    student = (plan.trained_parameters + plan.shared_parameters) * width
    disk = (config.keep_last + 1) * 12 * plan.trained_parameters + student
    place = folder
    while not place.exists():
        place = place.parent
    free = shutil.disk_usage(place).free
    if disk > free:
        raise TrainingError(
            f"{folder}: checkpoints and student need {format_size(disk)}, and {format_size(free)} is free on the disk; "
            "lower --keep-last, or give another --output"
        )
    available = available_memory(teacher.device)
    memory = plan.memory
    if available is not None and memory.peak - memory.loaded > available:
        raise TrainingError(
            f"training with {memory.rows} x {memory.length} tokens at once needs "
            f"{format_size(memory.peak - memory.loaded)} more memory on {teacher.device}, and "
            f"{format_size(available)} is free; "
            f"{remedy(model, memory.loaded + available)}"
        )


def remedy(model: MemoryModel, room: int) -> str:
    """Return advice, with values that fit, for a run that may use at most *room* bytes."""
    found = model.fitting(room)
    if found is not None:
        return f"{found} would fit"
    return "not even one short row would fit; lower --trained, use several GPUs with FSDP, or use --dtype bfloat16"
