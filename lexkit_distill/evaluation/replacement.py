"""Replace hidden states with senses: with the nearest sense of a token, or with others for comparison.

Distances are those of training: L2, between unscaled hidden states and stored senses.
"""

from __future__ import annotations

from functools import cached_property
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lexkit_distill.errors import EvaluationError
from lexkit_distill.random_keys import occurrence_keys
from lexkit_distill.senses.dictionary import SenseDictionary
from lexkit_distill.supervision.candidates import own_senses

Replacement = Literal["nearest", "random", "other", "mean"]
REPLACEMENTS: tuple[Replacement, ...] = ("nearest", "random", "other", "mean")
Int64 = npt.NDArray[np.int64]
_BLOCK = 1 << 16
"""Number of senses that are converted to fp64 at a time."""


class SenseReplacer:
    """Chooses senses of a dictionary to replace hidden states.

    - ``nearest``: the token's sense that is nearest to the state.
    - ``random``: one of the token's senses, drawn with the seed and the position in the text.
    - ``other``: the nearest sense of another token, which is always the same one: the seed puts all tokens with senses
      in a circle, and each token is replaced by the next.
    - ``mean``: the mean of the senses of all tokens.

    The senses stay on the dictionary's device; the chosen ones are copied to the device of the states.

    Args:
        dictionary: the dictionary. Senses of composed words are not used.
        seed: seed of ``random`` and ``other``.

    Raises:
        EvaluationError: fewer than two tokens have senses.
    """

    def __init__(self, dictionary: SenseDictionary, seed: int) -> None:
        table = own_senses(dictionary)
        self.rows, self._seed, self._of_token = dictionary.rows, seed, table.rows
        self._first, self.counts = table.offsets[:-1], np.diff(table.offsets)
        """Number of senses of each token (V,)."""
        self.tokens: Int64 = np.flatnonzero(self.counts)
        """The tokens (n,) that have senses."""
        if len(self.tokens) < 2:
            raise EvaluationError(
                f"senses: {dictionary.path} has senses for fewer than two tokens; make a dictionary from more text "
                "with 'lexkit distill senses'"
            )
        circle = np.random.default_rng(seed).permutation(self.tokens)
        self._next = np.full(len(self.counts), -1, np.int64)
        self._next[circle] = np.roll(circle, -1)

    def covers(self, tokens: Tensor) -> Tensor:
        """Return for each of the tokens (n,) whether it has senses, on the same device."""
        ids = tokens.cpu().numpy()
        known = ids < len(self.counts)  # the model's output layer may have more rows than the tokenizer has tokens
        return torch.from_numpy(known & (self.counts[np.where(known, ids, 0)] > 0)).to(tokens.device)

    def replaced(self, how: Replacement, hidden: Tensor, tokens: Tensor, positions: Int64) -> tuple[Tensor, Tensor]:
        """Return the senses that replace hidden states.

        Args:
            how: the kind of replacement; see the class.
            hidden: hidden states (n, d).
            tokens: tokens (n,) on the same device, each of which has senses.
            positions: positions (n,) of the states in the text.

        Returns:
            The distinct senses (m, d), with the device and dtype of the states, and for each state (n,) the index of
            its sense.
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
        """Return for each state (n, d) the row (n,) of the nearest sense of its token (n,)."""
        unique, place = np.unique(tokens, return_inverse=True)
        counts = self.counts[unique]
        owner = np.repeat(np.arange(len(unique)), counts)
        number = np.arange(len(owner)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows = torch.from_numpy(self._of_token[self._first[unique][owner] + number])
        senses, states = self._taken(rows).to(hidden.device).float(), hidden.float()
        distances = senses.square().sum(1) - 2 * states @ senses.T  # without the square of the state
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
