"""k-means clustering of each token's hidden states, for many tokens at a time (paper, section 3.1).

Like scikit-learn, it uses greedy k-means++ and Lloyd's algorithm with the same tolerance, in fp32. Two things make it
fast. Starting points are chosen, and first moved, on a subset of the points (Bradley and Fayyad 1998), using inner
products; tokens with few points are then done. The others need only a few iterations over all points, which compute
distances only for points whose cluster may have changed, and update sums only with points whose cluster has changed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexkit_distill.random_keys import occurrence_keys
from lexkit_distill.senses.gram import MAX_ITERATIONS, TOLERANCE, lloyd, starts

_START_POINTS = 50
"""Points per cluster in the subset on which starting points are chosen and first moved."""
_SAFE = 0.9999
"""Factor on bounds of distances that allows for rounding errors."""


@dataclass(frozen=True)
class Clusters:
    """Clusters of T tokens with up to n points each."""

    centroids: Tensor
    """(T, k, d) centroids in fp32, the largest cluster first."""
    sizes: Tensor
    """(T, k) number of points in each cluster; 0 if a token has fewer than k distinct points."""
    labels: Tensor
    """(T, n) cluster of each point; k for padding."""
    distances: Tensor
    """(T, n) squared distance of each point to its centroid; 0 for padding."""

    @property
    def inertia(self) -> Tensor:
        """(T,) sum of the squared distances of points to their centroids."""
        return self.distances.sum(1)


def kmeans(points: Tensor, counts: Tensor, k: int, *, tokens: npt.NDArray[np.int64], seed: int) -> Clusters:
    """Cluster the points of T tokens. If a token has at most k points, they become its centroids.

    Args:
        points: (T, n, d) points, padded on the right; any floating-point dtype.
        counts: (T,) number of points of each token, without padding; at least 1.
        k: number of clusters per token.
        tokens: (T,) token ids, which determine the random numbers together with the seed.
        seed: seed for choosing starting points.
    """
    real = torch.arange(points.shape[1], device=points.device) < counts[:, None]  # (T, n)
    x = points.float() if points.dtype != torch.float32 else points.clone()
    if not bool(real.all()):
        x.masked_fill_(~real[:, :, None], 0.0)
    # Distances are computed as differences of large products; centring makes them accurate enough in fp32
    mean = x.sum(1) / counts[:, None]
    x -= mean[:, None]
    square = torch.linalg.vector_norm(x, dim=2).square_().masked_fill_(~real, 0.0)  # (T, n)
    limit = TOLERANCE * square.sum(1) / counts / points.shape[2]
    step = -(-points.shape[1] // (_START_POINTS * k))
    some, some_real, some_square = x[:, ::step].contiguous(), real[:, ::step], square[:, ::step].contiguous()
    gram = torch.bmm(some, some.mT)
    places = starts(gram, some_square, some_real, _uniform(tokens, seed, k))
    centroids = torch.bmm(lloyd(gram, some_square, some_real, places, limit), some)
    if step > 1:
        centroids = _lloyd(x, square, real, centroids, limit)
    return _finished(x, square, real, centroids, mean)


def _uniform(tokens: npt.NDArray[np.int64], seed: int, k: int) -> Tensor:
    """Return random numbers (T, k, trials) in [0, 1), determined by seed, token, step and trial alone."""
    trials = 2 + int(math.log(k))
    steps = np.arange(k * trials, dtype=np.int64)
    keys = occurrence_keys(seed, np.repeat(tokens.astype(np.uint64), len(steps)), np.tile(steps, len(tokens)))
    return torch.from_numpy((keys >> np.uint64(11)).astype(np.float64) * 2.0**-53).reshape(len(tokens), k, trials)


def _take(x: Tensor, places: Tensor) -> Tensor:
    """Return rows (T, p, d) of *x* (T, n, d) at indices *places* (T, p)."""
    rows = torch.arange(len(x), device=x.device)[:, None] * x.shape[1] + places
    return x.flatten(0, 1).index_select(0, rows.flatten()).view(*places.shape, x.shape[2])


def _partial_distances(x: Tensor, centroids: Tensor) -> Tensor:
    """Return |x - c|^2 - |x|^2 (T, k, n). CPUs multiply centroids by points twice as fast as points by centroids."""
    return torch.baddbmm(centroids.square().sum(2, keepdim=True), centroids, x.mT, alpha=-2.0)


def _lloyd(x: Tensor, square: Tensor, real: Tensor, centroids: Tensor, limit: Tensor) -> Tensor:
    """Run Lloyd's iterations, computing distances only for points whose cluster may have changed (Hamerly 2010).

    For each point, an upper bound of the distance to its centroid and a lower bound of the distance to any other are
    updated as centroids move. As long as the upper bound is less, the point stays in its cluster.
    """
    k = centroids.shape[1]
    result = centroids.clone()
    active = torch.arange(len(x), device=x.device)
    distances, labels = _two_nearest(x, square, centroids)
    labels.masked_fill_(~real, k)
    sums = _changes(x, torch.full_like(labels, k), labels, k)
    for _ in range(MAX_ITERATIONS):
        moved = _means(x, real, sums, labels, distances[0])
        moves = (moved - centroids).square_().sum(2)  # (T, k)
        moving = moves.sum(1) > limit
        result[active] = centroids = moved
        if not bool(moving.all()):  # converged tokens stop, so that results do not depend on the batch
            if not bool(moving.any()):
                break
            active, x, square, real = active[moving], x[moving], square[moving], real[moving]
            centroids, limit, sums, labels = centroids[moving], limit[moving], sums[moving], labels[moving]
            distances, moves = distances[:, moving], moves[moving]
        moves = torch.nn.functional.pad(moves.sqrt_(), (0, 1))
        distances[0] += moves.gather(1, labels)
        distances[1] -= moves.amax(1, keepdim=True)
        before = labels
        doubtful = real & (distances[0] >= distances[1] * _SAFE)
        labels = _reassigned(x, square, real, centroids, labels, distances, doubtful)
        sums += _changes(x, before, labels, k)
    return result


def _two_nearest(x: Tensor, square: Tensor, centroids: Tensor) -> tuple[Tensor, Tensor]:
    """Return distances (2, T, n) to the nearest and second-nearest centroid, and labels (T, n) of the nearest."""
    partial = _partial_distances(x, centroids)
    nearest, labels = partial.min(1)
    partial.scatter_(1, labels[:, None], torch.inf)
    return torch.stack([nearest, partial.amin(1)]).add_(square).clamp_min_(0.0).sqrt_(), labels


def _reassigned(
    x: Tensor,
    square: Tensor,
    real: Tensor,
    centroids: Tensor,
    labels: Tensor,
    distances: Tensor,
    doubtful: Tensor,
) -> Tensor:
    """Return labels (T, n) after recomputing distances of the *doubtful* points (T, n); update *distances* in place."""
    number = doubtful.sum(1)
    most = int(number.max())
    if most == 0:
        return labels
    if 2 * most > labels.shape[1]:  # recomputing all is cheaper than copying the doubtful ones
        found, labels = _two_nearest(x, square, centroids)
        distances.copy_(found)
        return labels.masked_fill_(~real, centroids.shape[1])
    places = doubtful.byte().argsort(dim=1, descending=True, stable=True)[:, :most]
    is_real = torch.arange(most, device=x.device) < number[:, None]
    found, nearest = _two_nearest(_take(x, places), square.gather(1, places), centroids)
    for bound, measured in zip(distances, found, strict=True):
        bound.scatter_(1, places, torch.where(is_real, measured, bound.gather(1, places)))
    return labels.scatter(1, places, torch.where(is_real, nearest, labels.gather(1, places)))


def _changes(x: Tensor, before: Tensor, after: Tensor, k: int) -> Tensor:
    """Return the changes (T, k, d) of the clusters' sums of points when labels change from *before* to *after*.

    A CPU reads only the points that moved. A GPU computes matrix products over all points instead, which is faster than
    finding those that moved, and always adds in the same order.
    """
    if x.device.type != "cpu":
        return torch.bmm(_one_hot(after, k) - _one_hot(before, k), x)
    tokens, places = torch.nonzero(before != after, as_tuple=True)
    if 4 * len(places) > before.numel():
        return torch.bmm(_one_hot(after, k) - _one_hot(before, k), x)
    gain = x.new_zeros(len(x) * (k + 1), x.shape[2])  # row k is for padding
    points, row = x[tokens, places], tokens * (k + 1)
    gain.index_add_(0, row + after[tokens, places], points)
    gain.index_add_(0, row + before[tokens, places], points, alpha=-1)
    return gain.view(len(x), k + 1, -1)[:, :k]


def _one_hot(labels: Tensor, k: int) -> Tensor:
    """Return one-hot vectors (T, k, n) of labels (T, n)."""
    return (labels[:, None] == torch.arange(k, device=labels.device)[:, None]).float()


def _means(x: Tensor, real: Tensor, sums: Tensor, labels: Tensor, distances: Tensor) -> Tensor:
    """Return the means (T, k, d) of clusters; an empty cluster gets one of the points furthest from their centroids."""
    k = sums.shape[1]
    sizes = _sizes(labels, k)
    means = sums / sizes.clamp_min(1)[:, :, None]
    empty = sizes == 0
    if bool(empty.any()):
        furthest = distances.masked_fill(~real, -1.0).topk(k, dim=1).indices
        spare = furthest.gather(1, (empty.cumsum(1) - 1).clamp_min(0))
        means = torch.where(empty[:, :, None], _take(x, spare), means)
    return means


def _sizes(labels: Tensor, k: int) -> Tensor:
    """Return the number of points (T, k) in each cluster."""
    rows = torch.arange(len(labels), device=labels.device)[:, None] * (k + 1)
    return torch.bincount((rows + labels).flatten(), minlength=len(labels) * (k + 1)).view(-1, k + 1)[:, :k]


def _finished(x: Tensor, square: Tensor, real: Tensor, centroids: Tensor, mean: Tensor) -> Clusters:
    k = centroids.shape[1]
    distances, labels = _partial_distances(x, centroids).min(1)
    labels.masked_fill_(~real, k)
    distances = (distances + square).clamp_min_(0.0).masked_fill_(~real, 0.0)
    sizes = _sizes(labels, k)
    order = sizes.argsort(dim=1, descending=True, stable=True)
    rank = torch.nn.functional.pad(order.argsort(1), (0, 1), value=k)
    return Clusters(_take(centroids, order) + mean[:, None], sizes.gather(1, order), rank.gather(1, labels), distances)
