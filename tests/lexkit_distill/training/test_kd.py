"""CE and KL at the head, against the equations written out."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from lexkit_distill.errors import TrainingError


def example(n: int = 11, d: int = 6, vocabulary: int = 23, seed: int = 0) -> Any:
    import torch

    from lexkit_distill.training.kd import Head

    generator = torch.Generator().manual_seed(seed)
    student, teacher = (torch.randn(n, d, generator=generator, dtype=torch.float64) for _ in range(2))
    targets = torch.randint(vocabulary, (n,), generator=generator)
    return student.requires_grad_(), teacher, targets, Head(torch.randn(vocabulary, d, generator=generator).double())


def literally(student: Any, teacher: Any, targets: Any, head: Any, alpha: float, temperature: float) -> Any:
    """A loop over tokens: CE + alpha T^2 sum_v p(v) (log p(v) - log q(v))."""
    import torch

    total = torch.zeros((), dtype=student.dtype)
    for n, m, target in zip(student, teacher, targets, strict=True):
        logits, teacher_logits = head.weight @ n, head.weight @ m
        if head.bias is not None:
            logits, teacher_logits = logits + head.bias, teacher_logits + head.bias
        if head.cap is not None:
            logits, teacher_logits = (head.cap * torch.tanh(z / head.cap) for z in (logits, teacher_logits))
        ce = -torch.log(torch.exp(logits[target]) / torch.exp(logits).sum())
        p, q = torch.softmax(teacher_logits / temperature, 0), torch.softmax(logits / temperature, 0)
        total = total + ce + alpha * temperature**2 * (p * (p / q).log()).sum()
    return total


@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize(("alpha", "temperature"), [(1.0, 1.0), (0.5, 1.0), (1.0, 2.0), (2.0, 0.5), (0.0, 1.0)])
@pytest.mark.parametrize("extra", [{}, {"cap": 2.0}, {"bias": True}])
def test_loss_and_gradient_are_those_of_the_equations(
    chunk: int, alpha: float, temperature: float, extra: dict[str, Any]
) -> None:
    import torch

    from lexkit_distill.training.kd import kd_loss

    student, teacher, targets, head = example()
    if "bias" in extra:
        extra = {"bias": torch.linspace(-1, 1, len(head.weight)).double()}
    head = head._replace(**extra)
    found = kd_loss(
        student, teacher, targets, head, weight=alpha * temperature**2, temperature=temperature, chunk=chunk
    )
    (gradient,) = torch.autograd.grad(found.total, student)
    expected = literally(student, teacher, targets, head, alpha, temperature)
    (expected_gradient,) = torch.autograd.grad(expected, student)
    torch.testing.assert_close(found.total, expected)
    torch.testing.assert_close(gradient, expected_gradient)
    torch.testing.assert_close(found.gradient, expected_gradient)


@pytest.mark.parametrize("chunk", [1, 4, 100])
@pytest.mark.parametrize(("alpha", "temperature"), [(1.0, 1.0), (0.5, 1.0), (1.0, 2.0), (2.0, 0.5), (0.0, 1.0)])
@pytest.mark.parametrize("bias", [False, True])
def test_a_mean_embedding_and_a_log_partition_stand_for_the_teacher(
    chunk: int, alpha: float, temperature: float, bias: bool
) -> None:
    import torch

    from lexkit_distill.training.kd import kd_loss, summarize

    student, teacher, targets, head = example()
    if bias:
        head = head._replace(bias=torch.linspace(-1, 1, len(head.weight)).double())
    summary = summarize(teacher, head, temperature=temperature, chunk=chunk)
    p = torch.softmax((teacher @ head.weight.T + (head.bias if bias else 0)) / temperature, 1)
    torch.testing.assert_close(summary.embedding, p @ head.weight)
    options = {"weight": alpha * temperature**2, "temperature": temperature, "chunk": chunk}
    known = kd_loss(student, teacher, targets, head, summary=summary, **options)
    plain = kd_loss(student, teacher, targets, head, **options)
    for name in ("total", "ce", "kl", "gradient"):
        torch.testing.assert_close(getattr(known, name), getattr(plain, name))
    literal = literally(student, teacher, targets, head, alpha, temperature)
    torch.testing.assert_close(known.total, literal)
    wanted, found = (torch.autograd.grad(loss, student)[0] for loss in (literal, known.total))
    torch.testing.assert_close(found, wanted)


def test_in_bf16_the_divergence_from_a_known_teacher_is_as_near_as_from_one_that_is_asked() -> None:
    import torch

    from lexkit_distill.training.kd import kd_loss, summarize

    student, teacher, targets, head = example(n=400, d=64, vocabulary=1000)
    exact = kd_loss(student, teacher, targets, head)
    half = head._replace(weight=head.weight.bfloat16())
    n, m = student.detach().float(), teacher.bfloat16()
    plain = kd_loss(n, m, targets, half)
    known = kd_loss(n, m, targets, half, summary=summarize(m, half))
    for found in (plain, known):
        assert float(found.kl) == pytest.approx(float(exact.kl), rel=2e-3)
        assert float(found.ce) == pytest.approx(float(exact.ce), rel=2e-3)
    itself = kd_loss(m.float(), m, targets, half, summary=summarize(m, half))
    assert float(itself.kl) == pytest.approx(0, abs=1e-2)
    assert torch.isfinite(known.total)


def test_gradcheck() -> None:
    import torch

    from lexkit_distill.training.kd import kd_loss

    student, teacher, targets, head = example(n=5)
    assert torch.autograd.gradcheck(
        lambda hidden: kd_loss(hidden, teacher, targets, head, weight=0.7 * 1.5**2, temperature=1.5, chunk=2).total,
        (student,),
    )


def test_the_divergence_of_a_teacher_from_itself_is_zero() -> None:
    from lexkit_distill.training.kd import kd_loss

    _, teacher, targets, head = example()
    for temperature in (1.0, 3.0):
        found = kd_loss(teacher.clone(), teacher, targets, head, temperature=temperature)
        assert float(found.kl) == pytest.approx(0, abs=1e-14)


def test_a_fixed_weight_of_the_divergence_takes_the_place_of_alpha() -> None:
    from lexkit_distill.config import make
    from lexkit_distill.training.config import TrainConfig

    values = {"teacher": "t", "alpha": 0.1, "temperature": 2.0}
    assert make(TrainConfig, values).kl_weight == pytest.approx(0.4)
    assert make(TrainConfig, {**values, "kl_weight": 2.8}).kl_weight == 2.8


def test_no_gradient_is_formed_where_none_is_wanted() -> None:
    import torch

    from lexkit_distill.training.kd import kd_loss

    student, teacher, targets, head = example()
    with torch.no_grad():
        assert kd_loss(student, teacher, targets, head).gradient is None


def test_half_precision_is_near_the_exact_loss() -> None:
    import torch

    from lexkit_distill.training.kd import Head, kd_loss

    student, teacher, targets, head = example(n=200, d=16, vocabulary=300)
    exact = kd_loss(student, teacher, targets, head).total
    rough = kd_loss(
        student.detach().bfloat16().requires_grad_(), teacher.bfloat16(), targets, Head(head.weight.bfloat16())
    )
    torch.testing.assert_close(rough.total, exact, rtol=0.02, atol=0)
    assert rough.gradient is not None
    assert rough.gradient.dtype == torch.bfloat16


def test_vocabularies_that_differ_are_refused() -> None:
    from lexkit_distill.training.kd import Head, kd_loss

    student, teacher, targets, head = example()
    with pytest.raises(TrainingError, match="vocabulary has 23 tokens and the teacher's 20"):
        kd_loss(student, teacher, targets, head, Head(head.weight[:20]))


KERNEL = """
import itertools, sys, torch
from lexkit_distill.training import kd_kernel
from lexkit_distill.training.kd import Head, kd_loss, summarize

generator = torch.Generator().manual_seed(0)
for vocabulary, temperature, cap, dtype, summarized in itertools.product(
    (300, 5000), (1.0, 2.0), (None, 30.0), (torch.float32, torch.bfloat16), (False, True)
):
    if cap and summarized:
        continue
    weight = (3 * torch.randn(vocabulary, 16, generator=generator)).to(dtype)
    n, m = (torch.randn(9, 16, generator=generator).to(dtype) for _ in range(2))
    targets = torch.randint(vocabulary, (9,), generator=generator)
    found = []
    for head in (Head(weight, None, cap), Head(weight, None, cap, kd_kernel)):
        summary = summarize(m, head, temperature=temperature) if summarized else None
        loss = kd_loss(
            n.clone().requires_grad_(), m, targets, head, weight=0.7, temperature=temperature, summary=summary, chunk=4
        )
        found.append([loss.ce, loss.kl, loss.gradient])
    rounding = 1e-5 if dtype == torch.float32 else 0.01
    for plain, fused in zip(*found):
        largest = float(plain.abs().max())
        torch.testing.assert_close(fused.double(), plain.double(), rtol=rounding, atol=rounding * largest)
    print(vocabulary, temperature, cap, dtype, summarized)
"""


def test_the_fused_kernel_gives_what_the_plain_code_gives() -> None:
    """In Triton's interpreter, which runs a kernel on the processor; it has to be chosen before Triton is imported."""
    pytest.importorskip("triton", reason="Triton is not installed")
    environment = {**os.environ, "TRITON_INTERPRET": "1", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", KERNEL], env=environment, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.splitlines()) == 24


def test_the_fused_kernel_compiles_for_a_gpu() -> None:
    """The interpreter takes more of Python than the compiler does."""
    triton = pytest.importorskip("triton", reason="Triton is not installed")
    from triton.backends.compiler import GPUTarget

    from lexkit_distill.training import kd_kernel

    kernel = kd_kernel._kernel
    integers = dict.fromkeys(("vocabulary", "student_stride", "teacher_stride"), "i32")
    numbers = dict.fromkeys(("weight", "inverse", "cap"), "fp32")
    for logits, has_teacher, is_tempered, is_capped in (
        ("*bf16", True, False, False),
        ("*bf16", False, True, False),
        ("*fp32", True, True, True),
    ):
        flags = {"has_teacher": has_teacher, "is_tempered": is_tempered, "is_capped": is_capped, "has_gradient": True}
        constants = {**flags, "block": kd_kernel._BLOCK}
        pointers = {"student": logits, "teacher": logits, "targets": "*i64", "ce": "*fp32", "kl": "*fp32"}
        signature = {**pointers, **integers, **numbers, **dict.fromkeys(constants, "constexpr")}
        source = triton.compiler.ASTSource(kernel, signature, constants)
        options = {"num_warps": kd_kernel._WARPS, "enable_fp_fusion": True}
        compiled = triton.compile(source, target=GPUTarget("cuda", 90, 32), options=options)
        assert compiled.asm["cubin"]
