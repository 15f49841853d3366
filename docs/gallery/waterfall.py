from sklearn.datasets import load_breast_cancer
from sklearn.ensemble import RandomForestClassifier

import instashap

X, y = load_breast_cancer(return_X_y=True, as_frame=True)
model = RandomForestClassifier(40, random_state=0).fit(X, y)
explainer = instashap.Explainer(model, order=1, output="probability", synthetic_rows=0).fit(X)

explanation = explainer(X.iloc[:1], errors=True)
ax = instashap.plots.plot_waterfall(explanation[0])
ax.figure.savefig("waterfall.png")
