"""Other ways to use senses than the paper's, tried in the study: objectives that differ in L_sem alone."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any

import torch
from torch import Tensor, nn

from lexkit_distill.supervision.nearest import Candidates
from lexkit_distill.supervision.scale import Scale
from lexkit_distill.training.feed import DeviceBatch
from lexkit_distill.training.step import Objective, TeacherSignal

_UNSURE = 0.5
_SHARPNESS = 10.0


@dataclass(frozen=True)
class Unsure(Objective):
    """L_sem only where the teacher gives the next token less than one half: elsewhere it has said all there is."""

    _kept: dict[str, Tensor] = field(default_factory=dict)

    def __call__(
        self, module: nn.Module, batch: DeviceBatch, signal: TeacherSignal, *, targets: int, sampled: int
    ) -> tuple[Tensor, Tensor]:
        """As `Objective`."""
        assert signal.summary is not None, "the study has a cache"
        where = batch.sampled
        x_next = batch.targets[where]
        logits = (self.student.head.weight[x_next].float() * signal.teacher_hidden[where].float()).sum(1)
        self._kept["here"] = (logits - signal.summary.log_partition[where]).exp() < _UNSURE
        return super().__call__(module, batch, signal, targets=targets, sampled=sampled)

    def _semantic(
        self, n_s: Tensor, candidates: Candidates, batch: DeviceBatch, sampled: int, sums: dict[str, Tensor]
    ) -> Tensor:
        kept = self._kept["here"]
        if not bool(kept.any()):
            return n_s.sum() * 0
        few = Candidates(*(part[kept] for part in candidates))
        return super()._semantic(n_s[kept], few, replace(batch, filled=None), int(kept.sum()), sums)


@dataclass(frozen=True)
class Contrast(Objective):
    """Nearer, in angle, to the senses in P than to those in A and to those in P of the step's other positions."""

    def _semantic(
        self, n_s: Tensor, candidates: Candidates, batch: DeviceBatch, sampled: int, sums: dict[str, Tensor]
    ) -> Tensor:
        assert batch.senses is not None
        unit = Scale("unit")
        every, place = torch.unique(torch.cat(candidates, 1), return_inverse=True)
        senses = unit(batch.senses[every.clamp_min(0)].float())
        cosines = unit(n_s.float()) @ senses.T / senses.shape[1] * _SHARPNESS
        cosines = cosines.masked_fill(every == -1, -torch.inf)
        kappa = candidates.positive.shape[1]
        positive = torch.zeros_like(cosines, dtype=torch.bool).scatter_(1, place[:, :kappa], True) & (every >= 0)
        has = positive.any(1)
        of_positive = cosines.masked_fill(~positive, -torch.inf)[has].logsumexp(1)
        return self.config.beta_p * (cosines[has].logsumexp(1) - of_positive).sum() / sampled


OBJECTIVES: dict[str, type[Objective]] = {"plain": Objective, "unsure": Unsure, "contrast": Contrast}


def objective_of(name: str, plain: Objective) -> Objective:
    """Return the objective of an arm in place of the plain one."""
    parts: dict[str, Any] = {part.name: getattr(plain, part.name) for part in fields(Objective)}
    return OBJECTIVES[name](**parts)
