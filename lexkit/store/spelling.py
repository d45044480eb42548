"""When two spellings are one word to whoever looks it up: capitals, apostrophes, hyphens, marks that are left out."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa

from lexkit.text import fold

# What keyboards and editors put for one sign
_SIGNS = {
    **dict.fromkeys(
        map(ord, "\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u02c8\u00b4`\u2032\u055a\u05f3\ua78b\ua78c"), "'"
    ),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\u05be"), "-"),
    # joiners shape letters; vowel points and lengthened lines are left out in ordinary writing
    **dict.fromkeys((0x200C, 0x200D, *range(0x0591, 0x05BE), 0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7), ""),
    **dict.fromkeys((0x0640, *range(0x064B, 0x0653), 0x0670), ""),
}
_AFTER = {0x131: "i", 0x307: "", 0x451: "\u0435"}
"""What is left of a Turkish capital i and its small dotless sister, which other languages take for i, and the Cyrillic
io, whose dots are left out in ordinary Russian."""
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]+")
_CAPITAL_SIGMA = re.compile(r"\u03c3(?!\w)")
_MARKS = re.compile("[\u0300-\u036f]")

_APOSTROPHES = ("'", "\u2019", "\u02bc")
"""How dictionaries write an apostrophe: typewriters, printers, and Ukrainian where it is a letter."""
_TWINS = re.compile("['\u2018\u2019\u02b9\u02bc\u00b4`\u2032\u200c\u200d]")


def search_key(word: str) -> str:
    """Return what all spellings of *word* have in common that look-ups take for the same.

    Args:
        word: as `lexkit.text.normalize_word` leaves it.

    Returns:
        The word without difference of case in any script (also ss for a sharp s, one sigma, Greek capitals without
        their accents, i with and without dots), of the dots of a Russian \u0451, of apostrophes, of
        hyphens and of the width of letters, and without joiners and the vowel points of Hebrew and Arabic.

    >>> search_key("L\u2019HOMME"), search_key("Stra\u00dfe"), search_key("\u039f\u0394\u039f\u03a3")
    ("l'homme", 'strasse', 'οδοσ')
    """
    if word.isascii():
        return word.lower().replace("`", "'")
    text = unicodedata.normalize("NFKC", word.translate(_SIGNS)).casefold().translate(_SIGNS)
    if _GREEK.search(text):
        text = _GREEK.sub(lambda greek: _MARKS.sub("", unicodedata.normalize("NFD", greek[0])), text)
    return text if text.isascii() else unicodedata.normalize("NFC", text).translate(_AFTER)


def has_twins(word: str) -> bool:
    """Whether a word has signs that dictionaries write in several ways."""
    return _TWINS.search(word) is not None


def ends_as_capitals(folded: str) -> bool:
    """Whether a word in lower case ends in the sigma that capitals leave there, as no Greek word does."""
    return _CAPITAL_SIGMA.search(folded) is not None


def twins(word: str) -> list[str]:
    """Return how else a word may be written, with other apostrophes or without joiners: l'homme, l\u2019homme."""
    if not has_twins(word):
        return []
    plain = word.translate(_SIGNS)
    return [other for other in dict.fromkeys(plain.replace("'", sign) for sign in _APOSTROPHES) if other != word]


def find_unusual(words: pa.Array) -> dict[str, list[int]]:
    """Return the places of the words whose key is not their lower case, by that key."""
    texts: list[str] = words.to_pylist()
    characters = set().union(*texts)
    differing = [character for character in characters if search_key(character) != fold(character)]
    found: dict[str, list[int]] = {}
    if differing:
        search = re.compile(f"[{''.join(map(re.escape, differing))}]").search
        for place, text in enumerate(texts):
            if search(text):
                found.setdefault(search_key(text), []).append(place)
    return found
