"""Teachers whose layers are spread over devices, as ``--device-map auto`` spreads them over GPUs.

Here all devices are the processor, but everything goes through accelerate's hooks, as it does on GPUs.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from lexkit_distill.errors import TeacherError


def load(folder: Path, **options: Any) -> Any:
    from lexkit_distill.teacher import load_teacher

    return load_teacher(str(folder), dtype="float32", **{"device": "cpu", **options})


def spread(teacher: Any) -> Any:
    """Have accelerate's hooks carry states from layer to layer, as if some were elsewhere."""
    import torch
    from accelerate.hooks import attach_align_device_hook_on_blocks

    model = teacher.model
    names = ["embed_tokens", "rotary_emb", *(f"layers.{place}" for place in range(6)), "norm"]
    places = dict.fromkeys([*(f"model.{name}" for name in names), "lm_head"], torch.device("cpu"))
    attach_align_device_hook_on_blocks(model, execution_device=places, skip_keys=model._skip_keys_device_placement)
    model.hf_device_map = {**places, "model.norm": "the other name"}
    assert teacher.is_spread
    return teacher


def trained(teacher: Any, folder: Path) -> dict[str, Any]:
    """States, gradients and files of a student."""
    import torch

    from lexkit_distill.training.student import Student, check_head, write_student

    ids = torch.randint(2, 300, (2, 20), generator=torch.Generator().manual_seed(0))
    teacher.check(ids)
    check_head(teacher, ids[:1])
    student = Student(teacher, layers=4, trained=2)
    assert student.check_shared_prefix(ids) == 0
    states = student.run_teacher(ids)
    hidden = student.run(student.module, ids, states.prefix)
    hidden.square().sum().backward()
    found = {name: parameter.grad for name, parameter in student.trained.named_parameters()}
    found |= {"hidden": hidden.detach(), "prefix": states.prefix, "final": states.final}
    write_student(student, folder)
    return found | {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("family", ["llama", "qwen2", "mistral"])
def test_a_spread_teacher_has_the_same_student(
    make_teacher: Callable[..., Path], tmp_path: Path, family: str, tied: bool
) -> None:
    import torch

    folder = make_teacher(tmp_path / "teacher", family, layers=6, tie_word_embeddings=tied)
    found, wanted = trained(spread(load(folder)), tmp_path / "spread"), trained(load(folder), tmp_path / "whole")
    assert found.keys() == wanted.keys()
    assert {"config.json", "model.safetensors", "tokenizer.json"} < found.keys()
    for name, value in wanted.items():
        assert torch.equal(found[name], value) if isinstance(value, torch.Tensor) else found[name] == value, name


def test_what_is_trained_takes_its_input_from_wherever_it_is(
    make_teacher: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a copied layer, only the layer itself moves what it reads: to where the head is."""
    import torch
    from accelerate import hooks

    from lexkit_distill.training.student import Student

    student = Student(spread(load(make_teacher(tmp_path, layers=6))), layers=4, trained=2)
    moved = []
    monkeypatch.setattr(hooks, "send_to_device", lambda given, device, **_: moved.append(device) or given)
    states = torch.zeros(1, 5, student.teacher.hidden_size)
    student.run(student.tail, torch.zeros(1, 5, dtype=torch.long), states)
    assert moved == [student.teacher.device] * 4  # positional and named arguments of two layers


def test_without_several_gpus_a_device_map_changes_nothing(teacher_folder: Path) -> None:
    teacher = load(teacher_folder, device_map="auto")
    assert not teacher.is_spread
    assert teacher.device.type == "cpu"


@pytest.fixture
def gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two GPUs, as far as loading asks for them."""
    import torch

    from lexkit_distill import teacher

    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(teacher, "resolve_device", lambda *_: torch.device("cuda", 0))


def test_a_teacher_that_does_not_fit_on_the_gpus_is_refused(
    gpus: None, teacher_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import transformers

    asked = []

    def loaded(*_: Any, device_map: str, **__: Any) -> SimpleNamespace:
        asked.append(device_map)
        return SimpleNamespace(hf_device_map={"model.layers.0": 0, "model.layers.1": "cpu"}, config=None)

    monkeypatch.setattr(transformers.AutoModelForCausalLM, "from_pretrained", loaded)
    with pytest.raises(TeacherError, match=r"does not fit on the GPUs; use more GPUs, or --quantize 4bit$"):
        load(teacher_folder, device="auto", device_map="auto")
    assert asked == ["auto"]


def test_several_processes_do_not_spread_a_teacher(teacher_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import torch

    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    with pytest.raises(TeacherError, match=r"one process uses all GPUs; leave it out, or start only one process$"):
        load(teacher_folder, device_map="auto")
