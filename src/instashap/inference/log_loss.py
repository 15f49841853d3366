"""Importance for the log-loss of class labels: Shapley values of how much known features lower it, on held-out rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.special import logsumexp

from ..game.orders import MAX_LISTED, CoalitionList, list_coalitions, sample_orders
from ..game.terms import count_live
from ..linear.subsets import solve_subsets
from ..model.additive_model import AdditiveModel
from ..table.encoding import Encoded
from .component_game import check_n_sets
from .effects import Importance

# Rows that losses are computed on at most, evenly spaced: each needs its output in thousands of coalitions.
MAX_ROWS = 4_000
# Most products of rows, presence sets and coalitions where orders are sampled, and the fewest and most orders: some seconds.
_MAX_WORK, _MIN_ORDERS, _MAX_ORDERS = 2e10, 16, 200
# Numbers held at once.
_BLOCK_NUMBERS = 2**22


def measure_log_loss(
    model: AdditiveModel, encoded: Encoded, weights: NDArray[np.float64], labels: NDArray[np.int64]
) -> Importance:
    """Shapley values of ``v(S) = E ℓ(y, g(x; ∅)) - E ℓ(y, g(x; S))``, with ℓ the log-loss of a model's scores.

    All coalitions of up to 12 players are listed; orders of more are sampled. Standard errors count the rows and the orders;
    the fit is taken as it is.

    Parameters
    ----------
    model : AdditiveModel
        Of log-odds (one output) or centred log-probabilities (one a class).
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
        Above zero.
    labels : ndarray of shape (n_rows,), int64
        1 for the class of the log-odds and 0 for the other; or positions of the classes.
    """
    some = np.unique(np.linspace(0, len(labels) - 1, min(len(labels), MAX_ROWS)).astype(np.int64))
    weight, labels = float(weights[some].sum()), labels[some]
    weights = weights[some] / weight
    losses = _Losses(model, encoded.take(some), labels)
    listed = _list(model, losses, len(some))
    varying = losses.varying
    credits, values = np.zeros((len(some), len(varying))), np.empty(len(listed.masks))
    step = max(_BLOCK_NUMBERS // (len(some) * model.n_outputs), 1)
    for start in range(0, len(values), step):
        block = slice(start, start + step)
        found = losses.compute(listed.masks[block])  # (n_rows, n_coalitions)
        credits -= found @ listed.shares[block]
        values[block] = -(weights @ found)
    single = np.eye(len(varying), dtype=bool)
    alone, others = -(weights @ losses.compute(single)), -(weights @ losses.compute(~single))
    shares = weights @ credits
    spread = np.sqrt(weights @ (credits - shares) ** 2 / weight)  # a row of weight w is w independent rows
    own = losses.compute(np.ones((1, len(varying)), dtype=bool))[:, 0]
    left_error = float(np.sqrt(weights @ (own - weights @ own) ** 2 / weight))

    def fill(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        spread_numbers = np.zeros(model.n_players)
        spread_numbers[varying] = numbers
        return spread_numbers

    return Importance(
        fill(shares),
        fill(np.hypot(spread, listed.measure_error(values))),
        fill(alone - values[0]),
        fill(values[-1] - others),
        float(-values[0]),
        float(values[-1] - values[0]),
        left_error,
    )


class _Losses:
    """Log-losses of rows in coalitions of the players that vary."""

    def __init__(self, model: AdditiveModel, encoded: Encoded, labels: NDArray[np.int64]) -> None:
        self.sets, lookup = model.components_with_index
        check_n_sets(len(self.sets))
        self.model, self.labels = model, labels
        varying = np.flatnonzero(model.is_player)
        self.varying = varying if len(varying) else np.zeros(1, dtype=np.int64)
        self.parts = lookup.apply(encoded).transpose(2, 0, 1)[:, :, : len(self.sets)]  # (n_outputs, n_rows, n_sets)
        self.credits = np.abs(model.credits.apply(encoded)).sum(axis=(0, 2))[self.varying]
        self.scores = None if model.linear is None else model.linear.look_up_scores(model.bases, encoded)

    def compute(self, masks: NDArray[np.bool_]) -> NDArray[np.float64]:
        """Losses, shape (n_rows, n_coalitions)."""
        spread = np.zeros((len(masks), self.model.n_players), dtype=bool)
        spread[:, self.varying] = masks
        live = count_live(self.sets, spread) if self.sets else np.zeros((len(masks), 0))
        outputs = self.parts @ live.T + self.model.base_value[:, None, None]  # (n_outputs, n_rows, n_coalitions)
        part = self.model.linear
        if part is not None and self.scores is not None:
            slopes = solve_subsets(part.covariance, part.cross, spread[:, part.players])
            outputs += np.einsum("rs,mso->orm", self.scores, slopes, optimize=True)
        if len(outputs) == 1:
            return np.asarray(np.logaddexp(0.0, np.where(self.labels == 1, -1.0, 1.0)[:, None] * outputs[0]))
        own = np.take_along_axis(outputs, self.labels[None, :, None], axis=0)[0]
        return np.asarray(logsumexp(outputs, axis=0) - own)


def _list(model: AdditiveModel, losses: _Losses, n_rows: int) -> CoalitionList:
    """Coalitions of the players that vary; sampled orders do not depend on how these are numbered."""
    n_players = len(losses.varying)
    law = np.ones(n_players + 1)
    if n_players <= MAX_LISTED:
        return list_coalitions(law)
    affordable = int(_MAX_WORK / (n_rows * max(len(losses.sets), 1) * model.n_outputs * n_players))
    n_orders = int(np.clip(affordable // 2 * 2, _MIN_ORDERS, _MAX_ORDERS))
    return sample_orders(law, n_orders, np.argsort(np.argsort(-losses.credits, kind="stable")))
