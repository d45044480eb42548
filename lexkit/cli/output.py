"""Functions that commands share: common options, opening the store, and printing JSON and tables."""

from __future__ import annotations

import json
import math
import re
import sys
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial
from pathlib import Path
from textwrap import TextWrapper
from typing import IO, TYPE_CHECKING, Any, TypeVar

import click

from lexkit.arguments import user_path
from lexkit.cli.completion import complete_files
from lexkit.errors import LexkitError
from lexkit.safe_output import SafeStream, isolated, printable
from lexkit.store import default_path
from lexkit.store.file_check import check_store_file

if TYPE_CHECKING:
    from rich.console import Console

    from lexkit.store.lexicon import Lexicon

_RIGHT_TO_LEFT = frozenset({"R", "AL", "AN"})
_Command = TypeVar("_Command", bound=Callable[..., Any])


class FiniteRange(click.FloatRange):
    """A finite number in a range; click accepts nan in any range, and infinity in a range without upper limit."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """Return the number, or raise `click.BadParameter`."""
        number: float = super().convert(value, param, ctx)
        if not math.isfinite(number):
            self.fail(f"{value} is not a number.", param, ctx)
        return number


def store_option(command: _Command) -> _Command:
    """Add ``--store``; its value is a path, from the option, ``$LEXKIT_STORE``, or the default."""
    return click.option(
        "--store",
        envvar=default_path.ENVIRONMENT,
        default=default_path.DEFAULT,
        show_default=True,
        metavar="FILE",
        shell_complete=complete_files,
        help="Path of the store.  [env: LEXKIT_STORE]",
    )(command)


def json_option(command: _Command) -> _Command:
    """Add the option ``--json``."""
    return click.option("--json", "as_json", is_flag=True, help="Print one JSON document and nothing else.")(command)


def quiet_option(command: _Command) -> _Command:
    """Add the option ``--quiet``."""
    return click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")(command)


def answer_options(command: _Command) -> _Command:
    """Add the options that leave out answers by confidence and usage."""
    no = partial(click.option, is_flag=True, flag_value=False, default=True)
    for option in (
        no("--no-offensive", "offensive", help="Leave out offensive and vulgar words."),
        no("--no-archaic", "archaic", help="Leave out archaic and obsolete words."),
        click.option(
            "--min-confidence",
            type=FiniteRange(0, 1),
            default=0.0,
            metavar="X",
            help="Lowest confidence of relations to use, from 0 to 1.",
        ),
    ):
        command = option(command)
    return command


def store_path(text: str) -> Path:
    """Return the path of the store that a command was given.

    Raises:
        StoreError: no file exists at this path.
    """
    # Without DuckDB, whose import takes most of the time of a failed command
    path = user_path(text)
    check_store_file(path)
    return path


def open_store(text: str) -> Lexicon:
    """Open the store that a command was given."""
    path = store_path(text)
    from lexkit.store.lexicon import Lexicon

    return Lexicon(path)


def read_lines() -> Iterator[str]:
    """Yield the lines of standard input without line ends.

    Raises:
        LexkitError: a line is not UTF-8.
    """
    if sys.stdin is None:
        return
    for number, line in enumerate(sys.stdin.buffer, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            raise LexkitError(f"standard input, line {number}: invalid UTF-8; convert it to UTF-8") from error


def is_terminal(stream: IO[str] | None) -> bool:
    """Return whether a stream is a terminal; a closed stream is None."""
    return stream is not None and stream.isatty()


def console(*, err: bool = False) -> Console:
    """Return a rich console whose text is made printable before it is styled."""
    from rich.console import Console, ConsoleOptions, RenderableType
    from rich.segment import Segment

    class SafeConsole(Console):
        def render(self, renderable: RenderableType, options: ConsoleOptions | None = None) -> Iterator[Segment]:
            for text, style, control in super().render(renderable, options):
                yield Segment(text if control else _line(text), style, control)

    stream = sys.stderr if err else sys.stdout
    return SafeConsole(file=stream.unchecked if isinstance(stream, SafeStream) else stream)


def _line(text: str) -> str:
    """Return a printable line of a cell. If a line break has separated a pair of isolates, add the missing one."""
    start, end = text.find("\u2068"), text.find("\u2069")
    if start == end == -1 and _goes_right_to_left(text):
        return isolated(text)
    before = "\u2068" if end > -1 and not -1 < start < end else ""
    after = "\u2069" if text.rfind("\u2068") > text.rfind("\u2069") else ""
    return printable(f"{before}{text}{after}", isolates=True)


def isolate(text: str, *, err: bool = False) -> str:
    """Return printable text. On a terminal, right-to-left text is isolated, so its surroundings keep their order.

    Files and pipes get text without isolates.
    """
    goes_out_isolated = is_terminal(sys.stderr if err else sys.stdout) and _goes_right_to_left(text)
    return isolated(text) if goes_out_isolated else printable(text)


def _goes_right_to_left(text: str) -> bool:
    return not text.isascii() and any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in text)


def print_json(document: Any) -> None:  # noqa: ANN401
    """Print *document*; named tuples and dataclasses become objects."""
    click.echo(to_json(document, indent=2))


def to_json(document: Any, indent: int | None = None) -> str:  # noqa: ANN401
    """Return standard JSON. NaN and infinities become null, and bytes the text that DuckDB writes for a BLOB."""
    return json.dumps(_plain(document), ensure_ascii=False, allow_nan=False, indent=indent)


def _plain(value: Any) -> Any:  # noqa: ANN401
    if hasattr(value, "_asdict"):
        return {key: _plain(item) for key, item in value._asdict().items()}
    if hasattr(value, "__dataclass_fields__"):
        return {key: _plain(getattr(value, key)) for key in value.__dataclass_fields__}
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, bytes):
        return re.sub(rb"""[^ -~]|[\\'"]""", lambda byte: b"\\x%02X" % ord(byte[0]), value).decode("ascii")
    return value if isinstance(value, (str, int, float, type(None))) else str(value)


def print_table(
    title: str | None, header: Sequence[str], rows: Iterable[Sequence[str | int]], *, paths: Collection[str] = ()
) -> None:
    """Print a table on a terminal, or elsewhere a header line and tab-separated rows without title.

    On a terminal, lines break only between words. If this makes the table too wide, each row becomes a list with one
    line per column.

    Args:
        title: title above the table, shown only on a terminal.
        header: column names.
        rows: cells. On a terminal, numbers are aligned right and have thousands separators.
        paths: names of columns whose cells stay on one line even if they contain spaces.
    """
    rows = list(rows)
    if not is_terminal(sys.stdout):
        for row in [header, *rows]:
            click.echo("\t".join(" ".join(str(cell).split()) for cell in row))
        return
    from rich.text import Text

    screen = console()
    if title is not None:
        screen.print(Text(isolate(title), "bold"), soft_wrap=True)
    cells = [[f"{cell:,}" if isinstance(cell, int) else isolate(cell) for cell in row] for row in rows]
    widths = _widths(header, cells, paths, screen.width)
    if widths is None:
        _print_lists(screen, header, cells, paths)
    else:
        numbers = [bool(rows) and all(isinstance(row[place], int) for row in rows) for place in range(len(header))]
        _print_grid(screen, header, cells, widths, numbers)


_BETWEEN = 3
"""Number of terminal cells between two columns of a table."""


def _widths(header: Sequence[str], cells: list[list[str]], paths: Collection[str], room: int) -> list[int] | None:
    """Return column widths such that lines break only between words, or None if there is not enough room."""
    from rich.cells import cell_len

    widths, least = [], []
    for name, *texts in zip(header, *cells, strict=True):
        whole = [line for text in (name, *texts) for line in text.splitlines()]
        parts = whole if name in paths else [word for line in whole for word in line.split()]
        widths.append(max(map(cell_len, whole), default=0))
        least.append(max(map(cell_len, parts), default=0))
    too_much = sum(widths) + _BETWEEN * (len(widths) - 1) + 2 - room
    while too_much > 0:
        able = [place for place, width in enumerate(widths) if width > least[place]]
        if not able:
            return None
        widths[max(able, key=widths.__getitem__)] -= 1
        too_much -= 1
    return widths


def _print_grid(
    screen: Console, header: Sequence[str], cells: list[list[str]], widths: list[int], numbers: list[bool]
) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    # Text instead of markup, because a word may look like markup
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name, width, is_number in zip(header, widths, numbers, strict=True):
        table.add_column(Text(name), justify="right" if is_number else "left", width=width, overflow="fold")
    for row in cells:
        table.add_row(*map(Text, row))
    screen.print(table)


def _print_lists(screen: Console, header: Sequence[str], cells: list[list[str]], paths: Collection[str]) -> None:
    from rich.text import Text

    indent = max(map(len, header)) + 2
    for row in cells:
        screen.print()
        for name, text in zip(header, row, strict=True):
            lines = text.splitlines() or [""]
            if name not in paths:
                room = max(screen.width - indent, 1)
                fold = TextWrapper(room, break_long_words=False, break_on_hyphens=False).wrap
                lines = [part for line in lines for part in fold(line) or [""]]
            for place, line in enumerate(lines):
                screen.print(Text.assemble((f"{'' if place else name:<{indent}}", "dim"), line), soft_wrap=True)
    screen.print()
