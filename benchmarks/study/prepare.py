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

import duckdb
import numpy as np
import pyarrow.compute as pc
import torch
from branch_plan import MIDDLE, is_held_out
from tokenizers import Tokenizer

from lexkit.atomic_write import new_file, new_folder, write_atomically, write_json
from lexkit.probe.items import make_items
from lexkit.store.lexicon import Lexicon
from lexkit_distill.senses import dictionary as files
from lexkit_distill.senses.dictionary import RowWriter, SenseDictionary
from lexkit_distill.teacher import load_teacher
from lexkit_distill.training.student import Student, write_student

LEXKIT = [sys.executable, "-m", "lexkit"]
BLOCK = 50
"""Paragraphs that stay together: neighbours tell of the same things, and would leak from one part into another."""
PARTS = (("senses", 8), ("train", 9), ("validation", 1), ("test", 2))
"""Of every 20 blocks of the text."""
LEFT_OUT = {"stated": "NOT direct", "no-synonyms": "kind = 'synonym'"}
"""Stores without some relations: only the stated ones, only antonyms."""
RARE, COMMON = 5, 20
"""States that a token's senses rest on: rare below the first number, common from the second."""
COMPOSED = ("synonyms", "random-words", "neighbour-words")
"""Dictionaries in which rare tokens have the senses of synonyms, of random words, or of neighbours."""
NEIGHBOURS = "neighbours"
"""The store, and the dictionaries, with neighbours in the teacher's output embedding in place of synonyms."""
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


def altered(source: Path, target: Path, how: str) -> None:
    """Make a copy of a dictionary; *how* gives each token another's senses (shuffled), or the mean of all (mean).

    Composed words are left out; compose them again.
    """
    if (target / files.META).exists():
        return
    target.mkdir(exist_ok=True)
    dictionary = SenseDictionary(source)
    index = dictionary.index.filter(pc.equal(dictionary.index["key_kind"], "token"))
    meta = {**vars(dictionary.meta)}
    first, counts = index["first_row"].to_numpy(), index["n_rows"].to_numpy()
    rows = dictionary.rows[: int((first + counts).max())]
    if how in (*LEFT_OUT, *COMPOSED, NEIGHBOURS):
        pass
    elif how == "shuffled":
        # among tokens with as many senses, so that every token keeps its number of them
        generator, source_of = np.random.default_rng(0), np.arange(len(first))
        for count in np.unique(counts):
            same = np.flatnonzero(counts == count)
            source_of[same] = np.roll(generator.permutation(same), 1) if len(same) > 1 else same
        order = np.concatenate([np.arange(first[key], first[key] + counts[key]) for key in source_of])
        rows = rows[torch.from_numpy(order)]
        first = np.cumsum(counts) - counts
        index = index.set_column(index.column_names.index("first_row"), "first_row", [first])
    else:
        rows = rows.float().mean(0).to(rows.dtype).expand(len(rows), -1)
    with RowWriter(target / files.SENSES, len(rows), rows.shape[1]) as writer:
        writer.write(rows)
    files.write_table(target / files.INDEX, index.cast(files.INDEX_SCHEMA))
    shutil.copy(source / files.TOKENIZER, target / files.TOKENIZER)
    # Of another corpus, so that no cache of one is taken for the other's
    meta |= {"corpus_fingerprint": f"{how} {meta['corpus_fingerprint']}", "rows": len(rows)}
    meta |= {"words": 0, "max_tokens": None, "store_fingerprint": None}
    write_json(target / files.META, meta)


def compose_rare(target: Path, how: str, store: Path) -> None:
    """Give rare tokens of a dictionary the senses of common ones in place of their own.

    A rare token that is a word whose synonyms are common tokens keeps its number of rows n; they become the means of
    the senses of its n best synonyms, repeated if there are fewer; *how* may take random common words instead. The
    store may have neighbours in place of synonyms.
    """
    dictionary = SenseDictionary(target)
    rows = dictionary.rows.clone()
    keys = dictionary.index.to_pylist()
    tokenizer = Tokenizer.from_file(str(target / files.TOKENIZER))
    texts = [tokenizer.decode(key["token_ids"]) for key in keys]
    words = [text[1:].lower() if text.startswith(" ") and text[1:].isalpha() else None for text in texts]
    common = {word: place for place, word in enumerate(words) if word and keys[place]["n_seen"] >= COMMON}
    rare = {word: place for place, word in enumerate(words) if word and keys[place]["n_seen"] < RARE}
    generator, places = np.random.default_rng(0), sorted(common.values())

    def senses(place: int) -> torch.Tensor:
        first = keys[place]["first_row"]
        return dictionary.rows[first : first + keys[place]["n_rows"]].float().mean(0)

    with duckdb.connect(str(store), read_only=True) as connection:
        pairs = connection.execute(
            "SELECT word, list(synonym ORDER BY weight DESC, synonym) FROM synonyms "
            "WHERE confidence >= 0.5 AND list_contains(?, word) AND list_contains(?, synonym) "
            "GROUP BY word ORDER BY word",
            [sorted(rare), sorted(common)],
        ).fetchall()
    for word, synonyms in pairs:
        of = [common[synonym] for synonym in synonyms]
        if how == "random-words":
            of = [int(place) for place in generator.choice(places, len(of), replace=len(of) > len(places))]
        key = keys[rare[word]]
        for number in range(key["n_rows"]):
            rows[key["first_row"] + number] = senses(of[number % len(of)]).to(rows.dtype)
    print(f"{how}: senses of {len(pairs):,} rare tokens are composed", flush=True)
    with RowWriter(target / files.SENSES, len(rows), rows.shape[1]) as writer:
        writer.write(rows)


def neighbours(source: Path, target: Path, teacher: Path, confidence: float = 0.5) -> None:
    """Make a copy of a store in which a word has as many neighbours in place of its synonyms.

    Words are those that are one token after a space. Neighbours are nearest by the cosine of the output embedding; a
    relation holds both ways, so a word that is near to many has more of them.
    """
    head = load_teacher(str(teacher), device="cpu").model.get_output_embeddings().weight.detach().float()
    with new_file(target) as beside:
        shutil.copy(source, beside)
        with duckdb.connect(str(beside)) as connection:
            words = connection.execute(
                "SELECT word_id, token_ids[1] FROM span JOIN word USING (word_id) "
                "WHERE n_tokens = 1 AND word = lower(word) ORDER BY word_id"
            ).fetchnumpy()
            ids, tokens = (np.asarray(column) for column in words.values())
            counts = dict(
                connection.execute(
                    "WITH chosen AS (SELECT unnest($ids::INTEGER[])) "
                    "SELECT this, count(*) FROM (SELECT word_a AS this, word_b AS other, * FROM relation UNION ALL "
                    "SELECT word_b, word_a, * FROM relation) WHERE kind = 'synonym' AND NOT contested "
                    "AND confidence >= $confidence AND this IN (FROM chosen) AND other IN (FROM chosen) GROUP BY this",
                    {"ids": ids.tolist(), "confidence": confidence},
                ).fetchall()
            )
            has = np.isin(ids, list(counts))
            ids, tokens = ids[has], tokens[has]
            vectors = torch.nn.functional.normalize(head[torch.from_numpy(tokens).long()], dim=1)
            near: dict[tuple[int, int], float] = {}
            for place, word in enumerate(ids.tolist()):
                cosines = vectors @ vectors[place]
                cosines[place] = -1
                for cosine, other in zip(*(part.tolist() for part in cosines.topk(counts[word])), strict=True):
                    near[min(word, int(ids[other])), max(word, int(ids[other]))] = cosine
            connection.execute("DELETE FROM relation WHERE kind = 'synonym'")
            connection.executemany(
                "INSERT INTO relation VALUES (?, ?, 'synonym', true, 1, false, '', '', true, '', '', 1, ?, ?)",
                [(*pair, cosine, cosine) for pair, cosine in sorted(near.items())],
            )
    print(f"{target.stem}: {len(near):,} pairs of neighbours for {len(counts):,} words", flush=True)


def held_out_words(store: Path) -> list[str]:
    """Return the heads of the probe's items whose relations no training of the second question sees."""
    with Lexicon(store) as lexicon:
        items = make_items(lexicon)
    return sorted({word for item in items if is_held_out(item.group) for word in (item.head, item.group)})


def alter_all(part: Path) -> None:
    """Make the altered copies of dictionaries that are not there yet."""
    folder = part / "senses"
    for how in ("shuffled", "mean", *LEFT_OUT, NEIGHBOURS, *COMPOSED):
        target = folder / how
        if not (target / files.META).exists():
            altered(folder / "predicted", target, how)
            if how in COMPOSED:
                compose_rare(target, how, part / f"{NEIGHBOURS if how == 'neighbour-words' else 'trained'}.duckdb")
    for layer in MIDDLE.values():
        for how in ("shuffled", NEIGHBOURS):
            altered(folder / f"layer-{layer}", folder / f"layer-{layer}-{how}", how)


def middle_dictionary(part: Path, teacher: Path, corpus: Path, layer: int) -> None:
    """Make the dictionary of a middle layer: that of a teacher which ends there. Senses are of the token read."""
    target, cut = part / "senses" / f"layer-{layer}", part / f"teacher-{layer}"
    if (target / files.META).exists():
        return
    if not cut.exists():
        with new_folder(cut) as beside:
            write_student(Student(load_teacher(str(teacher), device="cpu"), layer, 1), beside)
    run("distill", "senses", "--teacher", cut, "--corpus", corpus, "--anchor", "input", "--output", target)


def store_without(source: Path, target: Path, held_out: list[str], left_out: str) -> None:
    """Make a copy of a store without the relations of held-out words, and without those for which SQL is true."""
    with new_file(target) as beside:
        shutil.copy(source, beside)
        with duckdb.connect(str(beside)) as connection:
            connection.execute("CREATE TEMP TABLE held_out AS SELECT unnest(?) AS word", [held_out])
            heads = "SELECT word_id FROM word WHERE word IN (FROM held_out)"
            deleted = connection.execute(
                f"DELETE FROM relation WHERE {left_out} OR word_a IN ({heads}) OR word_b IN ({heads})"
            ).fetchone()
    print(f"{target.stem}: {deleted[0] if deleted else 0:,} relations left out", flush=True)


def compose_all(part: Path) -> None:
    """Add words of several tokens to the dictionaries that lack them, each from its store."""
    for target in sorted((part / "senses").iterdir()):
        if files.read_meta(target).store_fingerprint is None:
            how = target.name.split("-", 2)[-1] if target.name.startswith("layer-") else target.name
            name = how if how in (*LEFT_OUT, NEIGHBOURS) else "trained"
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
        if not (part / f"{NEIGHBOURS}.duckdb").exists():
            neighbours(part / "trained.duckdb", part / f"{NEIGHBOURS}.duckdb", teacher)
        for layer in MIDDLE.values():
            middle_dictionary(part, teacher, folder / "senses.txt", layer)
        alter_all(part)
    else:
        altered(predicted, part / "senses" / "shuffled", "shuffled")
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
