"""Senses in the place of hidden states: the nearest of a token, and what the nearest is compared with.

Distances are those of training: L2, between the state as it is and the senses as they are stored.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexkit_distill.errors import EvaluationError
from lexkit_distill.keys import occurrence_keys
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.supervision.candidates import own_senses

Replacement = Literal["nearest", "random", "other", "mean"]
REPLACEMENTS: tuple[Replacement, ...] = ("nearest", "random", "other", "mean")
Int64 = npt.NDArray[np.int64]
_BLOCK = 1 << 16
"""Rows that are widened at a time."""


class SenseReplacer:
    """Chooses the senses of a dictionary that stand for hidden states.

    - ``nearest``: the token's sense that is nearest to the state.
    - ``random``: one of the token's senses, drawn by the seed and the position in the text.
    - ``other``: the nearest sense of another token, the same one each time: the tokens that have senses stand in a
      circle in an order drawn by the seed, and each is replaced by the next.
    - ``mean``: the mean of the senses of all tokens.

    The senses stay where the dictionary has them; those that are chosen come to the device of the states.

    Args:
        dictionary: whose tokens' senses are taken; those of composed words are not.
        seed: of ``random`` and ``other``.

    Raises:
        EvaluationError: fewer than two tokens have senses.
    """

    def __init__(self, dictionary: SenseDictionary, seed: int) -> None:
        table = own_senses(dictionary)
        self.rows, self._seed, self._of_token = dictionary.rows, seed, table.rows
        self._first, self.counts = table.offsets[:-1], np.diff(table.offsets)
        """(V,) number of senses of each token."""
        self.tokens: Int64 = np.flatnonzero(self.counts)
        """(n,) the tokens that have senses."""
        if len(self.tokens) < 2:
            raise EvaluationError(
                f"senses: {dictionary.path} has senses of fewer than two tokens; make one of more text "
                "with 'lexkit distill senses'"
            )
        circle = np.random.default_rng(seed).permutation(self.tokens)
        self._next = np.full(len(self.counts), -1, np.int64)
        self._next[circle] = np.roll(circle, -1)

    def covers(self, tokens: Tensor) -> Tensor:
        """Return whether each of the tokens (n,) has senses, on their device."""
        ids = tokens.cpu().numpy()
        known = ids < len(self.counts)  # the head may have more rows than the tokenizer has tokens
        return torch.from_numpy(known & (self.counts[np.where(known, ids, 0)] > 0)).to(tokens.device)

    def replaced(self, how: Replacement, hidden: Tensor, tokens: Tensor, positions: Int64) -> tuple[Tensor, Tensor]:
        """Return what replaces hidden states.

        Args:
            how: see the class.
            hidden: (n, d).
            tokens: (n,) with senses, on the same device.
            positions: (n,) in the text.

        Returns:
            The different senses (m, d), on the device of the states and with their dtype; and for each state (n,) the
            place of its own among them.
        """
        if how == "mean":
            return self._mean.to(hidden)[None], torch.zeros_like(tokens)
        ids = tokens.cpu().numpy()
        if how == "random":
            keys = occurrence_keys(self._seed, np.zeros(len(ids), np.uint64), positions)
            drawn = (keys % self.counts[ids].astype(np.uint64)).astype(np.int64)
            rows = torch.from_numpy(self._of_token[self._first[ids] + drawn])
        else:
            rows = self._nearest(hidden, self._next[ids] if how == "other" else ids)
        unique, places = torch.unique(rows, return_inverse=True)
        return self._taken(unique).to(hidden), places.to(hidden.device)

    def _nearest(self, hidden: Tensor, tokens: Int64) -> Tensor:
        """(n,) the row of the sense of each token (n,) that is nearest to each state (n, d)."""
        unique, place = np.unique(tokens, return_inverse=True)
        counts = self.counts[unique]
        owner = np.repeat(np.arange(len(unique)), counts)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = torch.from_numpy(self._of_token[self._first[unique][owner] + number])
        senses, states = self._taken(rows).to(hidden.device).float(), hidden.float()
        distances = senses.square().sum(1) - 2 * states @ senses.T  # less the square of the state
        is_other = torch.from_numpy(owner != place[:, None]).to(hidden.device)
        return rows[distances.masked_fill(is_other, torch.inf).argmin(1).cpu()]

    def _taken(self, rows: Tensor) -> Tensor:
        return self.rows.index_select(0, rows.to(self.rows.device))

    @cached_property
    def _mean(self) -> Tensor:
        """Return the mean (d,) of the senses of all tokens."""
        total = torch.zeros(self.rows.shape[1], dtype=torch.float64)
        for part in torch.split(torch.from_numpy(self._of_token), _BLOCK):
            total += self._taken(part).double().sum(0)
        return total / len(self._of_token)
