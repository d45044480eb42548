"""Make command-line options, in groups, from the fields of a configuration."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any, TypeVar

import click

from lexkit.cli.completion import complete_files, complete_folders
from lexkit_distill.config import Option, options

_Command = TypeVar("_Command", bound=Callable[..., Any])
_OTHER = "Other options"


class GroupedOption(click.Option):
    """An option that the help shows under the heading of its group."""

    def __init__(self, *arguments: Any, group: str = _OTHER, **options: Any) -> None:  # noqa: ANN401
        super().__init__(*arguments, **options)
        self.group = group


class GroupedCommand(click.Command):
    """A command whose help shows options in groups, in the order in which the groups first appear."""

    def format_options(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the options, the ungrouped ones last."""
        groups: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(context):
            record = parameter.get_help_record(context)
            if record is not None:
                groups.setdefault(getattr(parameter, "group", _OTHER), []).append(record)
        groups[_OTHER] = groups.pop(_OTHER, [])
        for name, records in groups.items():
            if records:
                with formatter.section(name):
                    formatter.write_dl(records)


class _Value(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions of click only
    """The type of the values of an `Option`."""

    def __init__(self, option: Option) -> None:
        self._option = option
        self.name = {int: "integer", float: "float", None: "text"}[option.number]

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:  # noqa: ANN401
        """Convert the value to the type that the configuration uses."""
        try:
            parsed = self._option.parse(value)
        except ValueError as error:
            self.fail(f"{error}.", param, ctx)
        return parsed[0] if self._option.is_multiple else parsed


def config_options(
    config: type, *, required: bool = True, shown: Callable[[Option], bool] = lambda _: True
) -> Callable[[_Command], _Command]:
    """Return a decorator that adds an option to a command for each field of a configuration and its sections.

    ``max_length: int`` becomes ``--max-length INTEGER``. A field without a default is a required option, ``X | None``
    an optional one, a tuple one that may be given several times, a Literal a choice, and a bool a flag.

    Args:
        config: the class of the configuration.
        required: whether fields without a default are required; if not, they may also come from a file.
        shown: a function that returns whether the help shows an option.
    """

    def decorate(command: _Command) -> _Command:
        for option in reversed(options(config)):
            command = _click_option(option, required, hidden=not shown(option))(command)
        return command

    return decorate


def _click_option(option: Option, required: bool, *, hidden: bool) -> Callable[[_Command], _Command]:
    default = None if option.default is dataclasses.MISSING else option.default
    metavar = str(option.metadata.get("metavar", ""))
    extra: dict[str, Any] = {"metavar": metavar} if metavar else {}
    if any(name in metavar for name in ("FILE", "PATH", "DIR")):
        extra["shell_complete"] = complete_folders if metavar == "DIR" else complete_files
    if bool in option.kinds:
        extra["is_flag"] = True
    elif option.literals and not option.number:
        extra["type"] = click.Choice(option.literals)
    else:
        extra["type"] = _Value(option)
    return click.option(
        f"--{option.name.replace('_', '-')}",
        option.name,
        cls=GroupedOption,
        group=option.metadata.get("group") or (option.section[0].capitalize() if option.section else _OTHER),
        required=required and option.default is dataclasses.MISSING,
        default=default,
        multiple=option.is_multiple,
        show_default="shown" not in option.metadata and default is not False and default not in (None, (), ""),
        help=option.help,
        hidden=hidden,
        **extra,
    )
