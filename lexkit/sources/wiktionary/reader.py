"""Read a file of wiktextract: choose how to split it into blocks, and combine their results."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lexkit.sources.batches import Batch
from lexkit.sources.files import check_file, is_compressed, open_binary
from lexkit.sources.read_report import ReadReport
from lexkit.sources.wiktionary import blocks
from lexkit.sources.wiktionary.workers import Job, Parsed, parse, parse_all

_WORTH_WORKERS = 4 * blocks.BLOCK
"""Size of a file, in bytes, from which additional processes save more time than they take to start."""

_RANGES = 4
"""Number of ranges per process into which the rest of a file is divided."""
_LONGEST_RANGE = 8 * blocks.BLOCK


def read(
    path: Path, report: ReadReport, language: str = "en", *, headwords: bool = True, jobs: int = 1
) -> Iterator[Batch]:
    """Yield the records of a wiktextract JSONL file, plain or compressed with gzip, bzip2, xz or Zstandard.

    The result does not depend on *jobs*, and the memory needed does not depend on the size of the file.

    Args:
        path: the file.
        report: counts lines read, and lines and linkages refused.
        language: Wiktionary's language code, such as ``en``.
        headwords: whether to include entries without relations.
        jobs: number of processes that parse, including this one.

    Raises:
        SourceError: the file cannot be read, or a compressed one is broken.
    """
    check_file(path)
    lines_before = 0
    for parsed in _parsed(path, language, headwords, jobs):
        report.add(parsed.report, lines_before)
        lines_before += parsed.n_lines
        yield from parsed.batches


def _parsed(path: Path, language: str, headwords: bool, jobs: int) -> Iterator[Parsed]:
    work = _jobs(path, language, headwords, jobs)
    if jobs > 1 and path.stat().st_size >= _WORTH_WORKERS:
        yield from parse_all(work, jobs - 1)
    else:
        yield from (parse(job, block) for job, block in work)


def _jobs(path: Path, language: str, headwords: bool, jobs: int) -> Iterator[tuple[Job, bytes]]:
    if is_compressed(path):
        with open_binary(path) as stream:
            for block in blocks.blocks(stream):
                yield Job(language, headwords), block
        return
    # Start with long ranges, since a process waits some milliseconds for each new one; shorter ranges towards the end
    # let all processes finish together
    start, size = 0, path.stat().st_size
    while start < size:
        length = max(blocks.BLOCK, min((size - start) // (_RANGES * jobs), _LONGEST_RANGE))
        yield Job(language, headwords, str(path), start, min(start + length, size)), b""
        start += length
