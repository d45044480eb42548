"""Test what a model knows about words: it answers the items of `lexkit.probe` by likelihood.

The score of an option is the log-likelihood of the frame that ends in it, minus that of the neutral frame, so options
gain nothing by being frequent: a model that ignores the head scores all options equally and performs at chance in every
band. The option with the highest score is the answer; if several have the highest score, they share the credit.
In addition, `*_raw` compares log-likelihoods without the neutral frame, and `*_byte` divides these by the length of the
option in bytes. The value of a head is the mean over its frames (and, in negation, over the word and its negation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lexkit.probe.frames import ITEM_TYPES
from lexkit.probe.item import Item
from lexkit.progress import Progress
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.data import LEAST_HEADS
from lexkit_distill.evaluation.likelihood import log_likelihoods
from lexkit_distill.evaluation.results import TaskScores
from lexkit_distill.evaluation.statistics import Measure
from lexkit_distill.processes import Processes
from lexkit_distill.teacher import Teacher

_TOKENS = 512
"""Most tokens in a batch for each prompt of --batch-size; sentences are much shorter than prompts."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WordScore:
    """A model's scores on an item."""

    task: str
    id: str
    head: str
    group: str
    options: tuple[str, ...]
    target: str
    bands: tuple[str, ...]
    log_likelihood: list[list[float]]
    """Log-likelihood of each option in each frame, in nats, without that of the tokens that all options share."""
    neutral: list[list[float]]
    """Log-likelihoods in the neutral frames."""
    correct: dict[str, float]
    """Share of frames in which the model is right, by kind of score."""


def score_words(
    items: Sequence[Item],
    model: Teacher,
    *,
    batch_size: int,
    processes: Processes,
    progress: Progress,
    replace: Callable[[Tensor], Tensor] | None = None,
) -> TaskScores | None:
    """Return a model's accuracies on items, by type and band; each process answers its share.

    Args:
        items: items of `lexkit.probe`.
        model: the model to test.
        batch_size: number of prompts in a batch.
        processes: the processes that share the items.
        progress: receives the number of sentences done.
        replace: a function that maps the last hidden states (n, d) to those that the head reads; None changes nothing.

    Returns:
        The accuracies; None in processes other than the first.

    Raises:
        EvaluationError: the model can read none of the items.
    """
    written = [item for item in items if _can_read(item, model)]
    if not written:
        raise EvaluationError(
            f"words: {model.name} cannot read any of the {len(items):,} items: its tokenizer lacks their words, or its "
            "context is shorter than their sentences; evaluate another model"
        )
    mine = written[processes.rank :: processes.world_size]
    scores = _score(mine, model, batch_size * _TOKENS, progress, replace)
    gathered = processes.gathered(scores)
    if gathered is None:
        return None
    by_id = {score.id: score for score in gathered}
    return _measures([by_id[item.id] for item in written], len(items) - len(written))


def _can_read(item: Item, model: Teacher) -> bool:
    """Return whether the tokenizer has tokens for an item's words, and the sentences fit into the model's context."""
    encoder, unknown = model.encoder, model.tokenizer.unk_token_id
    if unknown is not None:
        words = [f" {word}" for word in (item.head, *item.options)]
        if any(unknown in one.ids for one in encoder.encode(words)):
            return False
    sentences = [text for pair in item.sentences() for group in pair for text in group]
    longest = max(len(encoder.begun(one.ids)) for one in encoder.encode(sentences))
    return encoder.context is None or longest <= encoder.context


def _score(
    items: Sequence[Item],
    model: Teacher,
    batch_tokens: int,
    progress: Progress,
    replace: Callable[[Tensor], Tensor] | None,
) -> list[WordScore]:
    asked = [item.sentences() for item in items]
    groups = [group for frames in asked for pair in frames for group in pair]
    found = iter(log_likelihoods(groups, model, batch_tokens, progress, replace) if groups else [])
    scores = []
    for item, frames in zip(items, asked, strict=True):
        pairs = [(next(found), next(found)) for _ in frames]
        own, neutral = np.stack([pair[0] for pair in pairs]), np.stack([pair[1] for pair in pairs])
        length = np.array([len(option.encode()) for option in item.options])
        kinds = {"": own - neutral, "_raw": own, "_byte": own / length}
        scores.append(
            WordScore(
                item.type,
                item.id,
                item.head,
                item.group,
                item.options,
                item.options[item.right],
                (item.frequency, item.pos, item.relation, _tokens_band(item, model)),
                own.tolist(),
                neutral.tolist(),
                {name: float(np.mean([_credit(row, item.right) for row in rows])) for name, rows in kinds.items()},
            )
        )
    return scores


def _credit(scores: Floats, right: int) -> float:
    """Return 1 if the right option has the highest score, 1/n if n options share it, and 0 otherwise."""
    highest = scores >= scores.max() - 1e-9
    return float(highest[right] / highest.sum())


def _tokens_band(item: Item, model: Teacher) -> str:
    # Count tokens at the end of a sentence, because a word without context may begin with an additional token
    _, neutral = item.sentences()[0]
    text = neutral[item.right]
    (encoding,) = model.encoder.encode([text])
    n_tokens = sum(end > len(text) - len(item.options[item.right]) for _, end in encoding.offsets)
    return "one_token" if n_tokens == 1 else "several_tokens"


def _measures(scores: Sequence[WordScore], unwritable: int) -> TaskScores:
    measures: list[Measure] = []
    too_few: dict[str, int] = {}

    def add(name: str, key: str, chosen: Sequence[WordScore]) -> None:
        by_group: dict[str, list[float]] = {}
        for score in chosen:
            by_group.setdefault(score.group, []).append(score.correct[key])
        if 0 < len(by_group) < LEAST_HEADS:
            too_few[name] = len(by_group)
        elif by_group:
            values = np.array([[np.mean(of_head)] for of_head in by_group.values()])
            measures.append(Measure(name, values, rows=sha256(repr(list(by_group)).encode()).hexdigest()))

    for kind in ITEM_TYPES:
        of_type = [score for score in scores if score.task == kind]
        for key in ("", "_raw", "_byte"):
            add(f"{kind}{key}", key, of_type)
        for place, band in sorted({(place, band) for score in of_type for place, band in enumerate(score.bands)}):
            add(f"{kind}_{band}", "", [score for score in of_type if score.bands[place] == band])
    if not measures:
        raise EvaluationError(
            f"words: no type of item has more than {max(too_few.values())} head words, and at least {LEAST_HEADS} are "
            "needed; build the store from more sources, or raise --heads"
        )
    counts = {kind: len({score.group for score in scores if score.task == kind}) for kind in ITEM_TYPES}
    details = {"heads": counts, "least_heads": LEAST_HEADS, "too_few_heads": too_few, "unwritable_items": unwritable}
    return TaskScores(measures, details, list(scores))
