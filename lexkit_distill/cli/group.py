"""The group ``lexkit distill``, and functions that its commands share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from lexkit.cli.group import LazyGroup
from lexkit.cli.output import is_terminal
from lexkit.cli.progress import show_progress
from lexkit.progress import Progress

_COMMANDS = {
    "senses": "lexkit_distill.cli.senses:senses",
    "compose": "lexkit_distill.cli.senses:compose",
    "inspect": "lexkit_distill.cli.senses:inspect",
    "preview": "lexkit_distill.cli.preview:preview",
    "train": "lexkit_distill.cli.train:train",
    "sweep": "lexkit_distill.cli.sweep:sweep",
    "eval": "lexkit_distill.cli.evaluate:evaluate",
    "demo": "lexkit_distill.cli.demo:demo",
}


@click.group(cls=LazyGroup, homes=_COMMANDS)
def distill() -> None:
    """Make sense dictionaries from a teacher language model and a store, train students with them, and evaluate them.

    \b
    This needs an extra: pip install 'lexkit[distill]'
    """


def progress(quiet: bool) -> Progress:
    """Return a progress bar on a terminal, and otherwise one that shows nothing, so that logs stay readable."""
    return show_progress(quiet or not is_terminal(sys.stderr))


@contextmanager
def starting(quiet: bool) -> Iterator[Progress]:
    """Context manager. Show the progress of a command, beginning with the import of torch, which takes seconds."""
    shown = progress(quiet)
    shown.stage("starting PyTorch")
    try:
        yield shown
    finally:
        shown.close()
