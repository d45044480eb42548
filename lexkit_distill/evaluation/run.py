"""Run an evaluation. Everything that can be checked without a model is checked before torch is imported."""

from __future__ import annotations

from lexkit.arguments import user_path
from lexkit.progress import Progress
from lexkit_distill.checks import check_model
from lexkit_distill.evaluation.config import EvalConfig
from lexkit_distill.evaluation.data import read_data
from lexkit_distill.evaluation.results import Results, check_output


def evaluate_models(config: EvalConfig, progress: Progress | None = None) -> Results | None:
    """Evaluate a model and the one it is compared with on the same questions; write and return the results.

    Args:
        config: configuration of the evaluation.
        progress: reports stages and questions.

    Returns:
        The results; None in processes other than the first.

    Raises:
        CorpusError, DataError, DictionaryError: data are missing or wrong.
        EvaluationError: a task cannot be run with a model.
        TeacherError: a model cannot be loaded.
    """
    progress = progress if progress is not None else Progress()
    check_output(user_path(config.output))
    data = read_data(config)
    for name in (config.model, config.against, config.teacher):
        if name is not None:
            check_model(name)
    progress.stage("starting PyTorch")
    from lexkit_distill.evaluation.models import evaluate

    return evaluate(config, data, progress)
