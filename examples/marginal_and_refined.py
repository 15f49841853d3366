"""Another game than the conditional one, and single rows to any accuracy."""

from sklearn.datasets import load_diabetes
from sklearn.ensemble import RandomForestRegressor

import instashap

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = RandomForestRegressor(20, random_state=0).fit(X, y)

explainer = instashap.Explainer(model, order=1, value_function=instashap.Marginal(X[:10])).fit(X[:200])
tables = explainer(X[:2])
refined = explainer.refine(X[:2], n_coalitions=64)
print(tables.game)
print((refined.to_frame() - tables.to_frame()).round(1))
print(refined.standard_errors.round(1))
