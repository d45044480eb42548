"""The errors that lexkit_distill raises on purpose; see `lexkit.errors`."""

from __future__ import annotations

from lexkit.errors import LexkitError


class TeacherError(LexkitError):
    """A teacher that cannot be loaded, or that does not do what a sense dictionary needs."""


class EvaluationError(LexkitError):
    """A benchmark that is missing or not what it should be, or a model that cannot be put to it."""


class CorpusError(LexkitError):
    """A corpus that is missing, unreadable, or holds no text."""


class SampleError(LexkitError):
    """A sample of hidden states that cannot be made or continued."""


class DictionaryError(LexkitError):
    """A sense dictionary that is missing, unfinished, damaged, or belongs to something else."""


class TrainingError(LexkitError):
    """A training that cannot start, go on or be resumed."""


class DataError(LexkitError):
    """Training data that are missing, unreadable, empty or do not fit the teacher."""
