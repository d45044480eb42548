"""The errors that lexkit_distill raises on purpose; see `lexkit.errors`."""

from __future__ import annotations

from lexkit.errors import LexkitError


class TeacherError(LexkitError):
    """A teacher that cannot be loaded, or that does not do what a sense dictionary needs."""


class EvaluationError(LexkitError):
    """A model that cannot be evaluated, or lists and texts that it cannot be evaluated on."""


class CorpusError(LexkitError):
    """A corpus that is missing, unreadable, or holds no text."""


class SampleError(LexkitError):
    """A sample of hidden states that cannot be made or continued."""


class DictionaryError(LexkitError):
    """A sense dictionary that is missing, unfinished, damaged, or belongs to something else."""


class TrainingError(LexkitError):
    """A training that cannot start, go on or be resumed."""


class DataError(LexkitError):
    """Data for training or evaluation that are missing, unreadable or empty, or do not fit the model."""
