"""A group of commands that imports their modules only when they are called or listed."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from lexkit.safe_output import safe_streams

_LONGEST_SENTENCE = 200


class LazyGroup(click.Group):
    """A group that imports only the module of the command that is called, so that each starts quickly.

    Args:
        arguments: positional arguments for `click.Group`.
        homes: ``module:attribute`` of each command by name, in the order in which the help lists them.
        settings: keyword arguments for `click.Group`.
    """

    advice = ""
    """What to do, for somebody who has called a command that does not exist and is not spelt like one that does."""

    def __init__(self, *arguments: Any, homes: Mapping[str, str], **settings: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **settings)
        self.homes = homes

    def main(self, *arguments: Any, **settings: Any) -> Any:  # noqa: ANN401
        """Run like `click.Group.main`, and make everything that a command prints printable."""
        with safe_streams():
            return super().main(*arguments, **settings)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of all commands."""
        return list(self.homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of a command, and return the command, or None if no command has this name."""
        if cmd_name not in self.homes:
            return None
        module, _, attribute = self.homes[cmd_name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that was called; if there is none, suggest one with a similar name."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            from rapidfuzz import process

            near = process.extractOne(args[0], self.list_commands(ctx), score_cutoff=70) if args else None
            advice = f"Did you mean {near[0]!r}?" if near else self.advice
            if not advice:
                raise
            raise click.UsageError(f"No such command {args[0]!r}. {advice}", ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands with the first sentence of each help, which click would cut at the end of the line."""
        commands = {name: self.get_command(ctx, name) for name in self.list_commands(ctx)}
        with formatter.section("Commands"):
            formatter.write_dl(
                [(name, command.get_short_help_str(_LONGEST_SENTENCE)) for name, command in commands.items() if command]
            )
