"""Words that insult people, and swear words."""

from __future__ import annotations

import csv
from typing import Literal, NamedTuple

from lexkit.sources.data_files import data_file

LIST = "offensive.tsv"


class Offensive(NamedTuple):
    """A word or phrase that insults people, or that is vulgar."""

    word: str
    """In lower case, as `lexkit.text.fold` has it."""
    label: Literal["offensive", "vulgar"]
    in_sense: bool
    """Whether it is so in one sense only: *spade* is a tool as well. Such a word must not be hidden as a word."""
    heads: tuple[str, ...]
    """The heads of Roget's Thesaurus under which a word is offensive that is so in one sense only."""
    reason: str
    sources: tuple[str, ...]
    """Where it occurs: ``roget``, ``wordnet``, ``wiktionary``."""


def offensive_words() -> list[Offensive]:
    """Return the reviewed list ``data_sources/offensive.tsv``; docs/sources.md says what is in it and what is not."""
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
