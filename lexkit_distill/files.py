"""Finding published data under the folder of ``--data``, in the layouts in which its publishers offer it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from lexkit.arguments import user_path
from lexkit_distill.errors import DataError

_FOLDERS = (".", "benchmarks", "lexical", "text")
"""Where patterns are tried, below the folder that was given."""


@dataclass(frozen=True)
class DataFiles:
    """Names of published files, as glob patterns; the first pattern that matches something counts."""

    patterns: tuple[str, ...]
    examples: tuple[str, ...] = ()
    """Files to learn from: worked examples of a benchmark, pairs that a threshold is fitted to."""
    place: str = ""
    """What to put where, for the message when nothing is found."""
    many: bool = False
    """Whether all matching files count, as MMLU has one for each subject; otherwise only the first does."""
    examples_required: bool = True

    def find(self, data: str, name: str, *, examples: bool = False) -> list[Path]:
        """Return the files in the folder *data*, sorted; those to learn from if *examples*.

        Args:
            data: the folder of ``--data``.
            name: what the files belong to, for error messages.
            examples: look for the files to learn from.

        Returns:
            Nothing only if such examples are missing and not required.

        Raises:
            DataError: *data* is not a folder, or the files are not in it.
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
        what = "to draw worked examples from " if examples else ""
        raise DataError(f"{name}: no file {what}in {data} (looked for {', '.join(patterns)}); put there {self.place}")
