from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def mixture(tokens: int, n: int, d: int, seed: int) -> Any:
    """(tokens, n, d) points of overlapping clusters in a space where few dimensions hold most of the variance."""
    random = np.random.default_rng(seed)
    scale = np.exp(-np.arange(d) / (d / 8)) + 0.1
    centres = random.standard_normal((tokens, 12, d)) * 1.5
    which = random.integers(0, 12, (tokens, n))
    points = random.standard_normal((tokens, n, d)) + centres[np.arange(tokens)[:, None], which]
    return (points * scale + 5).astype(np.float32)


def test_inertia_is_that_of_scikit_learn() -> None:
    import torch
    from sklearn.cluster import KMeans

    from lexkit_distill.senses.cluster import kmeans

    points = mixture(40, 300, 64, seed=0)
    found = kmeans(torch.from_numpy(points), torch.full((40,), 300), 10, tokens=np.arange(40), seed=0)
    reference = [KMeans(10, n_init=1, random_state=0).fit(one).inertia_ for one in points]
    assert float(found.inertia.mean()) <= 1.01 * np.mean(reference)


def test_centroids_are_means_and_points_are_with_the_nearest() -> None:
    import torch

    from lexkit_distill.senses.cluster import kmeans

    points = torch.from_numpy(mixture(5, 200, 16, seed=1))
    counts = torch.tensor([200, 150, 120, 60, 11])
    found = kmeans(points, counts, 10, tokens=np.arange(5), seed=0)
    for token, count in enumerate(counts.tolist()):
        mine = points[token, :count]
        distances = torch.cdist(mine.double(), found.centroids[token].double()).square()
        assert torch.equal(distances.argmin(1), found.labels[token, :count])
        assert (found.labels[token, count:] == 10).all()
        torch.testing.assert_close(
            distances.min(1).values.float(), found.distances[token, :count], rtol=1e-3, atol=1e-3
        )
        means = torch.stack([mine[found.labels[token, :count] == cluster].mean(0) for cluster in range(10)])
        assert (means - found.centroids[token]).square().sum() < 1e-3 * mine.var(0).sum()
        assert found.sizes[token].sum() == count
        assert (found.sizes[token].diff() <= 0).all()


def test_a_token_gets_the_same_senses_whatever_it_is_clustered_with() -> None:
    import torch

    from lexkit_distill.senses.cluster import kmeans

    points = torch.from_numpy(mixture(6, 150, 32, seed=2))
    counts = torch.full((6,), 150)
    together = kmeans(points, counts, 5, tokens=np.arange(6), seed=0)
    padded = torch.nn.functional.pad(points[4:5], (0, 0, 0, 40), value=7.0)
    alone = kmeans(padded, counts[4:5], 5, tokens=np.array([4]), seed=0)
    torch.testing.assert_close(alone.centroids[0], together.centroids[4], rtol=1e-4, atol=1e-4)
    assert torch.equal(alone.labels[0, :150], together.labels[4])
    other = kmeans(points, counts, 5, tokens=np.arange(6), seed=1)
    assert not torch.equal(other.centroids, together.centroids)


def test_an_empty_cluster_is_given_a_far_point() -> None:
    import torch

    from lexkit_distill.senses import cluster, gram

    points = torch.tensor([[[0.0, 0.0], [0.0, 1.0], [10.0, 0.0], [10.0, 1.0], [50.0, 0.0]]])
    starts = torch.tensor([[[0.0, 0.0], [-100.0, 0.0], [9.0, 0.0]]])
    real, limit = torch.ones(1, 5, dtype=torch.bool), torch.zeros(1)
    square = points.square().sum(2)
    found = cluster._lloyd(points, square, real, starts, limit)
    assert sorted(found[0, :, 0].tolist()) == [0.0, 10.0, 50.0]

    weights = gram.mean_weights(torch.tensor([[0, 0, 2, 2, 2]]), 3, torch.tensor([[0.0, 1.0, 1.0, 2.0, 1681.0]]))
    assert weights[0, 1].tolist() == [0, 0, 0, 0, 1]
    places = torch.tensor([[0, 0, 2]])  # two centroids at one point: one of them gets no points
    weights = gram.lloyd(points @ points.mT, square, real, places, limit)
    assert sorted((weights @ points)[0, :, 0].tolist()) == [0.0, 10.0, 50.0]


def literal_lloyd(points: Any, centroids: Any, limit: float) -> Any:
    """Lloyd's algorithm with every distance measured in every iteration, in fp64."""
    import torch

    while True:
        labels = torch.cdist(points, centroids).argmin(1)
        moved = torch.stack([points[labels == one].mean(0) for one in range(len(centroids))])
        done = (moved - centroids).square().sum() <= limit
        centroids = moved
        if done:
            return centroids


def test_skipping_and_inner_products_change_nothing() -> None:
    import torch

    from lexkit_distill.senses import cluster, gram

    points = torch.from_numpy(mixture(4, 300, 24, seed=5) - 5)
    counts = torch.tensor([300, 260, 120, 40])
    real = torch.arange(300) < counts[:, None]
    points.masked_fill_(~real[:, :, None], 0.0)
    square, limit = points.square().sum(2), torch.full((4,), 1e-3)
    places = torch.arange(6).expand(4, 6)
    vectors = cluster._lloyd(points, square, real, points[:, :6].contiguous(), limit)
    products = gram.lloyd(points @ points.mT, square, real, places, limit) @ points
    for token, count in enumerate(counts.tolist()):
        mine = points[token, :count].double()
        expected = literal_lloyd(mine, mine[:6], 1e-3).float()
        torch.testing.assert_close(vectors[token], expected, rtol=1e-3, atol=1e-3)
        torch.testing.assert_close(products[token], expected, rtol=1e-3, atol=1e-3)


def test_fewer_different_points_than_clusters_leave_clusters_out() -> None:
    import torch

    from lexkit_distill.senses.cluster import kmeans

    points = torch.tensor([[[1.0, 0.0], [2.0, 0.0], [3.0, 0.0]]]).repeat(1, 10, 1)
    found = kmeans(points, torch.tensor([30]), 5, tokens=np.array([0]), seed=0)
    assert found.sizes.tolist() == [[10, 10, 10, 0, 0]]
    assert sorted(found.centroids[0, :3, 0].tolist()) == pytest.approx([1, 2, 3])
    assert float(found.inertia) == pytest.approx(0, abs=1e-9)


def test_large_offsets_do_not_spoil_small_differences() -> None:
    import torch

    from lexkit_distill.senses.cluster import kmeans

    points = torch.from_numpy(mixture(3, 200, 16, seed=4))
    plain = kmeans(points, torch.full((3,), 200), 4, tokens=np.arange(3), seed=0)
    moved = kmeans(points + 1024, torch.full((3,), 200), 4, tokens=np.arange(3), seed=0)
    torch.testing.assert_close(moved.inertia, plain.inertia, rtol=0.02, atol=0)


@pytest.mark.parametrize("clusters", [1, 2, 3, 5])
def test_adaptive_k_finds_the_number_of_well_parted_groups(clusters: int) -> None:
    import torch

    from lexkit_distill.senses.adaptive import kmeans_adaptive

    random = np.random.default_rng(clusters)
    centres = random.standard_normal((clusters, 32)) * 6
    points = torch.from_numpy(
        (centres[np.arange(300) % clusters] + random.standard_normal((300, 32))).astype(np.float32)
    )
    found = kmeans_adaptive(points[None], torch.tensor([300]), 8, tokens=np.array([0]), seed=0)
    assert int((found.sizes > 0).sum()) == clusters
    assert found.labels.unique().tolist() == list(range(clusters))


def test_a_token_with_few_occurrences_keeps_them(build: Callable[..., Path], tmp_path: Path) -> None:
    import torch

    from lexkit_distill.senses.dictionary import SenseDictionary
    from lexkit_distill.senses.sample import Sample, groups

    dictionary = SenseDictionary(build(sample=str(tmp_path / "sample"), max_per_token=6))
    sample = Sample(tmp_path / "sample", 6)
    few = [(token, first, last) for token, first, last in groups(sample.occurrences.tokens) if last - first <= 4]
    assert few
    for token, first, last in few:
        assert torch.equal(dictionary.senses([token]), sample.states(first, last))


def test_the_same_sample_can_be_clustered_anew(build: Callable[..., Path], tmp_path: Path) -> None:
    from lexkit_distill.senses.dictionary import SenseDictionary

    sample = str(tmp_path / "sample")
    build("four", sample=sample)
    before = {path.name: path.stat().st_mtime_ns for path in (tmp_path / "sample").glob("part-*")}
    two, adaptive = build("two", sample=sample, k=2), build("adaptive", sample=sample, k="adaptive", max_k=5)
    assert {path.name: path.stat().st_mtime_ns for path in (tmp_path / "sample").glob("part-*")} == before
    assert max(SenseDictionary(two).n_rows) == 2
    assert 1 <= min(SenseDictionary(adaptive).n_rows) <= max(SenseDictionary(adaptive).n_rows) <= 5
