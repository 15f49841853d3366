"""Explainers with options that cannot be pickled name alternatives, and these work."""

import copy
import functools
import pickle
import re

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

import instashap

X = np.random.default_rng(0).normal(size=(200, 2))
PIPELINE = make_pipeline(FunctionTransformer(lambda X: X + 1), LinearRegression()).fit(X, X[:, 0])


@pytest.mark.parametrize(
    "model",
    [lambda X: X[:, 0], functools.partial(lambda X, k: k * X[:, 0], k=2), PIPELINE],
    ids=["lambda", "partial", "within a pipeline"],
)
def test_a_model_that_cannot_be_pickled_is_named_with_ways_out_that_work(model, tmp_path):
    explainer = instashap.Explainer(model, order=1).fit(X)
    values = explainer.shap_values(X)
    message = r"the explainer's model cannot be pickled \(.*Explainer\.save\(path\)"
    with pytest.raises(pickle.PicklingError, match=message) as error:
        pickle.dumps(explainer)
    explainer.save(tmp_path / "model.insta")
    assert np.array_equal(instashap.load(tmp_path / "model.insta").shap_values(X), values)
    advice = re.search(r"pickle after (set_params\(model=None\))", str(error.value))[1]
    eval(f"explainer.{advice}", {"explainer": explainer})
    assert np.array_equal(pickle.loads(pickle.dumps(explainer)).shap_values(X), values)


def test_a_value_function_that_cannot_be_pickled_is_named():
    explainer = instashap.Explainer(value_function=lambda X, masks: X.sum(axis=1) * masks.all(axis=1), order=1).fit(X)
    with pytest.raises(pickle.PicklingError, match="the explainer's value_function cannot be pickled"):
        pickle.dumps(explainer)


def test_copies_and_cloudpickle_keep_functions_as_ever():
    explainer = instashap.Explainer(lambda X: X[:, 0], order=1).fit(X)
    assert copy.deepcopy(explainer).model(X[:3]).tolist() == X[:3, 0].tolist()
    cloudpickle = pytest.importorskip("joblib.externals.loky.cloudpickle_wrapper").dumps
    assert pickle.loads(cloudpickle(explainer)).model(X[:3]).tolist() == X[:3, 0].tolist()
