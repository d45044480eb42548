"""Put substitution items in real sentences to students that branches.py has trained, and write substitution.csv.

Usage: python benchmarks/study/substitution.py FOLDER --teacher DIR --store STORE [--table FILE]

FOLDER is that of branches.py, which keeps the trained layers of every student. The sentences are those of its
`senses.txt` and `test.txt`, on which no student was trained. STORE is the starter store (`lexkit build`): a store with
WordNet has too few such items. The table has a row for the teacher, the untrained student, and each control and student
with DSKD, by base and seed.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import branch_plan as plan
import torch
from branches import SETTINGS, Reader, file_name, probe_figures

from lexkit.probe.items import make_items
from lexkit.progress import Progress
from lexkit.store.lexicon import Lexicon
from lexkit_distill.evaluation.words import score_words
from lexkit_distill.processes import Processes
from lexkit_distill.teacher import Teacher, load_teacher
from lexkit_distill.training.student import Student

HEADS = 240


def students(folder: Path, teacher: Teacher) -> Iterator[tuple[plan.Key, Student]]:
    """Yield the teacher in a student's place, the untrained student, and the trained ones."""
    layers, trained = SETTINGS["layers"], SETTINGS["trained"]
    every = len(teacher.model.base_model.layers)
    yield plan.Key(0, plan.REFERENCE, plan.TEACHER), Student(teacher, every, every - layers + trained)
    yield plan.Key(0, plan.REFERENCE, plan.UNTRAINED), Student(teacher, layers, trained)
    for base in plan.SHALLOW:
        for arm in (plan.CONTROL, "DSKD"):
            for seed in plan.SEEDS:
                key = plan.Key(seed, base, arm)
                kept = torch.load(folder / "branches" / "students" / f"{file_name(' '.join(map(str, key)))}.pt")
                student = Student(teacher, layers, kept["trained"])
                student.tail.layers.load_state_dict(kept["layers"])
                yield key, student


def main() -> None:
    """Score all models, and write their rows."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--store", required=True)
    parser.add_argument("--table", type=Path, default=Path(__file__).with_suffix(".csv"))
    options = parser.parse_args()
    folder = options.folder
    text = "\n\n".join((folder / f"{name}.txt").read_text(encoding="utf-8") for name in ("senses", "test"))
    with Lexicon(options.store) as lexicon:
        items = [item for item in make_items(lexicon, HEADS, text=text) if item.type == "substitution"]
    held_out = set((folder / "branches" / "held-out-words.txt").read_text(encoding="utf-8").split())
    teacher = load_teacher(options.teacher, device="cpu")
    prefixes: dict[int, dict[bytes, torch.Tensor]] = {}
    rows = []
    for key, student in students(folder, teacher):
        student.tail.eval()
        kept = prefixes.setdefault(student.layers - student.n_trained, {})
        reader = Reader(key.arm, teacher.model, teacher.tokenizer, student=student, prefixes=kept)
        scores = score_words(items, reader, batch_size=8, processes=Processes("cpu"), progress=Progress())
        assert scores is not None
        found = probe_figures(scores.lines, held_out)
        rows.append(key._asdict() | {"heads": len(items)} | {name: round(value, 6) for name, value in found.items()})
        print(key, f"{found['substitution']:.3f}", flush=True)
    with options.table.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
