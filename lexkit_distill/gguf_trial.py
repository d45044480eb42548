"""Subprocess that reads the header of a GGUF file with limited memory and time; see `lexkit.bounded_process`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def main(send: Callable[[Any], None], file: str) -> None:
    """Read the header of *file*.

    Raises:
        ValueError: the header declares more layers than the file has tensors.
    """
    from gguf import GGUFReader

    reader = GGUFReader(file)
    for name, field in reader.fields.items():
        if name.endswith(".block_count") and int(field.contents()) > len(reader.tensors):
            raise ValueError(f"declares {int(field.contents()):,} layers but has {len(reader.tensors):,} tensors")
