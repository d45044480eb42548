"""The processes of a run, started by ``accelerate launch`` or this one alone, and the device that each uses."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeVar

from lexkit_distill.errors import TeacherError

T = TypeVar("T")


class Processes:
    """The processes of a run, and the rank of this one. A single process does not use torch.distributed.

    Creating an instance resets accelerate's state, so that a run on the CPU can follow one on a GPU in one process.

    Args:
        device: where the run computes; a GPU becomes torch's default device.

    Raises:
        TeacherError: the device does not exist, or several processes would share one GPU.
    """

    def __init__(self, device: str = "auto") -> None:
        import torch
        from accelerate import PartialState
        from accelerate.state import AcceleratorState

        from lexkit_distill.teacher import resolve_device

        launched = int(os.environ.get("WORLD_SIZE", "1"))
        if launched > 1 and device.startswith("cuda:"):
            raise TeacherError(f"--device {device}: {launched} processes need a GPU each; give --device cuda")
        if launched > 1 and device == "cuda" and torch.cuda.is_available():
            device = "auto"  # trying "cuda" would make every process allocate memory on the first GPU
        place = resolve_device(device, int(os.environ.get("LOCAL_RANK", "0")))
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            AcceleratorState._reset_state(reset_partial_state=True)
        # Without cpu=True, accelerate treats each process on a machine without a GPU as a separate run. The timeout is
        # long because the other processes wait while the first one tokenizes the corpus, which may take hours
        self._state = PartialState(cpu=place.type == "cpu", timeout=timedelta(days=7))
        if place.type == "cuda" and place.index is not None:
            torch.cuda.set_device(place)

    @property
    def rank(self) -> int:
        """Rank of this process, from 0."""
        return int(self._state.process_index)

    @property
    def local_rank(self) -> int:
        """Rank of this process on its machine, from 0."""
        return int(self._state.local_process_index)

    @property
    def world_size(self) -> int:
        """Number of processes, on all machines."""
        return int(self._state.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that does the work that cannot be divided and reports progress."""
        return self.rank == 0

    def wait(self) -> None:
        """Wait until all processes have reached this call."""
        if self.world_size > 1:
            self._state.wait_for_everyone()

    def gathered(self, share: list[T]) -> list[T] | None:
        """Return the shares of all processes, joined in order of rank; None in all but the first process."""
        if self.world_size == 1:
            return share
        from torch import distributed

        parts: list[list[T] | None] | None = [None] * self.world_size if self.is_first else None
        distributed.gather_object(share, parts)
        return None if parts is None else [one for part in parts for one in part or ()]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Context manager. Leave the process group at the end; on failure, the launcher then stops the others."""
        try:
            yield
        finally:
            if self._state.backend is not None:
                self._state.destroy_process_group()

    def accelerator(self) -> Any:  # noqa: ANN401  # accelerate is not typed
        """Return a new `accelerate.Accelerator`; it holds references to everything that it prepares.

        It does not place modules: a student shares modules with its teacher and is already on the teacher's device.
        """
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs

        return Accelerator(
            device_placement=False,
            mixed_precision="no",
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
        )
