"""The study's choices and its arithmetic, and that its page says what its results say."""

from __future__ import annotations

import importlib
import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
STUDY = ROOT / "benchmarks" / "study"


@pytest.fixture
def arms(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(STUDY))
    yield importlib.import_module("arms")
    for name in ("arms", "branch_plan", "branch_report", "report"):
        sys.modules.pop(name, None)


@pytest.fixture
def report(arms: Any) -> Any:
    return importlib.import_module("report")


def test_every_arm_has_as_many_runs_to_choose_by_and_none_of_them_is_compared(arms: Any) -> None:
    best = {arm.name: (0.01, 3.0) for arm in arms.MAIN}
    tuning = arms.tuning_runs(arms.MAIN)
    assert set(Counter(run.arm.name for run in tuning).values()) == {9}
    long_tuning = arms.long_tuning_runs(best)
    assert set(Counter(run.arm.name for run in long_tuning).values()) == {3}
    assert {(run.arm.name, run.lr, run.weight) for run in long_tuning} >= {
        (name, *best[name]) for name in ("KD", "KD + hidden", "DSKD")
    }
    again = best | {"DSKD": (0.01, 1.0)}
    compared = [*arms.main_runs(best), *arms.long_runs(best, again), *arms.short_runs(best)]
    assert {run.seed for run in (*tuning, *long_tuning)}.isdisjoint(run.seed for run in compared)
    every = [*tuning, *long_tuning, *compared]
    assert len({run.key for run in every}) == len(every)
    seeds = Counter((run.phase, run.tokens, run.arm.name) for run in compared)
    assert set(seeds.values()) == {len(arms.SEEDS)}
    assert {name for phase, _, name in seeds if phase == "long"} == {"DSKD"}


def test_the_choice_is_by_validation_alone(arms: Any) -> None:
    def row(lr: float, validation: float, test: float) -> dict[str, Any]:
        told = {"phase": "tuning", "arm": "KD", "tokens": arms.SHORT, "lr": lr, "weight": 1.0, "test_ce": test}
        return {**told, "validation_ce": validation, "validation_kl": 1.0}

    rows = [row(0.1, 3.0, 1.0), row(0.2, 2.0, 9.0), row(0.3, 2.5, 0.0)]
    rows.append(row(0.4, 1.0, 0.0) | {"tokens": arms.LONG})
    assert arms.chosen(rows) == {"KD": (0.2, 1.0)}
    assert arms.chosen(rows, arms.LONG) == {"KD": (0.4, 1.0)}


def test_a_best_value_at_the_end_of_those_tried_has_one_beyond_it_tried(arms: Any) -> None:
    best = {"KD": (0.008, 1.0), "KD + hidden": (0.01, 10.0), "DSKD": (0.01, 10.0)}
    wanted = {"KD": (0.004, 1.0), "KD + hidden": (0.01, 3.0), "DSKD": (0.01, 1.0)}

    def row(run: Any) -> dict[str, Any]:
        told = {"phase": run.phase, "arm": run.arm.name, "tokens": run.tokens, "lr": run.lr, "weight": run.weight}
        is_best = wanted[run.arm.name] == (run.lr, run.weight)
        return {**told, "validation_ce": 1.0 if is_best else 2.0, "validation_kl": 1.0}

    more = arms.beyond_runs([row(run) for run in arms.long_tuning_runs(best)])
    assert [(run.arm.name, run.lr, run.weight) for run in more] == [("KD", 0.002, 1.0), ("DSKD", 0.01, 0.3)]


def test_a_weight_sets_the_fields_it_stands_for(arms: Any) -> None:
    of = {arm.name: arms.Run(arm, "main", 1, 3, 0.01, 0.3).options for arm in arms.MAIN}
    assert of["KD"] == {"beta_p": 0.0, "beta_n": 0.0, "lr": 0.01, "seed": 3}
    assert of["KD + hidden"]["hidden_weight"] == 0.3
    assert of["KD + hidden"]["beta_p"] == 0.0
    assert (of["DSKD"]["beta_p"], of["DSKD"]["beta_n"]) == (0.3, 0.3)


def test_differences_are_within_seeds(report: Any) -> None:
    rows = [
        {"phase": "main", "arm": arm, "tokens": 10.0, "seed": float(seed), "test_ce": seed + add + extra * seed % 2}
        for arm, add, extra in (("KD", 0.0, 0), ("DSKD", -0.5, 0))
        for seed in (0, 1, 2)
    ]
    mean, half, n = report.Results(rows).difference("main", 10, "DSKD", "KD", "test_ce")
    assert (mean, half, n) == (pytest.approx(-0.5), pytest.approx(0), 3)
    rows[3]["test_ce"] -= 0.3
    mean, half, _ = report.Results(rows).difference("main", 10, "DSKD", "KD", "test_ce")
    assert mean == pytest.approx(-0.6)
    assert half == pytest.approx(4.302653 * 0.1, rel=1e-5)  # t(2) times the standard error


def test_an_arm_whose_setting_stays_is_compared_with_those_that_were_trained_again(arms: Any, report: Any) -> None:
    def row(phase: str, arm: str, value: float) -> dict[str, Any]:
        return {"phase": phase, "arm": arm, "tokens": float(arms.LONG), "seed": 0.0, "test_ce": value}

    rows = [row("main", "KD", 5.0), row("main", "DSKD", 5.5)]
    before = report.Results(rows)
    assert before.values("long", "KD", arms.LONG, "test_ce") == {}
    after = report.Results([*rows, row("long", "DSKD", 4.0)])
    assert after.difference("long", arms.LONG, "DSKD", "KD", "test_ce") == (-1.0, 0.0, 1)
    assert after.difference("main", arms.LONG, "DSKD", "KD", "test_ce") == (0.5, 0.0, 1)


def test_the_page_says_what_the_results_say(report: Any) -> None:
    page = (ROOT / "docs" / "study.md").read_text(encoding="utf-8")
    results = report.Results(report.read(STUDY / "results.csv"))
    of_branches, more, of_gemma = (
        report.branch_plan.written(STUDY / name) for name in ("branches.csv", "substitution.csv", "branches-gemma.csv")
    )
    branches, gemma = report.branch_report.Branches(of_branches, more), report.branch_report.Branches(of_gemma)
    assert report.filled(page, results, branches, gemma) == page
    names = {name for name in re.findall(r"<!-- ([a-z-]+) -->", page) if name != "end"}
    assert names == {*report.TABLES, *report.branch_report.TABLES, report.branch_report.OTHER_TEACHER}
