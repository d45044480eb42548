"""The processes that ``accelerate launch`` started, or this one alone, and the device that each computes on."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, TypeVar

from lexkit_distill.errors import TeacherError

T = TypeVar("T")


class Processes:
    """Who this process is among them. On its own, nothing of torch.distributed is touched.

    What earlier work of this process told accelerate is forgotten, so that a run on the CPU may follow one on a GPU.

    Args:
        device: what the run computes on; a GPU becomes the one that torch takes by default.

    Raises:
        TeacherError: no such device here, or one GPU for several processes.
    """

    def __init__(self, device: str = "auto") -> None:
        import torch
        from accelerate import PartialState
        from accelerate.state import AcceleratorState

        from lexkit_distill.teacher import chosen_device

        launched = int(os.environ.get("WORLD_SIZE", "1"))
        if launched > 1 and device.startswith("cuda:"):
            raise TeacherError(f"--device {device}: {launched} processes need a GPU each; give --device cuda")
        if launched > 1 and device == "cuda" and torch.cuda.is_available():
            device = "auto"  # to try "cuda" here would take memory of the first GPU for each process
        place = chosen_device(device, int(os.environ.get("LOCAL_RANK", "0")))
        if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
            AcceleratorState._reset_state(reset_partial_state=True)
        # Unless told to use the CPU, accelerate takes each process on a machine without GPU for one on its own. And the
        # first process cuts the corpus while the others wait, which may take hours
        self._state = PartialState(cpu=place.type == "cpu", timeout=timedelta(days=7))
        if place.type == "cuda" and place.index is not None:
            torch.cuda.set_device(place)

    @property
    def number(self) -> int:
        """0 for the first process."""
        return int(self._state.process_index)

    @property
    def local_number(self) -> int:
        """The number among the processes of this machine."""
        return int(self._state.local_process_index)

    @property
    def number_of(self) -> int:
        """How many there are."""
        return int(self._state.num_processes)

    @property
    def is_first(self) -> bool:
        """Whether this is the process that does what cannot be shared, and that speaks."""
        return self.number == 0

    def wait(self) -> None:
        """Wait until all processes are here."""
        if self.number_of > 1:
            self._state.wait_for_everyone()

    def gathered(self, share: list[T]) -> list[T] | None:
        """Return what all processes have found, one process after the other; None in those other than the first."""
        if self.number_of == 1:
            return share
        from torch import distributed

        parts: list[list[T] | None] | None = [None] * self.number_of if self.is_first else None
        distributed.gather_object(share, parts)
        return None if parts is None else [one for part in parts for one in part or ()]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Leave the group at the end, also when this process fails: the launcher then stops the others."""
        try:
            yield
        finally:
            if self._state.backend is not None:
                self._state.destroy_process_group()

    def accelerator(self) -> Any:  # noqa: ANN401  # accelerate is not typed
        """Return a new `accelerate.Accelerator`, which keeps hold of what it prepares.

        It moves nothing: a student is on the device of its teacher, some of whose modules it has.
        """
        from accelerate import Accelerator
        from accelerate.utils import DistributedDataParallelKwargs

        return Accelerator(
            device_placement=False,
            mixed_precision="no",
            kwargs_handlers=[DistributedDataParallelKwargs(broadcast_buffers=False)],
        )
