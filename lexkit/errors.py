"""The errors that lexkit raises on purpose.

Every message is one line and says what is wrong, where, and how to fix it. The command line prints it
after ``error:`` and exits with 1; everything else that escapes is a defect of lexkit.
"""

from __future__ import annotations

from lexkit.text import normalize_text

_LONGEST_REASON = 400
"""Characters that are quoted of another library's message."""


class LexkitError(Exception):
    """Base of everything that lexkit raises on purpose."""


class SourceError(LexkitError):
    """A source file is missing, unreadable, or not what it is said to be."""


class PluginError(LexkitError):
    """A reader of another package that is missing, broken, or yields what no store can hold."""


class FetchError(LexkitError):
    """A download that failed, or a cache that cannot be used."""


class StoreError(LexkitError):
    """A store is missing, not a lexkit store, of another schema, or cannot be written."""


class QueryError(LexkitError):
    """A query that a store refuses or does not understand."""


class ArgumentError(LexkitError):
    """An argument of a function that cannot be; the command line refuses such an option itself, and exits with 2."""


class TokenizerError(LexkitError):
    """A tokenizer that cannot be found or loaded."""


class HubError(LexkitError):
    """An upload to the Hugging Face hub that failed or cannot begin."""


class Stopped(KeyboardInterrupt):
    """A run that a signal has ended where the same command goes on. No failure, so it is no `LexkitError`.

    Args:
        message: one line that says what was saved.
        number: of the signal; the command exits with 128 more.
    """

    def __init__(self, message: str, number: int) -> None:
        super().__init__(message, number)
        self.message, self.number = message, number

    def __str__(self) -> str:
        return self.message


def first_line(error: BaseException) -> str:
    r"""Return the first line of an error's message without control characters and full stop; its kind if there is none.

    Some libraries quote the whole file that they cannot read; only the beginning of that is returned.

    >>> first_line(ValueError("\x1b[2J\n \n\x00no such device.\nTraceback")), first_line(ValueError())
    ('[2J', 'ValueError')
    """
    lines = (normalize_text(line).rstrip(" .:") for line in str(error).splitlines())
    line = next(filter(None, lines), type(error).__name__)
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]} ..."
