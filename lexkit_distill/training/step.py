"""The loss of a batch: CE + alpha T^2 KL at every target, L_sem at the sampled ones (paper, section 4.2).

Means are over all targets, and all sampled positions, of the step, in whatever batches and processes its rows are: so
every batch adds its sums times 1 / the step's number.
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
"""What a batch is summed up in; gradients are squares at the sampled positions."""


class TeacherSignal(NamedTuple):
    """What a batch learns from the teacher."""

    prefix: Tensor | None
    """(B, T, d), None where the student runs all of its layers."""
    teacher_hidden: Tensor
    """m_t (n, d) at the positions of the batch."""
    candidates: Candidates | None
    """Candidates of the sampled positions, if they are known already."""
    summary: TeacherSummary | None = None
    """The summary of the teacher's distributions (n positions), if that is known already."""


class SignalSource(Protocol):
    """Where the teacher's signal comes from: the teacher itself, or a cache."""

    def __call__(self, batch: Batch) -> TeacherSignal:
        """Return the teacher's signal for *batch*."""


@dataclass(frozen=True)
class OnlineTeacher:
    """Runs the teacher for each batch."""

    student: Student

    def __call__(self, batch: Batch) -> TeacherSignal:
        """Return the teacher's signal for *batch*."""
        device = self.student.teacher.device
        states = self.student.run_teacher(torch.from_numpy(batch.token_ids).to(device))
        rows, places = (torch.from_numpy(part).to(device) for part in (batch.positions.rows, batch.positions.places))
        return TeacherSignal(states.prefix if self.student.shares_prefix else None, states.final[rows, places], None)


@dataclass(frozen=True)
class Objective:
    """The loss of a training."""

    config: LossConfig
    kl_weight: float
    """Weight of the KL term, alpha T^2 by default."""
    student: Student
    supervision: Supervision | None
    gamma: float

    def __call__(
        self, module: nn.Module, batch: Batch, signal: TeacherSignal, *, targets: int, sampled: int
    ) -> tuple[Tensor, Tensor]:
        """Return the batch's part () of the step's loss, and its `SUMS`.

        Args:
            module: the student's, perhaps wrapped.
            batch: rows of the step.
            signal: of the teacher.
            targets: positions of the whole step.
            sampled: those of them that are sampled.
        """
        config, device = self.config, signal.teacher_hidden.device
        token_ids = torch.from_numpy(batch.token_ids).to(device)
        rows, places, x_next, words, is_sampled = (
            torch.from_numpy(part).to(device)
            for part in (
                batch.positions.rows,
                batch.positions.places,
                batch.positions.targets,
                batch.positions.words,
                batch.positions.sampled,
            )
        )
        n_t = self.student.run(module, token_ids, signal.prefix)[rows, places]
        m_t = signal.teacher_hidden
        kd = kd_loss(
            n_t,
            m_t,
            x_next,
            self.student.head,
            weight=self.kl_weight,
            temperature=config.temperature,
            known=signal.summary,
        )
        loss = kd.total.float() / max(targets, 1)
        sums = dict.fromkeys(SUMS, torch.zeros((), device=device))
        sums |= {"targets": torch.tensor(float(len(x_next))), "ce": kd.ce, "kl": kd.kl}
        if config.samples_positions and bool(is_sampled.any()):
            n_s, m_s = n_t[is_sampled], m_t[is_sampled]
            sums["sampled"] = is_sampled.sum()
            hidden = (n_s.float() - m_s.float()).square().mean(1).sum()
            sums["hidden"] = hidden.detach()
            if config.hidden_weight:
                loss = loss + config.hidden_weight * hidden / sampled
            if config.semantic and self.supervision is not None:
                candidates = signal.candidates
                if candidates is None:
                    candidates = self.supervision.choose(m_s, x_next[is_sampled], words[is_sampled])
                semantic = self._semantic(n_s, candidates, sampled, sums)
                if config.contrast_weight:
                    semantic = semantic + self._contrast(n_s, candidates, rows[is_sampled], sampled, sums)
                loss = loss + semantic
                if kd.gradient is not None:
                    (gradient,) = torch.autograd.grad(semantic, n_s, retain_graph=True)
                    sums["semantic_gradient"] = gradient.float().square().sum()
                    sums["kd_gradient"] = (kd.gradient[is_sampled].float() / targets).square().sum()
        return loss, torch.stack([sums[name].detach().to(device, torch.float32) for name in SUMS])

    def _semantic(self, n_s: Tensor, candidates: Candidates, sampled: int, sums: dict[str, Tensor]) -> Tensor:
        assert self.supervision is not None
        local, senses = self.supervision.gathered(candidates, n_s.device)
        found = semantic_loss(
            self.supervision.scale(n_s.float()),
            local,
            senses,
            beta_p=self.config.beta_p,
            beta_n=self.config.beta_n,
            gamma=self.gamma,
        )
        sums |= {
            "positive": found.positive,
            "negative": found.negative,
            "active": found.active,
            "hinges": found.hinges,
        }
        return found.total.float() / sampled

    def _contrast(
        self, n_s: Tensor, candidates: Candidates, rows: Tensor, sampled: int, sums: dict[str, Tensor]
    ) -> Tensor:
        assert self.supervision is not None
        local, senses, owner = self.supervision.gathered_by_row(candidates, rows, n_s.device)
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
