"""Read the records of a sweep's runs, without importing torch."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexkit_distill.disk import read_json
from lexkit_distill.errors import TrainingError

if TYPE_CHECKING:
    from lexkit_distill.sweep.config import Point

RUN = "run.json"
RunRecord = dict[str, Any]
"""Content of a run's ``run.json``: its key, values, configuration and results, or an error."""


def read_run(point: Point) -> RunRecord | None:
    """Return the record of a finished run, or None if the run is not finished or failed and is to be repeated."""
    path = Path(point.config.run.output) / RUN
    if not path.exists():
        return None
    records: RunRecord = read_json(path, TrainingError, "remove the folder to run it again")
    return None if "error" in records else {**records, "values": point.values}


def describe(point: Point) -> str:
    """Return the values of a point as text: lr 0.001, seed 2."""
    return ", ".join(f"{name} {shown(value)}" for name, value in point.values.items())


def shown(value: object) -> str:
    """Return a value as text; floats are shortened to six significant digits."""
    return f"{value:g}" if isinstance(value, float) else str(value)
