"""``lexkit distill train``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.core import ParameterSource

from lexkit.cli.output import json_option, print_json
from lexkit_distill.cli.group import distill, extra, progress
from lexkit_distill.config import field_docs, format_size, options
from lexkit_distill.training.config import PRESETS, TrainConfig, cast, config_text, preset, read_config

if TYPE_CHECKING:
    from lexkit_distill.training.run import TrainPlan, TrainSummary


@distill.command()
@click.option("--config", "config_path", metavar="FILE", help="YAML with any of the fields below, and 'preset'.")
@click.option("--preset", "preset_name", type=click.Choice(list(PRESETS)), help="Fields to begin with.")
@options(TrainConfig, required=False)
@click.option("--print-config", is_flag=True, help="Print the whole configuration as YAML, and end.")
@click.option("--dry-run", is_flag=True, help="Build everything, take two steps, print the plan, write nothing.")
@click.option("--quiet", "-q", is_flag=True, help="Print nothing but errors.")
@json_option
@click.pass_context
def train(
    context: click.Context,
    /,
    config_path: str | None,
    preset_name: str | None,
    print_config: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **_: Any,  # noqa: ANN401
) -> None:
    """Train a smaller student of a teacher, with senses (DSKD) or without (--preset kd).

    An option counts more than the file, and the file more than the preset. A run that was killed goes on when the same
    command is given again. For several processes, start it with
    'accelerate launch --multi_gpu --num_processes N -m lexkit distill train ...', on CPUs, too.

    \b
    Example:
      lexkit distill train --preset paper-llama --teacher meta-llama/Meta-Llama-3-8B-Instruct --senses senses
          --data arc:arc/train.jsonl --output student
      lexkit distill train --config dskd.yaml --lr 1e-4
    """
    values = _values(context, config_path, preset_name)
    if print_config:
        click.echo(config_text(values, field_docs(TrainConfig), values), nl=False)
        return
    missing = [f"--{name}" for name in ("teacher", "data", "output") if not values[name]]
    if missing:
        raise click.UsageError(f"Missing {', '.join(missing)}: give it as an option, or in the file of --config.")
    with extra():
        from lexkit_distill.training.run import train as run
    summary = run(TrainConfig(**values), progress(quiet), dry_run=dry_run)
    if summary is None:
        return
    if as_json:
        print_json(summary)
    elif not quiet:
        click.echo("\n".join(_plan(summary.plan, summary) if dry_run else _summary(summary)))


def _values(context: click.Context, config_path: str | None, preset_name: str | None) -> dict[str, Any]:
    """Every field: the option's where one was given, else the file's, the preset's, the default."""
    names = [field.name for field in dataclasses.fields(TrainConfig)]
    values = {name: context.params[name] for name in names}
    given = {name: values[name] for name in names if context.get_parameter_source(name) is not ParameterSource.DEFAULT}
    path = Path(config_path).expanduser() if config_path is not None else None
    filed = read_config(path) if path is not None else {}
    chosen = preset_name or filed.pop("preset", None)
    filed.pop("preset", None)
    if chosen is not None:
        values |= preset(str(chosen))
    for name, value in filed.items():
        if value is None:
            continue
        values[name] = cast(name, value, str(path))
    return values | given


def _plan(plan: TrainPlan, summary: TrainSummary | None = None) -> list[str]:
    left_out = ", ".join(f"{number:,} ({reason})" for reason, number in plan.dropped.items()) or "none"
    lines = [
        f"student    {plan.layers} layers of {plan.teacher}",
        f"  trained  {plan.trained_parameters:>14,}   parameters; {format_size(plan.memory)} beside the teacher",
        f"  shared   {plan.shared_parameters:>14,}   parameters are the teacher's own"
        + ("" if plan.shared_prefix else "; its state is not, so all layers run"),
        f"data       {plan.rows:>14,}   rows; left out: {left_out}",
        f"  tokens   {plan.tokens:>14,}",
        f"  targets  {plan.targets:>14,}",
        f"  sampled  {plan.positions:>14,}   positions for the semantic loss, gamma {plan.gamma:.3g}",
        f"steps      {plan.steps:>14,}",
    ]
    if summary is not None and summary.outcome.steps:
        seconds = summary.outcome.seconds / summary.outcome.steps * plan.steps
        lines.append(f"time       {_duration(seconds):>14}   by the first {summary.outcome.steps} steps")
    return lines


def _summary(summary: TrainSummary) -> list[str]:
    outcome = summary.outcome
    lines = [
        summary.path,
        f"  steps    {outcome.steps:>14,}   in {_duration(outcome.seconds)}",
        f"  loss     {outcome.loss:>14.4f}",
    ]
    return lines + [f"  held-out {value:>14.4f}   {name}" for name, value in outcome.held_out.items()]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
