"""Neural estimators: games by counting, probabilities, and the conventions of scikit-learn."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.model_selection import cross_val_score

pytest.importorskip("torch", reason="torch is not installed")

from instashap.game.coalitions import enumerate_coalitions
from instashap.neural import NetShape, NeuralAdditiveClassifier, NeuralAdditiveRegressor, TrainingPlan

PLAN = TrainingPlan(n_epochs=40, batch_rows=64, learning_rate=1e-2, device="cpu")
SMALL = NetShape(3, (8,), (4, 4, 4), (2, 2, 0))


def make_bits(n_rows=2000):
    """Two correlated bits and a label whose odds depend on both."""
    rng = np.random.default_rng(0)
    X = rng.integers(0, 2, (n_rows, 2)).astype(float)
    X[:, 1] = np.where(rng.random(n_rows) < 0.7, X[:, 0], X[:, 1])
    chance = np.array([[0.1, 0.5], [0.4, 0.9]])[X[:, 0].astype(int), X[:, 1].astype(int)]
    return X, (rng.random(n_rows) < chance).astype(int)


def test_masked_scores_are_the_log_odds_of_counted_shares():
    X, y = make_bits()
    model = NeuralAdditiveClassifier(shape=SMALL, plan=replace(PLAN, n_epochs=250, patience=250), full_weight=1.0).fit(X, y)
    fitted = model.to_explainer(X)._fitted
    encoded = fitted.encoder.encode(fitted.read(X))
    for mask in enumerate_coalitions(2):
        scores = fitted.model.predict(encoded, np.broadcast_to(mask, X.shape))[:, 0]
        for known in np.unique(X[:, mask], axis=0):
            alike = (X[:, mask] == known).all(axis=1)
            share = y[alike].mean()
            assert scores[alike][0] == pytest.approx(np.log(share / (1 - share)), abs=0.1)
    assert model.intercept_ == pytest.approx(np.log(y.mean() / (1 - y.mean())), abs=1e-12)
    assert "log-odds of E[y | x_S]" in model.explain(X).game


def test_classes_have_names_and_probabilities():
    data = load_wine(as_frame=True)
    names = data.target_names[data.target]
    model = NeuralAdditiveClassifier(order=1, shape=SMALL, plan=PLAN, random_state=1).fit(data.data, names)
    probabilities = model.predict_proba(data.data)
    assert probabilities.sum(axis=1) == pytest.approx(np.ones(178))
    assert np.mean(model.predict(data.data) == names) > 0.95
    assert model.explain(data.data).output_names == tuple(data.target_names)


def test_values_and_intercept_sum_to_the_scores():
    X, y = make_bits(500)
    model = NeuralAdditiveClassifier(shape=SMALL, plan=replace(PLAN, n_epochs=3)).fit(X, y)
    assert model.shap_values(X).sum(axis=1) + model.intercept_ == pytest.approx(model.decision_function(X), abs=1e-10)


def test_a_regressor_learns_a_product_and_is_cloned_with_its_options():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(900, 3))
    y = X[:, 0] * X[:, 1] + X[:, 2] + 0.1 * rng.normal(size=900)
    model = NeuralAdditiveRegressor(interactions=[(0, 1)], shape=SMALL, plan=PLAN, random_state=3)
    copy = clone(model)
    assert copy.get_params()["plan"] == PLAN
    assert cross_val_score(copy, X, y, cv=[(np.arange(600), np.arange(600, 900))])[0] > 0.95
    fitted = model.fit(X[:300], y[:300])
    assert fitted.shap_values(X).sum(axis=1) + fitted.intercept_ == pytest.approx(fitted.predict(X), abs=1e-9)


def test_a_weight_of_zero_leaves_a_row_out():
    X, y = make_bits(400)
    weights = (np.arange(400) < 300).astype(float)
    plan = replace(PLAN, n_epochs=2)
    weighted = NeuralAdditiveClassifier(order=1, shape=SMALL, plan=plan).fit(X, y, weights)
    fewer = NeuralAdditiveClassifier(order=1, shape=SMALL, plan=plan).fit(X[:300], y[:300])
    assert weighted.decision_function(X) == pytest.approx(fewer.decision_function(X), abs=1e-10)
