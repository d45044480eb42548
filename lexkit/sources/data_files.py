"""The files of ``data_sources/``, in a checkout and in an installed wheel alike."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent.parent


def data_file(name: str) -> Path:
    """Return the path of a file of ``data_sources/``, for example ``starter/wiktionary.jsonl``."""
    installed = _PACKAGE / "data_sources"
    return (installed if installed.is_dir() else _PACKAGE.parent / "data_sources") / name
