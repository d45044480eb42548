"""The semantic consistency loss L_sem (paper, section 4.2), computed for all positions at once.

    L_sem(t) = beta_p mean_{p in P} MSE(n_t, p) + beta_n mean_{a in A} max(gamma - MSE(n_t, a), 0)

P and A are the candidates that `lexkit_distill.supervision.nearest` chooses by the teacher's state m_t.

The module also has a contrastive loss, which is not in the paper and compares angles instead of distances:

    C(t) = -log (sum_{p in P} exp(s cos(n_t, p)) / sum_{q in Q} exp(s cos(n_t, q))),    s = 10

Q contains the senses in P or A of all sampled positions in the row of t. It is defined by row rather than by batch, so
that the loss does not depend on which rows run through the models together.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from lexkit_distill.supervision.nearest import Candidates
from lexkit_distill.supervision.scale import Scale
from lexkit_distill.training.kd import with_gradient

SHARPNESS = 10.0
"""Factor s of the cosines in the contrastive loss."""


class SemanticLoss(NamedTuple):
    """L_sem and its parts, summed over positions."""

    total: Tensor
    """() beta_p `positive` + beta_n `negative`, with gradient."""
    positive: Tensor
    """() sum of the mean MSE to P."""
    negative: Tensor
    """() sum of the mean hinge over A."""
    active: Tensor
    """() number of hinges that are not zero."""
    hinges: Tensor
    """() number of all hinges."""
    gradient: Tensor
    """(n, d) gradient of `total` at the student's scaled hidden states."""


def semantic_loss(
    hidden: Tensor,
    candidates: Candidates,
    senses: Tensor,
    *,
    beta_p: float = 1.0,
    beta_n: float = 1.0,
    gamma: float = 1.0,
    filled: Tensor | None = None,
) -> SemanticLoss:
    """Return the sum over positions of L_sem(t).

    Args:
        hidden: (n, d) scaled student states n_t.
        candidates: the positions' candidates, as indices into *senses*.
        senses: (N, d) scaled senses, in fp32 or in the stored precision.
        beta_p: weight of the positive part.
        beta_n: weight of the negative part.
        gamma: margin of the hinge.
        filled: flat indices of the entries of the (n, 2 kappa) table of candidates that are not padding. If it is not
            given, it is computed, for which the CPU has to wait for a GPU.
    """
    n, kappa = candidates.positive.shape
    d = hidden.shape[1]
    with torch.no_grad(), torch.autocast(hidden.device.type, enabled=False):
        rows = torch.cat([candidates.positive, candidates.negative], 1)
        filled = (rows.flatten() >= 0).nonzero().flatten() if filled is None else filled
        position, column = filled // (2 * kappa), filled % (2 * kappa)
        is_positive = column < kappa
        difference = hidden.to(_exact(hidden))[position].sub_(senses[rows.flatten()[filled]])  # (E, d)
        mse = torch.linalg.vecdot(difference, difference) / d
        hinge = (gamma - mse).clamp_min_(0)
        n_positive, n_negative = ((part >= 0).sum(1).clamp_min(1) for part in candidates)
        share_p = torch.where(is_positive, 1 / n_positive[position], 0)
        share_n = torch.where(is_positive, 0, 1 / n_negative[position])
        positive, negative = (share_p * mse).sum(), (share_n * hinge).sum()
        slope = beta_p * share_p - beta_n * share_n * (hinge > 0)
        gradient = torch.zeros(n, d, dtype=difference.dtype, device=hidden.device)
        gradient.index_add_(0, position, difference.mul_((2 / d * slope)[:, None].to(difference)))
        total = beta_p * positive + beta_n * negative
        active = ((hinge > 0) & ~is_positive).sum()
        hinges = (~is_positive).sum()
        gradient = gradient.to(hidden.dtype)
    return SemanticLoss(with_gradient(hidden, total, gradient), positive, negative, active, hinges, gradient)


def contrast_loss(hidden: Tensor, candidates: Candidates, senses: Tensor, owner: Tensor, rows: Tensor) -> Tensor:
    """Return the sum of C(t) over the positions whose P is not empty.

    Args:
        hidden: (n, d) student states n_t.
        candidates: the positions' candidates, as indices into *senses*.
        senses: (E, d) senses, repeated for each row that uses them.
        owner: (E,) row of each sense.
        rows: (n,) row of each position.
    """
    exact, unit = _exact(hidden), Scale("unit")
    cosines = unit(hidden.to(exact)) @ unit(senses.to(exact)).T * (SHARPNESS / hidden.shape[1])
    known = candidates.positive >= 0
    position = known.nonzero(as_tuple=True)[0]
    positive = torch.zeros_like(cosines, dtype=torch.bool)
    positive[position, candidates.positive[known]] = True
    has = known.any(1)
    of_row = cosines.masked_fill(rows[:, None] != owner, -torch.inf)[has].logsumexp(1)
    of_positive = cosines.masked_fill(~positive, -torch.inf)[has].logsumexp(1)
    return (of_row - of_positive).sum()


def _exact(hidden: Tensor) -> torch.dtype:
    return torch.float64 if hidden.dtype == torch.float64 else torch.float32
