"""The second question of the study: what is left to do, held-out heads, rates, intervals, and a tiny branch."""

from __future__ import annotations

import importlib
import itertools
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

STUDY = Path(__file__).parents[1] / "benchmarks" / "study"


@pytest.fixture
def plan(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.syspath_prepend(str(STUDY))
    yield importlib.import_module("branch_plan")
    for name in ("branch_plan", "branches", "branch_report", "measures", "prepare"):
        sys.modules.pop(name, None)


def every_run(plan: Any, jobs: list[Any]) -> list[Any]:
    return [plan.Key(job.seed, job.base, arm) for job in jobs for arm in job.arms]


def test_every_seed_has_every_arm_on_every_base_once(plan: Any) -> None:
    runs = every_run(plan, plan.plan([]))
    assert len(set(runs)) == len(runs)
    assert Counter(run.base for run in runs) == {
        plan.REFERENCE: 2,
        **{base: len(plan.SEEDS) * sum(base in arm.bases for arm in plan.ARMS) for base in plan.BASES},
    }
    assert len(plan.SEEDS) >= 4


def test_all_seeds_have_the_comparison_that_matters_most_before_any_has_more(plan: Any) -> None:
    runs = [run for run in every_run(plan, plan.plan([])) if run.base != plan.REFERENCE]
    first = runs[: 2 * len(plan.SEEDS)]
    assert {(run.base, run.arm) for run in first} == {("KD + hidden", plan.CONTROL), ("KD + hidden", "DSKD")}
    turns = {arm.name: arm.turn for arm in plan.ARMS}
    # Students of more trained layers come last, one depth after the other
    lateness = [(True, 0) if run.base in plan.MIDDLE else (False, max(turns[run.arm], 1)) for run in runs]
    assert lateness == sorted(lateness)


def test_a_run_whose_row_is_in_the_table_is_not_repeated(plan: Any, tmp_path: Path) -> None:
    table = tmp_path / "branches.csv"
    assert plan.written(table) == []
    lines = ("seed,base,arm,test_ce", "0,KD,DSKD,5.5", '2,KD + hidden,"DSKD, no antonyms",5.25')
    table.write_text("\n".join(lines) + "\n", encoding="utf-8")
    rows = plan.written(table)
    done = [plan.Key(0, "KD", "DSKD"), plan.Key(2, "KD + hidden", "DSKD, no antonyms")]
    assert [plan.key_of(row) for row in rows] == done
    before, left = every_run(plan, plan.plan([])), every_run(plan, plan.plan(done))
    assert set(before) - set(left) == set(done)
    assert plan.plan(before) == []


def test_rows_are_in_the_order_of_the_plan(plan: Any) -> None:
    runs = every_run(plan, plan.plan([]))
    rows = [key._asdict() for key in reversed(runs)]
    ordered = [plan.key_of(row) for row in plan.in_order(rows)]
    assert ordered[:2] == runs[:2]
    assert [key.seed for key in ordered if key.base == "KD"] == sorted(run.seed for run in runs if run.base == "KD")


def test_heads_are_dealt_into_two_halves_by_their_letters_alone(plan: Any) -> None:
    words = [f"word{number}" for number in range(2000)]
    held_out = [plan.is_held_out(word) for word in words]
    assert 0.45 < sum(held_out) / len(words) < 0.55
    assert held_out == [plan.is_held_out(word) for word in words]
    assert [plan.is_held_out(word) for word in ("hot", "cold", "kind")] == [True, False, True]


def test_the_rate_rises_stays_and_falls_to_nothing(plan: Any) -> None:
    rates = [plan.learning_rate(step, 100, 130) for step in range(130)]
    assert rates[:10] == pytest.approx([plan.RATE * (step + 1) / 10 for step in range(10)])
    assert rates[10:101] == [plan.RATE] * 91
    assert rates[129] == pytest.approx(plan.RATE / 30)
    assert all(after < before for before, after in itertools.pairwise(rates[100:]))


def test_an_interval_is_students_t_over_the_seeds_that_both_have(plan: Any) -> None:
    found = plan.paired({0: 1.0, 1: 2.0, 2: 3.0, 3: 4.0, 4: 9.0}, {0: 0.9, 1: 2.1, 2: 2.9, 3: 4.1})
    assert found.n == 4
    assert found.mean == pytest.approx(0)
    assert found.half == pytest.approx(3.182446 * 0.1154701 / 2, rel=1e-5)  # t(3) times the standard error
    assert not found.excludes_zero
    assert plan.paired({0: 1.0}, {0: 0.5}).half == float("inf")


def test_the_report_says_what_is_excluded(plan: Any) -> None:
    report = importlib.import_module("branch_report")
    rows = [
        {"seed": str(seed), "base": "KD", "arm": arm, "test_ce": str(5 + add), "test_kl": str(2 + add)}
        for arm, adds in ((plan.CONTROL, (0, 0, 0, 0)), ("DSKD", (0.01, -0.01, 0.01, -0.01)))
        for seed, add in enumerate(adds)
    ]
    branches = report.Branches(rows)
    assert branches.compared() == [("KD", "DSKD")]
    assert report.excluded(branches).splitlines()[-1].startswith("| KD + DSKD | 0.0184 | 0.0184 |")
    assert "0 of 4 (KD + hidden); 4 of 4 (KD); 0 of 4 (KD + hidden, 4 layers)" in report.counted(branches)
    assert "of each of 0 arms beside KD + hidden and 1 arms beside KD." in report.counted(branches)
    few = report.Branches([row for row in rows if row["seed"] != "3"])
    assert few.compared() == [("KD", "DSKD")]
    assert few.judged() == few.intervals() == []
    assert report.shown(few.difference("KD", "DSKD", "test_ce")) == "+0.003"
