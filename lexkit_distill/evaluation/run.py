"""An evaluation from beginning to end."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

from lexkit.progress import Progress
from lexkit_distill.evaluation.config import EvalConfig
from lexkit_distill.evaluation.harness import ask
from lexkit_distill.evaluation.lexical import read_lexical, score_lexical
from lexkit_distill.evaluation.perplexity import read_text, score_text
from lexkit_distill.evaluation.prepare import PreparedTask, prepare
from lexkit_distill.evaluation.results import Results, TaskScores, answer_scores, check_output, summarize, write
from lexkit_distill.processes import Processes
from lexkit_distill.tasks import TASKS
from lexkit_distill.teacher import Teacher, load_teacher

_PACKAGES = ("lexkit", "lm_eval", "transformers", "torch")
Job = Callable[[Teacher, Progress], TaskScores | None]
"""Puts a task to a model; None in processes other than the first."""


def evaluate_models(config: EvalConfig, progress: Progress) -> Results | None:
    """Evaluate a model, and the one it is compared with, on the same questions; write and return the results.

    Returns:
        None in processes other than the first.

    Raises:
        CorpusError, DataError: data are missing or wrong.
        EvaluationError: a model cannot be put to a task.
        TeacherError: a model cannot be loaded.
    """
    processes, output = Processes(), Path(config.output).expanduser()
    with processes.together():
        if processes.is_first:
            check_output(output)
        # All data are read before any model is loaded: what is missing is said at once
        prepared = {
            name: prepare(
                TASKS[name], config.data, shots=TASKS[name].shots_of(config.shots), limit=config.limit, seed=config.seed
            )
            for name in config.task_names
            if name in TASKS
        }
        jobs = {task: _job(task, config, prepared, processes) for task in config.task_names}
        found = [
            _evaluate(name, role, jobs, config, processes, progress)
            for name, role in ((config.model, "model"), (config.against, "against"))
            if name is not None
        ]
        if not processes.is_first:
            return None
        others = found[1] if len(found) > 1 else {}
        tasks = {task: summarize(scores, others.get(task), config.seed) for task, scores in found[0].items()}
        results = Results(
            model=config.model,
            against=config.against,
            config=dataclasses.asdict(config),
            versions={name: version(name) for name in _PACKAGES},
            processes=processes.number_of,
            data={task: _data(one) for task, one in prepared.items()},
            tasks=tasks,
        )
        lines = {
            role: [line for scores in scored.values() for line in scores.lines]
            for role, scored in zip(("model", "against"), found, strict=False)
        }
        write(results, lines, output)
        return results


def _evaluate(
    name: str, role: str, jobs: dict[str, Job], config: EvalConfig, processes: Processes, progress: Progress
) -> dict[str, TaskScores]:
    progress.stage(f"load {role}")
    model = _loaded(name, config, processes)
    scores = {}
    for task, job in jobs.items():
        progress.stage(f"{task} ({role})")
        if (found := job(model, progress)) is not None:
            scores[task] = found
    return scores


def _loaded(name: str, config: EvalConfig, processes: Processes) -> Teacher:
    return load_teacher(
        name,
        dtype=config.dtype,
        device=config.device,
        process=processes.local_number,
        device_map=config.device_map,
    )


def _job(task: str, config: EvalConfig, prepared: dict[str, PreparedTask], processes: Processes) -> Job:
    """What is to be done with each model; the data of the task are read now."""
    if task == "perplexity":
        return _perplexity(config, processes)
    if task == "lexical":
        lists = read_lexical(config.data)
        return lambda model, progress: (
            score_lexical(lists, model, config.seed, progress) if processes.is_first else None
        )

    def questions(model: Teacher, progress: Progress) -> TaskScores | None:
        answers = ask(
            prepared[task],
            model,
            protocol=config.protocol,
            batch_size=config.batch_size,
            processes=processes,
            progress=progress,
        )
        return None if answers is None else answer_scores(answers)

    return questions


def _perplexity(config: EvalConfig, processes: Processes) -> Job:
    text = read_text(config.data, config.text)
    teachers: list[Teacher] = []

    def predict(model: Teacher, progress: Progress) -> TaskScores | None:
        if config.teacher is not None and not teachers:
            teachers.append(_loaded(config.teacher, config, processes))
        return score_text(
            text,
            model,
            teachers[0] if teachers else None,
            max_length=config.max_length,
            limit=config.limit,
            seed=config.seed,
            processes=processes,
            progress=progress,
        )

    return predict


def _data(prepared: PreparedTask) -> dict[str, Any]:
    return {
        "files": prepared.files,
        "questions": len(prepared.questions),
        "available": prepared.available,
        "with_fewer_shots": prepared.without_shots,
    }
