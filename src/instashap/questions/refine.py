"""Shapley values of single rows from sampled coalitions, with the additive model as control variate.

``Shapley(F) = Shapley(g) + Shapley(F - g)``: the first is a table look-up, the second is estimated from pairs of coalitions
(:mod:`instashap.game.pairs`), unbiased whatever g is.

A marginal game is a mean of baseline games, one a background row. Each gets coalitions of its own: for the same number of
model calls as coalitions shared by all of them, the errors average out over the background rows.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..blackbox.value_functions import Game
from ..fitted.game import FittedGame
from ..game.pairs import PairSample, check_coalitions, count_pairs, sample_pairs
from ..game.terms import PresenceSet, count_live
from ..model.additive_model import AdditiveModel
from ..table.columns import Table, read_table
from ..table.encoding import Encoded

# Samples of coalitions in all; games take turns, so that neighbouring rows do not share their chance errors.
N_SAMPLES = 128
# Games (pairs of a row and a reference) prepared at once: some ten MB.
BLOCK_GAMES = 16_384

Positions = NDArray[np.int64]


class Refined(NamedTuple):
    """Estimates for rows.

    Attributes
    ----------
    values, standard_errors : ndarray of shape (n_rows, n_players, n_outputs), float64
    base_value : ndarray of shape (n_outputs,), float64
    game, output_transform : str
        What they are estimates of.
    """

    values: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    base_value: NDArray[np.float64]
    game: str
    output_transform: str


class Control(NamedTuple):
    """A game known exactly, ``sum_R 1[R ⊆ S] h_R`` (a tied R counts as often as one of its sets lies in S).

    Attributes
    ----------
    presence_sets : list of tuple of int
    shares : ndarray of shape (n_presence_sets, n_players), float64
        Shapley share of each player in each.
    is_player : ndarray of shape (n_players,), bool
        False for players that are no others of a tied presence set.
    find_components : callable
        Rows and references, each of shape (n_games,), to ``h`` of shape (n_games, n_presence_sets, n_outputs).
    """

    presence_sets: list[PresenceSet]
    shares: NDArray[np.float64]
    is_player: NDArray[np.bool_]
    find_components: Callable[[Positions, Positions], NDArray[np.float64]]


def refine_values(
    fitted: FittedGame, table: Table, game: Game, description: str, n_coalitions: int, rng: np.random.Generator
) -> Refined:
    """Unbiased Shapley values of a game on the rows of a table; exact once every coalition is asked.

    Parameters
    ----------
    fitted : FittedGame
        Gives the control variate.
    table : Table
        The game's rows.
    game : Game
    description : str
        Of the game.
    n_coalitions : int
        Coalitions asked about for one row and one reference, the empty and the full one among them.
    rng : Generator

    Raises
    ------
    ValueError
        If the coalitions are too few, or the game and the additive model differ in outputs.
    """
    n_players, n_references = len(fitted.feature_names), game.n_references
    check_coalitions(n_coalitions, n_players, "features")
    _check_outputs(game.reference_outputs.shape[1], fitted.model.n_outputs)
    n_pairs = min((n_coalitions - 2) // 2, int(count_pairs(n_players).sum()))
    n_games = table.n_rows * n_references
    n_samples = 1 if n_pairs == count_pairs(n_players).sum() else min(N_SAMPLES, n_games)
    samples = [sample_pairs(n_pairs, n_players, rng) for _ in range(n_samples)]
    full = game.evaluate_full()
    control = _make_control(fitted, table, game)
    values = np.zeros((table.n_rows, n_players, full.shape[1]))
    variances = np.zeros_like(values)
    for start in range(0, n_games, BLOCK_GAMES):
        games = np.arange(start, min(start + BLOCK_GAMES, n_games))
        rows, references = np.divmod(games, n_references)
        totals = full[rows] - game.reference_outputs[references]
        estimates, spreads = _estimate_games(game, control, samples, rows, references, totals)
        np.add.at(values, rows, estimates / n_references)
        np.add.at(variances, rows, spreads / n_references**2)
    base_value = game.reference_outputs.mean(axis=0)
    return Refined(values, np.sqrt(variances), base_value, description, game.output_transform)


def _check_outputs(n_given: int, n_fitted: int) -> None:
    if n_given != n_fitted:
        raise ValueError(f"the value function gives {n_given} outputs, the explainer was fitted on {n_fitted}")


def _estimate_games(
    game: Game,
    control: Control,
    samples: list[PairSample],
    rows: Positions,
    references: Positions,
    totals: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shapley values and variances of each game, shape (n_games, n_players, n_outputs)."""
    components = control.find_components(rows, references)
    estimates = np.einsum("nrc,ri->nic", components, control.shares, optimize=True)
    variances = np.zeros_like(estimates)
    left = totals - estimates.sum(axis=1)
    turns = (rows * game.n_references + references) % len(samples)
    for turn, sample in enumerate(samples):
        chosen = np.flatnonzero(turns == turn)
        if not chosen.size:
            continue
        odd = _evaluate_odd(game, sample, rows[chosen], references[chosen])
        odd -= np.tensordot(_mark_odd(control, sample), components[chosen], axes=(1, 1))
        totals_left = left[chosen].ravel()
        found = sample.estimate(odd.reshape(len(odd), len(totals_left)), totals_left)
        shape = sample.n_players, len(chosen), totals.shape[1]
        for target, each in zip((estimates, variances), found, strict=True):
            target[chosen] += each.reshape(shape).transpose(1, 0, 2)
    return estimates, variances


def _evaluate_odd(game: Game, sample: PairSample, rows: Positions, references: Positions) -> NDArray[np.float64]:
    """``(v(S) - v(N \\ S)) / 2`` of each pair and game, shape (n_pairs, n_games, n_outputs)."""
    masks = np.concatenate([sample.masks, ~sample.masks])
    if not len(masks):
        return np.zeros((0, len(rows), game.reference_outputs.shape[1]))
    asked = np.tile(rows, len(masks)), np.tile(references, len(masks)), np.repeat(masks, len(rows), axis=0)
    present, absent = game.evaluate_one(*asked).reshape(2, len(sample.masks), len(rows), -1)
    return np.asarray((present - absent) / 2)


def _mark_odd(control: Control, sample: PairSample) -> NDArray[np.float64]:
    """Odd part of ``1[R ⊆ S]``, shape (n_pairs, n_presence_sets); of tied sets of the number live."""
    inside, outside = (
        count_live(control.presence_sets, masks & control.is_player) for masks in (sample.masks, ~sample.masks)
    )
    return np.asarray((inside - outside) / 2)


def _make_control(fitted: FittedGame, table: Table, game: Game) -> Control:
    """The additive game of a row; between two rows, the linear game nearest to the additive prediction's on hybrid rows."""
    encoded = fitted.encoder.encode(table)
    references = game.get_references()
    if references is None:
        presence_sets, lookup = fitted.model.write_out_linear().components
        components = lookup.apply(encoded)[:, : len(presence_sets)]
        named, everyone = fitted.model.split_shares(presence_sets)
        is_player = fitted.model.is_player
        return Control(presence_sets, named + everyone[:, None] * is_player, is_player, lambda rows, _: components[rows])
    others = fitted.encoder.encode(read_table(references, fitted.schema))
    players = np.array(fitted.players)

    def find_components(rows: Positions, references: Positions) -> NDArray[np.float64]:
        return _difference_predictions(fitted.model, encoded.take(rows), others.take(references), players)

    n_players = len(fitted.feature_names)
    singles: list[PresenceSet] = [(player,) for player in range(n_players)]
    return Control(singles, np.eye(n_players), np.ones(n_players, dtype=bool), find_components)



def _difference_predictions(
    model: AdditiveModel, rows: Encoded, references: Encoded, players: NDArray[np.int64]
) -> NDArray[np.float64]:
    """``(p({i}) - p(∅) + p(N) - p(N \\ i)) / 2`` of the additive prediction on hybrid rows: (n_rows, n_players, n_outputs).

    With shape functions of at most two columns these are its Shapley values between the two rows.
    """
    full, empty = model.predict(rows), model.predict(references)
    differences = np.empty((len(full), model.n_players, model.n_outputs))
    for player in range(model.n_players):
        own = players == player
        alone, without = (model.predict(_mix(rows, references, mask)) for mask in (own, ~own))
        differences[:, player] = (alone - empty + full - without) / 2
    return differences


def _mix(rows: Encoded, references: Encoded, from_rows: NDArray[np.bool_]) -> Encoded:
    return Encoded(
        np.where(from_rows, rows.cells, references.cells), np.where(from_rows, rows.offsets, references.offsets)
    )
