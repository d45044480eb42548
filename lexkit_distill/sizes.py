"""Parse and format sizes of memory and files, such as 50GB."""

from __future__ import annotations

import re

_UNITS = {"": 1, "B": 1, "KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_UNITS |= {"KIB": 2**10, "MIB": 2**20, "GIB": 2**30, "TIB": 2**40}
_SIZE = re.compile(r"\s*([0-9]*\.?[0-9]+)\s*([A-Za-z]*)\s*")


def parse_size(value: str | int) -> int:
    """Return the number of bytes that a text such as ``50GB``, ``512MiB`` or ``1000000`` stands for.

    Raises:
        ValueError: the text is not a size, or the size is 0.
    """
    found = _SIZE.fullmatch(str(value))
    unit = _UNITS.get(found[2].upper()) if found else None
    size = int(float(found[1]) * unit) if found and unit else 0
    if size <= 0:
        raise ValueError(f"{value!r} is not a size such as 50GB or 512MiB")
    return size


def format_size(size: float) -> str:
    """Return a number of bytes as text with a decimal unit: 1.2 GB."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def format_exact(size: int) -> str:
    """Return a size that `parse_size` can read, rounded down to whole megabytes from 1 MB on: 1234MB."""
    return f"{size // 10**6}MB" if size >= 10**6 else f"{size}B"
