"""Access to the files of ``data_sources/``, both in a checkout and in an installed wheel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from lexkit.errors import SourceError, first_line

_PACKAGE = Path(__file__).resolve().parent.parent


def data_file(name: str) -> Path:
    """Return the path of a file of ``data_sources/``, for example ``starter/wiktionary.jsonl``."""
    installed = _PACKAGE / "data_sources"
    return (installed if installed.is_dir() else _PACKAGE.parent / "data_sources") / name


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Context manager. Report any error in the block as damage to *path*, a file of ``data_sources/``.

    Raises:
        SourceError: the file is damaged.
    """
    try:
        yield
    except Exception as error:  # from parsing TOML, UTF-8, gzip, tables and regular expressions
        raise SourceError(f"{path}: damaged ({first_line(error)}); correct it, or install lexkit again") from error
