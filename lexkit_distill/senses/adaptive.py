"""Choose the number of senses of each token: run k-means for several k, and keep the k with the lowest criterion.

The criterion is the Bayesian information criterion of the model that k-means fits, equal spherical Gaussians with one
per cluster (Pelleg and Moore 2000):

    n D / 2 ln(inertia / (n D)) + sum over clusters of n_c ln(n / n_c) + k (D + 1) / 2 ln n

The second term is the cost of encoding which cluster each point belongs to; without it, a single round cloud would be
split. D is the effective dimension rather than the d of the hidden states, since a few dimensions hold most of their
variance: the participation ratio, which is the squared sum of the covariance's eigenvalues divided by the sum of their
squares. With d, the penalty would leave nearly every token with a single sense.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexkit_distill.senses.cluster import Clusters, kmeans


def kmeans_adaptive(
    points: Tensor, counts: Tensor, max_k: int, *, tokens: npt.NDArray[np.int64], seed: int
) -> Clusters:
    """Cluster the points of T tokens like `kmeans`, choosing k from 1 to *max_k* for each token."""
    best: Clusters | None = None
    lowest = torch.full((len(points),), torch.inf, dtype=torch.float64)
    dimension = effective_dimension(points, counts)
    n = counts.double().cpu()
    for k in range(1, max_k + 1):
        found = kmeans(points, counts, k, tokens=tokens, seed=seed)
        found = _padded(found, max_k)
        score = penalised_inertia(found.inertia.double().cpu(), found.sizes.double().cpu(), n, dimension)
        score[counts.cpu() <= k] = torch.inf if k > 1 else 0.0
        better = score < lowest
        lowest = torch.where(better, score, lowest)
        best = found if best is None else _merged(better.to(points.device), found, best)
    assert best is not None
    return best


def penalised_inertia(inertia: Tensor, sizes: Tensor, n: Tensor, dimension: Tensor) -> Tensor:
    """Return the criterion (T,); lower is better.

    Args:
        inertia: (T,) sum of squared distances to the centroids.
        sizes: (T, k) number of points in each cluster, 0 for unused clusters.
        n: (T,) number of points.
        dimension: (T,) effective dimension.
    """
    k = (sizes > 0).sum(1)
    membership = torch.special.xlogy(sizes, n[:, None] / sizes.clamp_min(1)).sum(1)
    variance = (inertia / (n * dimension)).clamp_min(1e-12)
    score: Tensor = n * dimension / 2 * variance.log() + membership + k * (dimension + 1) / 2 * n.log()
    return score


def effective_dimension(points: Tensor, counts: Tensor) -> Tensor:
    """Return the participation ratio (T,) of each token's points: d for a sphere, 1 for a line."""
    real = torch.arange(points.shape[1], device=points.device) < counts[:, None]
    x = points.float().masked_fill(~real[:, :, None], 0.0)
    x = (x - (x.sum(1) / counts[:, None])[:, None]).masked_fill_(~real[:, :, None], 0.0)
    # trace(C)^2 / trace(C^2), where trace(C^2) is computed from the smaller of the two Gram matrices
    gram = x @ x.mT if x.shape[1] < x.shape[2] else x.mT @ x
    trace = x.square().sum((1, 2)).double()
    return (trace.square() / gram.double().square().sum((1, 2)).clamp_min(1e-30)).clamp_min(1.0).cpu()


def _padded(found: Clusters, k: int) -> Clusters:
    missing = k - found.centroids.shape[1]
    pad = torch.nn.functional.pad
    labels = found.labels.masked_fill(found.labels == found.centroids.shape[1], k)
    return Clusters(pad(found.centroids, (0, 0, 0, missing)), pad(found.sizes, (0, missing)), labels, found.distances)


def _merged(better: Tensor, new: Clusters, old: Clusters) -> Clusters:
    return Clusters(
        torch.where(better[:, None, None], new.centroids, old.centroids),
        torch.where(better[:, None], new.sizes, old.sizes),
        torch.where(better[:, None], new.labels, old.labels),
        torch.where(better[:, None], new.distances, old.distances),
    )
