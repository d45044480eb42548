"""Rows as training sees them, without the teacher's weights: their tokens, what is predicted, and which words count."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

from lexkit.progress import Progress
from lexkit_distill.checks import check_training
from lexkit_distill.training.config import TrainConfig, split_weight

if TYPE_CHECKING:
    from lexkit_distill.supervision.nearest import Availability
    from lexkit_distill.supervision.relations import Relations
    from lexkit_distill.training.batches import DataCounts
    from lexkit_distill.training.encode import Row


@dataclass(frozen=True)
class PreviewRow:
    """A row of tokens; every list has an entry per token."""

    token_ids: list[int]
    tokens: list[str]
    """The part of the text that each token stands for: these join to the text. A character that several tokens make
    belongs to the first of them. The tokenizer's own tokens at the beginning and the end have their names."""
    predicted: list[bool]
    words: list[str | None]
    """The word that a token stands for, where that has synonyms or antonyms with senses."""


@dataclass(frozen=True)
class Preview:
    """The first rows of a training, and counts of all of them."""

    rows: list[PreviewRow]
    counts: DataCounts
    dropped: dict[str, int]
    """What is left out of the data, by reason."""
    unused_relations: dict[str, int]
    """Relations of the store that are not used, by reason."""


def preview(config: TrainConfig, *, limit: int | None = None, progress: Progress | None = None) -> Preview:
    """Return rows exactly as a training with this configuration sees them.

    Args:
        config: of the training; with a dictionary (``senses``) words and candidates are counted, too.
        limit: rows to return; None returns all. Counts are always of all rows.
        progress: shows each stage.

    Raises:
        TrainingError: targets that only the teacher's weights can give.
        LexkitError: as `lexkit_distill.training.run.train`, for data, tokenizer, dictionary and store.
    """
    check_training(config, preview=True)
    from lexkit_distill.tokenization import load_encoder
    from lexkit_distill.training.batches import Batches, count
    from lexkit_distill.training.inputs import load_rows, open_dictionary, open_supervision, read_rows

    progress = progress or Progress()
    progress.stage("loading the tokenizer")
    encoder = load_encoder(config.teacher)
    if config.senses is not None:
        progress.stage("reading the dictionary and the store")
    dictionary = open_dictionary(config, encoder, None) if config.senses is not None else None
    relations = dictionary.relations if dictionary is not None else None
    available = None
    if dictionary is not None:
        available = open_supervision(config, dictionary, encoder).available()
    progress.stage("tokenizing the data")
    encoded = load_rows(config, config.data.data, encoder, relations, progress)
    batches = Batches(
        encoded.data,
        config.optimiser.batch_size,
        sample_rate=config.loss.sample_rate,
        seed=config.optimiser.seed,
        available=available,
    )
    progress.stage("counting positions")
    files = [split_weight(name)[0] for name in config.data.data]
    rows = islice(read_rows(config, files, encoder, relations, Counter()), limit)
    shown = [_shown(row, relations, encoder.vocabulary_size, available) for row in rows]
    return Preview(
        shown,
        count(batches, available),
        {reason: n for reason, n in encoded.dropped.items() if n},
        dictionary.unused_relations if dictionary is not None else {},
    )


def _shown(row: Row, relations: Relations | None, vocabulary: int, available: Availability | None) -> PreviewRow:
    words: list[str | None] = [None] * len(row.token_ids)
    texts = row.texts
    for place, number in enumerate(row.words.tolist()):
        if number < 0 or available is None or relations is None:
            continue
        if available.synonyms[number] or available.antonyms[number]:
            is_token = number < vocabulary
            words[place] = texts[place].strip() if is_token else relations.words["word"][number - vocabulary].as_py()
    return PreviewRow(row.token_ids.tolist(), texts, row.is_target.tolist(), words)
