"""Standard errors of fits with weights that are not counts, against formulas of sampling theory."""

import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveClassifier, AdditiveRegressor

_N = 4000
_IS_B = np.repeat([False, True], _N // 2)
_X = pd.DataFrame({"g": np.where(_IS_B, "B", "A")})
_ENDS = _X.iloc[[0, -1]]


def _spread_half(variances):
    """Standard error of half the difference of two groups' estimates: the value of a group in a table of two equal groups."""
    return 0.5 * np.sqrt(sum(variances))


def _measure(fit):
    """Root of the mean squared standard error over 24 samples: one, from 20 groups of rows, is accurate to a sixth."""
    errors = [fit(np.random.default_rng(seed)).explain(_ENDS, errors=True).standard_errors for seed in range(24)]
    return np.sqrt(np.mean(np.square(errors), axis=0)).ravel()


# Weights of coefficient of variation .29 and 1.41, and of few different values, as those of strata; others in each sample, for
# groups of rows depend on values alone, and are the same where all values are.
_WEIGHTS = [
    lambda rng: rng.uniform(0.5, 1.5, _N),
    lambda rng: rng.gamma(0.5, size=_N) + 1e-6,
    lambda rng: rng.choice(rng.uniform(0.3, 2.5, 6), _N),
]


@pytest.mark.parametrize("draw", _WEIGHTS)
@pytest.mark.parametrize("is_classifier", [True, False])
def test_weights_enter_standard_errors_as_in_a_weighted_mean(draw, is_classifier):
    p = np.where(_IS_B, 0.6, 0.2)
    expected = []

    def fit(rng):
        weights, y = draw(rng), (rng.uniform(size=_N) < p).astype(int)
        worth = [weights[g].sum() ** 2 / (weights[g] ** 2).sum() for g in (_IS_B, ~_IS_B)]  # Kish: sum w² / (sum w)² = 1 / n
        variances = [0.6 * 0.4 / worth[0], 0.2 * 0.8 / worth[1]]
        expected.append(_spread_half(np.divide(variances, [0.24**2, 0.16**2] if is_classifier else 1.0)))
        estimator = AdditiveClassifier(order=1) if is_classifier else AdditiveRegressor(order=1)
        return estimator.fit(_X, y, weights)

    found = _measure(fit)
    np.testing.assert_allclose(found, np.sqrt(np.mean(np.square(expected))), rtol=0.2)


def test_exposures_enter_standard_errors_as_counts_of_events():
    def fit(rng):
        exposure = rng.uniform(0.1, 5.0, _N)
        counts = rng.poisson(np.where(_IS_B, 3.0, 1.0) * exposure)
        return AdditiveRegressor(order=1, loss="poisson").fit(_X, counts, exposure=exposure)

    events = 2000 * 2.55 * np.array([1.0, 3.0])  # variance of a log rate: 1 / events
    np.testing.assert_allclose(_measure(fit), _spread_half(1 / events), rtol=0.75)


def test_the_unit_of_weights_changes_no_standard_error():
    rng = np.random.default_rng(0)
    weights, y = rng.uniform(0.5, 1.5, _N), rng.integers(0, 2, _N)
    errors = [
        AdditiveClassifier(order=1).fit(_X, y, unit * weights).explain(_ENDS, errors=True).standard_errors
        for unit in (1.0, 0.37)
    ]
    np.testing.assert_allclose(errors[0], errors[1], rtol=1e-6)
