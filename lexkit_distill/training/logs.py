"""Log each training step to a CSV file and, if asked to, to experiment trackers through accelerate.

log.csv                    one row per step
tensorboard/, wandb/       files of these trackers; mlflow uses mlflow.db, or the server at $MLFLOW_TRACKING_URI
trackers.json              ids of the wandb and mlflow runs, and the last step that was logged to them
"""

from __future__ import annotations

import csv
import io
import logging
import os
import threading
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from typing import Any

from lexkit.atomic_write import write_atomically, write_json
from lexkit.errors import first_line
from lexkit_distill.disk import disk_reason, read_json
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


_RUNS = "trackers.json"


class Log:
    """Writes ``log.csv``, one row per step, and logs to trackers. When a run resumes, rows of later steps are removed.

    If the disk is full, `write` or `close` raises OSError.

    Args:
        folder: the output folder.
        step: number of finished steps.
        trackers: additional trackers to log to: tensorboard, wandb, mlflow.
        settings: the configuration, which wandb and mlflow display.

    Raises:
        TrainingError: a tracker is not installed, or cannot be started.
    """

    def __init__(
        self, folder: Path, step: int, *, trackers: Sequence[str] = (), settings: dict[str, Any] | None = None
    ) -> None:
        path = folder / "log.csv"
        rows = []
        if path.exists() and step:
            with path.open(newline="", encoding="utf-8") as file:
                whole = (line for line in file if line.endswith("\n"))
                rows = [row for row in csv.DictReader(whole) if row["step"].isdecimal()]
        text = io.StringIO(newline="")
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(row for row in rows if int(row["step"]) <= step)
        trackers = tuple(dict.fromkeys(trackers))
        runs = _runs(folder, step, trackers, max((int(row["step"]) for row in rows), default=0))
        write_atomically(path, text.getvalue().encode())
        self._trackers: dict[str, Any] = {}
        self._told = {name: step if name == "tensorboard" else runs["step"] for name in trackers}
        with ExitStack() as stack:
            self._file = stack.enter_context(path.open("a", newline="", encoding="utf-8"))
            self._csv = csv.DictWriter(self._file, COLUMNS, lineterminator="\n")
            stack.enter_context(_told_once())
            for name in trackers:
                with _tracker_failures(name):
                    self._trackers[name] = _started(name, folder, step, runs)
                    if name != "tensorboard" and not step:
                        self._trackers[name].store_init_configuration(_plain(settings or {}))
            if "mlflow" in trackers:
                runs["mlflow"] = self._trackers["mlflow"].tracker.info.run_id
            if len(runs) > 1:
                write_json(folder / _RUNS, runs)
            self._stack = stack.pop_all()

    def write(self, row: dict[str, Any]) -> None:
        """Log a step. Floats are written with full precision."""
        self._csv.writerow({name: _text(value) for name, value in row.items()})
        self._file.flush()
        values = {
            f"eval/{name.removeprefix('eval_')}" if name.startswith("eval_") else f"train/{name}": value
            for name, value in row.items()
            if name not in ("step", "epoch", "seconds")
        }
        for name, tracker in self._trackers.items():
            if row["step"] > self._told[name]:
                with _tracker_failures(name):
                    tracker.log(values, step=row["step"])

    def close(self) -> None:
        """Close the log file, and finish the trackers' runs."""
        with self._stack, ExitStack() as trackers:
            for name, tracker in self._trackers.items():
                trackers.enter_context(_tracker_failures(name))
                trackers.callback(tracker.finish)
                if name == "tensorboard":
                    # flush() raises errors of the writing thread; close() does not
                    trackers.callback(tracker.tracker.flush)


def _runs(folder: Path, step: int, trackers: Sequence[str], told: int) -> dict[str, Any]:
    """Return the ids of the wandb and mlflow runs (new ones for a new run) and the last step logged to them."""
    path = folder / _RUNS
    runs: dict[str, Any] = {"step": 0}
    if step and path.exists():
        runs |= read_json(path, TrainingError, "remove it to begin new runs")
        runs["step"] = max(runs["step"], told)
    if "wandb" in trackers:
        runs.setdefault("wandb", uuid.uuid4().hex[:8])
    return runs


def _started(name: str, folder: Path, step: int, runs: dict[str, Any]) -> Any:  # noqa: ANN401
    """Start one of accelerate's trackers; if training resumes, so does the tracker's run."""
    from accelerate import tracking

    module: Any = import_module(name)
    tracker: Any
    if name == "tensorboard":
        tracker = tracking.TensorBoardTracker("tensorboard", folder, purge_step=step + 1)
    elif name == "wandb":
        tracker = tracking.WandBTracker(
            os.environ.get("WANDB_PROJECT", "lexkit"),
            name=folder.name,
            dir=str(folder),
            id=runs["wandb"],
            resume="allow",
            settings=module.Settings(silent=True),
        )
    else:
        logging.getLogger("mlflow").setLevel(logging.WARNING)  # at INFO it reports every table of a new database
        if not os.environ.get("MLFLOW_TRACKING_URI"):
            module.set_tracking_uri(f"sqlite:///{folder.resolve() / 'mlflow.db'}")
        tracker = tracking.MLflowTracker("lexkit", run_id=runs.get("mlflow"), run_name=folder.name)
    if hasattr(tracker, "start"):  # trackers of older versions of accelerate start on creation
        tracker.start()
    return tracker


@contextmanager
def _tracker_failures(name: str) -> Iterator[None]:
    """Context manager. Convert errors of a tracker, except a full disk, to a one-line `TrainingError`."""
    try:
        yield
    except ImportError as error:
        raise TrainingError(f"--log-with {name} needs the package {name}; run 'pip install {name}'") from error
    except Exception as error:  # trackers raise many kinds
        if isinstance(error, OSError) or disk_reason(error) is not None:  # TensorFlow's errors are not OSErrors
            raise
        reason = first_line(error)
        raise TrainingError(
            f"--log-with {name}: {reason}; correct its settings, or run the command again without it to resume"
        ) from error


def _plain(settings: dict[str, Any]) -> dict[str, Any]:
    return {name: ", ".join(value) if isinstance(value, list) else value for name, value in settings.items()}


@contextmanager
def _told_once() -> Iterator[None]:
    """Context manager. Hide tracebacks of TensorBoard's thread, since the next call raises the same error."""
    before = threading.excepthook
    threading.excepthook = lambda told: None if isinstance(told.exc_value, OSError) else before(told)
    try:
        yield
    finally:
        threading.excepthook = before


def _text(value: object) -> str:
    return repr(value) if isinstance(value, float) else str(value)
