"""Rows of tokens on disk: encoded once, in bounded memory, and mapped into the memory of every process that reads them.

    CACHE/rows/KEY/         the rows of the same content, tokenizer and options
        token_ids.bin       int32 (N,)      the columns of `TokenData`
        is_target.bin       bool (N,)
        words.bin           int32 (N,)
        offsets.bin         int64 (rows + 1,)
        meta.json           what the columns hold; its time says when they were last used
    CACHE/rows/KEY.new/     rows that a process is encoding; it takes its final name when it is complete
    CACHE/rows/KEY.lock     held by that process, while others wait

CACHE is ``$LEXKIT_CACHE``, or where the system keeps caches. Anything in it may be removed at any time: what is needed
is encoded again.
"""

from __future__ import annotations

import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import msgspec
import numpy as np
import numpy.typing as npt

from lexkit.atomic_write import lock, new_folder
from lexkit.progress import Progress
from lexkit.sources.cache import cache_folder
from lexkit_distill.disk import disk_failures
from lexkit_distill.errors import DataError
from lexkit_distill.training.encode import Bool, Int32, Row

Int64 = npt.NDArray[np.int64]
_META = "meta.json"
_COLUMNS = {"token_ids": np.int32, "is_target": np.bool_, "words": np.int32, "offsets": np.int64}
_ROWS = 512
"""Rows that are written at a time."""
_UNUSED_DAYS = 30
"""Days after which rows that no run has used are removed, to make room for others."""


class Source(NamedTuple):
    """One of the files that rows come from."""

    rows: int
    weight: float = 1.0
    """Passes over its rows in an epoch."""


@dataclass(frozen=True)
class TokenData:
    """Rows of tokens, one after the other. A row is a sample, or a piece of a long text."""

    token_ids: Int32
    """(N,) the ids of all rows, joined."""
    is_target: Bool
    """(N,) whether the token is predicted; never the first of a row, which nothing precedes."""
    words: Int32
    """(N,) what `Supervision` calls the word of a token."""
    offsets: Int64
    """(rows + 1,) row r is token_ids[offsets[r]:offsets[r + 1]]."""
    sources: tuple[Source, ...]
    """The files, in the order of their rows."""
    fingerprint: str
    """SHA-256 (hex) of the four columns, one after the other: everything that training reads."""
    states_fingerprint: str
    """SHA-256 (hex) of what the teacher's states depend on: all columns but the words."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64:
        """(rows,) tokens of each row."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: Int64) -> Int64:
        """Return the tokens of each of some rows (n,)."""
        starts, ends = self.offsets[rows], self.offsets[rows + 1]
        lengths: Int64 = ends - starts
        return lengths

    @cached_property
    def target_offsets(self) -> Int64:
        """(rows + 1,) how many tokens are predicted in the rows before each row."""
        counts = np.zeros(len(self.offsets), dtype=np.int64)
        for start in range(0, len(self), _ROWS):
            some = self.offsets[start : start + _ROWS + 1]
            of_tokens = self.is_target[some[0] : some[-1]]
            counts[start + 1 : start + len(some)] = np.add.reduceat(of_tokens, some[:-1] - some[0], dtype=np.int64)
        return np.cumsum(counts)


@dataclass(frozen=True)
class EncodedRows:
    """Rows of tokens, and what was left out of them, by reason."""

    data: TokenData
    dropped: dict[str, int]


class _Meta(msgspec.Struct, frozen=True):
    tokens: int
    rows: list[int]
    """Number of rows of each file."""
    dropped: dict[str, int]
    fingerprint: str
    states_fingerprint: str


def encoded_rows(
    key: Callable[[], str], encode: Callable[[Counter[str]], Iterable[Iterator[Row]]], progress: Progress
) -> EncodedRows:
    """Return the rows of a key, from the cache if they are there. Of several processes, the first encodes them.

    Args:
        key: returns the digest of everything that decides the rows.
        encode: returns the rows of each file, and counts what it leaves out in its argument.
        progress: told about rows, and about waiting for another process.

    Raises:
        DataError: there are no rows, the data change while they are read, or the cache cannot be written.
        LexkitError: as *encode* says.
    """
    name = key()
    cache = cache_folder() / "rows"
    folder = cache / name
    with disk_failures(DataError, cache, "free some space there, or set LEXKIT_CACHE to a folder with room"):
        found = _open(folder)
        if found is not None:
            return found
        cache.mkdir(parents=True, exist_ok=True)
        lock_file = cache / f"{name}.lock"
        held = lock(lock_file)
        if held is None:
            progress.note("another process is encoding the same data; waiting for it")
            held = lock(lock_file, wait=True)
        assert held is not None
        with held:
            try:
                found = _open(folder)
                if found is None:
                    _remove_unused(cache)
                    _make(folder, encode, progress, lambda: key() == name)
                    found = _open(folder)
            finally:
                lock_file.unlink(missing_ok=True)
    assert found is not None
    return found


def _open(folder: Path) -> EncodedRows | None:
    """The rows in a folder; None if they are not there, or damaged."""
    try:
        meta = msgspec.json.decode((folder / _META).read_bytes(), type=_Meta)
        lengths = {**dict.fromkeys(_COLUMNS, meta.tokens), "offsets": sum(meta.rows) + 1}
        columns = [
            np.asarray(np.memmap(folder / f"{name}.bin", dtype, "r", shape=(lengths[name],)))
            for name, dtype in _COLUMNS.items()
        ]
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: no JSON, or a file that is too short
        return None
    with suppress(OSError):  # another user's cache
        (folder / _META).touch()
    token_ids, is_target, words, offsets = columns
    sources = tuple(Source(rows) for rows in meta.rows)
    data = TokenData(token_ids, is_target, words, offsets, sources, meta.fingerprint, meta.states_fingerprint)
    return EncodedRows(data, meta.dropped)


def _make(
    folder: Path,
    encode: Callable[[Counter[str]], Iterable[Iterator[Row]]],
    progress: Progress,
    unchanged: Callable[[], bool],
) -> None:
    with new_folder(folder) as beside:
        meta = _write(beside, encode, progress)
        if not unchanged():
            raise DataError("the data changed while they were read; run the command again when they are complete")
        (beside / _META).write_bytes(msgspec.json.encode(meta))


def _write(folder: Path, encode: Callable[[Counter[str]], Iterable[Iterator[Row]]], progress: Progress) -> _Meta:
    dropped: Counter[str] = Counter()
    tokens, counts = 0, []
    paths = {name: folder / f"{name}.bin" for name in _COLUMNS}
    with ExitStack() as stack:
        *columns, offsets = (stack.enter_context(path.open("wb")) for path in paths.values())
        offsets.write(np.zeros(1, np.int64).data)
        for rows in encode(dropped):
            counts.append(0)
            while some := [row[:3] for row in islice(rows, _ROWS)]:
                for file, column in zip(columns, zip(*some, strict=True), strict=True):
                    file.write(np.concatenate(column).data)
                ends = tokens + np.cumsum([len(token_ids) for token_ids, _, _ in some], dtype=np.int64)
                offsets.write(ends.data)
                tokens, counts[-1] = int(ends[-1]), counts[-1] + len(some)
                progress.count(sum(counts), None, "rows")
    if not tokens and dropped:
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in dropped.items())
        raise DataError(f"nothing of the training data is left ({reasons}); raise --max-length, or check --data")
    if not tokens:
        raise DataError(
            "the training data hold nothing to predict: no samples, empty ones, or chats without an answer; "
            "check --data, or use --loss-on all"
        )
    of_states = [path for name, path in paths.items() if name != "words"]
    return _Meta(tokens, counts, dict(dropped), _digest(paths.values()), _digest(of_states))


def _digest(paths: Iterable[Path]) -> str:
    digest = sha256()
    for path in paths:
        with path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()


def _remove_unused(cache: Path) -> None:
    """Remove rows that no run has used for long, and what killed processes have left."""
    oldest = time.time() - _UNUSED_DAYS * 24 * 3600
    for folder in [path for path in cache.iterdir() if path.is_dir()]:
        with suppress(OSError):
            if folder.suffix != ".new" and (folder / _META).stat().st_mtime > oldest:
                continue
        lock_file = cache / f"{folder.stem}.lock"
        held = lock(lock_file)
        if held is not None:  # else another process is writing it
            with held:
                shutil.rmtree(folder, ignore_errors=True)
                lock_file.unlink(missing_ok=True)
