"""References: other estimates of ``E[f(X) | x_S]``, by which the games of an order are judged.

Where there is a model to ask, absent columns are drawn given the known ones from estimated distributions, and the model's
outputs averaged. Without one, regressions predict the outputs from the known columns alone. None of them has seen the rows it
is evaluated on.
"""

from collections.abc import Callable
from dataclasses import dataclass
from math import comb
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ..blackbox.samplers import learn_sampler
from ..game.grouping import group_masks
from .held_rows import Rows, mark_missing

Positions = NDArray[np.int64]
# Rows, coalitions and noise to the outputs of rows whose absent columns were drawn once; see ``SampledGame.draw_outputs``.
Draw = Callable[[Positions, NDArray[np.bool_], NDArray[np.float64]], NDArray[np.float64]]

# Distributions that absent columns are drawn from, by name; above so many columns mixtures have too many parameters.
SAMPLED = ("gaussian", "copula", "mixture", "neighbours")
_MAX_MIXTURE_COLUMNS = 30
REGRESSED = ("boosting", "polynomial regression", "linear regression", "nearest rows")
# Rows from which distributions, and regressions, are estimated: more sharpen them little.
_MAX_SAMPLER_ROWS, _MAX_REGRESSION_ROWS = 3000, 20_000
# Rows times coalitions that teach regressions, divided among outputs and splits; coalitions a row; rows of a leaf.
_N_TAUGHT, _MIN_TAUGHT, _MAX_COALITIONS, _MIN_LEAF = 30_000, 5_000, 10, 10
_MAX_TREES, _PATIENCE = 200, 8
# Numbers in the rows that are drawn at once.
_MAX_ENTRIES = 2**22
# Added to variances of standardised columns.
_RIDGE = 1e-6
# Degrees of the polynomials, the first of at most so many monomials; and strengths of the ridge, in samples.
_DEGREES, _MAX_MONOMIALS, _STRENGTHS = (3, 2), 1000, (1.0, 10.0, 100.0, 1000.0)


class Asker(Protocol):
    """Asks the model about rows of the audit with some of their columns replaced."""

    def learn(self, kind: str, learners: Positions, rows: Positions) -> Draw:
        """Estimate a distribution from some rows; others, counted from 0, are then asked about."""


@dataclass(frozen=True)
class Probes:
    """Rows and coalitions at which games are compared.

    Attributes
    ----------
    rows : ndarray of shape (n_probes,), int64
        Positions among the rows of the audit.
    masks : ndarray of shape (n_probes, 2, n_players - 1, n_players), bool
        Two independent walks a row: players become known one by one, in a random order.
    splits : tuple of (learners, places)
        Rows that references are learnt from, and which of the probes they are then evaluated on.
    owners : ndarray of shape (n_probes,), int64
        Number of each row among the different ones, rising: copies of one row have the same.
    """

    rows: Positions
    masks: NDArray[np.bool_]
    splits: tuple[tuple[Positions, Positions], ...]
    owners: Positions

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_different(self) -> int:
        """Different rows."""
        return int(self.owners[-1]) + 1

    @property
    def halves(self) -> NDArray[np.bool_]:
        """Every second of the different rows: what is chosen on one half is measured on the other."""
        return np.asarray(self.owners % 2 == 0)

    def take(self, n_probes: int) -> "Probes":
        """The first so many of the probes."""
        splits = tuple((learners, places[places < n_probes]) for learners, places in self.splits)
        splits = tuple(each for each in splits if len(each[1]))
        return Probes(self.rows[:n_probes], self.masks[:n_probes], splits, self.owners[:n_probes])


def make_probes(rows: Rows, n_probes: int, n_walks: int, n_splits: int) -> Probes:
    """The rows of the smallest hashes with two random walks each; the same at every call.

    Where the rows are many, the others teach; else the probes are split, and those outside a part teach too.
    """
    chosen = rows.choose(n_probes)
    d = len(rows.feature_names)
    rng = np.random.default_rng(0)
    n_turned = min(n_walks, d)  # an order comes with its rotations: each player then is as often early as late
    orders = rng.random((2, -(-n_walks // n_turned), d)).argsort(axis=2).argsort(axis=2)
    shifts = np.arange(n_turned) * d // n_turned
    ranks = (orders[:, :, None] + shifts[:, None]).reshape(2, -1, d) % d
    n_walks = ranks.shape[1]
    rounds, turns = np.divmod(np.arange(len(chosen)), n_walks)
    # Every walk meets every one of the other kind: few pairs, always the same, gave products with errors that no row shows.
    pairs = np.stack([ranks[0, turns], ranks[1, (turns + rounds) % n_walks]], axis=1)
    masks = pairs[:, :, None] < np.arange(1, d)[:, None]  # (n_probes, 2, d - 1, d)
    keys = rows.keys[chosen]
    splits = []
    for part in np.array_split(np.arange(len(chosen)), n_splits):
        learners = np.flatnonzero(~np.isin(rows.keys, keys[part]))  # nor does a copy of a row teach what is said of it
        splits.append((learners, part))
    owners = np.unique(keys, return_inverse=True)[1].reshape(-1)
    return Probes(chosen, masks, tuple(splits), owners)


def list_sampled(rows: Rows) -> tuple[str, ...]:
    """Kinds of distribution that serve a table of so many columns."""
    return tuple(kind for kind in SAMPLED if kind != "mixture" or len(rows.columns) <= _MAX_MIXTURE_COLUMNS)


def evaluate_sampled(kind: str, asker: Asker, rows: Rows, probes: Probes, n_draws: int) -> NDArray[np.float64]:
    """Means of the model's outputs over draws of absent columns, shape (2, n_probes, 2, n_players - 1, n_outputs).

    The first axis holds two independent halves of the draws, so that products of them have no noise in the mean. The points
    of a half fill the cube evenly; each row shifts them by its own random amount, and its coalitions share them.
    """
    from scipy.stats import qmc

    n, d = len(probes), len(rows.feature_names)
    values = np.zeros((2, n, 2 * (d - 1), rows.outputs.shape[1]))
    rng = np.random.default_rng(1)
    n_columns = len(rows.columns)
    n_points = max(n_draws // 2, 1)
    points = [qmc.Sobol(n_columns + 1, seed=half).random_base2(int(np.ceil(np.log2(n_points))))[:n_points] for half in range(2)]
    shifts = rng.random((2, n, n_columns + 1))
    for learners, places in probes.splits:
        taught = _thin(learners, rows, _MAX_SAMPLER_ROWS)
        draw = asker.learn(kind, taught, probes.rows[places])
        masks = probes.masks[places].reshape(-1, d)
        owner = np.repeat(np.arange(len(places)), 2 * (d - 1))
        n_joint = max(_MAX_ENTRIES // (len(owner) * n_columns), 1)  # drawn together: factors serve all draws
        everything = [(half, point) for half in range(2) for point in points[half]]
        for start in range(0, len(everything), n_joint):
            some = everything[start : start + n_joint]
            noise = np.stack([(point + shifts[half, places]) % 1.0 for half, point in some])
            noise = np.clip(noise, 1e-9, 1 - 1e-9)[:, owner].reshape(-1, n_columns + 1)
            found = draw(np.tile(owner, len(some)), np.tile(masks, (len(some), 1)), noise)
            for (half, _), part in zip(some, found.reshape(len(some), len(places), 2 * (d - 1), -1), strict=True):
                values[half, places] += part / n_points
    return values.reshape(2, n, 2, d - 1, -1)


def evaluate_regressed(kind: str, rows: Rows, probes: Probes) -> NDArray[np.float64]:
    """What a regression predicts from the known columns; shape as above, both halves the same."""
    d = len(rows.feature_names)
    values = np.zeros((len(probes), 2 * (d - 1), rows.outputs.shape[1]))
    predict = {
        "boosting": _boost,
        "polynomial regression": _regress_on_monomials,
        "linear regression": _regress_linearly,
        "nearest rows": _average_nearest,
    }[kind]
    for learners, places in probes.splits:
        limit = max(_N_TAUGHT // (rows.outputs.shape[1] * len(probes.splits)), _MIN_TAUGHT)
        taught = _thin(learners, rows, min(_MAX_REGRESSION_ROWS, limit))
        masks = probes.masks[places].reshape(len(places), -1, d)
        values[places] = predict(rows, taught, probes.rows[places], masks, limit)
    return np.broadcast_to(values.reshape(1, len(probes), 2, d - 1, -1), (2, len(probes), 2, d - 1, values.shape[2]))


def _thin(learners: Positions, rows: Rows, limit: int) -> Positions:
    """At most so many of the rows, by their hashes; where weights differ, each as often as its weight says."""
    order = learners[np.argsort(rows.keys[learners], kind="stable")]
    weights = rows.weights[order]
    if (weights == weights[0]).all():
        return np.asarray(order[:limit])
    size = min(limit, len(order))
    places = (np.arange(size) + 0.5) / size * weights.sum()
    return np.asarray(order[np.minimum(np.searchsorted(np.cumsum(weights), places), len(order) - 1)])


def list_numbers(rows: Rows) -> NDArray[np.float64]:
    """Columns as numbers, where a missing value is one below all others: NaN means absent."""
    values = rows.values.copy()
    for column in values.T:
        is_missing = np.isnan(column)
        if is_missing.any():
            column[is_missing] = mark_missing(np.nanmin(column)) if not is_missing.all() else 0.0
    return values


@dataclass(frozen=True)
class _Lesson:
    """Rows under random coalitions, some of them kept to see when learning stops helping.

    Attributes
    ----------
    rows : ndarray of shape (n_samples,), int64
    known : ndarray of shape (n_samples, n_players), bool
    is_new : ndarray of shape (n_samples,), bool
        Samples of the rows that are not learnt from.
    n_coalitions : int
        Samples of a row.
    """

    rows: Positions
    known: NDArray[np.bool_]
    is_new: NDArray[np.bool_]
    n_coalitions: int


def _prepare_lesson(rows: Rows, learners: Positions, n_taught: int) -> _Lesson:
    """Sizes of coalitions are half uniform, half those of the Shapley kernel; every eighth row is kept."""
    rng = np.random.default_rng(2)
    d = len(rows.feature_names)
    n_coalitions = int(np.clip(n_taught // len(learners), 1, _MAX_COALITIONS))
    own = learners[: n_taught // n_coalitions]
    taught = np.repeat(own, n_coalitions)
    sizes = rng.choice(np.arange(1, d), len(taught), p=0.5 * weigh_sizes(d) + 0.5 / (d - 1))
    known = rng.random((len(taught), d)).argsort(axis=1).argsort(axis=1) < sizes[:, None]
    return _Lesson(taught, known, np.repeat(np.arange(len(own)) % 8 == 0, n_coalitions), n_coalitions)


def _boost(rows: Rows, learners: Positions, asked: Positions, masks: NDArray[np.bool_], n_taught: int) -> NDArray[np.float64]:
    """Boosted trees that read the known columns (absent: missing) and which are known; stopped on rows they have not seen."""
    lesson, numbers, players = _prepare_lesson(rows, learners, n_taught), list_numbers(rows), list(rows.players)

    def hide(places: Positions, known: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.hstack([np.where(known[:, players], numbers[places], np.nan), known])

    table = hide(lesson.rows, lesson.known)
    wanted = hide(np.repeat(asked, masks.shape[1]), masks.reshape(-1, masks.shape[2]))
    leaf = _MIN_LEAF * lesson.n_coalitions
    found = [_grow_trees(table, each, lesson.is_new, wanted, leaf) for each in rows.outputs[lesson.rows].T]
    return np.stack(found, axis=1).reshape(*masks.shape[:2], len(found))


def _regress_on_monomials(
    rows: Rows, learners: Positions, asked: Positions, masks: NDArray[np.bool_], n_taught: int
) -> NDArray[np.float64]:
    """Ridge regression on monomials of the known columns' normal scores (absent: 0) and of what is known.

    What a known column says of others depends on which others are known too: the cubic monomials hold products of two columns
    for each third one. Where columns are many, only the constant is left.
    """
    from sklearn.preprocessing import PolynomialFeatures

    lesson, scores, players = _prepare_lesson(rows, learners, n_taught), score_numbers(rows), list(rows.players)
    n_inputs = len(players) + masks.shape[2]
    degree = next((each for each in _DEGREES if comb(n_inputs + each, each) <= _MAX_MONOMIALS), 0)
    monomials = PolynomialFeatures(degree)

    def expand(places: Positions, known: NDArray[np.bool_]) -> NDArray[np.float64]:
        return np.asarray(monomials.fit_transform(np.hstack([np.where(known[:, players], scores[places], 0.0), known])))

    table, target = expand(lesson.rows, lesson.known), rows.outputs[lesson.rows]
    centre, spread = table.mean(axis=0), table.std(axis=0)
    spread[spread == 0] = 1.0
    table, mean = (table - centre) / spread, target.mean(axis=0)
    taught, new = table[~lesson.is_new], table[lesson.is_new]
    gram, crossed = taught.T @ taught, taught.T @ (target[~lesson.is_new] - mean)
    slopes = [np.linalg.solve(gram + strength * lesson.n_coalitions * np.eye(len(gram)), crossed) for strength in _STRENGTHS]
    losses = [((target[lesson.is_new] - mean - new @ each) ** 2).sum() for each in slopes]
    best = slopes[int(np.argmin(losses))]
    wanted = expand(np.repeat(asked, masks.shape[1]), masks.reshape(-1, masks.shape[2]))
    return np.asarray(mean + (wanted - centre) / spread @ best).reshape(*masks.shape[:2], -1)


def _grow_trees(
    table: NDArray[np.float64], target: NDArray[np.float64], is_new: NDArray[np.bool_], wanted: NDArray[np.float64], leaf: int
) -> NDArray[np.float64]:
    from sklearn.ensemble import HistGradientBoostingRegressor

    boosted = HistGradientBoostingRegressor(
        max_iter=_MAX_TREES // 8, min_samples_leaf=leaf, early_stopping=False, warm_start=True, random_state=0
    )
    best, least, n_trees = 0, np.inf, 0
    while n_trees < _MAX_TREES:
        n_trees += _MAX_TREES // 8
        boosted.set_params(max_iter=n_trees).fit(table[~is_new], target[~is_new])
        loss = float(((boosted.predict(table[is_new]) - target[is_new]) ** 2).mean())
        if loss >= least:
            break
        best, least = n_trees, loss
    for number, prediction in enumerate(boosted.staged_predict(wanted), start=1):
        if number == best:
            return np.asarray(prediction)
    return np.full(len(wanted), target.mean())


def _regress_linearly(
    rows: Rows, learners: Positions, asked: Positions, masks: NDArray[np.bool_], _: int
) -> NDArray[np.float64]:
    """Linear regression on the normal scores of the known columns, for every coalition from one shrunk covariance."""
    from sklearn.covariance import ledoit_wolf_shrinkage

    scores = score_numbers(rows)[np.concatenate([learners, asked])]
    taught, own = scores[: len(learners)], scores[len(learners) :]
    outputs = rows.outputs[learners]
    share = float(ledoit_wolf_shrinkage(taught)) if taught.shape[1] > 1 else 0.0
    plain = taught.T @ taught / len(taught)
    covariance = (1 - share) * plain + (share + _RIDGE) * np.eye(len(plain))
    crossed = taught.T @ (outputs - outputs.mean(axis=0)) / len(taught)
    crossed = plain @ np.linalg.solve(covariance, crossed)  # of the ridge regression on all columns
    players = list(rows.players)

    def predict(known: NDArray[np.bool_], which: Positions) -> NDArray[np.float64]:
        columns = np.flatnonzero(known[players])
        slopes = np.linalg.solve(covariance[np.ix_(columns, columns)], crossed[columns])
        return np.asarray(outputs.mean(axis=0) + own[np.ix_(which, columns)] @ slopes)

    return _predict_by_coalition(predict, masks, outputs.shape[1])


def _average_nearest(
    rows: Rows, learners: Positions, asked: Positions, masks: NDArray[np.bool_], _: int
) -> NDArray[np.float64]:
    """Outputs of other rows, weighted by their nearness in the known columns."""
    scores = score_numbers(rows)
    sampler = learn_sampler("neighbours", (), scores[learners])
    outputs = rows.outputs[learners[sampler.donors]]  # type: ignore[attr-defined]
    own, players = scores[asked], list(rows.players)

    def predict(known: NDArray[np.bool_], which: Positions) -> NDArray[np.float64]:
        weights = sampler._weigh(known[players], own[which])  # type: ignore[attr-defined]
        return np.asarray(weights @ outputs / weights.sum(axis=1, keepdims=True))

    return _predict_by_coalition(predict, masks, outputs.shape[1])


def score_numbers(rows: Rows) -> NDArray[np.float64]:
    """Normal scores of the columns, standardised."""
    from scipy.special import ndtri
    from scipy.stats import rankdata

    scores = ndtri((rankdata(list_numbers(rows), axis=0) - 0.5) / len(rows))
    spread = scores.std(axis=0)
    return np.asarray((scores - scores.mean(axis=0)) / np.where(spread > 0, spread, 1.0))


def _predict_by_coalition(
    predict: Callable[[NDArray[np.bool_], Positions], NDArray[np.float64]], masks: NDArray[np.bool_], n_outputs: int
) -> NDArray[np.float64]:
    """Predictions for rows of equal coalitions together, shape (n_rows, n_masks, n_outputs)."""
    n, n_masks, d = masks.shape
    values = np.empty((n * n_masks, n_outputs))
    for known, places in group_masks(masks.reshape(-1, d)):
        values[places] = predict(known, places // n_masks)
    return values.reshape(n, n_masks, n_outputs)


def weigh_sizes(d: int) -> NDArray[np.float64]:
    """Mass of each coalition size 1 … d - 1 under the Shapley kernel, shape (d - 1,)."""
    kernel = np.array([1.0 / (size * (d - size)) for size in range(1, d)])
    return np.asarray(kernel / kernel.sum())
