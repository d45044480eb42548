"""k-means on inner products: centroids are weights over the points, so the vectors themselves are not needed.

With the Gram matrix G = X X' of n points, the squared distances to a centroid w X are w G w' - 2 w G + diag(G). The
result is the same as k-means on the d-dimensional vectors, with less work if n < d. Candidates for starting points are
rows of G.
"""

from __future__ import annotations

import torch
from torch import Tensor

TOLERANCE = 1e-4
"""Iterations stop when the centroids' squared moves sum to at most this share of the mean variance per dimension."""
MAX_ITERATIONS = 300
"""Most iterations of Lloyd's algorithm."""


def starts(gram: Tensor, square: Tensor, real: Tensor, uniform: Tensor) -> Tensor:
    """Choose starting points by greedy k-means++ (Arthur and Vassilvitskii 2007).

    Each step draws a few candidates with probability proportional to squared distance and keeps the best one.

    Args:
        gram: (T, n, n) inner products of the points.
        square: (T, n) squared lengths; 0 for padding.
        real: (T, n) False for padding.
        uniform: (T, k, trials) random numbers from [0, 1).

    Returns:
        (T, k) indices of the chosen points.
    """
    uniform = uniform.to(gram.device)
    tokens, n = torch.arange(len(gram), device=gram.device), gram.shape[1]
    chosen = []
    candidates = (uniform[:, 0, :1] * real.sum(1, keepdim=True)).long()  # (T, 1)
    nearest = torch.full_like(square, torch.inf).masked_fill_(~real, 0.0)
    for step in range(uniform.shape[1]):
        if step > 0:
            mass = nearest.double().cumsum(1)
            candidates = torch.searchsorted(mass, uniform[:, step] * mass[:, -1:], right=True).clamp_max_(n - 1)
        distances = gram[tokens[:, None], candidates].mul_(-2.0)  # (T, trials, n)
        distances.add_(square[:, None]).add_(square.gather(1, candidates)[:, :, None]).clamp_min_(0.0)
        closer = torch.minimum(distances, nearest[:, None], out=distances)
        best = closer.sum(2).argmin(1)  # (T,)
        nearest = closer[tokens, best]
        chosen.append(candidates[tokens, best])
        nearest.scatter_(1, chosen[-1][:, None], 0.0)  # rounding errors must not allow a point to be drawn twice
    return torch.stack(chosen, 1)


def lloyd(gram: Tensor, square: Tensor, real: Tensor, places: Tensor, limit: Tensor) -> Tensor:
    """Run Lloyd's iterations from the points with indices *places* (T, k) until centroids move less than *limit* (T,).

    Returns:
        Weights (T, k, n) of the points in each centroid.
    """
    k = places.shape[1]
    weights = torch.zeros(*places.shape, gram.shape[1], device=gram.device).scatter_(2, places[:, :, None], 1.0)
    products = torch.bmm(weights, gram)  # (T, k, n) inner products of centroids and points
    result = weights.clone()
    active = torch.arange(len(gram), device=gram.device)
    for _ in range(MAX_ITERATIONS):
        own = (weights * products).sum(2, keepdim=True)
        distances, labels = torch.add(own, products, alpha=-2.0).min(1)
        labels.masked_fill_(~real, k)
        after = mean_weights(labels, k, (distances + square).masked_fill_(~real, -1.0))
        gain = torch.bmm(after, gram) - products
        moving = ((after - weights) * gain).sum((1, 2)) > limit
        result[active] = weights = after
        products += gain
        if not bool(moving.all()):  # converged tokens stop, so that results do not depend on the batch
            if not bool(moving.any()):
                break
            active, gram, square, real = active[moving], gram[moving], square[moving], real[moving]
            weights, products, limit = weights[moving], products[moving], limit[moving]
    return result


def mean_weights(labels: Tensor, k: int, distances: Tensor) -> Tensor:
    """Return weights (T, k, n) of the clusters' means; an empty cluster gets one of the points furthest from theirs."""
    weights = (labels[:, None] == torch.arange(k, device=labels.device)[:, None]).float()
    sizes = weights.sum(2, keepdim=True)
    weights /= sizes.clamp_min(1.0)
    empty = sizes[:, :, 0] == 0
    if bool(empty.any()):
        tokens, clusters = torch.nonzero(empty, as_tuple=True)
        furthest = distances.topk(min(k, distances.shape[1]), dim=1).indices
        turn = (empty.cumsum(1) - 1)[tokens, clusters].clamp_max_(furthest.shape[1] - 1)
        weights[tokens, clusters, furthest[tokens, turn]] = 1.0
    return weights
