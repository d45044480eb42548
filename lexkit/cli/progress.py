"""How commands show the progress of a long job: a bar on a terminal, notes elsewhere."""

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
    """Return what shows progress on standard error: a bar on a terminal, notes elsewhere, nothing if *quiet*."""
    return Progress() if quiet else _Bar() if is_terminal(sys.stderr) else _Notes()


@contextmanager
def working(quiet: bool, first: str) -> Iterator[Progress]:
    """Context manager. Show the progress of a command from its first stage on, until it is done or fails."""
    progress = show_progress(quiet)
    progress.stage(first)
    try:
        yield progress
    finally:
        progress.close()


class _Notes(Progress):
    """Notes only, on standard error."""

    def note(self, text: str) -> None:
        click.echo(f"note: {text}", err=True)


_WIDE = 80
"""Columns of a terminal that has room for the bar itself, and for the time that remains."""


class _LinesAbove:
    """A text stream that prints whole lines above a bar, each as long as it is.

    Args:
        console: the one on which the bar is.
        file: the stream in whose place this one stands.
    """

    def __init__(self, console: Console, file: IO[str]) -> None:
        self._console, self._file, self._rest = console, file, ""

    def write(self, text: str) -> int:
        """Print the lines that *text* ends, and keep what follows the last one."""
        *lines, self._rest = (self._rest + text).split("\n")
        for line in lines:
            self._console.print(line, markup=False, highlight=False, soft_wrap=True)
        return len(text)

    def flush(self) -> None:
        """Print what no line feed has ended yet."""
        if self._rest:
            self.write("\n")

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._file, name)


class _Bar(Progress):
    """The stage, how far it is, how fast, and the time it has taken and will take."""

    def __init__(self) -> None:
        from rich.file_proxy import FileProxy
        from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        class SafeProgress(RichProgress):
            def start(self) -> None:
                super().start()
                for name in ("stdout", "stderr"):
                    stream = getattr(sys, name)
                    if isinstance(stream, FileProxy):  # which folds lines, and makes styles of escape sequences
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
        self._progress.start()  # only now: a failure before the first stage must find the cursor where it was
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

    def note(self, text: str) -> None:
        self._progress.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        self._finish()
        self._progress.stop()

    def _finish(self) -> None:
        self._progress.update(self._task, total=1, completed=1)
