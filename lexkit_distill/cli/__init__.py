"""``lexkit distill``, found by lexkit through the entry point group ``lexkit.commands``; a module for each job.

Nothing here imports torch before a command has checked what it was given, and without it every command says what to
install.
"""

from lexkit_distill.cli.group import distill

__all__ = ["distill"]
