"""The demonstration's text, in three parts that share no paragraph."""

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
PARTS = ("senses", "training", "training", "senses", "held-out")
"""The part to which each of five successive paragraphs belongs."""
LEAST = 20
"""Paragraphs: with fewer, a part would say nothing."""
MOST = 60_000
"""Characters that are taken: more would not be trained on in the demonstration's time."""


@dataclass(frozen=True)
class Text:
    """Paragraphs, each once, in order."""

    name: str
    paragraphs: tuple[str, ...]
    left_out: int
    """Paragraphs that were repeated, or too many."""

    @property
    def fingerprint(self) -> str:
        """SHA-256 (hex) of the paragraphs."""
        return sha256("\n\n".join(self.paragraphs).encode()).hexdigest()

    def part(self, name: str) -> list[str]:
        """Return the paragraphs of one of the `PARTS`."""
        return [text for place, text in enumerate(self.paragraphs) if PARTS[place % len(PARTS)] == name]

    @property
    def counts(self) -> dict[str, int]:
        """Paragraphs of each part."""
        return {name: len(self.part(name)) for name in dict.fromkeys(PARTS)}

    def write(self, folder: Path) -> dict[str, Path]:
        """Write each part as JSON lines into *folder*, and return the files by part."""
        files = {name: folder / f"{name}.jsonl" for name in dict.fromkeys(PARTS)}
        for name, path in files.items():
            lines = (json.dumps({"text": text}, ensure_ascii=False) + "\n" for text in self.part(name))
            write_atomically(path, "".join(lines).encode())
        return files


def read_text(name: str | None) -> Text:
    """Return the paragraphs of a file, or of lexkit's own text.

    Raises:
        CorpusError: missing, unreadable, or too few paragraphs.
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
            f"{path}: {taken} different paragraphs in its first {MOST:,} characters, and the demo needs {LEAST}; "
            "part them with blank lines, or name a longer text"
        )
    return Text(OWN if name is None else Path(name).name, tuple(every[:taken]), len(read) - taken)
