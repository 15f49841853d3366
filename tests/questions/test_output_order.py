"""Outputs, labels and classes in another order than those of the fit are matched by name, or refused."""

import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveRegressor, Explainer, Marginal, ModelOutputError, audit, explain_change

_RNG = np.random.default_rng(0)
_X = pd.DataFrame(_RNG.normal(size=(200, 2)), columns=["a", "b"])
_Y = pd.DataFrame({"up": 2 * _X["a"], "side": 10 * _X["b"]}) + _RNG.normal(size=(200, 2))
_SWAPPED = _Y[["side", "up"]]


def _predict(rows):
    return pd.DataFrame({"up": 2 * rows["a"], "side": 10 * rows["b"]})


@pytest.fixture(scope="module")
def explainer():
    return Explainer(_predict, order=1, synthetic_rows=0).fit(_X)


def test_labels_of_several_outputs_are_matched_by_name(explainer):
    assert explainer.audit(_X, _SWAPPED).summary() == explainer.audit(_X, _Y).summary()
    assert audit(_predict, _X, _SWAPPED, orders=1).summary() == audit(_predict, _X, _Y, orders=1).summary()
    found, expected = (explainer.importance("loss", _X, y)["value"] for y in (_SWAPPED, _Y))
    pd.testing.assert_series_equal(found, expected)
    halves = slice(0, 100), slice(100, 200)
    change = explain_change(_predict, _X[:100], _X[100:], y=_SWAPPED[:100], y_b=_Y[100:], order=1).change
    losses = [((_predict(_X[half]) - _Y[half]) ** 2).to_numpy().mean() for half in halves]
    assert change == pytest.approx(losses[1] - losses[0])


def test_a_score_matches_labels_by_name():
    model = AdditiveRegressor(order=1).fit(_X, _Y)
    assert model.score(_X, _SWAPPED) == model.score(_X, _Y) > 0.5


class _Classifier:
    """Softmax of scores by class; ``classes_`` in any order."""

    scores = {"x": np.array([0.0, 0.0]), "y": np.array([2.0, 0.0]), "z": np.array([0.0, -1.0])}  # noqa: RUF012

    def __init__(self, *classes):
        self.classes_ = np.array(classes)

    def predict_proba(self, rows):
        odds = np.exp(np.column_stack([np.asarray(rows) @ self.scores[name] for name in self.classes_]))
        return odds / odds.sum(axis=1, keepdims=True)


def test_a_model_with_its_classes_in_another_order_is_refined_and_checked_by_name():
    explainer = Explainer(_Classifier("x", "y", "z"), order=1, synthetic_rows=0).fit(_X)
    other, game = _Classifier("z", "x", "y"), {"value_function": Marginal(_X[:20]), "n_coalitions": 4}
    found, expected = (explainer.refine(_X[:3], model=model, **game).values for model in (other, None))
    np.testing.assert_allclose(found, expected, atol=1e-12)
    assert not explainer.check(_X[:60], model=other).has_moved
    with pytest.raises(ModelOutputError, match=r"\['z', 'x', 'y'\], those of the fit \['x', 'y', 'z'\]"):
        explainer.audit(_X[:60], model=other)


def test_a_model_of_two_classes_in_the_other_order_is_refused():
    explainer = Explainer(_Classifier("x", "y"), order=1, synthetic_rows=0).fit(_X)
    other = _Classifier("y", "x")
    for ask in (
        lambda: explainer.check(_X[:60], model=other),
        lambda: explainer.audit(_X[:60], model=other),
        lambda: explainer.reasons(_X[:3], reference=_X[:20], model=other),
        lambda: explainer.refine(_X[:3], model=other, value_function=Marginal(_X[:20])),
    ):
        with pytest.raises(ModelOutputError, match="class 'y', which is the first class of this model"):
            ask()
