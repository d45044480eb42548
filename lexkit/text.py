"""How lexkit writes a word: one spelling for one word, whatever the source."""

from __future__ import annotations

import re
import unicodedata

_SPACE = re.compile(r"\s+")
# Soft hyphens, spaces of no width, marks of direction and byte order; joiners are letters of some scripts inside a word
_INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff]")
# Those of zero width, and the vowel separator of Mongolian
_JOINERS = "\u200c\u200d\u180e"
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\udfff]")  # but for white space
_NO_JOINERS = str.maketrans("", "", _JOINERS)


def normalize_word(text: str) -> str:
    r"""Return *text* as the store keeps it: Unicode NFC, trimmed, inner white space collapsed, case kept.

    Characters that nobody sees are removed, except for joiners within a word, which Persian and others need.

    >>> normalize_word("  ice\u00a0 cream "), normalize_word("be\u00adnign\u200e")
    ('ice cream', 'benign')
    """
    if text.isascii():
        if text.isalpha():
            return text
        if "  " not in text and text.isprintable():
            return text.strip()
    return _SPACE.sub(" ", unicodedata.normalize("NFC", _INVISIBLE.sub("", text))).strip(" " + _JOINERS)


def normalize_text(text: str) -> str:
    r"""Return a gloss or a note as the store keeps it: without control characters, white space collapsed.

    >>> normalize_text("not\x00 kind;\n cruel")
    'not kind; cruel'
    """
    return text if text.isprintable() else _SPACE.sub(" ", _CONTROL.sub("", text)).strip()


def fold(word: str) -> str:
    """Return the form under which *word* is looked up: lower case, character by character.

    This is DuckDB's ``lower()``, so that Python and SQL agree (they would not on a Greek final sigma or a Turkish
    capital i).
    """
    return word.lower() if word.isascii() else "".join(map(_lower, word))


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else "i" if character == "\u0130" else character


def is_word(text: str) -> bool:
    """Whether *text* can be a word of a store: it holds a letter and no control or surrogate character."""
    return text.isalpha() or (any(map(str.isalpha, text)) and text.translate(_NO_JOINERS).isprintable())
