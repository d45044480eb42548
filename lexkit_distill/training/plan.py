"""What a training is going to do, and whether there is room for it."""

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
from lexkit_distill.training.memory import MemoryModel, MemoryPlan
from lexkit_distill.training.student import Student

FEW = 0.01
"""A share of sampled positions with relations below which the semantic loss learns nothing of relations."""


@dataclass(frozen=True)
class TrainPlan:
    """What a training is going to do."""

    teacher: str
    processes: int
    layers: int
    trained_parameters: int
    shared_parameters: int
    memory: MemoryPlan
    counts: DataCounts
    dropped: dict[str, int]
    """What is left out of the data, by reason."""
    unused_relations: dict[str, int]
    """Relations of the store that are not used, by reason."""
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
    """Return the plan of a training."""
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
    """Return one line of advice where hardly any sampled position has a relation, or None."""
    share = counts.share_with_relations
    if share is None or share >= FEW:
        return None
    return (
        f"only {share:.1%} of the sampled positions have synonyms or antonyms, so that senses of related words hardly "
        "supervise; use --loss-on all, other data, or a store with more words"
    )


def check_room(plan: TrainPlan, model: MemoryModel, config: RunConfig, teacher: Teacher, folder: Path) -> None:
    """Refuse what cannot fit on the disk or in memory.

    Raises:
        TrainingError: saying how much is needed and how much is free.
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
            f"{folder}: checkpoints and student need {format_size(disk)} and {format_size(free)} is free on the disk; "
            "lower --keep-last, or give another --output"
        )
    available = available_memory(teacher.device)
    memory = plan.memory
    if available is not None and memory.peak - memory.loaded > available:
        raise TrainingError(
            f"training needs {format_size(memory.peak - memory.loaded)} of memory on {teacher.device} beside what is "
            f"loaded, with {memory.rows} x {memory.length} tokens at once, and {format_size(available)} is free; "
            f"{remedy(model, memory.loaded + available)}"
        )


def remedy(model: MemoryModel, room: int) -> str:
    """Return what to do where a training may take no more than *room* bytes, with values that fit."""
    found = model.fitting(room)
    if found is not None:
        return f"{found} would fit"
    return "not even one short row would fit: lower --trained, use several GPUs with FSDP, or --dtype bfloat16"
