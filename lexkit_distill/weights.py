"""Digests that identify a model's weights, computed from their files or from their values."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import torch

from lexkit.atomic_write import lock, write_json
from lexkit.sources.cache import cache_folder
from lexkit.sources.files import fingerprint

REMEMBERED = "digests.json"
"""File in lexkit's cache with the digest of each weight file, by path, and the size, time and inode it is valid for."""
_WHOLE = ("model.safetensors", "pytorch_model.bin")
"""Files that transformers looks for, in this order; for each, it also looks for an index of sharded files."""
_SHA256_DIGITS = 64


def weight_files(name: str, revision: str | None = None, gguf: str | None = None) -> tuple[Path, ...]:
    """Return the files that transformers reads a model's weights from, or nothing if it uses a format not known here.

    Args:
        name: a folder, or a name on the Hugging Face hub.
        revision: commit that was loaded from the hub.
        gguf: GGUF file that was read instead.
    """
    from huggingface_hub import try_to_load_from_cache

    def find(file: str) -> Path | None:
        if Path(name).is_dir():
            path = Path(name) / file
            return path if path.is_file() else None
        known = try_to_load_from_cache(name, file, revision=revision)
        return Path(known) if isinstance(known, str) else None

    for file in (gguf,) if gguf else _WHOLE:
        whole, index = find(file), find(f"{file}.index.json")
        if whole is not None:
            return (whole,)
        if index is not None:
            parts = sorted(set(json.loads(index.read_bytes())["weight_map"].values()))
            return tuple(path for part in parts if (path := find(part)) is not None)
    return ()


def files_digest(paths: Sequence[Path], more: str = "") -> str:
    """Return the SHA-256 (hex) of the SHA-256 digests of *paths*, in order, followed by *more*.

    Each file is read once on a machine: its digest is cached until its size, time or inode changes. The first process
    on a machine reads while the others wait. Files in the hub's cache are named after their digest and are not read.
    """
    places = [path.resolve() for path in paths]
    with _remembered() as known, ThreadPoolExecutor() as pool:
        digests = list(pool.map(lambda path: _digest(path, known), places))
    return hashlib.sha256("\n".join([*digests, more]).encode()).hexdigest()


def _digest(path: Path, known: dict[str, list[Any]]) -> str:
    if path.parent.name == "blobs" and len(path.name) == _SHA256_DIGITS:
        return path.name
    status = path.stat()
    state = [status.st_size, status.st_mtime_ns, status.st_ino]
    if known.get(str(path), [])[:-1] != state:
        known[str(path)] = [*state, fingerprint(path)[0]]
    return str(known[str(path)][-1])


@contextlib.contextmanager
def _remembered() -> Iterator[dict[str, list[Any]]]:
    """Context manager. Yield the cached digests; those that the block adds are saved if the cache is writable."""
    file = cache_folder() / REMEMBERED
    known: dict[str, list[Any]] = {}
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):
            file.parent.mkdir(parents=True, exist_ok=True)
            held = lock(file.with_suffix(".lock"), wait=True)
            assert held is not None
            stack.enter_context(held)
        with contextlib.suppress(OSError, ValueError):
            known = json.loads(file.read_bytes())
        before = dict(known)
        yield known
        if known != before:
            there = {path: state for path, state in known.items() if Path(path).exists()}
            with contextlib.suppress(OSError):
                write_json(file, there)


def values_digest(model: Any) -> str:  # noqa: ANN401  # of transformers
    """Return the SHA-256 (hex) of names, shapes and values of all parameters, with values rounded to bf16.

    The digest does not depend on the file format, nor on whether weights are loaded as bf16 or fp32.
    """
    digest = hashlib.sha256()
    for name, parameter in sorted(model.named_parameters()):
        values = parameter.detach().to(torch.bfloat16).contiguous().cpu()
        digest.update(f"{name} {tuple(values.shape)}\n".encode())
        digest.update(values.view(torch.uint8).reshape(-1).numpy().data)
    return digest.hexdigest()
