"""Choose the best setting of a sweep, and write all results to a DuckDB file.

Table ``run`` has one row per run: ``key``; ``setting`` (index of the setting); ``chosen``; ``error``; ``k`` and
``anchor`` of its dictionary; every field of `TrainConfig`; ``steps``, ``tokens``, ``seconds`` and ``loss``;
``validation_ce``, ``validation_kl`` and ``validation_perplexity``; and, for the chosen setting, the same measures of
the test data (``test_ce`` ...). Table ``step`` contains the logs. Table ``grid`` contains the swept names and their
values, as JSON.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

import duckdb
import pyarrow as pa

from lexkit.atomic_write import new_file
from lexkit_distill.sweep.config import SweepConfig
from lexkit_distill.sweep.records import RunRecord
from lexkit_distill.sweep.worker import read_log

TABLE = "sweep.duckdb"
_MEASURES = ("ce", "kl", "perplexity")


@dataclass(frozen=True)
class Setting:
    """Values of the grid without the seed, and the runs that have them."""

    values: dict[str, Any]
    runs: tuple[RunRecord, ...]

    @property
    def failed(self) -> bool:
        """Whether any of the runs failed."""
        return any("error" in run for run in self.runs)

    def mean(self, measure: str, of: str = "validation") -> tuple[float, float] | None:
        """Return mean and standard deviation of a measure over the runs; None if a run lacks it."""
        found = [run.get(of, {}).get(measure) for run in self.runs]
        if any(value is None for value in found) or not found:
            return None
        values = [float(value) for value in found if value is not None]
        return fmean(values), stdev(values) if len(values) > 1 else 0.0

    def score(self, metric: str) -> float:
        """Return the mean of the metric on the validation data over the runs; infinity if a run failed."""
        parts = [self.mean(name) for name in metric.split("+")]
        return sum(part[0] for part in parts if part is not None) if all(parts) and not self.failed else float("inf")


def settings(config: SweepConfig, records: dict[str, RunRecord]) -> list[Setting]:
    """Return the settings of a sweep in the order of its grid, with the records of their runs."""
    groups: dict[str, tuple[dict[str, Any], list[RunRecord]]] = {}
    for point in config.points:
        runs = groups.setdefault(json.dumps(point.setting), (point.setting, []))[1]
        if point.key in records:
            runs.append(records[point.key])
    return [Setting(values, tuple(runs)) for values, runs in groups.values()]


def choose(found: list[Setting], metric: str) -> Setting | None:
    """Return the setting with the lowest score, the first if several have it; None if all failed."""
    best = min(found, key=lambda setting: setting.score(metric), default=None)
    return best if best is not None and best.score(metric) < float("inf") else None


def write_table(config: SweepConfig, found: list[Setting], chosen: Setting | None) -> Path:
    """Write all results to one file, which appears only when it is complete.

    Raises:
        duckdb.Error, OSError: the file cannot be written.
    """
    runs, steps = [], []
    for number, setting in enumerate(found):
        for run in setting.runs:
            runs.append({"key": run["key"], "setting": number, "chosen": setting is chosen, **_row(run)})
            log = Path(run["config"]["output"]) / "log.csv"
            if log.exists():
                steps += [{"key": run["key"], **row} for row in read_log(log)]
    grid = [{"name": name, "values": json.dumps(values)} for name, values in config.grid.items()]
    path = config.output / TABLE
    with new_file(path) as beside:
        try:
            with duckdb.connect(str(beside)) as connection:
                for name, rows in (("run", runs), ("step", steps), ("grid", grid)):
                    if rows:
                        # Not kept in a variable, in which DuckDB's replacement scan would find it
                        connection.register("rows", pa.Table.from_pylist(rows))
                        connection.execute(f"CREATE TABLE {name} AS SELECT * FROM rows")
                        connection.unregister("rows")
                connection.execute("CHECKPOINT")  # raises an error if the disk is full; close() would leave a .wal file
        finally:
            beside.with_name(f"{beside.name}.wal").unlink(missing_ok=True)
    return path


def _row(run: RunRecord) -> dict[str, Any]:
    config = {name: value for name, value in run["config"].items() if name not in ("output", "cache")}
    row: dict[str, Any] = {"error": run.get("error"), "k": run.get("k"), "anchor": run.get("anchor"), **config}
    for name in ("gamma_used", "trained_parameters", "steps", "tokens", "seconds", "loss"):
        row[name] = run.get(name)
    for of in ("validation", "test"):
        for measure in _MEASURES:
            row[f"{of}_{measure}"] = run.get(of, {}).get(measure)
    return row
