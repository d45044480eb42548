"""Export the finished student as an ordinary model folder with a model card, and upload it if asked to."""

from __future__ import annotations

import shutil
from importlib import resources
from pathlib import Path
from typing import Any

from torch import Tensor

import lexkit
from lexkit.arguments import user_path
from lexkit.atomic_write import sync
from lexkit.cards import front_matter
from lexkit.errors import HubError
from lexkit.hub import is_repository_name, upload
from lexkit.safe_output import markdown
from lexkit_distill.config import options, values
from lexkit_distill.config_files import to_yaml
from lexkit_distill.corpus import hub_dataset
from lexkit_distill.disk import LOCK, disk_failures
from lexkit_distill.errors import TrainingError
from lexkit_distill.tasks import split_task
from lexkit_distill.training.config import TrainConfig, split_weight
from lexkit_distill.training.student import Student, write_student

_UNFINISHED = "student.new"
_CARD = "README.md"


def export(
    student: Student, folder: Path, weights: dict[str, Tensor], config: TrainConfig, summary: dict[str, Any]
) -> None:
    """Write model, tokenizer, model card and ``train.yaml`` to *folder*, and upload them if configured.

    Files are written to a temporary folder first, so that no incomplete file gets its final name.

    Raises:
        TrainingError: the files cannot be written or uploaded.
    """
    beside = folder / _UNFINISHED
    advice = "free some space, and run the same command again; training is finished and saved in its last checkpoint"
    try:
        with disk_failures(TrainingError, folder, advice):
            shutil.rmtree(beside, ignore_errors=True)
            write_student(student, beside, weights)
            (beside / "train.yaml").write_text(to_yaml(type(config), values(config)), encoding="utf-8")
            (beside / _CARD).write_text(model_card(config, summary), encoding="utf-8")
            for file in list(beside.iterdir()):
                sync(file)
                if (folder / file.name).is_dir():  # chat templates of an earlier attempt
                    shutil.rmtree(folder / file.name)
                file.replace(folder / file.name)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    if config.run.push_to_hub:
        _upload(folder, config.run.push_to_hub)


def model_card(config: TrainConfig, summary: dict[str, Any]) -> str:
    """Return a model card in Markdown: data, hyperparameters, licences of the lexical sources, results."""
    from jinja2 import Environment, StrictUndefined
    from markupsafe import Markup

    template = resources.files(__package__).joinpath("model_card.md.jinja").read_text(encoding="utf-8")
    environment = Environment(
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
        finalize=lambda value: value if isinstance(value, Markup) else markdown(value),  # JSON is marked as safe
    )
    # Omit paths on this machine and options of the run, which mean nothing to readers of the card
    hyperparameters = {
        option.name: value
        for option, value in zip(options(type(config)), values(config).values(), strict=True)
        if not (value is None or value is False or value == ())
        if not option.metadata.get("place") and option.section != ("run",)
    }
    is_local = user_path(config.teacher).exists() or not is_repository_name(config.teacher)
    on_hub = None if is_local else config.teacher
    return environment.from_string(template).render(
        front_matter=Markup(_front_matter(config, on_hub)),
        version=lexkit.__version__,
        teacher=on_hub or user_path(config.teacher).resolve().name,
        on_hub=on_hub,
        method="Decoder-based sense knowledge distillation" if config.loss.semantic else "Knowledge distillation",
        data=[_shown(name) for name in config.data.data],
        hyperparameters=hyperparameters,
        sources=_sources(config),
        plan=summary["plan"],
        outcome=summary["outcome"],
    )


def _front_matter(config: TrainConfig, base_model: str | None) -> str:
    """Return the card's metadata; licence and languages are copied from the teacher's card if it is on this machine."""
    teacher = _teacher_card(config.teacher, base_model)
    data = {hub_dataset(split_task(split_weight(name)[0])[1]) for name in config.data.data}
    link = teacher.get("license_link")
    if isinstance(link, str) and not link.startswith("https://"):  # a file next to the teacher's card
        link = f"https://huggingface.co/{base_model}/blob/main/{link}" if base_model else None
    return front_matter(
        {
            "base_model": base_model,
            "license": teacher.get("license"),
            "license_name": teacher.get("license_name"),
            "license_link": link,
            "language": teacher.get("language"),
            "datasets": sorted(name for name in data if name and is_repository_name(name)),
            "library_name": "transformers",
            "pipeline_tag": "text-generation",
            "tags": ["distillation", "lexkit"],
        }
    )


def _teacher_card(teacher: str, base_model: str | None) -> dict[str, Any]:
    """Return the metadata of the teacher's card, without using the network; empty if there is no readable card."""
    from huggingface_hub import ModelCard, try_to_load_from_cache

    file = try_to_load_from_cache(base_model, _CARD) if base_model else user_path(teacher) / _CARD
    if not isinstance(file, str | Path):  # not in the cache
        return {}
    try:
        found: dict[str, Any] = ModelCard.load(file, ignore_metadata_errors=True).data.to_dict()
    except Exception:  # written by others: it may contain any YAML, or not be text
        return {}
    return {key: value for key, value in found.items() if _is_plain(value)}


def _is_plain(value: object) -> bool:
    return isinstance(value, str) or (isinstance(value, list) and all(isinstance(one, str) for one in value))


def _shown(name: str) -> str:
    """Return the name of a data set without the folders of this machine."""
    head, colon, rest = name.rpartition(":")
    return name if "hub:" in name else head + colon + Path(rest).name


def _sources(config: TrainConfig) -> list[dict[str, Any]]:
    """Return kind and licence of the store's sources."""
    if not config.loss.samples_positions:
        return []
    from lexkit.store.lexicon import Lexicon

    with Lexicon(user_path(config.store)) as lexicon:
        rows: list[dict[str, Any]] = lexicon.sql("SELECT DISTINCT kind, licence FROM source ORDER BY kind").to_pylist()
    return rows


def _upload(folder: Path, name: str) -> None:
    ignored = ["checkpoints/*", "tensorboard/*", "wandb/*", "mlflow*", "mlruns/*", "train*", "trackers*", LOCK]
    try:
        upload(folder, name, "model", ignore=ignored)
    except HubError as error:
        raise TrainingError(
            f"--push-to-hub {name}: not uploaded ({error}); the student is in {folder}, upload it with 'hf upload "
            f"{name} {folder}'"
        ) from error
