"""A program that reads the header of a GGUF file and finds its tensors; see `lexkit.bounded_process`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def main(send: Callable[[Any], None], file: str) -> None:
    """Try a file; fail with the reason if it cannot be read, or promises more layers than it has tensors."""
    from gguf import GGUFReader

    reader = GGUFReader(file)
    for name, field in reader.fields.items():
        if name.endswith(".block_count") and int(field.contents()) > len(reader.tensors):
            raise ValueError(f"{int(field.contents()):,} layers, of {len(reader.tensors):,} tensors")
