from sklearn.datasets import make_friedman1
from sklearn.ensemble import HistGradientBoostingRegressor

import instashap

X, y = make_friedman1(1000, n_features=6, random_state=0)
model = HistGradientBoostingRegressor(random_state=0).fit(X, y)

report = instashap.audit(model, X)
ax = instashap.plots.plot_masked_fidelity(report)
ax.figure.savefig("masked_fidelity.png")
