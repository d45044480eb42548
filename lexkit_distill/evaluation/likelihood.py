"""Log-likelihoods of sentences that share their beginning and end differently."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexkit.progress import Progress
from lexkit_distill.evaluation.perplexity import head_of
from lexkit_distill.teacher import HEAD_TOKENS, Teacher

Floats = npt.NDArray[np.float64]


@torch.inference_mode()
def log_likelihoods(
    groups: Sequence[Sequence[str]],
    model: Teacher,
    batch_tokens: int,
    progress: Progress,
    replace: Callable[[Tensor], Tensor] | None = None,
) -> list[Floats]:
    """Return for each group of sentences (n,) their log-likelihoods in nats, without that of their common beginning.

    Sentences are tokenized whole, and log-likelihoods are summed from the first token at which two sentences of the
    group differ, so it does not matter how the differing words are tokenized together with the text around them. The
    model reads a beginning only once, even if sentences of several groups share it.

    Args:
        groups: the sentences of each group.
        model: the model that predicts the tokens.
        batch_tokens: number of tokens in a batch, padding included.
        progress: receives the number of sentences done.
        replace: a function that maps the last hidden states (n, d) to those that the head reads; None changes nothing.

    Raises:
        TeacherError: a sentence has tokens that the model lacks.
    """
    texts = sorted({text for group in groups for text in group})
    ids = dict(zip(texts, _token_ids(texts, model), strict=True))
    starts = [_common(*(ids[text] for text in group)) for group in groups]
    asked: dict[tuple[int, ...], int] = {}
    """Position of the first token to predict in each sentence."""
    for group, start in zip(groups, starts, strict=True):
        for text in group:
            asked[ids[text]] = min(start, asked.get(ids[text], start))
    logs: dict[tuple[int, ...], Floats] = {}
    rows = sorted(_rows(asked).items(), key=lambda row: (-len(row[0]), row[0]))
    for part in _batches(rows, batch_tokens):
        for sentence, found in _predict(part, asked, model, replace).items():
            logs[sentence] = found
        progress.count(len(logs), len(asked), "sentences")
    return [
        np.array([logs[ids[text]][start - asked[ids[text]] :].sum() for text in group])
        for group, start in zip(groups, starts, strict=True)
    ]


def _token_ids(texts: list[str], model: Teacher) -> list[tuple[int, ...]]:
    found = []
    for text, one in zip(texts, model.encoder.encode(texts), strict=True):
        model.encoder.check(one.ids, text)
        found.append(tuple(model.encoder.begun(one.ids)))
    return found


def _common(*sentences: tuple[int, ...]) -> int:
    """Return how many tokens the sentences have in common at their beginning, leaving at least one to predict."""
    first, last = min(sentences), max(sentences)
    same = next((place for place, (a, b) in enumerate(zip(first, last, strict=False)) if a != b), len(first))
    return max(min(same, *(len(sentence) - 1 for sentence in sentences)), 1)


def _rows(asked: dict[tuple[int, ...], int]) -> dict[tuple[int, ...], list[tuple[int, ...]]]:
    """Return the rows to read, each with the sentences it predicts. A row is never the beginning of another row."""
    rows: dict[tuple[int, ...], list[tuple[int, ...]]] = {}
    longest: tuple[int, ...] = ()
    for sentence in sorted(asked, key=lambda one: one[:-1], reverse=True):
        context = sentence[:-1]
        if longest[: len(context)] != context:
            longest = context
        rows.setdefault(longest, []).append(sentence)
    return rows


def _batches(
    rows: list[tuple[tuple[int, ...], list[tuple[int, ...]]]], batch_tokens: int
) -> list[list[tuple[tuple[int, ...], list[tuple[int, ...]]]]]:
    batches: list[list[tuple[tuple[int, ...], list[tuple[int, ...]]]]] = []
    for row in rows:  # the longest first
        if not batches or (len(batches[-1]) + 1) * len(batches[-1][0][0]) > batch_tokens:
            batches.append([])
        batches[-1].append(row)
    return batches


def _predict(
    rows: list[tuple[tuple[int, ...], list[tuple[int, ...]]]],
    asked: dict[tuple[int, ...], int],
    model: Teacher,
    replace: Callable[[Tensor], Tensor] | None,
) -> dict[tuple[int, ...], Floats]:
    """Return the log-probabilities of each sentence's tokens, from the first one to predict."""
    ids = torch.zeros(len(rows), len(rows[0][0]), dtype=torch.long)
    places, targets = [], []
    for number, (context, sentences) in enumerate(rows):
        ids[number, : len(context)] = torch.tensor(context)
        for sentence in sentences:
            for place in range(asked[sentence], len(sentence)):
                places.append((number, place - 1))
                targets.append(sentence[place])
    hidden = model.last_hidden(ids.to(model.device))
    where = torch.tensor(places, device=hidden.device)
    states = hidden[where[:, 0], where[:, 1]]
    if replace is not None:
        states = replace(states)
    found = _log_probabilities(states, torch.tensor(targets, device=hidden.device), model)
    values = iter(np.split(found, np.cumsum([len(s) - asked[s] for _, sentences in rows for s in sentences])[:-1]))
    return {sentence: next(values) for _, sentences in rows for sentence in sentences}


def _log_probabilities(hidden: Tensor, targets: Tensor, model: Teacher) -> Floats:
    """Return the log-probabilities (n,) of the tokens (n,) that follow hidden states (n, d)."""
    head = head_of(model)
    parts = [
        head(states).float().log_softmax(-1).gather(1, tokens[:, None])[:, 0].double().cpu()
        for states, tokens in zip(torch.split(hidden, HEAD_TOKENS), torch.split(targets, HEAD_TOKENS), strict=True)
    ]
    result: Floats = torch.cat(parts).numpy()
    return result
