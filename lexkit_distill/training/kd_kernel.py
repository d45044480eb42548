"""The softmaxes of `kd`, fused into one Triton kernel that processes each row of logits while it is in the GPU's cache.

Each program processes one row. It reads the logits of both models once, for maxima, denominators and the divergence,
which it rescales as the maxima grow (Milakov and Gimelshein 2018), and once more to overwrite the student's logits with
the gradient. `kd._from_logits` and `kd._from_summary` are the reference; the tests compare this kernel with them in
Triton's interpreter.
"""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor

_BLOCK = 4096
_WARPS = 8


@triton.jit  # type: ignore[untyped-decorator]
def _capped(x, cap, is_capped: tl.constexpr):  # type: ignore[no-untyped-def]
    if is_capped:
        e = tl.exp(-2.0 * tl.abs(x / cap))  # tanh, which some versions of Triton lack
        t = cap * (1.0 - e) / (1.0 + e)
        x = tl.where(x < 0, -t, t)
    return x


@triton.jit  # type: ignore[untyped-decorator]
def _kernel(  # type: ignore[no-untyped-def]
    student,
    teacher,
    targets,
    ce,
    kl,
    vocabulary,
    student_stride,
    teacher_stride,
    weight,
    inverse,
    cap,
    has_teacher: tl.constexpr,
    is_tempered: tl.constexpr,
    is_capped: tl.constexpr,
    has_gradient: tl.constexpr,
    block: tl.constexpr,
):
    row = tl.program_id(0).to(tl.int64)
    ours, theirs = student + row * student_stride, teacher + row * teacher_stride
    lowest = -3.0e38
    top, total, total_tempered = lowest, 0.0, 0.0  # of the student: max, sum exp(s - max), sum exp((s - max) / T)
    their_top, their_total, mean = lowest, 0.0, 0.0  # of the teacher, and sum exp((t - max) / T) (t - s) / T
    for first in range(0, vocabulary, block):
        columns = first + tl.arange(0, block)
        there = columns < vocabulary
        s = _capped(tl.load(ours + columns, mask=there, other=0.0).to(tl.float32), cap, is_capped)
        s = tl.where(there, s, lowest)
        new_top = tl.maximum(top, tl.max(s, 0))
        total = total * tl.exp(top - new_top) + tl.sum(tl.exp(s - new_top), 0)
        if is_tempered:
            grown = tl.exp((top - new_top) * inverse)
            total_tempered = total_tempered * grown + tl.sum(tl.exp((s - new_top) * inverse), 0)
        top = new_top
        if has_teacher:
            t = _capped(tl.load(theirs + columns, mask=there, other=0.0).to(tl.float32), cap, is_capped)
            t = tl.where(there, t, lowest)
            their_new_top = tl.maximum(their_top, tl.max(t, 0))
            grown = tl.exp((their_top - their_new_top) * inverse)
            e = tl.exp((t - their_new_top) * inverse)
            their_total = their_total * grown + tl.sum(e, 0)
            mean = mean * grown + tl.sum(tl.where(there, e * (t - s) * inverse, 0.0), 0)
            their_top = their_new_top
    target = tl.load(targets + row)
    at_target = _capped(tl.load(ours + target).to(tl.float32), cap, is_capped)
    log_total = tl.log(total) + top
    tl.store(ce + row, log_total - at_target)
    log_tempered = tl.log(total_tempered) + top * inverse if is_tempered else log_total
    if has_teacher:
        their_log_total = tl.log(their_total) + their_top * inverse
        tl.store(kl + row, mean / their_total + log_tempered - their_log_total)
    else:
        tl.store(kl + row, log_tempered)  # A(n), to which `kd` adds the rest
    if has_gradient:
        for first in range(0, vocabulary, block):
            columns = first + tl.arange(0, block)
            there = columns < vocabulary
            s = _capped(tl.load(ours + columns, mask=there, other=0.0).to(tl.float32), cap, is_capped)
            if is_tempered:
                gradient = tl.exp(s - log_total) + weight * inverse * tl.exp(s * inverse - log_tempered)
            else:
                gradient = (1.0 + weight) * tl.exp(s - log_total)
            if has_teacher:
                t = _capped(tl.load(theirs + columns, mask=there, other=0.0).to(tl.float32), cap, is_capped)
                gradient -= weight * inverse * tl.exp(t * inverse - their_log_total)
            gradient = tl.where(columns == target, gradient - 1.0, gradient)
            if is_capped:
                gradient *= 1.0 - (s / cap) * (s / cap)
            tl.store(ours + columns, gradient.to(student.dtype.element_ty), mask=there)


def losses(
    student: Tensor,
    teacher: Tensor | None,
    targets: Tensor,
    *,
    weight: float,
    temperature: float,
    cap: float | None,
    has_gradient: bool,
) -> tuple[Tensor, Tensor]:
    """Return CE (n,) and KL (n,) of rows of logits, in fp32; optionally overwrite *student* with the gradient.

    Logits must be contiguous within each row.

    Args:
        student: (n, V) logits of the student, before the cap.
        teacher: (n, V) logits of the teacher, before the cap; with None, log sum exp(s / T) is returned in place of KL,
            and the gradient lacks the teacher's part.
        targets: (n,) tokens to predict.
        weight: weight of the KL term, alpha T^2.
        temperature: softmax temperature T in the KL term.
        cap: soft cap of the logits, if any.
        has_gradient: whether to overwrite *student* with the gradient (n, V) of sum CE + weight KL.
    """
    n, vocabulary = student.shape
    ce, kl = (torch.empty(n, dtype=torch.float32, device=student.device) for _ in range(2))
    other = student if teacher is None else teacher
    if n:
        _kernel[(n,)](
            student,
            other,
            targets,
            ce,
            kl,
            vocabulary,
            student.stride(0),
            other.stride(0),
            weight,
            1.0 / temperature,
            1.0 if cap is None else cap,
            has_teacher=teacher is not None,
            is_tempered=temperature != 1,
            is_capped=cap is not None,
            has_gradient=has_gradient,
            block=_BLOCK,
            num_warps=_WARPS,
            enable_fp_fusion=True,  # versions of Triton differ in the default
        )
    return ce, kl
