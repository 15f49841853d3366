"""The same engine trained on labels: an interpretable model that is its own Shapley explainer."""

from sklearn.datasets import load_diabetes
from sklearn.model_selection import cross_val_score

import instashap

X, y = load_diabetes(return_X_y=True, as_frame=True)
gam = instashap.AdditiveRegressor(order=1).fit(X, y)

print("cross-validated R²:", cross_val_score(gam, X, y, cv=5).mean().round(3))
print("terms:", gam.term_names_)
print("intercept + terms of row 0:", gam.intercept_ + gam.eval_terms(X)[0].sum(), "=", gam.predict(X)[0])
