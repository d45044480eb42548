"""A map of senses in two dimensions (paper, figure 1), by t-SNE; matplotlib is in the extra ``lexkit[plot]``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from lexkit.figures import QUIET, SERIES, picture
from lexkit_distill.errors import DictionaryError
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.supervision.relations import Relations

_MARKERS = {"word": "o", "synonym": "^", "antonym": "X"}
_LONGEST_LABEL = 28
FEW_SENSES = 30
"""Below this number of senses, the places of a map are mostly chance."""


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

    The picture says what such a map can show, and of how many synonyms and antonyms it shows senses.

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
            _draw(
                axes, mine, name, SERIES[word % len(SERIES)], role, middle=(places[:, 0].min() + places[:, 0].max()) / 2
            )
        axes.set(xticks=[], yticks=[])
        axes.set_title(f"Senses in {Path(dictionary.meta.teacher).name}, t-SNE: " + ", ".join(words))
        axes.margins(0.06)
        axes.set_xlabel(map_note(len(vectors)), color=QUIET, size=8)
        # beside the map, where it hides no label
        figure.legend(handles=_legend(words, chosen, relations), loc="outside right upper", frameon=False)
    return len(vectors)


def map_note(n_senses: int) -> str:
    """Return what a map of this many senses can and cannot show, in one or two lines."""
    note = "t-SNE keeps near senses near each other; directions and the distances between groups mean nothing."
    if n_senses < FEW_SENSES:
        note += f"\nA map of only {n_senses} senses shows no groups: which of them are near each other may be chance."
    return note


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


def _draw(
    axes: Any,  # noqa: ANN401
    places: npt.NDArray[np.float32],
    name: str,
    color: str,
    role: str,
    *,
    middle: float,
) -> None:
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
    at = places[np.square(places - np.median(places, axis=0)).sum(1).argmin()]  # a label where there is a point
    left = at[0] > middle  # towards the middle of the map, so that it stays in the frame
    axes.annotate(
        name if len(name) <= _LONGEST_LABEL else f"{name[: _LONGEST_LABEL - 1].rstrip()}…",
        at,
        fontsize=10 if strong else 7.5,
        color=color,
        weight="bold" if strong else "normal",
        textcoords="offset points",
        xytext=(-4 if left else 4, 3),
        ha="right" if left else "left",
    )


def _legend(words: Sequence[str], chosen: list[tuple[str, int, str]], relations: Relations | None) -> list[Any]:
    from matplotlib.lines import Line2D

    handles = []
    for number, word in enumerate(words):
        for role in dict.fromkeys(role for _, which, role in chosen if which == number):
            label = word if role == "word" else _counted(word, role, number, chosen, relations)
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


def _counted(word: str, role: str, number: int, chosen: list[tuple[str, int, str]], relations: Relations | None) -> str:
    """Name what is drawn of a word, with how many there are where that is not all of them."""
    drawn = sum((which, kind) == (number, role) for _, which, kind in chosen)
    total = len(relations.neighbors(word, role)) if relations is not None else drawn
    return f"{role}s of {word}" if drawn == total else f"{drawn} of {total:,} {role}s of {word}"
