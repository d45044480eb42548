"""The demo's text, divided into three parts that share no paragraph."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from lexkit.atomic_write import write_atomically
from lexkit.sources.data_files import data_file
from lexkit_distill.corpus import documents
from lexkit_distill.errors import CorpusError

OWN = "starter/demo.txt"
"""Data file of lexkit with the default text."""
PARTS = ("senses", "training", "training", "senses", "held-out")
"""Part of each of five successive paragraphs; the pattern repeats."""
LEAST = 20
"""Fewest paragraphs, so that no part is too small to be useful."""
MOST = 60_000
"""Most characters to use, since the demo's steps would not cover more."""


@dataclass(frozen=True)
class Text:
    """The distinct paragraphs of a text, in order."""

    name: str
    paragraphs: tuple[str, ...]
    left_out: int
    """Number of paragraphs left out because they are duplicates, or beyond the first `MOST` characters."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the paragraphs."""
        return sha256("\n\n".join(self.paragraphs).encode()).hexdigest()

    def part(self, name: str) -> list[str]:
        """Return the paragraphs of one of the `PARTS`."""
        return [text for place, text in enumerate(self.paragraphs) if PARTS[place % len(PARTS)] == name]

    @property
    def counts(self) -> dict[str, int]:
        """Number of paragraphs in each part."""
        return {name: len(self.part(name)) for name in dict.fromkeys(PARTS)}

    def write(self, folder: Path) -> dict[str, Path]:
        """Write each part to *folder* as JSON lines, and return the files by part."""
        files = {name: folder / f"{name}.jsonl" for name in dict.fromkeys(PARTS)}
        for name, path in files.items():
            lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in self.part(name))
            write_atomically(path, "".join(lines).encode())
        return files


def read_text(name: str | None) -> Text:
    """Read the paragraphs of a file, or of lexkit's own text if *name* is None.

    Raises:
        CorpusError: the file is missing, unreadable, or has too few paragraphs.
    """
    path = str(data_file(OWN)) if name is None else name
    read = [document.text for document in documents([path], lambda _: None) if document.text]
    every = list(dict.fromkeys(read))
    taken, characters = 0, 0
    while taken < len(every) and characters + len(every[taken]) <= MOST:
        characters += len(every[taken])
        taken += 1
    if taken < LEAST:
        raise CorpusError(
            f"{path}: has {taken} different paragraphs in its first {MOST:,} characters, and the demo needs {LEAST}; "
            "separate paragraphs with blank lines, or give a longer text"
        )
    return Text(OWN if name is None else Path(name).name, tuple(every[:taken]), len(read) - taken)
