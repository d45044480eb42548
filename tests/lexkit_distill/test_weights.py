"""Fingerprints of weights: of their files, each read once, and of their values where files differ."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import DictionaryError, SampleError


def load(folder: Path, dtype: str = "float32") -> Any:
    from lexkit_distill.teacher import load_teacher

    return load_teacher(str(folder), dtype=dtype, device="cpu")


@pytest.fixture
def readings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[str]:
    """The names of the files that are read for their digests, with an empty cache."""
    from lexkit_distill import weights

    names: list[str] = []
    read = weights.fingerprint

    def noted(path: Path) -> tuple[str, int]:
        names.append(path.name)
        return read(path)

    monkeypatch.setenv("LEXKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(weights, "fingerprint", noted)
    return names


@pytest.fixture
def copied(teacher_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(teacher_folder, tmp_path / "teacher"))


def resharded(folder: Path, into: Path) -> Path:
    """The same teacher, its weights in several files."""
    teacher = load(folder)
    teacher.model.save_pretrained(into, max_shard_size="50KB")
    teacher.tokenizer.save_pretrained(into)
    assert len(list(into.glob("*.safetensors"))) > 2
    return into


def with_another_weight(folder: Path, into: Path) -> Path:
    teacher = load(folder)
    teacher.model.model.norm.weight.data[0] += 1
    teacher.model.save_pretrained(into)
    teacher.tokenizer.save_pretrained(into)
    return into


def test_a_fingerprint_is_of_the_weights_files_and_not_of_the_dtype(
    copied: Path, tmp_path: Path, readings: list[str]
) -> None:
    fingerprint = load(copied).fingerprint
    assert load(copied, "bfloat16").fingerprint == fingerprint
    copied.rename(tmp_path / "elsewhere")
    (tmp_path / "elsewhere" / "notes.txt").write_text("nothing of the model")
    assert load(tmp_path / "elsewhere").fingerprint == fingerprint
    assert load(with_another_weight(tmp_path / "elsewhere", tmp_path / "other")).fingerprint != fingerprint
    assert set(readings) == {"model.safetensors"}


def test_each_file_is_read_once_until_it_changes(teacher_folder: Path, tmp_path: Path, readings: list[str]) -> None:
    folder = resharded(teacher_folder, tmp_path / "parts")
    fingerprint = load(folder).fingerprint
    parts = sorted(path.name for path in folder.glob("*.safetensors"))
    assert sorted(readings) == parts
    assert load(folder).fingerprint == fingerprint
    assert len(readings) == len(parts)
    changed = folder / parts[0]
    content = bytearray(changed.read_bytes())
    content[-1] ^= 1
    changed.write_bytes(content)
    os.utime(changed, ns=(1, 1))
    assert load(folder).fingerprint != fingerprint
    assert readings[len(parts) :] == [parts[0]]


def test_digests_of_files_that_are_gone_are_forgotten(copied: Path, tmp_path: Path, readings: list[str]) -> None:
    first = load(copied).fingerprint
    copied.rename(tmp_path / "elsewhere")
    assert load(tmp_path / "elsewhere").fingerprint == first
    known = json.loads((tmp_path / "cache" / "digests.json").read_bytes())
    assert list(known) == [str((tmp_path / "elsewhere" / "model.safetensors").resolve())]
    assert readings == ["model.safetensors"] * 2


def test_a_cache_that_cannot_be_written_or_read_is_done_without(
    copied: Path, tmp_path: Path, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    fingerprint = load(copied).fingerprint
    (tmp_path / "cache" / "digests.json").write_text("{", encoding="utf-8")
    assert load(copied).fingerprint == fingerprint
    (tmp_path / "file").write_text("not a folder", encoding="utf-8")
    monkeypatch.setenv("LEXKIT_CACHE", str(tmp_path / "file"))
    assert load(copied).fingerprint == fingerprint
    assert len(readings) == 3


def test_files_of_the_hub_have_their_digest_as_name(
    teacher_folder: Path, tmp_path: Path, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = "0" * 40
    repository = tmp_path / "hub" / "models--some--model"
    (repository / "blobs").mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(commit)
    snapshot = repository / "snapshots" / commit
    shutil.copytree(teacher_folder, snapshot)
    weights = snapshot / "model.safetensors"
    blob = repository / "blobs" / hashlib.sha256(weights.read_bytes()).hexdigest()
    weights.rename(blob)
    weights.symlink_to(os.path.relpath(blob, snapshot))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(repository.parent))
    from lexkit_distill.weights import files_digest, weight_files

    (file,) = weight_files("some/model", commit)
    assert files_digest([file]) == files_digest(weight_files("some/model"))
    assert readings == []
    assert files_digest([file]) == load(teacher_folder).fingerprint
    assert weight_files("some/other") == ()


def test_a_model_made_in_memory_has_a_fingerprint_of_its_values(teacher_folder: Path, readings: list[str]) -> None:
    teacher = load(teacher_folder)
    made = dataclasses.replace(teacher, files=())
    assert made.fingerprint == teacher.values_digest != teacher.fingerprint
    assert load(teacher_folder, "bfloat16").values_digest == made.fingerprint
    made.model.model.norm.weight.data[0] += 1
    assert dataclasses.replace(made).fingerprint != teacher.values_digest


@pytest.fixture(scope="module")
def senses(tmp_path_factory: pytest.TempPathFactory, teacher_folder: Path, corpus: Path) -> Path:
    from lexkit_distill.senses.build import build_senses
    from lexkit_distill.senses.config import SensesConfig

    folder = tmp_path_factory.mktemp("weights")
    build_senses(senses_config(SensesConfig, teacher_folder, corpus, folder, 2))
    return folder


def senses_config(make: Callable[..., Any], teacher: Path, corpus: Path, folder: Path, k: int) -> Any:
    return make(
        teacher=str(teacher),
        corpus=(str(corpus),),
        output=str(folder / f"senses-{k}"),
        sample=str(folder / "sample"),
        k=k,
        max_per_token=4,
        dtype="float32",
        device="cpu",
    )


def test_a_dictionary_fits_the_same_weights_in_other_files(
    senses: Path, teacher_folder: Path, tmp_path: Path, readings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit_distill.config import make
    from lexkit_distill.training import inputs
    from lexkit_distill.training.config import TrainConfig

    def opens(teacher: Any, dictionary: Path) -> str:
        config = make(TrainConfig, {"teacher": teacher.name, "senses": str(dictionary)})
        return str(inputs.open_dictionary(config, teacher.encoder, teacher).path)

    monkeypatch.setattr(inputs, "read_relations", lambda *_, **__: None)
    now = senses / "senses-2"
    same = load(resharded(teacher_folder, tmp_path / "parts"))
    assert same.fingerprint != load(teacher_folder).fingerprint
    other = load(with_another_weight(teacher_folder, tmp_path / "other"))
    before = Path(shutil.copytree(now, tmp_path / "before"))
    meta = json.loads((before / "meta.json").read_bytes())
    meta["teacher_fingerprint"] = meta.pop("teacher_values")  # as earlier versions wrote it
    (before / "meta.json").write_text(json.dumps(meta), encoding="utf-8")
    for dictionary in (now, before):
        assert opens(load(teacher_folder), dictionary) == opens(same, dictionary) == str(dictionary)
        with pytest.raises(DictionaryError, match="made by another teacher"):
            opens(other, dictionary)


def test_a_sample_of_an_earlier_version_is_used_again(
    senses: Path, teacher_folder: Path, corpus: Path, tmp_path: Path, readings: list[str]
) -> None:
    from lexkit_distill.senses.build import build_senses
    from lexkit_distill.senses.config import SensesConfig

    folder = tmp_path / "again"
    shutil.copytree(senses / "sample", folder / "sample")
    what = json.loads((folder / "sample" / "sample.json").read_bytes())
    for known, k in ((load(teacher_folder).values_digest, 2), ("0" * 64, 3)):
        (folder / "sample" / "sample.json").write_text(json.dumps({**what, "teacher": known}), encoding="utf-8")
        config = senses_config(SensesConfig, teacher_folder, corpus, folder, k)
        if k == 2:
            build_senses(config)
            rows = (folder / "senses-2" / "senses.safetensors").read_bytes()
            assert rows == (senses / "senses-2" / "senses.safetensors").read_bytes()
        else:
            with pytest.raises(SampleError, match="contains a sample with another teacher"):
                build_senses(config)
