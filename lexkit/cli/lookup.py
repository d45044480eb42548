"""The commands ``lexkit lookup``, ``synonyms``, ``antonyms`` and ``random``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lexkit.arguments import LARGEST, user_path
from lexkit.cli.completion import complete_pos, complete_sources, complete_words
from lexkit.cli.output import answer_options, json_option, open_store, print_json, read_lines, store_option
from lexkit.errors import LexkitError, WordNotFound

if TYPE_CHECKING:
    from lexkit.cli.answers import Answers
    from lexkit.store.lexicon import Lexicon

_MOST_DRAWN = 1000


forms_option = click.option(
    "--forms/--no-forms",
    default=True,
    help="Look up forms of another word (ran, mice, colour) with that word's relations as well; the default. "
    "The rules for forms are English; for other languages, lexkit knows the forms that sources list.",
)
pos_option = click.option(
    "--pos",
    metavar="P",
    shell_complete=complete_pos,
    help="Use only relations in this part of speech, such as adj, noun, verb or adv.",
)
_words_argument = click.argument("words", nargs=-1, required=True, metavar="WORD...", shell_complete=complete_words)


def _lookup_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--direct", is_flag=True, help="Use only relations that a source states."),
        click.option(
            "--same-pos", is_flag=True, help="Leave out relations derived across parts of speech (faultless -> fault)."
        ),
        pos_option,
        click.option(
            "--source",
            metavar="S",
            shell_complete=complete_sources,
            help="Use only relations with evidence from this source.",
        ),
        answer_options,
        click.option(
            "--sort",
            type=click.Choice(["weight", "word", "confidence"]),
            default="weight",
            show_default=True,
            help="Order of the answers: the best first, alphabetical, or the most certain first. --limit keeps the "
            "first ones.",
        ),
        click.option("--limit", type=click.IntRange(1, LARGEST), metavar="N", help="Most words of each kind to show."),
        forms_option,
        json_option,
        store_option,
    ):
        command = option(command)
    return command


def _picture_file(ctx: click.Context, param: click.Parameter, value: str | None) -> Path | None:
    if value is None:
        return None
    from lexkit.figures import FORMATS

    if not value.lower().endswith(FORMATS):
        raise click.BadParameter(f"{value!r} does not end in {', '.join(FORMATS)}.", ctx, param)
    return user_path(value)


@click.command()
@_words_argument
@click.option(
    "--plot",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    callback=_picture_file,
    help="Also draw the neighbourhood of the word, to a .png, .svg or .pdf file.",
)
@_lookup_options
def lookup(words: tuple[str, ...], plot: Path | None, as_json: bool, store: str, **options: Any) -> None:  # noqa: ANN401
    """Show the synonyms and antonyms of words.

    '-' reads words from standard input, one per line. On a terminal, answers are grouped by part of speech, and marks
    such as (archaic) follow the word they apply to. For several words, the output is one table with the column 'asked',
    or one JSON list. If the store does not have a word, this is reported, the others are answered, and the exit code
    is 1. --plot draws one word; it needs matplotlib (pip install 'lexkit[plot]').

    \b
    Example:
      lexkit lookup kind --limit 10
      lexkit lookup kind happy --pos adj --sort word
      lexkit lookup - --json < words.txt
      lexkit lookup kind --plot kind.svg
    """
    _show(words, ("synonyms", "antonyms"), options, as_json, store, plot)


@click.command()
@_words_argument
@_lookup_options
def synonyms(words: tuple[str, ...], as_json: bool, store: str, **options: Any) -> None:  # noqa: ANN401
    """Show the synonyms of words.

    '-' reads words from standard input, one per line.

    \b
    Example:
      lexkit synonyms kind --direct --json
    """
    _show(words, ("synonyms",), options, as_json, store)


@click.command()
@_words_argument
@_lookup_options
def antonyms(words: tuple[str, ...], as_json: bool, store: str, **options: Any) -> None:  # noqa: ANN401
    """Show the antonyms of words.

    '-' reads words from standard input, one per line.

    \b
    Example:
      lexkit antonyms kind --source roget
    """
    _show(words, ("antonyms",), options, as_json, store)


@click.command("random")
@click.option(
    "--number",
    "-n",
    type=click.IntRange(1, _MOST_DRAWN),
    default=1,
    show_default=True,
    metavar="N",
    help="Number of words to draw.",
)
@pos_option
@click.option(
    "--seed", type=click.IntRange(0, LARGEST), metavar="N", help="Seed for the draw, to get the same words every time."
)
@click.option(
    "--limit",
    type=click.IntRange(1, LARGEST),
    default=12,
    show_default=True,
    metavar="N",
    help="Most answers of each kind to show.",
)
@json_option
@store_option
def random_words(number: int, pos: str | None, seed: int | None, limit: int, as_json: bool, store: str) -> None:
    """Show an interesting random word.

    Such a word has several synonyms and an antonym that a source states, and is neither rare nor very common. If the
    store has too few of these, as for conjunctions, other words with relations are drawn as well. The output has the
    format of 'lookup' with several words.

    \b
    Example:
      lexkit random
      lexkit random --pos verb -n 3 --seed 7
    """
    with open_store(store) as lexicon:
        from lexkit.cli.answers import find_answers, print_all, require_pos

        require_pos(lexicon, pos)
        words = lexicon.random(number, pos=pos, seed=seed)
        if not words:
            raise LexkitError(f"{lexicon.path}: no words with relations to draw from; build it from other sources")
        if len(words) < number:
            click.echo(f"{lexicon.path}: only {len(words):,} such words to draw, not {number:,}", err=True)
        options = {"pos": pos, "sort": "weight", "limit": limit, "forms": True}
        print_all((find_answers(lexicon, word, ("synonyms", "antonyms"), options) for word in words), as_json)


def _show(
    words: tuple[str, ...],
    kinds: tuple[str, ...],
    options: dict[str, Any],
    as_json: bool,
    store: str,
    plot: Path | None = None,
) -> None:
    is_one = len(words) == 1 and words != ("-",)
    if plot is not None and not is_one:
        raise click.UsageError("--plot draws only one word.")
    with open_store(store) as lexicon:
        from lexkit.cli.answers import document, find_answers, print_all, print_answers, require_pos

        require_pos(lexicon, options["pos"])
        if not is_one:
            missing: list[str] = []
            print_all(_each(lexicon, _asked(words), kinds, options, missing), as_json)
            click.get_current_context().exit(1 if missing else 0)
        answers = find_answers(lexicon, words[0], kinds, options)
        if plot is not None:
            _draw(lexicon, answers, plot)
    if as_json:
        print_json(document(answers))
    else:
        print_answers(answers)


def _asked(words: tuple[str, ...]) -> Iterator[str]:
    """Yield the words that were given, replacing '-' by the lines of standard input."""
    for word in words:
        if word == "-":
            yield from filter(None, map(str.strip, read_lines()))
        else:
            yield word


def _each(
    lexicon: Lexicon, words: Iterator[str], kinds: tuple[str, ...], options: dict[str, Any], missing: list[str]
) -> Iterator[Answers]:
    """Yield the answers for each word. Words that the store does not have are reported and added to *missing*."""
    from lexkit.cli.answers import find_answers

    for word in words:
        try:
            yield find_answers(lexicon, word, kinds, options)
        except WordNotFound as error:
            click.echo(f"error: {error}", err=True)
            missing.append(word)


def _draw(lexicon: Lexicon, answers: Answers, path: Path) -> None:
    from lexkit.reporting.neighborhood import plot_neighborhood

    if not any(answers.related.values()):
        raise LexkitError(
            f"{answers.title}: no relations to draw in {lexicon.path}; use fewer filters, or choose another word"
        )
    plot_neighborhood(lexicon, answers.title, answers.related["synonyms"], answers.related["antonyms"], path)
