"""The configuration of `lexkit distill eval`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lexkit_distill.config import Config
from lexkit_distill.senses.config import DType
from lexkit_distill.tasks import TASKS, find_task
from lexkit_distill.tasks.task import Task

_MEASURES = ("perplexity", "lexical", "words", "senses")
"""Tasks other than the benchmarks."""
_SHOTS = [f"{task.name} {task.shots}" for task in TASKS.values() if task.shots != Task.shots]
Protocol = Literal["paper", "likelihood"]


def parse_tasks(value: str) -> str:
    """Return a list of task names, separated by commas, with aliases resolved and repeated names removed.

    Raises:
        ValueError: a name is unknown, or there is no name.
    """
    asked = [name.strip() for name in value.split(",") if name.strip()]
    names = [task.name if (task := find_task(name)) else name for name in asked]
    known = (*TASKS, *_MEASURES)
    unknown = [name for name in names if name not in known]
    if not names:
        raise ValueError(f"no task given; choose from {', '.join(known)}")
    if unknown:
        raise ValueError(f"{', '.join(unknown)} is not among {', '.join(known)}")
    return ",".join(dict.fromkeys(names))


@dataclass(frozen=True)
class EvalConfig(Config):
    """How a model is evaluated."""

    model: str = field(metadata={"metavar": "NAME_OR_PATH"})
    """The model: a folder, or a name on the Hugging Face hub."""
    tasks: str = field(metadata={"parse": parse_tasks, "metavar": "TASK,...", "known": ", ".join((*TASKS, *_MEASURES))})
    """Names of tasks, separated by commas: {known}."""
    against: str | None = field(default=None, metadata={"metavar": "NAME_OR_PATH"})
    """Another model to evaluate on the same questions and compare question by question."""
    protocol: Protocol = "paper"
    """How to ask questions: with paper, the model writes the letter of its answer in a chat; with likelihood, the most
    likely option counts as its answer, as in lm-evaluation-harness by default."""
    shots: int | None = field(default=None, metadata={"min": 0, "shown": ", for ".join((f"{Task.shots}", *_SHOTS))})
    """Number of worked examples before each question. Some tasks allow no more than their default.
    [default: {shown}]"""
    limit: int | None = field(default=None, metadata={"min": 1})
    """Number of questions, or windows of text, to draw from each task with --seed; the task 'words' uses --heads
    instead. [default: all]"""
    data: str | None = field(default=None, metadata={"metavar": "DIR"})
    """Folder with the tasks' files. [default: the Hugging Face hub]"""
    text: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Held-out text for the tasks 'perplexity' and 'senses', and for the sentences of the task 'words'. [default:
    text/wikitext2-valid.txt or wiki.valid.tokens in --data]"""
    store: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Store from which to make the items of the task 'words'."""
    heads: int = field(default=1000, metadata={"min": 36})
    """Most head words for each type of item in the task 'words', drawn with --seed."""
    senses: str | None = field(default=None, metadata={"metavar": "DIR,..."})
    """Folders of sense dictionaries of the model, separated by commas. In the tasks 'senses' and 'words', their senses
    replace the model's hidden states."""
    teacher: str | None = field(default=None, metadata={"metavar": "NAME_OR_PATH"})
    """Teacher with the same tokenizer; the task 'perplexity' then also measures the divergence from it."""
    output: str = field(default="results.json", metadata={"metavar": "FILE"})
    """File for the results; the model's answer to each question is written beside it, to *.questions.jsonl."""
    seed: int = field(default=0, metadata={"min": 0})
    """Seed for the worked examples, the questions of --limit, and the bootstrap samples."""
    batch_size: int = field(default=8, metadata={"min": 1})
    """Number of prompts in a batch."""
    max_length: int = field(default=1024, metadata={"min": 2})
    """Length of the windows of text in the tasks 'perplexity' and 'senses', in tokens."""
    dtype: DType = "bfloat16"
    """Data type of the models' weights and arithmetic."""
    device: str = field(default="auto", metadata={"metavar": "DEVICE"})
    """Device for the models: cpu, cuda, cuda:1, mps; auto uses a GPU if there is one."""
    device_map: Literal["auto"] | None = None
    """Distribute the layers of each model over all GPUs of this machine, with one process."""

    @property
    def senses_folders(self) -> list[str]:
        """The folders in `senses`, in the order given, without repetitions."""
        folders = [name.strip() for name in (self.senses or "").split(",")]
        return list(dict.fromkeys(name for name in folders if name))

    @property
    def task_names(self) -> list[str]:
        """The names in `tasks`, in the order given."""
        return parse_tasks(self.tasks).split(",")
