"""The command ``lexkit distill sweep``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lexkit.arguments import user_path
from lexkit.cli.completion import complete_files, complete_folders
from lexkit.cli.output import json_option, print_json, print_table, quiet_option
from lexkit_distill.checks import check_sweep, require_extra
from lexkit_distill.cli.group import starting
from lexkit_distill.errors import TrainingError
from lexkit_distill.sweep.config import read_sweep
from lexkit_distill.sweep.records import describe, read_run, shown

if TYPE_CHECKING:
    from lexkit_distill.sweep.run import Sweep


@click.command()
@click.option(
    "--config",
    "config_path",
    metavar="FILE",
    required=True,
    shell_complete=complete_files,
    help="YAML file with the base configuration, the grid, and the metric to choose by.",
)
@click.option(
    "--output",
    metavar="DIR",
    shell_complete=complete_folders,
    help="Folder for the results. [default: output in the file]",
)
@click.option(
    "--processes",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Number of training runs at the same time.",
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    help="Number of threads for each training run. [default: CPU cores divided by --processes]",
)
@click.option(
    "--plot",
    metavar="DIR",
    shell_complete=complete_folders,
    help="Folder for plots of the effect of each swept value (as in the paper's Figure 3 and Tables 4 to 6).",
)
@click.option(
    "--dry-run", is_flag=True, help="List the training runs and whether they are finished, and write nothing."
)
@quiet_option
@json_option
def sweep(
    config_path: str,
    output: str | None,
    processes: int,
    threads: int | None,
    plot: str | None,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Train students with a grid of settings, and choose one of them by held-out data.

    All training runs share the teacher's states. To resume an interrupted sweep, or to extend a grid, run the same
    command again: finished runs are skipped.

    \b
    Example:
      lexkit distill sweep --config sweep.yaml --processes 2 --plot plots
    """
    require_extra()
    if plot is not None:
        require_extra("plot")
    config = read_sweep(user_path(config_path), output)
    if dry_run:
        for point in config.points:
            click.echo(f"{point.key}\t{'done' if read_run(point) else 'to do'}\t{describe(point)}")
        return
    check_sweep(config)
    from lexkit_distill.sweep.plot import write_plots

    with starting(quiet) as progress:
        from lexkit_distill.sweep.run import sweep as run

        done = run(config, progress, processes=processes, threads=threads)
    drawn = []
    if plot is not None and done.chosen is not None:
        drawn = write_plots(done.settings, done.chosen, user_path(plot))
    if as_json:
        print_json(_json(done))
    elif not quiet:
        _print(done, config.metric)
        click.echo("\n".join(map(str, [done.table, *([done.student] if done.student else []), *drawn])))
    if done.failed:
        first = done.failed[0]
        raise TrainingError(
            f"{len(done.failed)} of {sum(len(setting.runs) for setting in done.settings)} runs failed, the first "
            f"({', '.join(f'{name} {value}' for name, value in first['values'].items())}) with: {first['error']}"
        )


def _print(done: Sweep, metric: str) -> None:
    rows = []
    for setting in sorted(done.settings, key=lambda one: one.score(metric)):
        ce, kl = setting.mean("ce"), setting.mean("kl")
        figures = [f"{part[0]:.4f} ± {part[1]:.4f}" if part and not setting.failed else "failed" for part in (ce, kl)]
        values = [shown(value) for value in setting.values.values()]
        chosen = done.chosen is not None and setting.values == done.chosen.values
        rows.append((*values, str(len(setting.runs)), *figures, "chosen" if chosen else ""))
    print_table(None, (*done.settings[0].values, "runs", "CE", "KL", ""), rows)
    if done.chosen is not None and (test := done.chosen.mean("ce", "test")):
        kl = done.chosen.mean("kl", "test") or (0.0, 0.0)
        click.echo(f"chosen setting on test data: CE {test[0]:.4f} ± {test[1]:.4f}, KL {kl[0]:.4f} ± {kl[1]:.4f}")


def _json(done: Sweep) -> dict[str, Any]:
    def records(one: Any) -> dict[str, Any]:  # noqa: ANN401
        return {"values": one.values, "runs": one.runs}

    return {
        "settings": [records(one) for one in done.settings],
        "chosen": records(done.chosen) if done.chosen else None,
        "table": str(done.table),
        "student": str(done.student) if done.student else None,
    }
