"""The command ``lexkit distill eval``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lexkit.cli.output import json_option, print_json, print_table, quiet_option
from lexkit_distill.checks import require_extra
from lexkit_distill.cli.group import progress
from lexkit_distill.cli.options import config_options
from lexkit_distill.evaluation.config import EvalConfig

if TYPE_CHECKING:
    from lexkit_distill.evaluation.results import Results


@click.command("eval")
@config_options(EvalConfig)
@quiet_option
@json_option
def evaluate(quiet: bool, as_json: bool, **fields: Any) -> None:  # noqa: ANN401
    """Evaluate a model on benchmarks, held-out text and words.

    This needs an extra: pip install 'lexkit[eval]'. Metrics have standard errors and 95% intervals; with --against,
    so do the differences on the same questions. To use several processes, start it with
    'accelerate launch --multi_gpu --num_processes N -m lexkit distill eval ...', also on CPUs.

    \b
    Example:
      lexkit distill eval --model student --against teacher --tasks arc,csqa --data benchmarks --protocol likelihood
    """
    require_extra("eval")
    config = EvalConfig(**fields)
    shown = progress(quiet)
    shown.stage("reading the data")
    try:
        from lexkit_distill.evaluation.data import tasks_without_limit
        from lexkit_distill.evaluation.run import evaluate_models

        results = evaluate_models(config, shown)
    finally:
        shown.close()
    if results is None:
        return
    for task, advice in tasks_without_limit(config).items() if not quiet else ():
        click.echo(f"{task}: --limit does not apply; {advice}", err=True)
    if as_json:
        print_json(results)
    elif not quiet:
        _print(results)


def _print(results: Results) -> None:
    rows = []
    for task, result in results.tasks.items():
        for who, metrics in (("model", result.metrics), ("against", result.against or {})):
            rows += [
                (task, name, who, f"{one.value:.4f}", _number(one.stderr), _interval(one.low, one.high), one.n)
                for name, one in metrics.items()
            ]
    print_table(None, ("task", "metric", "model", "value", "stderr", "95% interval", "n"), rows)
    compared = [
        (
            task,
            name,
            f"{one.difference:+.4f}",
            _interval(one.low, one.high, "+"),
            "" if one.only_first is None else f"{one.only_first}:{one.only_second}",
            "" if one.p_mcnemar is None else f"{one.p_mcnemar:.4f}",
        )
        for task, result in results.tasks.items()
        for name, one in (result.difference or {}).items()
    ]
    if compared:
        click.echo()
        print_table(None, ("task", "metric", "difference", "95% interval", "only one right", "p (McNemar)"), compared)
    _print_missing_intervals(results)
    for task, result in results.tasks.items():
        for who, details in (("model", result.details), ("against", result.against_details or {})):
            if details.get("truncated"):
                click.echo(
                    f"{task}: {details['truncated']:,} prompts were longer than the context of the {who}, and their "
                    "beginning was cut off; use fewer --shots",
                    err=True,
                )
            if details.get("unwritable_items"):
                click.echo(
                    f"{task}: {details['unwritable_items']:,} items were left out because the tokenizer of the {who} "
                    "lacks their words or their sentences are longer than its context",
                    err=True,
                )
        if "too_few_heads" in result.details and not result.details["heads"]["substitution"]:
            click.echo(
                f"{task}: no items in real sentences; name a text in which head words occur with --text", err=True
            )
        few = result.details.get("too_few_heads")
        if few:
            named = ", ".join(f"{name} ({n})" for name, n in few.items())
            click.echo(
                f"{task}: not reported, because there are fewer than {result.details['least_heads']} head words: "
                f"{named}",
                err=True,
            )


def _print_missing_intervals(results: Results) -> None:
    for task, result in results.tasks.items():
        reasons: dict[str, list[str]] = {}
        parts = {"": result.metrics, " of --against": result.against, " (difference)": result.difference}
        for part, figures in parts.items():
            for name, one in (figures or {}).items():
                if one.low is None:
                    reasons.setdefault(one.interval, []).append(f"{name}{part}")
        for reason, names in reasons.items():
            click.echo(f"{task}: no interval for {', '.join(names)}: {reason}", err=True)


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _interval(low: float | None, high: float | None, sign: str = "") -> str:
    return "-" if low is None or high is None else f"{low:{sign}.4f} to {high:{sign}.4f}"
