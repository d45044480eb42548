"""The sample: each token's occurrences with the smallest keys, and their hidden states, on disk.

Each process writes *parts* (safetensors files sorted by token and key). After each part, it replaces its *state* file,
which lists its valid parts, the batches that they cover, and the number of times it saw each token. Parts that no state
lists were incomplete when a process was killed, and are removed. Parts are pruned of occurrences that can no longer be
among the smallest, so the disk holds little more than the sample. The sample of all processes consists of the smallest
keys of all parts, so it does not depend on how the work was divided or ordered.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.torch import save
from torch import Tensor

from lexkit.atomic_write import write_atomically
from lexkit_distill.random_keys import UInt64

Int64 = npt.NDArray[np.int64]
INDEX_BYTES = 24
"""Bytes of an occurrence in addition to its hidden state: token, key, row and position."""
SLACK = 1.5
"""Parts are pruned when the disk holds this multiple of the rows left by the last pruning."""


@dataclass(frozen=True)
class Occurrences:
    """Occurrences of tokens, without their hidden states; all fields are (n,)."""

    tokens: Int64
    keys: UInt64
    rows: Int64
    """(n,) row of the piece in the plan."""
    positions: Int64
    """(n,) position in the piece."""

    def __getitem__(self, index: npt.NDArray[np.generic] | slice) -> Occurrences:
        return Occurrences(self.tokens[index], self.keys[index], self.rows[index], self.positions[index])

    def __len__(self) -> int:
        return len(self.tokens)


class _Gathered:
    """A buffer of occurrences and their states, in the order in which they were added."""

    def __init__(self, states: Tensor) -> None:
        self.states = states
        self.rows = 0
        self._occurrences: list[Occurrences] = []

    def add(self, occurrences: Occurrences, states: Tensor, places: Int64) -> None:
        """Append occurrences, whose states are the rows *places* of *states*."""
        if self.rows + len(occurrences) > len(self.states):  # a single batch exceeds the buffer
            self.states = torch.empty(len(occurrences), self.states.shape[1], dtype=self.states.dtype)
        room = self.states[self.rows : self.rows + len(occurrences)]
        torch.index_select(states, 0, torch.from_numpy(places), out=room)
        self.rows += len(occurrences)
        self._occurrences.append(occurrences)

    def sorted(self) -> tuple[Occurrences, Tensor]:
        """Return the occurrences and their states, sorted by token and key."""
        occurrences = concatenated(self._occurrences)
        order = np.lexsort((occurrences.keys, occurrences.tokens))
        return occurrences[order], self.states[: self.rows][torch.from_numpy(order)]

    def clear(self) -> None:
        """Empty the buffer, but keep its memory."""
        self.rows, self._occurrences = 0, []


class Sampler:
    """Collects one process's share of the sample; see the module's docstring.

    Args:
        folder: folder for the parts.
        process: rank of this process.
        vocabulary: number of token ids (V).
        hidden_size: dimensions of a hidden state (d).
        cap: most occurrences per token.
        buffer_rows: number of hidden states to buffer in memory before they are written.
        batches: number of batches in the plan.
    """

    def __init__(
        self,
        folder: Path,
        process: int,
        *,
        vocabulary: int,
        hidden_size: int,
        cap: int,
        buffer_rows: int,
        batches: int,
    ) -> None:
        self._folder, self._process, self._cap = folder, process, cap
        self._hidden_size = hidden_size
        self._state = _State.read(folder, process) or _State(
            np.zeros(vocabulary, np.int64), np.zeros(batches, np.bool_), [], 0
        )
        self._remove_unnamed_parts()
        self._thresholds = np.full(vocabulary, np.iinfo(np.uint64).max, np.uint64)
        self._pruned_rows = 0
        self._gathered = _Gathered(torch.empty(buffer_rows, hidden_size, dtype=torch.bfloat16))
        self._spare: _Gathered | None = None
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="lexkit-sample")
        self._writing: Future[None] | None = None
        self._seen: Int64 = self._state.seen.copy()
        self._done: npt.NDArray[np.bool_] = self._state.done.copy()
        if self._state.parts:
            self._prune()

    @property
    def seen(self) -> Int64:
        """(V,) number of times that this process has seen each token so far."""
        return self._seen

    def wanted(self, tokens: Int64, keys: UInt64) -> npt.NDArray[np.bool_]:
        """Return whether each occurrence may still be among its token's smallest keys, (n,)."""
        # The writing thread may lower thresholds meanwhile; surplus occurrences are pruned later
        is_wanted: npt.NDArray[np.bool_] = keys <= self._thresholds[tokens]
        return is_wanted

    def add(self, batch: int, tokens: Int64, occurrences: Occurrences, states: Tensor, places: Int64) -> None:
        """Add the results of a batch.

        Args:
            batch: number of the batch.
            tokens: (m,) token of every occurrence in the batch, wanted or not.
            occurrences: the n wanted occurrences.
            states: hidden states of the batch in bf16, at least (m, d).
            places: (n,) rows of *states* that belong to the wanted occurrences.

        Raises:
            OSError: an earlier write in the background failed because the disk is full.
        """
        if self._gathered.rows + len(occurrences) > len(self._gathered.states):
            self._begin_flush()
        self._gathered.add(occurrences, states, places)
        self._seen += np.bincount(tokens, minlength=len(self._seen))
        self._done[batch] = True

    def flush(self) -> None:
        """Write all buffered states to disk, from where a killed run can resume.

        Raises:
            OSError: the disk is full.
        """
        self._begin_flush()
        self._wait()

    def close(self) -> None:
        """Wait for the current write to finish. States that are only in memory are discarded."""
        self._writer.shutdown()

    def _begin_flush(self) -> None:
        """Start writing the full buffer in a thread, and switch to the other buffer."""
        self._wait()
        full = self._gathered
        self._gathered = self._spare if self._spare is not None else _Gathered(torch.empty_like(full.states))
        self._spare = full
        self._writing = self._writer.submit(self._write, full, self._seen.copy(), self._done.copy())

    def _wait(self) -> None:
        """Wait for the current write to finish, and raise its error if it failed."""
        if self._writing is not None:
            writing, self._writing = self._writing, None
            writing.result()

    def _write(self, gathered: _Gathered, seen: Int64, done: npt.NDArray[np.bool_]) -> None:
        if gathered.rows:
            self._write_part(*gathered.sorted())
        gathered.clear()
        self._state.seen, self._state.done = seen, done
        self._state.write(self._folder, self._process)
        if self._rows() > max(SLACK * self._pruned_rows, len(gathered.states)):
            self._prune()

    def _rows(self) -> int:
        return sum(rows for _, rows in self._state.parts)

    def _write_part(self, occurrences: Occurrences, states: Tensor) -> None:
        name = f"part-{self._process}-{self._state.next_part}.safetensors"
        self._state.next_part += 1
        write_part(self._folder / name, occurrences, states)
        self._state.parts.append((name, len(occurrences)))

    def _prune(self) -> None:
        """Rewrite parts of which more than a tenth of the rows are no longer among the smallest keys."""
        parts = [Part(self._folder / name) for name, _ in self._state.parts]
        tokens = np.concatenate([part.occurrences.tokens for part in parts])
        keys = np.concatenate([part.occurrences.keys for part in parts])
        order = np.lexsort((keys, tokens))
        rank = rank_in_group(tokens[order])
        is_last = rank == self._cap - 1
        self._thresholds[tokens[order][is_last]] = keys[order][is_last]
        alive = np.empty(len(order), np.bool_)
        alive[order] = rank < self._cap
        self._pruned_rows = int(alive.sum())
        replaced: list[str] = []
        ends = np.cumsum([len(part.occurrences) for part in parts])
        for part, kept in zip(parts, np.split(alive, ends[:-1]), strict=True):
            if kept.mean() < 0.9:
                replaced.append(part.path.name)
                if kept.any():
                    self._write_part(part.occurrences[kept], part.states(np.flatnonzero(kept)))
        if replaced:
            self._state.parts = [entry for entry in self._state.parts if entry[0] not in replaced]
            self._state.write(self._folder, self._process)
            for name in replaced:
                (self._folder / name).unlink()

    def _remove_unnamed_parts(self) -> None:
        named = {name for name, _ in self._state.parts}
        for path in self._folder.glob(f"part-{self._process}-*"):
            if path.name not in named:
                path.unlink()


class Sample:
    """The sample of all processes, sorted by token and key.

    Args:
        folder: folder with the parts.
        cap: most occurrences per token.
    """

    def __init__(self, folder: Path, cap: int) -> None:
        states = [state for _, state in sorted(_states(folder).items())]
        self.seen: Int64 = np.sum([state.seen for state in states], axis=0)
        names = [name for state in states for name, _ in state.parts]
        self._parts = [Part(folder / name) for name in names]
        found = [part.occurrences for part in self._parts]
        everything = concatenated(found)
        part = np.repeat(np.arange(len(found)), [len(one) for one in found])
        place = np.concatenate([np.arange(len(one)) for one in found]) if found else np.empty(0, np.int64)
        order = np.lexsort((everything.keys, everything.tokens))
        order = order[rank_in_group(everything.tokens[order]) < cap]
        self.occurrences = everything[order]
        self._part, self._place = part[order], place[order]

    def states(self, first: int, last: int) -> Tensor:
        """Return the hidden states (last - first, d) of a range of `occurrences`, in bf16."""
        parts, places = self._part[first:last], self._place[first:last]
        result = torch.empty(last - first, self._parts[0].hidden_size, dtype=torch.bfloat16)
        for number in np.unique(parts):
            mine = np.flatnonzero(parts == number)
            result[torch.from_numpy(mine)] = self._parts[number].states(places[mine])
        return result


def done_batches(folder: Path, batches: int) -> npt.NDArray[np.bool_]:
    """Return which batches (batches,) are finished, that is, covered by the parts of some process."""
    done = np.zeros(batches, np.bool_)
    for state in _states(folder).values():
        done |= state.done
    return done


def write_part(path: Path, occurrences: Occurrences, states: Tensor) -> None:
    """Write occurrences, sorted by token and key, and their states (n, d) to a file that appears only when complete."""
    tensors = {
        "token": torch.from_numpy(occurrences.tokens.astype(np.int32)),
        "key": torch.from_numpy(occurrences.keys.view(np.int64)),
        "row": torch.from_numpy(occurrences.rows),
        "position": torch.from_numpy(occurrences.positions.astype(np.int32)),
        "states": states.contiguous(),
    }
    write_atomically(path, save(tensors))


class Part:
    """A file of occurrences and their states, of which only the occurrences are read at first."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with safe_open(path, framework="pt") as file:
            self.occurrences = Occurrences(
                file.get_tensor("token").numpy().astype(np.int64),
                file.get_tensor("key").numpy().view(np.uint64),
                file.get_tensor("row").numpy(),
                file.get_tensor("position").numpy().astype(np.int64),
            )
            self._shape = file.get_slice("states").get_shape()

    @property
    def hidden_size(self) -> int:
        """Dimensions of a hidden state (d)."""
        return int(self._shape[1])

    def states(self, places: npt.NDArray[np.generic]) -> Tensor:
        """Return the states (n, d) at ascending indices *places* (n,)."""
        with safe_open(self.path, framework="pt") as file:
            states: Tensor = file.get_tensor("states")
            return states[torch.from_numpy(places)]


@dataclass
class _State:
    seen: Int64
    done: npt.NDArray[np.bool_]
    parts: list[tuple[str, int]]
    next_part: int

    @staticmethod
    def read(folder: Path, process: int) -> _State | None:
        path = folder / f"state-{process}.safetensors"
        if not path.exists():
            return None
        with safe_open(path, framework="np") as file:
            meta = json.loads(file.metadata()["state"])
            return _State(
                file.get_tensor("seen"),
                file.get_tensor("done").astype(np.bool_),
                [(str(name), int(rows)) for name, rows in meta["parts"]],
                int(meta["next_part"]),
            )

    def write(self, folder: Path, process: int) -> None:
        tensors = {"seen": torch.from_numpy(self.seen), "done": torch.from_numpy(self.done)}
        meta = json.dumps({"parts": self.parts, "next_part": self.next_part})
        write_atomically(folder / f"state-{process}.safetensors", save(tensors, metadata={"state": meta}))


def _states(folder: Path) -> dict[int, _State]:
    found = {}
    for path in folder.glob("state-*.safetensors"):
        number = int(path.stem.partition("-")[2])
        state = _State.read(folder, number)
        assert state is not None
        found[number] = state
    return found


def concatenated(found: Sequence[Occurrences]) -> Occurrences:
    """Concatenate occurrences in order."""
    if not found:
        return Occurrences(np.empty(0, np.int64), np.empty(0, np.uint64), np.empty(0, np.int64), np.empty(0, np.int64))
    return Occurrences(
        np.concatenate([one.tokens for one in found]),
        np.concatenate([one.keys for one in found]),
        np.concatenate([one.rows for one in found]),
        np.concatenate([one.positions for one in found]),
    )


def rank_in_group(sorted_groups: npt.NDArray[np.generic]) -> Int64:
    """Return the rank 0, 1, 2 ... (n,) of each element within its run of equal values (n,)."""
    starts = _run_starts(sorted_groups)
    lengths = np.diff(np.r_[starts, len(sorted_groups)])
    return np.arange(len(sorted_groups), dtype=np.int64) - np.repeat(starts, lengths)


def groups(sorted_tokens: Int64) -> Iterator[tuple[int, int, int]]:
    """Yield (token, first, last) for each run of equal tokens; *last* is exclusive."""
    starts = _run_starts(sorted_tokens)
    for first, last in zip(starts, np.r_[starts[1:], len(sorted_tokens)], strict=True):
        yield int(sorted_tokens[first]), int(first), int(last)


def _run_starts(values: npt.NDArray[np.generic]) -> Int64:
    if not len(values):
        return np.empty(0, np.int64)
    return np.flatnonzero(np.r_[True, values[1:] != values[:-1]])
