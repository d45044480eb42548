"""Knowledge distillation at the head, CE + alpha T^2 KL (paper, section 4.1), without holding the logits.

The head is frozen, so the only gradient that is wanted is the one at the student's last hidden state. It is formed in
the forward pass, a chunk of tokens at a time: two (chunk, V) blocks and a difference are all that ever exists.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from lexkit_distill.errors import TrainingError

CHUNK_ELEMENTS = 1 << 23
"""Tokens x vocabulary of a block: 32 MB of fp32 logits."""


class Head(NamedTuple):
    """A language model head: logits = cap(weight @ hidden + bias)."""

    weight: Tensor
    """(V, d)"""
    bias: Tensor | None = None
    """(V,)"""
    cap: float | None = None
    """Gemma's soft cap: logits are cap * tanh(logits / cap)."""

    def logits(self, hidden: Tensor) -> Tensor:
        """Return fp32 (or fp64) logits (n, V) of hidden states (n, d)."""
        logits = torch.nn.functional.linear(hidden.to(self.weight.dtype), self.weight, self.bias)
        if logits.dtype != torch.float64:
            logits = logits.float()
        return logits if self.cap is None else logits.div_(self.cap).tanh_().mul_(self.cap)


class KDLoss(NamedTuple):
    """Sums over tokens."""

    total: Tensor
    """() CE + alpha T^2 KL; has the gradient."""
    ce: Tensor
    """()"""
    kl: Tensor
    """() KL(teacher || student) at temperature T, in nats."""
    gradient: Tensor | None
    """(n, d) of total at the student's hidden states; None where no gradient is wanted."""


def kd_loss(
    student_hidden: Tensor,
    teacher_hidden: Tensor,
    targets: Tensor,
    head: Head,
    teacher_head: Head | None = None,
    *,
    alpha: float = 1.0,
    temperature: float = 1.0,
    kl_weight: float | None = None,
    chunk: int | None = None,
) -> KDLoss:
    """Return the sum over tokens of CE(t) + alpha T^2 KL(teacher || student)(t).

    Args:
        student_hidden: n_t (n, d).
        teacher_hidden: m_t (n, d').
        targets: x_{t+1} (n,).
        head: the student's.
        teacher_head: the teacher's, if it is another.
        alpha: weight of the KL term.
        temperature: T, of both softmaxes in the KL term.
        kl_weight: weight of the KL term in place of alpha T^2 (a deviation of the authors' code).
        chunk: tokens at a time.

    Raises:
        TrainingError: the heads do not have the same vocabulary.
    """
    teacher_head = teacher_head if teacher_head is not None else head
    if len(head.weight) != len(teacher_head.weight):
        raise TrainingError(
            f"the student's vocabulary has {len(head.weight):,} tokens and the teacher's "
            f"{len(teacher_head.weight):,}; KL needs the same tokenizer and head size"
        )
    weight = alpha * temperature**2 if kl_weight is None else kl_weight
    chunk = chunk or max(CHUNK_ELEMENTS // len(head.weight), 16)
    wanted = torch.is_grad_enabled() and student_hidden.requires_grad
    with torch.no_grad(), torch.autocast(student_hidden.device.type, enabled=False):
        gradient = torch.empty_like(student_hidden) if wanted else None
        exact = torch.float32 if student_hidden.device.type == "mps" else torch.float64
        ce = student_hidden.new_zeros((), dtype=exact)
        kl = ce.clone()
        for start in range(0, len(targets), chunk):
            rows = slice(start, start + chunk)
            logits = head.logits(student_hidden[rows])
            kept = logits.clone() if wanted and head.cap is not None else None
            block = _block(
                logits, teacher_head.logits(teacher_hidden[rows]), targets[rows], weight, temperature, wanted=wanted
            )
            ce += block.ce.sum(dtype=exact)
            kl += block.kl.sum(dtype=exact)
            if gradient is not None and block.gradient is not None:
                if head.cap is not None and kept is not None:
                    block.gradient.mul_(1 - (kept / head.cap).square())
                gradient[rows] = block.gradient.to(head.weight.dtype) @ head.weight
        total = ce + weight * kl
    if gradient is not None:
        total = with_gradient(student_hidden, total, gradient)
    return KDLoss(total, ce, kl, gradient)


class _Block(NamedTuple):
    ce: Tensor  # (n,)
    kl: Tensor  # (n,)
    gradient: Tensor | None  # (n, V) at the student's logits


def _block(
    student: Tensor, teacher: Tensor, targets: Tensor, weight: float, temperature: float, *, wanted: bool
) -> _Block:
    """Losses of a chunk and the gradient at its logits (n, V); both logits are overwritten."""
    picked = targets[:, None]
    at_target = student.gather(1, picked).squeeze(1)
    plain = student
    if temperature != 1:
        student = student / temperature
        teacher.div_(temperature)
    difference = teacher - student
    log_teacher, log_student = _softmax_(teacher), _softmax_(student)
    kl = difference.mul_(teacher).sum(1) + log_student - log_teacher
    del difference
    if temperature == 1:
        ce = log_student - at_target
        gradient = student.mul_(1 + weight).sub_(teacher, alpha=weight) if wanted else None
    else:
        ce = _softmax_(plain) - at_target
        gradient = plain.add_(student.sub_(teacher), alpha=weight / temperature) if wanted else None
    if gradient is not None:
        gradient.scatter_add_(1, picked, gradient.new_full(picked.shape, -1))
    return _Block(ce, kl, gradient)


def _softmax_(logits: Tensor) -> Tensor:
    """Turn logits (n, V) into probabilities in place, and return the log of their normaliser (n,)."""
    top = logits.amax(1, keepdim=True)
    total = logits.sub_(top).exp_().sum(1, keepdim=True)
    logits.div_(total)
    return (top + total.log()).squeeze(1)


class _WithGradient(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, value: Tensor, gradient: Tensor) -> Tensor:  # noqa: ANN401
        ctx.save_for_backward(gradient)
        return value.clone()

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None, None]:  # noqa: ANN401
        (gradient,) = ctx.saved_tensors
        return gradient * upstream.to(gradient.dtype), None, None


def with_gradient(hidden: Tensor, value: Tensor, gradient: Tensor) -> Tensor:
    """Return *value* () as a function of *hidden* (n, d) whose gradient, already known, is *gradient* (n, d)."""
    result: Tensor = _WithGradient.apply(hidden, value, gradient)  # type: ignore[no-untyped-call]
    return result
