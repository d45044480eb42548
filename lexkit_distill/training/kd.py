"""Knowledge distillation loss CE + alpha T^2 KL (paper, section 4.1), computed without keeping all logits in memory.

Since the head is frozen, only the gradient at the student's last hidden state is needed. It is computed in the forward
pass, one chunk of tokens at a time, so that only one buffer with the logits of both models exists. If both models share
the head, as they usually do, one matrix product computes the logits of both.

The teacher's distribution can be summarised. If logits are linear in the hidden state (no soft cap), KL is the Bregman
divergence of the log partition function A(h) = log sum_v exp(w_v h / T):

    KL(p || q) = A(n) - A(m) - e (n - m) / T,    e = sum_v p(v) w_v

So e (d,) and A(m) replace the teacher's whole distribution (`TeacherSummary`). A cache stores them, and a step then
needs two products with the head instead of three.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import torch
from torch import Tensor

from lexkit.errors import first_line
from lexkit_distill.errors import TrainingError

_CHUNK_ELEMENTS = 3 << 22
"""Logits (tokens x vocabulary) per chunk on a CPU, and per softmax block on a GPU: 50 MB in fp32."""
_CACHED_ELEMENTS = 1 << 19
"""Logits per softmax block on a CPU: 2 MB in fp32, which fits into the CPU's cache."""
_SHARE_OF_GPU = 1 / 32
"""Largest share of a GPU's memory that the logits of both models may use."""


class Head(NamedTuple):
    """A language model head: logits = cap(weight @ hidden + bias)."""

    weight: Tensor
    """(V, d) output embeddings."""
    bias: Tensor | None = None
    """(V,) bias of the logits, if the model has one."""
    cap: float | None = None
    """Soft cap, as in Gemma: logits become cap * tanh(logits / cap)."""
    kernel: Any = None
    """Module `kd_kernel` if its fused kernel is used (on a GPU), or None to use PyTorch operations."""

    def logits(self, hidden: Tensor, out: Tensor | None = None) -> Tensor:
        """Return logits (n, V) of hidden states (n, d), before the cap, in the head's precision."""
        logits = torch.mm(hidden.to(self.weight.dtype), self.weight.T, out=out)
        return logits if self.bias is None else logits.add_(self.bias)

    def capped(self, logits: Tensor) -> Tensor:
        """Return logits after the cap, in fp32 (or fp64 if they are fp64)."""
        exact = logits if logits.dtype == torch.float64 else logits.float()
        return exact if self.cap is None else (exact / self.cap).tanh_().mul_(self.cap)


class TeacherSummary(NamedTuple):
    """Summary of the teacher's distributions p at temperature T; it is sufficient for the loss (see the module)."""

    embedding: Tensor
    """(n, d) mean e of the head's rows under p."""
    log_partition: Tensor
    """(n,) log partition function A(m), in fp32."""


class KDLoss(NamedTuple):
    """Losses, summed over tokens."""

    total: Tensor
    """() CE + alpha T^2 KL, with gradient."""
    ce: Tensor
    """() cross-entropy, in nats."""
    kl: Tensor
    """() KL(teacher || student) at temperature T, in nats."""
    gradient: Tensor | None
    """(n, d) gradient of `total` at the student's hidden states; None if gradients are disabled."""


def kd_loss(
    student_hidden: Tensor,
    teacher_hidden: Tensor,
    targets: Tensor,
    head: Head,
    teacher_head: Head | None = None,
    *,
    weight: float = 1.0,
    temperature: float = 1.0,
    summary: TeacherSummary | None = None,
    chunk: int | None = None,
) -> KDLoss:
    """Return the sum over tokens of CE(t) + weight KL(teacher || student)(t).

    Args:
        student_hidden: (n, d) student states n_t.
        teacher_hidden: (n, d') teacher states m_t.
        targets: (n,) next tokens x_{t+1}.
        head: head of the student.
        teacher_head: head of the teacher; None if it is the same.
        weight: weight of the KL term, alpha T^2.
        temperature: softmax temperature T for teacher and student in the KL term.
        summary: result of `summarize` for *teacher_hidden* at this temperature; None computes the teacher's logits.
        chunk: tokens to process at a time; None chooses by the memory of the device.

    Raises:
        TrainingError: the heads do not have the same vocabulary.
    """
    teacher_head = teacher_head if teacher_head is not None else head
    if len(head.weight) != len(teacher_head.weight):
        raise TrainingError(
            f"the student's vocabulary has {len(head.weight):,} tokens and the teacher's "
            f"{len(teacher_head.weight):,}; KL needs the same tokenizer and head size"
        )
    chunk = chunk or chunk_tokens(head)
    has_gradient = torch.is_grad_enabled() and student_hidden.requires_grad
    with torch.no_grad(), torch.autocast(student_hidden.device.type, enabled=False):
        gradient = torch.empty_like(student_hidden) if has_gradient else None
        exact = torch.float32 if student_hidden.device.type == "mps" else torch.float64
        ce = student_hidden.new_zeros((), dtype=exact)
        kl = ce.clone()
        size = min(chunk, len(targets)) * (1 if summary is not None else 2)
        buffer = head.weight.new_empty(size, len(head.weight))
        for start in range(0, len(targets), chunk):
            rows = slice(start, start + chunk)
            ours, theirs, of_rows = student_hidden[rows], teacher_hidden[rows], targets[rows]
            if summary is None:
                part = _from_logits(
                    ours, theirs, of_rows, head, teacher_head, weight, temperature, has_gradient, buffer
                )
            else:
                of_teacher = TeacherSummary(*(value[rows] for value in summary))
                part = _from_summary(ours, theirs, of_rows, head, of_teacher, weight, temperature, has_gradient, buffer)
            ce += part.ce.sum(dtype=exact)
            kl += part.kl.sum(dtype=exact)
            if gradient is not None:
                gradient[rows] = part.gradient @ head.weight
        if gradient is not None and summary is not None:
            gradient.sub_(summary.embedding.to(gradient), alpha=weight / temperature)
        total = ce + weight * kl
    if gradient is not None:
        total = with_gradient(student_hidden, total, gradient)
    return KDLoss(total, ce, kl, gradient)


@torch.no_grad()
def summarize(
    teacher_hidden: Tensor, head: Head, *, temperature: float = 1.0, chunk: int | None = None
) -> TeacherSummary:
    """Summarise the teacher's distributions at hidden states m_t (n, d). The head must not have a soft cap."""
    assert head.cap is None
    chunk = chunk or chunk_tokens(head)
    embedding = teacher_hidden.new_empty(teacher_hidden.shape, dtype=head.weight.dtype)
    exact = torch.float64 if head.weight.dtype == torch.float64 else torch.float32
    log_partition = teacher_hidden.new_empty(len(teacher_hidden), dtype=exact)
    buffer = head.weight.new_empty(min(chunk, len(teacher_hidden)), len(head.weight))
    for start in range(0, len(teacher_hidden), chunk):
        rows = slice(start, start + chunk)
        logits = head.logits(teacher_hidden[rows], out=buffer[: len(teacher_hidden[rows])])
        for part in _parts(len(logits), head):
            q, log_partition[rows][part] = _softmax(logits[part], temperature)
            logits[part] = q
        torch.mm(logits, head.weight, out=embedding[rows])
    return TeacherSummary(embedding, log_partition)


def _parts(n: int, head: Head) -> Iterator[slice]:
    """Yield the softmax blocks of a chunk of *n* rows of logits."""
    step = softmax_rows(head.weight)
    for first in range(0, n, step):
        yield slice(first, first + step)


def softmax_rows(weight: Tensor) -> int:
    """Return the number of rows in a softmax block, on the device of the head's weight (V, d)."""
    elements = _CACHED_ELEMENTS if weight.device.type == "cpu" else _CHUNK_ELEMENTS
    return max(elements // len(weight), 1)


def chunk_tokens(head: Head) -> int:
    """Return the number of tokens whose logits are computed at a time.

    Each chunk reads the whole head, so a GPU uses large chunks: as many tokens as fit into a fixed share of its memory.
    The share is of the total memory rather than the free memory, since the size of a matrix product affects rounding.
    """
    weight = head.weight
    if weight.device.type != "cuda":
        return max(_CHUNK_ELEMENTS // len(weight), 16)
    memory = torch.cuda.get_device_properties(weight.device).total_memory
    return max(int(memory * _SHARE_OF_GPU // (2 * len(weight) * weight.itemsize)) // 128 * 128, 128)


def with_kernel(head: Head, states: Tensor) -> tuple[Head, str | None]:
    """Return *head* with the fused kernel if the kernel is available and agrees with the PyTorch operations.

    Args:
        head: the head, on the device.
        states: (n, d) hidden states of the teacher on which to compare the two.

    Returns:
        The head, and the reason why a GPU cannot use the kernel, if it cannot.
    """
    if head.weight.device.type != "cuda":
        return head, None
    try:
        from lexkit_distill.training import kd_kernel
    except ImportError:  # torch for CUDA includes Triton on Linux only
        return head, "Triton is not installed"
    try:
        fused, plain = (_compared(one, states) for one in (head._replace(kernel=kd_kernel), head))
    except Exception as error:  # Triton and its compilers raise many kinds
        return head, first_line(error)
    difference = max(float((a - b).norm() / b.norm().clamp_min(1e-6)) for a, b in zip(fused, plain, strict=True))
    if difference > _KERNEL_TOLERANCE[head.weight.dtype]:
        return head, f"it differs by {difference:.1%}"
    return head._replace(kernel=kd_kernel), None


def _compared(head: Head, states: Tensor) -> list[Tensor]:
    """Return CE, KL and gradient of a student whose states are the teacher's, shifted by one position."""
    hidden = states.roll(1, 0).detach().requires_grad_()
    with torch.enable_grad():
        found = kd_loss(hidden, states, head.logits(states).argmax(1), head)
    assert found.gradient is not None
    return [part.detach().double() for part in (found.ce, found.kl, found.gradient)]


_KERNEL_TOLERANCE = {torch.float32: 1e-3, torch.bfloat16: 0.02, torch.float16: 0.01}


def _softmax(logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Return the softmax (n, V) of logits / T, in at least fp32, and the log of its denominator (n,)."""
    exact = logits.to(torch.promote_types(logits.dtype, torch.float32), copy=True)
    if temperature != 1:
        exact /= temperature
    largest = exact.amax(1)
    exact.sub_(largest[:, None]).exp_()
    total = exact.sum(1)
    return exact.div_(total[:, None]), total.log().add_(largest)


class _Block(NamedTuple):
    ce: Tensor  # (n,)
    kl: Tensor  # (n,)
    gradient: Tensor  # (n, V) at the student's logits, before the cap


def _from_summary(
    student_hidden: Tensor,
    teacher_hidden: Tensor,
    targets: Tensor,
    head: Head,
    of_teacher: TeacherSummary,
    weight: float,
    temperature: float,
    has_gradient: bool,
    buffer: Tensor,
) -> _Block:
    """Return the losses of a chunk, given the teacher's summary; the gradient lacks the teacher's part."""
    logits = head.logits(student_hidden, out=buffer[: len(targets)])
    exact = torch.promote_types(logits.dtype, torch.float32)
    difference = (student_hidden - teacher_hidden.to(student_hidden)).to(exact)
    kl = torch.linalg.vecdot(of_teacher.embedding.to(exact), difference).div_(-temperature) - of_teacher.log_partition
    if head.kernel is not None:
        ce, log_partition = head.kernel.losses(
            logits, None, targets, weight=weight, temperature=temperature, cap=None, has_gradient=has_gradient
        )
        return _Block(ce, kl.add_(log_partition), logits)
    ce = torch.empty_like(kl)
    for part in _parts(len(targets), head):
        picked = targets[part, None]
        at_target = logits[part].gather(1, picked).squeeze(1)
        q, log_partition = _softmax(logits[part], 1.0)
        ce[part] = log_partition - at_target
        if temperature == 1:
            kl[part] += log_partition
            q.mul_(1 + weight)
        else:
            q_t, log_partition = _softmax(logits[part], temperature)
            kl[part] += log_partition
            q.add_(q_t, alpha=weight / temperature)
        if has_gradient:
            logits[part] = q.scatter_add_(1, picked, q.new_full(picked.shape, -1))
    return _Block(ce, kl, logits)


def _from_logits(
    student_hidden: Tensor,
    teacher_hidden: Tensor,
    targets: Tensor,
    head: Head,
    teacher_head: Head,
    weight: float,
    temperature: float,
    has_gradient: bool,
    buffer: Tensor,
) -> _Block:
    """Return the losses of a chunk from the logits of both models."""
    n = len(targets)
    student, teacher = buffer[:n], buffer[n : 2 * n]
    if head is teacher_head:
        both = torch.cat([student_hidden.to(head.weight.dtype), teacher_hidden.to(head.weight.dtype)])
        head.logits(both, out=buffer[: 2 * n])
    else:
        head.logits(student_hidden, out=student)
        teacher_head.logits(teacher_hidden, out=teacher)
    if head.kernel is not None and head.cap == teacher_head.cap:
        fused_ce, fused_kl = head.kernel.losses(
            student, teacher, targets, weight=weight, temperature=temperature, cap=head.cap, has_gradient=has_gradient
        )
        return _Block(fused_ce, fused_kl, student)
    ce, kl = [], []
    for part in _parts(n, head):
        block = _block(
            head.capped(student[part]),
            teacher_head.capped(teacher[part]),
            targets[part],
            weight,
            temperature,
            head.cap if has_gradient else None,
        )
        ce.append(block.ce)
        kl.append(block.kl)
        if has_gradient:
            student[part] = block.gradient
    return _Block(torch.cat(ce), torch.cat(kl), student)


def _block(
    student: Tensor, teacher: Tensor, targets: Tensor, weight: float, temperature: float, cap: float | None
) -> _Block:
    """Return the losses of rows of logits (n, V), and the gradient at the student's logits."""
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
    """Return *value* () with the precomputed *gradient* (n, d) with respect to *hidden* (n, d)."""
    result: Tensor = _WithGradient.apply(hidden, value, gradient)  # type: ignore[no-untyped-call]
    return result
