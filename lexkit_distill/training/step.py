"""The loss of a batch: CE + alpha T^2 KL at every target, and L_sem at sampled positions (paper, section 4.2).

Means are taken over all targets, or all sampled positions, of a whole step. Since a step's rows may be divided among
batches and processes, each batch adds its sums divided by the step's number of targets or sampled positions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn

from lexkit_distill.supervision.nearest import Candidates, Supervision
from lexkit_distill.training.batches import Batch
from lexkit_distill.training.config import LossConfig
from lexkit_distill.training.kd import TeacherSummary, kd_loss
from lexkit_distill.training.prefetch import CachedStates, DeviceBatch, select
from lexkit_distill.training.semantic import contrast_loss, semantic_loss
from lexkit_distill.training.student import Student

SUMS = (
    "targets",
    "ce",
    "kl",
    "sampled",
    "positive",
    "negative",
    "hidden",
    "contrast",
    "active",
    "hinges",
    "semantic_gradient",
    "kd_gradient",
)
"""Names of the sums computed for each batch; the gradients are squared norms at the sampled positions."""


class TeacherSignal(NamedTuple):
    """The teacher's states for a batch."""

    prefix: Tensor | None
    """(B, T, d) states after the frozen layers; None if the student runs all of its layers."""
    teacher_hidden: Tensor
    """(n, d) teacher states m_t at the predicting positions."""
    candidates: Candidates | None = None
    """Candidates of the sampled positions, as indices into the batch's senses; None if they must be chosen."""
    summary: TeacherSummary | None = None
    """Summary of the teacher's distributions at the n positions, if a cache has it."""


class SignalSource(Protocol):
    """Source of the teacher's signal: the teacher itself, or a cache."""

    def __call__(self, batch: DeviceBatch) -> TeacherSignal:
        """Return the teacher's signal for *batch*."""

    def read(self, batch: Batch) -> CachedStates | None:
        """Return the cached states of *batch*, on the CPU, or None if the teacher has to run."""


@dataclass(frozen=True)
class OnlineTeacher:
    """Runs the teacher for each batch."""

    student: Student

    def __call__(self, batch: DeviceBatch) -> TeacherSignal:
        """Return the teacher's signal for *batch*."""
        states = self.student.run_teacher(batch.token_ids)
        final = states.final.flatten(0, 1).index_select(0, batch.index)
        return TeacherSignal(states.prefix if self.student.shares_prefix else None, final)

    def read(self, batch: Batch) -> None:
        """Return None, since no states are cached."""


@dataclass(frozen=True)
class Objective:
    """The training loss."""

    config: LossConfig
    kl_weight: float
    """Weight of the KL term, alpha T^2 by default."""
    student: Student
    supervision: Supervision | None
    gamma: float

    @property
    def semantic_supervision(self) -> Supervision | None:
        """The supervision if the loss uses senses, otherwise None."""
        return self.supervision if self.config.semantic else None

    def __call__(
        self, module: nn.Module, batch: DeviceBatch, signal: TeacherSignal, *, targets: int, sampled: int
    ) -> tuple[Tensor, Tensor]:
        """Return the batch's share () of the step's loss, and its `SUMS`.

        Args:
            module: module of the student, possibly wrapped for several processes.
            batch: some rows of the step.
            signal: the teacher's signal for the batch.
            targets: number of predicted positions in the whole step.
            sampled: number of sampled positions in the whole step.
        """
        n_t = batch.select(self.student.run(module, batch.token_ids, signal.prefix))
        kd = kd_loss(
            n_t,
            signal.teacher_hidden,
            batch.targets,
            self.student.head,
            weight=self.kl_weight,
            temperature=self.config.temperature,
            summary=signal.summary,
        )
        loss = kd.total.float() / max(targets, 1)
        zero = torch.zeros((), device=batch.device)
        sums = dict.fromkeys(SUMS, zero)
        sums |= {"targets": torch.full_like(zero, len(batch.targets)), "ce": kd.ce, "kl": kd.kl}
        if self.config.samples_positions and len(batch.sampled):
            loss = loss + self._at_sampled(n_t, batch, signal, kd.gradient, targets, sampled, sums)
        return loss, torch.stack([sums[name].detach().to(batch.device, torch.float32) for name in SUMS])

    def _at_sampled(
        self,
        n_t: Tensor,
        batch: DeviceBatch,
        signal: TeacherSignal,
        kd_gradient: Tensor | None,
        targets: int,
        sampled: int,
        sums: dict[str, Tensor],
    ) -> Tensor:
        """Return the terms of the loss at the sampled positions, and add them to *sums*."""
        config = self.config
        n_s, m_s = select(n_t, batch.sampled), signal.teacher_hidden.index_select(0, batch.sampled)
        sums["sampled"] = torch.full_like(sums["sampled"], len(batch.sampled))
        hidden = (n_s.float() - m_s.float()).square().mean(1).sum()
        sums["hidden"] = hidden.detach()
        loss = torch.zeros_like(hidden)
        if config.hidden_weight:
            loss = loss + config.hidden_weight * hidden / sampled
        if self.semantic_supervision is not None:
            assert batch.senses is not None
            candidates = signal.candidates
            if candidates is None:
                assert batch.pool is not None
                candidates = self.semantic_supervision.nearest(m_s, batch.pool, batch.senses)
            semantic = self._semantic(n_s, candidates, batch, sampled, sums)
            if config.contrast_weight:
                semantic = semantic + self._contrast(n_s, candidates, batch, sampled, sums)
            loss = loss + semantic
            if kd_gradient is not None:
                (gradient,) = torch.autograd.grad(semantic, n_s, retain_graph=True)
                sums["semantic_gradient"] = gradient.float().square().sum()
                at_sampled = kd_gradient.index_select(0, batch.sampled)
                sums["kd_gradient"] = (at_sampled.float() / targets).square().sum()
        return loss

    def _semantic(
        self, n_s: Tensor, candidates: Candidates, batch: DeviceBatch, sampled: int, sums: dict[str, Tensor]
    ) -> Tensor:
        assert self.supervision is not None
        assert batch.senses is not None
        found = semantic_loss(
            self.supervision.scale(n_s.float()),
            candidates,
            batch.senses,
            beta_p=self.config.beta_p,
            beta_n=self.config.beta_n,
            gamma=self.gamma,
            filled=batch.filled,
        )
        sums |= {
            "positive": found.positive,
            "negative": found.negative,
            "active": found.active,
            "hinges": found.hinges,
        }
        return found.total.float() / sampled

    def _contrast(
        self, n_s: Tensor, candidates: Candidates, batch: DeviceBatch, sampled: int, sums: dict[str, Tensor]
    ) -> Tensor:
        assert self.supervision is not None
        rows = (batch.index // batch.token_ids.shape[1]).index_select(0, batch.sampled)
        local, senses, owner = self.supervision.gathered_by_row(batch.dictionary_rows(candidates), rows, n_s.device)
        found = contrast_loss(n_s, local, senses, owner, rows)
        sums["contrast"] = found.detach()
        return self.config.contrast_weight * found.float() / sampled

    def terms(self, sums: list[float]) -> dict[str, float]:
        """Return the terms of the loss and its diagnostics from the `SUMS` of a step."""
        of, config = dict(zip(SUMS, sums, strict=True)), self.config
        targets, sampled = max(of["targets"], 1.0), max(of["sampled"], 1.0)
        ce, kl = of["ce"] / targets, of["kl"] / targets
        positive, negative, hidden = (of[name] / sampled for name in ("positive", "negative", "hidden"))
        contrast = of["contrast"] / sampled
        semantic = config.beta_p * positive + config.beta_n * negative + config.contrast_weight * contrast
        return {
            "loss": ce + self.kl_weight * kl + semantic + config.hidden_weight * hidden,
            "ce": ce,
            "kl": kl,
            "semantic": semantic,
            "positive": positive,
            "negative": negative,
            "contrast": contrast,
            "hidden": hidden,
            "active_hinges": of["active"] / max(of["hinges"], 1.0),
            "gradient_ratio": (of["semantic_gradient"] / of["kd_gradient"]) ** 0.5 if of["kd_gradient"] else 0.0,
            "targets": of["targets"],
            "sampled": of["sampled"],
        }
