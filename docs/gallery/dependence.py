from sklearn.datasets import load_diabetes
from sklearn.ensemble import HistGradientBoostingRegressor

import instashap

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
model = HistGradientBoostingRegressor(max_iter=60, max_leaf_nodes=8, random_state=0).fit(X, y)
explainer = instashap.Explainer(model, synthetic_rows=0).fit(X)

ax = instashap.plots.plot_dependence(explainer(X), "bmi")
ax.figure.savefig("dependence.png")
