"""The pseudo-random number that decides whether an occurrence is in the sample."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
import numpy.typing as npt

UInt64 = npt.NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def document_hash(content: str) -> int:
    """Return the identity of a document: 64 bits of its content, wherever and in whichever order it is read."""
    return int.from_bytes(blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "little")


def occurrence_keys(seed: int, documents: UInt64, positions: npt.NDArray[np.int64]) -> UInt64:
    """Return a number from 0 to 2**64 - 1 for each occurrence, uniform and a function of these three alone.

    Args:
        seed: chooses the sample.
        documents: (n,) `document_hash` of each occurrence's document.
        positions: (n,) token position in the document.
    """
    seeded = _mix(documents ^ _mix(np.array([seed % 2**64], dtype=np.uint64)))
    with np.errstate(over="ignore"):
        return _mix(seeded + (positions.astype(np.uint64) + np.uint64(1)) * _GOLDEN)


def _mix(x: UInt64) -> UInt64:
    """The finaliser of SplitMix64 (Steele, Lea and Flood 2014), a bijection whose output bits look independent."""
    with np.errstate(over="ignore"):
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        x ^= x >> np.uint64(31)
    return x
