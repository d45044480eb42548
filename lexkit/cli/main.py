"""The command ``lexkit``: it finds subcommands, and turns every failure into one line and an exit code.

Exit codes: 0 success; 1 failure, with one line on standard error; 2 usage error; 130 interrupted; 143 ended by SIGTERM.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Sequence
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from lexkit import __version__
from lexkit.cli.completion import VARIABLE, complete
from lexkit.cli.group import LazyGroup
from lexkit.errors import LexkitError, Stopped, first_line
from lexkit.safe_output import safe_streams

if TYPE_CHECKING:
    from importlib.metadata import EntryPoints

_COMMANDS = {
    "build": "lexkit.cli.build:build",
    "fetch": "lexkit.cli.fetch:fetch",
    "sources": "lexkit.cli.sources:sources",
    "lookup": "lexkit.cli.lookup:lookup",
    "synonyms": "lexkit.cli.lookup:synonyms",
    "antonyms": "lexkit.cli.lookup:antonyms",
    "explain": "lexkit.cli.explain:explain",
    "path": "lexkit.cli.explain:path",
    "random": "lexkit.cli.lookup:random_words",
    "sql": "lexkit.cli.sql:sql",
    "stats": "lexkit.cli.inspect:stats",
    "verify": "lexkit.cli.inspect:verify",
    "tokenize": "lexkit.cli.tokenize:tokenize",
    "keep-rate": "lexkit.cli.tokenize:keep_rate",
    "export": "lexkit.cli.export:export",
    "report": "lexkit.cli.report:report",
}
_ENTRY_POINTS = "lexkit.commands"


class _Commands(LazyGroup):
    """The built-in commands, and those that other packages add through the entry point group ``lexkit.commands``."""

    advice = "To look up a word, run 'lexkit lookup WORD'."

    def list_commands(self, ctx: click.Context) -> list[str]:
        built_in = super().list_commands(ctx)
        return built_in + sorted({point.name for point in _added()} - set(built_in))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        command = super().get_command(ctx, cmd_name)
        if command is None:
            command = next((point.load() for point in _added() if point.name == cmd_name), None)
        return command


def _added() -> EntryPoints:
    from importlib.metadata import entry_points  # slow to import, and few commands need it

    return entry_points(group=_ENTRY_POINTS)


@click.group(
    cls=_Commands,
    homes=_COMMANDS,
    # color: click does not strip escape sequences, because lexkit prints them visibly
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100, "color": True},
)
@click.version_option(__version__, "--version", "-V", package_name="lexkit")
@click.option("--debug", is_flag=True, help="Show a traceback if the command fails.")
def cli(debug: bool) -> None:
    """Look up synonyms and antonyms from Wiktionary, WordNet and Roget, with the evidence for each of them.

    \b
    Example:
      lexkit build                  build ./lexkit.duckdb from the starter data
      lexkit lookup kind            show synonyms and antonyms of a word
      lexkit explain kind friendly  show why two words are related
    """


def main(args: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    if instruction := os.environ.get(VARIABLE):
        sys.exit(complete(cli, instruction))
    arguments = list(sys.argv[1:] if args is None else args)
    # The command may fail before click has parsed anything, and `lexkit build --debug` should work as well
    debug = "--debug" in arguments
    if debug:
        arguments = ["--debug", *(argument for argument in arguments if argument != "--debug")]
    with safe_streams():
        _run(arguments, debug)


def _run(arguments: Sequence[str], debug: bool) -> None:
    terminate = _Termination()
    before = signal.signal(signal.SIGTERM, terminate)
    try:
        # not cli.main(), which prints an empty line after Ctrl-C
        with cli.make_context("lexkit", list(arguments)) as context:
            cli.invoke(context)
        sys.exit(0)
    except click.exceptions.Exit as error:
        sys.exit(error.exit_code)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except (click.Abort, KeyboardInterrupt) as error:
        _fail(*_interrupted(error, arguments))
    except BrokenPipeError:
        # the reader of the output has gone, as in `lexkit sql ... | head`; Python must not flush to it at exit
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(141)
    except Exception as error:
        if debug:
            traceback.print_exc()  # printed here, because the interpreter would not make it printable
            sys.exit(1)
        if _is_interrupt(error):
            if terminate.code is not None:
                sys.exit(terminate.code)
            _fail(*_interrupted(error, arguments))
        _fail(_message(error), 1)
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL if before is None else before)


class _Termination:
    """Signal handler that raises an exception instead of ending the process, so that unfinished files are removed."""

    code: int | None = None
    """Exit code after a signal. During a query, DuckDB turns the exception into an interrupt."""

    def __call__(self, number: int, frame: FrameType | None) -> None:
        self.code = 128 + number
        raise SystemExit(self.code)


def _is_interrupt(error: Exception) -> bool:
    """Return whether Ctrl-C during a query raised this error; its type depends on the version of DuckDB."""
    return type(error).__name__ == "InterruptException" or "Query interrupted" in str(error)


def _interrupted(error: BaseException, arguments: Sequence[str]) -> tuple[str, int]:
    """Return the message and the exit code. Built-in commands change everything or nothing; others may not."""
    if isinstance(error, Stopped):
        return error.message, 128 + error.number
    command = next((argument for argument in arguments if not argument.startswith("-")), None)
    return "interrupted; nothing was changed" if command in _COMMANDS else "interrupted", 130


def _message(error: Exception) -> str:
    if isinstance(error, LexkitError):
        return " ".join(str(error).split())
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or 'output'}: {error.strerror}; check the path, its permissions and the disk"
    if isinstance(error, UnicodeEncodeError):
        letter = error.object[error.start]
        return (
            f"standard output uses {error.encoding}, which cannot encode {letter!a}; set the environment variable "
            "PYTHONIOENCODING to utf-8"
        )
    return f"unexpected {type(error).__name__}: {first_line(error)}; run again with --debug and report it"


def _fail(message: str, code: int) -> Any:  # noqa: ANN401
    click.echo(f"error: {message}", err=True)
    sys.exit(code)
