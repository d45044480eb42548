"""What happened at each step: a CSV file, and events for TensorBoard if asked for."""

from __future__ import annotations

import csv
import io
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lexkit.durable import write_whole
from lexkit_distill.errors import TrainingError

COLUMNS = (
    "step",
    "epoch",
    "loss",
    "ce",
    "kl",
    "semantic",
    "positive",
    "negative",
    "contrast",
    "hidden",
    "active_hinges",
    "gradient_ratio",
    "targets",
    "sampled",
    "gradient_norm",
    "lr",
    "seconds",
    "eval_ce",
    "eval_perplexity",
    "eval_kl",
)


class Log:
    """``log.csv`` in the output, a row a step. Rows after the step that a run is taken up at are removed.

    Where the disk is full, `write` or `close` raises OSError.

    Args:
        folder: the output.
        step: steps done.
        tensorboard: whether to write events, too.
    """

    def __init__(self, folder: Path, step: int, *, tensorboard: bool) -> None:
        path = folder / "log.csv"
        kept = []
        if path.exists() and step:
            with path.open(newline="", encoding="utf-8") as file:
                whole = (line for line in file if line.endswith("\n"))
                kept = [row for row in csv.DictReader(whole) if row["step"].isdecimal() and int(row["step"]) <= step]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(kept)
        write_whole(path, text.getvalue().encode())
        self._events: Any = None
        with ExitStack() as stack:
            self._file = stack.enter_context(path.open("a", newline="", encoding="utf-8"))
            self._csv = csv.DictWriter(self._file, COLUMNS, lineterminator="\n")
            if tensorboard:
                stack.enter_context(_told_once())
                self._events = _events(folder / "tensorboard", step)
            self._stack = stack.pop_all()

    def write(self, row: dict[str, Any]) -> None:
        """Add a step; floats are written so that they read back the same."""
        self._csv.writerow({name: _text(value) for name, value in row.items()})
        self._file.flush()
        if self._events is not None:
            for name, value in row.items():
                if name not in ("step", "epoch", "seconds"):
                    kind, _, rest = name.rpartition("eval_")
                    self._events.add_scalar(f"{'eval' if kind or name != rest else 'train'}/{rest}", value, row["step"])

    def close(self) -> None:
        """Close the log files."""
        with self._stack:
            if self._events is not None:
                self._events.flush()  # which raises what happened to the thread that writes; close() does not
                self._events.close()


@contextmanager
def _told_once() -> Iterator[None]:
    """TensorBoard's thread hands an error to the next call; its traceback would be a second message."""
    before = threading.excepthook
    threading.excepthook = lambda told: None if isinstance(told.exc_value, OSError) else before(told)
    try:
        yield
    finally:
        threading.excepthook = before


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)


def _events(folder: Path, step: int) -> Any:  # noqa: ANN401
    try:
        from torch.utils.tensorboard.writer import SummaryWriter
    except ImportError as error:
        raise TrainingError("--tensorboard needs the package tensorboard; pip install tensorboard") from error
    return SummaryWriter(str(folder), purge_step=step + 1)
