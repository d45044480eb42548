"""Students cut from teachers of several families: the shared prefix is exact, and what is saved is ordinary."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lexkit_distill.errors import TrainingError

FAMILIES = ["llama", "mistral", "qwen2", "qwen3", "gemma", "gemma2"]


def load(folder: Path, dtype: str = "float32") -> Any:
    from lexkit_distill.teacher import load_teacher

    return load_teacher(str(folder), dtype=dtype, device="cpu")


def loss_and_gradients(student: Any, token_ids: Any, *, shared: bool) -> Any:
    import torch

    from lexkit_distill.training.kd import kd_loss

    student.trained.zero_grad()
    states = student.run_teacher(token_ids)
    hidden = student.run(student.tail if shared else student.full, token_ids, states.prefix if shared else None)
    loss = kd_loss(
        hidden[:, :-1].flatten(0, 1), states.final[:, :-1].flatten(0, 1), token_ids[:, 1:].flatten(), student.head
    )
    loss.total.backward()
    gradients = {name: p.grad.clone() for name, p in student.trained.named_parameters()}
    assert all(bool(torch.isfinite(g).all()) for g in gradients.values())
    return loss.total.detach(), gradients


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("family", FAMILIES)
def test_the_shared_prefix_gives_the_losses_and_gradients_of_the_plain_way(
    make_teacher: Callable[..., Path], tmp_path: Path, family: str, dtype: str
) -> None:
    import torch

    from lexkit_distill.training.student import Student, check_head

    changes = {"sliding_window": 4} if family in ("mistral", "gemma2") else {}
    teacher = load(make_teacher(tmp_path, family, layers=6, **changes), dtype)
    student = Student(teacher, layers=4, trained=2)
    token_ids = torch.randint(2, 300, (2, 20), generator=torch.Generator().manual_seed(0))
    check_head(teacher, token_ids[:1])
    assert student.check_shared_prefix(token_ids) == 0 or dtype == "bfloat16"
    assert student.shares_prefix
    loss, gradients = loss_and_gradients(student, token_ids, shared=True)
    plain_loss, plain_gradients = loss_and_gradients(student, token_ids, shared=False)
    if dtype == "float32":
        assert torch.equal(loss, plain_loss)
    for name, gradient in gradients.items():
        assert gradient.norm() > 0
        if dtype == "float32":
            assert torch.equal(gradient, plain_gradients[name])
        else:
            assert (gradient - plain_gradients[name]).norm() < 0.1 * plain_gradients[name].norm()


def test_only_the_last_layers_are_trained_and_they_are_in_fp32(
    make_teacher: Callable[..., Path], tmp_path: Path
) -> None:
    import torch

    from lexkit_distill.training.student import Student

    teacher = load(make_teacher(tmp_path, layers=6), "bfloat16")
    student = Student(teacher)
    assert (student.layers, student.n_trained) == (3, 2)
    trained = [p for p in student.full.parameters() if p.requires_grad]
    assert len(trained) == len(list(student.trained.parameters()))
    assert {p.dtype for p in trained} == {torch.float32}
    own = {id(p) for p in teacher.model.parameters()}
    assert not own & {id(p) for p in student.trained.parameters()}
    # Whatever else there is belongs to the teacher, but for a copy of the norm
    others = [p for p in student.full.parameters() if not p.requires_grad and id(p) not in own]
    assert [p.shape for p in others] == [student.full.norm.weight.shape]


def test_a_prefix_that_is_not_the_students_falls_back_to_the_plain_way(six_layers: Path) -> None:
    import torch

    from lexkit_distill.training.student import Student

    student = Student(load(six_layers), layers=4)
    with torch.no_grad():
        student.full.layers[0] = type(student.full.layers[0])(student.full.config, 0)  # another layer
    assert student.check_shared_prefix(torch.randint(2, 300, (2, 20))) > 0.01
    assert not student.shares_prefix
    assert student.module is student.full


@pytest.mark.parametrize("tied", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("family", ["llama", "qwen2", "gemma2"])
def test_a_saved_student_is_an_ordinary_model_that_needs_no_lexkit(
    make_teacher: Callable[..., Path], tmp_path: Path, family: str, tied: bool
) -> None:
    import torch
    import transformers

    from lexkit_distill.training.student import Student, write_student

    teacher = load(make_teacher(tmp_path / "teacher", family, layers=6, tie_word_embeddings=tied))
    student = Student(teacher, layers=4, trained=1)
    with torch.no_grad():
        for parameter in student.trained.parameters():
            parameter.mul_(1.01)
    write_student(student, tmp_path / "student")
    loaded = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "student")
    assert loaded.config.num_hidden_layers == 4
    assert len(getattr(loaded.config, "layer_types", None) or range(4)) == 4
    token_ids = torch.randint(2, 300, (1, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected = student.head.capped(student.head.logits(student.run(student.full, token_ids, None)[0]))
        torch.testing.assert_close(loaded(token_ids).logits[0], expected)
    script = """
import sys
sys.modules["lexkit"] = sys.modules["lexkit_distill"] = None
import transformers
folder = sys.argv[1]
tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
model = transformers.AutoModelForCausalLM.from_pretrained(folder)
print(model.generate(**tokenizer("the river", return_tensors="pt"), max_new_tokens=5, do_sample=False).shape[1])
"""
    if family == "llama":
        command = [sys.executable, "-c", script, str(tmp_path / "student")]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert int(done.stdout) > 2


def test_layers_that_the_teacher_does_not_have(six_layers: Path) -> None:
    from lexkit_distill.training.student import Student

    for layers, trained in ((7, 2), (3, 4), (2, 0)):
        with pytest.raises(TrainingError, match="the teacher has 6 layers"):
            Student(load(six_layers), layers, trained)


def test_decoders_that_are_not_like_llama_are_refused(tmp_path: Path, six_layers: Path) -> None:
    import transformers

    from lexkit_distill.teacher import Teacher
    from lexkit_distill.training.student import check_architecture, check_head

    model = transformers.GPT2LMHeadModel(transformers.GPT2Config(n_embd=16, n_layer=1, n_head=2, vocab_size=50))
    with pytest.raises(TrainingError, match="GPT2LMHeadModel is not built like Llama"):
        check_architecture(Teacher("gpt2", model, None))
    import torch

    scaled = load(six_layers)
    scaled.model.lm_head.register_forward_hook(lambda _module, _args, logits: logits / 8)
    with pytest.raises(TrainingError, match="changes its logits after the head"):
        check_head(scaled, torch.arange(2, 20)[None])


def test_layers_that_share_state_are_refused() -> None:
    import transformers

    from lexkit_distill.teacher import Teacher
    from lexkit_distill.training.student import check_architecture

    config = transformers.Gemma3nTextConfig(
        vocab_size=64,
        vocab_size_per_layer_input=64,
        hidden_size=16,
        hidden_size_per_layer_input=8,
        intermediate_size=32,
        num_hidden_layers=4,
        num_kv_shared_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=8,
        laurel_rank=4,
        layer_types=["sliding_attention", "full_attention"] * 2,
        activation_sparsity_pattern=[0.0] * 4,
    )
    teacher = Teacher("gemma-3n", transformers.Gemma3nForCausalLM(config), None)
    with pytest.raises(TrainingError, match=r"share state with each other \(num_kv_shared_layers\)") as raised:
        check_architecture(teacher)
    assert "\n" not in str(raised.value)
