"""The commands ``lexkit distill senses``, ``compose`` and ``inspect``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lexkit.arguments import user_path
from lexkit.cli.completion import complete_files, complete_folders, complete_words
from lexkit.cli.output import json_option, print_json, quiet_option, store_option, store_path
from lexkit.errors import LexkitError
from lexkit_distill.checks import check_senses, require_extra
from lexkit_distill.cli.group import starting
from lexkit_distill.cli.options import config_options
from lexkit_distill.senses.config import SensesConfig
from lexkit_distill.senses.meta import TOKENIZER, read_meta
from lexkit_distill.sizes import format_size

if TYPE_CHECKING:
    from lexkit_distill.senses.build import SensesSummary
    from lexkit_distill.senses.dictionary import SenseDictionary
    from lexkit_distill.senses.inspect import WordReport


@click.command()
@config_options(SensesConfig)
@quiet_option
@json_option
def senses(quiet: bool, as_json: bool, **fields: Any) -> None:  # noqa: ANN401
    """Make a dictionary of token senses: hidden states of a teacher over a corpus, clustered for each token.

    To resume an interrupted run, run the same command again. To use several processes, start it with
    'accelerate launch --multi_gpu --num_processes N -m lexkit distill senses ...', also on CPUs.

    \b
    Example:
      lexkit distill senses --teacher HuggingFaceTB/SmolLM2-135M-Instruct --corpus texts/ --output senses
    """
    config = SensesConfig(**fields)
    require_extra()
    check_senses(config)
    with starting(quiet) as progress:
        from lexkit_distill.senses.build import build_senses

        summary = build_senses(config, progress)
    if summary is None:
        return
    if as_json:
        print_json(summary)
    elif not quiet:
        click.echo("\n".join(_senses_summary(summary)))


def _senses_summary(summary: SensesSummary) -> list[str]:
    return [
        f"{summary.path}  {format_size(summary.bytes)}",
        f"  documents {summary.documents:>12,}   {summary.tokens:,} tokens; {summary.duplicates:,} duplicates left out",
        f"  sample    {summary.sampled:>12,}   hidden states",
        f"  keys      {summary.keys:>12,}   of {summary.vocabulary:,} tokens ({summary.keys / summary.vocabulary:.1%})",
        f"  senses    {summary.rows:>12,}   "
        + ", ".join(f"{tokens:,} tokens with {k}" for k, tokens in summary.senses_per_token.items()),
    ]


@click.command()
@click.option(
    "--senses",
    "folder",
    required=True,
    metavar="DIR",
    shell_complete=complete_folders,
    help="Folder of the dictionary to add words to.",
)
@click.option(
    "--max-tokens",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Leave out words with more tokens.",
)
@quiet_option
@json_option
@store_option
def compose(folder: str, max_tokens: int, quiet: bool, as_json: bool, store: str) -> None:
    """Add words to a sense dictionary: those of a store that have synonyms or antonyms.

    The senses of a word with several tokens are composed of the senses of its tokens; a word with one token has the
    senses of this token. The store must know how the dictionary's tokenizer splits its words: see 'lexkit tokenize'.

    \b
    Example:
      lexkit tokenize --tokenizer senses/tokenizer.json
      lexkit distill compose --senses senses
    """
    require_extra()
    path = user_path(folder)
    read_meta(path)
    place = store_path(store)
    with starting(quiet) as progress:
        from lexkit_distill.senses.compose import compose_senses

        summary = compose_senses(path, place, max_tokens=max_tokens, progress=progress)
    if as_json:
        print_json(summary)
    elif not quiet:
        click.echo(f"{summary.path}  {format_size(summary.bytes)}")
        click.echo(f"  words     {summary.words:>12,}   in relations")
        click.echo(f"  one token {summary.single_token:>12,}   have the senses of their token")
        click.echo(f"  composed  {summary.composed:>12,}   of 2 to {max_tokens} tokens")
        click.echo(
            f"  left out  {summary.too_long + summary.without_senses:>12,}   {summary.too_long:,} with more than "
            f"{max_tokens} tokens, {summary.without_senses:,} with a token that has no senses"
        )


@click.command()
@click.argument("words", nargs=-1, required=True, metavar="WORD...", shell_complete=complete_words)
@click.option(
    "--senses",
    "folder",
    required=True,
    metavar="DIR",
    shell_complete=complete_folders,
    help="Folder of the dictionary.",
)
@click.option(
    "--neighbors",
    type=click.IntRange(min=1),
    default=8,
    show_default=True,
    help="Number of nearest words to show for each sense.",
)
@click.option(
    "--plot",
    metavar="FILE",
    shell_complete=complete_files,
    help="Draw the senses to this file instead of printing them; with --store, also those of synonyms and antonyms.",
)
@click.option(
    "--store",
    envvar="LEXKIT_STORE",
    metavar="FILE",
    shell_complete=complete_files,
    help="Store that the dictionary was composed with, for --plot.  [env: LEXKIT_STORE]",
)
@json_option
def inspect(
    words: tuple[str, ...], folder: str, neighbors: int, plot: str | None, store: str | None, as_json: bool
) -> None:
    """Show the senses of words: where they occur in the corpus, and which other words have the nearest senses.

    The contexts are those occurrences whose states are nearest to the sense. A bar marks the place where the state was
    taken: the teacher has read the text before it and predicts the next token. The dictionary's anchor determines
    which token a state belongs to; a line before the senses explains this. Distances are mean squared differences.

    \b
    Example:
      lexkit distill inspect bank --senses senses
      lexkit distill inspect red car --senses senses --store lexkit.duckdb --plot red-car.png
    """
    require_extra()
    path = user_path(folder)
    read_meta(path)
    if plot is not None and store is not None:
        store_path(store)
    with starting(as_json) as progress:
        from lexkit_distill.senses.dictionary import SenseDictionary
        from lexkit_distill.senses.inspect import inspect_word

        progress.stage("reading the dictionary")
        dictionary = SenseDictionary(path)
        if plot is not None:
            progress.stage("drawing the senses")
            _plot(dictionary, words, plot, store)
            return
        progress.stage("finding the nearest senses")
        reports = [inspect_word(dictionary, word, neighbors=neighbors) for word in words]
    for word, report in zip(words, reports, strict=True):
        if report is None:
            raise LexkitError(
                f"{word!r} has no senses in {folder}: it is neither one token that was seen nor a composed word; "
                "see 'lexkit distill compose'"
            )
    if as_json:
        print_json(reports)
        return
    for report in reports:
        assert report is not None
        click.echo("\n".join(_inspection(report, dictionary.meta.anchor)))


def _plot(dictionary: SenseDictionary, words: tuple[str, ...], path: str, store: str | None) -> None:
    from lexkit_distill.senses.plot import FEW_SENSES, map_note, plot_senses
    from lexkit_distill.supervision.relations import read_relations

    relations = None
    if store is not None:
        relations = read_relations(user_path(store), dictionary.meta.tokenizer_fingerprint, dictionary.path / TOKENIZER)
    drawn = plot_senses(dictionary, words, user_path(path), relations=relations)
    click.echo(f"{path}  {drawn:,} senses")
    if drawn < FEW_SENSES:
        click.echo(map_note(drawn), err=True)


_ANCHORS = {
    "predicted": "the teacher has read the text before it and predicts {token} as the next token, whatever follows.",
    "next": "the text before it has been read, and the next token is {token}.",
    "input": "the last token that has been read is {token}.",
}
"""Explanation of the bar in a context, by the dictionary's anchor."""


def _inspection(report: WordReport, anchor: str) -> list[str]:
    seen = f", seen {report.n_seen:,} times" if report.n_seen is not None else ""
    lines = [f"{report.word}: {len(report.senses)} senses; tokens {' '.join(map(repr, report.tokens))}{seen}"]
    if any(sense.contexts for sense in report.senses):
        lines.append(f"  At the bar, {_ANCHORS[anchor].format(token=' '.join(map(repr, report.tokens)))}")
    elif len(report.tokens) > 1:
        lines.append("  These senses are composed of the senses of the tokens and have no contexts of their own.")
    for number, sense in enumerate(report.senses, 1):
        size = f" ({sense.size:,} in the sample)" if sense.size is not None else ""
        lines.append(f"  {number}{size}")
        lines.append("    near: " + ", ".join(f"{name!r} {distance:.2f}" for name, distance in sense.neighbors))
        lines += [f"    {_one_line(context.before)} | {_one_line(context.after)}" for context in sense.contexts]
    return lines


def _one_line(text: str) -> str:
    return " ".join(text.split())
