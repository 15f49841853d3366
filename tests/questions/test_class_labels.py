"""Known labels are matched to the classes of a model by value, else by text, in every question that takes labels."""

import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveClassifier, Explainer, audit, explain_change

_X = np.tile(np.linspace(-2.0, 2.0, 200), 2)[:, None]
_CODES = np.where(np.arange(400) % 5 == 0, _X[:, 0] < 0, _X[:, 0] > 0).astype(int)  # a sign, wrong in every fifth row


class _Sign:
    """A classifier of two classes by the sign of the only column."""

    def __init__(self, classes):
        self.classes_ = np.array(classes)

    def predict_proba(self, rows):
        p = 1.0 / (1.0 + np.exp(-2.0 * np.asarray(rows)[:, 0]))
        return np.column_stack([1.0 - p, p])


_FORMS = [
    (["0", "1"], _CODES),
    ([0, 1], _CODES.astype(str)),
    ([0, 1], _CODES.astype(float)),
    ([0, 1], _CODES.astype(bool)),
    ([False, True], _CODES),
    (["False", "True"], _CODES.astype(bool)),
    (["0", "1"], pd.Series(_CODES, dtype="Int64")),
    (["no", "yes"], pd.Series(pd.Categorical.from_codes(_CODES, ["no", "yes"]))),
]


@pytest.mark.parametrize(("classes", "y"), _FORMS)
def test_labels_of_another_type_are_matched(classes, y):
    right = float(np.mean((_X[:, 0] > 0) == _CODES))
    explainer = Explainer(_Sign(classes)).fit(_X)
    assert f"right for {100 * right:.0f} %" in " ".join(explainer.audit(y=y).summary().split())
    p = 1.0 / (1.0 + np.exp(-2.0 * _X[:, 0]))
    loss = -np.log(np.where(_CODES == 1, p, 1.0 - p))
    ones = np.asarray(y)
    change = explain_change(_Sign(classes), _X[:150], _X[150:], y=ones[:150], y_b=ones[150:])
    assert change.change == pytest.approx(loss[150:].mean() - loss[:150].mean(), abs=1e-9)
    table = explainer.importance("loss", _X, y)
    expected = explainer.importance("loss", _X, np.array(classes)[_CODES])
    assert table["value"].iloc[0] == pytest.approx(expected["value"].iloc[0], abs=1e-12)


def test_positions_of_classes_are_refused_with_advice_that_works():
    model = _Sign(["no", "yes"])
    with pytest.raises(ValueError, match=r"none of the model's classes \('no', 'yes'\): 0, 1; .* pass ") as caught:
        audit(model, _X, _CODES)
    advised = eval(str(caught.value).split("pass ")[1], {"np": np, "y": _CODES})
    assert advised.tolist() == np.array(["no", "yes"])[_CODES].tolist()


def test_positions_that_are_no_class_by_value_are_not_guessed():
    with pytest.raises(ValueError, match=r"none of the model's classes \(1, 2\): 0"):
        audit(_Sign([1, 2]), _X, _CODES)


def test_missing_labels_and_several_columns_are_named():
    missing = np.where(_CODES == 1, np.nan, 0.0)  # no class "nan"
    with pytest.raises(ValueError, match=f"y holds {_CODES.sum()} missing labels; drop those rows"):
        audit(_Sign(["0", "nan"]), _X, missing)
    with pytest.raises(ValueError, match=r"y has shape \(400, 2\); pass one label for each row"):
        audit(_Sign([0, 1]), _X, np.eye(2)[_CODES])


def test_labels_of_a_fit_to_labels_are_matched():
    fitted = AdditiveClassifier(order=1).fit(_X, _CODES).to_explainer()
    same = fitted.audit(_X, _CODES).summary()
    assert fitted.audit(_X, _CODES.astype(float)).summary() == same
