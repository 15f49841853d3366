"""How sure is a Shapley value: standard errors and intervals, and which terms are worth their keep."""

import numpy as np
from sklearn.datasets import load_diabetes

import instashap

X, y = load_diabetes(return_X_y=True, as_frame=True)
model = instashap.AdditiveRegressor(order=1).fit(X, y)

explanation = model.explain(X.iloc[:1], errors=True)
for name, value, error in zip(explanation.feature_names, explanation.values[0], explanation.standard_errors[0], strict=True):
    print(f"{name:>4} {value:+8.2f} ± {1.729 * error:6.2f}")  # 90 %: Student's t, 19 degrees of freedom

explainer = model.to_explainer()
predictions, errors = explainer.predict(X, errors=True)
print(f"predictions are known to ± {1.729 * np.median(errors):.1f} (median row)")
print(explainer.rank_terms(5).drop(columns="columns").round(3))
