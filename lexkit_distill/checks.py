"""Check a command's models, texts, dictionaries and stores before torch is imported, which takes seconds."""

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
"""File that is written last; an output folder that has it contains a finished student."""
_CONFIG = "config.json"
_MODEL = "give a folder written by save_pretrained, or a name on the hub"
_DISTILL = ("torch", "transformers", "accelerate", "safetensors")
_EXTRAS = {"distill": _DISTILL, "eval": (*_DISTILL, "lm_eval", "scipy"), "plot": ("matplotlib",)}


def require_extra(name: str = "distill") -> None:
    """Check that the packages of an extra are installed, without importing them.

    Raises:
        LexkitError: a package is missing.
    """
    for package in _EXTRAS[name]:
        if find_spec(package) is None:
            raise LexkitError(
                f"lexkit distill needs the package {package}, which is not installed; run pip install 'lexkit[{name}]'"
            )


def check_model(name: str, gguf: str | None = None, *, tokenizer_only: bool = False) -> dict[str, Any]:
    """Check that a model exists, in a folder or on the Hugging Face hub.

    Args:
        name: a folder, or a name on the hub.
        gguf: name of a GGUF file in it to use instead.
        tokenizer_only: whether a folder that contains only a tokenizer is enough.

    Returns:
        The content of its ``config.json``; an empty dict if there is none.

    Raises:
        TeacherError: the model does not exist, or its ``config.json`` is damaged.
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
    """Download a file of a model, or find it in the hub's cache, where transformers looks as well."""
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import GatedRepoError, RepositoryNotFoundError

    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return Path(hf_hub_download(name, file))
    except Exception as error:  # the hub's client raises many kinds
        reason = first_line(error)
        if isinstance(error, GatedRepoError):
            reason = "access is restricted: request it on the hub, then log in"
        elif isinstance(error, RepositoryNotFoundError):
            reason = "neither a local folder nor a model on the hub"
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
    """Check that a dictionary can be built: its output folder is free, and its teacher and corpus exist.

    Raises:
        LexkitError: the output exists already, or the teacher or corpus is missing.
    """
    output = user_path(config.output)
    check_folder(output, SampleError)
    check_new(output)
    sample = user_path(config.sample) if config.sample else output / ".sample"
    if not sample.exists():  # an existing sample does not need the corpus
        check_texts(config.corpus)
    check_model(config.teacher, config.gguf)


def check_training(config: TrainConfig, *, preview: bool = False) -> None:
    """Check that the teacher, data, dictionary and store of a training run exist, without reading the data.

    Args:
        config: configuration of the run.
        preview: whether this is for a preview, which needs no weights and no dictionary unless one is given.

    Raises:
        LexkitError: a file is missing, or the teacher has too few layers or too short a context.
    """
    if preview and config.ablations.needs_teacher:
        raise TrainingError("--targets teacher: a preview does not load the teacher; use --targets gold")
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
    """Check that the teacher and data that all runs of a sweep share exist; other errors are recorded for each run.

    Raises:
        LexkitError: a file is missing.
    """
    check_folder(config.output, TrainingError)
    if all(read_run(point) is not None for point in config.points):
        return
    shared = config.points[0].config
    check_model(shared.teacher)
    check_data([*shared.data.data, *shared.data.eval_data, *config.test_data])


def check_output(folder: Path) -> None:
    """Check that a training run may write to a folder.

    Raises:
        TrainingError: it is a file, or contains a finished student.
    """
    check_folder(folder, TrainingError)
    if (folder / DONE).exists():
        raise TrainingError(f"{folder}: contains a finished student; remove it, or give another --output")


def check_data(names: Iterable[str]) -> None:
    """Check that the files of training data, in the form of ``--data``, exist and are not empty.

    Raises:
        CorpusError: a file is missing, empty or unreadable.
    """
    check_texts(split_task(split_weight(name)[0])[1] for name in names)


def senses_folder(config: TrainConfig) -> Path:
    """Return the folder of the configured sense dictionary.

    Raises:
        TrainingError: none is configured.
    """
    if config.senses is None:
        raise TrainingError(
            "no --senses: the semantic loss needs a sense dictionary; make one with 'lexkit distill senses', or use "
            "--preset kd"
        )
    return user_path(config.senses)


def check_layers(layers: int | None, trained: int, total: int) -> int:
    """Return the number of a student's layers.

    Args:
        layers: layers of the student; None is half of *total*, rounded down.
        trained: how many of them are trained.
        total: layers of the teacher.

    Raises:
        TrainingError: *layers* exceeds *total*, or *trained* exceeds *layers*.
    """
    layers = max(total // 2, 1) if layers is None else layers
    if not 1 <= trained <= layers <= total:
        raise TrainingError(
            f"--layers {layers} --trained {trained}: the teacher has {total} layers; give --layers from 1 to {total}, "
            "and --trained from 1 to --layers"
        )
    return layers


def check_length(max_length: int, context: int, name: str) -> None:
    """Check that rows of *max_length* tokens fit into the context of *context* tokens of the model *name*.

    Raises:
        TrainingError: they do not.
    """
    if max_length > context:
        raise TrainingError(f"--max-length {max_length}: {name} reads at most {context} tokens; lower it")
