"""Map the names that Wiktionary's editions use for parts of speech to wiktextract's common names."""

from __future__ import annotations

from functools import cache

from lexkit.sources.data_files import data_file
from lexkit.text import is_name

LIST = "parts_of_speech.tsv"


@cache
def common_names() -> dict[str, str | None]:
    """Return the common name of every known name in lower case; None for names that are not parts of speech."""
    found: dict[str, str | None] = {}
    for line in data_file(LIST).read_text(encoding="utf-8").splitlines()[1:]:
        pos, _, names = line.split("\t")
        found.update(dict.fromkeys(names.lower().split("|"), pos or None))
    return found


def read_pos(name: str) -> tuple[str | None, bool]:
    """Return the common name of a part of speech, and whether the name is known.

    If the whole name is unknown, the part before the first comma is tried, without the gender for example. An unknown
    name is kept as the source writes it if it is a valid name, since a store joins names with commas.

    >>> read_pos("Adjektiv"), read_pos("rzeczownik, rodzaj męski"), read_pos("mantra"), read_pos("stem: absolvent-")
    (('adj', True), ('noun', True), ('mantra', False), (None, False))
    """
    text = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    known = common_names()
    if not text:
        return None, True
    for name_or_part in (text.lower(), text.lower().split(",")[0]):
        if name_or_part in known:
            return known[name_or_part], True
    return text if is_name(text) else None, False
