"""Measure how well a model predicts held-out text, and how far its predictions are from those of a teacher.

The text is one sequence of tokens, cut into windows that overlap by one token. So every token except the first is
predicted once, from the tokens before it in its window (and the beginning-of-text token, if the tokenizer adds one).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from random import Random

import numpy as np
import torch
from torch import Tensor

from lexkit.progress import Progress
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.results import TaskScores
from lexkit_distill.evaluation.statistics import Kind, Measure
from lexkit_distill.processes import Processes
from lexkit_distill.teacher import Teacher

TOKENS_AT_ONCE = 256
"""Number of tokens whose logits are in memory at the same time."""


@dataclass(frozen=True)
class Window:
    """Token ids of a piece of text. The first token serves only as context."""

    number: int
    start: int
    """Position of the first token in the text."""
    token_ids: list[int]
    bytes: int
    """Length of the predicted text in UTF-8."""


@dataclass(frozen=True)
class WindowScore:
    """Sums over the predicted tokens of a window."""

    task: str
    id: int
    tokens: int
    bytes: int
    nats: float
    """Cross-entropy: minus the natural logarithm of the probability of the text."""
    kl: float | None
    """KL(teacher || model), in nats."""
    agreed: int | None
    """Number of positions where the model and the teacher give the highest probability to the same token."""


def windows(text: str, model: Teacher, max_length: int, task: str = "perplexity") -> list[Window]:
    """Cut a text into windows of at most *max_length* tokens, or fewer if the model's context is shorter.

    Raises:
        EvaluationError: the text has fewer than two tokens.
    """
    (encoding,) = model.encoder.encode([text])
    ids, ends = encoding.ids, [end for _, end in encoding.offsets]
    if len(ids) < 2:
        raise EvaluationError(f"{task}: the text has fewer than two tokens; give a longer one with --text")
    model.encoder.check(ids, "the held-out text")
    most = min(max_length, model.encoder.context or max_length)
    found = []
    for number, piece in enumerate(model.encoder.pieces(len(ids), most, overlap=1)):
        covered = text[ends[piece.start] : ends[piece.stop - 1]]
        found.append(Window(number, piece.start, ids[piece], len(covered.encode())))
    return found


def drawn(every: list[Window], limit: int | None, seed: int) -> list[Window]:
    """Draw *limit* of the windows with the seed, in the order of the text; return all if there are no more."""
    if limit is None or limit >= len(every):
        return every
    return sorted(Random(f"{seed} perplexity").sample(every, limit), key=lambda window: window.number)


def cut_of(every: list[Window]) -> str:
    """Return a hash of the windows' tokens. Only figures with the same hash may be compared."""
    return sha256(repr([window.token_ids for window in every]).encode()).hexdigest()


def score_text(
    text: str,
    model: Teacher,
    teacher: Teacher | None,
    *,
    max_length: int,
    limit: int | None,
    seed: int,
    processes: Processes,
    progress: Progress,
) -> TaskScores | None:
    """Return the measures of a model on a text; each process predicts its share of the windows.

    Returns:
        The measures; None in processes other than the first.

    Raises:
        EvaluationError: the text is too short, or the teacher has another tokenizer.
    """
    if teacher is not None and teacher.encoder.fingerprint != model.encoder.fingerprint:
        raise EvaluationError(
            f"--teacher {teacher.name}: its tokenizer differs from that of {model.name}, and the divergence needs the "
            f"same tokens; name the teacher that {model.name} was distilled from"
        )
    every = drawn(windows(text, model, max_length), limit, seed)
    share = []
    mine = every[processes.rank :: processes.world_size]
    for done, window in enumerate(mine, 1):
        share.append(score_window(window, model, teacher))
        progress.count(done, len(mine), "windows")
    gathered = processes.gathered(share)
    if gathered is None:
        return None
    scores = sorted(gathered, key=lambda score: score.id)
    assert [score.id for score in scores] == [window.number for window in every], "each window is predicted once"
    return TaskScores(_measures(scores, cut_of(every)), {"tokens": sum(score.tokens for score in scores)}, scores)


def _measures(scores: list[WindowScore], cut: str) -> list[Measure]:
    """Return the measures. *cut* identifies the tokens, because only figures of the same tokens can be compared."""

    def add(name: str, above: list[float], below: list[int], kind: Kind = "ratio", *, higher: bool = False) -> None:
        found.append(Measure(name, np.array([above, below], dtype=np.float64).T, kind, higher, rows=cut))

    found: list[Measure] = []
    nats, tokens = [score.nats for score in scores], [score.tokens for score in scores]
    add("cross_entropy", nats, tokens)
    add("perplexity", nats, tokens, "perplexity")
    add("bits_per_byte", [value / math.log(2) for value in nats], [score.bytes for score in scores])
    if scores[0].kl is not None:
        add("kl", [score.kl or 0.0 for score in scores], tokens)
        add("agreement", [float(score.agreed or 0) for score in scores], tokens, "share", higher=True)
    return found


@torch.inference_mode()
def score_window(window: Window, model: Teacher, teacher: Teacher | None) -> WindowScore:
    """Return the sums over a window."""
    ids = torch.tensor(model.encoder.begun(window.token_ids), device=model.device)[None]
    targets = ids[0, len(ids[0]) - len(window.token_ids) + 1 :]
    nats, kl, agreed = 0.0, 0.0, 0
    theirs: Iterable[Tensor | None] = itertools.repeat(None)
    if teacher is not None:
        theirs = _log_probabilities(teacher, ids.to(teacher.device), len(targets))
    begin = 0
    for own, other in zip(_log_probabilities(model, ids, len(targets)), theirs, strict=False):
        part = targets[begin : begin + len(own)]
        begin += len(own)
        nats -= float(own.gather(1, part[:, None]).double().sum())
        if other is not None:
            if own.shape != other.shape:  # output layers may be padded to different sizes
                size = min(own.shape[1], other.shape[1])
                own, other = own[:, :size].log_softmax(-1), other[:, :size].log_softmax(-1)
            kl += float((other.exp() * (other - own)).double().sum())
            agreed += int((own.argmax(1) == other.argmax(1)).sum())
    with_teacher = teacher is not None
    return WindowScore(
        "perplexity",
        window.number,
        len(targets),
        window.bytes,
        nats,
        kl if with_teacher else None,
        agreed if with_teacher else None,
    )


def _log_probabilities(model: Teacher, ids: Tensor, last: int) -> Iterator[Tensor]:
    """Yield log-probabilities (n, V) of the *last* tokens of a text in fp32, for some positions at a time."""
    hidden = model.last_hidden(ids)[0, -last - 1 : -1]
    for part in torch.split(hidden, TOKENS_AT_ONCE):
        yield head_of(model)(part).float().log_softmax(-1)


def head_of(model: Teacher) -> Callable[[Tensor], Tensor]:
    """Return the function that maps hidden states to logits, with the scaling that some model families apply."""
    head, config = model.model.get_output_embeddings(), model.model.config
    cap = getattr(config, "final_logit_softcapping", None)  # Gemma 2
    divisor = getattr(config, "logits_scaling", None) or 1.0  # Granite
    factor = getattr(config, "logit_scale", None) or 1.0  # Cohere

    def logits(hidden: Tensor) -> Tensor:
        found: Tensor = head(hidden) * (factor / divisor)
        return cap * torch.tanh(found / cap) if cap else found

    return logits
