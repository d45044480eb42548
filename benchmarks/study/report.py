"""Make the tables and figures of docs/study.md from the tables of results.

Usage: python benchmarks/study/report.py [RESULTS.csv] [--branches BRANCHES.csv] [--write docs/study.md]

Without --write the tables are printed. With it, those in the page (between '<!-- NAME -->' and '<!-- end -->') are put
in the place of the old ones, and figures are drawn beside the page.

All differences are paired: runs with the same seed have the same rows in the same order and the same sampled positions.
Intervals are Student's t over the seeds, 95%; they tell of seeds, not of other texts.
"""

from __future__ import annotations

import argparse
import csv
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import arms
import branch_plan
import branch_report
import numpy as np
from branch_report import table
from scipy.stats import t as student_t

from lexkit.atomic_write import write_atomically
from lexkit.figures import QUIET, SERIES, picture

Row = dict[str, Any]
MEASURES = {
    "test_ce": "CE",
    "test_kl": "KL",
    "test_agreement": "top-1 agreement",
    "test_ce_related": "CE, related",
    "test_kl_related": "KL, related",
    "test_ce_rare": "CE, rare",
    "test_kl_rare": "KL, rare",
    "simlex": "SimLex",
    "simverb": "SimVerb",
    "antsyn": "AntSynNET",
    "arc": "ARC",
    "csqa": "CSQA",
    "piqa": "PIQA",
}
_TEXT = ("test_ce", "test_kl", "test_agreement", "test_ce_related", "test_kl_related", "test_ce_rare", "test_kl_rare")
_WORDS = ("simlex", "simverb", "antsyn")
_TASKS = ("arc", "csqa", "piqa")
STAGES = (
    ("short", arms.SHORT, f"{arms.SHORT:,}"),
    *(("main", tokens, f"{tokens:,}") for tokens in arms.LENGTHS),
    ("long", arms.LONG, f"{arms.LONG:,}, chosen again"),
)
"""Phases and lengths that the main arms are compared in, and what the tables call them."""


def read(path: Path) -> list[Row]:
    """Read the results; what is a number becomes one."""

    def value(text: str) -> Any:  # noqa: ANN401
        try:
            return float(text)
        except ValueError:
            return text or None

    with path.open(newline="", encoding="utf-8") as file:
        return [{name: value(text) for name, text in row.items()} for row in csv.DictReader(file)]


class Results:
    """The compared runs of a study."""

    def __init__(self, rows: list[Row]) -> None:
        self.rows = rows
        self._of: dict[tuple[str, str, int], dict[int, Row]] = {}
        for row in rows:
            if row["phase"] != "tuning":
                group = self._of.setdefault((row["phase"], row["arm"], int(row["tokens"])), {})
                group[int(row["seed"])] = row
        # What would be the same runs is not trained twice
        if any((phase, tokens) == ("long", arms.LONG) for phase, _, tokens in self._of):
            for arm in arms.MAIN:
                same = self._of.get(("main", arm.name, arms.LONG), {})
                self._of.setdefault(("long", arm.name, arms.LONG), same)

    def is_new(self, phase: str, *names: str) -> bool:
        """Return whether a phase has runs of its own of any of the arms, and not just those of another setting."""
        groups = [(self._of.get((phase, name, arms.LONG)), self._of.get(("main", name, arms.LONG))) for name in names]
        return phase != "long" or any(ours is not theirs for ours, theirs in groups)

    def values(self, phase: str, arm: str, tokens: int, measure: str) -> dict[int, float]:
        """Return a measure by seed."""
        group = self._of.get((phase, arm, tokens), {})
        return {seed: row[measure] for seed, row in group.items() if row.get(measure) is not None}

    def mean(self, phase: str, arm: str, tokens: int, measure: str) -> str:
        """Return the mean over seeds."""
        values = list(self.values(phase, arm, tokens, measure).values())
        return f"{np.mean(values):.3f}" if values else "\N{EN DASH}"

    def difference(self, phase: str, tokens: int, arm: str, other: str, measure: str) -> tuple[float, float, int]:
        """Return the mean paired difference, half its interval, and the number of pairs."""
        ours, theirs = (self.values(phase, name, tokens, measure) for name in (arm, other))
        pairs = np.array([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])
        if len(pairs) < 2:
            return float(pairs.mean()) if len(pairs) else float("nan"), 0.0, len(pairs)
        half = student_t.ppf(0.975, len(pairs) - 1) * pairs.std(ddof=1) / len(pairs) ** 0.5
        return float(pairs.mean()), float(half), len(pairs)

    def shown(self, phase: str, tokens: int, arm: str, other: str, measure: str) -> str:
        """Return a difference with its interval; bold where the interval is without 0."""
        mean, half, n = self.difference(phase, tokens, arm, other, measure)
        if n == 0:
            return "\N{EN DASH}"
        if n == 1:
            return f"{mean:+.3f} (1 seed)".replace("-", "\N{MINUS SIGN}")
        text = f"{mean:+.3f} ± {half:.3f}".replace("-", "\N{MINUS SIGN}")
        return f"**{text}**" if abs(mean) > half else text


def tuned(results: Results) -> str:
    """Learning rates and weights tried, and chosen."""
    rows = []
    for tokens in (arms.SHORT, arms.LONG):
        best = arms.chosen(results.rows, tokens)
        for arm in arms.MAIN:
            if arm.name not in best:
                continue
            of_arm = [row for row in results.rows if row["phase"] == "tuning" and row["arm"] == arm.name]
            tried = [row for row in of_arm if row["tokens"] == tokens]
            rates, weights = (sorted({row[name] for row in tried}) for name in ("lr", "weight"))
            lr, weight = best[arm.name]
            sums = sorted(row["validation_ce"] + row["validation_kl"] for row in tried)
            rows.append(
                [
                    arm.name,
                    f"{tokens:,}",
                    " ".join(f"{value:g}" for value in rates),
                    " ".join(f"{value:g}" for value in weights) if arm.weight else "\N{EN DASH}",
                    f"{lr:g}",
                    f"{weight:g}" if arm.weight else "\N{EN DASH}",
                    f"{sums[0]:.3f}",
                    f"{sums[-1]:.3f}",
                ]
            )
    head = ["arm", "tokens", "learning rates", "weights", "chosen rate", "chosen weight", "best CE + KL", "worst"]
    return table(head, rows)


def levels(measures: Iterable[str]) -> Callable[[Results], str]:
    """Means of the main arms by length."""

    def make(results: Results) -> str:
        rows = [
            [told, arm.name, *(results.mean(phase, arm.name, tokens, measure) for measure in measures)]
            for phase, tokens, told in (("reference", 0, "0"), *STAGES)
            for arm in (arms.TEACHER, arms.UNTRAINED, *arms.MAIN)
            if results.is_new(phase, arm.name)
            and any(results.values(phase, arm.name, tokens, measure) for measure in measures)
        ]
        return table(["tokens", "arm", *(MEASURES[measure] for measure in measures)], rows)

    return make


def between(measures: Iterable[str]) -> Callable[[Results], str]:
    """Paired differences of the main arms by length."""
    pairs = (("DSKD", "KD"), ("KD + hidden", "KD"), ("DSKD", "KD + hidden"))

    def make(results: Results) -> str:
        rows = [
            [
                told,
                f"{arm} \N{MINUS SIGN} {other}",
                *(results.shown(phase, tokens, arm, other, measure) for measure in measures),
            ]
            for phase, tokens, told in STAGES
            for arm, other in pairs
            if results.is_new(phase, arm, other)
            and any(results.values(phase, arm, tokens, measure) for measure in measures)
        ]
        return table(["tokens", "difference", *(MEASURES[measure] for measure in measures)], rows)

    return make


TABLES: dict[str, Callable[[Results], str]] = {
    "tuned": tuned,
    "levels-text": levels(_TEXT),
    "levels-words": levels((*_WORDS, *_TASKS)),
    "main-text": between(_TEXT),
    "main-words": between((*_WORDS, *_TASKS)),
}


def filled(page: str, results: Results, branches: branch_report.Branches, other_teacher: branch_report.Branches) -> str:
    """Return a page with new tables."""
    tables = {name: make(results) for name, make in TABLES.items()}
    tables |= {name: make(branches) for name, make in branch_report.TABLES.items()}
    tables[branch_report.OTHER_TEACHER] = branch_report.other_teacher(other_teacher)

    def make(found: re.Match[str]) -> str:
        return f"<!-- {found[1]} -->\n\n{tables[found[1]]}\n\n<!-- end -->"

    return re.sub(r"<!-- ([a-z-]+) -->\n.*?<!-- end -->", make, page, flags=re.DOTALL)


def draw(results: Results, folder: Path) -> None:
    """Draw the differences by length."""
    with picture(folder / "study-lengths.svg", 9, 3.4) as figure:
        axes = figure.subplots(1, 2)
        for axis, measure in zip(axes, ("test_ce", "test_kl"), strict=True):
            for place, arm in enumerate(arms.MAIN[1:]):
                for again in (False, True) if results.is_new("long", arm.name) else (False,):
                    stages = [(phase, tokens) for phase, tokens, _ in STAGES if (phase == "long") == again]
                    found = [results.difference(phase, tokens, arm.name, "KD", measure) for phase, tokens in stages]
                    axis.errorbar(
                        [tokens * (0.96 + 0.08 * place + 0.12 * again) for _, tokens in stages],
                        [mean for mean, _, _ in found],
                        [half for _, half, _ in found],
                        color=SERIES[place],
                        marker="s" if again else "o",
                        markerfacecolor="white" if again else None,
                        capsize=3,
                        label=f"{arm.name}, chosen again" if again else arm.name,
                    )
            axis.axhline(0, color=QUIET, linewidth=1)
            axis.set_xscale("log")
            axis.set_xlabel("predicted tokens")
            axis.set_title(f"{MEASURES[measure]} less that of KD (less is better)", fontsize=10)
        axes[0].legend(frameon=False)


def main() -> None:
    """Print, or write, everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    here = Path(__file__)
    parser.add_argument("results", type=Path, nargs="?", default=here.with_name("results.csv"))
    parser.add_argument("--branches", type=Path, default=here.with_name("branches.csv"))
    parser.add_argument("--substitution", type=Path, default=here.with_name("substitution.csv"))
    parser.add_argument("--gemma", type=Path, default=here.with_name("branches-gemma.csv"))
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    results = Results(read(options.results))
    of_branches, more, of_gemma = map(branch_plan.written, (options.branches, options.substitution, options.gemma))
    branches, gemma = branch_report.Branches(of_branches, more), branch_report.Branches(of_gemma)
    if options.write is None:
        for name, make in TABLES.items():
            print(f"{name}\n\n{make(results)}\n")
        for name, make_branches in branch_report.TABLES.items():
            print(f"{name}\n\n{make_branches(branches)}\n")
        print(f"{branch_report.OTHER_TEACHER}\n\n{branch_report.other_teacher(gemma)}\n")
        return
    page = options.write.read_text(encoding="utf-8")
    write_atomically(options.write, filled(page, results, branches, gemma).encode())
    draw(results, options.write.parent)
    branch_report.draw(branches, options.write.parent / "study-arms.svg")


if __name__ == "__main__":
    main()
