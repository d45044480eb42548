"""The command ``lexkit distill preview``."""

from __future__ import annotations

import sys
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from lexkit.cli.output import console, is_terminal, json_option, print_json
from lexkit.safe_output import printable
from lexkit_distill.checks import require_extra
from lexkit_distill.cli.group import starting
from lexkit_distill.cli.options import GroupedCommand
from lexkit_distill.cli.train import counted, training_config, training_options, training_values

if TYPE_CHECKING:
    from lexkit_distill.training.preview import PreviewRow

_SHOWN = 5
_RELEVANT = (
    "teacher",
    "senses",
    "store",
    "seed",
    "sample_rate",
    "multi_token_words",
    "forms",
    "max_neighbors",
    "min_confidence",
    "no_archaic",
    "offensive",
)
"""Fields outside the section ``data`` that change what is shown or counted."""


@click.command(cls=GroupedCommand)
@partial(training_options, shown=lambda option: option.section[:1] == ("data",) or option.name in _RELEVANT)
@click.option("--limit", type=click.IntRange(min=0), help="Number of rows to show. [default: 5; with --json, all]")
@json_option
@click.pass_context
def preview(context: click.Context, /, limit: int | None, as_json: bool, **_: Any) -> None:  # noqa: ANN401
    """Show training rows exactly as 'train' sees them, without loading the teacher's weights.

    On a terminal, predicted tokens are highlighted; elsewhere, they are in [brackets]. With --senses, words that have
    synonyms or antonyms are underlined on a terminal and marked with a * elsewhere. Counts over all rows follow. The
    command accepts all options of 'train' and ignores those that do not affect the rows.

    \b
    Example:
      lexkit distill preview --teacher HuggingFaceTB/SmolLM2-135M-Instruct --data chats.jsonl --limit 2
      lexkit distill preview --preset paper-llama --teacher teacher --senses senses --data arc:arc/train.jsonl
    """
    config = training_config(training_values(context), ("teacher", "data"))
    require_extra()
    with starting(as_json) as progress:
        from lexkit_distill.training.preview import preview as find

        found = find(config, limit=_SHOWN if limit is None and not as_json else limit, progress=progress)
    from lexkit_distill.training.plan import warning

    advice = warning(found.counts)
    if advice is not None:
        click.echo(f"warning: {advice}", err=True)
    if as_json:
        counts = {name: number for name, number in asdict(found.counts).items() if number is not None}
        unused = {"unused_relations": found.unused_relations}
        print_json({"rows": found.rows, "counts": counts, "dropped": found.dropped, **unused})
        return
    show = _print_styled if is_terminal(sys.stdout) else _print_bracketed
    for number, row in enumerate(found.rows, 1):
        click.echo(f"row {number}: {len(row.token_ids):,} tokens, {sum(row.predicted):,} predicted")
        show(row)
        click.echo()
    click.echo("\n".join(counted(found.counts, found.dropped, found.unused_relations)))


def _print_styled(row: PreviewRow) -> None:
    from rich.style import Style
    from rich.text import Text

    tokens = zip(row.tokens, row.predicted, row.words, strict=True)
    parts = [
        (printable(text), Style(reverse=predicted, underline=word is not None)) for text, predicted, word in tokens
    ]
    console().print(Text.assemble(*parts), soft_wrap=True)


def _print_bracketed(row: PreviewRow) -> None:
    """Print the row with each run of predicted tokens in brackets."""
    parts: list[str] = []
    before = False
    for text, predicted, word in zip(row.tokens, row.predicted, row.words, strict=True):
        parts += ["[" * (predicted and not before), "]" * (before and not predicted), text, "*" * (word is not None)]
        before = predicted
    click.echo("".join(parts) + "]" * before)
