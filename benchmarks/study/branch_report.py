"""Tables and the figure of the study's second question, from branches.csv.

Differences are to the control of the same seed and base, with 95% intervals of Student's t over the seeds. An arm that
fewer than LEAST_SEEDS seeds have is shown without an interval, and nothing is concluded from it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import branch_plan as plan
import numpy as np
from branch_plan import CONTROL, Interval, key_of, paired

from lexkit.figures import QUIET, SERIES, picture

DASH, MINUS = "\N{EN DASH}", "\N{MINUS SIGN}"
TEXT = {
    "test_ce": "CE",
    "test_kl": "KL",
    "test_agreement": "top-1 agreement",
    "test_ce_related": "CE, related",
    "test_ce_rare": "CE, rare",
}
WORDS = {
    "antonym_seen": "antonym, seen",
    "antonym_unseen": "antonym, unseen",
    "antonym_margin_seen": "antonym margin, seen",
    "antonym_margin_unseen": "antonym margin, unseen",
    "synonym_seen": "synonym, seen",
    "synonym_unseen": "synonym, unseen",
    "negation": "negation",
}
RARE = {
    "test_ce_rare": "CE, rare tokens",
    "test_ce_composed": "CE, tokens with composed senses",
    "antonym_rare": "antonym",
    "antonym_margin_rare": "antonym margin",
    "synonym_rare": "synonym",
    "synonym_margin_rare": "synonym margin",
}
LEVELS = ("", "_common", "_middle", "_rare", "_stated", "_derived", "_one_token", "_several_tokens")
LOWER_IS_BETTER = ("test_ce", "test_kl")
LEAST_SEEDS = 4
COMPARED = (*TEXT, *WORDS)
"""The measures that have an interval for each arm and base."""
COMPARED_NAMES = {**TEXT, **WORDS, "synonym": "synonym", "antonym": "antonym"}
_MARGINS = ("antonym_margin_seen", "antonym_margin_unseen", "synonym")
_MIDDLE = ("test_ce", "test_kl", "test_ce_rare", *_MARGINS, "negation")
_IDEAS = (
    *(
        ("KD + hidden", "DSKD, synonyms of one token", f"DSKD, {what} for these")
        for what in ("neighbours", "likely words", "random words")
    ),
    *(
        ("KD + hidden", "DSKD, rare words by synonyms", other)
        for other in ("DSKD, rare words by random words", "DSKD, rare words by neighbours", "DSKD")
    ),
    *((base, "senses of a middle layer", "senses of a middle layer, another token's") for base in plan.MIDDLE),
)
"""A base, an arm with the idea of an attempt, and the same arm without it."""
_DIGITS = {"test_ce": 4, "test_kl": 4, "test_ce_related": 4}


class Branches:
    """The runs of the second question.

    Args:
        rows: of branches.csv, as they are written.
        more: rows of substitution.csv, with other measures of some of these runs.
    """

    def __init__(self, rows: Iterable[dict[str, str]], more: Iterable[dict[str, str]] = ()) -> None:
        self.rows = {key_of(row): row for row in rows}
        for row in more:
            self.rows[key_of(row)] = row | self.rows[key_of(row)]

    def values(self, base: str, arm: str, measure: str) -> dict[int, float]:
        """Return a measure by seed."""
        of_arm = {key.seed: row for key, row in self.rows.items() if (key.base, key.arm) == (base, arm)}
        return {seed: float(row[measure]) for seed, row in of_arm.items() if row.get(measure)}

    def difference(self, base: str, arm: str, measure: str) -> Interval:
        """Return an arm's difference to the control of its base."""
        return paired(self.values(base, arm, measure), self.values(base, CONTROL, measure))

    def compared(self) -> list[tuple[str, str]]:
        """Return the base and name of all arms that have a row beside a control's."""
        return [
            (base, arm.name)
            for base in plan.BASES
            for arm in plan.ARMS
            if arm.name != CONTROL and self.difference(base, arm.name, "test_ce").n
        ]

    def judged(self) -> list[tuple[str, str]]:
        """Return those of them that have enough seeds for an interval."""
        return [(base, arm) for base, arm in self.compared() if self.difference(base, arm, "test_ce").n >= LEAST_SEEDS]

    def intervals(self) -> list[Interval]:
        """Return every interval of the tables on students of two trained layers."""
        judged = [(base, arm) for base, arm in self.judged() if base in plan.SHALLOW]
        return [self.difference(base, arm, measure) for base, arm in judged for measure in COMPARED]


def signed(value: float, digits: int = 3) -> str:
    """Return a number with its sign."""
    return f"{value:+.{digits}f}".replace("-", MINUS)


def shown(interval: Interval, digits: int = 3) -> str:
    """Return an interval; bold where it leaves out 0. Of too few seeds, return the mean alone."""
    if interval.n == 0:
        return DASH
    if interval.n < LEAST_SEEDS:
        return signed(interval.mean, digits)
    text = f"{signed(interval.mean, digits)} ± {interval.half:.{digits}f}"
    return f"**{text}**" if interval.excludes_zero else text


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """Return a table in Markdown."""
    head = list(head)
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *map(list, rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def differences(base: str, measures: dict[str, str]) -> Callable[[Branches], str]:
    """Differences of the arms of a base to its control."""

    def make(branches: Branches) -> str:
        rows = []
        for arm in (arm for of, arm in branches.compared() if of == base):
            found = {measure: branches.difference(base, arm, measure) for measure in measures}
            cells = [shown(interval, _DIGITS.get(measure, 3)) for measure, interval in found.items()]
            rows.append([arm, str(branches.difference(base, arm, "test_ce").n), *cells])
        return table([f"added to {base}", "seeds", *measures.values()], rows) if rows else "No runs yet."

    return make


def ablations(branches: Branches) -> str:
    """What DSKD gains over its own ablations: differences of DSKD to them."""
    measures = {name: COMPARED_NAMES[name] for name in ("test_ce", "test_kl", *_MARGINS)}
    rows = []
    for base, arm in branches.compared():
        if base not in plan.SHALLOW or not arm.startswith("DSKD, ") or "rare" in arm:
            continue
        own, other = ([branches.values(base, name, measure) for measure in measures] for name in ("DSKD", arm))
        found = [paired(mine, theirs) for mine, theirs in zip(own, other, strict=True)]
        if all(interval.n for interval in found):
            cells = [shown(interval, _DIGITS.get(name, 3)) for name, interval in zip(measures, found, strict=True)]
            rows.append([base, arm.removeprefix("DSKD, "), str(found[0].n), *cells])
    return table(["base", "DSKD less DSKD with", "seeds", *measures.values()], rows) if rows else "No runs yet."


def ideas(branches: Branches) -> str:
    """Differences of attempts to the same arms without their ideas."""
    measures = {name: (TEXT | RARE)[name] for name in ("test_ce", "test_kl", "test_ce_rare", "test_ce_composed")}
    rows = []
    for base, arm, other in _IDEAS:
        mine, theirs = ([branches.values(base, name, measure) for measure in measures] for name in (arm, other))
        found = [paired(one, two) for one, two in zip(mine, theirs, strict=True)]
        if found[0].n:
            cells = [shown(interval, _DIGITS.get(name, 3)) for name, interval in zip(measures, found, strict=True)]
            rows.append([base, arm, other, str(found[0].n), *cells])
    return table(["base", "arm", "less", "seeds", *measures.values()], rows) if rows else "No runs yet."


def middle(branches: Branches) -> str:
    """Differences of the arms at middle layers, and of DSKD beside them, to the control of their own depth."""
    measures = {name: COMPARED_NAMES[name] for name in _MIDDLE}
    rows = []
    for base, arm in (both for both in branches.compared() if both[0] in plan.MIDDLE):
        found = {measure: branches.difference(base, arm, measure) for measure in measures}
        cells = [shown(interval, _DIGITS.get(measure, 3)) for measure, interval in found.items()]
        trained = str(plan.BASES[base]["trained"])
        rows.append([trained, arm, str(branches.difference(base, arm, "test_ce").n), *cells])
    head = ["trained layers", "added to KD + hidden", "seeds", *measures.values()]
    return table(head, rows) if rows else "No runs yet."


def rare(branches: Branches) -> str:
    """Differences on rare words, of DSKD and of the arms that compose the senses of rare words, to the control."""
    base = "KD + hidden"
    rows = []
    for arm in (arm for of, arm in branches.compared() if of == base):
        found = [branches.difference(base, arm, measure) for measure in RARE]
        if all(interval.n for interval in found):
            rows.append([arm, str(found[0].n), *map(shown, found)])
    return table([f"added to {base}", "seeds", *RARE.values()], rows) if rows else "No runs yet."


def excluded(branches: Branches) -> str:
    """The largest gain and the largest cost in CE and KL that the intervals leave possible, and so exclude beyond."""
    rows = []
    for base, arm in branches.judged():
        cells = []
        for measure in LOWER_IS_BETTER:
            mean, half, _ = branches.difference(base, arm, measure)
            cells += [f"{max(half - mean, 0):.4f}", f"{max(half + mean, 0):.4f}"]
        rows.append([f"{base} + {arm}", *cells])
    names = [f"{what} in {TEXT[measure]} above" for measure in LOWER_IS_BETTER for what in ("gain", "cost")]
    return table(["excluded", *names], rows) if rows else f"No arm has {LEAST_SEEDS} seeds yet."


def levels(kind: str) -> Callable[[Branches], str]:
    """What teacher and students make of one type of item, by band: means over seeds."""
    models = (
        (plan.REFERENCE, plan.TEACHER, plan.TEACHER),
        (plan.REFERENCE, plan.UNTRAINED, plan.UNTRAINED),
        ("KD", CONTROL, "KD"),
        ("KD + hidden", CONTROL, "KD + hidden"),
        ("KD", "DSKD", "DSKD (on KD)"),
        ("KD + hidden", "DSKD", "DSKD (on KD + hidden)"),
    )

    def make(branches: Branches) -> str:
        bands = [band for band in LEVELS if branches.values(plan.REFERENCE, plan.TEACHER, f"{kind}{band}")]
        rows = []
        for base, arm, name in models:
            found = [branches.values(base, arm, f"{kind}{band}") for band in bands]
            if any(found):
                rows.append([name, *(f"{np.mean(list(one.values())):.3f}" if one else DASH for one in found)])
        return table([kind, *(band.strip("_").replace("_", " ") or "all" for band in bands)], rows)

    return make


def known(branches: Branches) -> str:
    """Differences in accuracies and margins on words to the control, of DSKD and of the mean of all senses."""
    kinds = ("antonym", "synonym", "negation", "substitution")
    measures = [f"{kind}{of}" for of in ("", "_margin") for kind in kinds]
    rows = []
    for base in plan.SHALLOW:
        for arm in ("DSKD", "DSKD, the mean of all senses"):
            found = [branches.difference(base, arm, measure) for measure in measures]
            if any(interval.n for interval in found):
                rows.append([base, arm, *map(shown, found)])
    head = ["base", "added", *(name.replace("_", " ") for name in measures)]
    return table(head, rows) if rows else "No runs yet."


def text_levels(branches: Branches) -> str:
    """Levels of the text measures: means over seeds."""
    models = [(plan.REFERENCE, plan.TEACHER), (plan.REFERENCE, plan.UNTRAINED)]
    models += [(base, CONTROL) for base in plan.BASES]
    rows = []
    for base, arm in models:
        found = [branches.values(base, arm, measure) for measure in TEXT]
        if any(found):
            name = base if arm == CONTROL else arm
            rows.append([name, str(len(found[0])), *(f"{np.mean(list(one.values())):.3f}" for one in found)])
    return table(["end of the branch", "seeds", *TEXT.values()], rows)


def counted(branches: Branches) -> str:
    """How many intervals there are, and how many of them leave out 0."""
    every, judged = branches.intervals(), [both for both in branches.judged() if both[0] in plan.SHALLOW]
    seeds = [len(branches.values(base, CONTROL, "test_ce")) for base in plan.BASES]
    told = "; ".join(f"{n} of {len(plan.SEEDS)} ({base})" for base, n in zip(plan.BASES, seeds, strict=True))
    text = f"Seeds whose control is done: {told}. Only arms with {LEAST_SEEDS} seeds or more have intervals; "
    if not judged:
        return text + "no arm has yet, so that this page draws no conclusion from the tables below."
    away = sum(interval.excludes_zero for interval in every)
    arms = " and ".join(f"{sum(of == base for of, _ in judged)} arms beside {base}" for base in plan.SHALLOW)
    return (
        f"{text}the tables beside KD + hidden and KD have {len(every)}: {len(COMPARED)} measures of each of {arms}. If"
        f" no arm did anything, about {len(every) * 0.05:.0f} of them would leave out 0 by chance; {away} do. These "
        f"are not {away} separate findings: most arms are variants of DSKD, and all of a base have the same control."
    )


OTHER_TEACHER = "branch-gemma"
"""The table of another teacher's runs, which are in a file of their own."""


def other_teacher(branches: Branches) -> str:
    """Levels of another teacher and its students, and differences to the control."""
    base = "KD + hidden"
    measures = {name: COMPARED_NAMES[name] for name in ("test_ce", "test_kl", "antonym", *_MARGINS)}
    models = ((plan.REFERENCE, plan.TEACHER), (plan.REFERENCE, plan.UNTRAINED), (base, CONTROL))
    rows = []
    for of, arm in models:
        found = [branches.values(of, arm, measure) for measure in measures]
        if found[0]:
            name = base if arm == CONTROL else arm
            rows.append([name, str(len(found[0])), *(f"{np.mean(list(one.values())):.3f}" for one in found)])
    wrong = "DSKD, another token's senses"
    found = [paired(branches.values(base, "DSKD", name), branches.values(base, wrong, name)) for name in measures]
    for _, arm in branches.compared():
        found_here = {measure: branches.difference(base, arm, measure) for measure in measures}
        cells = [shown(interval, _DIGITS.get(measure, 3)) for measure, interval in found_here.items()]
        rows.append([f"added: {arm}", str(found_here["test_ce"].n), *cells])
    if found[0].n:
        cells = [shown(interval, _DIGITS.get(name, 3)) for name, interval in zip(measures, found, strict=True)]
        rows.append([f"DSKD less {wrong}", str(found[0].n), *cells])
    return table(["model", "seeds", *measures.values()], rows) if rows else "No runs yet."


TABLES: dict[str, Callable[[Branches], str]] = {
    "branch-seeds": counted,
    "branch-levels": text_levels,
    "branch-hidden-text": differences("KD + hidden", TEXT),
    "branch-hidden-words": differences("KD + hidden", WORDS),
    "branch-kd-text": differences("KD", TEXT),
    "branch-kd-words": differences("KD", WORDS),
    "branch-ablations": ablations,
    "branch-ideas": ideas,
    "branch-middle": middle,
    "branch-rare": rare,
    "branch-excluded": excluded,
    "branch-antonym": levels("antonym"),
    "branch-synonym": levels("synonym"),
    "branch-negation": levels("negation"),
    "branch-substitution": levels("substitution"),
    "branch-known": known,
}


def draw(branches: Branches, path: Path) -> None:
    """Draw the differences in CE and KL of every arm to its control, for students of two trained layers."""
    every = [(base, arm) for base, arm in branches.compared() if base in plan.SHALLOW]
    names = [arm.name for arm in plan.ARMS if any(arm.name == name for _, name in every)]
    with picture(path, 9, 1.2 + 0.32 * len(names)) as figure:
        axes = figure.subplots(1, 2, sharey=True)
        for axis, measure in zip(axes, LOWER_IS_BETTER, strict=True):
            for base, arm in every:
                mean, half, n = branches.difference(base, arm, measure)
                shift = 0.12 if base == next(iter(plan.BASES)) else -0.12
                axis.errorbar(
                    mean,
                    len(names) - 1 - names.index(arm) + shift,
                    xerr=half if n >= LEAST_SEEDS else None,
                    marker="o",
                    markersize=4,
                    markerfacecolor=None if n >= LEAST_SEEDS else "white",
                    capsize=2,
                    color=SERIES[list(plan.BASES).index(base)],
                )
            axis.axvline(0, color=QUIET, linewidth=1)
            axis.set_title(f"{TEXT[measure]} less that of the control (less is better)", fontsize=10)
        axes[0].set_yticks(range(len(names)), names[::-1], fontsize=8)
        for number, base in enumerate(plan.SHALLOW):
            axes[1].plot([], [], marker="o", color=SERIES[number], label=f"on {base}")
        axes[1].legend(frameon=False, fontsize=8)
