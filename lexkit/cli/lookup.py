"""``lexkit lookup``, ``synonyms``, ``antonyms``, ``explain``."""

from __future__ import annotations

import sys
from collections.abc import Callable
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from lexkit.arguments import LARGEST, user_path
from lexkit.cli.output import (
    answer_options,
    console,
    is_terminal,
    isolate,
    json_option,
    open_store,
    print_json,
    print_table,
    store_option,
)
from lexkit.errors import LexkitError, WordNotFound

if TYPE_CHECKING:
    from lexkit.sources.records import Kind
    from lexkit.store.lexicon import Lexicon
    from lexkit.store.results import Evidence, Neighbor, WordForm

_KINDS: dict[str, Kind] = {"synonyms": "synonym", "antonyms": "antonym"}
_UNSURE = 0.5
"""Confidence below which an answer is marked."""
_STYLES = {"synonyms": "deep_sky_blue3", "antonyms": "dark_orange3"}  # to be read on dark and on light


_forms_option = click.option(
    "--forms/--no-forms",
    default=True,
    help="Answer for a form of another word (ran, mice, colour) with that word's relations; the default. "
    "The rules for forms are English; in other languages, forms are those that sources list.",
)


def _lookup_options(command: Callable[..., Any]) -> Callable[..., Any]:
    for option in (
        click.option("--direct", is_flag=True, help="Only relations that a source states."),
        click.option(
            "--same-pos", is_flag=True, help="Leave out relations derived across parts of speech (faultless -> fault)."
        ),
        click.option("--source", metavar="S", help="Only relations with evidence from this source."),
        answer_options,
        click.option("--limit", type=click.IntRange(1, LARGEST), help="Show at most this many words of each kind."),
        _forms_option,
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
        raise click.BadParameter(f"{value!r} ends in none of {', '.join(FORMATS)}.", ctx, param)
    return user_path(value)


@click.command()
@click.argument("word")
@click.option(
    "--plot",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    callback=_picture_file,
    help="Draw the neighbourhood as well, to a .png, .svg or .pdf file.",
)
@_lookup_options
def lookup(word: str, plot: Path | None, as_json: bool, store: str, **options: Any) -> None:  # noqa: ANN401
    """Show the synonyms and antonyms of WORD.

    --plot needs matplotlib (pip install 'lexkit[plot]').

    \b
    Example:
      lexkit lookup kind --limit 10
      lexkit lookup kind --plot kind.svg
    """
    _show(word, ("synonyms", "antonyms"), options, as_json, store, plot)


@click.command()
@click.argument("word")
@_lookup_options
def synonyms(word: str, as_json: bool, store: str, **options: Any) -> None:  # noqa: ANN401
    """Show the synonyms of WORD.

    \b
    Example:
      lexkit synonyms kind --direct --json
    """
    _show(word, ("synonyms",), options, as_json, store)


@click.command()
@click.argument("word")
@_lookup_options
def antonyms(word: str, as_json: bool, store: str, **options: Any) -> None:  # noqa: ANN401
    """Show the antonyms of WORD.

    \b
    Example:
      lexkit antonyms kind --source roget
    """
    _show(word, ("antonyms",), options, as_json, store)


def _show(
    word: str, kinds: tuple[str, ...], options: dict[str, Any], as_json: bool, store: str, plot: Path | None = None
) -> None:
    with open_store(store) as lexicon:
        found, forms = _require_word(lexicon, word, options["forms"], kinds)
        title = ", ".join(lexicon.find(word) or found)
        related: dict[str, list[Neighbor]] = {kind: getattr(lexicon, kind)(word, **options) for kind in kinds}
        if plot is not None:
            _draw(lexicon, title, related, plot)
    if as_json:
        print_json({"word": word, "found": found, "forms": [_named(form) for form in forms], **related})
    else:
        _tell_forms(forms, found)
        _print(title, related)


def _named(form: WordForm) -> dict[str, str]:
    return {"word": form.word, "lemma": form.lemma, "kind": form.kind}


def _tell_forms(forms: list[WordForm], found: list[str]) -> None:
    """Say in a line of what each word is a form, and whether that answers for it."""
    lemmas: dict[str, list[str]] = {}
    for form in forms:
        name = "form" if form.kind == "inflection" else "spelling"
        how = f"{name} of" if form.lemma in found else f"also a {name} of"
        lemmas.setdefault(f"{isolate(form.word, err=True)}: {how}", []).append(isolate(form.lemma, err=True))
    for beginning, words in lemmas.items():
        click.echo(f"{beginning} {', '.join(words)}", err=True)


def _draw(lexicon: Lexicon, title: str, related: dict[str, list[Neighbor]], path: Path) -> None:
    from lexkit.reporting.neighborhood import plot_neighborhood

    if not any(related.values()):
        raise LexkitError(
            f"{title}: no relations to draw in {lexicon.path}; allow more of them, or choose another word"
        )
    plot_neighborhood(lexicon, title, related["synonyms"], related["antonyms"], path)


def _print(title: str, related: dict[str, list[Neighbor]]) -> None:
    if not any(related.values()):
        click.echo(f"{title}: no {' or '.join(related)}", err=True)
        return
    if is_terminal(sys.stdout):
        _print_groups(title, related)
        return
    rows = [
        (kind[:-1], neighbor.word, ", ".join(neighbor.pos), _how(neighbor), ", ".join(neighbor.sources))
        for kind, neighbors in related.items()
        for neighbor in neighbors
    ]
    print_table(title, ("relation", "word", "pos", "how", "sources"), rows)


def _print_groups(title: str, related: dict[str, list[Neighbor]]) -> None:
    """Draw words in their order, those that follow each other and are related in the same way on one row."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # no markup anywhere: a word may look like it
    table = Table(title=Text(isolate(title), "bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("words", min_width=24)
    for name in ("pos", "how", "sources"):
        table.add_column(name, style="dim", overflow="fold")
    for kind, neighbors in related.items():
        if neighbors:
            table.add_row(Text(f"{len(neighbors)} {kind if len(neighbors) > 1 else kind[:-1]}", "bold"))
        for how, members in groupby(neighbors, lambda n: (", ".join(n.pos), _how(n), ", ".join(n.sources))):
            table.add_row(
                Text(", ".join(isolate(member.word) for member in members), _STYLES[kind]),
                *map(Text, map(isolate, how)),
            )
        table.add_section()
    console().print(table)


def _how(neighbor: Neighbor) -> str:
    contested = ("contested",) if neighbor.contested else ()
    unsure = ("unsure",) if neighbor.confidence < _UNSURE else ()
    return ", ".join(("stated" if neighbor.direct else "derived", *unsure, *contested, *neighbor.usage))


@click.command()
@click.argument("word1")
@click.argument("word2")
@_forms_option
@json_option
@store_option
def explain(word1: str, word2: str, forms: bool, as_json: bool, store: str) -> None:
    """Show every piece of evidence for a relation between WORD1 and WORD2, derivations included.

    \b
    Example:
      lexkit explain kind friendly
    """
    with open_store(store) as lexicon:
        answers = [_require_word(lexicon, word, forms, tuple(_KINDS)) for word in (word1, word2)]
        kinds = lexicon.relation(word1, word2, forms=forms)
        evidence = lexicon.explain(word1, word2, forms=forms)
    found, found_forms = [words for words, _ in answers], [form for _, some in answers for form in some]
    if as_json:
        named = [_named(form) for form in found_forms]
        print_json({"words": found, "forms": named, "relations": kinds, "evidence": evidence})
        return
    _tell_forms(found_forms, [word for words in found for word in words])
    a, b = (", ".join(map(isolate, words)) for words in found)
    if not evidence:
        click.echo(f"{a} and {b} are not related in {store}")
        return
    names = {(): "not related", ("synonym",): "synonyms", ("antonym",): "antonyms"}
    click.echo(f"{a} and {b}: {names.get(tuple(kinds), 'both synonyms and antonyms (contested)')}")
    for item in evidence:
        click.echo(f"  {' '.join(_explanation(item).split())}")


_OWN_RULES = {
    "negation": "one is the other negated",
    "reversal": "one undoes the other",
    "double negation": "one is the other negated twice",
    "indirect": "opposed by way of a word that is near to one of them",
}


def _explanation(item: Evidence) -> str:
    notes = ", ".join(filter(None, (item.pos, *item.usage)))
    pos = f" ({notes})" if notes else ""
    if item.rule is None:
        return f"{item.kind}{pos}: {item.source} states it" + (f": {isolate(item.sense)}" if item.sense else "")
    if item.derived_from is None:
        how = _OWN_RULES.get(item.rule, item.rule)
        text = f"{item.kind}{pos}: {how}, says {item.source}"
    else:
        x, y, kind = *map(isolate, item.derived_from[:2]), item.derived_from[2]
        text = f"{item.kind}{pos}: by {item.rule} from {x} / {y}, {kind}s in {item.source}"
    return text + (" -- but a source states the contrary, so it does not count" if item.contradicted else "")


def _require_word(lexicon: Lexicon, word: str, forms: bool, kinds: tuple[str, ...]) -> tuple[list[str], list[WordForm]]:
    """Return the words whose relations answer, and of what the word is a form, if that is wanted."""
    answering = [lexicon.find(word, forms=forms, kind=_KINDS[name]) for name in kinds]
    found = list(dict.fromkeys(other for words in answering for other in words))
    if not found:
        raise WordNotFound(word, lexicon.path, lexicon.suggest(word))
    return found, lexicon.forms(word) if forms else []
