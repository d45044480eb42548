"""Print how well each layer of a model knows which words are alike: SimLex-999 and SimVerb-3500.

Usage: python benchmarks/study/layers.py MODEL --data DIR

A word's vector is the mean of its tokens' states in a neutral context, after the model's final norm, as if the model
ended at that layer; the mean over all words is subtracted. The best layer a student trains is `MIDDLE` in branch_plan.
"""

from __future__ import annotations

import argparse

import torch
from scipy.stats import spearmanr

from lexkit.progress import Progress
from lexkit_distill.evaluation.lexical import word_vectors
from lexkit_distill.evaluation.word_pairs import read_lexical
from lexkit_distill.loading import quiet_transformers
from lexkit_distill.teacher import load_teacher


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model")
    parser.add_argument("--data", required=True)
    options = parser.parse_args()
    with quiet_transformers():
        model = load_teacher(options.model)
    data = read_lexical(options.data)
    words = sorted({word for pairs in data.similarity.values() for pair in pairs for word in (pair.first, pair.second)})
    layers = list(model.model.base_model.layers)
    print("| layer |", " | ".join(data.similarity), "|")
    print("| ---: |", " ---: |" * len(data.similarity))
    for layer in range(1, len(layers) + 1):
        model.model.base_model.layers = torch.nn.ModuleList(layers[:layer])
        vectors = word_vectors(words, model, Progress())["hidden"]
        found = [
            spearmanr([vectors[pair.first] @ vectors[pair.second] for pair in pairs], [pair.value for pair in pairs])[0]
            for pairs in data.similarity.values()
        ]
        print(f"| {layer} |", " | ".join(f"{value:.3f}" for value in found), "|", flush=True)


if __name__ == "__main__":
    main()
