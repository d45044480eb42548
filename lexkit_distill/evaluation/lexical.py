"""Test whether a model's word vectors show which words are similar, and which are opposites.

A word has two vectors: the mean of its tokens' input embeddings, and the mean of its tokens' last hidden states in a
neutral context. The mean over all words is subtracted from each, because without this all cosines are almost equal.
With SimLex-999 and SimVerb-3500, the ranks of cosines are compared with those of human judgements. Pairs of AntSynNET
are classified as synonyms or antonyms in two ways, both fitted to its training pairs: by a threshold on the cosine, and
by a logistic regression on the products and the distances of the coordinates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

from lexkit.progress import Progress
from lexkit_distill.evaluation.results import TaskScores
from lexkit_distill.evaluation.statistics import Measure
from lexkit_distill.evaluation.word_pairs import LexicalData, Pair
from lexkit_distill.teacher import Teacher

CONTEXT = "The meaning of the word"
"""The neutral context that precedes a word."""
_BATCH = 256
Floats = npt.NDArray[np.float64]
Vectors = dict[str, Floats]


@dataclass(frozen=True)
class PairScore:
    """A model's scores on a pair."""

    task: str
    id: str
    target: float
    scores: dict[str, float]


def score_lexical(data: LexicalData, model: Teacher, seed: int, progress: Progress) -> TaskScores:
    """Return rank correlations and accuracies for both kinds of vectors."""
    measures, lines = [], []
    for kind, vectors in word_vectors(data.words, model, progress).items():
        for name, pairs in data.similarity.items():
            cosines = _cosines(pairs, vectors)
            people = np.array([pair.value for pair in pairs])
            measures.append(Measure(f"{name}_{kind}", np.stack([cosines, people], axis=1), "spearman"))
            lines += _lines(name, pairs, {f"cosine_{kind}": cosines})
        right = {
            "threshold": _by_threshold(_cosines(data.train, vectors), data.train, _cosines(data.val, vectors)),
            "probe": _by_probe(data, vectors, seed),
        }
        target = np.array([pair.value for pair in data.val])
        correct = {f"{by}_{kind}": (called == target).astype(np.float64) for by, called in right.items()}
        measures += [Measure(f"antsyn_{name}", values[:, None]) for name, values in correct.items()]
        lines += _lines("antsyn", data.val, correct)
    details = {"context": CONTEXT, "words": len(data.words), "train_pairs": len(data.train)}
    return TaskScores(measures, details, lines)


def _lines(name: str, pairs: list[Pair], scores: dict[str, Floats]) -> list[PairScore]:
    return [
        PairScore(
            "lexical",
            f"{name}: {pair.first} {pair.second}",
            pair.value,
            {key: float(values[place]) for key, values in scores.items()},
        )
        for place, pair in enumerate(pairs)
    ]


@torch.inference_mode()
def word_vectors(words: Sequence[str], model: Teacher, progress: Progress) -> dict[str, Vectors]:
    """Return the vectors (d,) of words, normalised to length 1 after the mean over all words is subtracted.

    Returns:
        Vectors by word, made from input embeddings (``input``) and from the last hidden states (``hidden``).
    """
    embeddings = model.model.get_input_embeddings().weight
    found: dict[str, list[Floats]] = {"input": [], "hidden": []}
    for start in range(0, len(words), _BATCH):
        texts = [f"{CONTEXT} {word}" for word in words[start : start + _BATCH]]
        encodings, first = model.encoder.encode(texts), model.encoder.beginning
        longest = len(first) + max(len(one.ids) for one in encodings)
        ids = torch.zeros(len(texts), longest, dtype=torch.long)
        mask = torch.zeros(len(texts), longest, 1)
        for row, one in enumerate(encodings):
            model.encoder.check(one.ids, texts[row])
            ids[row, : len(first) + len(one.ids)] = torch.tensor([*first, *one.ids])
            of_word = [float(end > len(CONTEXT)) for _, end in one.offsets]
            mask[row, len(first) : len(first) + len(of_word), 0] = torch.tensor(of_word)
        of_input, of_model = embeddings[ids.to(embeddings.device)], model.last_hidden(ids.to(model.device))
        for kind, states in (("input", of_input), ("hidden", of_model)):
            means = (states.float().cpu() * mask).sum(1) / mask.sum(1)
            found[kind] += list(means.double().numpy())
        progress.count(min(start + _BATCH, len(words)), len(words), "words")
    return {kind: _centred(words, np.stack(rows)) for kind, rows in found.items()}


def _centred(words: Sequence[str], rows: Floats) -> Vectors:
    rows = rows - rows.mean(axis=0)
    rows /= np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return dict(zip(words, rows, strict=True))


def _both(pairs: list[Pair], vectors: Vectors) -> tuple[Floats, Floats]:
    return np.stack([vectors[pair.first] for pair in pairs]), np.stack([vectors[pair.second] for pair in pairs])


def _cosines(pairs: list[Pair], vectors: Vectors) -> Floats:
    first, second = _both(pairs, vectors)
    result: Floats = (first * second).sum(axis=1)
    return result


def _by_threshold(train: Floats, pairs: list[Pair], val: Floats) -> Floats:
    """Return 1 for validation pairs that are classified as antonyms, by the best threshold for the training pairs."""
    target = np.array([pair.value for pair in pairs])
    order = np.argsort(train, kind="stable")
    antonyms = np.concatenate([[0.0], np.cumsum(target[order])])
    synonyms = np.concatenate([[0.0], np.cumsum(1 - target[order])])
    below = antonyms + (synonyms[-1] - synonyms)  # number right if the first n are classified as antonyms
    above = len(target) - below
    cuts = np.concatenate([[-np.inf], (train[order][:-1] + train[order][1:]) / 2, [np.inf]])
    called = val <= cuts[below.argmax()] if below.max() >= above.max() else val > cuts[above.argmax()]
    result: Floats = called.astype(np.float64)
    return result


def _by_probe(data: LexicalData, vectors: Vectors, seed: int) -> Floats:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    def features(pairs: list[Pair]) -> Floats:
        first, second = _both(pairs, vectors)
        return np.concatenate([first * second, np.abs(first - second)], axis=1)

    target = np.array([pair.value for pair in data.train])
    if len(set(target)) < 2:
        return np.full(len(data.val), target[0])
    probe = make_pipeline(StandardScaler(), LogisticRegression(C=0.01, max_iter=1000, random_state=seed))
    result: Floats = probe.fit(features(data.train), target).predict(features(data.val)).astype(np.float64)
    return result
