from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

import instashap

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
X = X.iloc[:, :10]
model = RandomForestClassifier(20, min_samples_leaf=5, random_state=0).fit(X, y)

report = instashap.audit(model, X)
ax = instashap.plots.plot_ladder(report)
ax.figure.savefig("ladder.png")
