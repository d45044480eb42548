"""Cache the teacher's states and the chosen candidates on disk for later epochs and other training runs.

    meta.json                    fingerprints of teacher and data that the cache belongs to
    prefix.bin, final.bin        bf16 (tokens, d) after the frozen layers, (positions, d) after the final norm
    rows.bin                     one byte per row: 0 missing, 1 written, 2 synced to the disk
    summary-T/                   embedding.bin, bf16 (positions, d), and log_partition.bin, fp32 (positions,): the
                                 summary of the teacher's distributions at temperature T (`kd`); and rows.bin
    candidates-KEY/              candidates.bin, int32 (positions, 2 kappa) rows of the dictionary, and rows.bin

Files are memory-mapped and filled during the first epoch. Several processes and several runs may fill the same files,
and an interrupted run leaves what it wrote. Each row is written once, by the first process that has it, under a lock
(the file ``lock``). Readers always use the values in the file, so results do not depend on which process computed them.
Disk space is reserved when a file is created, because writing to a memory map on a full disk kills the process. States
are rounded to bf16, which changes nothing in bf16 arithmetic. A model with a soft cap on its logits has no summary-T.
"""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lexkit.atomic_write import lock, sync, write_atomically, write_json
from lexkit_distill.disk import read_json
from lexkit_distill.errors import TrainingError
from lexkit_distill.sizes import format_size
from lexkit_distill.supervision.nearest import Candidates, Supervision, places_of
from lexkit_distill.training.batches import Batch, Batches
from lexkit_distill.training.kd import TeacherSummary, summarize
from lexkit_distill.training.prefetch import CachedStates, DeviceBatch
from lexkit_distill.training.step import OnlineTeacher, TeacherSignal

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_CHUNK = 1 << 24


class TeacherCache:
    """A `SignalSource` that runs the teacher only once for each row.

    Args:
        folder: folder of the cache; created if it does not exist.
        teacher: runs the teacher for rows that are not cached yet.
        batches: the training data.
        identity: fingerprint of the teacher's weights, and dtype of the arithmetic.
        temperature: temperature T of the teacher's distributions.
        supervision: chooses candidates; None if the loss does not use senses.
        candidates_key: digest of everything that determines the candidates of positions.

    Raises:
        TrainingError: the cache belongs to another teacher or other data, or does not fit on the disk.
        OSError: the cache cannot be written.
    """

    def __init__(
        self,
        folder: Path,
        teacher: OnlineTeacher,
        batches: Batches,
        *,
        identity: dict[str, str],
        temperature: float,
        supervision: Supervision | None,
        candidates_key: str,
    ) -> None:
        data, student = batches.data, teacher.student
        self._teacher, self._supervision, self._device = teacher, supervision, student.teacher.device
        self._tokens = data.offsets
        self._positions = data.target_offsets
        width, rows = student.teacher.hidden_size, len(data)
        meta = {
            **identity,
            "data": data.states_fingerprint,
            "frozen_layers": student.layers - student.n_trained,
            "shares_prefix": student.shares_prefix,
        }
        kappa = 2 * supervision.kappa if supervision is not None else 0
        tokens, positions = int(self._tokens[-1]), int(self._positions[-1])
        self._temperature = temperature
        chosen, summary = folder / f"candidates-{candidates_key[:16]}", folder / f"summary-{temperature:g}"
        shapes: dict[Path, tuple[tuple[int, ...], torch.dtype]] = {
            folder / "final.bin": ((positions, width), torch.bfloat16),
            folder / "rows.bin": ((rows,), torch.uint8),
            chosen / "rows.bin": ((rows,), torch.uint8),
        }
        if student.shares_prefix:
            shapes[folder / "prefix.bin"] = ((tokens, width), torch.bfloat16)
        if kappa:
            shapes[chosen / "candidates.bin"] = ((positions, kappa), torch.int32)
        if student.head.cap is None:
            shapes[summary / "embedding.bin"] = ((positions, width), torch.bfloat16)
            shapes[summary / "log_partition.bin"] = ((positions,), torch.float32)
            shapes[summary / "rows.bin"] = ((rows,), torch.uint8)
        folder.mkdir(parents=True, exist_ok=True)
        self._lock = folder / "lock"
        with self._locked():
            _check(folder, meta)
            _reserve({path: int(np.prod(shape)) * dtype.itemsize for path, (shape, dtype) in shapes.items()})
            mapped = {path: _mapped(path, *of) for path, of in shapes.items()}
            done = {path.parent: _RowStates(path, state) for path, state in mapped.items() if path.name == "rows.bin"}
            write_json(folder / "meta.json", meta)
        self._prefix, self._final = mapped.get(folder / "prefix.bin"), mapped[folder / "final.bin"]
        self._candidates = mapped.get(chosen / "candidates.bin")
        self._rows, self._chosen = done[folder], done[chosen]
        self._summary: TeacherSummary | None = None
        if summary in done:
            self._summary = TeacherSummary(mapped[summary / "embedding.bin"], mapped[summary / "log_partition.bin"])
            self._summarized = done[summary]

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Context manager. Hold the lock under which files are created and rows are written."""
        held = lock(self._lock, wait=True)
        assert held is not None
        with held:
            yield

    def __call__(self, batch: DeviceBatch) -> TeacherSignal:
        """Return the teacher's signal for *batch*, from the cache if possible."""
        cached = batch.cached
        if cached is not None:
            return self._signal(cached, batch.candidates)
        self._fill(batch)
        read = self._read(batch.batch)
        summary = None if read.summary is None else TeacherSummary(*(part.to(self._device) for part in read.summary))
        prefix = None if read.prefix is None else read.prefix.to(self._device)
        candidates = None
        if read.candidates is not None and batch.pool is not None:
            candidates = places_of(batch.pool, Candidates(*(part.to(self._device) for part in read.candidates)))
        return self._signal(CachedStates(prefix, read.final.to(self._device), None, summary), candidates)

    def read(self, batch: Batch) -> CachedStates | None:
        """Return the cached states of *batch*, on the CPU, or None if the teacher has to run."""
        return self._read(batch) if self.have(batch.rows) else None

    def _signal(self, cached: CachedStates, candidates: Candidates | None) -> TeacherSignal:
        dtype = self._teacher.student.teacher.model.dtype
        prefix = None if cached.prefix is None else cached.prefix.to(dtype)
        return TeacherSignal(prefix, cached.final.to(dtype), candidates, cached.summary)

    def _spans(self, batch: Batch) -> list[slice]:
        return [slice(*self._positions[row : row + 2]) for row in batch.rows]

    def _read(self, batch: Batch) -> CachedStates:
        spans = self._spans(batch)

        def joined(values: Tensor) -> Tensor:
            return torch.cat([values[span] for span in spans] or [values[:0]])

        candidates = None
        if self._candidates is not None:
            found = joined(self._candidates)[torch.from_numpy(batch.positions.sampled)]
            candidates = Candidates(*found.chunk(2, dim=1))
        summary = None if self._summary is None else TeacherSummary(*(joined(part) for part in self._summary))
        return CachedStates(self._prefix_of(batch), joined(self._final), candidates, summary)

    def _fill(self, batch: DeviceBatch) -> None:
        """Compute and write whatever is missing for the rows of a batch."""
        rows, spans = batch.batch.rows, self._spans(batch.batch)
        missing = ~self._rows.have(rows)
        if missing.any():
            self._write(batch, missing)
        parts = [self._final[span] for span in spans] or [self._final[:0]]
        final = torch.cat(parts).to(self._device, self._teacher.student.teacher.model.dtype)
        if self._candidates is not None and self._supervision is not None:
            missing = ~self._chosen.have(rows)
            if missing.any():
                self._choose(batch.batch, missing, spans, final)
        if self._summary is not None:
            missing = ~self._summarized.have(rows)
            if missing.any():
                which = torch.from_numpy(np.flatnonzero(np.isin(batch.batch.positions.rows, np.flatnonzero(missing))))
                head = self._teacher.student.head
                found = summarize(final[which.to(self._device)], head, temperature=self._temperature)
                self._scatter(self._summarized, rows, missing, spans, found, self._summary)

    def have(self, rows: np.ndarray) -> bool:
        """Return whether states, candidates and summaries of all *rows* (B,) are cached."""
        parts = [self._rows]
        if self._candidates is not None:
            parts.append(self._chosen)
        if self._summary is not None:
            parts.append(self._summarized)
        return all(bool(part.have(rows).all()) for part in parts)

    def _prefix_of(self, batch: Batch) -> Tensor | None:
        if self._prefix is None:
            return None
        prefix = self._prefix.new_zeros(*batch.token_ids.shape, self._prefix.shape[1])
        for place, row in enumerate(batch.rows):
            part = self._prefix[self._tokens[row] : self._tokens[row + 1]]
            prefix[place, : len(part)] = part
        return prefix

    def _scatter(
        self,
        done: _RowStates,
        rows: np.ndarray,
        missing: np.ndarray,
        spans: list[slice],
        found: Iterable[Tensor],
        into: Iterable[Tensor],
    ) -> None:
        """Write values *found* for the positions of the missing rows into the files *into*."""
        with self._locked():
            there = done.have(rows)  # another process may have written them meanwhile
            for found_here, target in zip(found, into, strict=True):
                part, begin = found_here.to("cpu", target.dtype), 0
                for place in np.flatnonzero(missing):
                    count = spans[place].stop - spans[place].start
                    if not there[place]:
                        target[spans[place]] = part[begin : begin + count]
                    begin += count
            done.mark(rows[missing])

    def _write(self, batch: DeviceBatch, missing: np.ndarray) -> None:
        signal, rows = self._teacher(batch), batch.batch.rows
        final, prefix = (None if part is None else part.to("cpu", torch.bfloat16) for part in (signal[1], signal[0]))
        assert final is not None
        with self._locked():
            missing = missing & ~self._rows.have(rows)  # another process may have written them meanwhile
            for place in np.flatnonzero(missing):
                span = slice(*self._positions[rows[place] : rows[place] + 2])
                self._final[span] = final[torch.from_numpy(batch.batch.positions.rows == place)]
                if self._prefix is not None and prefix is not None:
                    start, end = self._tokens[rows[place] : rows[place] + 2]
                    self._prefix[start:end] = prefix[place, : end - start]
            self._rows.mark(rows[missing])

    def _choose(self, batch: Batch, missing: np.ndarray, spans: list[slice], final: Tensor) -> None:
        """Choose candidates for all positions of the missing rows, since every epoch samples other positions."""
        assert self._supervision is not None
        assert self._candidates is not None
        positions = batch.positions
        which = torch.from_numpy(np.flatnonzero(np.isin(positions.rows, np.flatnonzero(missing))))
        targets, words = (torch.from_numpy(part)[which] for part in (positions.targets, positions.words))
        found = torch.cat(self._supervision.choose(final[which.to(self._device)], targets, words), 1)
        self._scatter(self._chosen, batch.rows, missing, spans, [found], [self._candidates])

    def close(self) -> None:
        """Sync all files to the disk."""
        self._rows.settle()
        self._chosen.settle()
        if self._summary is not None:
            self._summarized.settle()


class _RowStates:
    """Which rows are cached. After a crash of the machine, only rows that were synced to the disk count."""

    def __init__(self, path: Path, state: Tensor) -> None:
        self._path, self._state = path, state.numpy()
        beside = path.with_name("boot")
        if beside.exists() and beside.read_text(encoding="utf-8") != _boot():
            self._state[self._state == 1] = 0
        write_atomically(beside, _boot().encode())

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
    return torch.from_file(str(path), shared=True, size=int(np.prod(shape)), dtype=dtype).view(shape)


def _reserve(sizes: dict[Path, int]) -> None:
    """Create files of the given *sizes* in bytes, or extend existing ones, and reserve their disk space.

    Raises:
        TrainingError: there is not enough space on the disk.
        OSError: reserving space failed; new files are deleted.
    """
    new = [path for path in sizes if not path.exists()]
    for path in new:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    try:
        missing = sum(max(size - 512 * path.stat().st_blocks, 0) for path, size in sizes.items())
        folder = next(iter(sizes)).parent
        free = shutil.disk_usage(folder).free
        if missing > free:
            raise TrainingError(
                f"{folder}: the cache needs {format_size(missing)} and {format_size(free)} is free on the disk; "
                "free some space, or train without --cache or on less data"
            )
        for path, size in sizes.items():
            if path.stat().st_size < size or 512 * path.stat().st_blocks < size:
                _allocate(path, size)
    except BaseException:
        for path in new:
            path.unlink(missing_ok=True)
        raise


def _allocate(path: Path, size: int) -> None:
    with path.open("r+b") as file:
        try:
            os.posix_fallocate(file.fileno(), 0, size)
        except (AttributeError, OSError) as error:  # not available on macOS and on some file systems
            if isinstance(error, OSError) and error.errno not in (errno.EOPNOTSUPP, errno.EINVAL):
                raise OSError(error.errno, error.strerror, str(path)) from error
            for start in range(0, size, _CHUNK):
                content = file.read(_CHUNK).ljust(min(_CHUNK, size - start), b"\0")
                file.seek(start)
                file.write(content)


def _check(folder: Path, meta: dict[str, Any]) -> None:
    path = folder / "meta.json"
    if not path.exists():
        return
    theirs = read_json(path, TrainingError, "remove the cache")
    for name, value in meta.items():
        if theirs.get(name) != value:
            what = {"frozen_layers": "number of frozen layers", "shares_prefix": "kind of student"}.get(name, name)
            raise TrainingError(
                f"{folder}: this cache was made with another {what} ({str(theirs.get(name))[:12]}, not "
                f"{str(value)[:12]}); give another --cache, or remove this one"
            )


def _boot() -> str:
    return _BOOT.read_text(encoding="utf-8").strip() if _BOOT.exists() else "unknown"
