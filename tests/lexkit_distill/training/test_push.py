"""``--push-to-hub`` with a stand-in for the hub."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import TrainingError

Configured = Callable[..., Any]


@pytest.fixture
def failures() -> list[Exception]:
    """What the hub is going to raise, the last first."""
    return []


@pytest.fixture
def uploads(monkeypatch: pytest.MonkeyPatch, failures: list[Exception]) -> list[tuple[str, set[str]]]:
    """Name and files of what the hub was given."""
    import huggingface_hub
    from huggingface_hub.utils import filter_repo_objects

    found: list[tuple[str, set[str]]] = []

    class Hub:
        def create_repo(self, _: str, *, repo_type: str, private: bool | None, exist_ok: bool) -> None:
            assert (repo_type, private, exist_ok) == ("model", None, True)
            if failures:
                raise failures.pop()

        def upload_folder(self, *, repo_id: str, folder_path: Path, ignore_patterns: list[str], **_: Any) -> None:
            names = [path.relative_to(folder_path).as_posix() for path in folder_path.rglob("*") if path.is_file()]
            found.append((repo_id, set(filter_repo_objects(names, ignore_patterns=ignore_patterns))))

    monkeypatch.setattr(huggingface_hub, "HfApi", Hub)
    monkeypatch.setenv("HF_TOKEN", "hf_stand_in")
    return found


def test_the_student_is_uploaded_without_checkpoints(
    configured: Configured, tmp_path: Path, uploads: list[tuple[str, set[str]]]
) -> None:
    from lexkit_distill.training.run import train

    train(configured(max_steps=4, epochs=1, push_to_hub="someone/student", log_with=("tensorboard",)))
    assert list((tmp_path / "student" / "checkpoints").iterdir())
    ((name, files),) = uploads
    assert name == "someone/student"
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json"} <= files
    assert not any(file.startswith(("checkpoints", "tensorboard", "train")) for file in files)


def test_an_upload_that_fails_is_one_line_and_done_again_without_training(
    configured: Configured,
    tmp_path: Path,
    uploads: list[tuple[str, set[str]]],
    failures: list[Exception],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from lexkit_distill.training.run import train
    from lexkit_distill.training.trainer import Trainer

    failures.append(OSError("401 Unauthorized\nlog in first"))
    held = (str(tmp_path / "held.txt"),)
    config = configured(max_steps=4, epochs=1, push_to_hub="someone/student", eval_data=held)
    with pytest.raises(TrainingError, match=r"someone/student: not uploaded \(401 Unauthorized\); the") as raised:
        train(config)
    assert "\n" not in str(raised.value)
    assert uploads == []
    assert (tmp_path / "student" / "model.safetensors").exists()

    def never(_: Trainer, number: int) -> Any:
        raise AssertionError(number)

    monkeypatch.setattr(Trainer, "_step", never)
    summary = train(config)
    assert summary is not None
    assert [name for name, _ in uploads] == ["someone/student"]
    with (tmp_path / "student" / "log.csv").open(newline="", encoding="utf-8") as file:
        last = list(csv.DictReader(file))[-1]
    assert summary.outcome.loss == float(last["loss"])
    assert summary.outcome.held_out["kl"] == float(last["eval_kl"])


def test_a_missing_token_is_reported_before_training(
    configured: Configured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit_distill.checks import check_training

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "none"))
    config = configured(push_to_hub="someone/student")
    with pytest.raises(TrainingError, match=r"^--push-to-hub someone/student: no token for the hub is set; run 'hf"):
        check_training(config)
    check_training(config, preview=True)
