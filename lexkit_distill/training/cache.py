"""The teacher's states and the chosen candidates on disk, so that later epochs and other trainings need no teacher.

    meta.json                    what it is of
    prefix.bin, final.bin        bf16 (tokens, d) after the frozen layers, (positions, d) after the final norm
    rows.bin                     a byte a row: 0 missing, 1 written, 2 known to be on the disk
    expected-T/                  embedding.bin, bf16 (positions, d), and log_partition.bin, fp32 (positions,): what
                                 stands for the teacher's distributions at temperature T (`kd`); and rows.bin
    candidates-KEY/              candidates.bin, int32 (positions, 2 kappa) rows of the dictionary, and rows.bin

Files are mapped into memory and filled as the first epoch goes; a run that is killed, and several processes, fill the
same ones. What is read is always what was written, so that a value does not depend on who computed it. States are
rounded to bf16, which in bf16 arithmetic they are anyway. A model with a soft cap on its logits has no expected-T.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lexkit.durable import sync, write_whole
from lexkit_distill.config import format_size
from lexkit_distill.errors import TrainingError
from lexkit_distill.training.batches import Batch, Batches
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.kd import Expected, expect
from lexkit_distill.training.semantic import Candidates
from lexkit_distill.training.step import Known, Live
from lexkit_distill.training.supervision import Supervision

_CHOICE = ("kappa", "max_neighbors", "sense_scale", "drop_single_token_neighbors", "own_among_antonyms")
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class TeacherCache:
    """A `Source` that asks the teacher once for each row.

    Args:
        folder: of the cache; made if it is not there.
        config: of the training.
        identity: fingerprints of teacher, data and dictionary.
        batches: the training data.
        live: the teacher.
        supervision: chooses candidates, if the loss has any.

    Raises:
        TrainingError: the cache is of something else, or does not fit on the disk.
    """

    def __init__(
        self,
        folder: Path,
        config: TrainConfig,
        identity: dict[str, Any],
        batches: Batches,
        live: Live,
        supervision: Supervision | None,
    ) -> None:
        data, student = batches.data, live.student
        self._live, self._supervision, self._device = live, supervision, student.teacher.device
        self._tokens = data.offsets
        self._positions = np.r_[0, np.cumsum(data.is_target)][data.offsets]
        width, rows = student.teacher.hidden_size, len(data)
        meta = {
            "teacher": identity["teacher_fingerprint"],
            "data": data.states_fingerprint,
            "frozen_layers": student.layers - student.n_trained,
            "dtype": config.dtype,
            "shares_prefix": student.shares_prefix,
        }
        choice = [
            identity["senses_fingerprint"],
            identity["data_fingerprint"],
            *(getattr(config, name) for name in _CHOICE),
        ]
        chosen = folder / f"candidates-{sha256(json.dumps(choice).encode()).hexdigest()[:16]}"
        kappa = 2 * config.kappa if supervision is not None and config.semantic else 0
        tokens, positions = int(self._tokens[-1]), int(self._positions[-1])
        self._temperature = config.temperature
        linear = student.head.cap is None
        size = 2 * width * (tokens + (2 if linear else 1) * positions) + 4 * (kappa + linear) * positions
        _check(folder, meta, size)
        chosen.mkdir(parents=True, exist_ok=True)
        self._prefix = (
            _mapped(folder / "prefix.bin", (tokens, width), torch.bfloat16) if student.shares_prefix else None
        )
        self._final = _mapped(folder / "final.bin", (positions, width), torch.bfloat16)
        self._rows = _Done(folder / "rows.bin", rows)
        self._candidates = _mapped(chosen / "candidates.bin", (positions, kappa), torch.int32) if kappa else None
        self._chosen = _Done(chosen / "rows.bin", rows)
        self._expected: Expected | None = None
        if linear:
            of_temperature = folder / f"expected-{config.temperature:g}"
            of_temperature.mkdir(exist_ok=True)
            self._expected = Expected(
                _mapped(of_temperature / "embedding.bin", (positions, width), torch.bfloat16),
                _mapped(of_temperature / "log_partition.bin", (positions,), torch.float32),
            )
            self._expects = _Done(of_temperature / "rows.bin", rows)
        write_whole(folder / "meta.json", json.dumps(meta).encode())

    def __call__(self, batch: Batch) -> Known:
        """Return what the teacher says about *batch*, from the disk if it is there."""
        missing = ~self._rows.have(batch.rows)
        if missing.any():
            self._write(batch, missing)
        spans = [slice(*self._positions[row : row + 2]) for row in batch.rows]
        final = self._joined([self._final[span] for span in spans])
        candidates = None
        if self._candidates is not None and self._supervision is not None:
            missing = ~self._chosen.have(batch.rows)
            if missing.any():
                self._choose(batch, missing, spans, final)
            found = torch.cat([self._candidates[span] for span in spans] or [self._candidates[:0]])
            found = found[torch.from_numpy(batch.positions.sampled)].to(self._device, torch.int64)
            candidates = Candidates(*found.chunk(2, dim=1))
        return Known(self._prefix_of(batch), final, candidates, self._expected_of(batch, spans, final))

    def have(self, rows: np.ndarray) -> bool:
        """Return whether everything is known of rows (B,)."""
        parts = [self._rows]
        if self._candidates is not None:
            parts.append(self._chosen)
        if self._expected is not None:
            parts.append(self._expects)
        return all(bool(part.have(rows).all()) for part in parts)

    def _prefix_of(self, batch: Batch) -> Tensor | None:
        if self._prefix is None:
            return None
        prefix = self._prefix.new_zeros(*batch.token_ids.shape, self._prefix.shape[1])
        for place, row in enumerate(batch.rows):
            part = self._prefix[self._tokens[row] : self._tokens[row + 1]]
            prefix[place, : len(part)] = part
        return prefix.to(self._device, self._live.student.teacher.model.dtype)

    def _expected_of(self, batch: Batch, spans: list[slice], final: Tensor) -> Expected | None:
        if self._expected is None:
            return None
        missing = ~self._expects.have(batch.rows)
        if missing.any():
            which = torch.from_numpy(np.isin(batch.positions.rows, np.flatnonzero(missing))).to(self._device)
            found = expect(final[which], self._live.student.head, temperature=self._temperature)
            self._scatter(missing, spans, found, self._expected)
            self._expects.mark(batch.rows[missing])
        embedding, log_partition = (
            torch.cat([part[span] for span in spans] or [part[:0]]).to(self._device) for part in self._expected
        )
        return Expected(embedding, log_partition)

    @staticmethod
    def _scatter(missing: np.ndarray, spans: list[slice], found: Iterable[Tensor], into: Iterable[Tensor]) -> None:
        """Write what was found for the positions of the missing rows to where it belongs."""
        for part, target in zip(found, into, strict=True):
            begin = 0
            for place in np.flatnonzero(missing):
                count = spans[place].stop - spans[place].start
                target[spans[place]] = part[begin : begin + count].to("cpu", target.dtype)
                begin += count

    def _joined(self, parts: list[Tensor]) -> Tensor:
        joined = torch.cat(parts or [self._final[:0]])
        return joined.to(self._device, self._live.student.teacher.model.dtype)

    def _write(self, batch: Batch, missing: np.ndarray) -> None:
        known = self._live(batch)
        for place in np.flatnonzero(missing):
            row = batch.rows[place]
            span = slice(*self._positions[row : row + 2])
            of_row = torch.from_numpy(batch.positions.rows == place)
            self._final[span] = known.teacher_hidden[of_row.to(self._device)].to("cpu", torch.bfloat16)
            if self._prefix is not None and known.prefix is not None:
                start, end = self._tokens[row : row + 2]
                self._prefix[start:end] = known.prefix[place, : end - start].to("cpu", torch.bfloat16)
        self._rows.mark(batch.rows[missing])

    def _choose(self, batch: Batch, missing: np.ndarray, spans: list[slice], final: Tensor) -> None:
        assert self._supervision is not None
        assert self._candidates is not None
        positions = batch.positions
        which = torch.from_numpy(np.isin(positions.rows, np.flatnonzero(missing))).to(self._device)
        targets, words = (
            torch.from_numpy(part).to(self._device)[which] for part in (positions.targets, positions.words)
        )
        found = torch.cat(self._supervision.choose(final[which], targets, words), 1)
        self._scatter(missing, spans, [found], [self._candidates])
        self._chosen.mark(batch.rows[missing])

    def close(self) -> None:
        """Have everything on the disk."""
        self._rows.settle()
        self._chosen.settle()
        if self._expected is not None:
            self._expects.settle()


class _Done:
    """Which rows are there. After a crash of the machine, only those that were settled."""

    def __init__(self, path: Path, rows: int) -> None:
        self._path = path
        self._state = _mapped(path, (rows,), torch.uint8).numpy()
        beside = path.with_name("boot")
        if beside.exists() and beside.read_text(encoding="utf-8") != _boot():
            self._state[self._state == 1] = 0
        write_whole(beside, _boot().encode())

    def have(self, rows: np.ndarray) -> np.ndarray:
        there: np.ndarray = self._state[rows] > 0
        return there

    def mark(self, rows: np.ndarray) -> None:
        self._state[rows] = np.maximum(self._state[rows], 1)

    def settle(self) -> None:
        written = self._state == 1
        for file in self._path.parent.glob("*.*"):
            if file.is_file():
                sync(file)
        self._state[written] = 2
        sync(self._path)


def _mapped(path: Path, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    size = int(np.prod(shape))
    if not path.exists():
        with path.open("ab") as file:
            os.ftruncate(file.fileno(), size * dtype.itemsize)
    return torch.from_file(str(path), shared=True, size=size, dtype=dtype).view(shape)


def _check(folder: Path, meta: dict[str, Any], size: int) -> None:
    path = folder / "meta.json"
    if path.exists():
        try:
            theirs = json.loads(path.read_bytes())
        except ValueError as error:
            raise TrainingError(f"{path}: damaged ({error}); remove the cache") from error
        for name, value in meta.items():
            if theirs.get(name) != value:
                what = {"frozen_layers": "number of frozen layers", "shares_prefix": "kind of student"}.get(name, name)
                raise TrainingError(
                    f"{folder}: a cache of another {what} ({str(theirs.get(name))[:12]}, not {str(value)[:12]}); "
                    "give another --cache, or remove it"
                )
        return
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if size > free:
        raise TrainingError(
            f"{folder}: the cache needs {format_size(size)} and {format_size(free)} is free on the disk; "
            "train without --cache, or on less data"
        )


def _boot() -> str:
    return _BOOT.read_text(encoding="utf-8").strip() if _BOOT.exists() else "unknown"
