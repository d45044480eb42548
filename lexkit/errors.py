"""The errors that lexkit raises on purpose.

Every message is one line and says what is wrong, where, and how to fix it. The command line prints it
after ``error:`` and exits with 1. Any other exception that reaches the user is a bug in lexkit.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from lexkit.text import normalize_text

_LONGEST_REASON = 400
"""Maximum number of characters quoted from another library's message."""
_LONGEST_WORD = 100


class LexkitError(Exception):
    """Base of everything that lexkit raises on purpose."""


class SourceError(LexkitError):
    """A source file is missing, unreadable, or not of the expected kind."""


class PluginError(LexkitError):
    """A reader from another package is missing or broken, or yields records that a store cannot hold."""


class FetchError(LexkitError):
    """A download failed, or the cache cannot be used."""


class StoreError(LexkitError):
    """A store is missing, is not a lexkit store, has another schema, or cannot be written."""


class QueryError(LexkitError):
    """A store refuses or cannot parse a query."""


class WordNotFound(QueryError):
    """The store does not have a word that was looked up with ``strict=True``.

    Args:
        word: the word that was looked up.
        store: the path of the store.
        similar: similar words of the store, the most similar first.

    Attributes:
        word: the word that was looked up.
        similar: similar words of the store, the most similar first; perhaps none.
    """

    def __init__(self, word: str, store: str | os.PathLike[str], similar: Sequence[str]) -> None:
        super().__init__(word, store, similar)
        self.word, self.similar = word, list(similar)
        self._store = store

    def __str__(self) -> str:
        hint = "no similar words found; check the spelling"
        if self.similar:
            hint = f"similar words: {', '.join(self.similar)}"
        word = self.word if len(self.word) <= _LONGEST_WORD else f"{self.word[:_LONGEST_WORD]}..."
        return f"{word!r} is not in {os.fspath(self._store)}; {hint}"


class ArgumentError(LexkitError):
    """An argument has a value that it cannot have; the command line refuses it as wrong usage, with exit code 2."""


class TokenizerError(LexkitError):
    """A tokenizer cannot be found or loaded."""


class HubError(LexkitError):
    """An upload to the Hugging Face hub failed or cannot begin."""


class Stopped(KeyboardInterrupt):
    """A signal stopped a run that the same command can resume. That is not a failure, so not a `LexkitError`.

    Args:
        message: one line that says what was saved.
        number: number of the signal; the command exits with 128 plus this number.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message, number)
        self.message, self.number = message, number

    def __str__(self) -> str:
        return self.message


def first_line(error: BaseException) -> str:
    r"""Return the first line of an error's message, without control characters or a full stop, or else its type's name.

    A very long line is cut, because some libraries quote the whole file that they cannot read.

    >>> first_line(ValueError("\x1b[2J\n \n\x00no such device.\nTraceback")), first_line(ValueError())
    ('[2J', 'ValueError')
    """
    lines = (normalize_text(line).rstrip(" .:") for line in str(error).splitlines())
    line = next(filter(None, lines), type(error).__name__)
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} ..."
