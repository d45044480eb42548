"""Show rows as they are used in training, with predicted tokens and words, without loading the teacher's weights."""

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
    """A row of tokens; every list has one entry per token."""

    token_ids: list[int]
    tokens: list[str]
    """Part of the text that each token covers; joined, the parts make up the text. A character that several tokens
    encode belongs to the first of them. Tokens added at the beginning or end (BOS, EOS) are shown by name."""
    predicted: list[bool]
    words: list[str | None]
    """Word at each token, if it has synonyms or antonyms with senses; otherwise None."""


@dataclass(frozen=True)
class Preview:
    """The first rows of a training run, and counts of all rows."""

    rows: list[PreviewRow]
    counts: DataCounts
    dropped: dict[str, int]
    """Number of documents or rows left out of the data, by reason."""
    unused_relations: dict[str, int]
    """Number of the store's relations that are not used, by reason."""


def preview(config: TrainConfig, *, limit: int | None = None, progress: Progress | None = None) -> Preview:
    """Return rows exactly as a training run with this configuration uses them.

    Args:
        config: configuration of the run; if it has a dictionary (``senses``), words and candidates are counted as well.
        limit: number of rows to return; None returns all. The counts always cover all rows.
        progress: shows each stage.

    Raises:
        TrainingError: the configuration trains on the teacher's answers, which need the teacher's weights.
        LexkitError: data, tokenizer, dictionary or store are missing or damaged, or do not belong together.
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
