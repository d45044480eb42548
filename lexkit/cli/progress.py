"""Show the progress of long commands: as a bar on a terminal, and as notes elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, TYPE_CHECKING, Any, cast

import click

from lexkit.cli.output import console, is_terminal
from lexkit.progress import Progress
from lexkit.safe_output import SafeStream

if TYPE_CHECKING:
    from typing import TextIO

    from rich.console import Console


def show_progress(quiet: bool) -> Progress:
    """Return a progress display on standard error: a bar on a terminal, notes elsewhere, nothing if *quiet*."""
    return Progress() if quiet else _Bar() if is_terminal(sys.stderr) else _Notes()


@contextmanager
def working(quiet: bool, first: str) -> Iterator[Progress]:
    """Context manager. Show the progress of a command, beginning with its first stage, until it finishes or fails."""
    progress = show_progress(quiet)
    progress.stage(first)
    try:
        yield progress
    finally:
        progress.close()


class _Notes(Progress):
    """Prints notes on standard error, and no progress."""

    def note(self, text: str) -> None:
        click.echo(f"note: {text}", err=True)


_WIDE = 80
"""Terminal width from which the bar itself and the remaining time are shown."""


class _LinesAbove:
    """A text stream that prints complete lines above a bar without wrapping them.

    Args:
        console: the console that shows the bar.
        file: the stream that this one replaces.
    """

    def __init__(self, console: Console, file: IO[str]) -> None:
        self._console, self._file, self._rest = console, file, ""

    def write(self, text: str) -> int:
        """Print the lines that *text* completes, and keep the rest."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        """Print the last, incomplete line."""
        if self._rest:
            self.write("\n")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._file, name)


class _Bar(Progress):
    """Shows the stage, its progress and speed, and the elapsed and remaining time."""

    def __init__(self) -> None:
        from rich.file_proxy import FileProxy
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        class SafeProgress(RichProgress):
            def start(self) -> None:
                super().start()
                for name in ("stdout", "stderr"):
                    stream = getattr(sys, name)
                    if isinstance(stream, FileProxy):  # rich's proxy wraps lines and interprets escape sequences
                        lines = _LinesAbove(self.console, stream.rich_proxied_file)
                        setattr(sys, name, SafeStream(cast("TextIO", lines)))

        screen = console(err=True)
        is_wide = screen.width >= _WIDE
        self._progress = SafeProgress(
            TextColumn("{task.description}", markup=False),
            *([BarColumn(20)] if is_wide else []),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            *([TimeRemainingColumn()] if is_wide else []),
            console=screen,
            redirect_stdout=is_terminal(sys.stdout),
        )
        self._task = self._progress.add_task("", visible=False, rate="")
        self._name = ""

    def stage(self, name: str) -> None:
        self._progress.start()  # not earlier, so that a failure before the first stage does not move the cursor
        self._finish()
        self._name = name
        self._task = self._progress.add_task(name, total=None, rate="")

    def count(self, done: int, total: int | None, unit: str) -> None:
        scale, unit, digits = (1e6, "MB", 1) if unit == "bytes" else (1, unit, 0)
        of_total = "" if total is None else f" of {total / scale:,.{digits}f}"
        speed = self._progress.tasks[-1].speed
        self._progress.update(
            self._task,
            description=f"{self._name}: {done / scale:,.{digits}f}{of_total} {unit}",
            completed=done,
            total=total,
            rate=f"{speed / scale:,.{digits}f} {unit}/s" if speed else "",
        )

    def activity(self, text: str) -> None:
        self._progress.update(self._task, description=text)  # until the next count, which describes the stage again

    def note(self, text: str) -> None:
        self._progress.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._finish()
        self._progress.stop()

    def _finish(self) -> None:
        self._progress.update(self._task, total=1, completed=1)
