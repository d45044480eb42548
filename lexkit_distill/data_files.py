"""Find published data sets in the folder given by ``--data``, in the layouts in which their publishers offer them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lexkit.arguments import user_path
from lexkit_distill.errors import DataError

_FOLDERS = (".", "benchmarks", "lexical", "text")
"""Subfolders of ``--data`` that are searched, in this order."""


@dataclass(frozen=True)
class DataFiles:
    """Names of published files, as glob patterns; the first pattern that matches a file is used."""

    patterns: tuple[str, ...]
    examples: tuple[str, ...] = ()
    """Patterns of files to learn from: worked examples of a benchmark, or word pairs to fit a threshold to."""
    place: str = ""
    """What to download and how to name it in the folder, for the message when no file is found."""
    many: bool = False
    """Whether to use all matching files (MMLU has one for each subject) rather than the first."""
    examples_required: bool = True

    def find(self, data: str, name: str, *, examples: bool = False) -> list[Path]:
        """Return the matching files in the folder *data*, sorted.

        Args:
            data: the folder of ``--data``.
            name: name of the data set, for error messages.
            examples: whether to look for `examples` rather than `patterns`.

        Returns:
            The files; an empty list only if *examples* are missing and not required.

        Raises:
            DataError: *data* is not a folder, or does not contain the files.
        """
        root = user_path(data)
        if not root.is_dir():
            raise DataError(f"--data {data}: no such folder; name the folder that holds the files of the tasks")
        patterns = self.examples if examples else self.patterns
        for pattern in patterns:
            for folder in _FOLDERS:
                if found := sorted(file for file in (root / folder).glob(pattern) if file.is_file()):
                    return found if self.many else found[:1]
        if examples and not self.examples_required:
            return []
        what = "to take examples from " if examples else ""
        raise DataError(f"{name}: no file {what}in {data} (looked for {', '.join(patterns)}); add {self.place}")
