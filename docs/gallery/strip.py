from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import instashap

wine = load_wine(as_frame=True)
X, y = wine.data, wine.target_names[wine.target]
model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, y)
explainer = instashap.Explainer(model, order=1, synthetic_rows=0).fit(X)

explanation = explainer(X.iloc[[0]])
ax = instashap.plots.plot_strip(explanation[0], output="class_0")
ax.figure.savefig("strip.png")
