"""The configuration of a training run, divided into sections, and the presets."""

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
    """Split ``DATA@WEIGHT``. The weight is 1 if none is given, or if a file with the whole name exists.

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
    """Which data the student is trained on, and which tokens it predicts."""

    data: tuple[str, ...] = field(
        default=(),
        metadata={"metavar": "FILE|TASK:FILE", "group": "Essentials", "place": True, "tasks": ", ".join(TASKS)},
    )
    """Training data: text, or JSONL with text, messages, conversations, or prompt and completion; or a file of one of
    the tasks {tasks}. In place of a file, hub:NAME[/CONFIG][:SPLIT] reads a data set from the hub. May be given several
    times; append @WEIGHT for the number of passes over its rows in an epoch, as in chats.jsonl@0.5 (default: 1)."""
    eval_data: tuple[str, ...] = field(default=(), metadata={"metavar": "FILE|TASK:FILE", "place": True})
    """Held-out data, in the same formats as --data, without weights. May be given several times."""
    loss_on: Literal["completion", "all"] = "completion"
    """Which tokens of chats, tasks and prompts with completions are predicted: those of the completion, or all."""
    shots: int | None = field(
        default=None,
        metadata={"min": 0, "shots": ", for ".join((str(Task.shots), *(f"{name} {n}" for name, n in _SHOTS.items())))},
    )
    """Worked examples before each question of a task. [default: {shots}]"""
    fraction: float = field(default=1.0, metadata=_SHARE)
    """Share of each task's questions to use, drawn with the seed; the paper uses 0.25."""
    mmlu_test: str | None = field(default=None, metadata={"metavar": "DIR", "place": True})
    """Folder with MMLU's test files; questions of MMLU-Pro that occur in them are left out."""
    max_length: int = field(default=1024, metadata={"min": 2})
    """Most tokens in a row; longer texts are split into several rows."""
    too_long: Literal["error", "drop"] = "error"
    """What to do with chats, questions and completions longer than --max-length: stop with an error, or leave them
    out."""
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
    """Which of the teacher's layers the student consists of."""

    layers: int | None = field(default=None, metadata=_COUNT)
    """Number of layers of the student, which are the first ones of the teacher. [default: half of the teacher's]"""
    trained: int = field(default=2, metadata=_COUNT)
    """Number of layers to train, counted from the last layer of the student."""


@dataclass(frozen=True)
class CandidateConfig(Config):
    """Which senses supervise a position."""

    kappa: int = field(default=5, metadata=_COUNT)
    """Number of senses that supervise a position, of each kind: those nearest to the teacher's state."""
    max_neighbors: int = field(default=25, metadata=_COUNT)
    """Most synonyms, and most antonyms, of a token to consider; the best are used."""
    min_confidence: float = field(default=0.5, metadata=_SHARE)
    """Lowest confidence of the store's relations to use, from 0 to 1."""
    no_archaic: bool = False
    """Leave out relations of archaic and obsolete words."""
    offensive: bool = False
    """Also use relations of offensive and vulgar words."""
    sense_scale: Literal["none", "whiten", "unit"] = "none"
    """How to scale vectors before distances are computed: not at all, to unit variance in each dimension, or to unit
    length."""
    multi_token_words: bool = False
    """Use the synonyms and antonyms of words of several tokens, at the word's last token."""
    forms: bool = False
    """Use the synonyms and antonyms of a word for its other forms as well (running, mice, colour)."""


@dataclass(frozen=True)
class LossConfig(Config):
    """The terms of the loss and their weights."""

    alpha: float = field(default=1.0, metadata=_WEIGHT)
    """Weight of the KL divergence from the teacher's distribution."""
    temperature: float = field(default=1.0, metadata={"above": 0})
    """Softmax temperature for teacher and student in the KL term."""
    beta_p: float = field(default=1.0, metadata=_WEIGHT)
    """Weight of the loss that pulls hidden states towards senses of the token and its synonyms."""
    beta_n: float = field(default=1.0, metadata=_WEIGHT)
    """Weight of the hinge loss that pushes hidden states away from senses of antonyms."""
    gamma: float | Literal["auto"] = field(default=1.0, metadata={"metavar": "X|auto"})
    """Margin of the hinge loss, a mean squared difference; 'auto' derives it from the spread of the dictionary."""
    sample_rate: float = field(default=0.4, metadata=_SHARE)
    """Share of the positions with senses at which the semantic loss is computed."""
    candidates: CandidateConfig = field(default_factory=CandidateConfig)
    hidden_weight: float = field(default=0.0, metadata={**_WEIGHT, "group": "Ablations"})
    """Weight of the mean squared difference from the teacher's hidden state at the sampled positions."""
    contrast_weight: float = field(default=0.0, metadata={**_WEIGHT, "group": "Ablations"})
    """Weight of a contrastive loss at the sampled positions, which turns hidden states towards senses of the token and
    its synonyms and away from those of its antonyms and of the row's other tokens."""

    @property
    def semantic(self) -> bool:
        """Whether the loss uses senses, in L_sem or in the contrastive loss."""
        return self.beta_p > 0 or self.beta_n > 0 or self.contrast_weight > 0

    @property
    def samples_positions(self) -> bool:
        """Whether positions are sampled, for losses on senses or on the teacher's hidden state."""
        return self.semantic or self.hidden_weight > 0


@dataclass(frozen=True)
class OptimiserConfig(Config):
    """How the weights are optimised: what determines a step in addition to data, student and loss."""

    epochs: int = field(default=2, metadata=_COUNT)
    """Number of passes over the data."""
    max_steps: int | None = field(default=None, metadata=_COUNT)
    """Most steps to train for; the learning rate reaches 0 at the last one. [default: all epochs]"""
    batch_size: int = field(default=16, metadata=_COUNT)
    """Rows in a step, over all processes."""
    micro_batch_size: int = field(default=4, metadata=_COUNT)
    """Rows that a process runs through the models at once; gradients are accumulated up to the batch size."""
    lr: float = field(default=5e-5, metadata=_WEIGHT)
    """Peak learning rate of AdamW; after the warm-up it decays along a cosine to 0."""
    warmup: float = field(default=0.1, metadata=_SHARE)
    """Share of the steps during which the learning rate rises linearly."""
    weight_decay: float = field(default=0.0, metadata=_WEIGHT)
    """AdamW weight decay."""
    clip: float = field(default=1.0, metadata=_WEIGHT)
    """Gradient norm above which gradients are clipped; 0 disables clipping."""
    eval_every: int | None = field(default=None, metadata=_COUNT)
    """Steps between evaluations on the held-out data. [default: an epoch]"""
    patience: int | None = field(default=None, metadata=_COUNT)
    """Stop after this many evaluations without a lower held-out loss, and keep the best student. [default: never]"""
    seed: int = 0
    """Seed for the order of rows, the sampled positions and the worked examples."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Precision of the models' arithmetic; trained weights are kept in float32."""
    quantize: Literal["4bit", "8bit"] | None = None
    """Quantise the weights of the teacher's layers with bitsandbytes as they are loaded; trained layers stay dense."""


@dataclass(frozen=True)
class RunConfig(Config):
    """Where training runs and what it writes: the only section that may change before a run is resumed."""

    output: str = field(default="", metadata={"metavar": "DIR", "group": "Essentials", "place": True})
    """Folder for the student, its checkpoints and logs."""
    cache: str | None = field(default=None, metadata={"metavar": "DIR", "place": True})
    """Keep the teacher's states in this folder, for later epochs and other training runs on the same data."""
    save_every: int = field(default=200, metadata=_COUNT)
    """Steps between checkpoints."""
    keep_last: int = field(default=2, metadata=_COUNT)
    """Number of checkpoints to keep."""
    device: str = field(default="auto", metadata={"metavar": "DEVICE"})
    """Where to train: cpu, cuda, cuda:1, mps; auto uses a GPU if there is one."""
    senses_on: Literal["auto", "device", "host"] = "auto"
    """Where to keep the dictionary: in the GPU's memory (device), or in main memory (host), from where each step's
    senses are copied one step ahead; auto uses the GPU if the dictionary fits."""
    deterministic: bool = False
    """Make losses on one GPU reproducible bit for bit; on a CPU they always are."""
    compile: bool = False
    """Fuse element-wise operations of the layers with torch.compile, which takes a minute before the first step."""
    log_with: tuple[Literal["tensorboard", "wandb", "mlflow"], ...] = ()
    """Log each step to this tracker, in addition to log.csv. May be given several times."""
    device_map: Literal["auto"] | None = None
    """Spread the teacher's layers over all GPUs of this machine; for runs with one process."""
    push_to_hub: str | None = field(default=None, metadata={"metavar": "NAME", "place": True})
    """Upload the student to this repository on the Hugging Face hub."""


@dataclass(frozen=True)
class TrainConfig(Config):
    """The configuration of a training run."""

    teacher: str = field(metadata={"metavar": "NAME_OR_PATH", "group": "Essentials", "place": True})
    """Teacher: a causal language model built like Llama, as a folder or a name on the Hugging Face hub."""
    senses: str | None = field(default=None, metadata={"metavar": "DIR", "group": "Essentials", "place": True})
    """Sense dictionary of this teacher, composed with the store; not needed if all losses on senses are off, as in
    --preset kd."""
    store: str = field(default="lexkit.duckdb", metadata={"metavar": "FILE", "group": "Essentials", "place": True})
    """Store that the dictionary was composed with."""
    data: DataConfig = field(default_factory=DataConfig)
    student: StudentConfig = field(default_factory=StudentConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optimiser: OptimiserConfig = field(default_factory=OptimiserConfig)
    run: RunConfig = field(default_factory=RunConfig)
    ablations: OfficialCode = field(default_factory=OfficialCode)

    @property
    def kl_weight(self) -> float:
        """Weight of the KL term, including the square of the temperature."""
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
    # Fields that the paper does not specify keep their defaults; docs/training.md gives the source of every field.
    # Table 10 swaps the betas of Llama and Mistral; these follow section 6.3 and the authors' scripts
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
    "official-code": {  # as in run_train_llama.sh, whose three processes take a row each: three times its --lr
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
"""Values of fields by preset and field name, regardless of sections."""


def preset(name: str) -> dict[str, Any]:
    """Return the fields that a preset sets.

    Raises:
        TrainingError: there is no such preset.
    """
    if name not in PRESETS:
        raise TrainingError(f"unknown preset {name!r}; use one of {', '.join(PRESETS)}")
    return PRESETS[name]
