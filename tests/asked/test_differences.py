"""Components of one and two players of tables with many columns, against hand-computed games."""

import numpy as np
import pandas as pd
import pytest

from instashap import Explainer, Marginal
from instashap.asked.differences import _regress, _share_out_calls
from instashap.asked.sample import MAX_CALLS

RNG = np.random.default_rng(0)
X = RNG.multivariate_normal(np.zeros(18), 0.5 + 0.5 * np.eye(18), size=400)
BACKGROUND = X[:25]


@pytest.fixture(autouse=True)
def _few_draws(monkeypatch):
    monkeypatch.setattr("instashap.asked.differences.MAX_DRAWS", 1500)


def _compute_product_values(x, first, second):
    """Shapley values of ``x_1 x_2`` over the background, for both columns: by enumeration of the four coalitions."""
    b, c = BACKGROUND[:, first], BACKGROUND[:, second]
    empty, one, two, both = (b * c).mean(), (x[first] * c).mean(), (b * x[second]).mean(), x[first] * x[second]
    return (one - empty + both - two) / 2, (two - empty + both - one) / 2


def test_single_references_recover_a_model_of_pairs_exactly():
    explainer = Explainer(lambda X: 3 + X[:, 0] * X[:, 1] + X[:, 2] ** 2 - X[:, 3], value_function=Marginal(BACKGROUND)).fit(X)
    fresh = X[30:40]
    explanation = explainer(fresh)
    expected = np.zeros((10, 18))
    expected[:, :2] = [_compute_product_values(x, 0, 1) for x in fresh]
    expected[:, 2] = fresh[:, 2] ** 2 - (BACKGROUND[:, 2] ** 2).mean()
    expected[:, 3] = BACKGROUND[:, 3].mean() - fresh[:, 3]
    np.testing.assert_allclose(explanation.values, expected, atol=1e-6)
    assert explainer.expected_value == pytest.approx((3 + BACKGROUND[:, 0] * BACKGROUND[:, 1] + BACKGROUND[:, 2] ** 2).mean()
                                                     - BACKGROUND[:, 3].mean())
    assert (0, 1) in explainer.terms_


def test_single_references_recover_categories_missing_values_and_several_outputs():
    frame = pd.DataFrame(X.copy(), columns=[f"c{k}" for k in range(18)])
    frame["c0"] = pd.Categorical(np.where(X[:, 0] > 0.3, "high", np.where(X[:, 0] < -0.5, "low", "middle")))
    frame.loc[frame.index[::9], "c1"] = np.nan

    def model(table):
        is_high = (table["c0"] == "high").to_numpy(dtype=float)
        value = table["c1"].fillna(2.0).to_numpy()
        return np.column_stack([is_high * value, value])

    background = frame.iloc[:25]
    values = Explainer(model, value_function=Marginal(background)).fit(frame).shap_values(frame.iloc[40:60])
    b, c = model(background)[:, 0] / model(background)[:, 1], model(background)[:, 1]
    for number, row in enumerate(model(frame.iloc[40:60])):
        x, y = row[0] / row[1], row[1]
        assert values[number, 0, 0] == pytest.approx(((x - b) * (y + c) / 2).mean(), abs=1e-5)
        assert values[number, 1, 1] == pytest.approx((y - c).mean(), abs=1e-5)
    np.testing.assert_allclose(values[:, 2:], 0.0, atol=1e-6)


def test_the_strongest_pairs_are_kept_and_rivals_are_compared_on_the_rows(monkeypatch):
    monkeypatch.setattr("instashap.asked.differences._PAIRS_PER_COLUMN", 2)
    weights = RNG.uniform(0.5, 1, size=16)
    rows = RNG.normal(size=(300, 16))

    def model(X):
        return (X[:, 0] + X[:, 1]) * (X @ weights) + 0.3 * np.prod(X[:, 2:5], axis=1)

    explainer = Explainer(model, value_function=Marginal(rows[:20])).fit(rows)
    assert explainer._fitted.facts.get("n_coalitions") is None
    pairs = [term for term in explainer.terms_ if len(term) == 2]
    assert len(pairs) == 32
    assert {(0, k) for k in range(1, 16)} | {(1, k) for k in range(2, 16)} <= set(pairs)
    residual = model(rows) - explainer.predict(rows)
    assert explainer._fitted.facts["chosen"]["fidelity"] == pytest.approx(1 - (residual**2).mean() / model(rows).var())


@pytest.mark.parametrize(
    "options", [{"order": 1}, {"interactions": 3}, {"groups": {"both": [0, 1]}}, {"value_function": Marginal(X[:5])}]
)
def test_other_fits_use_sampled_coalitions(options):
    given = {"value_function": Marginal(BACKGROUND), **options}
    explainer = Explainer(lambda X: X[:, 0] * X[:, 1], **given).fit(X[:40])
    assert explainer._fitted.facts["n_coalitions"] > 0


@pytest.mark.parametrize("n_columns", [16, 30, 100, 300])
def test_the_number_of_calls_is_within_the_limit_of_a_fit(n_columns):
    n_pairs = n_columns * (n_columns - 1) // 2
    n_ranking, n_kept, n_draws = _share_out_calls(n_columns, n_pairs)
    assert 10 <= n_ranking <= n_draws
    assert n_kept <= n_pairs
    assert n_ranking * n_pairs + n_draws * (n_columns + n_kept) <= MAX_CALLS


def test_the_ridge_of_least_held_out_error_is_chosen():
    rng = np.random.default_rng(1)
    design, truth = rng.normal(size=(60, 40)), np.zeros((40, 1))
    noisy = _regress(design, rng.normal(size=(60, 1)))
    plain = np.linalg.lstsq(design, rng.normal(size=(60, 1)))[0]
    assert np.abs(noisy - truth).sum() < np.abs(plain - truth).sum()
    exact = rng.normal(size=(40, 2))
    np.testing.assert_allclose(_regress(design, design @ exact), exact, atol=1e-6)
    assert (_regress(np.zeros((10, 3)), np.ones((10, 1))) == 0).all()
