"""Read a file with a plugin: check the types of its records, and report its faults in one line that names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from lexkit.errors import LexkitError, PluginError
from lexkit.sources.plugins import Plugin, describe
from lexkit.sources.read_report import ReadReport
from lexkit.sources.records import Form, Group, Headword, Record, Statement

_TYPES = (Headword, Statement, Group, Form)
_MOST = 2**63 - 1
"""The largest number that a store can hold."""


class _WrongRecord(Exception):
    """A plugin yielded a record of a wrong type."""


def read_with_plugin(path: Path, report: ReadReport, plugin: Plugin, language: str) -> Iterator[Record]:
    """Yield the records that *plugin* reads from *path*; `lexkit.sources.validation` checks their contents.

    Raises:
        SourceError: the plugin raised it, because the file cannot be read or is of the wrong kind.
        PluginError: the plugin fails, or yields something that is not a record.
    """
    number = 0
    try:
        for record in plugin.reader.read(path, report, language):
            number += 1
            yield _typed(record)
    except LexkitError:
        raise
    except _WrongRecord as error:
        raise PluginError(f"{plugin} yields as record {number} of {path} {error}; report it to its authors") from error
    except (Exception, SystemExit, GeneratorExit) as error:
        raise PluginError(
            f"{plugin} fails after {number:,} records of {path}: {describe(error)}; report it to its authors"
        ) from error
    for field in ("licence", "origin"):
        if not isinstance(getattr(report, field), (str, type(None))):
            raise PluginError(
                f"{plugin} gives {path} a {field} that is neither text nor None; report it to its authors"
            )
    n = report.n_records
    if not (isinstance(n, int) and (0 < n <= _MOST or (n == number == report.n_rejected == 0))):
        raise PluginError(
            f"{plugin} does not count the records of {path} in report.n_records; report it to its authors"
        )


def _typed(record: object) -> Record:
    if not isinstance(record, _TYPES):
        raise _WrongRecord(f"{_short(record)}, which is not a Headword, Statement, Group or Form")
    try:
        return msgspec.convert(tuple(record), type(record))
    except msgspec.ValidationError as error:
        raise _WrongRecord(f"{_short(record)}: {error}") from error


def _short(value: object) -> str:
    text = " ".join(repr(value).split())
    return text if len(text) <= 80 else f"{text[:77]}..."
