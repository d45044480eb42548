"""The list of words that insult people, and of swear words."""

from __future__ import annotations

import csv
from typing import Literal, NamedTuple

from lexkit.sources.data_files import data_file

LIST = "offensive.tsv"


class Offensive(NamedTuple):
    """A word or phrase that insults people or is vulgar."""

    word: str
    """The word in lower case, as `lexkit.text.fold` returns it."""
    label: Literal["offensive", "vulgar"]
    in_sense: bool
    """Whether the label applies to one sense only: *spade* is also a tool. Such a word must not be hidden."""
    heads: tuple[str, ...]
    """The heads of Roget's Thesaurus under which the label applies, if it applies to one sense only."""
    reason: str
    sources: tuple[str, ...]
    """The sources that have the word: ``roget``, ``wordnet``, ``wiktionary``."""


def offensive_words() -> list[Offensive]:
    """Return the reviewed list ``data_sources/offensive.tsv``; docs/sources.md explains what it covers."""
    text = data_file(LIST).read_text(encoding="utf-8")
    return [
        Offensive(
            row["word"],
            row["label"],  # type: ignore[arg-type]  # a test checks the file
            row["in_sense"] == "yes",
            tuple(head for head in row["heads"].split(",") if head),
            row["reason"],
            tuple(row["sources"].split(",")),
        )
        for row in csv.DictReader(text.splitlines(), delimiter="\t", quoting=csv.QUOTE_NONE)
    ]
