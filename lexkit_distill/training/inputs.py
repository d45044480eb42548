"""Load everything that a training run reads: teacher, dictionary, rows of tokens, and candidates.

Each of these depends on a part of the configuration, whose digest is its key. Runs in one process share objects with
the same key.
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
from lexkit_distill.training.row_cache import EncodedRows, TokenData, encoded_rows

_FORMAT = 1
"""Version of the format of encoded rows. Rows of another version are encoded again."""


@dataclass(frozen=True)
class TrainingInputs:
    """Everything that a training run reads."""

    teacher: Teacher
    dictionary: SenseDictionary | None
    data: TokenData
    dropped: dict[str, int]
    """Number of documents or rows that were left out, by reason."""
    held_out: TokenData | None
    supervision: Supervision | None

    @property
    def fingerprints(self) -> dict[str, str | None]:
        """Fingerprints of teacher, data and dictionary."""
        return {
            "teacher_fingerprint": self.teacher.fingerprint,
            "data_fingerprint": self.data.fingerprint,
            "senses_fingerprint": self.dictionary.fingerprint if self.dictionary is not None else None,
        }


def load_training_teacher(config: TrainConfig, process: int, memo: Memo) -> Teacher:
    """Load the configured teacher, or reuse it from *memo*.

    Args:
        config: configuration of the run.
        process: rank of this process on its machine; selects one of several GPUs.
        memo: objects of earlier runs in this process.

    Raises:
        TeacherError: the teacher cannot be loaded.
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
        digest(config.teacher, options, config.run.compile),  # compiling cannot be undone
        lambda: load_teacher(config.teacher, **options),
    )


def load_inputs(config: TrainConfig, teacher: Teacher, memo: Memo, progress: Progress) -> TrainingInputs:
    """Load everything else that a training run reads, or reuse it from *memo*.

    Raises:
        LexkitError: dictionary, store or data are missing or damaged, or do not belong together.
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
    """Return all rows of files, from the cache or by encoding them.

    Args:
        config: configuration of the run.
        names: names of the files, possibly with weights.
        encoder: encoder of the teacher.
        relations: relations of the store, for finding words; None finds none.
        progress: reports the number of rows.
        teacher: model that answers in place of the data, if the configuration asks for that.

    Raises:
        LexkitError: see `read_rows` and `encoded_rows`.
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
    """Return the digest of everything that determines the rows of files: their content, not their names."""
    tokenizer = encoder.tokenizer
    answering = teacher if config.ablations.needs_teacher else None
    return digest(
        [_FORMAT, lexkit.__version__, version("tokenizers"), version("transformers")],
        [_content(config, file) for file in files],
        # These fields affect tasks only, whose digest of the content covers them
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
    """Return strings that identify a file's content; tasks, which are small but depend on other files too, are read."""
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
    """Yield the rows of files as they are used in training.

    Args:
        config: configuration of the run.
        names: names of the files, without weights.
        encoder: encoder of the teacher.
        relations: relations of the store, for finding words; None finds none.
        dropped: counts what is left out, by reason.
        teacher: model that answers in place of the data, if the configuration asks for that.

    Raises:
        TrainingError: rows may be longer than the teacher can read.
        CorpusError, DataError: the data are missing or invalid.
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
    """Open the configured dictionary with the relations of the configured store.

    Args:
        config: configuration of the run.
        encoder: encoder of the teacher; the dictionary must have the same tokenizer.
        teacher: teacher that the dictionary must have been built from; None skips this check.

    Raises:
        TrainingError: no dictionary is configured.
        DictionaryError, StoreError: dictionary or store are missing or damaged, or do not belong together.
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
    """Return everything that determines the candidates of tokens and words."""
    forms = [dictionary.relations.forms_checksum] if config.loss.candidates.forms and dictionary.relations else []
    return dictionary.fingerprint, config.loss.candidates, config.ablations, *forms


def open_supervision(config: TrainConfig, dictionary: SenseDictionary, encoder: TextEncoder) -> Supervision:
    """Return the candidates of all tokens and words of a dictionary."""
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
