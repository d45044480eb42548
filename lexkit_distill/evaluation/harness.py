"""Ask a model questions through lm-evaluation-harness.

The harness applies chat templates, makes batches, computes likelihoods and generates text. Prompts come from
`lexkit_distill.tasks` and so are the same as in training. Questions are distributed among processes here, because on a
machine without GPUs the harness has every process answer all of them.
"""

from __future__ import annotations

import contextlib
import io
import logging
import sys
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TextIO

import torch
from jinja2 import TemplateError
from lm_eval.api.instance import Instance
from lm_eval.models.huggingface import HFLM

from lexkit.errors import first_line
from lexkit.progress import Progress
from lexkit_distill.errors import EvaluationError
from lexkit_distill.evaluation.answers import score, score_likelihoods
from lexkit_distill.evaluation.prepare import PreparedTask
from lexkit_distill.processes import Processes
from lexkit_distill.tasks.task import Question, Task
from lexkit_distill.teacher import Teacher
from lexkit_distill.tokenization import TextEncoder


@dataclass(frozen=True)
class Answer:
    """A model's answer to a question, with its scores."""

    task: str
    id: str
    group: str
    output: str | list[float]
    """The generated text, or the log-likelihood of each option."""
    target: str
    scores: dict[str, float]
    shots: list[str]
    truncated: bool
    """Whether the prompt was longer than the model allows, so that its beginning was cut off."""


class _Model(HFLM):  # type: ignore[misc]  # the harness is not typed
    """The harness's model, with prompts encoded by lexkit and without the harness's progress bars."""

    stderr: TextIO = sys.stderr
    encoder: TextEncoder

    def tok_encode(
        self,
        string: str,
        add_special_tokens: bool | None = None,
        left_truncate_len: int | None = None,
        **_: object,
    ) -> list[int]:
        if add_special_tokens is False:
            return list(self.encoder.encode([string])[0].ids)
        return self._cut(self.encoder.prompt(string), left_truncate_len)

    def tok_batch_encode(
        self, strings: list[str], padding_side: str = "left", left_truncate_len: int | None = None, **_: object
    ) -> tuple[torch.Tensor, torch.Tensor]:
        rows = [self._cut(self.encoder.prompt(string), left_truncate_len) for string in strings]
        ids = torch.full((len(rows), max(map(len, rows))), self.tokenizer.pad_token_id or 0)
        mask = torch.zeros_like(ids)
        for number, row in enumerate(rows):
            places = slice(-len(row), None) if padding_side == "left" else slice(0, len(row))
            ids[number, places], mask[number, places] = torch.tensor(row), 1
        return ids, mask

    def _encode_pair(self, context: str, continuation: str) -> tuple[list[int], list[int]]:
        context_ids, continuation_ids = super()._encode_pair(context, continuation)
        # The model predicts the last token of a continuation but does not read it
        return self._cut(context_ids, self.max_length + 1 - len(continuation_ids)), continuation_ids

    def _cut(self, token_ids: list[int], room: int | None) -> list[int]:
        """Cut a prompt that is too long at its beginning, after the beginning-of-text token."""
        self.encoder.check(token_ids, "a question")
        if room is None or len(token_ids) <= room:
            return token_ids
        first = self.encoder.beginning
        return [*first, *token_ids[len(token_ids) - max(room - len(first), 1) :]]

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = True) -> list[tuple[float, bool]]:
        with contextlib.redirect_stderr(self.stderr):
            found: list[tuple[float, bool]] = super().loglikelihood(requests, disable_tqdm=disable_tqdm)
        return found

    def generate_until(self, requests: list[Any], disable_tqdm: bool = True) -> list[str]:
        with contextlib.redirect_stderr(self.stderr):
            found: list[str] = super().generate_until(requests, disable_tqdm=disable_tqdm)
        return found


class _Counter:
    """Counts answers. The harness takes it for a cache, and passes every answer to it."""

    def __init__(self, progress: Progress, total: int) -> None:
        self._progress, self._done, self._total = progress, 0, total

    def add_partial(self, *_: object) -> None:
        self._done += 1
        self._progress.count(self._done, self._total, "prompts")


def ask(
    prepared: PreparedTask, model: Teacher, *, protocol: str, batch_size: int, processes: Processes, progress: Progress
) -> list[Answer] | None:
    """Ask a model the questions of a task; each process answers its share.

    Returns:
        The answers in the order of the questions; None in processes other than the first.

    Raises:
        EvaluationError: the protocol needs a chat template that the tokenizer lacks or that does not work.
    """
    chat = protocol == "paper"
    if chat and not getattr(model.tokenizer, "chat_template", None):
        raise EvaluationError(
            f"{model.name}: the tokenizer has no chat template, which --protocol paper needs; add one to it, or use "
            "--protocol likelihood"
        )
    share = prepared.questions[processes.rank :: processes.world_size]
    answers = _ask(prepared.task, share, model, protocol, batch_size, progress) if share else []
    if processes.world_size > 1:
        parts: list[list[Answer] | None] | None = [None] * processes.world_size if processes.is_first else None
        torch.distributed.gather_object(answers, parts)
        if parts is None:
            return None
        answers = [answer for part in parts for answer in part or ()]
    by_id = {answer.id: answer for answer in answers}
    assert len(by_id) == len(answers) == len(prepared.questions), "each question is answered once"
    return [by_id[question.id] for question in prepared.questions]


def _ask(
    task: Task, questions: list[Question], model: Teacher, protocol: str, batch_size: int, progress: Progress
) -> list[Answer]:
    stderr = sys.stderr
    with _quiet(), _template_errors(model):
        # In bf16, different answers would often have the same log-likelihood
        lm = _Model(pretrained=model.model, tokenizer=model.tokenizer, batch_size=batch_size, softmax_dtype="float32")
        lm.stderr, lm.encoder = stderr, model.encoder
        requests = [_requests(question, task, protocol, lm) for question in questions]
        lm.cache_hook = _Counter(progress, sum(map(len, requests)))
        written = requests[0][0].request_type == "generate_until"
        respond = lm.generate_until if written else lm.loglikelihood
        responses: Iterator[Any] = iter(respond([request for some in requests for request in some]))
        return [
            _answer(task, question, some, [next(responses) for _ in some], lm)
            for question, some in zip(questions, requests, strict=True)
        ]


def _requests(question: Question, task: Task, protocol: str, lm: _Model) -> list[Instance]:
    """Return a request to write an answer, or requests to compute the likelihood of each choice."""
    prompt = _prompt(question, task, protocol, lm)
    if protocol == "paper" or task.compared == "words":
        end, tokens = ("\n\n", 16) if question.options else ("\n", 48)
        generation = {"until": [end], "max_gen_toks": tokens, "do_sample": False}
        return [Instance("generate_until", {}, (prompt, generation), 0)]
    choices = enumerate(_choices(question, task))
    return [Instance("loglikelihood", {}, (prompt, f" {choice}"), place) for place, choice in choices]


def _choices(question: Question, task: Task) -> tuple[str, ...]:
    """Return the texts whose likelihoods the protocol compares."""
    return question.letters if task.compared == "letters" else question.options


def _prompt(question: Question, task: Task, protocol: str, lm: _Model) -> str:
    """Return a prompt: the worked examples, then the question."""
    if protocol == "paper":
        return str(lm.apply_chat_template(list(question.messages[:-1])))

    def plain(one: Question) -> str:
        if task.compared == "words":
            return f"{one.prompt}\nAnswer:"
        return f"Question: {one.text}\n{one.listed if task.compared == 'letters' else ''}Answer:"

    def target(one: Question) -> str:
        return one.target if task.compared == "words" else _choices(one, task)[one.right]

    return "".join(f"{plain(shot)} {target(shot)}\n\n" for shot in question.shots) + plain(question)


def _answer(task: Task, question: Question, requests: list[Instance], responses: list[Any], lm: _Model) -> Answer:
    output: str | list[float]
    if isinstance(responses[0], str):
        output, scores = responses[0], score(question, responses[0])
        # Leave room for the generated tokens
        prompt, generation = requests[0].args
        texts, room = [prompt], lm.max_length - generation["max_gen_toks"]
    else:
        output = [float(likelihood) for likelihood, _ in responses]
        scores = score_likelihoods(question, output, task.compared)
        # The model predicts the last token of an option but does not read it
        texts, room = ["".join(request.args) for request in requests], lm.max_length + 1
    return Answer(
        task=task.name,
        id=question.id,
        group="" if question.passage else question.group,
        output=output,
        target=question.target,
        scores=scores,
        shots=[shot.id for shot in question.shots],
        truncated=max(len(lm.tok_encode(text)) for text in texts) > room,
    )


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Context manager. Silence the log, the warnings and the progress bars of the harness and of transformers."""
    loggers = [logging.getLogger(name) for name in ("lm_eval", "transformers")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        with contextlib.redirect_stderr(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)


@contextlib.contextmanager
def _template_errors(model: Teacher) -> Iterator[None]:
    try:
        yield
    except TemplateError as error:
        raise EvaluationError(
            f"{model.name}: the chat template refuses a question after worked examples ({first_line(error)}); "
            "use --protocol likelihood, or fix the template"
        ) from error
