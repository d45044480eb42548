"""A bar for long passes: how far, how fast, how much longer."""

from __future__ import annotations

from rich.progress import BarColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from lexkit.cli.output import progress_bar
from lexkit.progress import Progress


class Bar(Progress):
    """On standard error: the stage, things done, things a second, time passed and time left."""

    def __init__(self) -> None:
        self._progress = progress_bar(
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            TextColumn("{task.fields[rate]}", markup=False),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
        )
        self._task: int | None = None
        self._name = ""

    def stage(self, name: str) -> None:
        """Begin the next stage."""
        self._progress.start()
        self._finish()
        self._name = name
        self._task = self._progress.add_task(name, total=None, rate="")

    def count(self, done: int, total: int | None, unit: str) -> None:
        """Move the bar."""
        if self._task is None:
            return
        of_total = "" if total is None else f" of {total:,}"
        speed = self._progress.tasks[self._task].speed
        rate = f"{speed:,.0f} {unit}/s" if speed else ""
        self._progress.update(
            self._task,  # type: ignore[arg-type]
            description=f"{self._name}: {done:,}{of_total} {unit}",
            completed=done,
            total=total,
            rate=rate,
        )

    def note(self, text: str) -> None:
        """Print a line above the bar."""
        self._progress.console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)

    def close(self) -> None:
        """Finish the bar and stop drawing."""
        self._finish()
        self._progress.stop()

    def _finish(self) -> None:
        if self._task is not None:
            self._progress.update(self._task, total=1, completed=1)  # type: ignore[arg-type]
