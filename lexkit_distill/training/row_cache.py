"""Cache encoded rows of tokens on disk. Rows are encoded once, in bounded memory, and memory-mapped by all processes.

    CACHE/rows/KEY/         rows with the same content, tokenizer and options
        token_ids.bin       int32 (N,)      the columns of `TokenData`
        is_target.bin       bool (N,)
        words.bin           int32 (N,)
        offsets.bin         int64 (rows + 1,)
        meta.json           sizes and fingerprints; its modification time is the time of the last use
    CACHE/rows/KEY.new/     rows that a process is encoding; renamed to KEY when they are complete
    CACHE/rows/KEY.lock     locked by that process while others wait

CACHE is ``$LEXKIT_CACHE``, or the system's cache folder. Anything in it may be deleted at any time; missing rows are
encoded again.
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
"""Rows to write at a time."""
_UNUSED_DAYS = 30
"""Days without use after which rows are deleted to make room for others."""


class Source(NamedTuple):
    """One of the files that rows come from."""

    rows: int
    weight: float = 1.0
    """Number of passes over the file's rows in an epoch."""


@dataclass(frozen=True)
class TokenData:
    """Rows of tokens, joined. A row is a document, or a piece of a long text."""

    token_ids: Int32
    """(N,) token ids of all rows."""
    is_target: Bool
    """(N,) whether each token is predicted; False for the first token of a row, which no position precedes."""
    words: Int32
    """(N,) word of each token, as defined by `Supervision`."""
    offsets: Int64
    """(rows + 1,) row r is token_ids[offsets[r]:offsets[r + 1]]."""
    sources: tuple[Source, ...]
    """Files, in the order of their rows."""
    fingerprint: str
    """SHA-256 (hex) of the four columns, which are everything that training reads."""
    states_fingerprint: str
    """SHA-256 (hex) of the columns that the teacher's states depend on: all except the words."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    @property
    def lengths(self) -> Int64:
        """(rows,) number of tokens in each row."""
        return np.diff(self.offsets)

    def lengths_of(self, rows: Int64) -> Int64:
        """Return the number of tokens (n,) in each of the *rows* (n,)."""
        starts, ends = self.offsets[rows], self.offsets[rows + 1]
        lengths: Int64 = ends - starts
        return lengths

    @cached_property
    def target_offsets(self) -> Int64:
        """(rows + 1,) number of predicted tokens in all rows before each row."""
        counts = np.zeros(len(self.offsets), dtype=np.int64)
        for start in range(0, len(self), _ROWS):
            some = self.offsets[start : start + _ROWS + 1]
            of_tokens = self.is_target[some[0] : some[-1]]
            counts[start + 1 : start + len(some)] = np.add.reduceat(of_tokens, some[:-1] - some[0], dtype=np.int64)
        return np.cumsum(counts)


@dataclass(frozen=True)
class EncodedRows:
    """Rows of tokens, and the number of documents or rows that were left out, by reason."""

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
    """Return the rows of a key, from the cache if possible. If several processes ask at once, only one encodes them.

    Args:
        key: returns the digest of everything that determines the rows.
        encode: returns the rows of each file, and counts what it leaves out in its argument.
        progress: reports the number of rows, and waiting for another process.

    Raises:
        DataError: there are no rows, the data changed while they were read, or the cache cannot be written.
        LexkitError: *encode* failed.
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
    """Return the rows in a folder, or None if they are missing or damaged."""
    try:
        meta = msgspec.json.decode((folder / _META).read_bytes(), type=_Meta)
        lengths = {**dict.fromkeys(_COLUMNS, meta.tokens), "offsets": sum(meta.rows) + 1}
        columns = [
            np.asarray(np.memmap(folder / f"{name}.bin", dtype, "r", shape=(lengths[name],)))
            for name, dtype in _COLUMNS.items()
        ]
    except (FileNotFoundError, NotADirectoryError, ValueError):  # ValueError: invalid JSON, or a file that is too short
        return None
    with suppress(OSError):  # the cache may belong to another user
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
        raise DataError(f"no training data are left ({reasons}); raise --max-length, or check --data")
    if not tokens:
        raise DataError(
            "the training data contain nothing to predict: no documents, only empty ones, or chats without an answer; "
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
    """Delete rows that have not been used for a long time, and incomplete rows of killed processes."""
    oldest = time.time() - _UNUSED_DAYS * 24 * 3600
    for folder in [path for path in cache.iterdir() if path.is_dir()]:
        with suppress(OSError):
            if folder.suffix != ".new" and (folder / _META).stat().st_mtime > oldest:
                continue
        lock_file = cache / f"{folder.stem}.lock"
        held = lock(lock_file)
        if held is not None:  # otherwise another process is writing it
            with held:
                shutil.rmtree(folder, ignore_errors=True)
                lock_file.unlink(missing_ok=True)
