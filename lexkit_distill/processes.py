"""The processes that ``accelerate launch`` started, or this one alone."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta


class Processes:
    """Who this process is among them. On its own, nothing of torch.distributed is touched."""

    def __init__(self) -> None:
        import torch
        from accelerate import PartialState

        # Unless told to use the CPU, accelerate takes each process on a machine without GPU for one on its own. And the
        # first process cuts the corpus while the others wait, which may take hours
        self._state = PartialState(cpu=not torch.cuda.is_available(), timeout=timedelta(days=7))

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

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """Leave the group at the end, also when this process fails: the launcher then stops the others."""
        try:
            yield
        finally:
            if self.number_of > 1:
                self._state.destroy_process_group()
