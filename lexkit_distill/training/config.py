"""What `lexkit distill train` can be told, its presets, and its files."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

import click

from lexkit_distill.config import options
from lexkit_distill.errors import TrainingError
from lexkit_distill.tasks import TASKS

_SHARE = click.FloatRange(0, 1)
_POSITIVE = click.IntRange(min=1)
_COUNT = click.IntRange(min=0)
_WEIGHT = click.FloatRange(min=0)


def parse_gamma(value: str | float) -> str:
    """Return a number, or 'auto', as text.

    Raises:
        click.BadParameter: anything else.
    """
    try:
        return "auto" if value == "auto" else str(float(value))
    except ValueError as error:
        raise click.BadParameter(f"{value!r} is neither a number nor 'auto'.") from error


@dataclass(frozen=True)
class TrainConfig:
    """How a student is trained."""

    teacher: str = field(metadata={"metavar": "NAME_OR_PATH"})
    """A causal language model built like Llama: a folder, or a name on the Hugging Face hub."""
    data: tuple[str, ...] = field(metadata={"metavar": "FILE|TASK:FILE", "tasks": ", ".join(TASKS)})
    """Training data: text, or JSONL with text, messages, or prompt and completion; or one of the tasks {tasks} with its
    file; hub:NAME[/CONFIG][:SPLIT] for a file. May be given several times."""
    output: str = field(metadata={"metavar": "DIR"})
    """The folder of the student. Checkpoints and logs are in it, too."""
    senses: str | None = field(default=None, metadata={"metavar": "DIR"})
    """A sense dictionary of this teacher, composed; needed unless the betas and weights below are 0."""
    store: str = field(default="lexkit.duckdb", metadata={"metavar": "FILE"})
    """The store that the dictionary was composed with."""
    eval_data: tuple[str, ...] = field(default=(), metadata={"metavar": "FILE|TASK:FILE"})
    """Held-out data, as --data. May be given several times."""

    layers: int | None = field(default=None, metadata={"type": _POSITIVE})
    """Layers of the student, the teacher's first ones. [default: half of the teacher's]"""
    trained: int = field(default=2, metadata={"type": _POSITIVE})
    """Layers that are trained, the student's last ones."""

    alpha: float = field(default=1.0, metadata={"type": _WEIGHT})
    """Weight of the divergence from the teacher."""
    temperature: float = field(default=1.0, metadata={"type": click.FloatRange(min=0, min_open=True)})
    """Of both softmaxes in the divergence."""
    beta_p: float = field(default=1.0, metadata={"type": _WEIGHT})
    """Weight of the distance to senses of the token and its synonyms."""
    beta_n: float = field(default=1.0, metadata={"type": _WEIGHT})
    """Weight of the hinge on the distance to senses of antonyms."""
    gamma: str = field(default="1.0", metadata={"type": parse_gamma, "metavar": "X|auto"})
    """Margin of the hinge; 'auto' takes it from the dictionary's own spread."""
    kappa: int = field(default=5, metadata={"type": _POSITIVE})
    """Senses of each kind that supervise a position, those nearest to the teacher's state."""
    max_neighbors: int = field(default=25, metadata={"type": _POSITIVE})
    """Synonyms, and antonyms, of a token to consider, the best attested first."""
    sample_rate: float = field(default=0.4, metadata={"type": _SHARE})
    """Share of the positions with senses at which the semantic loss is taken."""
    sense_scale: Literal["none", "whiten", "unit"] = "none"
    """Space of the distances: as it is, each dimension divided by its standard deviation, or vectors of one length."""
    hidden_weight: float = field(default=0.0, metadata={"type": _WEIGHT})
    """Weight of the plain mean squared difference from the teacher's state at the same positions."""
    contrast_weight: float = field(default=0.0, metadata={"type": _WEIGHT})
    """Weight of a contrast at the same positions: nearer, in angle, to senses of the token and its synonyms than to
    those of its antonyms and of the row's other tokens."""
    multi_token_words: bool = False
    """Let the last token of a word of several tokens use the word's synonyms and antonyms."""

    kl_weight: float | None = field(default=None, metadata={"type": _WEIGHT})
    """Weight of the divergence whatever alpha and temperature are, as in the authors' code (2.8)."""
    targets: Literal["gold", "teacher"] = "gold"
    """What completions are: those of the data, or what the teacher answers instead, as in the authors' code."""
    drop_single_token_neighbors: bool = False
    """Leave out synonyms and antonyms of one token, as the authors' code does."""
    own_among_antonyms: bool = False
    """Put a token's own senses among those of its antonyms, as the authors' code does."""
    spaced_heads_only: bool = False
    """Relations only for words of more than two letters after a space, as in the authors' code."""

    loss_on: Literal["completion", "all"] = "completion"
    """What is predicted in chats and tasks, and after prompts."""
    shots: int | None = field(default=None, metadata={"type": _COUNT})
    """Worked examples before each question of a task. [default: 5, of squad 1]"""
    fraction: float = field(default=1.0, metadata={"type": _SHARE})
    """Share of each task's examples to take, by seed; the paper takes 0.25."""
    mmlu_test: str | None = field(default=None, metadata={"metavar": "DIR"})
    """MMLU's test files; questions of mmlu-pro that are among them are left out."""
    max_length: int = field(default=1024, metadata={"type": click.IntRange(min=2)})
    """Tokens of a row; longer texts are cut."""
    too_long: Literal["error", "drop"] = "error"
    """What becomes of longer chats, tasks and completions."""

    no_end_token: bool = False
    """Do not end documents and completions with the tokenizer's end-of-text token."""

    epochs: int = field(default=2, metadata={"type": _POSITIVE})
    """Passes over the data."""
    max_steps: int | None = field(default=None, metadata={"type": _POSITIVE})
    """Stop after so many steps; the learning rate ends there."""
    batch_size: int = field(default=16, metadata={"type": _POSITIVE})
    """Rows of a step, over all processes."""
    micro_batch_size: int = field(default=4, metadata={"type": _POSITIVE})
    """Rows that a process has in the models at once; gradients are accumulated up to the batch size."""
    lr: float = field(default=5e-5, metadata={"type": _WEIGHT})
    """Highest learning rate of AdamW; it falls along a cosine."""
    warmup: float = field(default=0.1, metadata={"type": _SHARE})
    """Share of the steps in which the learning rate rises."""
    weight_decay: float = field(default=0.0, metadata={"type": _WEIGHT})
    """Of AdamW."""
    clip: float = field(default=1.0, metadata={"type": _WEIGHT})
    """Largest norm of the gradient."""
    seed: int = 0
    """Chooses order, sampled positions and worked examples."""
    dtype: Literal["bfloat16", "float32"] = "bfloat16"
    """Arithmetic; what is trained is kept in float32."""
    device: str = field(default="auto", metadata={"metavar": "DEVICE"})
    """cpu, cuda, mps; auto takes a GPU where there is one."""

    eval_every: int | None = field(default=None, metadata={"type": _POSITIVE})
    """Steps between evaluations. [default: an epoch]"""
    patience: int | None = field(default=None, metadata={"type": _POSITIVE})
    """Stop after so many evaluations without a better loss, and keep the best student."""
    save_every: int = field(default=200, metadata={"type": _POSITIVE})
    """Steps between checkpoints."""
    keep_last: int = field(default=2, metadata={"type": _POSITIVE})
    """Checkpoints to keep."""
    tensorboard: bool = False
    """Write logs for TensorBoard as well (log.csv is always written)."""
    cache: str | None = field(default=None, metadata={"metavar": "DIR"})
    """Keep the teacher's states here, for later epochs and other trainings on the same data."""
    push_to_hub: str | None = field(default=None, metadata={"metavar": "NAME"})
    """Upload the student to this repository of the Hugging Face hub."""

    @property
    def semantic(self) -> bool:
        """Whether L_sem, or the contrast of senses, is part of the loss."""
        return self.beta_p > 0 or self.beta_n > 0 or self.contrast_weight > 0

    @property
    def samples_positions(self) -> bool:
        """Whether positions are sampled, for L_sem or for the plain term beside it."""
        return self.semantic or self.hidden_weight > 0


FREE = frozenset(
    {"output", "eval_every", "save_every", "keep_last", "tensorboard", "cache", "push_to_hub", "device", "patience"}
)
"""Fields that may change between a run and its continuation."""

_PAPER: dict[str, Any] = {
    "layers": 16,
    "trained": 2,
    "alpha": 1.0,
    "gamma": "1.0",
    "kappa": 5,
    "targets": "gold",
    "drop_single_token_neighbors": False,
    "own_among_antonyms": False,
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
        "beta_p": 1.0,
        "beta_n": 1.0,
        "temperature": 2.0,
        "kl_weight": 2.8,
        "max_neighbors": 25,
        "sample_rate": 0.4,
        "targets": "teacher",
        "drop_single_token_neighbors": True,
        "own_among_antonyms": True,
        "spaced_heads_only": True,
        "batch_size": 3,
        "lr": 1.5e-4,
        "warmup": 0.1,
        "weight_decay": 1e-3,
        "clip": 0.0,
    },
}


def read_config(path: Path) -> dict[str, Any]:
    """Read a YAML file of fields of `TrainConfig`, with ``preset`` beside them if wanted.

    Raises:
        TrainingError: missing, not YAML, or a key that is no field.
    """
    values = read_yaml(path, "see 'lexkit distill train --print-config'")
    names = [*(entry.name for entry in fields(TrainConfig)), "preset"]
    return {known(str(key), names, str(path)): value for key, value in values.items()}


def read_yaml(path: Path, hint: str) -> dict[str, Any]:
    """Read a YAML file with a mapping in it; *hint* says where to see what it may hold.

    Raises:
        TrainingError: missing, not YAML, or no mapping.
    """
    import yaml

    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingError(f"{path}: {error.strerror}; check --config") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TrainingError(f"{path}: not YAML ({' '.join(str(error).split())})") from error
    if values is None:
        values = {}
    if not isinstance(values, dict):
        raise TrainingError(f"{path}: not a list of 'field: value'; {hint}")
    return values


def known(key: str, names: Iterable[str], where: str, hint: str = "see 'lexkit distill train --print-config'") -> str:
    """Return the one of *names* that *key* is; hyphens do for underscores.

    Raises:
        TrainingError: it is none of them.
    """
    name = key.replace("-", "_")
    if name not in names:
        near = difflib.get_close_matches(name, list(names), 1)
        raise TrainingError(f"{where}: unknown key {key!r}; {f'did you mean {near[0]}?' if near else hint}")
    return name


@cache
def _parameters() -> dict[str, click.Parameter]:
    @click.command()
    @options(TrainConfig, required=False)
    def command(**_: Any) -> None:  # noqa: ANN401
        pass

    return {str(parameter.name): parameter for parameter in command.params}


def cast(name: str, value: Any, where: str) -> Any:  # noqa: ANN401
    """Return the value of a field as its option would have it.

    Raises:
        TrainingError: it is none of the field's.
    """
    parameter = _parameters()[name]
    several = isinstance(parameter, click.Option) and parameter.multiple
    try:
        return parameter.type_cast_value(
            click.Context(click.Command("train")), (value if isinstance(value, list) else [value]) if several else value
        )
    except (click.BadParameter, TypeError) as error:
        said = error.message.rstrip(".") if isinstance(error, click.BadParameter) else f"{value!r} is no value of it"
        raise TrainingError(f"{where}: {name}: {said}; mend the value") from error


def preset(name: str) -> dict[str, Any]:
    """Return the fields that a preset sets.

    Raises:
        TrainingError: no such preset.
    """
    if name not in PRESETS:
        raise TrainingError(f"preset {name!r}: there are {', '.join(PRESETS)}")
    return PRESETS[name]


def config_text(values: dict[str, Any], docs: dict[str, str], names: Iterable[str]) -> str:
    """Return YAML with the help of each field above it."""
    import yaml

    lines = []
    for name in names:
        value = values.get(name)
        plain = list(value) if isinstance(value, tuple) else value
        shown = yaml.safe_dump({name: plain}, allow_unicode=True, width=1000, default_flow_style=False).strip()
        lines.append(f"# {docs[name]}\n{shown}\n")
    return "\n".join(lines)
