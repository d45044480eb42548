"""What a training is made of: teacher, dictionary, rows of tokens, candidates.

Each is a function of parts of the configuration, whose digest is its key: trainings in one process share what has the
same key.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from importlib.metadata import version
from typing import Any

import msgspec

import lexkit
from lexkit.arguments import user_path
from lexkit.progress import Progress
from lexkit_distill.checks import check_length, senses_folder
from lexkit_distill.config import digest
from lexkit_distill.corpus import identity
from lexkit_distill.memo import Memo
from lexkit_distill.senses import dictionary as senses_files
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.supervision.nearest import Supervision
from lexkit_distill.supervision.relations import Relations, read_relations
from lexkit_distill.supervision.scale import scale_of
from lexkit_distill.tasks import split_task
from lexkit_distill.teacher import Teacher, load_teacher
from lexkit_distill.tokenization import TextEncoder
from lexkit_distill.training.config import TrainConfig, split_weight
from lexkit_distill.training.data import training_documents
from lexkit_distill.training.encode import Row, RowEncoder, WordFinder
from lexkit_distill.training.encoded import EncodedRows, TokenData, encoded_rows

_FORMAT = 1
"""Version of what is kept of encoded rows. If it differs, they are encoded again."""


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
        digest(config.teacher, options, config.run.compile),  # what is compiled stays so
        lambda: load_teacher(config.teacher, **options),
    )


def load_inputs(config: TrainConfig, teacher: Teacher, memo: Memo, progress: Progress) -> TrainingInputs:
    """Load what a training reads beside the teacher, or take from *memo* what is there.

    Raises:
        LexkitError: dictionary, store or data are missing, damaged or do not belong together.
    """
    dictionary = None
    if config.loss.samples_positions:
        progress.stage("reading the dictionary and the store")
        key = digest(config.senses, config.store, config.loss.candidates, teacher.fingerprint)
        dictionary = memo.get("dictionary", key, lambda: open_dictionary(config, teacher.encoder, teacher))
    progress.stage("tokenizing the data")
    encoded = _data(config, config.data.data, teacher, dictionary, memo, progress)
    held_out = None
    if config.data.eval_data:
        held_out = _data(config, config.data.eval_data, teacher, None, memo, progress).data
    supervision = None
    if dictionary is not None:
        progress.stage("finding the senses of each token")
        key = digest(*candidates_key(config, dictionary), str(teacher.device), config.run.senses_on)
        supervision = memo.get("supervision", key, lambda: open_supervision(config, dictionary, teacher.encoder))
    return TrainingInputs(teacher, dictionary, encoded.data, encoded.dropped, held_out, supervision)


def _data(
    config: TrainConfig,
    names: Sequence[str],
    teacher: Teacher,
    dictionary: SenseDictionary | None,
    memo: Memo,
    progress: Progress,
) -> EncodedRows:
    relations = dictionary.relations if dictionary is not None else None
    key = digest(
        list(names),
        config.data,
        config.loss.candidates,
        config.ablations,
        config.optimiser.seed,
        teacher.fingerprint,
        teacher.encoder.fingerprint,
        relations.fingerprint if relations is not None else None,
        *([relations.forms_checksum] if relations is not None and config.loss.candidates.forms else []),
    )
    return memo.get(
        "data" if names == config.data.data else "held-out data",
        key,
        lambda: load_rows(config, names, teacher.encoder, relations, progress, teacher),
    )


def load_rows(
    config: TrainConfig,
    names: Sequence[str],
    encoder: TextEncoder,
    relations: Relations | None,
    progress: Progress,
    teacher: Teacher | None = None,
) -> EncodedRows:
    """Return all rows of files, which are encoded where the cache does not have them.

    Args:
        config: of the training.
        names: of the files, perhaps with weights.
        encoder: the teacher's.
        relations: as `read_rows` takes them.
        progress: told about rows.
        teacher: as `read_rows` takes it.

    Raises:
        LexkitError: as `read_rows` and `encoded_rows` say.
    """
    weighted = [split_weight(name) for name in names]
    found = encoded_rows(
        lambda: _rows_key(config, [file for file, _ in weighted], encoder, relations, teacher),
        lambda dropped: (read_rows(config, [file], encoder, relations, dropped, teacher) for file, _ in weighted),
        progress,
    )
    weights = [weight for _, weight in weighted]
    sources = [source._replace(weight=weight) for source, weight in zip(found.data.sources, weights, strict=True)]
    return replace(found, data=replace(found.data, sources=tuple(sources)))


def _rows_key(
    config: TrainConfig,
    files: Sequence[str],
    encoder: TextEncoder,
    relations: Relations | None,
    teacher: Teacher | None,
) -> str:
    """The digest of everything that decides the rows of files: not their names, but what is in them."""
    tokenizer = encoder.tokenizer
    answering = teacher if config.ablations.needs_teacher else None
    return digest(
        [_FORMAT, lexkit.__version__, version("tokenizers"), version("transformers")],
        [_content(config, file) for file in files],
        # The content of tasks has what these say of tasks
        replace(config.data, data=(), eval_data=(), mmlu_test=None),
        config.loss.candidates.multi_token_words,
        config.ablations,
        [encoder.fingerprint, encoder.vocabulary_size, encoder.beginning, encoder.end, tokenizer.chat_template],
        sorted(map(str, tokenizer.added_tokens_decoder.items())),
        relations.fingerprint if relations is not None else None,
        [answering.fingerprint, config.optimiser.dtype] if answering is not None else None,
        *([relations.forms_checksum] if relations is not None and config.loss.candidates.forms else []),
    )


def _content(config: TrainConfig, file: str) -> list[str]:
    """What identifies the content of a file. Tasks, which are small and read more than their file, are read for it."""
    if not split_task(file)[0]:
        return identity(file)
    content, dropped = sha256(), Counter[str]()
    for document in training_documents([file], config.data, seed=config.optimiser.seed, dropped=dropped):
        content.update(msgspec.json.encode((document.messages, document.context_turns)))
    return [content.hexdigest(), *map(str, sorted(dropped.items()))]


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
        forms=config.loss.candidates.forms,
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
    candidates = config.loss.candidates
    relations = read_relations(
        user_path(config.store),
        meta.tokenizer_fingerprint,
        path / senses_files.TOKENIZER,
        min_confidence=candidates.min_confidence,
        archaic=not candidates.no_archaic,
        offensive=candidates.offensive,
    )
    return SenseDictionary.of(path, teacher, encoder, relations)


def candidates_key(config: TrainConfig, dictionary: SenseDictionary) -> tuple[object, ...]:
    """Return all that decides which candidates a token, or a word, has."""
    forms = [dictionary.relations.forms_checksum] if config.loss.candidates.forms and dictionary.relations else []
    return dictionary.fingerprint, config.loss.candidates, config.ablations, *forms


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
        forms=candidates.forms,
        deviation=config.ablations.candidates,
    )
