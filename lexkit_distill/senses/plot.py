"""A map of senses in two dimensions (paper, figure 1), by t-SNE; matplotlib is in the extra ``lexkit[plot]``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lexkit.figures import SERIES, picture
from lexkit_distill.errors import DictionaryError
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.supervision.relations import Relations

_MARKERS = {"word": "o", "synonym": "^", "antonym": "X"}


def plot_senses(
    dictionary: SenseDictionary,
    words: Sequence[str],
    path: Path,
    *,
    relations: Relations | None,
    max_neighbors: int = 10,
    seed: int = 0,
) -> int:
    """Draw the senses of words, and of their synonyms and antonyms where relations are given; return how many senses.

    Raises:
        LexkitError: matplotlib is missing, the file's ending is none it can write here, or too few senses.
    """
    with picture(path, 9, 7) as figure:
        chosen = _chosen(dictionary, words, relations, max_neighbors)
        vectors = torch.cat([dictionary.rows[:0], *(dictionary.senses(name) for name, _, _ in chosen)]).float().numpy()
        if len(vectors) < 5:
            raise DictionaryError(f"{dictionary.path}: only {len(vectors)} senses of these words; name more for a map")
        places = _map(vectors, seed)
        axes = figure.add_subplot()
        start = 0
        for name, word, role in chosen:
            mine = places[start : start + len(dictionary.senses(name))]
            start += len(mine)
            _draw(axes, mine, name, SERIES[word % len(SERIES)], role)
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"Senses in {Path(dictionary.meta.teacher).name}, t-SNE: " + ", ".join(words))
        axes.legend(handles=_legend(words, chosen), loc="best", framealpha=0.8)
    return len(vectors)


def _chosen(
    dictionary: SenseDictionary, words: Sequence[str], relations: Relations | None, max_neighbors: int
) -> list[tuple[str, int, str]]:
    """(word, which of *words* it is of, role) of everything to draw, each once."""
    found: dict[str, tuple[int, str]] = {}
    for number, word in enumerate(words):
        if dictionary.find(word) is not None:
            found.setdefault(word, (number, "word"))
    for number, word in enumerate(words):
        for role in ("synonym", "antonym") if relations is not None else ():
            assert relations is not None
            near = [name for name in relations.neighbors(word, role) if dictionary.find(name) is not None]
            for name in near[:max_neighbors]:
                found.setdefault(name, (number, role))
    return [(name, number, role) for name, (number, role) in found.items()]


def _map(vectors: npt.NDArray[np.float32], seed: int) -> npt.NDArray[np.float32]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, (len(vectors) - 1) / 4)
    # a few dimensions hold most of the variance; on a common scale they do not drown the others
    scaled = (vectors - vectors.mean(0)) / (vectors.std(0) + 1e-6)
    places: npt.NDArray[np.float32] = TSNE(
        perplexity=perplexity, init="pca", random_state=seed, metric="cosine"
    ).fit_transform(scaled)
    return places


def _draw(axes: Any, places: npt.NDArray[np.float32], name: str, color: str, role: str) -> None:  # noqa: ANN401
    strong = role == "word"
    axes.scatter(
        places[:, 0],
        places[:, 1],
        s=40 if strong else 24,
        color=color,
        marker=_MARKERS[role],
        alpha=0.9 if strong else 0.6,
        linewidths=0,
    )
    middle = places[np.square(places - np.median(places, axis=0)).sum(1).argmin()]  # a label where there is a point
    axes.annotate(
        name,
        middle,
        fontsize=10 if strong else 7.5,
        color=color,
        weight="bold" if strong else "normal",
        textcoords="offset points",
        xytext=(3, 3),
    )


def _legend(words: Sequence[str], chosen: list[tuple[str, int, str]]) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = []
    for number, word in enumerate(words):
        for role in dict.fromkeys(role for _, which, role in chosen if which == number):
            label = word if role == "word" else f"{role}s of {word}"
            handles.append(
                Line2D(
                    [],
                    [],
                    linestyle="",
                    marker=_MARKERS[role],
                    color=SERIES[number % len(SERIES)],
                    label=label,
                    markersize=6 if role == "word" else 5,
                )
            )
    return handles
