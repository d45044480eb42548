"""Everything that an evaluation reads, apart from the models."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import lexkit
from lexkit.arguments import user_path
from lexkit.probe.frames import ITEM_TYPES
from lexkit.probe.item import Item
from lexkit.probe.items import make_items
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.config import EvalConfig
from lexkit_distill.evaluation.files import read_text
from lexkit_distill.evaluation.prepare import PreparedTask, prepare
from lexkit_distill.evaluation.word_pairs import LexicalData, read_lexical
from lexkit_distill.senses.meta import read_meta
from lexkit_distill.tasks import TASKS

LEAST_HEADS = 30
"""Fewest heads for which the accuracy of a type of item, or of a band, is reported."""


@dataclass(frozen=True)
class EvalData:
    """Questions, held-out text, pairs of words and items, as far as the tasks of an evaluation need them."""

    questions: dict[str, PreparedTask]
    """The questions of each benchmark, by its name."""
    text: str | None
    """The text for the tasks perplexity and senses."""
    pairs: LexicalData | None
    """The pairs of words for the task lexical."""
    items: list[Item] | None
    """The items for the task words."""


def read_data(config: EvalConfig) -> EvalData:
    """Read the data of all tasks.

    Raises:
        CorpusError, DataError, DictionaryError, EvaluationError, QueryError, StoreError: data are missing or wrong.
    """
    names = config.task_names
    _check_limit(config)
    if "senses" in names or ("words" in names and config.senses is not None):
        _check_senses(config)
    return EvalData(
        questions={
            name: prepare(
                TASKS[name], config.data, shots=TASKS[name].shots_of(config.shots), limit=config.limit, seed=config.seed
            )
            for name in names
            if name in TASKS
        },
        text=_text(config),
        pairs=read_lexical(config.data) if "lexical" in names else None,
        items=_items(config) if "words" in names else None,
    )


def tasks_without_limit(config: EvalConfig) -> dict[str, str]:
    """Return advice for each task to which --limit does not apply; none if there is no limit."""
    advice = {"words": "use --heads instead", "lexical": "it always uses whole lists"}
    return {name: advice[name] for name in config.task_names if config.limit is not None and name in advice}


def _check_limit(config: EvalConfig) -> None:
    """Refuse a limit that all tasks would ignore."""
    ignoring = tasks_without_limit(config)
    if ignoring and len(ignoring) == len(config.task_names):
        named = ", ".join(f"{name} ({advice})" for name, advice in ignoring.items())
        raise EvaluationError(f"--limit {config.limit}: does not apply to {named}; leave out --limit")


def _check_senses(config: EvalConfig) -> None:
    """Refuse dictionaries that do not exist, before a model is loaded."""
    if not config.senses_folders:
        raise EvaluationError(
            "senses: no dictionary given; make one of this model with 'lexkit distill senses', and name it with "
            "--senses"
        )
    if config.against is not None:
        raise EvaluationError("senses: a dictionary belongs to one model only; leave out --against")
    labels: dict[str, str] = {}
    for folder in config.senses_folders:
        read_meta(user_path(folder))
        other = labels.setdefault(label_of(folder), folder)
        if other != folder:
            raise EvaluationError(
                f"--senses {other},{folder}: both folders are called {label_of(folder)}, but metrics are named after "
                "the folder; rename one"
            )


def _text(config: EvalConfig) -> str | None:
    task = next((name for name in config.task_names if name in ("perplexity", "senses")), None)
    return None if task is None else read_text(config.data, config.text, task)


def label_of(folder: str) -> str:
    """Return the name of a dictionary's folder as it is given, with which the names of its metrics begin."""
    return Path(os.path.abspath(user_path(folder))).name  # noqa: PTH100  # resolve() would take the name a link leads to


def _items(config: EvalConfig) -> list[Item]:
    if config.store is None:
        raise EvaluationError("words: no store given; name the store to make items from with --store")
    has_text = config.text is not None or config.data is not None
    text = read_text(config.data, config.text, "words") if has_text else None
    with lexkit.open(config.store) as lexicon:
        items = make_items(lexicon, config.heads, config.seed, text)
    heads = [len({item.group for item in items if item.type == kind}) for kind in ITEM_TYPES]
    if max(heads) < LEAST_HEADS:
        raise EvaluationError(
            f"words: {config.store} has items for {max(heads)} head words, and at least {LEAST_HEADS} are needed; "
            "build it from more sources"
        )
    return items
