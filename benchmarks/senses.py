"""What sense dictionaries cost, as ratios within one run, and whether their senses mean anything.

Usage: python benchmarks/senses.py TEACHER CORPUS FOLDER [--lexical DIR] [--store FILE] [--runs 5] [--only PART]...

TEACHER is a folder or a name on the hub, CORPUS a text file; FOLDER keeps the samples and dictionaries, so that a
second run is quick (ready dictionaries may be put there as senses-predicted, senses-next and senses-input). DIR holds
EN-SIMLEX-999.txt, EN-SimVerb-3500.txt and antsynnet/. Parts: collect, cluster, compose, meaning. Two threads; what is
compared takes turns, and medians are printed with the least and the most.
"""

from __future__ import annotations

import argparse
import statistics
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from sklearn.cluster import KMeans
from torch import Tensor

import lexkit
from lexkit.progress import Progress
from lexkit_distill.senses.build import build_senses
from lexkit_distill.senses.cluster import kmeans
from lexkit_distill.senses.collect import collect
from lexkit_distill.senses.compose import compose, compose_senses
from lexkit_distill.senses.config import SensesConfig
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.senses.plan import batches, open_plan
from lexkit_distill.senses.reduce import _BATCH_ELEMENTS, _batched
from lexkit_distill.senses.sample import Sample, Sampler, groups
from lexkit_distill.senses.threads import threaded_map
from lexkit_distill.teacher import Teacher, load_teacher

ANCHORS = ("predicted", "next", "input")
THREADS = 2


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("teacher")
    parser.add_argument("corpus")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lexical", type=Path)
    parser.add_argument("--store", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--only", action="append", default=[])
    options = parser.parse_args()
    torch.set_num_threads(THREADS)
    parts = options.only or ["collect", "cluster", "compose", "meaning"]
    for anchor in ANCHORS:
        make(options.teacher, options.corpus, options.folder, anchor)
    if "collect" in parts:
        measure_collecting(load_teacher(options.teacher), options.folder, options.runs)
    if "cluster" in parts:
        measure_clustering(options.folder, options.runs)
    if "compose" in parts:
        measure_composing(options.folder, options.runs)
    if "meaning" in parts and options.lexical and options.store:
        measure_meaning(options.teacher, options.folder, options.lexical, options.store)


def configuration(teacher: str, corpus: str, folder: Path, anchor: str) -> SensesConfig:
    """Return what is measured."""
    return SensesConfig(
        teacher=teacher,
        corpus=(corpus,),
        output=str(folder / f"senses-{anchor}"),
        anchor=anchor,  # type: ignore[arg-type]
        batch_tokens=4096,
        sample=str(folder / f"sample-{anchor}"),
    )


def make(teacher: str, corpus: str, folder: Path, anchor: str) -> None:
    """Make a dictionary if it is not there."""
    config = configuration(teacher, corpus, folder, anchor)
    if not (Path(config.output) / "meta.json").exists():
        print(build_senses(config))


def measure_collecting(teacher: Teacher, folder: Path, runs: int) -> None:
    """Tokens a second of the collecting pass against those of the teacher's own forward, logits included."""
    plan = open_plan(folder / "sample-predicted")
    assert plan is not None
    middle = [batch for batch in batches(plan, 4096) if batch.number % 10 == 5][:1]
    tokens = sum(int(batch.lengths.sum()) for batch in middle)

    def bare() -> None:
        with torch.inference_mode():
            for batch in middle:
                teacher.model(input_ids=torch.from_numpy(batch.token_ids), use_cache=False)

    def collected(anchor: str) -> None:
        place = folder / "collecting"
        place.mkdir(exist_ok=True)
        for path in place.iterdir():
            path.unlink()
        sampler = Sampler(
            place,
            0,
            vocabulary=teacher.vocabulary_size,
            hidden_size=teacher.hidden_size,
            cap=2000,
            buffer_rows=100_000,
            batches=plan.batches,
        )
        collect(teacher, plan, sampler, iter(middle), anchor=anchor, seed=0, progress=Progress())  # type: ignore[arg-type]

    jobs: dict[str, Callable[[], None]] = {"bare forward": bare}
    jobs |= {f"collect, {anchor}": (lambda anchor=anchor: collected(anchor)) for anchor in ANCHORS}
    seconds = taking_turns(jobs, runs)
    print(f"collecting: {tokens:,} tokens in {len(middle)} batches")
    for name, times in seconds.items():
        ratios = [one / other for one, other in zip(seconds["bare forward"], times, strict=True)]
        print_row(name, [tokens / one for one in times], "tokens/s", ratios)


def measure_clustering(folder: Path, runs: int, k: int = 10) -> None:
    """1,000 tokens, those with the most occurrences, against a loop of scikit-learn."""
    sample = Sample(folder / "sample-next", 2000)
    found = sorted(groups(sample.occurrences.tokens), key=lambda entry: entry[1] - entry[2])[:1000]
    for name, low, high in (("all", 0, 2000), ("500 to 2000", 500, 2000), ("100 to 499", 100, 499), ("to 99", 0, 99)):
        chosen = [entry for entry in found if low <= entry[2] - entry[1] <= high]
        points = [last - first for _, first, last in chosen]
        print(f"clustering, points {name}: {len(chosen)} tokens, median {statistics.median(points):.0f} points")
        compare_clustering({token: sample.states(first, last) for token, first, last in chosen}, chosen, k, runs)


def compare_clustering(states: dict[int, Tensor], chosen: list[tuple[int, int, int]], k: int, runs: int) -> None:
    """Cluster the tokens' states both ways."""
    inertia: dict[str, dict[int, float]] = {"ours": {}, "theirs": {}}

    def batch_clustered(batch: list[tuple[int, int, int]]) -> None:
        points = [states[token] for token, _, _ in batch]
        padded = torch.nn.utils.rnn.pad_sequence(points, batch_first=True)
        tokens = np.array([token for token, _, _ in batch])
        clusters = kmeans(padded, torch.tensor([len(one) for one in points]), k, tokens=tokens, seed=0)
        inertia["ours"].update(zip(tokens.tolist(), clusters.inertia.tolist(), strict=True))

    def ours() -> None:
        size = next(iter(states.values())).shape[1]
        list(threaded_map(batch_clustered, list(_batched(chosen, size, _BATCH_ELEMENTS["cpu"]))[::-1]))

    def theirs() -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # fewer different points than clusters
            for token, points in states.items():
                model = KMeans(k, n_init=1, random_state=0).fit(points.float().numpy())
                inertia["theirs"][token] = float(model.inertia_)

    seconds = taking_turns({"lexkit": ours, "scikit-learn": theirs}, runs)
    ratios = [one / other for one, other in zip(seconds["scikit-learn"], seconds["lexkit"], strict=True)]
    print_row("scikit-learn", [1000 * one / len(chosen) for one in seconds["scikit-learn"]], "ms a token")
    print_row("lexkit", [1000 * one / len(chosen) for one in seconds["lexkit"]], "ms a token", ratios)
    mean = sum(inertia["ours"].values()) / sum(inertia["theirs"].values())
    # Tokens of at most k different points have none
    some = [token for token, value in inertia["theirs"].items() if value > 1e-3]
    each = np.mean([inertia["ours"][token] / inertia["theirs"][token] for token in some])
    print(f"{'inertia against theirs':<28} {mean:>10.4f}   of sums; {each:.4f} mean over {len(some)} tokens")


def measure_composing(folder: Path, runs: int, n_words: int = 20_000, m: int = 3) -> None:
    """20,000 words of two and three tokens, with the tokens' real senses, against three loops over words."""
    dictionary = SenseDictionary(folder / "senses-next")
    random = np.random.default_rng(0)
    keys = np.flatnonzero((dictionary.n_rows == 10) & ~dictionary.is_word)
    words = random.choice(keys, (n_words, m))
    words[random.random(n_words) < 0.7, 2] = -2
    rows, first, n_rows = dictionary.rows, dictionary.first, dictionary.n_rows
    few = words[:200]

    def plain(word: np.ndarray) -> Tensor:
        """The paper's iteration, a candidate at a time."""
        tokens = [
            [rows[row].float() for row in range(first[key], first[key] + n_rows[key])] for key in word if key >= 0
        ]
        senses = []
        for start in tokens[0]:
            aligned = [start]
            for candidates in tokens[1:]:
                mean = sum(aligned) / len(aligned)
                distances = [float((candidate - mean).square().sum()) for candidate in candidates]
                aligned.append(candidates[distances.index(min(distances))])
            senses.append(sum(aligned) / len(aligned))
        return torch.stack(senses)

    def literal(word: np.ndarray) -> Tensor:
        tokens = [rows[first[key] : first[key] + n_rows[key]].float() for key in word if key >= 0]
        senses = []
        for start in tokens[0]:
            aligned = [start]
            for candidates in tokens[1:]:
                mean = torch.stack(aligned).mean(0)
                aligned.append(candidates[(candidates - mean).square().sum(1).argmin()])
            senses.append(torch.stack(aligned).mean(0))
        return torch.stack(senses)

    def with_cdist(word: np.ndarray) -> Tensor:
        tokens = [rows[first[key] : first[key] + n_rows[key]].float() for key in word if key >= 0]
        total = tokens[0].clone()
        for place, candidates in enumerate(tokens[1:], 1):
            total += candidates[torch.cdist(total / place, candidates).argmin(1)]
        return total / len(tokens)

    jobs: dict[str, Callable[[], object]] = {
        "loop over candidates, too": lambda: [plain(word) for word in few],
        "loop over words and senses": lambda: [literal(word) for word in few],
        "loop over words, cdist": lambda: [with_cdist(word) for word in few],
        "lexkit": lambda: [len(block) for block in compose(rows, first, n_rows, words)],
    }
    seconds = taking_turns(jobs, runs)
    each = {
        name: [one / (n_words if name == "lexkit" else len(few)) for one in times] for name, times in seconds.items()
    }
    found = torch.cat(list(compose(rows, first, n_rows, few)))
    agree = torch.isclose(found, torch.cat([plain(word) for word in few]), atol=1e-4).all(1).float().mean()
    print(f"composing: {n_words:,} words of 10 senses; share of rows equal to the loop's: {agree:.4f}")
    for name, times in each.items():
        ratios = [one / other for one, other in zip(each["loop over candidates, too"], times, strict=True)]
        print_row(name, [one * 1e6 for one in times], "us a word", ratios)


def measure_meaning(teacher: str, folder: Path, lexical: Path, store: Path) -> None:
    """Similarity of the best pair of senses against people's, and against the teacher's input embeddings."""
    loaded = load_teacher(teacher)
    embeddings = loaded.model.get_input_embeddings().weight.detach().float()
    for anchor in ANCHORS:
        path = folder / f"senses-{anchor}"
        if not SenseDictionary(path).meta.words:
            print(compose_senses(path, store))
    dictionaries = {anchor: SenseDictionary(folder / f"senses-{anchor}") for anchor in ANCHORS}
    plain = loaded.encoder.plain_tokenizer

    def embedded(word: str) -> Tensor:
        ids = plain.encode(" " + word, add_special_tokens=False).ids
        return embeddings[ids].mean(0, keepdim=True)

    def senses(dictionary: SenseDictionary) -> Callable[[str], Tensor]:
        def of(word: str) -> Tensor:
            return dictionary.senses(word).float()

        return of

    sets = {
        "SimLex-999": similarity_pairs(lexical / "EN-SIMLEX-999.txt"),
        "SimVerb-3500": similarity_pairs(lexical / "EN-SimVerb-3500.txt"),
        "AntSynNET": antonym_pairs(lexical / "antsynnet"),
    }
    ways: dict[str, tuple[Callable[[str], Tensor], Tensor]] = {"input embeddings": (embedded, embeddings.mean(0))}
    for anchor, dictionary in dictionaries.items():
        ways[f"senses, {anchor}"] = (senses(dictionary), dictionary.rows.float().mean(0))
    for name, pairs in sets.items():
        known = [
            pair for pair in pairs if all(len(one.senses(word)) for one in dictionaries.values() for word in pair[:2])
        ]
        print(f"{name}: {len(known):,} of {len(pairs):,} pairs known to all dictionaries")
        for label, (of, centre) in ways.items():
            print(f"  {label:<28} {judged(known, of, 0 * centre):.3f}   {judged(known, of, centre):.3f} centred")


def judged(pairs: list[tuple[str, str, float]], of: Callable[[str], Tensor], centre: Tensor) -> float:
    """Return Spearman's correlation with people's scores, or the accuracy for antonyms, where scores are 0 and 1."""
    best = np.array([float(best_cosine(of(one) - centre, of(other) - centre)) for one, other, _ in pairs])
    target = np.array([score for _, _, score in pairs])
    if set(target) <= {0.0, 1.0}:
        return threshold_accuracy(best, target)
    return float(spearmanr(best, target).statistic)


def best_cosine(one: Tensor, other: Tensor) -> Tensor:
    """Return the highest cosine between a sense of one and a sense of the other."""
    return (torch.nn.functional.normalize(one, dim=1) @ torch.nn.functional.normalize(other, dim=1).T).max()


def similarity_pairs(path: Path) -> list[tuple[str, str, float]]:
    """Read word, word, score."""
    rows = [line.split("\t") for line in path.read_text(encoding="utf-8").splitlines() if line]
    return [(row[0], row[1], float(row[2])) for row in rows]


def antonym_pairs(folder: Path) -> list[tuple[str, str, float]]:
    """Read word, word, 1 for antonyms."""
    rows = [line.split() for path in sorted(folder.iterdir()) for line in path.read_text(encoding="utf-8").splitlines()]
    return [(row[0], row[1], float(row[2])) for row in rows if len(row) == 3]


def threshold_accuracy(similarity: np.ndarray, is_antonym: np.ndarray) -> float:
    """Return the accuracy of "similar is synonym" with a threshold learnt on the other half, mean of both halves."""
    half = np.arange(len(similarity)) % 2 == 0
    accuracies = []
    for train in (half, ~half):
        candidates = np.quantile(similarity[train], np.linspace(0, 1, 101))
        right = [((similarity[train] < cut) == (is_antonym[train] == 1)).mean() for cut in candidates]
        cut = candidates[int(np.argmax(right))]
        accuracies.append(((similarity[~train] < cut) == (is_antonym[~train] == 1)).mean())
    return float(np.mean(accuracies))


def taking_turns(jobs: dict[str, Callable[[], object]], runs: int) -> dict[str, list[float]]:
    """Run each job in turn, once to warm up and then *runs* times, and return seconds."""
    seconds: dict[str, list[float]] = {name: [] for name in jobs}
    for run in range(runs + 1):
        for name, job in jobs.items():
            started = time.perf_counter()
            job()
            if run:
                seconds[name].append(time.perf_counter() - started)
    return seconds


def print_row(name: str, values: list[float], unit: str, ratios: list[float] | None = None) -> None:
    """Print the median with the least and the most, and the median of ratios."""
    ratio = f"   {statistics.median(ratios):.2f} times ({min(ratios):.2f} to {max(ratios):.2f})" if ratios else ""
    print(f"{name:<28} {statistics.median(values):>10.3f} {unit} ({min(values):.3f} to {max(values):.3f}){ratio}")


if __name__ == "__main__":
    print(f"lexkit {lexkit.__version__}, torch {torch.__version__}, {THREADS} threads")
    main()
