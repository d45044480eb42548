"""The configuration of `lexkit distill eval`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lexkit_distill.config import Config
from lexkit_distill.senses.config import DType
from lexkit_distill.tasks import TASKS, find_task
from lexkit_distill.tasks.task import Task

_MEASURES = ("perplexity", "lexical", "words", "senses")
"""Tasks without questions."""
_SHOTS = [f"{task.name} {task.shots}" for task in TASKS.values() if task.shots != Task.shots]
Protocol = Literal["paper", "likelihood"]


def parse_tasks(value: str) -> str:
    """Return names of tasks with commas between, each once, with aliases resolved.

    Raises:
        ValueError: an unknown name, or none.
    """
    asked = [name.strip() for name in value.split(",") if name.strip()]
    names = [task.name if (task := find_task(name)) else name for name in asked]
    known = (*TASKS, *_MEASURES)
    unknown = [name for name in names if name not in known]
    if unknown or not names:
        raise ValueError(f"{', '.join(unknown) or 'no task'} is not among {', '.join(known)}")
    return ",".join(dict.fromkeys(names))


@dataclass(frozen=True)
class EvalConfig(Config):
    """How a model is evaluated."""

    model: str = field(metadata={"metavar": "NAME_OR_PATH"})
    """The model: a folder, or a name on the Hugging Face hub."""
    tasks: str = field(metadata={"parse": parse_tasks, "metavar": "TASK,...", "known": ", ".join((*TASKS, *_MEASURES))})
    """Names of tasks, separated by commas: {known}."""
    against: str | None = field(default=None, metadata={"metavar": "NAME_OR_PATH"})
    """Another model, evaluated on the same questions and compared question by question."""
    protocol: Protocol = "paper"
    """How questions are put: paper has the model write the letter of its answer in a chat; likelihood takes the most
    likely answer, as lm-evaluation-harness does by default."""
    shots: int | None = field(default=None, metadata={"min": 0, "shown": ", for ".join((f"{Task.shots}", *_SHOTS))})
    """Worked examples before each question. Some tasks take no more than their default."""
    limit: int | None = field(default=None, metadata={"min": 1})
    """Number of questions, or windows of text, to draw from each task by --seed; words takes --heads instead. [default:
    all]"""
    data: str | None = field(default=None, metadata={"metavar": "DIR"})
    """Folder with the files of the tasks. [default: the Hugging Face hub]"""
    text: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Held-out text for perplexity and senses, and for the sentences of words. [default: text/wikitext2-valid.txt or
    wiki.valid.tokens in --data]"""
    store: str | None = field(default=None, metadata={"metavar": "FILE"})
    """Store that the items of words are made from."""
    heads: int = field(default=1000, metadata={"min": 36})
    """Head words of each type of items of words, at most, drawn by --seed."""
    senses: str | None = field(default=None, metadata={"metavar": "DIR,..."})
    """Sense dictionaries of the model, separated by commas, whose senses replace its hidden states for senses and
    words."""
    teacher: str | None = field(default=None, metadata={"metavar": "NAME_OR_PATH"})
    """Teacher with the same tokenizer, from which perplexity also measures the divergence."""
    output: str = field(default="results.json", metadata={"metavar": "FILE"})
    """File for the results; the model's answer to each question goes beside it, into *.questions.jsonl."""
    seed: int = field(default=0, metadata={"min": 0})
    """Seed for the worked examples, the questions of --limit, and the bootstrap samples."""
    batch_size: int = field(default=8, metadata={"min": 1})
    """Prompts in a batch."""
    max_length: int = field(default=1024, metadata={"min": 2})
    """Tokens of text that the model sees at once, for perplexity and senses."""
    dtype: DType = "bfloat16"
    """Arithmetic of the models."""
    device: str = field(default="auto", metadata={"metavar": "DEVICE"})
    """Where to run the models: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one."""
    device_map: Literal["auto"] | None = None
    """Spread the layers of each model over all GPUs of this machine, for one process."""

    @property
    def senses_folders(self) -> list[str]:
        """The folders in `senses`, in the order given, each once."""
        folders = [name.strip() for name in (self.senses or "").split(",")]
        return list(dict.fromkeys(name for name in folders if name))

    @property
    def task_names(self) -> list[str]:
        """The names in `tasks`, in the order given."""
        return parse_tasks(self.tasks).split(",")
