"""Knowledge distillation at the head, CE + alpha T^2 KL (paper, section 4.1), without holding the logits.

The head is frozen, so the only gradient that is wanted is the one at the student's last hidden state. It is formed in
the forward pass, a chunk of tokens at a time: one buffer with the logits of both models is all that ever exists. Where
they share the head, as they do, one product makes both.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor

from lexkit_distill.errors import TrainingError

CHUNK_ELEMENTS = 3 << 22
"""Tokens x vocabulary of a chunk: 50 MB of fp32 logits of each model."""
_CACHED_ELEMENTS = 1 << 19
"""Of these, what goes through the softmaxes at once on a CPU: 2 MB, so that it stays in a processor's cache."""


class Head(NamedTuple):
    """A language model head: logits = cap(weight @ hidden + bias)."""

    weight: Tensor
    """(V, d)"""
    bias: Tensor | None = None
    """(V,)"""
    cap: float | None = None
    """Gemma's soft cap: logits are cap * tanh(logits / cap)."""

    def logits(self, hidden: Tensor, out: Tensor | None = None) -> Tensor:
        """Return logits (n, V) of hidden states (n, d), without the cap, in the head's precision."""
        logits = torch.mm(hidden.to(self.weight.dtype), self.weight.T, out=out)
        return logits if self.bias is None else logits.add_(self.bias)

    def capped(self, logits: Tensor) -> Tensor:
        """Return fp32 (or fp64) logits with the cap."""
        exact = logits if logits.dtype == torch.float64 else logits.float()
        return exact if self.cap is None else (exact / self.cap).tanh_().mul_(self.cap)


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
        buffer = head.weight.new_empty(2 * min(chunk, len(targets)), len(head.weight))
        for start in range(0, len(targets), chunk):
            rows = slice(start, start + chunk)
            n = len(targets[rows])
            student, teacher = buffer[:n], buffer[n : 2 * n]
            if head is teacher_head:
                both = torch.cat(
                    [student_hidden[rows].to(head.weight.dtype), teacher_hidden[rows].to(head.weight.dtype)]
                )
                head.logits(both, out=buffer[: 2 * n])
            else:
                head.logits(student_hidden[rows], out=student)
                teacher_head.logits(teacher_hidden[rows], out=teacher)
            step = max(_CACHED_ELEMENTS // len(head.weight), 1) if buffer.device.type == "cpu" else n
            for first in range(0, n, step):
                part = slice(first, first + step)
                block = _block(
                    head.capped(student[part]),
                    teacher_head.capped(teacher[part]),
                    targets[rows][part],
                    weight,
                    temperature,
                    head.cap if wanted else None,
                )
                ce += block.ce.sum(dtype=exact)
                kl += block.kl.sum(dtype=exact)
                if wanted:
                    student[part] = block.gradient
            if gradient is not None:
                gradient[rows] = student @ head.weight
        total = ce + weight * kl
    if gradient is not None:
        total = with_gradient(student_hidden, total, gradient)
    return KDLoss(total, ce, kl, gradient)


class _Block(NamedTuple):
    ce: Tensor  # (n,)
    kl: Tensor  # (n,)
    gradient: Tensor  # (n, V) at the student's logits, before the cap


def _block(
    student: Tensor, teacher: Tensor, targets: Tensor, weight: float, temperature: float, cap: float | None
) -> _Block:
    """Losses of some rows of logits (n, V), and the gradient at the student's."""
    picked = targets[:, None]
    log_q1 = torch.log_softmax(student, 1)
    ce = -log_q1.gather(1, picked).squeeze(1)
    log_q = log_q1 if temperature == 1 else torch.log_softmax(student / temperature, 1)
    log_p = torch.log_softmax(teacher if temperature == 1 else teacher / temperature, 1)
    p = log_p.exp()
    kl = log_p.sub_(log_q).mul_(p).sum(1)
    if temperature == 1:
        gradient = log_q.exp_().mul_(1 + weight).sub_(p, alpha=weight)
    else:
        gradient = log_q1.exp_().add_(log_q.exp_().sub_(p), alpha=weight / temperature)
    gradient.scatter_add_(1, picked, gradient.new_full(picked.shape, -1))
    if cap is not None:
        gradient.mul_(1 - (student / cap).square())
    return _Block(ce, kl, gradient)


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
