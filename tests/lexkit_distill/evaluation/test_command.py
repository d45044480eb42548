from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.config import EvalConfig
from lexkit_distill.evaluation.data import read_data, tasks_without_limit

_ABSENT = """
import sys
sys.modules.update(dict.fromkeys({absent!r}))
from lexkit.cli.main import main
main(sys.argv[1:])
"""


def test_without_torch_or_the_harness_the_command_says_what_to_install_and_its_help_still_works() -> None:
    for absent in (("torch", "transformers", "accelerate"), ("lm_eval", "scipy")):
        script = _ABSENT.format(absent=absent)
        command = [sys.executable, "-W", "ignore", "-c", script, "distill", "eval"]
        done = subprocess.run([*command, "--model", "x", "--tasks", "arc"], capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.count("\n") == 1
        assert "pip install 'lexkit[eval]'" in done.stderr
        shown = subprocess.run([*command, "--help"], capture_output=True, text=True, check=False)
        assert shown.returncode == 0
        assert "Example:" in shown.stdout


@pytest.mark.parametrize(
    ("tasks", "advice"), [("words", r"words \(use --heads"), ("lexical,words", r"lexical \(it always uses whole lists")]
)
def test_a_limit_that_all_tasks_would_ignore_is_refused(tasks: str, advice: str) -> None:
    config = EvalConfig(model="none", tasks=tasks, limit=50)
    with pytest.raises(EvaluationError, match=rf"--limit 50: does not apply to {advice}.*; leave out --limit$"):
        read_data(config)


def test_the_tasks_that_ignore_a_limit_are_named_among_others() -> None:
    config = EvalConfig(model="none", tasks="perplexity,lexical,words", limit=50)
    assert tasks_without_limit(config) == {"lexical": "it always uses whole lists", "words": "use --heads instead"}
    assert tasks_without_limit(replace(config, limit=None)) == {}


def test_a_missing_interval_is_a_dash_with_its_reason(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("scipy")
    import numpy as np

    from lexkit_distill.cli.evaluate import _print
    from lexkit_distill.evaluation.results import Results, TaskScores, summarize
    from lexkit_distill.evaluation.statistics import Measure

    measures = [Measure("acc", np.zeros((6, 1))), Measure("kl", np.ones((6, 2)), "ratio")]
    scores = TaskScores(measures)
    tasks = {"arc": summarize(scores, scores, 0)}
    _print(Results(model="m", against="n", config={}, versions={}, processes=1, data={}, tasks=tasks))
    shown = capsys.readouterr()
    rows = [line.split() for line in shown.out.splitlines()]
    assert ["arc", "acc", "model", "0.0000", "-", "0.0000", "to", "0.4593", "6"] in rows
    assert ["arc", "kl", "model", "1.0000", "-", "-", "6"] in rows
    assert shown.err.splitlines() == [
        "arc: no interval for kl, kl of --against, kl (difference): a bootstrap needs 20 rows, but there are 6"
    ]
