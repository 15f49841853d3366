from sklearn.datasets import make_friedman1

import instashap

X, y = make_friedman1(2000, noise=1.0, random_state=0)  # 10 sin(pi x0 x1) + 20 (x2 - 0.5)² + 10 x3 + 5 x4
model = instashap.AdditiveRegressor(order=2).fit(X, y)

ax = instashap.plots.plot_shape(model, (0, 1), X=X, errors=True)
ax.figure.savefig("pair.png")
