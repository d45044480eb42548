"""What a model knows of words: the items of `lexkit.probe`, judged by likelihood.

The score of an option is the log-likelihood of the frame that ends in it, less that of the neutral frame, so that an
option gains nothing by being likely in itself: a model that pays no attention to the head holds all options equal,
and is at chance in every band. The highest score is the answer; several that share it have an equal part of it.
Beside it, `*_raw` compares log-likelihoods as they are, and `*_byte` divides them by the length of the option.
A head's value is the mean over its frames (and, in negation, over the word and its negation).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256

import numpy as np
import numpy.typing as npt
from torch import Tensor

from lexkit.probe.frames import ITEM_TYPES
from lexkit.probe.items import Item
from lexkit.progress import Progress
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.data import LEAST_HEADS
from lexkit_distill.evaluation.likelihood import log_likelihoods
from lexkit_distill.evaluation.results import TaskScores
from lexkit_distill.evaluation.statistics import Measure
from lexkit_distill.processes import Processes
from lexkit_distill.teacher import Teacher

_TOKENS = 512
"""Tokens read at a time for each prompt of a batch; sentences are short."""
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class WordScore:
    """What a model makes of an item."""

    task: str
    id: str
    head: str
    group: str
    options: tuple[str, ...]
    target: str
    bands: tuple[str, ...]
    log_likelihood: list[list[float]]
    """For each frame, each option's, in nats, less what all options of the frame have in common."""
    neutral: list[list[float]]
    """The same in the neutral frame."""
    correct: dict[str, float]
    """Share of frames in which it is right, by each kind of score."""


def score_words(
    items: Sequence[Item],
    model: Teacher,
    *,
    batch_size: int,
    processes: Processes,
    progress: Progress,
    replace: Callable[[Tensor], Tensor] | None = None,
) -> TaskScores | None:
    """Return accuracies of a model on items, by type and band; each process answers its share.

    Args:
        items: of `lexkit.probe`.
        model: judges them.
        batch_size: prompts that it reads at a time.
        processes: among which the items are dealt out.
        progress: hears how far the model is.
        replace: changes the last hidden states (n, d) before the head reads them, if given.

    Returns:
        None in processes other than the first.

    Raises:
        EvaluationError: the model can read none of the items.
    """
    written = [item for item in items if _can_read(item, model)]
    if not written:
        raise EvaluationError(
            f"words: {model.name} can read none of the {len(items):,} items: its tokenizer lacks their words, or its "
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
    """Whether the tokenizer has tokens for the words, and the model room for the sentences."""
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
    """1 where the right option alone is the highest, the equal part of it where others are as high, otherwise 0."""
    highest = scores >= scores.max() - 1e-9
    return float(highest[right] / highest.sum())


def _tokens_band(item: Item, model: Teacher) -> str:
    # As it is written at the end of a sentence: a word alone may begin with a token of its own
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
            f"words: no type of item has more than {max(too_few.values())} heads, and a figure needs {LEAST_HEADS}; "
            "build the store from more sources, or raise --heads"
        )
    counts = {kind: len({score.group for score in scores if score.task == kind}) for kind in ITEM_TYPES}
    details = {"heads": counts, "least_heads": LEAST_HEADS, "too_few_heads": too_few, "unwritable_items": unwritable}
    return TaskScores(measures, details, list(scores))
