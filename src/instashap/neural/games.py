"""Nets trained on values of a game at sampled coalitions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ..asked.asked_rows import AskedRows
from ..blackbox.value_functions import Game
from ..fits.null_players import RosterGame
from ..game.terms import make_presence_masks
from ..masked.search import Search
from ..model.additive_model import AdditiveModel
from .learning import N_FOLDS, NetOnRows, train_on_rows
from .losses import compute_sampled_loss, sum_live_parts
from .masks import draw_paired_masks
from .readout import read_tables
from .training import TrainingPlan

if TYPE_CHECKING:
    from .net_fitter import NeuralFitter

# Number of pairs of complementary coalitions per row, each evaluated once.
_N_PAIRS = 8


def fit_game_nets(fitter: NeuralFitter, game: RosterGame, rows: AskedRows, size_law: NDArray[np.float64]) -> AdditiveModel:
    """Additive model of a game, tabulated from nets that were trained on its values at sampled coalitions.

    Sixteen coalitions per row are drawn by the size law's interior, in complementary pairs, and evaluated once; only one of
    several equal rows is evaluated. Terms are screened on the full coalition.

    Parameters
    ----------
    fitter : NeuralFitter
    game : RosterGame
        Columns of its null players get no net.
    rows : AskedRows
    size_law : ndarray of shape (n_players + 1,), float64
    """
    search = Search(fitter, rows.encoded, rows.full, rows.weights, size_law, N_FOLDS)
    search.fit_main_effects()
    null = {column for column, is_null in enumerate(game.roster.is_null) if is_null}
    chosen = fitter.choose_value_sets(search)
    value_sets = [values for values in chosen if null.isdisjoint(values)] or chosen
    made = fitter.make_net(search, value_sets)
    base = game.reference_outputs.mean(axis=0)
    _train_on_game(made, game, rows.places[made.rows.first], base, size_law, fitter.make_plan())
    return read_tables(fitter.columns, fitter.players, made.finish(), value_sets, base)


def _train_on_game(
    made: NetOnRows,
    game: Game,
    places: NDArray[np.int64],
    base: NDArray[np.float64],
    size_law: NDArray[np.float64],
    plan: TrainingPlan,
) -> None:
    d, n_rows, n_outputs = len(size_law) - 1, len(places), len(base)
    inside, full_weight = float(size_law[1:-1].sum()), float(size_law[-1])
    n_masks = 2 * _N_PAIRS if inside else 0
    masks = _draw(size_law, n_rows, plan.seed) if inside else np.zeros((n_rows, 0, d), dtype=bool)
    own = np.empty_like(masks)
    own[:, :, list(made.players)] = masks  # the net has the table's players in another order
    values = game.evaluate(np.repeat(places, n_masks), own.reshape(-1, d)) if n_masks else np.empty((0, n_outputs))
    targets = np.concatenate([made.rows.outputs[:, None], values.reshape(n_rows, n_masks, n_outputs)], axis=1) - base
    spread = float(np.sqrt(np.mean(targets[:, 0] ** 2))) or 1.0
    members = torch.as_tensor(make_presence_masks(made.net.presence_sets, d))

    def compute_loss(parts: Tensor, packed: Tensor, weight: Tensor, _: torch.Generator) -> Tensor:
        wanted = packed[:, : (1 + n_masks) * n_outputs].view(len(parts), 1 + n_masks, n_outputs)
        live = packed[:, (1 + n_masks) * n_outputs :].view(len(parts), n_masks, d) > 0.5
        loss = full_weight * compute_sampled_loss(parts.sum(dim=1), wanted[:, 0], weight)
        for number in range(n_masks):
            predicted = sum_live_parts(parts, live[:, number], members.to(parts.device))
            loss = loss + inside / n_masks * compute_sampled_loss(predicted, wanted[:, 1 + number], weight)
        return loss

    packed = np.hstack([targets.reshape(n_rows, -1) / spread, masks.reshape(n_rows, -1)])
    train_on_rows(made, packed, compute_loss, plan)
    with torch.no_grad():  # back to the scale of the outputs, in which values are linear in these weights
        for weights in (*made.net.own.values(), made.net.shared, made.net.linear):
            weights *= spread


def _draw(size_law: NDArray[np.float64], n_rows: int, seed: int) -> NDArray[np.bool_]:
    """Random masks of the net's players, shape (n_rows, 2 · n_pairs, n_players)."""
    interior = np.concatenate([[0.0], size_law[1:-1], [0.0]])
    generator = torch.Generator().manual_seed(seed)
    pairs = draw_paired_masks(interior, n_rows * _N_PAIRS, generator, torch.device("cpu")).numpy()
    return np.concatenate([half.reshape(n_rows, _N_PAIRS, -1) for half in np.split(pairs, 2)], axis=1)
