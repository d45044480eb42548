"""The command ``lexkit distill train``, and the options and counts that other commands share with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click
from click.core import ParameterSource

from lexkit.arguments import user_path
from lexkit.cli.completion import complete_files
from lexkit.cli.output import json_option, print_json, quiet_option
from lexkit_distill.checks import check_output, check_training, require_extra
from lexkit_distill.cli.group import starting
from lexkit_distill.cli.options import GroupedCommand, GroupedOption, config_options
from lexkit_distill.config import Option, make, options
from lexkit_distill.config_files import by_name, read_yaml, to_yaml
from lexkit_distill.sizes import format_size
from lexkit_distill.training.config import PRESETS, TrainConfig, preset

if TYPE_CHECKING:
    from lexkit_distill.training.batches import DataCounts
    from lexkit_distill.training.memory_model import MemoryPlan
    from lexkit_distill.training.plan import TrainPlan
    from lexkit_distill.training.run import TrainSummary

_Command = TypeVar("_Command", bound=Callable[..., Any])


def training_options(command: _Command, *, shown: Callable[[Option], bool] = lambda _: True) -> _Command:
    """Add the options of a training run to a command; *shown* returns whether the help shows an option."""
    command = config_options(TrainConfig, required=False, shown=shown)(command)
    command = click.option(
        "--preset",
        "preset_name",
        cls=GroupedOption,
        group="Essentials",
        type=click.Choice(list(PRESETS)),
        help="Preset whose values are used for all fields that are not given.",
    )(command)
    return click.option(
        "--config",
        "config_path",
        cls=GroupedOption,
        group="Essentials",
        metavar="FILE",
        shell_complete=complete_files,
        help="YAML file with fields in sections, and optionally a preset; --print-config prints one.",
    )(command)


def training_values(context: click.Context) -> dict[str, Any]:
    """Return values by name, taken from the options given, else the file, else the preset, else the defaults."""
    names = [option.name for option in options(TrainConfig)]
    given = {
        name: context.params[name]
        for name in names
        if context.get_parameter_source(name) is not ParameterSource.DEFAULT
    }
    chosen, filed = context.params["preset_name"], {}
    if context.params["config_path"] is not None:
        path = user_path(context.params["config_path"])
        content = read_yaml(path)
        named = content.pop("preset", None)
        chosen = chosen or named
        filed = by_name(TrainConfig, content, str(path))
    defaults = {name: context.params[name] for name in names}
    return {**defaults, **(preset(str(chosen)) if chosen is not None else {}), **filed, **given}


def training_config(values: dict[str, Any], required: tuple[str, ...]) -> TrainConfig:
    """Make a configuration from values by name.

    Raises:
        click.UsageError: one of the *required* fields has no value.
    """
    missing = [f"--{name}" for name in required if not values[name]]
    if missing:
        raise click.UsageError(f"Missing {', '.join(missing)}: give it as an option, or in the file of --config.")
    return make(TrainConfig, values)


@click.command(cls=GroupedCommand)
@training_options
@click.option("--print-config", is_flag=True, help="Print the whole configuration as YAML and exit.")
@click.option(
    "--dry-run", is_flag=True, help="Prepare everything, take two steps, print the plan, and do not write a student."
)
@quiet_option
@json_option
@click.pass_context
def train(
    context: click.Context,
    /,
    print_config: bool,
    dry_run: bool,
    quiet: bool,
    as_json: bool,
    **_: Any,  # noqa: ANN401
) -> None:
    """Train a smaller student of a teacher, with senses (DSKD) or without (--preset kd).

    Options take precedence over the file, and the file over the preset. To resume an interrupted run, run the same
    command again. To use several processes, start it with
    'accelerate launch --multi_gpu --num_processes N -m lexkit distill train ...', also on CPUs.

    \b
    Example:
      lexkit distill train --preset paper-llama --teacher meta-llama/Meta-Llama-3-8B-Instruct --senses senses
          --data arc:arc/train.jsonl --output student
      lexkit distill train --config dskd.yaml --lr 1e-4
    """
    values = training_values(context)
    if print_config:
        click.echo(to_yaml(TrainConfig, values), nl=False)
        return
    config = training_config(values, ("teacher", "data", "output"))
    require_extra()
    if not dry_run:
        check_output(user_path(config.run.output))
    check_training(config)
    with starting(quiet) as progress:
        from lexkit_distill.training.run import train as run

        summary = run(config, progress, dry_run=dry_run, started=lambda plan: _started(plan, quiet or dry_run))
    if summary is None:
        return
    if as_json:
        print_json({"plan": summary.plan} if dry_run else summary)
    elif not quiet:
        click.echo("\n".join(_plan(summary) if dry_run else _summary(summary)))


def _started(plan: TrainPlan, quiet: bool) -> None:
    """Print counts of the data to standard error before the first step."""
    from lexkit_distill.training.plan import warning

    if not quiet:
        click.echo("\n".join(counted(plan.counts, plan.dropped, plan.unused_relations)), err=True)
    advice = warning(plan.counts)
    if advice is not None:
        click.echo(f"warning: {advice}", err=True)


def counted(counts: DataCounts, dropped: dict[str, int], unused: dict[str, int]) -> list[str]:
    """Return lines with the counts of data, and of senses and relations that supervise them."""
    lines = [
        f"data         {counts.rows:>14,}   rows; left out: {_listed(dropped)}",
        f"  tokens     {counts.tokens:>14,}",
        f"  predicted  {counts.predicted:>14,}   positions",
    ]
    if counts.sampled is None:
        return lines
    of_sampled = max(counts.sampled, 1)
    related, antonyms = counts.sampled_with_relations or 0, counts.sampled_with_antonyms or 0
    return [
        *lines,
        f"  relations of the store left out: {_listed(unused)}",
        f"  own senses {counts.own_senses:>14,}   of these have senses of their token",
        f"  synonyms   {counts.with_synonyms:>14,}   senses of synonyms",
        f"  antonyms   {counts.with_antonyms:>14,}   senses of antonyms",
        f"  sampled    {counts.sampled:>14,}   for the semantic loss",
        f"    related  {related:>14,}   of these have synonyms or antonyms ({related / of_sampled:.1%})",
        f"    antonyms {antonyms:>14,}   have antonyms ({antonyms / of_sampled:.1%})",
    ]


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number:,} ({reason})" for reason, number in counts.items()) or "none"


def _plan(summary: TrainSummary) -> list[str]:
    plan = summary.plan
    lines = [
        f"student      {plan.layers} layers of {plan.teacher}",
        f"  trained    {plan.trained_parameters:>14,}   parameters",
        f"  shared     {plan.shared_parameters:>14,}   parameters are the teacher's own"
        + ("" if plan.shared_prefix else "; hidden states are not shared, so all layers run"),
        *_memory(plan.memory),
        *counted(plan.counts, plan.dropped, plan.unused_relations),
        f"gamma        {plan.gamma:>14.3g}",
        f"steps        {plan.steps:>14,}",
    ]
    if summary.outcome.steps:
        seconds = summary.outcome.seconds / summary.outcome.steps * plan.steps
        lines.append(f"time         {_duration(seconds):>14}   estimated from the first {summary.outcome.steps} steps")
    return lines


def _memory(memory: MemoryPlan) -> list[str]:
    parts = {
        "teacher": (memory.teacher, "weights"),
        "trained": (memory.trained, "weights in fp32, gradients, moments"),
        "activations": (memory.activations, "of teacher and student"),
        "logits": (memory.logits, "with their softmaxes, in parts"),
        "candidates": (memory.candidates, "tables and the senses of a batch"),
        "dictionary": (memory.dictionary, "on the device"),
    }
    first = f"peak, with batches of {memory.rows} x {memory.length:,} tokens"
    return [
        f"memory       {format_size(memory.peak):>14}   {first}",
        *(f"  {name:<11}{format_size(size):>14}   {what}" for name, (size, what) in parts.items() if size),
    ]


def _summary(summary: TrainSummary) -> list[str]:
    outcome = summary.outcome
    lines = [
        summary.path,
        f"  steps      {outcome.steps:>14,}   in {_duration(outcome.seconds)}",
        f"  loss       {outcome.loss:>14.4f}",
    ]
    return lines + [f"  held-out   {value:>14.4f}   {name}" for name, value in outcome.held_out.items()]


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
