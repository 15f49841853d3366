"""Explain a model you cannot call here (remote, slow, not Python): its predictions are enough."""

import numpy as np
from sklearn.datasets import load_wine

import instashap

X, _ = load_wine(return_X_y=True, as_frame=True)
predictions = np.tanh(X["alcohol"] - 13) * X["flavanoids"]  # stands for a column of a database

explainer = instashap.Explainer().fit(X, outputs=predictions)
print(explainer(X)[:, ["alcohol", "flavanoids"]].to_frame().head(3).round(2))
