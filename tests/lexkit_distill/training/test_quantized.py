"""Students of quantised teachers; a stand-in has weights of 8 bits with a scale a row, as bitsandbytes has them."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import TeacherError


def int8_linear(linear: Any) -> Any:
    """The stand-in for a linear map; and of what it computes, the weights are the only way to know."""
    import torch
    from torch import nn

    class Int8Linear(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.in_features, self.out_features, self.bias = linear.in_features, linear.out_features, linear.bias
            scale = linear.weight.abs().amax(1, keepdim=True) / 127
            self.weight = nn.Parameter((linear.weight / scale).round().to(torch.int8), requires_grad=False)
            self.register_buffer("scale", scale)

        @property
        def values(self) -> torch.Tensor:
            return self.weight * self.scale

        def forward(self, rows: torch.Tensor) -> torch.Tensor:
            return nn.functional.linear(rows, self.values.to(rows.dtype), self.bias)

        def __deepcopy__(self, memo: Any) -> Any:
            raise AssertionError("quantised weights are not copied")

    return Int8Linear()


@pytest.fixture
def quantized(make_teacher: Callable[..., Path], tmp_path: Path) -> Any:
    """A teacher with biases, whose layers are quantised."""
    from torch import nn

    from lexkit_distill.teacher import load_teacher

    teacher = load_teacher(str(make_teacher(tmp_path / "teacher", "qwen2", layers=6)), dtype="float32", device="cpu")
    for layer in teacher.model.model.layers:
        for module in list(layer.modules()):
            for name, child in list(module.named_children()):
                if isinstance(child, nn.Linear):
                    if child.bias is not None:
                        nn.init.constant_(child.bias, 0.5)
                    setattr(module, name, int8_linear(child).requires_grad_(False))
    teacher.model.config.quantization_config = {"quant_method": "stand-in"}
    return teacher


def ids() -> Any:
    import torch

    return torch.randint(2, 300, (2, 20), generator=torch.Generator().manual_seed(0))


def linear_maps(module: Any) -> list[Any]:
    return [part for part in module.modules() if hasattr(part, "in_features")]


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_a_dense_copy_has_the_values_of_the_quantized_weights_whatever_the_bias(dtype: str) -> None:
    import torch
    from torch import nn

    from lexkit_distill.dequantize import dequantized_copy

    precision = getattr(torch, dtype)
    module = int8_linear(nn.Linear(1500, 3)).to(precision)
    module.bias = nn.Parameter(torch.tensor([1e6, 0.0, -3.0], dtype=precision))
    dense = dequantized_copy(nn.Sequential(module, nn.ReLU()), precision)[0]
    assert type(dense) is nn.Linear
    assert dense.weight.dtype == precision
    assert torch.equal(dense.weight, module.values)
    assert torch.equal(dense.bias, module.bias)
    assert module.bias is not dense.bias


def test_frozen_layers_stay_quantized_and_trained_ones_are_dense(quantized: Any) -> None:
    import torch
    from torch import nn

    from lexkit_distill.training.student import Student

    student = Student(quantized, layers=4, trained=2)
    layers = quantized.model.model.layers
    assert all(mine is theirs for mine, theirs in zip(student.full.layers[:2], layers[:2], strict=True))
    trained = linear_maps(student.trained)
    assert len(trained) == len(linear_maps(layers[:2]))
    assert {type(part) for part in trained} == {nn.Linear}
    assert {parameter.dtype for parameter in student.trained.parameters()} == {torch.float32}
    with torch.no_grad():
        whole = student.run(student.full, ids(), None)
        student.full.layers[2], student.full.layers[3] = layers[2], layers[3]
        torch.testing.assert_close(whole, student.run(student.full, ids(), None))


def test_a_student_of_a_quantized_teacher_trains_and_is_saved_as_an_ordinary_model(
    quantized: Any, tmp_path: Path
) -> None:
    import torch
    import transformers

    from lexkit_distill.training.student import Student, check_head, write_student

    student = Student(quantized, layers=4, trained=1)
    check_head(quantized, ids()[:1])
    assert student.check_shared_prefix(ids()) == 0
    student.run(student.module, ids(), student.run_teacher(ids()).prefix).sum().backward()
    with torch.no_grad():
        for parameter in student.trained.parameters():
            assert parameter.grad is not None
            parameter.sub_(parameter.grad, alpha=1e-4)
    write_student(student, tmp_path / "student")
    assert "quantization_config" not in json.loads((tmp_path / "student" / "config.json").read_bytes())
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "student")
    with torch.no_grad():
        expected = student.head.logits(student.run(student.full, ids()[:1], None)[0])
        torch.testing.assert_close(loaded(ids()[:1]).logits[0], expected, rtol=1e-4, atol=1e-4)


def test_a_quantized_teacher_has_a_fingerprint_of_its_own(quantized: Any) -> None:
    prints = {dataclasses.replace(quantized, quantize=quantize).fingerprint for quantize in (None, "4bit", "8bit")}
    assert len(prints) == 3
    assert quantized.has_fingerprint(quantized.fingerprint)
    assert quantized.values_digest == quantized.fingerprint


def test_what_cannot_be_quantized_is_refused_in_one_line(
    teacher_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from lexkit_distill import teacher

    monkeypatch.setattr(teacher, "find_spec", lambda _: None)
    with pytest.raises(
        TeacherError, match="--quantize 4bit: bitsandbytes is not installed; run 'pip install"
    ) as raised:
        teacher.load_teacher(str(teacher_folder), device="cpu", quantize="4bit")
    assert "\n" not in str(raised.value)
    folder = Path(shutil.copytree(teacher_folder, tmp_path / "quantized"))
    config = json.loads((folder / "config.json").read_bytes())
    config["quantization_config"] = {"quant_method": "bitsandbytes", "load_in_8bit": True}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    with pytest.raises(TeacherError, match="already quantised; leave out --quantize"):
        teacher.load_teacher(str(folder), device="cpu", quantize="4bit")
