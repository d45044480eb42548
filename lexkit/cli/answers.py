"""Find the answers for words, and print them; shared by the commands that look up words."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import click

from lexkit.cli.output import console, is_terminal, isolate, print_json, print_table
from lexkit.errors import LexkitError, WordNotFound
from lexkit.sources.records import Kind
from lexkit.store.lexicon import Lexicon
from lexkit.store.results import Neighbor, WordForm

KINDS: dict[str, Kind] = {"synonyms": "synonym", "antonyms": "antonym"}
_UNSURE = 0.5
"""Confidence below which an answer is marked."""
_LEAST_ROOM = 30
"""Fewest columns beside the parts of speech. On a narrower terminal, the parts of speech get lines of their own."""
_STYLES = {"synonyms": "deep_sky_blue3", "antonyms": "dark_orange3"}  # legible on dark and on light backgrounds
_COLUMNS = ("relation", "word", "pos", "how", "sources")
_ORDERS = {
    "weight": lambda neighbor: -neighbor.weight,
    "word": lambda neighbor: (neighbor.word.casefold(), neighbor.word),
    "confidence": lambda neighbor: (-neighbor.confidence, -neighbor.weight),
}


class Answers(NamedTuple):
    """The answers for one word."""

    word: str
    """The word as it was asked for."""
    found: list[str]
    """The words of the store whose relations answer."""
    forms: list[WordForm]
    """The forms that the word is, each with its lemma."""
    title: str
    related: dict[str, list[Neighbor]]
    """The answers by kind: *synonyms*, *antonyms*, or both."""
    totals: dict[str, int]
    """Number of answers of each kind without a limit."""


def find_answers(lexicon: Lexicon, word: str, kinds: Sequence[str], options: dict[str, Any]) -> Answers:
    """Return the answers for a word.

    Args:
        lexicon: the store.
        word: the word as it was asked for.
        kinds: ``synonyms``, ``antonyms``, or both.
        options: those of `Lexicon.synonyms`; ``pos``, a part of speech or None; and ``sort``, a key of the order.

    Raises:
        WordNotFound: the store does not have the word.
    """
    others = dict(options)
    pos, order, limit = others.pop("pos"), _ORDERS[others.pop("sort")], others.pop("limit")
    found, forms = require_word(lexicon, word, options["forms"], kinds)
    related, totals = {}, {}
    for kind in kinds:
        neighbors = [one for one in getattr(lexicon, kind)(word, **others) if pos is None or pos in one.pos]
        related[kind], totals[kind] = sorted(neighbors, key=order)[:limit], len(neighbors)
    return Answers(word, found, forms, ", ".join(lexicon.find(word) or found), related, totals)


def require_word(lexicon: Lexicon, word: str, forms: bool, kinds: Iterable[str]) -> tuple[list[str], list[WordForm]]:
    """Return the words whose relations answer and, with *forms*, the forms that the word is.

    Raises:
        WordNotFound: the store does not have the word.
    """
    answering = [lexicon.find(word, forms=forms, kind=KINDS[name]) for name in kinds]
    found = list(dict.fromkeys(other for words in answering for other in words))
    if not found:
        raise WordNotFound(word, lexicon.path, _similar(lexicon, word))
    return found, lexicon.forms(word) if forms else []


def _similar(lexicon: Lexicon, word: str) -> list[str]:
    """Return similar words. Those that are forms of other words are followed by their lemmas."""
    near = lexicon.suggest(word)
    lemmas = {other: [form.lemma for form in lexicon.forms(other) if form.kind == "inflection"] for other in near}
    return [f"{other} (form of {', '.join(lemmas[other])})" if lemmas[other] else other for other in near]


def require_pos(lexicon: Lexicon, pos: str | None) -> None:
    """Check that some relation of the store has a part of speech.

    Raises:
        LexkitError: the store has no such part of speech.
    """
    if pos is None:
        return
    known = parts_of_speech(lexicon)
    if pos not in known:
        has = f"it has {', '.join(known)}" if known else "its sources give none"
        raise LexkitError(f"no part of speech {pos!r} in {lexicon.path}; {has}")


def parts_of_speech(lexicon: Lexicon) -> list[str]:
    """Return the parts of speech of the store's relations, with the names that wiktextract uses."""
    query = (
        "SELECT DISTINCT unnest(string_split(pos, ',')) AS pos FROM (SELECT DISTINCT pos FROM relation) ORDER BY pos"
    )
    return [pos for pos in lexicon.sql(query)["pos"].to_pylist() if pos]


def document(answers: Answers) -> dict[str, Any]:
    """Return the answers for one word as ``--json`` prints them."""
    forms = list(map(named, answers.forms))
    return {"word": answers.word, "found": answers.found, "forms": forms, **answers.related}


def named(form: WordForm) -> dict[str, str]:
    """Return a form as ``--json`` prints it."""
    return {"word": form.word, "lemma": form.lemma, "kind": form.kind}


def print_answers(answers: Answers) -> None:
    """Print the answers for one word."""
    _tell(answers)
    if not any(answers.related.values()):
        return
    if is_terminal(sys.stdout):
        _print_groups(answers)
    else:
        print_table(answers.title, _COLUMNS, _rows(answers))


def print_all(found: Iterable[Answers], as_json: bool) -> None:
    """Print the answers for several words as one JSON list, as a table for each word on a terminal, or as one table.

    Args:
        found: the answers for each word. They are printed as they arrive, except as JSON.
        as_json: whether to print JSON.
    """
    if as_json:
        print_json([document(answers) for answers in found])
        return
    if not is_terminal(sys.stdout):
        click.echo("\t".join(("asked", *_COLUMNS)))
    for answers in found:
        _tell(answers)
        if is_terminal(sys.stdout):
            _print_groups(answers)
        for row in [] if is_terminal(sys.stdout) else _rows(answers):
            click.echo("\t".join(" ".join(cell.split()) for cell in (answers.word, *row)))


def _tell(answers: Answers) -> None:
    """Report on standard error which word this is a form of, or that there are no answers."""
    tell_forms(answers.forms, answers.found)
    if not any(answers.related.values()):
        click.echo(f"{answers.title}: no {' or '.join(answers.related)}", err=True)


def tell_forms(forms: list[WordForm], found: list[str]) -> None:
    """Print a line for each form: which lemmas it belongs to, and whether their relations are included."""
    lemmas: dict[str, list[str]] = {}
    for form in forms:
        name = "form" if form.kind == "inflection" else "spelling"
        how = f"{name} of" if form.lemma in found else f"also a {name} of"
        lemmas.setdefault(f"{isolate(form.word, err=True)}: {how}", []).append(isolate(form.lemma, err=True))
    for beginning, words in lemmas.items():
        click.echo(f"{beginning} {', '.join(words)}", err=True)


def _rows(answers: Answers) -> Iterator[tuple[str, ...]]:
    for kind, neighbors in answers.related.items():
        for neighbor in neighbors:
            how = ("stated" if neighbor.direct else "derived", *_marks(neighbor))
            yield kind[:-1], neighbor.word, ", ".join(neighbor.pos), ", ".join(how), ", ".join(neighbor.sources)


def _marks(neighbor: Neighbor) -> tuple[str, ...]:
    """Return the marks that are shown beside an answer."""
    unsure = ("unsure",) if neighbor.confidence < _UNSURE else ()
    contested = ("contested",) if neighbor.contested else ()
    return (*unsure, *contested, *neighbor.usage)


def _print_groups(answers: Answers) -> None:
    """Print the answers grouped by part of speech, in order, each followed by its marks."""
    from rich.table import Table
    from rich.text import Text

    # Text instead of markup, because a word may look like markup
    screen = console()
    if not any(answers.related.values()):
        return
    groups = {kind: _by_pos(neighbors) for kind, neighbors in answers.related.items() if neighbors}
    width = max(len(label) for of_kind in groups.values() for label in of_kind)
    is_narrow = screen.width - width < _LEAST_ROOM
    screen.print(Text(isolate(answers.title), "bold"), soft_wrap=True)
    for kind, of_kind in groups.items():
        n, total = len(answers.related[kind]), answers.totals[kind]
        shown = "" if n == total else f"{n:,} of "
        screen.print()
        screen.print(Text(f"{shown}{total:,} {kind if total > 1 else kind[:-1]}", "bold"))
        table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
        if not is_narrow:
            table.add_column(width=width, style="dim", no_wrap=True)
        table.add_column(overflow="fold")
        for label, neighbors in of_kind.items():
            row = (Text(label, "dim"), _words(neighbors, _STYLES[kind]))
            for cells in ((cell,) for cell in row if cell) if is_narrow else (row,):
                table.add_row(*cells)
        screen.print(table)
    sources = sorted({source for of in answers.related.values() for neighbor in of for source in neighbor.sources})
    screen.print(Text(f"\nsources: {', '.join(sources)}\n", "dim"))


def _by_pos(neighbors: Sequence[Neighbor]) -> dict[str, list[Neighbor]]:
    """Group answers by part of speech, and within it into stated and derived ones.

    An answer with several parts of speech goes to the one that occurred first.
    """
    found: dict[str, tuple[list[Neighbor], list[Neighbor]]] = {}
    for neighbor in neighbors:
        pos = next((pos for pos in neighbor.pos if pos in found), (*neighbor.pos, "other")[0])
        found.setdefault(pos, ([], []))[not neighbor.direct].append(neighbor)
    if list(found) == ["other"]:
        found = {"": found["other"]}  # no source states parts of speech
    labels = {
        ", ".join(filter(None, (pos, how))): of_pos
        for pos, both in found.items()
        for how, of_pos in zip(("", "derived"), both, strict=True)
    }
    return {label: of_label for label, of_label in labels.items() if of_label}


def _words(neighbors: Sequence[Neighbor], style: str) -> Any:  # noqa: ANN401  # rich is imported late
    from rich.text import Text

    text = Text()
    for neighbor in neighbors:
        text.append(", " if text else "")
        text.append(isolate(neighbor.word), style)
        if marks := _marks(neighbor):
            text.append(f" ({', '.join(marks)})", "dim")
    return text
