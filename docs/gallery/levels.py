import pandas as pd
from sklearn.datasets import load_diabetes

import instashap

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X["bmi"] = pd.cut(X["bmi"], [0, 20, 25, 30, 100], labels=["up to 20", "20 to 25", "25 to 30", "above 30"])
model = instashap.AdditiveRegressor(order=1).fit(X, y)

ax = instashap.plots.plot_shape(model, "bmi", X=X, errors=True)
ax.figure.savefig("levels.png")
