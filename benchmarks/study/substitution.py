"""Put substitution items in real sentences to students that branches.py has trained, and write substitution.csv.

Usage: python benchmarks/study/substitution.py FOLDER --teacher DIR --store STORE [--table FILE]

FOLDER is that of branches.py, which keeps the trained layers of every student. The sentences are those of its
`senses.txt` and `test.txt`, on which no student was trained. STORE is the starter store (`lexkit build`): a store with
WordNet has too few such items. The table gets a row for the teacher, the untrained student, and each control and
student with DSKD, by base and seed. Rows that it has already are not measured again.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import branch_plan as plan
import torch
from branches import SETTINGS, Reader, add_row, probe_figures, read_student, reference, student_file

import lexkit
from lexkit.probe.items import make_items
from lexkit.progress import Progress
from lexkit_distill.evaluation.words import score_words
from lexkit_distill.processes import Processes
from lexkit_distill.teacher import load_teacher

HEADS = 240
KEYS = (
    *(plan.Key(0, plan.REFERENCE, name) for name in (plan.TEACHER, plan.UNTRAINED)),
    *(plan.Key(seed, base, arm) for base in plan.SHALLOW for seed in plan.SEEDS for arm in (plan.CONTROL, "DSKD")),
)


def main() -> None:
    """Score all models, and write the row of each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--table", type=Path, default=Path(__file__).with_suffix(".csv"))
    options = parser.parse_args()
    files = {key: student_file(options.folder, key) for key in KEYS if key.base != plan.REFERENCE}
    if missing := [str(key) for key, file in files.items() if not file.exists()]:
        parser.error(f"{options.folder} lacks students, the first of {missing[0]}; run branches.py first")
    text = "\n\n".join((options.folder / f"{name}.txt").read_text(encoding="utf-8") for name in ("senses", "test"))
    with lexkit.open(options.store) as lexicon:
        items = [item for item in make_items(lexicon, HEADS, text=text) if item.type == "substitution"]
    held_out = set((options.folder / "branches" / "held-out-words.txt").read_text(encoding="utf-8").split())
    teacher, layers = load_teacher(options.teacher, device="cpu"), SETTINGS["layers"]
    prefixes: dict[int, dict[bytes, torch.Tensor]] = {}
    done = set(map(plan.key_of, plan.written(options.table)))
    for key in (key for key in KEYS if key not in done):
        student = read_student(teacher, layers, files[key])[0] if key in files else reference(teacher, layers, key.arm)
        student.tail.eval()
        kept = prefixes.setdefault(student.layers - student.n_trained, {})
        reader = Reader(key.arm, teacher.model, teacher.tokenizer, student=student, prefixes=kept)
        scores = score_words(items, reader, batch_size=8, processes=Processes("cpu"), progress=Progress())
        assert scores is not None
        found = {name: round(value, 6) for name, value in probe_figures(scores.lines, held_out).items()}
        add_row(options.table, {**key._asdict(), "heads": len(items), **found})
        print(*key, f"{found['substitution']:.3f}", flush=True)


if __name__ == "__main__":
    main()
