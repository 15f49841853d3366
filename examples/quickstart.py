"""Explain gradient boosting of the diabetes data: Shapley values, a prediction taken apart, a file for later."""

import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor

import instashap

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, random_state=0).fit(X, y)

explainer = instashap.Explainer(model).fit(X)  # one pass: n model calls, no labels
explanation = explainer(X)  # every Shapley value is now a look-up

print(explainer)
print(explanation.to_frame().abs().mean().sort_values(ascending=False).head(3).round(1))
print("row 0:", np.round(explanation.values[0], 1), "base", round(explainer.expected_value, 1))

explainer.save("diabetes.insta")
assert np.array_equal(instashap.load("diabetes.insta").shap_values(X), explanation.values)
