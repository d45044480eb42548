"""Measure how much of a model its sense dictionary preserves.

The last hidden state at each position is replaced by a sense of a token, from which the model's output layer computes
logits. The token is the one that the model predicts there (``predicted``) and, as an upper bound, the true next one
(``next``). For a dictionary with the anchor ``input`` it is the token read at the position, since the senses of this
dictionary are made from states at their own token. If a token has no senses, the hidden state is kept. Every metric is
reported for the replaced positions alone and, with the suffix ``_all``, for all positions.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from lexkit.arguments import user_path
from lexkit.probe.frames import ITEM_TYPES
from lexkit.probe.item import Item
from lexkit.progress import Progress
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.data import label_of
from lexkit_distill.evaluation.perplexity import TOKENS_AT_ONCE, Window, cut_of, drawn, head_of, windows
from lexkit_distill.evaluation.replacement import REPLACEMENTS, Int64, Replacement, SenseReplacer
from lexkit_distill.evaluation.results import TaskScores
from lexkit_distill.evaluation.statistics import Kind, Measure
from lexkit_distill.evaluation.words import score_words
from lexkit_distill.processes import Processes
from lexkit_distill.senses.build import LAYER
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.teacher import Teacher

_OF_WORDS: tuple[Replacement, ...] = ("nearest", "other")
"""The replacements that are tried on the task words."""


@dataclass(frozen=True)
class SenseScore:
    """Sums over the predicted tokens of a window."""

    task: str
    id: int
    tokens: int
    nats: float
    """Cross-entropy of the unchanged model."""
    sums: dict[str, dict[str, float]]
    """Sums over the replaced positions alone, by dictionary and token (``senses_predicted``).

    ``tokens`` is the number of these positions, and ``nats`` the cross-entropy of the unchanged model. Each replacement
    has its own ``nats``, ``kl`` (KL(model || replaced), in nats) and ``agreed`` (the same next token is most likely).
    """


@dataclass(frozen=True)
class OpenDictionary:
    """A sense dictionary of the model, opened for an evaluation."""

    label: str
    anchor: str
    replacer: SenseReplacer
    details: dict[str, Any]

    @property
    def anchors(self) -> tuple[str, ...]:
        """The tokens whose senses replace a state."""
        return ("input",) if self.anchor == "input" else ("predicted", "next")


def open_dictionaries(folders: Sequence[str], model: Teacher, seed: int) -> list[OpenDictionary]:
    """Open the dictionaries of a model.

    Raises:
        DictionaryError: a dictionary is missing, damaged, or made for another model or tokenizer.
        EvaluationError: a dictionary has senses for fewer than two tokens, or states of another layer.
    """
    found = []
    for folder in folders:
        dictionary = SenseDictionary.of(user_path(folder), model, model.encoder)
        meta = dictionary.meta
        if meta.layer != LAYER:
            raise EvaluationError(
                f"senses: {folder} contains states of another layer ({meta.layer}), which the model's output layer "
                "cannot use; make a dictionary of the last layer with 'lexkit distill senses'"
            )
        replacer = SenseReplacer(dictionary, seed)
        details = {
            "path": folder,
            "k": meta.k,
            "anchor": meta.anchor,
            "layer": meta.layer,
            "tokens": len(replacer.tokens),
            "senses": int(replacer.counts.sum()),
        }
        found.append(OpenDictionary(label_of(folder), meta.anchor, replacer, details))
    return found


def score_senses(
    text: str,
    model: Teacher,
    folders: Sequence[str],
    *,
    max_length: int,
    limit: int | None,
    seed: int,
    processes: Processes,
    progress: Progress,
) -> TaskScores | None:
    """Return how well a model predicts a text if its hidden states are replaced by senses.

    Each process predicts its share of the windows, which are the same as for perplexity.

    Args:
        text: text that was used neither to train the model nor to make the dictionaries.
        model: the model that the dictionaries belong to.
        folders: folders of the dictionaries.
        max_length: length of a window in tokens.
        limit: number of windows to draw; None takes all.
        seed: seed for drawing windows and senses.
        processes: the processes that share the windows.
        progress: receives the number of windows done.

    Returns:
        The measures; None in processes other than the first.

    Raises:
        DictionaryError: a dictionary is missing, damaged, or made for another model or tokenizer.
        EvaluationError: the text is too short, or a dictionary has no senses for any of its tokens.
    """
    dictionaries = open_dictionaries(folders, model, seed)
    every = drawn(windows(text, model, max_length, "senses"), limit, seed)
    mine, share = every[processes.rank :: processes.world_size], []
    for done, window in enumerate(mine, 1):
        share.append(score_window(window, model, dictionaries))
        progress.count(done, len(mine), "windows")
    gathered = processes.gathered(share)
    if gathered is None:
        return None
    scores = sorted(gathered, key=lambda score: score.id)
    details = {one.label: one.details for one in dictionaries}
    counted = {"tokens": sum(score.tokens for score in scores), "dictionaries": details}
    return TaskScores(_measures(scores, dictionaries, cut_of(every)), counted, scores)


def score_words_with_senses(
    items: Sequence[Item],
    model: Teacher,
    folders: Sequence[str],
    *,
    batch_size: int,
    seed: int,
    processes: Processes,
    progress: Progress,
) -> list[Measure]:
    """Return a model's accuracies on items if its hidden states are replaced by senses.

    Two replacements are tried: the nearest sense of the token that the model predicts, and that of another token.

    Args:
        items: items of `lexkit.probe`.
        model: the model that the dictionaries belong to.
        folders: folders of the dictionaries.
        batch_size: number of prompts in a batch.
        seed: seed for drawing the other tokens.
        processes: the processes that share the items.
        progress: receives the number of sentences done.

    Returns:
        The measures; an empty list in processes other than the first.

    Raises:
        DictionaryError: a dictionary is missing, damaged, or made for another model or tokenizer.
        EvaluationError: a dictionary has no senses of predicted tokens.
    """
    measures: list[Measure] = []
    for one in open_dictionaries(folders, model, seed):
        if one.anchor == "input":
            raise EvaluationError(
                f"words: {one.details['path']} has senses of the tokens that are read (--anchor input); name a "
                "dictionary with --anchor predicted or next"
            )
        for how in _OF_WORDS:
            scores = score_words(
                items,
                model,
                batch_size=batch_size,
                processes=processes,
                progress=progress,
                replace=partial(_with_senses, model=model, replacer=one.replacer, how=how),
            )
            if scores is not None:
                names: dict[str, str] = {name: f"{name}_{one.label}_{how}" for name in ITEM_TYPES}
                found = [measure for measure in scores.measures if measure.name in names]
                measures += [dataclasses.replace(measure, name=names[measure.name]) for measure in found]
    return measures


def _with_senses(hidden: Tensor, model: Teacher, replacer: SenseReplacer, how: Replacement) -> Tensor:
    """Return hidden states (n, d), replacing those whose predicted token has senses."""
    tokens = model.predicted(hidden)
    places = replacer.covers(tokens).nonzero().flatten()
    numbers = np.arange(len(places))
    senses, which = replacer.replaced(how, hidden[places], tokens[places], numbers)
    return hidden.index_copy(0, places, senses[which])


@torch.inference_mode()
def score_window(window: Window, model: Teacher, dictionaries: Sequence[OpenDictionary]) -> SenseScore:
    """Return the sums over a window."""
    ids = torch.tensor(model.encoder.begun(window.token_ids), device=model.device)
    n = len(window.token_ids) - 1
    hidden, read, targets = model.last_hidden(ids[None])[0, -n - 1 : -1], ids[-n - 1 : -1], ids[-n:]
    positions = window.start + np.arange(n)
    nats, sums = 0.0, {f"{one.label}_{anchor}": Counter[str]() for one in dictionaries for anchor in one.anchors}
    for begin in range(0, n, TOKENS_AT_ONCE):
        part = slice(begin, begin + TOKENS_AT_ONCE)
        logs = head_of(model)(hidden[part]).float().log_softmax(-1)
        nats -= _sum(logs.gather(1, targets[part, None]))
        tokens = {"predicted": logs.argmax(1), "next": targets[part], "input": read[part]}
        for one in dictionaries:
            for anchor in one.anchors:
                at = _Positions(hidden[part], tokens[anchor], targets[part], logs, positions[part])
                sums[f"{one.label}_{anchor}"].update(dict(_replaced(at, model, one.replacer)))
    return SenseScore("senses", window.number, n, nats, {name: dict(found) for name, found in sums.items()})


@dataclass(frozen=True)
class _Positions:
    """Hidden states, tokens and predictions at n positions."""

    hidden: Tensor
    """Hidden states (n, d)."""
    tokens: Tensor
    """Tokens (n,) whose senses replace the states."""
    targets: Tensor
    """True next tokens (n,)."""
    logs: Tensor
    """Log-probabilities (n, V) of the unchanged model."""
    positions: Int64
    """Positions (n,) of the states in the text."""


def _replaced(at: _Positions, model: Teacher, replacer: SenseReplacer) -> Iterator[tuple[str, float]]:
    """Yield the sums over the positions whose tokens have senses."""
    covered = replacer.covers(at.tokens)
    places = covered.nonzero().flatten()
    yield "tokens", float(len(places))
    if not len(places):
        return
    hidden, tokens, targets, logs = at.hidden[places], at.tokens[places], at.targets[places, None], at.logs[places]
    positions, probabilities, best = at.positions[places.cpu().numpy()], logs.exp(), logs.argmax(1)
    yield "nats", -_sum(logs.gather(1, targets))
    for how in REPLACEMENTS:
        senses, which = replacer.replaced(how, hidden, tokens, positions)
        found = head_of(model)(senses).float().log_softmax(-1)[which]
        yield f"{how}_nats", -_sum(found.gather(1, targets))
        yield f"{how}_kl", _sum((probabilities * (logs - found)).sum(1))
        yield f"{how}_agreed", _sum(found.argmax(1) == best)


def _sum(values: Tensor) -> float:
    return float(values.double().sum())


def _measures(scores: list[SenseScore], dictionaries: Sequence[OpenDictionary], cut: str) -> list[Measure]:
    def of(name: str, key: str) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.array([score.sums[name].get(key, 0.0) for score in scores])

    def add(name: str, above: np.ndarray[Any, Any], below: np.ndarray[Any, Any], *, share: bool = False) -> None:
        kind: Kind = "share" if share else "ratio"
        measures.append(Measure(name, np.stack([above, below], 1), kind, higher_is_better=share, rows=cut))

    measures: list[Measure] = []
    tokens, nats = (np.array([float(getattr(score, name)) for score in scores]) for name in ("tokens", "nats"))
    add("cross_entropy", nats, tokens)
    for one in dictionaries:
        for anchor in one.anchors:
            name = f"{one.label}_{anchor}"
            covered, own = of(name, "tokens"), of(name, "nats")
            if not covered.sum():
                raise EvaluationError(
                    f"senses: {one.details['path']} has no senses for any token of the text ({anchor}); make a "
                    "dictionary from more text, or raise --limit"
                )
            add(f"{name}_coverage", covered, tokens, share=True)
            add(f"{name}_model_cross_entropy", own, covered)
            for how in REPLACEMENTS:
                sums = {key: of(name, f"{how}_{key}") for key in ("nats", "kl", "agreed")}
                begin = f"{name}_{how}"
                add(f"{begin}_cross_entropy", sums["nats"], covered)
                add(f"{begin}_kl", sums["kl"], covered)
                add(f"{begin}_agreement", sums["agreed"], covered, share=True)
                add(f"{begin}_cross_entropy_all", nats - own + sums["nats"], tokens)
                add(f"{begin}_kl_all", sums["kl"], tokens)
                add(f"{begin}_agreement_all", tokens - covered + sums["agreed"], tokens, share=True)
    return measures
