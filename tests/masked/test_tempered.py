"""Rows far out in the tails: against the formulas of a t distribution, and weights by hand."""

import numpy as np
import pytest

import instashap
from instashap.masked.candidate import Candidate, Judgement
from instashap.masked.strengths import Strengths
from instashap.masked.tempered import count_effective, is_lower_in_most_folds, is_one_fold

R, N_DEGREES = 0.6, 3


def draw(n_rows: int, seed: int) -> np.ndarray:
    """Rows of a bivariate t distribution of correlation R."""
    rng = np.random.default_rng(seed)
    normal = rng.normal(size=(n_rows, 2)) @ np.linalg.cholesky([[1, R], [R, 1]]).T
    return np.asarray(normal / np.sqrt(rng.chisquare(N_DEGREES, (n_rows, 1)) / N_DEGREES))


def multiply(X: np.ndarray) -> np.ndarray:
    return np.asarray(X[:, 0] * X[:, 1])


def explain(X: np.ndarray) -> np.ndarray:
    """Shapley values of the product: ``E[x1 x2 | x1] = R x1²``, and without any column R times the variance of a column."""
    first, second = R * X[:, 0] ** 2, R * X[:, 1] ** 2
    base, full = R * N_DEGREES / (N_DEGREES - 2), multiply(X)
    return np.stack([(first - base + full - second) / 2, (second - base + full - first) / 2], axis=1)


@pytest.mark.parametrize("seed", [1, 3])
def test_a_product_of_heavy_tails_is_not_fitted_to_the_few_largest_rows(seed: int) -> None:
    X, rows = draw(5000, seed), draw(500, 10)
    rows = rows[np.argsort(np.abs(rows).max(axis=1))[:450]]  # so that no single one decides
    explainer = instashap.Explainer().fit(X, outputs=multiply(X))
    exact = explain(rows)
    assert explainer.fit_facts_["tail_limit"] > 3
    assert (
        1 - ((explainer.shap_values(rows) - exact) ** 2).sum() / (exact**2).sum() > 0.97
    )  # .90 and .81 if all rows count alike


def test_rows_of_light_tails_count_alike() -> None:
    X = np.random.default_rng(0).normal(size=(600, 2))
    assert instashap.Explainer().fit(X, outputs=multiply(X)).fit_facts_["tail_limit"] is None


def test_a_weight_counts_as_so_many_rows_in_the_tails_too() -> None:
    X, rows = draw(2500, 0), draw(20, 10)
    weights = np.where(np.arange(len(X)) % 3, 1, 2)
    repeated = np.repeat(X, weights, axis=0)
    one = instashap.Explainer().fit(X, outputs=multiply(X), sample_weight=weights.astype(float))
    other = instashap.Explainer().fit(repeated, outputs=multiply(repeated))
    assert one.fit_facts_["tail_limit"] == other.fit_facts_["tail_limit"] is not None
    np.testing.assert_allclose(one.shap_values(rows), other.shap_values(rows), atol=1e-7)
    with pytest.warns(instashap.FitWarning, match="count less in this fit"):
        assert other.refit(other.accumulate(repeated, outputs=multiply(repeated))).fit_facts_["tail_limit"] is None


def test_a_row_that_holds_half_of_the_variance_leaves_few_that_hold_it() -> None:
    # Distances 3, -1, -1, -1 from the mean: parts 9, 1, 1, 1 of 12, (12)² / (81 + 3).
    outputs = np.array([[3.0], [-1.0], [-1.0], [-1.0]])
    assert count_effective(outputs, np.ones(4)) == pytest.approx(144 / 84)
    assert count_effective(np.zeros((4, 1)), np.ones(4)) == np.inf


def test_one_fold_whose_risk_is_that_of_one_row_decides_nothing() -> None:
    def judge(*risks: float) -> Judgement:
        return Judgement(Candidate(1, 1, {}, (0, 0, 0)), Strengths(), sum(risks), 0.5, 1, np.array(risks))

    plain = judge(0.1, 0.1, 0.1, 0.1, 2.0)
    assert is_lower_in_most_folds(judge(0.05, 0.05, 0.05, 0.2, 9.0), plain)
    assert not is_lower_in_most_folds(judge(0.05, 0.05, 0.098, 0.2, 2.0), plain)


def test_a_fold_that_holds_all_weight_leaves_nothing_to_fit() -> None:
    folds = [(np.arange(2), np.array([1e12, 1.0])), (np.arange(2, 4), np.ones(2))]
    assert is_one_fold(folds, np.ones(4))
    assert not is_one_fold(folds, np.array([1e-9, 1.0, 1.0, 1.0]))
