"""Nets of class log-odds, trained by cross-entropy at sampled masks.

The game is not that of the squared error: ``g(x; S)`` is the log-odds of ``E[y | x_S]``, and ``g(x; ∅)`` those of the classes'
shares. The nets are tabulated as trained, because no closed form gives coefficients of their functions.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..game.terms import make_presence_masks
from ..masked.search import Search
from ..model.additive_model import AdditiveModel
from ..table.encoding import Encoded
from .learning import N_FOLDS, NetOnRows, train_on_rows
from .losses import compute_cross_entropy, sum_live_parts
from .masks import draw_paired_masks
from .net_fitter import NeuralFitter
from .readout import read_tables
from .training import TrainingPlan

# Number of pairs of complementary coalitions drawn for every row of a batch.
_N_PAIRS = 2


def fit_class_nets(
    fitter: NeuralFitter,
    encoded: Encoded,
    shares: NDArray[np.float64],
    weights: NDArray[np.float64],
    size_law: NDArray[np.float64],
    base_value: NDArray[np.float64],
) -> AdditiveModel:
    """Additive model of log-odds, tabulated from trained nets.

    Parameters
    ----------
    fitter : NeuralFitter
        Options of nets and training; terms are screened by squared error on the labels.
    encoded : Encoded
    shares : ndarray of shape (n_rows, 1) or (n_rows, n_classes), float64
        1 where a row is of the second class, or of each class.
    weights : ndarray of shape (n_rows,), float64
    size_law : ndarray of shape (n_players + 1,), float64
    base_value : ndarray of shape (n_outputs,), float64
        Scores of the empty coalition, which stay fixed.
    """
    search = Search(fitter, encoded, shares, weights, size_law, N_FOLDS)
    search.fit_main_effects()
    value_sets = fitter.choose_value_sets(search)
    made = fitter.make_net(search, value_sets)
    _train_by_likelihood(made, size_law, base_value, fitter.make_plan())
    return read_tables(fitter.columns, fitter.players, made.finish(), value_sets, base_value)


def _train_by_likelihood(
    made: NetOnRows, size_law: NDArray[np.float64], base_value: NDArray[np.float64], plan: TrainingPlan
) -> None:
    """Train by the cross-entropy at the full coalition and at sampled ones, weighted by the size law."""
    base = torch.as_tensor(base_value, dtype=torch.float32)
    members = torch.as_tensor(make_presence_masks(made.net.presence_sets, len(size_law) - 1))
    inside, full_weight = float(size_law[1:-1].sum()), float(size_law[-1])
    interior = np.concatenate([[0.0], size_law[1:-1], [0.0]])

    def compute_loss(parts: Tensor, target: Tensor, weight: Tensor, generator: torch.Generator) -> Tensor:
        start = base.to(parts.device)
        loss = full_weight * compute_cross_entropy(start + parts.sum(dim=1), target, weight)
        if not inside:
            return loss
        for _ in range(_N_PAIRS):
            for masks in draw_paired_masks(interior, len(parts), generator, parts.device).chunk(2):
                scores = start + sum_live_parts(parts, masks, members.to(parts.device))
                loss = loss + inside / (2 * _N_PAIRS) * compute_cross_entropy(scores, target, weight)
        return loss

    train_on_rows(made, made.rows.outputs, compute_loss, plan)
