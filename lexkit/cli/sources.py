"""The command ``lexkit sources``."""

from __future__ import annotations

import click

from lexkit.cli.output import json_option, print_json, print_table


@click.command()
@json_option
def sources(as_json: bool) -> None:
    """List the installed readers, both lexkit's own and those of other packages, with licence and citation.

    A reader that cannot be loaded is reported on standard error.

    \b
    Example:
      lexkit sources
    """
    from lexkit.sources.plugins import installed

    listed, problems = installed()
    if as_json:
        print_json(listed)
    else:
        print_table(
            "Readers",
            ("name", "package", "option", "reads", "licence", "citation"),
            [
                (
                    reader.name,
                    reader.package,
                    reader.option,
                    f"{reader.title}: {reader.reads}",
                    reader.licence or reader.licence_note,
                    reader.citation or "",
                )
                for reader in listed
            ],
        )
    for problem in problems:
        click.echo(f"warning: {' '.join(problem.split())}", err=True)
