"""Write docs/distill-commands.md from the help of the commands.

Usage: python docs/write_distill_commands.py > docs/distill-commands.md
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from itertools import groupby

import click

from lexkit_distill.cli import distill

HEAD = """# Commands of `lexkit distill`

What `lexkit distill COMMAND --help` says, on one page; `-h` and `--help` are options of every command. The guides
explain the commands: [demo](demo.md), [senses](senses.md), [training](training.md), [sweeps](sweep.md) and
[evaluation](evaluation.md).
"""


def main() -> None:
    """Print the page."""
    print(HEAD)
    context = click.Context(distill, info_name="lexkit distill")
    for name in distill.list_commands(context):
        command = distill.get_command(context, name)
        assert command is not None
        print("\n".join(section(name, command, click.Context(command))))


def section(name: str, command: click.Command, context: click.Context) -> Iterator[str]:
    """The lines of one command: what it does, an example, and a table of options for each of their groups."""
    text, _, example = inspect.cleandoc(command.help or "").replace("\b", "").partition("Example:")
    yield f"## `lexkit distill {name}`\n"
    yield f"{text.strip()}\n"
    if example:
        lines = inspect.cleandoc(example).replace("\n ", " \\\n ")
        yield f"```sh\n{lines}\n```\n"
    documented = [one for one in command.get_params(context) if one.get_help_record(context)]
    documented = [one for one in documented if "--help" not in one.opts]
    groups = list(dict.fromkeys(group_of(parameter) for parameter in documented))
    for group, members in groupby(sorted(documented, key=lambda one: groups.index(group_of(one))), group_of):
        yield f"| {group if len(groups) > 1 else 'Options'} | |\n| --- | --- |"
        for parameter in members:
            record = parameter.get_help_record(context)
            assert record is not None
            form, text = (part.replace("|", r"\|").replace("[", r"\[") for part in record)
            names = re.sub(r"(?<!\w)--?[a-z][a-z-]*", r"`\g<0>`", form)
            yield f"| {names} | {text} |"
        yield ""


def group_of(parameter: click.Parameter) -> str:
    """The heading under which the help shows an option."""
    return str(getattr(parameter, "group", "Other options"))


if __name__ == "__main__":
    main()
