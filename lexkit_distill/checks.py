"""What a command names, checked before torch is imported, which takes seconds: models, texts, dictionaries, stores."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Iterable
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lexkit.arguments import user_path
from lexkit.errors import HubError, LexkitError, first_line
from lexkit.hub import check_upload
from lexkit.store.file_check import check_store_file
from lexkit_distill.corpus import check_texts
from lexkit_distill.disk import check_folder
from lexkit_distill.errors import SampleError, TeacherError, TrainingError
from lexkit_distill.senses.meta import check_new, read_meta
from lexkit_distill.sweep.records import read_run
from lexkit_distill.tasks import split_task
from lexkit_distill.training.config import split_weight

if TYPE_CHECKING:
    from lexkit_distill.senses.config import SensesConfig
    from lexkit_distill.sweep.config import SweepConfig
    from lexkit_distill.training.config import TrainConfig

DONE = "training.json"
"""Written last; makes the output of a training a finished student."""
_CONFIG = "config.json"
_MODEL = "give a folder that save_pretrained made, or a name on the hub"
_DISTILL = ("torch", "transformers", "accelerate", "safetensors")
_EXTRAS = {"distill": _DISTILL, "eval": (*_DISTILL, "lm_eval", "scipy"), "plot": ("matplotlib",)}


def require_extra(name: str = "distill") -> None:
    """Make sure that the packages of an extra are installed, without importing them.

    Raises:
        LexkitError: one is missing.
    """
    for package in _EXTRAS[name]:
        if find_spec(package) is None:
            raise LexkitError(
                f"lexkit distill needs the package {package}, which is not installed; pip install 'lexkit[{name}]'"
            )


def check_model(name: str, gguf: str | None = None, *, tokenizer_only: bool = False) -> dict[str, Any]:
    """Make sure that a model is there: a folder, or on the Hugging Face hub.

    Args:
        name: a folder, or a name on the hub.
        gguf: a GGUF file in it that is to be read instead.
        tokenizer_only: whether a folder with a tokenizer alone is enough.

    Returns:
        What its ``config.json`` holds; nothing if there is none to read.

    Raises:
        TeacherError: it is not there.
    """
    folder, file = user_path(name), gguf or _CONFIG
    if folder.is_dir():
        path = folder / file
        if not path.is_file() and not tokenizer_only:
            raise TeacherError(f"{name}: no {file} in this folder; {_MODEL}")
    elif folder.exists() or folder.is_absolute() or name.startswith((".", "~")):
        raise TeacherError(f"{name}: no such folder; {_MODEL}")
    elif name:
        path = _downloaded(name, file)
    else:
        path = user_path(gguf or "")
    return _read_config(path) if path.name == _CONFIG and path.is_file() else {}


def _downloaded(name: str, file: str) -> Path:
    """A file of a model on the hub, from the cache if it is there; transformers finds it in the same place."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return Path(hf_hub_download(name, file))
    except Exception as error:  # the hub's client raises many kinds
        reason = first_line(error)
        if isinstance(error, GatedRepoError):
            reason = "its authors give access one by one: ask for it on the hub, and log in"
        elif isinstance(error, RepositoryNotFoundError):
            reason = "neither a folder here nor a model on the hub"
        raise TeacherError(f"{name}: cannot be loaded as a causal language model ({reason}); {_MODEL}") from error


def _read_config(path: Path) -> dict[str, Any]:
    try:
        values: Any = json.loads(path.read_bytes())
        if not isinstance(values, dict):
            raise ValueError("not an object")
    except (OSError, ValueError, RecursionError) as error:
        raise TeacherError(f"{path}: cannot be read ({first_line(error)}); save the model again") from error
    return values


def check_senses(config: SensesConfig) -> None:
    """Make sure that a dictionary can be made: there is room for it under its name, a teacher, and a corpus.

    Raises:
        LexkitError: something is missing, or in the way.
    """
    output = user_path(config.output)
    check_folder(output, SampleError)
    check_new(output)
    sample = user_path(config.sample) if config.sample else output / ".sample"
    if not sample.exists():  # a sample has read the corpus already
        check_texts(config.corpus)
    check_model(config.teacher, config.gguf)


def check_training(config: TrainConfig, *, preview: bool = False) -> None:
    """Make sure that what a training names is there, as far as that shows without reading the data.

    Args:
        config: of the training.
        preview: whether rows are only shown, which needs no weights, and a dictionary only if one is named.

    Raises:
        LexkitError: something is missing, or the teacher has not what is asked of it.
    """
    if preview and config.ablations.needs_teacher:
        raise TrainingError("--targets teacher: a preview has no weights to answer with; preview --targets gold")
    if config.run.push_to_hub and not preview:
        try:
            check_upload(config.run.push_to_hub, extra="distill")
        except HubError as error:
            raise TrainingError(f"--push-to-hub {config.run.push_to_hub}: {error}") from error
    teacher = check_model(config.teacher, tokenizer_only=preview)
    check_data([*config.data.data, *config.data.eval_data])
    if config.senses is not None if preview else config.loss.samples_positions:
        read_meta(senses_folder(config))
        check_store_file(user_path(config.store))
    total, context = teacher.get("num_hidden_layers"), teacher.get("max_position_embeddings")
    if isinstance(total, int) and not preview:
        check_layers(config.student.layers, config.student.trained, total)
    if isinstance(context, int):
        check_length(config.data.max_length, context, config.teacher)


def check_sweep(config: SweepConfig) -> None:
    """Make sure that what all trainings of a sweep share is there; what a single one lacks is recorded as its failure.

    Raises:
        LexkitError: something is missing.
    """
    check_folder(config.output, TrainingError)
    if all(read_run(point) is not None for point in config.points):
        return
    shared = config.points[0].config
    check_model(shared.teacher)
    check_data([*shared.data.data, *shared.data.eval_data, *config.test_data])


def check_output(folder: Path) -> None:
    """Make sure that a training may write to a folder.

    Raises:
        TrainingError: it is a file, or holds a finished student.
    """
    check_folder(folder, TrainingError)
    if (folder / DONE).exists():
        raise TrainingError(f"{folder}: a finished student is there already; remove it, or give another --output")


def check_data(names: Iterable[str]) -> None:
    """Make sure that the files of training data, given as ``--data`` takes them, are there and hold something.

    Raises:
        CorpusError: they are missing, empty or unreadable.
    """
    check_texts(split_task(split_weight(name)[0])[1] for name in names)


def senses_folder(config: TrainConfig) -> Path:
    """Return the folder of a training's dictionary.

    Raises:
        TrainingError: the configuration names none.
    """
    if config.senses is None:
        raise TrainingError(
            "no --senses: the semantic loss needs a sense dictionary ('lexkit distill senses'); or use --preset kd"
        )
    return user_path(config.senses)


def check_layers(layers: int | None, trained: int, total: int) -> int:
    """Return how many layers a student has, of a teacher with *total*; None is half of these.

    Raises:
        TrainingError: more than the teacher has, or more to be trained than the student has.
    """
    layers = max(total // 2, 1) if layers is None else layers
    if not 1 <= trained <= layers <= total:
        raise TrainingError(
            f"--layers {layers} --trained {trained}: of a teacher with {total} layers, a student has at most "
            f"{total}, and trains at most as many as it has"
        )
    return layers


def check_length(max_length: int, context: int, name: str) -> None:
    """Make sure that the model *name*, which reads *context* tokens at once, can read a whole row.

    Raises:
        TrainingError: rows may be longer.
    """
    if max_length > context:
        raise TrainingError(f"--max-length {max_length}: {name} takes {context} tokens; lower it")
