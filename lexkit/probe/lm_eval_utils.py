"""Functions for the tasks in this folder, with which lm-evaluation-harness loads documents and scores answers.

`lexkit export --format lm-eval` copies this file, which does not import lexkit.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def documents(item_type: str, **_: object) -> dict[str, Any]:
    """Return the documents for a type of item, one for each item and frame."""
    import datasets

    lines = Path(__file__).with_name("items.jsonl").read_bytes().splitlines()
    found = [document for document in map(json.loads, lines) if document["type"] == item_type]
    return {"test": datasets.Dataset.from_list(found)}


def process_results(document: dict[str, Any], results: list[tuple[float, bool]]) -> dict[str, float]:
    """Return the scores of a document; the results are those of its sentences, followed by the neutral ones."""
    logs = [log_likelihood for log_likelihood, _ in results]
    n = len(document["options"])
    own, neutral = logs[:n], logs[n:]
    right = document["right"]
    return {
        "acc": _credit([a - b for a, b in zip(own, neutral, strict=True)], right),
        "acc_raw": _credit(own, right),
    }


def _credit(scores: list[float], right: int) -> float:
    """Return 1 if the right option has the highest score, 1/n if n options share it, and 0 otherwise."""
    highest = [score >= max(scores) - 1e-4 for score in scores]
    return highest[right] / sum(highest)
