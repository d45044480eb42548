"""How lexkit spells a word, and what can be one. The same rules hold for sources and for users' queries."""

from __future__ import annotations

import re
import unicodedata

LONGEST_WORD = 1_000
"""Maximum number of characters in a word. The longest proverbs in Wiktionary have 300."""

_SPACE = re.compile(r"\s+")
# Soft hyphens, zero-width spaces, direction and byte order marks, but not joiners, which some scripts need in words
_INVISIBLE = re.compile("[\u00ad\u061c\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e007f]")
# The zero-width joiners, and the vowel separator of Mongolian
_JOINERS = "\u200c\u200d\u180e"
# Control characters except white space, surrogates, and private characters, which only special fonts can show
_CONTROL = re.compile("[\x00-\x08\x0e-\x1b\x7f-\x84\x86-\x9f\ud800-\uf8ff\ufff9-\ufffb\U000f0000-\U0010ffff]")
_NO_JOINERS = str.maketrans("", "", _JOINERS)
_NAME = re.compile(r"[\w-]{1,50}")


def normalize_word(text: str) -> str:
    r"""Return *text* as the store keeps it: Unicode NFC, trimmed, inner white space collapsed, case unchanged.

    Invisible characters are removed, except for joiners within a word, which Persian and other languages need.

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
    r"""Return a gloss or a note as the store keeps it: normalized as words are, and without control characters.

    >>> normalize_text("not\x00 kind;\n cruel")
    'not kind; cruel'
    """
    return normalize_word(text if text.isprintable() else _CONTROL.sub("", text))


def without_unprintable(text: str) -> str:
    r"""Return *text* for one line of a message or a table, with replacement characters for unprintable ones.

    >>> without_unprintable("clear\x1b[2J\n")
    'clear�[2J�'
    """
    return text if text.isprintable() else "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)


def fold(word: str) -> str:
    """Return the form under which *word* is looked up: converted to lower case character by character.

    This is what DuckDB's ``lower()`` does. Python's `str.lower` differs for a Greek final sigma and a Turkish
    capital i.
    """
    return word.lower() if word.isascii() else "".join(map(_lower, word))


def _lower(character: str) -> str:
    lower = character.lower()
    return lower if len(lower) == 1 else "i" if character == "\u0130" else character


def is_word(text: str) -> bool:
    r"""Whether *text* can be a word of a store: it has a letter, no control or surrogate character, and fits the limit.

    >>> is_word("rock 'n' roll"), is_word("12"), is_word("a\x1b[2J"), is_word("ha" * 1000)
    (True, False, False, False)
    """
    return len(text) <= LONGEST_WORD and (
        text.isalpha() or (any(map(str.isalpha, text)) and text.translate(_NO_JOINERS).isprintable())
    )


def is_name(text: str) -> bool:
    """Whether *text* can name a part of speech or a scope. A store joins such names with commas, so they have none."""
    return _NAME.fullmatch(text) is not None
