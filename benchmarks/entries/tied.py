"""Tied presence sets: SHAP R² of many correlated columns, and of eight beside the figures the method states."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from instashap.datasets import GaussianQuadratic, make_equicorrelated, make_factor
from instashap.game.coalitions import compute_shapley_size_law
from instashap.game.terms import ANY
from instashap.masked.candidate import Judgement, Solved
from instashap.masked.expand import expand_solution
from instashap.masked.fitter import ClosedFormFitter
from instashap.masked.search import Search
from instashap.masked.select import Judge
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table

from ..runner import Bench, Figure, judge

# Orders of the columns drawn for the exact values, and held at once.
N_ORDERS = 16_000
_BATCH = 200
N_ROWS, N_TESTED = 20_000, 1000

Best = tuple[Judge, Judgement, Solved]


def make_autoregressive(n_features: int, correlation: float = 0.9) -> GaussianQuadratic:
    """Gaussians in a row, neighbours correlated; the output of :func:`instashap.datasets.make_equicorrelated`."""
    apart = np.abs(np.subtract.outer(np.arange(n_features), np.arange(n_features)))
    return _replace_covariance(make_equicorrelated(n_features, 0.6, 0), correlation**apart)


def make_wide_panel(n_features: int, correlation: float = 0.707) -> GaussianQuadratic:
    """The paper's panel of order 2 with more pairs of columns."""
    rng = np.random.default_rng(0)
    products = np.triu(rng.standard_normal((n_features, n_features)), k=1) / 2.0
    covariance = np.kron(np.eye(n_features // 2), np.array([[1.0, correlation], [correlation, 1.0]]))
    panel = GaussianQuadratic(covariance, rng.standard_normal(n_features), products + products.T)
    return _replace_covariance(panel, covariance)


def _replace_covariance(simulator: GaussianQuadratic, covariance: NDArray[np.float64]) -> GaussianQuadratic:
    """The same output up to a factor, of sd 1, among other rows."""
    moved = GaussianQuadratic(covariance, simulator.coef_linear, simulator.coef_quadratic)
    scale = 1.0 / np.sqrt(moved.variance)
    return GaussianQuadratic(covariance, scale * moved.coef_linear, scale * moved.coef_quadratic)


SIMULATORS: dict[str, Callable[[int], GaussianQuadratic]] = {
    "equicorrelated .6": lambda d: make_equicorrelated(d, 0.6, 0),
    "three factors": lambda d: make_factor(d, 3, 0),
    "autoregressive .9": make_autoregressive,
    "panel of order 2": make_wide_panel,
}
# What the method states for order 2: plain, and with terms linear in the coalition's size.
STATED = {"equicorrelated .6": (0.974, 0.992), "autoregressive .9": (0.980, 0.990), "three factors": (0.854, 0.902)}
CASES = (
    *((16, name) for name in ("equicorrelated .6", "three factors", "autoregressive .9")),
    *((24, name) for name in SIMULATORS),
    *((40, name) for name in ("equicorrelated .6", "three factors")),
)


def run(bench: Bench) -> dict[str, Figure]:
    """SHAP R² of presence pairs, of triples (all of 16 columns, else screened), and of tied sets on top."""
    figures = {}
    for name, (plain, linear) in STATED.items():
        found = list(measure_eight(SIMULATORS[name](8), bench))
        for what, value, stated in zip(("order 2", "order 2 and size"), found, (plain, linear), strict=True):
            figures[f"d = 8, {name}, {what}: SHAP R² (the method states {stated})"] = judge(value)
    for d, name in bench.choose(CASES, CASES[:0]):
        fit = Fit(SIMULATORS[name](d), bench)
        figures[f"d = {d}, {name}: own error of the true values"] = judge(fit.own_error)
        for what, value, risk in measure_many(fit):
            figures[f"d = {d}, {name}, {what}: SHAP R²"] = judge(value)
            figures[f"d = {d}, {name}, {what}: masked risk"] = judge(risk)
    bench.notes.append(f"true values of d > 8 from {N_ORDERS} orders of the columns; 1 - R² of their own error beside them")
    return figures


class Fit:
    """A search on rows of a simulator, and the true values of others."""

    def __init__(self, simulator: GaussianQuadratic, bench: Bench, **options: int) -> None:
        X, outputs = simulator.sample(bench.choose(N_ROWS, 500), 1)
        tested, _ = simulator.sample(bench.choose(N_TESTED, 100), 2)
        weights = np.ones(len(X))
        encoder, columns = learn_table(read_table(X), weights)
        self.n_players = simulator.n_features
        self.tested = encoder.encode(read_table(tested))
        self.own_error = 0.0
        if self.n_players <= 12:
            self.exact = simulator.shap_values(tested)
        else:
            self.exact, errors = sample_shap_values(simulator, tested, N_ORDERS, np.random.default_rng(0))
            self.own_error = float(np.sum(errors**2) / np.sum(self.exact**2))
        fitter = ClosedFormFitter(columns, tuple(range(self.n_players)), **options)
        law = compute_shapley_size_law(self.n_players)
        self.search = Search(fitter, encoder.encode(read_table(X)), outputs[:, None], weights, law)
        self.search.fit_main_effects()
        self.search.fit_interactions()

    def score(self, best: Best) -> float:
        """SHAP R² ``1 - Σ(est - true)² / Σ true²`` of a candidate."""
        judge_, judgement, solved = best
        solution, total = judge_.polish(judgement, solved)
        bases = tuple(column.encoder.bases for column in self.search.fitter.columns)
        model = expand_solution(solved.problem, solved.functions, solution, total, bases, self.n_players)
        values = model.credits.apply(self.tested)[:, :, 0]
        return 1.0 - float(np.sum((values - self.exact) ** 2) / np.sum(self.exact**2))


def measure_eight(simulator: GaussianQuadratic, bench: Bench) -> Iterator[float]:
    """SHAP R² of order 2 and presence order 2, and with every such function tied to one other player."""
    fit = Fit(simulator, bench, presence_order=2)
    yield fit.score(fit.search.best)
    judge_, best, solved = fit.search.best
    judge_.presence_sets[3] = [(ANY, *pair) for pair in combinations(range(8), 2)]  # type: ignore[index]
    every = (100, 100, 1)
    candidate = replace(best.candidate, presence_order=3, written_order=2, extra_ranks=every)
    yield fit.score((judge_, *judge_.judge(candidate, best.strengths, (), solved)))


def measure_many(fit: Fit) -> Iterator[tuple[str, float, float]]:
    """What is measured, SHAP R² and masked risk as the default fit climbs."""
    steps = {
        "presence pairs": lambda: None,
        "triples": fit.search.enrich_presence,
        "tied sets": fit.search.tie_presence,
    }
    for what, fit_lower_orders in steps.items():
        fit_lower_orders()
        yield what, fit.score(fit.search.best), fit.search.best[1].risk


def sample_shap_values(
    simulator: GaussianQuadratic, X: NDArray[np.float64], n_permutations: int, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Conditional Shapley values of many columns from random orders and their reverses, and their standard errors.

    Every marginal contribution is a quadratic function of the row, so that one sample of orders serves every row. Columns
    are known one after the other: each adds one rank to the map of the row to conditional means, and takes one from the
    conditional covariance.
    """
    d = simulator.n_features
    sums = []
    for _ in range(max(n_permutations // (2 * _BATCH), 2)):
        orders = rng.random((_BATCH, d)).argsort(axis=1)
        sums.append(_average_contributions(simulator, np.concatenate([orders, orders[:, ::-1]])))
    values = np.stack([_evaluate(each, X) for each in sums])
    return values.mean(axis=0), values.std(axis=0, ddof=1) / np.sqrt(len(values))


def _average_contributions(simulator: GaussianQuadratic, orders: NDArray[np.int64]) -> NDArray[np.float64]:
    """Mean coefficients (constant, linear, quadratic) of each player's contribution, shape (d, 1 + d + d²)."""
    n, d = orders.shape
    linear, quadratic = simulator.coef_linear, simulator.coef_quadratic
    spread = np.repeat(simulator.covariance[None], n, axis=0)
    means = np.zeros((n, d, d))
    every = np.arange(n)
    total = np.zeros((d, 1 + d + d * d))
    before = np.concatenate([np.full((n, 1), np.sum(quadratic * simulator.covariance)), np.zeros((n, d + d * d))], axis=1)
    for step in range(d):
        players = orders[:, step]
        column = spread[every, :, players]
        gain = column / column[every, players][:, None]
        news = -means[every, players]
        news[every, players] += 1.0
        means += gain[:, :, None] * news[:, None, :]
        spread -= gain[:, :, None] * column[:, None, :]
        constant = np.einsum("ij,nij->n", quadratic, spread)
        square = np.matmul(means.transpose(0, 2, 1), quadratic @ means)
        after = np.concatenate([constant[:, None], linear @ means, square.reshape(n, -1)], axis=1)
        np.add.at(total, players, (after - before) / n)
        before = after
    return total


def _evaluate(coefficients: NDArray[np.float64], X: NDArray[np.float64]) -> NDArray[np.float64]:
    d = X.shape[1]
    square = coefficients[:, 1 + d :].reshape(-1, d, d)
    quadratic = np.stack([np.einsum("ni,ni->n", X @ each, X) for each in square], axis=1)
    return coefficients[:, 0] + X @ coefficients[:, 1 : 1 + d].T + quadratic
