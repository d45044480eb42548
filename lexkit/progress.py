"""How a long job reports its progress. The library is silent; the command line shows a bar."""

from __future__ import annotations


class Progress:
    """Receives reports of progress and ignores them. Subclasses may show them; their methods must not raise."""

    def stage(self, name: str) -> None:
        """Report that the next stage of the job, called *name*, begins."""

    def transfer(self, done: int, total: int | None) -> None:
        """Report that *done* of the stage's *total* bytes have been transferred; *total* is None if unknown."""
        self.count(done, total, "bytes")

    def count(self, done: int, total: int | None, unit: str) -> None:
        """Report that the stage has finished *done* of *total* items, called *unit*; *total* is None if unknown."""

    def activity(self, text: str) -> None:
        """Report what delays the next item of the stage, such as an evaluation between two steps."""

    def note(self, text: str) -> None:
        """Report something that the user should know, in one line."""

    def close(self) -> None:
        """Report that the job has ended, successfully or not."""
