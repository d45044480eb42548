"""Example contexts of each sense: the text around the occurrences that are nearest to the sense."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from lexkit.errors import first_line
from lexkit_distill.errors import DictionaryError
from lexkit_distill.senses.dictionary import write_table
from lexkit_distill.senses.plan import Plan
from lexkit_distill.senses.sample import Occurrences

BEFORE, AFTER = 16, 8
"""Tokens to keep before and after the position of the state."""
SCHEMA = pa.schema(
    [
        ("size", pa.int32()),  # number of occurrences of the sense in the sample
        ("position", pa.list_(pa.int8())),  # position of the state in each context
        ("token_ids", pa.list_(pa.list_(pa.int32()))),  # the contexts
    ]
)
"""Columns of ``contexts.parquet``; row i describes row i of the senses."""


class ContextWriter:
    """Collects the occurrences of each sense and, when closed, reads the text around them from the plan."""

    def __init__(self, path: Path, plan: Plan, occurrences: Occurrences, contexts: int) -> None:
        self._path, self._plan, self._occurrences, self._contexts = path, plan, occurrences, contexts
        self._sizes: list[npt.NDArray[np.int64]] = []
        self._nearest: list[npt.NDArray[np.int64]] = []

    def add(self, sizes: npt.NDArray[np.int64], nearest: npt.NDArray[np.int64]) -> None:
        """Add the senses of a token.

        Args:
            sizes: (k,) number of occurrences of each sense.
            nearest: (k, contexts) indices of the nearest occurrences in the sample, padded with -1.
        """
        self._sizes.append(sizes)
        self._nearest.append(nearest)

    def close(self) -> None:
        """Write the file, unless no contexts were asked for."""
        if not self._contexts:
            return
        nearest = np.concatenate(self._nearest)
        wanted = nearest[nearest >= 0]
        rows, positions = self._occurrences.rows[wanted], self._occurrences.positions[wanted]
        starts, words = _windows(self._plan.path, rows, positions)
        offsets = np.r_[0, np.cumsum((nearest >= 0).sum(1))].astype(np.int32)
        table = pa.table(
            {
                "size": pa.array(np.concatenate(self._sizes), pa.int32()),
                "position": pa.ListArray.from_arrays(offsets, pa.array(positions - starts, pa.int8())),
                "token_ids": pa.ListArray.from_arrays(offsets, words),
            },
            schema=SCHEMA,
        )
        write_table(self._path, table)


def _windows(
    plan: Path, rows: npt.NDArray[np.int64], positions: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], pa.ListArray]:
    """Return where each window begins in its piece (n,), and its token ids. The plan is read once, front to back."""
    order = np.argsort(rows, kind="stable")
    starts = np.maximum(positions - BEFORE, 0)
    windows: list[npt.NDArray[np.int32]] = [np.empty(0, np.int32)] * len(rows)
    seen = place = 0
    with pq.ParquetFile(plan) as file:
        for batch in file.iter_batches(batch_size=4096, columns=["token_ids"]):
            column = batch["token_ids"]
            values, offsets = column.values.to_numpy(), column.offsets.to_numpy()
            while place < len(order) and rows[order[place]] < seen + batch.num_rows:
                which = order[place]
                piece = values[offsets[rows[which] - seen] : offsets[rows[which] - seen + 1]]
                windows[which] = piece[starts[which] : positions[which] + 1 + AFTER].copy()
                place += 1
            seen += batch.num_rows
    return starts, pa.array(windows, pa.list_(pa.int32()))


def read_contexts(path: Path) -> pa.Table | None:
    """Return the contexts of a dictionary, or None if they were not kept or have been deleted.

    Raises:
        DictionaryError: the file is damaged.
    """
    try:
        return pq.read_table(path, schema=SCHEMA) if path.exists() else None
    except (OSError, pa.ArrowException) as error:
        raise DictionaryError(f"{path}: damaged ({first_line(error)}); delete it, or build it again") from error
