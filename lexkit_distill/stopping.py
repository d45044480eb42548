"""Stop a long run on Ctrl-C or SIGTERM without losing its work."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import NoReturn

from lexkit.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Context manager. Record the first Ctrl-C or SIGTERM; a second one is handled as it was before the block.

    Signals that were ignored stay ignored. Outside the main thread, where Python delivers no signals, nothing is
    recorded.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        """The signal that arrived, if any."""
        self._before: dict[int, object] = {}

    def __enter__(self) -> StopSignals:
        self.number = None
        for number in SIGNALS:
            before = signal.getsignal(number)
            if before in (signal.SIG_IGN, None):
                continue
            try:
                signal.signal(number, self._note)
            except ValueError:
                break
            self._before[number] = before
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Restore the previous signal handlers."""
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, before)  # type: ignore[arg-type]

    def _note(self, number: int, _: FrameType | None) -> None:
        self.number = number
        self.__exit__(None, None, None)


def stop(message: str, number: int, *, speaks: bool) -> NoReturn:
    """Exit after a signal.

    Args:
        message: one line that says what was saved.
        number: the signal.
        speaks: whether this process, of possibly several, prints the message.

    Raises:
        Stopped: if this process prints the message.
        SystemExit: otherwise, with 128 + *number*.
    """
    raise Stopped(message, number) if speaks else SystemExit(128 + number)
