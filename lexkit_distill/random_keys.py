"""Pseudo-random keys of token occurrences: those with the smallest keys are sampled."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

UInt64 = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def document_hash(content: str) -> int:
    """Return a 64-bit hash of a document's content, independent of its file and of the reading order."""
    return int.from_bytes(blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def occurrence_keys(seed: int, documents: UInt64, positions: npt.NDArray[np.int64]) -> UInt64:
    """Return a uniform number from 0 to 2**64 - 1 for each occurrence, determined by the three arguments alone.

    Args:
        seed: seed of the sample.
        documents: (n,) `document_hash` of each occurrence's document.
        positions: (n,) token position of each occurrence in its document.
    """
    seeded = _mix(documents ^ _mix(np.array([seed % 2**64], dtype=np.uint64)))
    with np.errstate(over="ignore"):
        return _mix(seeded + (positions.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def _mix(x: UInt64) -> UInt64:
    """Mix bits with the finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection on 64-bit integers."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return x
