"""Exceptions of lexkit_distill; all derive from `lexkit.errors.LexkitError`."""

from __future__ import annotations

from lexkit.errors import LexkitError


class TeacherError(LexkitError):
    """The teacher cannot be loaded, or lacks what a sense dictionary needs."""


class EvaluationError(LexkitError):
    """The model cannot be evaluated, or the word lists or texts are unusable."""


class CorpusError(LexkitError):
    """The corpus is missing, unreadable, or contains no text."""


class SampleError(LexkitError):
    """A sample of hidden states cannot be collected or resumed."""


class DictionaryError(LexkitError):
    """A sense dictionary is missing, unfinished or damaged, or belongs to another teacher, tokenizer or store."""


class TrainingError(LexkitError):
    """A training run cannot start, continue or be resumed."""


class DataError(LexkitError):
    """Data for training or evaluation are missing, unreadable or empty, or do not fit the model."""
