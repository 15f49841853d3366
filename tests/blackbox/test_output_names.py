"""Outputs of a model that are columns of a table: their names are kept, and later tables are matched by name."""

import numpy as np
import pandas as pd
import pytest

from instashap import Baseline, Explainer, ModelOutputError, explain_change

_X = pd.DataFrame({"a": np.tile([0.0, 1.0, 2.0, 3.0], 16), "b": np.repeat([0.0, 1.0, 2.0, 3.0], 16)})
_UP = 2.0 * _X["a"] - _X["b"]


def _predict(rows):
    up = 2.0 * rows["a"] - rows["b"]
    return pd.DataFrame({"up": up, "down": -up})


def _swap_if_few(rows):
    table = _predict(rows)
    return table if len(rows) == len(_X) else table[["down", "up"]]


@pytest.mark.parametrize("game", ["conditional", Baseline([0.0, 0.0])])
def test_columns_of_a_functions_table_name_the_outputs(game):
    explainer = Explainer(_predict, order=1, value_function=game).fit(_X)
    assert explainer.output_names_ == ("up", "down")
    np.testing.assert_allclose(explainer.predict(_X)[:, 0], _UP, atol=0.1)


def test_columns_of_a_value_function_name_the_outputs():
    def value(rows, masks):
        return _predict(rows.where(masks, 0.0))

    assert Explainer(None, order=1, value_function=value).fit(_X).output_names_ == ("up", "down")


def test_a_frame_of_times_by_rows_names_no_output_by_a_row():
    explainer = Explainer(lambda rows: _predict(rows).T.set_axis([1, 2]), order=1).fit(_X)
    assert explainer.output_names_ == ("1", "2")
    np.testing.assert_allclose(explainer.predict(_X)[:, 0], _UP, atol=0.1)


def test_outputs_in_another_order_are_matched_by_name():
    explainer = Explainer(_swap_if_few, order=1).fit(_X)
    np.testing.assert_allclose(explainer(_X[:9], outputs=True).model_outputs[:, 0], _UP[:9])
    assert not explainer.check(_X[:60]).has_moved


def test_batches_in_another_order_are_matched_by_name():
    explainer = Explainer(lambda rows: _predict(rows)[["down", "up"][:: 1 if 0 in rows.index else -1]], batch_rows=40)
    explainer.set_params(order=1, synthetic_rows=0).fit(_X)
    assert explainer.output_names_ == ("down", "up")
    np.testing.assert_allclose(explainer.predict(_X)[:, 1], _UP, atol=0.1)


def test_other_names_are_refused():
    explainer = Explainer(_predict, order=1).fit(_X)
    with pytest.raises(ModelOutputError, match=r"outputs \['up', 'flat'\], the explainer was fitted on \['up', 'down'\]"):
        explainer.check(_X[:60], model=lambda rows: _predict(rows).set_axis(["up", "flat"], axis=1))
    with pytest.raises(ModelOutputError, match="several outputs are named 'up'"):
        Explainer(None).fit(_X, outputs=_predict(_X).set_axis(["up", "up"], axis=1))


class _Softmax:
    """Scores of three classes, of which two differ by their type alone."""

    classes_ = (1, "1", 2)

    def predict_proba(self, rows):
        odds = np.exp(np.asarray(rows) @ np.array([[0.5, 0.0, -0.5], [0.0, 0.3, 0.0]]))
        return odds / odds.sum(axis=1, keepdims=True)


def test_classes_of_equal_text_have_different_names():
    assert Explainer(_Softmax(), order=1).fit(_X).output_names_ == ("1", "'1'", "2")


def test_a_change_names_the_columns_of_a_functions_table():
    with pytest.raises(ValueError, match="the model gives 'up', 'down'"):
        explain_change(_predict, _X[:32], _X[32:])
