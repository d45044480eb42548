"""How a long job says where it is. The library is silent; the command line shows a bar."""

from __future__ import annotations


class Progress:
    """Silent. A subclass may show something; its methods must not raise."""

    def stage(self, name: str) -> None:
        """Say that the next stage of the job, called *name*, begins."""

    def transfer(self, done: int, total: int | None) -> None:
        """Say that *done* bytes of the stage's *total* have come; *total* is None where nobody knows it."""
        self.count(done, total, "bytes")

    def count(self, done: int, total: int | None, unit: str) -> None:
        """Say how far the stage is: *done* of *total* things called *unit*; total is None where nobody knows it."""

    def note(self, text: str) -> None:
        """Say something that the user should know, in one line."""

    def close(self) -> None:
        """Say that the job is over, done or failed."""
