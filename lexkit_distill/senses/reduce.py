"""Reduce the sample to sense embeddings, in blocks of tokens.

Each block is written to its own file, so that processes can share the work and an interrupted run can be resumed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors.torch import load_file, save
from torch import Tensor

from lexkit.atomic_write import write_atomically
from lexkit.progress import Progress
from lexkit_distill.processes import Processes
from lexkit_distill.senses.adaptive import kmeans_adaptive
from lexkit_distill.senses.cluster import Clusters, kmeans
from lexkit_distill.senses.config import SensesConfig
from lexkit_distill.senses.sample import Sample, groups
from lexkit_distill.senses.threads import threaded_map

_BLOCK_ROWS = 200_000
"""Target number of occurrences in a block; those of one token stay together."""
_BATCH_ELEMENTS = {"cpu": 5 << 18, "cuda": 1 << 26}
"""Elements (tokens x points x dimensions) to cluster at a time; on a CPU, they fit into its cache."""


@dataclass(frozen=True)
class TokenSenses:
    """The senses of one token."""

    token: int
    rows: Tensor
    """(k, d) sense embeddings in fp32."""
    sizes: npt.NDArray[np.int64]
    """(k,) number of occurrences of each sense in the sample."""
    inertia: float
    nearest: npt.NDArray[np.int64]
    """(k, contexts) indices in the sample of the occurrences nearest to each sense, padded with -1."""


def blocks(sample: Sample) -> list[list[tuple[int, int, int]]]:
    """Divide the sample's tokens into blocks, determined by the sample alone; each token is (token, first, last)."""
    result: list[list[tuple[int, int, int]]] = []
    size = _BLOCK_ROWS
    for token, first, last in groups(sample.occurrences.tokens):
        if size + last - first > _BLOCK_ROWS:
            result.append([])
            size = 0
        result[-1].append((token, first, last))
        size += last - first
    return result


def reduce_tokens(
    config: SensesConfig,
    sample: Sample,
    work: Path,
    device: torch.device,
    processes: Processes,
    progress: Progress,
) -> None:
    """Cluster every token of the sample and write ``block-N.safetensors`` to *work*; existing blocks are skipped."""
    progress.stage("clustering")
    found = blocks(sample)
    work.mkdir(parents=True, exist_ok=True)
    total, done = sum(map(len, found)), 0
    for number, block in enumerate(found):
        path = work / f"block-{number}.safetensors"
        if number % processes.world_size == processes.rank and not path.exists():
            write_atomically(path, save(_packed(list(_reduced(config, sample, block, device)))))
        done += len(block)
        progress.count(done, total, "tokens")


def read_blocks(work: Path) -> Iterator[TokenSenses]:
    """Yield the senses of all tokens in the order of their ids."""
    for number in range(len(list(work.glob("block-*.safetensors")))):
        tensors = load_file(work / f"block-{number}.safetensors")
        ends = tensors["n_rows"].cumsum(0)
        for place, token in enumerate(tensors["token"].tolist()):
            last = int(ends[place])
            first = last - int(tensors["n_rows"][place])
            yield TokenSenses(
                token,
                tensors["rows"][first:last],
                tensors["sizes"][first:last].numpy(),
                float(tensors["inertia"][place]),
                tensors["nearest"][first:last].numpy(),
            )


def _packed(found: list[TokenSenses]) -> dict[str, Tensor]:
    return {
        "token": torch.tensor([one.token for one in found]),
        "n_rows": torch.tensor([len(one.rows) for one in found]),
        "inertia": torch.tensor([one.inertia for one in found], dtype=torch.float32),
        "rows": torch.cat([one.rows for one in found]),
        "sizes": torch.from_numpy(np.concatenate([one.sizes for one in found])),
        "nearest": torch.from_numpy(np.concatenate([one.nearest for one in found])),
    }


def _reduced(
    config: SensesConfig, sample: Sample, block: list[tuple[int, int, int]], device: torch.device
) -> Iterator[TokenSenses]:
    """Return the senses of a block's tokens, in order."""
    start = block[0][1]
    states = sample.states(start, block[-1][2])
    result: dict[int, TokenSenses] = {}
    few = 1 if config.k == "adaptive" else config.k
    large = []
    for token, first, last in block:
        if last - first <= few:
            result[token] = _points_themselves(token, states[first - start : last - start], first, config.contexts)
        else:
            large.append((token, first, last))

    def clustered(batch: list[tuple[int, int, int]]) -> list[TokenSenses]:
        points = [states[first - start : last - start] for _, first, last in batch]
        clusters = _clusters(config, [token for token, _, _ in batch], points, device)
        return [
            _of_token(token, clusters, place, first, config.contexts) for place, (token, first, _) in enumerate(batch)
        ]

    batches = _batched(large, states.shape[1], _BATCH_ELEMENTS.get(device.type, _BATCH_ELEMENTS["cuda"]))
    in_turn = list(batches)[::-1]  # largest first, so that all threads finish at about the same time
    for found in threaded_map(clustered, in_turn) if device.type == "cpu" else map(clustered, in_turn):
        result.update({one.token: one for one in found})
    return iter(result[token] for token, _, _ in block)


def _clusters(config: SensesConfig, tokens: list[int], points: list[Tensor], device: torch.device) -> Clusters:
    padded = torch.nn.utils.rnn.pad_sequence(points, batch_first=True).to(device)
    counts = torch.tensor([len(one) for one in points], device=device)
    if config.k == "adaptive":
        return kmeans_adaptive(padded, counts, config.max_k, tokens=np.array(tokens), seed=config.seed)
    return kmeans(padded, counts, config.k, tokens=np.array(tokens), seed=config.seed)


def _batched(
    tokens: list[tuple[int, int, int]], hidden_size: int, elements: int
) -> Iterator[list[tuple[int, int, int]]]:
    batch: list[tuple[int, int, int]] = []
    for entry in sorted(tokens, key=lambda entry: (entry[2] - entry[1], entry[0])):
        if batch and (len(batch) + 1) * (entry[2] - entry[1]) * hidden_size > elements:
            yield batch
            batch = []
        batch.append(entry)
    if batch:
        yield batch


def _points_themselves(token: int, states: Tensor, first: int, contexts: int) -> TokenSenses:
    nearest = np.full((len(states), contexts), -1, np.int64)
    nearest[:, :1] = (first + np.arange(len(states)))[:, None]
    return TokenSenses(token, states.float(), np.ones(len(states), np.int64), 0.0, nearest)


def _of_token(token: int, clusters: Clusters, place: int, first: int, contexts: int) -> TokenSenses:
    sizes = clusters.sizes[place]
    k = int((sizes > 0).sum())
    labels = clusters.labels[place].cpu().numpy()
    distances = clusters.distances[place].cpu().numpy()
    nearest = np.full((k, contexts), -1, np.int64)
    order = np.lexsort((distances, labels))
    for sense in range(k):
        begin = int(np.searchsorted(labels[order], sense))
        members = order[begin : begin + min(contexts, int(sizes[sense]))]
        nearest[sense, : len(members)] = first + members
    rows = clusters.centroids[place, :k].cpu()
    return TokenSenses(token, rows, sizes[:k].cpu().numpy(), float(clusters.inertia[place]), nearest)
