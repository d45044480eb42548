"""Stopping a long run by a signal without losing what it has done."""

from __future__ import annotations

import signal
from types import FrameType, TracebackType
from typing import NoReturn

from lexkit.errors import Stopped

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class StopSignals:
    """Context manager. Note the first Ctrl-C or SIGTERM; a second one does what it did before the block.

    A signal that is ignored stays ignored. Outside the main thread, which alone gets signals, nothing is noted.
    """

    def __init__(self) -> None:
        self.number: int | None = None
        """The signal that came."""
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
        """Have signals do what they did before."""
        while self._before:
            number, before = self._before.popitem()
            signal.signal(number, before)  # type: ignore[arg-type]

    def _note(self, number: int, _: FrameType | None) -> None:
        self.number = number
        self.__exit__(None, None, None)


def stop(message: str, number: int, *, speaks: bool) -> NoReturn:
    """End this process, which a signal has stopped.

    Args:
        message: one line that says what was saved.
        number: of the signal.
        speaks: whether this is the one of several processes that says so.
    """
    raise Stopped(message, number) if speaks else SystemExit(128 + number)
