"""Read Princeton's database format, wndb(5WN): the files data.noun, data.verb, data.adj and data.adv.

A line of a data file is a synset: its words, its pointers to other synsets, and its gloss after a vertical bar. The
index files contain nothing else and are not read. The first lines of each data file are its licence.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from lexkit.sources.catalog import is_non_commercial
from lexkit.sources.read_report import ReadReport, Reason
from lexkit.sources.wordnet.synsets import OPEN_ENGLISH, ORIGIN, PRINCETON, Pointer, Synset

FILES = {"data.noun": ("n", "noun"), "data.verb": ("v", "verb"), "data.adj": ("a", "adj"), "data.adv": ("r", "adv")}
"""The letter that pointers use for the synsets of each file, and wiktextract's name of the part of speech."""
_MARKER = re.compile(r"\((?:p|a|ip)\)$")
"""Mark of an adjective's position (predicate, prenominal, immediately postnominal), which is not part of the word."""
_EXAMPLES = re.compile(r';\s*"')
_LICENCES = {"open english wordnet": OPEN_ENGLISH, "princeton university": PRINCETON}
"""Licences by a text in the notice. The first match counts, since OEWN repeats Princeton's notice."""


def read(name: str, lines: Iterable[bytes], report: ReadReport) -> Iterator[tuple[str, Synset]]:
    """Yield the synsets of one of `FILES` with their keys.

    Args:
        name: name of the file.
        lines: lines of the file.
        report: counts synsets read, and lines refused; the licence that the first lines name is set in it.
    """
    letter, pos = FILES[name]
    notice = []
    for number, line in enumerate(lines, 1):
        if line.startswith(b"  "):
            notice.append(line.decode("utf-8", "replace").lower())
            continue
        if not line.strip():
            continue
        report.n_records += 1
        where = f"{name}, line {number}"
        try:
            text = line.decode("utf-8")
        except UnicodeDecodeError:
            report.reject(Reason.INVALID_UTF8, line.decode("utf-8", "replace"), where=where)
            continue
        try:
            offset, words, antonyms, heads = _parse(text.partition("|")[0].split())
        except (ValueError, IndexError):
            report.reject(Reason.MALFORMED, text, where=where)
            continue
        definition = _EXAMPLES.split(text.partition("|")[2], maxsplit=1)[0].strip() or None
        yield f"{letter}{offset}", Synset(words, pos, definition, antonyms, heads, where)
    text = "".join(notice)
    if named := [licence for owner, licence in _LICENCES.items() if owner in text]:
        report.origin = ORIGIN
    terms = [*named[:1], *(["LicenseRef-non-commercial"] if is_non_commercial(text) else [])]
    report.licence = " AND ".join(dict.fromkeys(filter(None, [*(report.licence or "").split(" AND "), *terms]))) or None


def _parse(fields: list[str]) -> tuple[str, tuple[str, ...], tuple[Pointer, ...], tuple[str, ...]]:
    """Return the offset, words, antonym pointers and heads of a synset.

    Raises:
        ValueError, IndexError: the fields are not those of a synset.
    """
    if not re.fullmatch("[0-9A-Fa-f]{2}", fields[3]):  # as many digits as the format has, wndb(5WN)
        raise ValueError("not a number of words")
    offset, n_words = fields[0], int(fields[3], 16)
    after_words = 4 + 2 * n_words
    if not re.fullmatch("[0-9]{3}", fields[after_words]):
        raise ValueError("not a number of pointers")
    n_pointers = int(fields[after_words])
    pointers = fields[after_words + 1 : after_words + 1 + 4 * n_pointers]
    if not offset.isdecimal() or n_words < 1 or len(pointers) != 4 * n_pointers:
        raise ValueError("not a synset")
    words = tuple(_MARKER.sub("", word).replace("_", " ") for word in fields[4:after_words:2])
    antonyms, heads = [], []
    for symbol, target, pos, numbers in zip(*(pointers[i::4] for i in range(4)), strict=True):
        key = f"{'a' if pos == 's' else pos}{target}"  # satellites (s) are in the file of adjectives
        if symbol == "!":
            antonyms.append(Pointer(key, *_word_numbers(numbers)))
        elif symbol == "&" and fields[2] == "s":
            heads.append(key)
    return offset, words, tuple(antonyms), tuple(heads)


def _word_numbers(text: str) -> tuple[int, int]:
    source, target = bytes.fromhex(text)
    return source, target
