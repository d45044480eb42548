"""Checkpoints: trained weights and optimiser state as safetensors, and the state of the run as JSON.

A checkpoint folder gets its final name only when it is complete. Everything else that a step depends on (order, sample,
learning rate) is a function of the step's number, so a resumed run continues bit for bit.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from lexkit.atomic_write import new_file, sync, write_json
from lexkit.errors import first_line
from lexkit_distill.errors import TrainingError

_WEIGHTS, _OPTIMIZER, _STATE = "trained.safetensors", "optimizer.safetensors", "state.json"
_WHOLE = StateDictOptions(full_state_dict=True, cpu_offload=True)
_PART = StateDictOptions(full_state_dict=True, strict=False)


@dataclass
class RunState:
    """Progress of a run."""

    step: int = 0
    """Number of finished steps."""
    best: float | None = None
    """Lowest held-out loss so far."""
    best_step: int = 0
    worse: int = 0
    """Number of evaluations since the lowest loss."""
    loss: float | None = None
    """Loss of the last step."""
    held_out: dict[str, float] = field(default_factory=dict)
    """Results of the last evaluation."""
    processes: int = 1


def trained_state(module: nn.Module) -> dict[str, Tensor]:
    """Return the complete trained weights by name in the first process, and nothing in the others.

    All processes must call this, since FSDP gathers the weights from all of them.
    """
    names = {name.removeprefix("module.") for name, parameter in module.named_parameters() if parameter.requires_grad}
    whole: dict[str, Any] = get_model_state_dict(module, options=_WHOLE)
    return {name: value for name, value in whole.items() if name in names}


def save_weights(path: Path, weights: dict[str, Tensor]) -> None:
    """Write weights to a file that appears only when it is complete."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with new_file(path) as beside:
        save_file({name: value.contiguous() for name, value in weights.items()}, beside)


def load_weights(path: Path, module: nn.Module) -> None:
    """Load weights that `save_weights` wrote into a module."""
    set_model_state_dict(module, dict(load_file(path)), options=_PART)


def save_checkpoint(
    folder: Path,
    module: nn.Module,
    optimizer: torch.optim.Optimizer,
    state: RunState,
    identity: dict[str, Any],
    *,
    keep_last: int,
    is_first: bool,
) -> None:
    """Write a checkpoint in *folder* and remove old ones. All processes must call this; the first one writes.

    Raises:
        OSError, SafetensorError: the disk is full or not writable.
    """
    weights = trained_state(module)
    optimizer_state: Any = get_optimizer_state_dict(module, optimizer, options=_WHOLE)
    if not is_first:
        return
    tensors = {
        f"{name}|{key}": torch.as_tensor(value).contiguous()
        for name, values in optimizer_state["state"].items()
        if isinstance(values, dict)
        for key, value in values.items()
    }
    final = folder / f"step-{state.step:08d}"
    beside = folder / "new"
    try:
        shutil.rmtree(beside, ignore_errors=True)
        beside.mkdir(parents=True)
        save_weights(beside / _WEIGHTS, weights)
        save_weights(beside / _OPTIMIZER, tensors)
        write_json(beside / _STATE, {**asdict(state), "config": identity})
        shutil.rmtree(final, ignore_errors=True)
        beside.rename(final)
        sync(folder)
        for old in checkpoints(folder)[:-keep_last]:
            shutil.rmtree(old)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def checkpoints(folder: Path) -> list[Path]:
    """Return the checkpoints in *folder*, oldest first."""
    return sorted(folder.glob("step-*"))


def load_checkpoint(
    path: Path, module: nn.Module, optimizer: torch.optim.Optimizer, identity: dict[str, Any]
) -> RunState:
    """Restore weights, optimiser and state of a run from a checkpoint.

    Raises:
        TrainingError: the checkpoint is damaged, or belongs to another configuration.
    """
    try:
        values = json.loads((path / _STATE).read_bytes())
        theirs = values.pop("config")
        state = RunState(**values)
        check_identity(path, theirs, identity)
        load_weights(path / _WEIGHTS, module)
        moments: dict[str, dict[str, Tensor]] = {}
        for name, value in load_file(path / _OPTIMIZER).items():
            parameter, _, key = name.rpartition("|")
            moments.setdefault(parameter, {})[key] = value
        groups = get_optimizer_state_dict(module, optimizer)["param_groups"]
        set_optimizer_state_dict(module, optimizer, {"state": moments, "param_groups": groups}, options=_PART)  # type: ignore[dict-item]
    except (OSError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise TrainingError(f"{path}: damaged ({first_line(error)}); remove it to use an older one") from error
    return state


def check_identity(path: Path, theirs: dict[str, Any], ours: dict[str, Any]) -> None:
    """Check that a checkpoint belongs to this run.

    Raises:
        TrainingError: it belongs to another configuration; the message names the first difference.
    """
    for name, value in ours.items():
        if theirs.get(name) != value:
            raise TrainingError(
                f"{path}: the checkpoint has another configuration ({name} was {theirs.get(name)}, now {value}); "
                "use the same configuration, or another --output"
            )
