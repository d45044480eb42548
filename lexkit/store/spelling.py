"""Decide when look-ups treat two spellings as one word: capitals, apostrophes, hyphens, marks often left out."""

from __future__ import annotations

import re
import unicodedata

import pyarrow as pa

from lexkit.text import fold

# Different characters that keyboards and editors produce for the same sign
_SIGNS = {
    **dict.fromkeys(
        map(ord, "\u2018\u2019\u201b\u02b9\u02bb\u02bc\u02bd\u02c8\u00b4`\u2032\u055a\u05f3\ua78b\ua78c"), "'"
    ),
    **dict.fromkeys(map(ord, "\u2010\u2011\u2012\u2013\u2212\u05be"), "-"),
    # joiners only shape letters; vowel points and lengthening lines are omitted in ordinary writing
    **dict.fromkeys((0x200C, 0x200D, *range(0x0591, 0x05BE), 0x05BF, 0x05C1, 0x05C2, 0x05C4, 0x05C5, 0x05C7), ""),
    **dict.fromkeys((0x0640, *range(0x064B, 0x0653), 0x0670), ""),
}
_AFTER = {0x131: "i", 0x307: "", 0x451: "\u0435"}
"""Replacements after case folding: the dotted capital and the dotless small i of Turkish become a plain i, as other
languages read them, and the Cyrillic io loses its dots, as in ordinary Russian."""
_GREEK = re.compile("[\u0370-\u03ff\u1f00-\u1fff]+")
_CAPITAL_SIGMA = re.compile(r"\u03c3(?!\w)")
_MARKS = re.compile("[\u0300-\u036f]")

_APOSTROPHES = ("'", "\u2019", "\u02bc")
"""Characters that dictionaries use as apostrophes: of typewriters, of printers, and the letter of Ukrainian."""
_TWINS = re.compile("['\u2018\u2019\u02b9\u02bc\u00b4`\u2032\u200c\u200d]")


def search_key(word: str) -> str:
    """Return a key that is equal for all spellings of *word* that look-ups treat as the same.

    Args:
        word: a word as `lexkit.text.normalize_word` returns it.

    Returns:
        The word without differences in case in any script (including ss for a sharp s, one form of sigma, Greek letters
        without accents, i with and without dots), in the dots of a Russian \u0451, in apostrophes, in hyphens and in
        the width of letters, and without joiners and the vowel points of Hebrew and Arabic.

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
    """Whether a word contains signs that dictionaries write in several ways."""
    return _TWINS.search(word) is not None


def ends_as_capitals(folded: str) -> bool:
    """Whether a word in lower case ends in a non-final sigma. Greek words do so only if they were in capitals."""
    return _CAPITAL_SIGMA.search(folded) is not None


def twins(word: str) -> list[str]:
    """Return other ways to write a word, with other apostrophes or without joiners: l\u2019homme for l'homme."""
    if not has_twins(word):
        return []
    plain = word.translate(_SIGNS)
    return [other for other in dict.fromkeys(plain.replace("'", sign) for sign in _APOSTROPHES) if other != word]


def find_unusual(words: pa.Array) -> dict[str, list[int]]:
    """Return the positions of words whose search key differs from their lower case, by that key."""
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
