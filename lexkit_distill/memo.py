"""Reuse of expensive objects, such as a loaded teacher, between training runs in one process."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

_Made = TypeVar("_Made")


class Memo:
    """Cache that keeps only the latest value of each kind, since a teacher or a candidate table can be large."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[str, Any]] = {}

    def get(self, kind: str, key: str, make: Callable[[], _Made]) -> _Made:
        """Return the value of *kind* if it was made for the same *key*; otherwise make and keep it."""
        if kind not in self._kept or self._kept[kind][0] != key:
            self._kept.pop(kind, None)  # free the old value before the new one is made
            self._kept[kind] = (key, make())
        made: _Made = self._kept[kind][1]
        return made
