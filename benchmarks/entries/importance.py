"""Global importance: closed forms against exact Shapley effects, and against a sampler of SAGE values."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..data import load_adult, load_bike
from ..runner import Bench, Figure, Skipped, judge

N_DRAWS = 100_000
_BLOCK_DRAWS = 2_000


def run(bench: Bench) -> dict[str, Figure]:
    """Errors in shares of the variance, distances in standard errors, and processor seconds of either way."""
    figures = _compare_effects(bench)
    for compare in (_compare_bike, _compare_adult):
        try:
            figures |= compare(bench)
        except Skipped as reason:
            bench.notes.append(str(reason))
    return figures


def _compare_effects(bench: Bench) -> dict[str, Figure]:
    """Gaussian columns and quadratic outputs, whose ``Var E[f | x_S]`` are known exactly."""
    from instashap import Explainer, datasets

    simulators = {
        "equicorrelated": datasets.make_equicorrelated(8, 0.6, random_state=0),
        "factors": datasets.make_factor(8, 3, random_state=0),
        "panel": datasets.make_panel(2, 0.707, random_state=0),
    }
    figures = {}
    for name, simulator in simulators.items():
        X, f = simulator.sample(bench.choose(20_000, 1_000), 1)
        explainer = Explainer(synthetic_rows=0).fit(X, outputs=f)
        start = time.process_time()
        frame = explainer.importance("variance")
        seconds = time.process_time() - start
        exact, variance = _enumerate_effects(simulator)
        found = frame.loc[list(explainer.feature_names_)]
        errors = found["value"].to_numpy() - exact
        figures[f"{name}: largest error of a Shapley effect"] = judge(100 * float(np.abs(errors).max()) / variance, "%")
        covered = np.abs(errors) <= 1.729 * found["standard_error"].to_numpy()
        figures[f"{name}: effects within their 90 % intervals"] = judge(float(covered.mean()))
        figures[f"{name}: processor seconds with standard errors"] = judge(seconds, "s")
    return figures


def _enumerate_effects(simulator: Any) -> tuple[NDArray[np.float64], float]:
    from instashap.game.coalitions import enumerate_coalitions
    from instashap.game.exact import compute_shapley_values

    covariance, variances = np.asarray(simulator.covariance), [0.0]
    for mask in enumerate_coalitions(len(covariance))[1:]:
        own = covariance[np.ix_(mask, mask)]
        slopes = covariance[:, mask] @ np.linalg.pinv(own)
        linear, quadratic = slopes.T @ simulator.coef_linear, slopes.T @ simulator.coef_quadratic @ slopes
        variances.append(float(linear @ own @ linear + 2.0 * np.trace(quadratic @ own @ quadratic @ own)))
    return compute_shapley_values(np.array(variances)), variances[-1]


def _compare_bike(bench: Bench) -> Mapping[str, Figure]:
    """Bike sharing, boosting explained on its training rows, squared error of held-out labels."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    from instashap import Explainer

    split = load_bike(bench, bench.choose(None, 400))
    model = HistGradientBoostingRegressor(random_state=0).fit(split.X_train, split.y_train)
    explainer = Explainer(model, synthetic_rows=0).fit(split.X_train)
    return _compare_sage("bike", explainer, split.X_test, np.asarray(split.y_test), bench)


def _compare_adult(bench: Bench) -> Mapping[str, Figure]:
    """Adult census, the probability of the higher income by boosting, squared error (Brier score) of held-out labels."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    from instashap import Explainer

    split = load_adult(bench, bench.choose(10_000, 400))
    model = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
    model.fit(split.X_train, split.y_train)
    explainer = Explainer(model, output="probability", synthetic_rows=0).fit(split.X_train)
    return _compare_sage("adult", explainer, split.X_test, np.asarray(split.y_test, dtype=np.float64), bench)


def _compare_sage(name: str, explainer: Any, X: Any, y: NDArray[np.float64], bench: Bench) -> Mapping[str, Figure]:
    """The closed form beside sampled SAGE values of the same game."""
    start = time.process_time()
    frame = explainer.importance("loss", X, y)
    seconds = time.process_time() - start
    start = time.process_time()
    means, errors = _sample_sage(explainer, X, y, bench.choose(N_DRAWS, 2_000))
    sampled = time.process_time() - start
    distances = (frame.loc[list(explainer.feature_names_), "value"].to_numpy() - means) / errors
    return {
        f"{name}: largest distance from sampled SAGE values, in standard errors": judge(float(np.abs(distances).max())),
        f"{name}: SAGE values within 90 % intervals of the sampler": judge(float((np.abs(distances) <= 1.645).mean())),
        f"{name}: largest interval of the sampler": judge(1.645 * float(errors.max()), samples=errors),
        f"{name}: closed form, processor seconds": judge(seconds, "s"),
        f"{name}: sampler, processor seconds": judge(sampled, "s"),
        f"{name}: share of the loss explained": judge(1.0 - float(frame.loc["(not explained)", "share"])),
    }


def _sample_sage(
    explainer: Any, X: Any, y: NDArray[np.float64], n_draws: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """SAGE values by their definition: random rows and orders, the loss before and after each feature becomes known."""
    rng = np.random.default_rng(0)
    n_features = len(explainer.feature_names_)
    total, squares = np.zeros((2, n_features))
    for start in range(0, n_draws, _BLOCK_DRAWS):
        n = min(_BLOCK_DRAWS, n_draws - start)
        rows = rng.integers(0, len(X), n)
        places = np.argsort(rng.random((n, n_features)), axis=1)  # how many features come before each
        part, labels = X.iloc[rows], y[rows]
        losses = [
            (labels - np.asarray(explainer.predict(part, masks=places < size)).reshape(n, -1)[:, 0]) ** 2
            for size in range(n_features + 1)
        ]
        gains = -np.diff(np.stack(losses, axis=1), axis=1)
        own = np.take_along_axis(gains, places, axis=1)
        total += own.sum(axis=0)
        squares += (own**2).sum(axis=0)
    means = total / n_draws
    return means, np.sqrt(np.maximum(squares / n_draws - means**2, 0.0) / n_draws)
