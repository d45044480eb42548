"""``lexkit distill``, found by lexkit through the entry point group ``lexkit.commands``."""

from __future__ import annotations

import click

from lexkit.errors import LexkitError


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def distill(arguments: tuple[str, ...]) -> None:
    """Distil a language model with a store's senses (not in this release).

    \b
    It will need the extra: pip install 'lexkit[distill]'
    """
    raise LexkitError(
        "'lexkit distill' is not in this release; it will come with the extra 'distill': "
        "pip install -U 'lexkit[distill]'"
    )
