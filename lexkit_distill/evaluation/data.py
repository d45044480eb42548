"""Everything that an evaluation reads beside the models."""

from __future__ import annotations

from dataclasses import dataclass

import lexkit
from lexkit.probe.items import Item, make_items
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.config import EvalConfig
from lexkit_distill.evaluation.files import read_text
from lexkit_distill.evaluation.prepare import PreparedTask, prepare
from lexkit_distill.evaluation.word_pairs import LexicalData, read_lexical
from lexkit_distill.tasks import TASKS


@dataclass(frozen=True)
class EvalData:
    """Questions, held-out text, pairs of words and items of words, as far as the tasks of an evaluation need them."""

    questions: dict[str, PreparedTask]
    """The questions of each benchmark, by its name."""
    text: str | None
    """The text that perplexity is measured on."""
    pairs: LexicalData | None
    """The pairs of the lexical lists."""
    items: list[Item] | None
    """The items of words."""


def read_data(config: EvalConfig) -> EvalData:
    """Read the data of all tasks.

    Raises:
        CorpusError, DataError, EvaluationError, QueryError, StoreError: they are missing or wrong.
    """
    names = config.task_names
    return EvalData(
        questions={
            name: prepare(
                TASKS[name], config.data, shots=TASKS[name].shots_of(config.shots), limit=config.limit, seed=config.seed
            )
            for name in names
            if name in TASKS
        },
        text=read_text(config.data, config.text) if "perplexity" in names else None,
        pairs=read_lexical(config.data) if "lexical" in names else None,
        items=_items(config) if "words" in names else None,
    )


def _items(config: EvalConfig) -> list[Item]:
    if config.store is None:
        raise EvaluationError("words: no store to make items from; name one with --store")
    has_text = config.text is not None or config.data is not None
    text = read_text(config.data, config.text) if has_text else None
    with lexkit.open(config.store) as lexicon:
        return make_items(lexicon, config.heads, config.seed, text)
