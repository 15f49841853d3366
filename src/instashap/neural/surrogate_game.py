"""A trained surrogate as a game on the rows of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .row_reader import BaseRows

if TYPE_CHECKING:
    from .surrogate import MaskedSurrogate

# Number of coalitions evaluated at once.
BLOCK = 16_384


class SurrogateGame:
    """A surrogate on the rows of a table; a :class:`instashap.blackbox.value_functions.Game`.

    Parameters
    ----------
    surrogate : MaskedSurrogate
        Trained.
    X : table
    share : float, optional
        Share of the net in its combination with the base; default ``kept_share_`` of the surrogate.
    """

    n_references = 1

    def __init__(self, surrogate: MaskedSurrogate, X: Any, share: float | None = None) -> None:
        self.net = surrogate._check_fitted()
        self.share = surrogate.kept_share_ if share is None else share
        self.scale = surrogate._scale
        self.reference_outputs = np.array(surrogate._base_value)[None]
        self.output_names, self.output_transform = surrogate.output_names_, surrogate.output_transform_
        table = surrogate.reader_.read(X)
        self.n_rows, self.n_players = table.n_rows, len(surrogate.feature_names_)
        self.device = next(self.net.parameters()).device
        self.inputs = surrogate.reader_.evaluate(table).to(self.device)
        base = surrogate._base if self.share < 1 else None
        self.base_rows = None if base is None else BaseRows(base, base.read(X))
        self.base_outputs = None if base is None else base.predict(base.read(X))

    def get_references(self) -> None:
        """None, because there are no reference rows."""

    def evaluate_full(self) -> NDArray[np.float64]:
        """``F(x; all)`` of every row, shape (n_rows, n_outputs)."""
        rows, masks = np.arange(self.n_rows), np.ones((self.n_rows, self.n_players), dtype=bool)
        if self.base_outputs is None:
            return self.reference_outputs + self._evaluate_net(rows, masks)
        return (
            self.reference_outputs
            + (1 - self.share) * (self.base_outputs - self.reference_outputs)
            + self.share * self._evaluate_net(rows, masks)
        )

    def evaluate(self, rows: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """``F(x_rows[k]; masks[k])``, shape (n_coalitions, n_outputs)."""
        if self.base_rows is None:
            return self.reference_outputs + self._evaluate_net(rows, masks)
        base_rows, places, present = self.base_rows, torch.tensor(rows), torch.tensor(masks)
        base = apply_in_blocks(lambda part: base_rows.evaluate(places[part], present[part]), len(rows))
        return self.reference_outputs + (1 - self.share) * base + self.share * self._evaluate_net(rows, masks)

    def _evaluate_net(self, rows: NDArray[np.int64], masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        if self.share == 0:
            return np.zeros((len(rows), self.reference_outputs.shape[1]))
        places = torch.tensor(rows, device=self.device)
        present = torch.tensor(masks, device=self.device)  # a copy: masks may be read-only
        return self.scale * apply_in_blocks(lambda part: self.net(self.inputs[places[part]], present[part]), len(rows))

    def evaluate_one(
        self, rows: NDArray[np.int64], references: NDArray[np.int64], masks: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """The same as :meth:`evaluate`, because the only reference is the empty coalition."""
        return self.evaluate(rows, masks)


def apply_in_blocks(compute: Callable[[slice], Tensor], n: int) -> NDArray[np.float64]:
    """Concatenated results for slices of up to 16 384 coalitions, computed without gradients, as float64."""
    with torch.no_grad():
        parts = [compute(slice(start, min(start + BLOCK, n))).cpu().numpy() for start in range(0, n, BLOCK)]
    return np.concatenate(parts).astype(np.float64)
