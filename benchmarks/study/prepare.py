"""Make what the study of docs/study.md trains with: texts, a store, sense dictionaries.

Usage: python benchmarks/study/prepare.py FOLDER --data DIR --teacher DIR

DIR of --data has the public files that docs/study.md lists; --teacher is a folder of benchmarks/teacher.py. What
is in FOLDER already is left as it is, so that a run that was ended goes on. On two cores it takes half an hour.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
from altered import Change, altered, averaged, composed_of, of_one_token, shuffled, store_without
from branch_plan import MIDDLE, is_held_out
from torch import Tensor

from lexkit.atomic_write import new_file, new_folder, write_atomically
from lexkit.probe.items import make_items
from lexkit.store.lexicon import Lexicon
from lexkit_distill.senses import dictionary as files
from lexkit_distill.teacher import load_teacher
from lexkit_distill.training.student import Student, write_student

LEXKIT = [sys.executable, "-m", "lexkit"]
BLOCK = 50
"""Paragraphs that stay together: neighbours tell of the same things, and would leak from one part into another."""
PARTS = (("senses", 8), ("train", 9), ("validation", 1), ("test", 2))
"""Of every 20 blocks of the text."""
LEFT_OUT = {"stated": "NOT direct", "no-synonyms": "kind = 'synonym'"}
"""Stores without some relations: only the stated ones, only antonyms."""
COMPOSED = ("synonyms", "random-words", "neighbour-words")
"""Dictionaries in which rare words have the senses of synonyms, of random words, or of neighbours."""
OF_ONE_TOKEN = ("one-token", "neighbours", "likely", "random-pairs")
"""Stores with synonyms between words of one token alone, and with other pairs in place of these."""
QUESTIONS = 1500
"""Of CommonsenseQA's training set, as many as ARC-Challenge has and a half more."""


def split(source: Path, folder: Path) -> None:
    """Deal blocks of paragraphs out to the parts of the study."""
    paragraphs = [line.strip() for line in source.read_text(encoding="utf-8").splitlines() if line.strip()]
    names = [name for name, share in PARTS for _ in range(share)]
    order = np.random.default_rng(0).permutation(len(names))
    texts: dict[str, list[str]] = {name: [] for name, _ in PARTS}
    for place in range(0, len(paragraphs), BLOCK):
        texts[names[order[place // BLOCK % len(names)]]] += paragraphs[place : place + BLOCK]
    for name, part in texts.items():
        (folder / f"{name}.txt").write_text("\n\n".join(part) + "\n", encoding="utf-8")
        print(f"{name}: {len(part):,} paragraphs, {sum(len(text.split()) for text in part):,} words", flush=True)


def run(*arguments: str | Path) -> None:
    """Run lexkit."""
    print("lexkit", *arguments, flush=True)
    subprocess.run([*LEXKIT, *map(str, arguments)], check=True)


def held_out_words(store: Path) -> list[str]:
    """Return the heads of the probe's items whose relations no training of the second question sees."""
    with Lexicon(store) as lexicon:
        items = make_items(lexicon)
    return sorted({word for item in items if is_held_out(item.group) for word in (item.head, item.group)})


def alter_all(part: Path, head: Tensor) -> None:
    """Make the altered copies of dictionaries that are not there yet."""
    folder = part / "senses"
    changes: dict[str, Change | None] = {"shuffled": shuffled, "mean": averaged}
    changes |= dict.fromkeys((*LEFT_OUT, *OF_ONE_TOKEN))
    changes |= {how: composed_of(how, part / "trained.duckdb", head) for how in COMPOSED}
    for how, change in changes.items():
        altered(folder / "predicted", folder / how, how, change)
    for layer in MIDDLE.values():
        altered(folder / f"layer-{layer}", folder / f"layer-{layer}-shuffled", "shuffled", shuffled)


def middle_dictionary(part: Path, teacher: Path, corpus: Path, layer: int) -> None:
    """Make the dictionary of a middle layer: that of a teacher which ends there. Senses are of the token read."""
    target, cut = part / "senses" / f"layer-{layer}", part / f"teacher-{layer}"
    if (target / files.META).exists():
        return
    if not cut.exists():
        with new_folder(cut) as beside:
            write_student(Student(load_teacher(str(teacher), device="cpu"), layer, 1), beside)
    run("distill", "senses", "--teacher", cut, "--corpus", corpus, "--anchor", "input", "--output", target)


def compose_all(part: Path) -> None:
    """Add words of several tokens to the dictionaries that lack them, each from its store."""
    for target in sorted((part / "senses").iterdir()):
        if files.read_meta(target).store_fingerprint is None:
            name = target.name if target.name in (*LEFT_OUT, *OF_ONE_TOKEN) else "trained"
            run("distill", "compose", "--senses", target, "--store", part / f"{name}.duckdb")


def prepare_branches(folder: Path, teacher: Path, store: Path, *, attempts: bool) -> None:
    """Make what the second question trains with: a dictionary, stores without held-out heads, altered dictionaries."""
    part = folder / "branches"
    part.mkdir(exist_ok=True)
    predicted = part / "senses" / "predicted"
    if not (predicted / files.META).exists():
        predicted.parent.mkdir(exist_ok=True)
        run("distill", "senses", "--teacher", teacher, "--corpus", folder / "senses.txt", "--output", predicted)
    every, words = part / "all.duckdb", part / "held-out-words.txt"
    if not every.exists():
        with new_file(every) as beside:
            shutil.copy(store, beside)
            run("tokenize", "--store", beside, "--tokenizer", f"teacher={predicted / files.TOKENIZER}")
    if not words.exists():
        write_atomically(words, ("\n".join(held_out_words(every)) + "\n").encode())
    for name, left_out in {"trained": "false", **LEFT_OUT}.items():
        if not (part / f"{name}.duckdb").exists():
            store_without(every, part / f"{name}.duckdb", words.read_text().split(), left_out)
    if attempts:
        head = load_teacher(str(teacher), device="cpu").model.get_output_embeddings().weight.detach()
        of_one_token(part / "trained.duckdb", part, predicted, head)
        for layer in MIDDLE.values():
            middle_dictionary(part, teacher, folder / "senses.txt", layer)
        alter_all(part, head)
    else:
        altered(predicted, part / "senses" / "shuffled", "shuffled", shuffled)
    compose_all(part)


def main() -> None:
    """Make everything that is not there yet."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--teacher", type=Path, required=True)
    parser.add_argument("--store", type=Path, help="make what the second question trains with, from this store")
    parser.add_argument("--no-attempts", action="store_true", help="only DSKD's dictionary and another token's senses")
    options = parser.parse_args()
    folder, data = options.folder, options.data
    folder.mkdir(parents=True, exist_ok=True)
    split(data / "text/wikitext2-train-5k.txt", folder)
    if options.store is not None:
        prepare_branches(folder, options.teacher, options.store, attempts=not options.no_attempts)
        return
    questions = (data / "benchmarks/csqa/train_rand_split.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    (folder / "csqa.jsonl").write_text("".join(questions[:QUESTIONS]), encoding="utf-8")
    # The text with <unk> in it is nearest to what is left, and only senses are taken from it
    corpus = [
        argument
        for text in (folder / "senses.txt", data / "text/wikitext2-valid.txt")
        for argument in ("--corpus", text)
    ]
    predicted, store = folder / "senses" / "predicted", folder / "derived.duckdb"
    if not (predicted / files.META).exists():
        predicted.parent.mkdir(exist_ok=True)
        run("distill", "senses", "--teacher", options.teacher, *corpus, "--output", predicted)
    if not store.exists():
        sources = ["--wiktionary", data / "wiktionary/wiktextract-1.99.7-mini.jsonl.gz"]
        sources += ["--roget", data / "roget/roget10681.txt"]
        sources += ["--morpholex", data / "morpholex/MorphoLEX_en-reconstructed.xlsx"]
        run("build", "--quiet", *sources, "--tokenizer", f"teacher={predicted / files.TOKENIZER}", "--output", store)
    if files.read_meta(predicted).store_fingerprint is None:
        run("distill", "compose", "--senses", predicted, "--store", store)


if __name__ == "__main__":
    main()
