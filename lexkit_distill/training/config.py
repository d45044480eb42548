"""The configuration of a training in its sections, and the presets."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Literal

from lexkit.arguments import user_path
from lexkit.errors import ArgumentError
from lexkit_distill.config import Config
from lexkit_distill.errors import TrainingError
from lexkit_distill.tasks import TASKS, split_task
from lexkit_distill.tasks.task import Task
from lexkit_distill.training.official_code import DEVIATIONS, OfficialCode

_WEIGHT = {"min": 0}
_SHARE = {"min": 0, "max": 1}
_COUNT = {"min": 1}
_SHOTS = {task.name: task.shots for task in TASKS.values() if task.shots != Task.shots}


def split_weight(name: str) -> tuple[str, float]:
    """Split ``DATA@WEIGHT``. Without a weight it is 1, and so it is for a file whose own name ends like one.

    >>> split_weight("chats.jsonl@0.5")
    ('chats.jsonl', 0.5)
    >>> split_weight("me@home.txt")
    ('me@home.txt', 1.0)
    """
    data, _, weight = name.rpartition("@")
    try:
        number = float(weight)
    except ValueError:
        return name, 1.0
    is_file = not data or user_path(split_task(name)[1]).exists()
    return (name, 1.0) if is_file else (data, number)


@dataclass(frozen=True)
class DataConfig(Config):
    """Which rows the student sees, and what it predicts of them."""

    data: tuple[str, ...] = field(
        default=(),
        metadata={"metavar": "FILE|TASK:FILE", "group": "Essentials", "place": True, "tasks": ", ".join(TASKS)},
    )
    """Training data: text, or JSONL with text, messages, conversations, or prompt and completion; or one of the tasks
    {tasks} with its file; hub:NAME[/CONFIG][:SPLIT] for a file. May be given several times, each with @WEIGHT at its
    end: the passes over its rows in an epoch, as in chats.jsonl@0.5."""
    eval_data: tuple[str, ...] = field(default=(), metadata={"metavar": "FILE|TASK:FILE", "place": True})
    """Held-out data, in the forms of --data. May be given several times."""
    loss_on: Literal["completion", "all"] = "completion"
    """What is predicted in chats and tasks, and after prompts: the completion only, or all positions."""
    shots: int | None = field(
        default=None,
        metadata={"min": 0, "shots": ", for ".join((str(Task.shots), *(f"{name} {n}" for name, n in _SHOTS.items())))},
    )
    """Worked examples before each question of a task. [default: {shots}]"""
    fraction: float = field(default=1.0, metadata=_SHARE)
    """Share of each task's examples to take, drawn by seed; the paper takes 0.25."""
    mmlu_test: str | None = field(default=None, metadata={"metavar": "DIR", "place": True})
    """Folder with MMLU's test files; questions of MMLU-Pro that are among them are left out."""
    max_length: int = field(default=1024, metadata={"min": 2})
    """Tokens in a row; longer texts are cut."""
    too_long: Literal["error", "drop"] = "error"
    """What to do with chats, tasks and completions that are longer: stop with an error, or leave them out."""
    no_end_token: bool = False
    """Do not end documents and completions with the tokenizer's end-of-text token."""

    def __post_init__(self) -> None:
        """Check every field, and the weights of the data."""
        super().__post_init__()
        for name in self.data:
            weight = split_weight(name)[1]
            if not 0 < weight < math.inf:
                raise ArgumentError(f"--data {name}: the weight is {weight:g}; give a number above 0, such as 0.5 or 2")
        for name in self.eval_data:
            data, weight = split_weight(name)
            if data != name:
                raise ArgumentError(f"--eval-data {name}: held-out data have no weight; leave out @{weight:g}")


@dataclass(frozen=True)
class StudentConfig(Config):
    """Which layers of the teacher make up the student."""

    layers: int | None = field(default=None, metadata=_COUNT)
    """Layers of the student, taken from the teacher's first ones. [default: half of the teacher's]"""
    trained: int = field(default=2, metadata=_COUNT)
    """Layers that are trained, counted from the student's last one."""


@dataclass(frozen=True)
class CandidateConfig(Config):
    """Which senses supervise a position."""

    kappa: int = field(default=5, metadata=_COUNT)
    """Senses of each kind that supervise a position: those nearest to the teacher's state."""
    max_neighbors: int = field(default=25, metadata=_COUNT)
    """Most synonyms, and most antonyms, of a token to consider, the best first."""
    min_confidence: float = field(default=0.5, metadata=_SHARE)
    """Leave out relations of the store that are less likely to hold."""
    no_archaic: bool = False
    """Leave out relations of archaic and obsolete words."""
    offensive: bool = False
    """Use relations of offensive and vulgar words, too."""
    sense_scale: Literal["none", "whiten", "unit"] = "none"
    """How vectors are scaled before distances are taken: not at all, to unit variance in each dimension, or to unit
    length."""
    multi_token_words: bool = False
    """Let the last token of a word of several tokens use the word's synonyms and antonyms."""
    forms: bool = False
    """Let a token that is a form of another word (running, mice, colour) use that word's synonyms and antonyms."""


@dataclass(frozen=True)
class LossConfig(Config):
    """The terms of the loss and their weights."""

    alpha: float = field(default=1.0, metadata=_WEIGHT)
    """Weight of the KL divergence from the teacher."""
    temperature: float = field(default=1.0, metadata={"above": 0})
    """Softmax temperature for teacher and student in the KL term."""
    beta_p: float = field(default=1.0, metadata=_WEIGHT)
    """Weight of the distance to senses of the token and its synonyms."""
    beta_n: float = field(default=1.0, metadata=_WEIGHT)
    """Weight of the hinge loss on the distance to senses of antonyms."""
    gamma: float | Literal["auto"] = field(default=1.0, metadata={"metavar": "X|auto"})
    """Margin of the hinge; 'auto' takes it from the spread of the dictionary."""
    sample_rate: float = field(default=0.4, metadata=_SHARE)
    """Share of the positions with senses at which the semantic loss is taken."""
    candidates: CandidateConfig = field(default_factory=CandidateConfig)
    hidden_weight: float = field(default=0.0, metadata={**_WEIGHT, "group": "Ablations"})
    """Weight of the mean squared difference from the teacher's hidden state at the same positions."""
    contrast_weight: float = field(default=0.0, metadata={**_WEIGHT, "group": "Ablations"})
    """Weight of a contrastive loss at the same positions: closer, in angle, to senses of the token and its synonyms
    than to those of its antonyms and of the row's other tokens."""

    @property
    def semantic(self) -> bool:
        """Whether L_sem, or the contrast of senses, is part of the loss."""
        return self.beta_p > 0 or self.beta_n > 0 or self.contrast_weight > 0

    @property
    def samples_positions(self) -> bool:
        """Whether positions are sampled, for L_sem or for the plain term beside it."""
        return self.semantic or self.hidden_weight > 0


@dataclass(frozen=True)
class OptimiserConfig(Config):
    """How the weights are optimised: everything that decides what a step does, beside data, student and loss."""

    epochs: int = field(default=2, metadata=_COUNT)
    """Passes over the data."""
    max_steps: int | None = field(default=None, metadata=_COUNT)
    """Stop after this many steps; the learning rate reaches 0 there."""
    batch_size: int = field(default=16, metadata=_COUNT)
    """Rows in a step, over all processes."""
    micro_batch_size: int = field(default=4, metadata=_COUNT)
    """Rows that a process runs through the models at once; gradients are accumulated up to the batch size."""
    lr: float = field(default=5e-5, metadata=_WEIGHT)
    """Peak learning rate of AdamW; it decays along a cosine."""
    warmup: float = field(default=0.1, metadata=_SHARE)
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = field(default=0.0, metadata=_WEIGHT)
    """AdamW weight decay."""
    clip: float = field(default=1.0, metadata=_WEIGHT)
    """Largest norm of the gradient; 0 does not clip."""
    eval_every: int | None = field(default=None, metadata=_COUNT)
    """Steps between evaluations. [default: an epoch]"""
    patience: int | None = field(default=None, metadata=_COUNT)
    """Stop after this many evaluations without a better loss, and keep the best student."""
    seed: int = 0
    """Seed for the order of rows, the sampled positions and the worked examples."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Arithmetic of the models; trained weights are kept in float32."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Let bitsandbytes quantise the weights of the teacher's layers as they are loaded; trained layers are dense."""


@dataclass(frozen=True)
class RunConfig(Config):
    """Where the training runs and what it writes: the only section that may change before a run is continued."""

    output: str = field(default="", metadata={"metavar": "DIR", "group": "Essentials", "place": True})
    """Folder for the student, its checkpoints and logs."""
    cache: str | None = field(default=None, metadata={"metavar": "DIR", "place": True})
    """Keep the teacher's states in this folder, for later epochs and other trainings on the same data."""
    save_every: int = field(default=200, metadata=_COUNT)
    """Steps between checkpoints."""
    keep_last: int = field(default=2, metadata=_COUNT)
    """Number of checkpoints to keep."""
    device: str = field(default="auto", metadata={"metavar": "DEVICE"})
    """Where to train: cpu, cuda, cuda:1, mps; auto takes a GPU if there is one."""
    senses_on: Literal["auto", "device", "host"] = "auto"
    """Where the dictionary is: in the GPU's memory, or on the host, from where a step's senses are copied a step ahead;
    auto takes the GPU's memory if it fits beside the rest."""
    deterministic: bool = False
    """Give the same losses bit for bit in every run on one GPU; a CPU always does."""
    compile: bool = False
    """Let torch.compile fuse the element-wise operations of the layers, which takes a minute before the first step."""
    log_with: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    """Log each step to a tracker, too, in addition to log.csv. May be given several times."""
    device_map: Literal["auto"] | None = None
    """Spread the layers of the teacher over all GPUs of this machine, for one process."""
    push_to_hub: str | None = field(default=None, metadata={"metavar": "NAME", "place": True})
    """Upload the student to this repository of the Hugging Face hub."""


@dataclass(frozen=True)
class TrainConfig(Config):
    """The configuration of a training."""

    teacher: str = field(metadata={"metavar": "NAME_OR_PATH", "group": "Essentials", "place": True})
    """A causal language model built like Llama: a folder, or a name on the Hugging Face hub."""
    senses: str | None = field(default=None, metadata={"metavar": "DIR", "group": "Essentials", "place": True})
    """A sense dictionary of this teacher, composed with the store; needed unless the weights of senses (--beta-p,
    --beta-n ...) are 0, as in --preset kd."""
    store: str = field(default="lexkit.duckdb", metadata={"metavar": "FILE", "group": "Essentials", "place": True})
    """The store that the dictionary was composed with."""
    data: DataConfig = field(default_factory=DataConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    run: RunConfig = field(default_factory=RunConfig)
    ablations: OfficialCode = field(default_factory=OfficialCode)

    @property
    def kl_weight(self) -> float:
        """The weight of the KL term, with the square of the temperature."""
        return self.ablations.weight_of_kl(self.loss.alpha, self.loss.temperature)


_PAPER: dict[str, Any] = {
    "layers": 16,
    "trained": 2,
    "alpha": 1.0,
    "gamma": 1.0,
    "kappa": 5,
    "min_confidence": 0.0,  # the paper uses every relation
    "offensive": True,
    "loss_on": "all",
    "shots": None,
    "fraction": 0.25,
    "epochs": 2,
    "dtype": "bfloat16",
}
PRESETS: dict[str, dict[str, Any]] = {
    # What the paper leaves open stays at the defaults; docs/training.md gives the source of every field. Table 10 has
    # the betas the other way round; these are section 6.3's, and those of the authors' scripts
    "paper-llama": {**_PAPER, "beta_p": 1.0, "beta_n": 1.0, "lr": 5e-5},
    "paper-mistral": {**_PAPER, "beta_p": 1.5, "beta_n": 1.5, "lr": 2e-5},
    "kd": {"beta_p": 0.0, "beta_n": 0.0},
    "smollm2-demo": {
        "teacher": "HuggingFaceTB/SmolLM2-135M-Instruct",
        "layers": 15,
        "lr": 1e-3,
        "max_length": 256,
        "batch_size": 8,
        "gamma": "auto",
    },
    "official-code": {  # of run_train_llama.sh: three processes with a row each, and three times its --lr
        **_PAPER,
        **DEVIATIONS,
        "beta_p": 1.0,
        "beta_n": 1.0,
        "temperature": 2.0,
        "max_neighbors": 25,
        "sample_rate": 0.4,
        "batch_size": 3,
        "lr": 1.5e-4,
        "warmup": 0.1,
        "weight_decay": 1e-3,
        "clip": 0.0,
    },
}
"""Values of fields by name, wherever in the sections the fields are."""


def preset(name: str) -> dict[str, Any]:
    """Return the fields that a preset sets.

    Raises:
        TrainingError: no such preset.
    """
    if name not in PRESETS:
        raise TrainingError(f"preset {name!r}: there are {', '.join(PRESETS)}")
    return PRESETS[name]
