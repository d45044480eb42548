"""Run the steps of the demo. A step is skipped if its result already exists."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import lexkit
from lexkit.arguments import user_path
from lexkit.atomic_write import write_json
from lexkit.progress import Progress
from lexkit_distill.checks import DONE, check_model
from lexkit_distill.config import changed, make
from lexkit_distill.demo.comparison import MEASURES, NOTE, StudentComparison, plot, read_log
from lexkit_distill.demo.config import DemoConfig
from lexkit_distill.demo.teacher import NAME, dense_teacher, packaged_weights
from lexkit_distill.demo.text import Text, read_text
from lexkit_distill.disk import LOCK, disk_failures, lock_folder, read_json
from lexkit_distill.errors import TeacherError, TrainingError
from lexkit_distill.senses.config import SensesConfig
from lexkit_distill.senses.meta import META, read_meta
from lexkit_distill.training.config import TrainConfig, preset

MARK = "demo.json"
"""File with the inputs of the demo in a folder; written first."""
_AGAIN = "remove the folder to start the demo again"
STEPS, EVAL_EVERY, TRAINED, MAX_LENGTH = 64, 8, 2, 128


@dataclass(frozen=True)
class Demo:
    """The result of a demo, and its folder."""

    folder: Path
    comparison: StudentComparison

    @property
    def picture(self) -> Path:
        """Path of the plot of both measures of both students over the steps."""
        return self.folder / "comparison.png"

    @property
    def figures(self) -> Path:
        """Path of the `StudentComparison`, as JSON."""
        return self.folder / "comparison.json"


def run_demo(config: DemoConfig, progress: Callable[[str], Progress] = lambda _: Progress()) -> Demo:
    """Build a store and a sense dictionary, train two students, and compare them. Calling it again resumes a demo.

    Args:
        config: configuration of the demo.
        progress: returns the object that reports the stages of a step, given the name of the step.

    Raises:
        LexkitError: something is wrong with the teacher, the text or the folder.
        Stopped: the demo was stopped by a signal.
    """
    text = read_text(config.text)
    # Checkpoints record paths, so these must not depend on the working directory
    folder = _absolute(config.output)
    if config.teacher is not None and _absolute(config.teacher).is_dir():
        config = replace(config, teacher=str(_absolute(config.teacher)))
    # Report a missing teacher before anything is written
    if config.teacher is not None:
        _layers(config.teacher)
    elif not (folder / "teacher" / NAME).exists():
        packaged_weights()
    advice = "free some space, and run the same command again to resume"
    with lock_folder(folder, TrainingError), disk_failures(TrainingError, folder, advice):
        _claim(folder, config, text)
        return _made(folder, config, text, progress)


def _made(folder: Path, config: DemoConfig, text: Text, progress: Callable[[str], Progress]) -> Demo:
    parts = text.write(folder / "text")
    teacher = config.teacher or _teacher(folder / "teacher", progress("teacher"))
    layers = _layers(teacher)
    store, senses = folder / "lexkit.duckdb", folder / "senses"
    if not store.exists():
        lexkit.build(store, tokenizers=[f"teacher={teacher}"], progress=progress("store"))
    _make_senses(config, teacher, parts["senses"], senses, store, progress("senses"))
    kd = make(
        TrainConfig,
        {
            **preset("kd"),
            "teacher": teacher,
            "data": (str(parts["training"]),),
            "eval_data": (str(parts["held-out"]),),
            "output": str(folder / "kd"),
            "trained": min(TRAINED, max(layers // 2, 1)),
            "lr": 3e-3,
            "max_length": MAX_LENGTH,
            "batch_size": 8,
            "epochs": STEPS,  # enough for the shortest text, which has one step per epoch
            "max_steps": STEPS,
            "eval_every": EVAL_EVERY,
            "save_every": EVAL_EVERY,
            "keep_last": 1,
            "seed": config.seed,
            "dtype": "float32",
            "cache": str(folder / "cache"),
        },
    )
    dskd = changed(
        kd, output=str(folder / "dskd"), senses=str(senses), store=str(store), beta_p=1.0, beta_n=1.0, gamma="auto"
    )
    held_out = {
        "teacher": _as_it_is(changed(kd, layers=layers), folder / "teacher.json", progress("teacher")),
        "untrained": _as_it_is(kd, folder / "untrained.json", progress("untrained")),
        "kd": _trained(kd, progress("kd")),
        "dskd": _trained(dskd, progress("dskd")),
    }
    demo = Demo(folder, _compared(kd, layers, text, held_out, folder))
    write_json(demo.figures, demo.comparison)
    plot(demo.comparison, demo.picture)
    return demo


def _absolute(path: str) -> Path:
    return Path(os.path.abspath(user_path(path)))  # noqa: PTH100  # not resolve(): a link keeps its name


def _claim(folder: Path, config: DemoConfig, text: Text) -> None:
    """Mark *folder* as the output of this demo, or check that it is already.

    Raises:
        TrainingError: the folder contains other files, or a demo with other inputs.
        OSError: the folder cannot be written.
    """
    what = {"teacher": config.teacher, "text": text.fingerprint, "seed": config.seed, "lexkit": lexkit.__version__}
    mark = folder / MARK
    if mark.exists():
        other = [name for name, value in read_json(mark, TrainingError, _AGAIN).items() if value != what.get(name)]
        if other:
            raise TrainingError(
                f"{folder}: contains a demo with another {' and '.join(other)}; remove it, or give another --output"
            )
    elif any(path.name != LOCK for path in folder.iterdir()):
        raise TrainingError(f"{folder}: contains files that are not part of a demo; give another --output")
    else:
        write_json(mark, what)
    (folder / "text").mkdir(exist_ok=True)


def _teacher(folder: Path, progress: Progress) -> str:
    if not (folder / NAME).exists():
        progress.stage("reading the packaged weights")
    try:
        return str(dense_teacher(folder))
    finally:
        progress.close()


def _layers(teacher: str) -> int:
    """Return the number of a teacher's layers.

    Raises:
        TeacherError: the teacher cannot be found, or its config.json does not give the number.
    """
    layers = check_model(teacher).get("num_hidden_layers")
    if not isinstance(layers, int):
        raise TeacherError(f"{teacher}: its config.json has no num_hidden_layers; give another --teacher")
    return layers


def _make_senses(config: DemoConfig, teacher: str, corpus: Path, senses: Path, store: Path, progress: Progress) -> None:
    if not (senses / META).exists():
        progress.stage("starting PyTorch")
        from lexkit_distill.senses.build import build_senses

        options = SensesConfig(
            teacher=teacher,
            corpus=(str(corpus),),
            output=str(senses),
            anchor="predicted",
            max_length=MAX_LENGTH,
            batch_tokens=1024,
            dtype="float32",
            seed=config.seed,
        )
        build_senses(options, progress)
    if read_meta(senses).store_fingerprint is None:
        from lexkit_distill.senses.compose import compose_senses

        compose_senses(senses, store, progress=progress)


def _as_it_is(config: TrainConfig, path: Path, progress: Progress) -> dict[str, float]:
    """Return the held-out results of an untrained student, and cache them at *path*."""
    if not path.exists():
        from lexkit_distill.training.run import train

        summary = train(changed(config, lr=0.0, max_steps=1, eval_every=1), progress, dry_run=True)
        assert summary is not None
        write_json(path, summary.outcome.held_out)
    found: dict[str, float] = read_json(path, TrainingError, _AGAIN)
    return found


def _trained(config: TrainConfig, progress: Progress) -> dict[str, float]:
    """Return the held-out results of a student; train it unless that is done already."""
    folder = Path(config.run.output)
    if not (folder / DONE).exists():
        from lexkit_distill.training.run import train

        train(config, progress)
    done: dict[str, Any] = read_json(folder / DONE, TrainingError, _AGAIN)
    found: dict[str, float] = done["outcome"]["held_out"]
    return found


def _compared(
    config: TrainConfig, layers: int, text: Text, held_out: dict[str, dict[str, float]], folder: Path
) -> StudentComparison:
    start = {"step": 0, **{name: held_out["untrained"][name] for name in MEASURES}}
    logs = {name: read_log(folder / name) for name in ("kd", "dskd")}
    plan = read_json(folder / "kd" / DONE, TrainingError, _AGAIN)["plan"]
    return StudentComparison(
        teacher=Path(config.teacher).name,
        text=text.name,
        paragraphs={**text.counts, "left out": text.left_out},
        seed=config.optimiser.seed,
        layers={"teacher": layers, "student": plan["layers"], "trained": config.student.trained},
        steps=STEPS,
        held_out=held_out,
        curves={name: [start, *curve] for name, (curve, _) in logs.items()},
        seconds={name: seconds for name, (_, seconds) in logs.items()},
        note=NOTE.format(words=sum(len(one.split()) for one in text.paragraphs), steps=STEPS),
    )
