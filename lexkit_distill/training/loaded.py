"""What trainings are made of, and share within a process: teacher, dictionary, rows of tokens, candidates."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from lexkit_distill.errors import TrainingError
from lexkit_distill.senses import dictionary as senses_files
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.senses.lexical import read_relations
from lexkit_distill.teacher import Teacher, load_teacher
from lexkit_distill.training.config import TrainConfig
from lexkit_distill.training.encode import RowEncoder, TokenData, WordFinder, gathered
from lexkit_distill.training.samples import read_samples
from lexkit_distill.training.semantic import scale_of
from lexkit_distill.training.supervision import Supervision

_Made = TypeVar("_Made")


class Loaded:
    """What trainings in one process share: the teacher, and what was made of data and dictionaries for it.

    Of each kind the last is kept, since a teacher, or a dictionary's candidates, can be large.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[Any, Any]] = {}

    def _keep(self, kind: str, key: Any, make: Callable[[], _Made]) -> _Made:  # noqa: ANN401
        if kind not in self._kept or self._kept[kind][0] != key:
            self._kept[kind] = (key, make())
        made: _Made = self._kept[kind][1]
        return made

    def teacher(self, config: TrainConfig, process: int) -> Teacher:
        """Return the teacher of a configuration."""
        key = (config.teacher, config.dtype, config.device, process)
        return self._keep(
            "teacher",
            key,
            lambda: load_teacher(config.teacher, dtype=config.dtype, device=config.device, process=process),
        )

    def dictionary(self, config: TrainConfig, teacher: Teacher) -> SenseDictionary | None:
        """Return the dictionary of a configuration, if its loss wants one."""
        if not config.samples_positions:
            return None
        key = (config.senses, config.store, teacher.fingerprint)
        return self._keep("dictionary", key, lambda: _dictionary(config, teacher))

    def data(
        self, config: TrainConfig, data: tuple[str, ...], teacher: Teacher, dictionary: SenseDictionary | None
    ) -> tuple[TokenData, dict[str, int]]:
        """Return rows of tokens, and what was left out of them by reason."""
        kind = "data" if data == config.data else "held-out data"
        names = "seed shots fraction mmlu_test targets multi_token_words spaced_heads_only max_length loss_on too_long"
        names += " no_end_token"
        options = [getattr(config, name) for name in names.split()]
        relations = dictionary.relations.fingerprint if dictionary is not None and dictionary.relations else None
        key = (data, options, teacher.fingerprint, relations)

        def make() -> tuple[TokenData, dict[str, int]]:
            dropped: Counter[str] = Counter()
            return _encoded(config, data, teacher, dictionary, dropped), dict(dropped)

        return self._keep(kind, key, make)

    def supervision(
        self, config: TrainConfig, teacher: Teacher, dictionary: SenseDictionary | None
    ) -> Supervision | None:
        """Return the candidates of a dictionary."""
        names = "kappa max_neighbors sense_scale multi_token_words drop_single_token_neighbors own_among_antonyms"
        key = (id(dictionary), [getattr(config, name) for name in names.split()])
        return self._keep("supervision", key, lambda: _supervision(config, teacher, dictionary))


def _dictionary(config: TrainConfig, teacher: Teacher) -> SenseDictionary:
    if config.senses is None:
        raise TrainingError(
            "no --senses: the semantic loss needs a sense dictionary ('lexkit distill senses'); or take --preset kd"
        )
    path = Path(config.senses).expanduser()
    meta = senses_files.read_meta(path)
    relations = read_relations(
        Path(config.store).expanduser(), meta.tokenizer_fingerprint, path / senses_files.TOKENIZER
    )
    return SenseDictionary(
        path, teacher=teacher.fingerprint, tokenizer=teacher.encoder.fingerprint, relations=relations
    )


def _encoded(
    config: TrainConfig,
    data: tuple[str, ...],
    teacher: Teacher,
    dictionary: SenseDictionary | None,
    dropped: Counter[str],
) -> TokenData:
    limit = teacher.encoder.context
    if limit is not None and config.max_length > limit:
        raise TrainingError(f"--max-length {config.max_length}: {teacher.name} takes {limit} tokens; lower it")
    samples = read_samples(
        data,
        seed=config.seed,
        shots=config.shots,
        fraction=config.fraction,
        mmlu_test=config.mmlu_test,
        dropped=dropped,
    )
    if config.targets == "teacher":
        from lexkit_distill.training.answers import answered

        samples = answered(samples, teacher)
    finder = WordFinder(
        dictionary.relations if dictionary is not None else None,
        teacher.vocabulary_size,
        multi_token_words=config.multi_token_words,
        spaced_only=config.spaced_heads_only,
    )
    encoder = RowEncoder(
        teacher.encoder,
        finder,
        max_length=config.max_length,
        loss_on=config.loss_on,
        too_long=config.too_long,
        end_token=not config.no_end_token,
        dropped=dropped,
    )
    return gathered(encoder.rows(samples))


def _supervision(config: TrainConfig, teacher: Teacher, dictionary: SenseDictionary | None) -> Supervision | None:
    if dictionary is None:
        return None
    return Supervision(
        dictionary,
        teacher.vocabulary_size,
        kappa=config.kappa,
        max_neighbors=config.max_neighbors,
        scale=scale_of(config.sense_scale, dictionary.rows),
        multi_token_words=config.multi_token_words,
        single_token_neighbors=not config.drop_single_token_neighbors,
        own_among_antonyms=config.own_among_antonyms,
        device=teacher.device,
    )
