"""The single check of all output: text from a store, a file or another library cannot control the program showing it.

A word or a gloss may contain anything: control characters that clear a terminal, marks that reverse a line, Markdown.
All text for terminals, pipes, HTML, pictures and READMEs passes through this module.
"""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Control characters except tab and line feed, surrogates, and invisible marks that reverse, separate or hide text.
# Joiners are allowed: some scripts need them within words.
_SIGNS = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\ud800-\udfff\ufffe\uffff\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[{_SIGNS}]")
_UNSAFE_OR_ISOLATED = re.compile(f"\u2068[^{_SIGNS}\n]*\u2069|[{_SIGNS}]")
_MARKDOWN = re.compile(r"[\\`*\[\]<>|#&~$]|(?<!\w)_|_(?!\w)")


def printable(text: str, *, isolates: bool = False) -> str:
    r"""Return *text* with invisible characters, and those that control a terminal, written as JSON escapes.

    Tabs and line feeds are kept. The meaning of a JSON document does not change.

    Args:
        text: any text.
        isolates: keep text that `isolated` has returned as it is.

    >>> print(printable("kind\x1b[2J \u202egood"))
    kind\u001b[2J \u202egood
    """
    return (_UNSAFE_OR_ISOLATED if isolates else _UNSAFE).sub(_escaped, text)


def isolated(text: str) -> str:
    """Return *text*, made printable, with marks around each line that isolate its direction from the text beside it."""
    return "\n".join(f"\u2068{line}\u2069" for line in printable(text).split("\n"))


def markdown(value: object) -> str:
    r"""Return *value* as one line of Markdown that displays it literally.

    >>> print(markdown("a | [b](c)\n# d"))
    a \| \[b\](c) \# d
    """
    return _MARKDOWN.sub(r"\\\g<0>", printable(" ".join(str(value).split())))


def check_figure(figure: Figure) -> None:
    """Make every text of a picture printable, as SVG requires, and stop dollar signs from starting formulas."""
    from matplotlib.text import Text

    for text in figure.findobj(Text):
        if text.get_text():  # the labels of ticks are set later, and may contain formulas
            text.set_text(printable(text.get_text()))
            text.set_parse_math(False)


def _escaped(found: re.Match[str]) -> str:
    text = found[0]
    if len(text) > 1:
        return text  # `isolated` has made it printable
    units = text.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))


class SafeStream:
    """A text stream that makes all text printable; to a terminal, it also passes the marks that `isolated` adds.

    Args:
        unchecked: the stream to write to. Terminal styles bypass the check, see `lexkit.cli.output.console`.
    """

    def __init__(self, unchecked: TextIO) -> None:
        self.unchecked = unchecked
        self._isolates = unchecked.isatty()

    def write(self, text: str) -> int:
        """Write *text*, made printable."""
        return self.unchecked.write(printable(text, isolates=self._isolates))

    def writelines(self, lines: Iterable[str]) -> None:
        """Write texts one after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        if name == "buffer":  # click would bypass the check through it where the encoding is ASCII
            raise AttributeError(name)
        return getattr(self.unchecked, name)


@contextlib.contextmanager
def safe_streams() -> Iterator[None]:
    """Context manager. Let only printable text through standard output and standard error, whatever code writes it."""
    with contextlib.redirect_stdout(_safe(sys.stdout)), contextlib.redirect_stderr(_safe(sys.stderr)):
        yield


def _safe(stream: TextIO) -> TextIO:
    # None if it is closed
    return stream if stream is None or isinstance(stream, SafeStream) else cast(TextIO, SafeStream(stream))
