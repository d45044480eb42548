"""Show how reliable the items of words are: over models that know more or less, do halves of the heads agree?

Usage: python benchmarks/probe.py --store FILE --teacher DIR [--heads 1000] [--text FILE]

The models are the teacher, the teacher cut after some of its layers, and the teacher with noise in its weights, in
units of each matrix's standard deviation. For each type of item it prints every model's accuracy, and the split-half
reliability: the correlation over models between the accuracies on two random halves of the heads (mean of 200 splits),
stepped up to all heads by the formula of Spearman and Brown.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

import lexkit
from lexkit.probe.frames import ITEM_TYPES
from lexkit.probe.items import make_items
from lexkit.progress import Progress
from lexkit_distill.evaluation.words import WordScore, score_words
from lexkit_distill.processes import Processes
from lexkit_distill.teacher import Teacher, load_teacher

SPLITS = 200
CUTS = (0.5, 0.75, 0.9)
NOISE = (0.1, 0.2, 0.3)


def models(folder: str) -> Iterator[tuple[str, Teacher]]:
    """Yield names and models."""
    yield "whole", load_teacher(folder, device="cpu")
    for share in CUTS:
        cut = load_teacher(folder, device="cpu")
        layers = cut.model.base_model.layers
        cut.model.base_model.layers = layers[: round(share * len(layers))]
        yield f"{len(cut.model.base_model.layers)} of {len(layers)} layers", cut
    for sigma in NOISE:
        noisy = load_teacher(folder, device="cpu")
        generator = torch.Generator().manual_seed(0)
        with torch.no_grad():
            for weight in noisy.model.base_model.layers.parameters():
                if weight.dim() == 2:
                    noise = torch.randn(weight.shape, generator=generator) * (sigma * weight.float().std())
                    weight.add_(noise.to(weight.dtype))
        yield f"noise of {sigma:g}", noisy


def by_head(scores: list[WordScore], kind: str) -> dict[str, float]:
    """Accuracy on each head of a type."""
    found: dict[str, list[float]] = {}
    for score in scores:
        if score.task == kind:
            found.setdefault(score.group, []).append(score.correct[""])
    return {head: float(np.mean(values)) for head, values in found.items()}


def reliability(values: np.ndarray) -> float:
    """Split-half reliability of (models, heads)."""
    random = np.random.default_rng(0)
    found = []
    for _ in range(SPLITS):
        order = random.permutation(values.shape[1])
        half = len(order) // 2
        first, second = values[:, order[:half]].mean(1), values[:, order[half:]].mean(1)
        r = np.corrcoef(first, second)[0, 1]
        found.append(2 * r / (1 + r))
    return float(np.mean(found))


def main() -> None:
    """Score the models and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", required=True)
    parser.add_argument("--teacher", required=True)
    parser.add_argument("--heads", type=int, default=1000)
    parser.add_argument("--text")
    options = parser.parse_args()
    text = Path(options.text).read_text(encoding="utf-8") if options.text else None
    with lexkit.open(options.store) as lexicon:
        items = make_items(lexicon, options.heads, text=text)
    kinds = [kind for kind in ITEM_TYPES if any(item.type == kind for item in items)]
    values: dict[str, list[list[float]]] = {kind: [] for kind in kinds}
    print("model", *kinds, sep="\t", flush=True)
    for name, model in models(options.teacher):
        found = score_words(items, model, batch_size=8, processes=Processes("cpu"), progress=Progress())
        assert found is not None
        for kind in kinds:
            values[kind].append(list(by_head(found.lines, kind).values()))
        print(name, *(f"{np.mean(values[kind][-1]):.3f}" for kind in kinds), sep="\t", flush=True)
    print("heads", *(len(values[kind][0]) for kind in kinds), sep="\t")
    print("split-half reliability", *(f"{reliability(np.array(values[kind])):.3f}" for kind in kinds), sep="\t")


if __name__ == "__main__":
    main()
