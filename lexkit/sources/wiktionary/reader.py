"""Reading a file of wiktextract: choosing how to cut it, and adding up what came of the blocks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lexkit.sources.batches import Batch
from lexkit.sources.files import check_file, is_compressed, open_binary
from lexkit.sources.tally import Tally
from lexkit.sources.wiktionary.blocks import BLOCK, blocks, ranges
from lexkit.sources.wiktionary.workers import Job, Parsed, parse, parse_all

_WORTH_WORKERS = 4 * BLOCK
"""Bytes of a file from which other processes save more time than they take to start."""


def read(path: Path, tally: Tally, language: str = "en", *, headwords: bool = True, jobs: int = 1) -> Iterator[Batch]:
    """Yield the records of a wiktextract JSONL file: plain, .gz, .bz2 or .zst, told by its content.

    The result does not depend on *jobs*; memory does not depend on the size of the file.

    Args:
        path: the file.
        tally: counts lines read, and lines and linkages refused.
        language: Wiktionary's language code, such as ``en``.
        headwords: whether entries without relations are wanted as words, too.
        jobs: processes that parse.

    Raises:
        SourceError: the file cannot be read, or a compressed one is broken.
    """
    check_file(path)
    lines_before = 0
    for parsed in _parsed(path, language, headwords, jobs):
        tally.add(parsed.tally, lines_before)
        lines_before += parsed.n_lines
        yield from parsed.batches


def _parsed(path: Path, language: str, headwords: bool, jobs: int) -> Iterator[Parsed]:
    work = _jobs(path, language, headwords)
    if jobs > 1 and path.stat().st_size >= _WORTH_WORKERS:
        yield from parse_all(work, jobs)
    else:
        yield from (parse(job, block) for job, block in work)


def _jobs(path: Path, language: str, headwords: bool) -> Iterator[tuple[Job, bytes]]:
    if not is_compressed(path):
        for start, end in ranges(path):
            yield Job(language, headwords, str(path), start, end), b""
        return
    with open_binary(path) as stream:
        for block in blocks(stream):
            yield Job(language, headwords), block
