import numpy as np

import instashap

rng = np.random.default_rng(0)
march = rng.normal(size=(400, 4))
april = rng.normal((0.8, 0.0, -0.5, 0.0), size=(400, 4))
report = instashap.explain_change(lambda X: 2 * X[:, 0] + X[:, 1] + X[:, 2], march, april, order=1, labels=("March", "April"))

ax = instashap.plots.plot_change(report)
ax.figure.savefig("change.png")
