"""Load the models of an evaluation, run the tasks with each of them, and write the results."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from typing import Any

from lexkit.arguments import user_path
from lexkit.progress import Progress
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.config import EvalConfig
from lexkit_distill.evaluation.data import EvalData
from lexkit_distill.evaluation.harness import ask
from lexkit_distill.evaluation.lexical import score_lexical
from lexkit_distill.evaluation.perplexity import score_text
from lexkit_distill.evaluation.prepare import PreparedTask
from lexkit_distill.evaluation.results import Results, TaskScores, answer_scores, summarize, write
from lexkit_distill.evaluation.senses import score_senses, score_words_with_senses
from lexkit_distill.evaluation.words import score_words
from lexkit_distill.memory import memory_failures
from lexkit_distill.processes import Processes
from lexkit_distill.teacher import Teacher, load_teacher

_PACKAGES = ("lexkit", "lm_eval", "transformers", "torch")
Job = Callable[[Teacher, Progress], TaskScores | None]
"""Runs a task with a model and returns its scores, or None in processes other than the first."""


def evaluate(config: EvalConfig, data: EvalData, progress: Progress) -> Results | None:
    """Run the tasks with one or two models; write and return the results.

    Returns:
        The results; None in processes other than the first.

    Raises:
        EvaluationError: a task cannot be run with a model.
        TeacherError: a model cannot be loaded.
    """
    processes = Processes(config.device)
    with processes.together():
        jobs = {task: _job(task, config, data, processes) for task in config.task_names}
        found = [
            _evaluate(name, role, jobs, config, processes, progress)
            for name, role in ((config.model, "model"), (config.against, "against"))
            if name is not None
        ]
        if not processes.is_first:
            return None
        progress.stage("computing intervals")
        others = found[1] if len(found) > 1 else {}
        tasks = {task: summarize(scores, others.get(task), config.seed) for task, scores in found[0].items()}
        results = Results(
            model=config.model,
            against=config.against,
            config=dataclasses.asdict(config),
            versions={name: version(name) for name in _PACKAGES},
            processes=processes.world_size,
            data={task: _counts(one) for task, one in data.questions.items()},
            tasks=tasks,
        )
        lines = {
            role: [line for scores in scored.values() for line in scores.lines]
            for role, scored in zip(("model", "against"), found, strict=False)
        }
        write(results, lines, user_path(config.output))
        return results


def _evaluate(
    name: str, role: str, jobs: dict[str, Job], config: EvalConfig, processes: Processes, progress: Progress
) -> dict[str, TaskScores]:
    progress.stage("loading the model" if role == "model" else "loading the model to compare with")
    half = "--dtype bfloat16, or " if config.dtype == "float32" else ""
    with memory_failures(EvaluationError, name, lambda: f"use {half}another --device"):
        model = _loaded(name, config, processes)
    scores = {}
    for task, job in jobs.items():
        progress.stage(f"{task} ({role})")
        with memory_failures(EvaluationError, f"{task}: {name}", partial(_smaller, task, config)):
            found = job(model, progress)
        if found is not None:
            scores[task] = found
    return scores


def _loaded(name: str, config: EvalConfig, processes: Processes) -> Teacher:
    return load_teacher(
        name,
        dtype=config.dtype,
        device=config.device,
        process=processes.local_rank,
        device_map=config.device_map,
    )


def _smaller(task: str, config: EvalConfig) -> str:
    """Return advice for when memory runs out: half the size, because the length of prompts is not known in advance."""
    reads_text = task in ("perplexity", "senses")
    if not reads_text and config.batch_size > 1:
        return f"use --batch-size {config.batch_size // 2}"
    if reads_text and config.max_length > 3:
        return f"use --max-length {config.max_length // 2}"
    return "use fewer --shots, --dtype bfloat16, or another --device"


def _job(task: str, config: EvalConfig, data: EvalData, processes: Processes) -> Job:
    """Return the function that runs a task with a model."""
    if task == "perplexity":
        return _perplexity(config, data, processes)
    if task == "lexical":
        pairs = data.pairs
        assert pairs is not None, "read_data has read them"
        return lambda model, progress: (
            score_lexical(pairs, model, config.seed, progress) if processes.is_first else None
        )

    if task == "words":
        items = data.items
        assert items is not None, "read_data has made them"
        put: dict[str, Any] = {"batch_size": config.batch_size, "processes": processes}

        def words(model: Teacher, progress: Progress) -> TaskScores | None:
            scores = score_words(items, model, **put, progress=progress)
            senses = config.senses_folders
            more = score_words_with_senses(items, model, senses, **put, seed=config.seed, progress=progress)
            return None if scores is None else dataclasses.replace(scores, measures=[*scores.measures, *more])

        return words

    if task == "senses":
        text = data.text
        assert text is not None, "read_data has read it"
        return lambda model, progress: score_senses(
            text,
            model,
            config.senses_folders,
            max_length=config.max_length,
            limit=config.limit,
            seed=config.seed,
            processes=processes,
            progress=progress,
        )

    def questions(model: Teacher, progress: Progress) -> TaskScores | None:
        answers = ask(
            data.questions[task],
            model,
            protocol=config.protocol,
            batch_size=config.batch_size,
            processes=processes,
            progress=progress,
        )
        return None if answers is None else answer_scores(answers)

    return questions


def _perplexity(config: EvalConfig, data: EvalData, processes: Processes) -> Job:
    text = data.text
    assert text is not None, "read_data has read it"
    teachers: list[Teacher] = []

    def predict(model: Teacher, progress: Progress) -> TaskScores | None:
        if config.teacher is not None and not teachers:
            progress.stage("loading the teacher")
            teachers.append(_loaded(config.teacher, config, processes))
            progress.stage("perplexity, and divergence from the teacher")
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


def _counts(prepared: PreparedTask) -> dict[str, Any]:
    return {
        "files": prepared.files,
        "questions": len(prepared.questions),
        "available": prepared.available,
        "with_fewer_shots": prepared.without_shots,
    }
