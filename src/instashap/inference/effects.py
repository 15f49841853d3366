"""Importance of players over all rows: Shapley values of explained variance or loss, with jackknife standard errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..game.orders import CoalitionList
from ..game.terms import ANY, PresenceSet
from ..masked.linear_base import remake_base
from ..model.additive_model import AdditiveModel
from ..table.encoding import Encoded
from .component_game import ComponentGame, LinearMoments, check_n_sets, make_variance_game
from .uncertainty import N_GROUPS, assign_groups, compute_contrast, compute_replicates, describe_group

if TYPE_CHECKING:
    from ..masked.fitter import FitRecord, FitResult

# Numbers held at once while components are looked up: 32 MB.
_BLOCK_NUMBERS = 2**22


@dataclass(frozen=True)
class Importance:
    """What players, or pairs of players, are worth in one output's game of explained variance or loss.

    Attributes
    ----------
    values : ndarray of shape (n_players,) or (n_pairs,), float64
        Pairs in the order of ``np.triu_indices(n_players, 1)``.
    errors : ndarray of shape (n_players,) or (n_pairs,), float64
        Standard errors; NaN where they are not known.
    alone, last : ndarray of shape (n_players,), float64
        Worth of each player where no other is known, and where all others are.
    total : float
        What would be explained by a perfect model; NaN where it is not known.
    explained : float
        Worth of all players together.
    left_error : float
        Standard error of ``total - explained``.
    freedom : ndarray of shape (n_players,) or (n_pairs,), float64, or float
        Degrees of freedom of the errors.
    """

    values: NDArray[np.float64]
    errors: NDArray[np.float64]
    alone: NDArray[np.float64]
    last: NDArray[np.float64]
    total: float
    explained: float
    left_error: float
    freedom: NDArray[np.float64] | float = N_GROUPS - 1.0


def measure_fit(result: FitResult, record: FitRecord | None, *, pairs: bool = False) -> list[Importance]:
    """Shapley effects of each output of a fit in closed form, from its moments; players are those that vary.

    Parameters
    ----------
    result : FitResult
    record : FitRecord or None
        Whose rows are left out group by group, for standard errors; None for no errors.
    pairs : bool
        Of pairs of players instead.
    """
    solved, total = result.solved, result.total
    outputs = range(len(total.output_means))
    given = result, solved.solution.coefficients, total, solved.base
    games = [make_variance_game(*given, output) for output in outputs]
    listed = [game.list_coalitions() for game in games]
    variances = total.output_scatter / total.weight
    found = [_measure(*each, pairs) for each in zip(games, variances, listed, strict=True)]
    if record is None:
        return found
    replicas, contrast = _replicate(record, listed, pairs)  # (n_groups, n_outputs, n_values + 1)
    errors, freedom = combine_replicas(contrast, replicas, found)
    others = [make_variance_game(*given, output, by_outputs=True) for output in outputs]
    apart = np.stack([_measure_distance(*each, pairs) for each in zip(games, others, listed, strict=True)])
    sampling = [_measure_sampling(*each, pairs) for each in zip(games, listed, strict=True)]
    return [
        replace(each, errors=np.hypot(own[:-1], drawn), left_error=float(own[-1]), freedom=free[:-1])
        for each, own, drawn, free in zip(found, np.hypot(errors, apart), sampling, freedom, strict=True)
    ]


def _replicate(
    record: FitRecord, listed: Sequence[CoalitionList | None], pairs: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Values, and what is left, without each group of rows; and the contrast of such replicas."""
    result = record.result
    solved, total = result.solved, result.total
    groups = assign_groups(record.encoded, record.outputs, record.weights, N_GROUPS)
    replicates = compute_replicates(record, groups)
    replicas = []
    for group, change in zip(groups, replicates.changes, strict=True):
        train = total - describe_group(record, group)
        base = remake_base(solved.problem, solved.base, result.chosen.candidate.base, train)
        coefficients = solved.solution.coefficients + change
        games = [make_variance_game(result, coefficients, train, base, output) for output in range(len(listed))]
        variances = train.output_scatter / train.weight
        replicas.append([_list_values(*each, pairs) for each in zip(games, variances, listed, strict=True)])
    return np.array(replicas), compute_contrast(replicates.shares)


def combine_replicas(
    contrast: NDArray[np.float64], replicas: NDArray[np.float64], found: Sequence[Importance]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standard errors from replicas of values and what is left, and their degrees of freedom; both (n_outputs, n_values + 1).

    A variance estimated from G squares d² has ``2 (sum d²)² / (sum d⁴ - (sum d²)² / G)`` degrees of freedom (Satterthwaite
    1946): about G where deviations are Gaussian, fewer where some groups of rows are much of it. At most G - 1 are used.
    """
    whole = np.stack([np.append(each.values, each.total - each.explained) for each in found])
    deviations = np.tensordot(contrast, replicas - whole, axes=1)
    errors, n_groups = np.linalg.norm(deviations, axis=0), len(contrast)
    shares = np.divide(deviations, errors, out=np.full_like(deviations, n_groups**-0.5), where=errors > 0)
    unevenness = np.maximum((shares**4).sum(axis=0) - 1.0 / n_groups, 1e-300)
    return errors, np.clip(2.0 / unevenness, 1.0, n_groups - 1.0)


def _list_values(game: ComponentGame, total: float, listed: CoalitionList | None, pairs: bool) -> NDArray[np.float64]:
    """Values of players or pairs, then what is left unexplained."""
    everyone = np.ones((1, game.n_players), dtype=bool)
    values = game.share_pairs(listed)[np.triu_indices(game.n_players, 1)] if pairs else game.share(listed)
    return np.append(values, total - game.evaluate(everyone))


def _measure(game: ComponentGame, total: float, listed: CoalitionList | None, pairs: bool) -> Importance:
    *values, left = _list_values(game, 0.0, listed, pairs)
    single = np.eye(game.n_players, dtype=bool)
    alone, others = game.evaluate(single), game.evaluate(~single)
    unknown = np.full(len(values), np.nan)
    return Importance(np.array(values), unknown, alone, -left - others, float(total), float(-left), float("nan"))


def _measure_distance(
    game: ComponentGame, other: ComponentGame, listed: CoalitionList | None, pairs: bool
) -> NDArray[np.float64]:
    """How far values, and what is left, are from those of another game that is equal where the fit is exact.

    The jackknife takes the choices of the fit as given; of what smoothing and choices do to variances, this is the first order.
    """
    return _list_values(other, 0.0, listed, pairs) - _list_values(game, 0.0, listed, pairs)


def _measure_sampling(game: ComponentGame, listed: CoalitionList | None, pairs: bool) -> NDArray[np.float64] | float:
    return 0.0 if pairs else game.measure_sampling(listed)


@dataclass(frozen=True)
class _RowMoments:
    """Sums over rows of the products of ``[t, h, z]``: a target, components and scores, of each output.

    Attributes
    ----------
    weight : float
    sums : ndarray of shape (n_outputs, n_functions), float64
    products : ndarray of shape (n_outputs, n_functions, n_functions), float64
    """

    weight: float
    sums: NDArray[np.float64]
    products: NDArray[np.float64]

    def __sub__(self, other: _RowMoments) -> _RowMoments:
        return _RowMoments(self.weight - other.weight, self.sums - other.sums, self.products - other.products)

    def centre(self, output: int) -> NDArray[np.float64]:
        """Covariances of one output."""
        means = self.sums[output] / self.weight
        return np.asarray(self.products[output] / self.weight - np.outer(means, means))

    def average(self, output: int) -> NDArray[np.float64]:
        """Mean products of one output."""
        return np.asarray(self.products[output] / self.weight)


@dataclass(frozen=True)
class RowGames:
    """Games of explained variance, or of explained squared error, of a fitted model over some rows.

    Attributes
    ----------
    model : AdditiveModel
    encoded : Encoded
    weights : ndarray of shape (n_rows,), float64
        Above zero.
    targets : ndarray of shape (n_rows, n_outputs), float64, or None
        The model's outputs for variances, labels for losses. None: what could be explained is not known.
    is_loss : bool
        Whether v(S) is by how much g(x; S) lowers the mean squared error of predicting labels by the base value alone.
    """

    model: AdditiveModel
    encoded: Encoded
    weights: NDArray[np.float64]
    targets: NDArray[np.float64] | None
    is_loss: bool

    def measure(self, *, pairs: bool = False, errors: bool = True) -> list[Importance]:
        """Importance by each output, with all features as players; standard errors count the rows alone."""
        sets, _ = self.model.components_with_index
        check_n_sets(len(sets))
        whole = self._sum(np.arange(len(self.weights)), self.weights)
        outputs = range(self.model.n_outputs)
        games = [self._make_game(whole, output) for output in outputs]
        listed = [game[0].list_coalitions() for game in games]
        measured = [_measure(game, total, each, pairs) for (game, total), each in zip(games, listed, strict=True)]
        found = [self._spread(each, pairs) for each in measured]
        groups = self._assign_groups() if errors else []
        if len(groups) < 2:
            return found
        replicas = []
        for rows, weights in groups:
            rest = whole - self._sum(rows, weights)
            own = [self._make_game(rest, output) for output in outputs]
            replicas.append([_list_values(game, total, each, pairs) for (game, total), each in zip(own, listed, strict=True)])
        shares = np.array([weights.sum() for _, weights in groups]) / self.weights.sum()
        spread, freedom = combine_replicas(compute_contrast(shares), np.array(replicas), measured)
        if self.targets is not None and not self.is_loss:
            others = [self._make_game(whole, output, by_outputs=True)[0] for output in outputs]
            whole_games = [game for game, _ in games]
            apart = [_measure_distance(*each, pairs) for each in zip(whole_games, others, listed, strict=True)]
            spread = np.hypot(spread, apart)
        drawn = [_measure_sampling(game, each, pairs) for (game, _), each in zip(games, listed, strict=True)]
        return [
            replace(
                each,
                errors=self._fill(np.hypot(own[:-1], more), pairs),
                left_error=float(own[-1]),
                freedom=np.maximum(self._fill(free[:-1], pairs), 1.0),
            )
            for each, own, more, free in zip(found, spread, drawn, freedom, strict=True)
        ]

    @property
    def _varying(self) -> NDArray[np.int64]:
        found = np.flatnonzero(self.model.is_player)
        return found if len(found) else np.zeros(1, dtype=np.int64)

    def _assign_groups(self) -> list[tuple[NDArray[np.int64], NDArray[np.float64]]]:
        given = np.zeros((len(self.weights), 1)) if self.targets is None else self.targets
        try:
            return assign_groups(self.encoded, given, self.weights, N_GROUPS)
        except ValueError:  # too few rows for two groups
            return []

    def _make_game(self, moments: _RowMoments, output: int, *, by_outputs: bool = False) -> tuple[ComponentGame, float]:
        """The game of one output, of the players that vary, and what could be explained.

        ``by_outputs``: variances by the model's outputs, as in :func:`make_variance_game`.
        """
        products = moments.average(output) if self.is_loss else moments.centre(output)
        total = float(products[0, 0]) if self.targets is not None else float("nan")
        is_loss = self.is_loss or by_outputs
        products = products * (-1.0 if is_loss else 1.0)
        if is_loss:
            products[0] *= -1.0
            products[0, 0] = 0.0
            products[:, 0] = products[0]
        else:
            products[0] = products[:, 0] = 0.0
        found, _ = self.model.components_with_index
        n_sets = 1 + len(found)
        places = {int(player): place for place, player in enumerate(self._varying)} | {ANY: ANY}
        sets: tuple[PresenceSet, ...] = ((), *(tuple(places[player] for player in each) for each in found))
        linear, part = None, self.model.linear
        if part is not None:
            linear = LinearMoments(
                np.array([places[player] for player in part.players.tolist()], dtype=np.int64),
                part.covariance,
                part.cross[:, output],
                products[:n_sets, n_sets:],
                products[n_sets:, n_sets:],
            )
        return ComponentGame(sets, products[:n_sets, :n_sets], len(self._varying), linear), total

    def _sum(self, rows: NDArray[np.int64], weights: NDArray[np.float64]) -> _RowMoments:
        sets, lookup = self.model.components_with_index
        n_scores = 0 if self.model.linear is None else len(self.model.linear.players)
        size, n_outputs = 1 + len(sets) + n_scores, self.model.n_outputs
        sums, products = np.zeros((n_outputs, size)), np.zeros((n_outputs, size, size))
        step = max(_BLOCK_NUMBERS // (size * n_outputs), 64)
        for start in range(0, len(rows), step):
            block = rows[start : start + step]
            own = self.encoded.take(block)
            functions = np.zeros((n_outputs, len(block), size))
            if self.targets is not None:
                functions[:, :, 0] = (self.targets[block] - self.model.base_value).T
            functions[:, :, 1 : 1 + len(sets)] = lookup.apply(own).transpose(2, 0, 1)[:, :, : len(sets)]
            if self.model.linear is not None:
                functions[:, :, 1 + len(sets) :] = self.model.linear.look_up_scores(self.model.bases, own)
            weighted = functions * weights[start : start + step, None]
            sums += weighted.sum(axis=1)
            products += weighted.transpose(0, 2, 1) @ functions
        return _RowMoments(float(weights.sum()), sums, products)

    def _fill(self, values: NDArray[np.float64], pairs: bool) -> NDArray[np.float64]:
        return spread_players(values, self._varying, self.model.n_players, pairs)

    def _spread(self, found: Importance, pairs: bool) -> Importance:
        return spread_importance(found, self._varying, self.model.n_players, pairs)


def spread_importance(found: Importance, varying: Sequence[int] | NDArray[np.int64], n_players: int, pairs: bool) -> Importance:
    """Importance of the players that vary as that of all features: the others have exactly 0."""
    fill: Callable[[NDArray[np.float64]], NDArray[np.float64]] = lambda values: spread_players(  # noqa: E731
        values, varying, n_players, False
    )
    return replace(
        found,
        values=spread_players(found.values, varying, n_players, pairs),
        errors=spread_players(found.errors, varying, n_players, pairs),
        freedom=np.maximum(spread_players(np.full(len(found.values), 1.0) * found.freedom, varying, n_players, pairs), 1.0),
        alone=fill(found.alone),
        last=fill(found.last),
    )


def spread_players(
    values: NDArray[np.float64], varying: Sequence[int] | NDArray[np.int64], n_players: int, pairs: bool
) -> NDArray[np.float64]:
    """Numbers of the players that vary, or of pairs of them, among those of all; 0 for the others."""
    places = np.asarray(varying, dtype=np.int64)
    if not pairs:
        spread = np.zeros(n_players)
        spread[places] = values
        return spread
    square = np.zeros((n_players, n_players))
    first, second = np.triu_indices(len(places), 1)
    square[places[first], places[second]] = values
    return np.asarray(square[np.triu_indices(n_players, 1)])
