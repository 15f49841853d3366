import numpy as np
import pandas as pd

import instashap

rng = np.random.default_rng(0)
X = pd.DataFrame({"dose": rng.uniform(size=400), "age": rng.uniform(30, 80, 400), "relapse": rng.choice(["no", "yes"], 400)})
times = rng.exponential(10 * np.exp(-X["dose"] - 1.5 * (X["relapse"] == "yes") - 0.02 * (X["age"] - 55)))
model = instashap.survival.AdditiveSurvival(n_periods=8, order=1).fit(X, np.minimum(times, 12.0), times < 12.0)

at = instashap.survival.survive_at(model, [1, 2, 3, 4, 6, 8])
explainer = instashap.Explainer(at, synthetic_rows=0).fit(X)
ax = instashap.plots.plot_over_time(explainer(X[:1], errors=True))
ax.figure.savefig("over_time.png")
