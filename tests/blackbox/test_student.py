"""A t copula: against the formulas of the multivariate t distribution, as scipy has them."""

import numpy as np
import pytest
from scipy import stats

from instashap.blackbox.margins import learn_margins, score_table
from instashap.blackbox.student import StudentSampler, learn_student
from instashap.masked.synthetic import KINDS, SyntheticSource
from instashap.table.columns import read_table
from instashap.table.encoding import Encoded

DEGREES, N_ROWS = 3.0, 2000
CORRELATION = np.array([[1.0, 0.6, 0.2], [0.6, 1.0, 0.4], [0.2, 0.4, 1.0]])


def draw(n_rows: int = N_ROWS, degrees: float = DEGREES) -> np.ndarray:
    return np.asarray(stats.multivariate_t(shape=CORRELATION, df=degrees, seed=0).rvs(n_rows))


def make_sampler(X: np.ndarray) -> StudentSampler:
    """A sampler of these margins that knows the distribution."""
    table = read_table(X)
    margins = learn_margins(table, X[:, 0])
    whole, nothing = np.ones(3), np.zeros(3)
    return StudentSampler(margins, np.ones(1), np.zeros((1, 3)), CORRELATION[None], whole, nothing, degrees=DEGREES)


def make_source(X: np.ndarray) -> SyntheticSource:
    table, weights = read_table(X), np.ones(len(X))
    margins = learn_margins(table, X[:, 0])
    nowhere = Encoded(np.zeros(X.shape, dtype=np.int32), np.zeros(X.shape))
    rows = nowhere, X[:, :1], weights, np.arange(X.shape[1])
    return SyntheticSource(*rows, margins, score_table(margins, table), lambda places: X[places[:, 0], :1], 0)


def test_degrees_and_correlations_are_those_of_the_rows() -> None:
    X = draw()
    table = read_table(np.exp(0.2 * X))  # the copula does not depend on monotone maps
    margins = learn_margins(table, X[:, 0])
    found = learn_student(margins, score_table(margins, table), np.ones(N_ROWS))
    assert found is not None
    assert found.degrees == DEGREES
    np.testing.assert_allclose(found.covariances[0], CORRELATION, atol=0.05)


def test_weights_count_as_rows() -> None:
    X = draw(300)
    weights = np.where(np.arange(300) % 2, 1.0, 3.0)
    sampler = make_sampler(X)
    scores = score_table(sampler.margins, read_table(X))
    one = sampler.relearn(scores, weights)
    other = sampler.relearn(np.repeat(scores, weights.astype(int), axis=0), np.ones(int(weights.sum())))
    np.testing.assert_allclose(one.covariances, other.covariances, atol=1e-12)


def test_normal_rows_have_no_t_copula() -> None:
    X = np.random.default_rng(0).multivariate_normal(np.zeros(3), CORRELATION, N_ROWS)
    assert make_source(X).kinds == KINDS


def test_rows_of_a_t_distribution_are_drawn_from_its_copula_alone() -> None:
    assert make_source(draw()).kinds == ("student",)


def test_densities_are_those_of_scipy() -> None:
    X = draw(50)
    scores = stats.norm.ppf(stats.t(DEGREES).cdf(X))
    exact = stats.multivariate_t(shape=CORRELATION, df=DEGREES).logpdf(X) - stats.t(DEGREES).logpdf(X).sum(axis=1)
    exact -= (scores**2).sum(axis=1) / 2
    np.testing.assert_allclose(make_sampler(X).measure_log_density(scores), exact, atol=1e-9)


@pytest.mark.parametrize("known", [0.5, 4.0])
def test_a_column_given_another_has_the_conditional_distribution(known: float) -> None:
    grid = stats.t(DEGREES).ppf((np.arange(20_001) + 0.5) / 20_001)
    X = np.stack([grid, grid, grid], axis=1)
    sampler = make_sampler(X)
    scores = np.zeros((20_000, 3))
    scores[:, 0] = stats.norm.ppf(stats.t(DEGREES).cdf(known))
    noise = np.random.default_rng(0).uniform(size=(20_000, 4))
    places = sampler.draw(scores, np.tile([True, False, False], (20_000, 1)), noise)
    spread = np.sqrt((DEGREES + known**2) / (DEGREES + 1) * (1 - CORRELATION[0, 1] ** 2))
    exact = CORRELATION[0, 1] * known + spread * stats.t(DEGREES + 1).ppf([0.1, 0.5, 0.9])
    np.testing.assert_allclose(np.quantile(grid[places[:, 1]], [0.1, 0.5, 0.9]), exact, atol=0.03 * spread)
