"""What a training is made of: teacher, dictionary, rows of tokens, candidates.

Each is a function of parts of the configuration, whose digest is its key: trainings in one process share what has the
same key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lexkit.progress import Progress
from lexkit_distill.checks import check_length, senses_folder
from lexkit_distill.config import digest
from lexkit_distill.memo import Memo
from lexkit_distill.senses import dictionary as senses_files
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.supervision.nearest import Supervision
from lexkit_distill.supervision.relations import Relations, read_relations
from lexkit_distill.supervision.scale import scale_of
from lexkit_distill.teacher import Teacher, load_teacher
from lexkit_distill.tokenization import TextEncoder
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.data import training_documents
from lexkit_distill.training.encode import Row, RowEncoder, TokenData, WordFinder, gathered


@dataclass(frozen=True)
class TrainingInputs:
    """Everything that a training reads."""

    teacher: Teacher
    dictionary: SenseDictionary | None
    data: TokenData
    dropped: dict[str, int]
    """What was left out of the data, by reason."""
    held_out: TokenData | None
    supervision: Supervision | None

    @property
    def fingerprints(self) -> dict[str, str | None]:
        """What identifies the content of teacher, data and dictionary."""
        return {
            "teacher_fingerprint": self.teacher.fingerprint,
            "data_fingerprint": self.data.fingerprint,
            "senses_fingerprint": self.dictionary.fingerprint if self.dictionary is not None else None,
        }


def load_training_teacher(config: TrainConfig, process: int, memo: Memo) -> Teacher:
    """Load the teacher of a configuration, or take it from *memo*.

    Args:
        config: of the training.
        process: number of this process on its machine, which decides which GPU it takes.
        memo: of earlier trainings in this process.

    Raises:
        TeacherError: it cannot be loaded.
    """
    options: Any = {
        "dtype": config.optimiser.dtype,
        "quantize": config.optimiser.quantize,
        "device": config.run.device,
        "device_map": config.run.device_map,
        "process": process,
    }
    return memo.get(
        "teacher",
        digest(config.teacher, options),
        lambda: load_teacher(config.teacher, **options),
    )


def load_inputs(config: TrainConfig, teacher: Teacher, memo: Memo, progress: Progress) -> TrainingInputs:
    """Load what a training reads beside the teacher, or take from *memo* what is there.

    Raises:
        LexkitError: dictionary, store or data are missing, damaged or do not belong together.
    """
    dictionary = None
    if config.loss.samples_positions:
        key = digest(config.senses, config.store, teacher.fingerprint)
        dictionary = memo.get("dictionary", key, lambda: open_dictionary(config, teacher.encoder, teacher))
    progress.stage("tokenizing the data")
    data, dropped = _data(config, config.data.data, teacher, dictionary, memo)
    held_out = _data(config, config.data.eval_data, teacher, None, memo)[0] if config.data.eval_data else None
    supervision = None
    if dictionary is not None:
        key = digest(*candidates_key(config, dictionary), str(teacher.device), config.run.senses_on)
        supervision = memo.get("supervision", key, lambda: open_supervision(config, dictionary, teacher.encoder))
    return TrainingInputs(teacher, dictionary, data, dropped, held_out, supervision)


def _data(
    config: TrainConfig, names: Sequence[str], teacher: Teacher, dictionary: SenseDictionary | None, memo: Memo
) -> tuple[TokenData, dict[str, int]]:
    """Rows of tokens, and what was left out of them by reason."""
    relations = dictionary.relations if dictionary is not None else None

    def make() -> tuple[TokenData, dict[str, int]]:
        dropped: Counter[str] = Counter()
        rows = read_rows(config, names, teacher.encoder, relations, dropped, teacher)
        return gathered(rows), dict(dropped)

    key = digest(
        list(names),
        config.data,
        config.loss.candidates,
        config.ablations,
        config.optimiser.seed,
        teacher.fingerprint,
        teacher.encoder.fingerprint,
        relations.fingerprint if relations is not None else None,
    )
    return memo.get("data" if names == config.data.data else "held-out data", key, make)


def read_rows(
    config: TrainConfig,
    names: Sequence[str],
    encoder: TextEncoder,
    relations: Relations | None,
    dropped: Counter[str],
    teacher: Teacher | None = None,
) -> Iterator[Row]:
    """Yield the rows of files as training sees them.

    Args:
        config: of the training.
        names: of the files.
        encoder: the teacher's.
        relations: of the store, by which words are found; None finds none.
        dropped: counts what is left out, by reason.
        teacher: answers in place of the data where the configuration wants that.

    Raises:
        TrainingError: rows that are longer than the teacher can read.
        CorpusError, DataError: the data are missing or of another shape.
    """
    if encoder.context is not None:
        check_length(config.data.max_length, encoder.context, encoder.name)
    documents = training_documents(names, config.data, seed=config.optimiser.seed, dropped=dropped)
    if teacher is not None:
        documents = config.ablations.documents(documents, teacher)
    finder = WordFinder(
        relations,
        encoder.vocabulary_size,
        multi_token_words=config.loss.candidates.multi_token_words,
        is_head=config.ablations.is_head,
    )
    return RowEncoder(
        encoder,
        finder,
        max_length=config.data.max_length,
        loss_on=config.data.loss_on,
        too_long=config.data.too_long,
        end_token=not config.data.no_end_token,
        dropped=dropped,
    ).rows(documents)


def open_dictionary(config: TrainConfig, encoder: TextEncoder, teacher: Teacher | None) -> SenseDictionary:
    """Open the dictionary of a configuration with the relations of its store.

    Args:
        config: of the training.
        encoder: the teacher's, whose tokenizer the dictionary has to fit.
        teacher: that the dictionary has to come from; None does not check.

    Raises:
        TrainingError: the configuration names none.
        DictionaryError, StoreError: they are missing, damaged, or do not belong together.
    """
    path = senses_folder(config)
    meta = senses_files.read_meta(path)
    relations = read_relations(
        Path(config.store).expanduser(), meta.tokenizer_fingerprint, path / senses_files.TOKENIZER
    )
    fingerprint = teacher.fingerprint if teacher is not None else None
    if teacher is not None and teacher.is_of(meta.teacher_fingerprint, meta.teacher_values):
        fingerprint = meta.teacher_fingerprint
    return SenseDictionary(path, teacher=fingerprint, tokenizer=encoder.fingerprint, relations=relations)


def candidates_key(config: TrainConfig, dictionary: SenseDictionary) -> tuple[object, ...]:
    """Return all that decides which candidates a token, or a word, has."""
    return dictionary.fingerprint, config.loss.candidates, config.ablations


def open_supervision(config: TrainConfig, dictionary: SenseDictionary, encoder: TextEncoder) -> Supervision:
    """Return the candidates of a dictionary for all tokens and words."""
    candidates = config.loss.candidates
    return Supervision(
        dictionary,
        encoder.vocabulary_size,
        kappa=candidates.kappa,
        max_neighbors=candidates.max_neighbors,
        scale=scale_of(candidates.sense_scale, dictionary.rows),
        multi_token_words=candidates.multi_token_words,
        deviation=config.ablations.candidates,
    )
