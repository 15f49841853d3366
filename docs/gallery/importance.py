from sklearn.datasets import load_diabetes

import instashap

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
model = instashap.AdditiveRegressor(order=1).fit(X, y)

ax = instashap.plots.plot_importance(model.explain(X, errors=True))
ax.figure.savefig("importance.png")
