"""Games that no rule of the audit was tuned on: the kinds of :mod:`.known_games` with other columns, models and sizes.

All are made by the simulators beside the shared truth files; without these there are none.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from .known_games import KnownGame, load_shared, wrap_simulator


def list_new_games() -> dict[str, KnownGame]:
    """Every simulator by name."""
    families = load_shared()
    return {} if families is None else _list_totals(families) | _list_gaussian(families) | _list_others(families)


def _list_totals(families: ModuleType) -> dict[str, KnownGame]:
    """A total, a ratio and a mean of other columns, exact or with noise."""
    four = np.zeros((6, 6))
    four[:4, :4] = np.linalg.cholesky(families.ar(4, 0.4))
    four[4, :4] = four[:4, :4].sum(axis=0)
    four[5, :5] = *(0.4 * four[0, :4]), 0.6
    spread = np.sqrt((four @ four.T)[4, 4])
    ratio = np.zeros((6, 6))
    ratio[0, 0] = ratio[1, 1] = ratio[4, 3] = 0.8
    ratio[1, 0], ratio[3, 2], ratio[4, 2], ratio[5, 0], ratio[5, 4] = 0.3, 1.0, 0.6, 0.5, 0.85
    ratio[2] = ratio[0] - ratio[1]
    maps = [np.exp] * 3 + [_same] * 3, [np.log] * 3 + [_same] * 3
    mean = np.zeros((7, 7))
    mean[:5, :5] = np.eye(5)
    mean[5, :6] = *([1 / np.sqrt(5)] * 5), 0.3
    mean[6, [0, 6]] = 0.6, 0.8
    found: dict[str, tuple[Any, Any, Any]] = {
        "total_of_four": (four, None, lambda X: _bend(X[:, 4] / spread) + 0.4 * X[:, 1] + 0.3 * np.sin(2 * X[:, 5])),
        "ratio_steps": (
            ratio, maps, lambda X: 1.0 * (X[:, 2] > 1.5) - 1.0 * (X[:, 2] < 0.5) + 0.5 * X[:, 3] * X[:, 4] + 0.3 * X[:, 5]
        ),
        "mean_roots": (mean, None, lambda X: np.sign(X[:, 5]) * np.sqrt(np.abs(X[:, 5])) + 0.25 * X[:, 6] ** 2),
    }  # fmt: skip
    return {
        name: wrap_simulator("totals", families.GaussLatent(B @ B.T, f, *(maps or (None, None))))
        for name, (B, maps, f) in found.items()
    }


def _list_gaussian(families: ModuleType) -> dict[str, KnownGame]:
    """Gaussian columns under monotone maps: copies, trees, heavy tails, series, factors."""
    maps, latent, ar, equi = families.margins(), families.GaussLatent, families.ar, families.equi
    copies = np.zeros((6, 8))
    for source, row in enumerate(np.linalg.cholesky(ar(2, 0.5))):
        for copy in range(3):
            copies[3 * source + copy, :2] = row
            copies[3 * source + copy, 2 + 3 * source + copy] = 0.15
    kinds = ("logn", "mix", "unif", "exp", "norm", "t3", "unif")
    deep = latent(ar(7, 0.6), None, [maps[kind][0] for kind in kinds], [maps[kind][1] for kind in kinds])
    deep.fx = families.Forest(deep.sample(20_000, np.random.default_rng(8)), 20, 4, 5)
    logs = [(lambda z: np.exp(0.8 * z))] * 6, [(lambda x: np.log(x) / 0.8)] * 6
    loadings = np.random.default_rng(4).normal(size=(10, 2))
    loadings /= np.sqrt(1.3) * np.linalg.norm(loadings, axis=1)[:, None]
    factors = loadings @ loadings.T
    np.fill_diagonal(factors, 1.0)
    linear = np.array([1, -0.5, 0.5, 0, 0, 0.3, 0, 0])
    found: dict[str, tuple[str, Any]] = {
        "three_copies": (
            "copies of columns",
            latent(copies @ copies.T, lambda X: np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 3] + 0.5 * (X[:, 5] > 0)),
        ),
        "deep_trees": ("trees", deep),
        "lagged_series": ("series", latent(ar(9, 0.9), lambda X: X[:, -3:].max(axis=1) + 0.5 * X[:, 0] - np.abs(X[:, 4]))),
        "linear_and_step": ("quadratic", latent(equi(8, 0.8), lambda X: X @ linear + 1.0 * (X[:, 0] > 1))),
        "lognormal_roots": (
            "heavy tails",
            latent(
                ar(6, 0.7),
                lambda X: np.sqrt(X[:, 0] * X[:, 1]) + np.log1p(X[:, 2]) * (X[:, 3] > 1) + 0.2 * np.minimum(X[:, 4], 5),
                *logs,
            ),
        ),
        "two_factors": (
            "factors",
            latent(
                factors,
                lambda X: X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + X[:, 3] + 0.5 * np.maximum(X[:, 4], X[:, 5]),
            ),
        ),
    }
    return {name: wrap_simulator(kind, simulator) for name, (kind, simulator) in found.items()}


def _list_others(families: ModuleType) -> dict[str, KnownGame]:
    """Multivariate t, a mixture of Gaussians under trees, yes/no items of one factor, a noisy "or"."""
    rng = np.random.default_rng(11)
    centres, scatters = 1.5 * rng.normal(size=(3, 6)), [0.5 * families.ar(6, r) for r in (0.8, -0.5, 0.2)]
    mixture = families.MoG(np.array([0.5, 0.3, 0.2]), centres, scatters, None)
    mixture.fx = families.Forest(mixture.sample(20_000, np.random.default_rng(1)), 15, 3, 2)
    items = np.indices([2] * 7)
    nodes, weights = np.polynomial.hermite_e.hermegauss(100)
    thresholds = np.linspace(-1, 1, 7)
    joint = np.zeros([2] * 7)
    for node, weight in zip(nodes, weights / weights.sum(), strict=True):
        yes = families.norm.cdf((np.sqrt(0.6) * node - thresholds) / np.sqrt(0.4)).reshape(7, *[1] * 7)
        joint += weight * np.prod(np.where(items == 1, yes, 1 - yes), axis=0)
    answers = 2.0 * items[0] * items[1] + items[2] - 1.5 * items[3] * (1 - items[4]) + 0.5 * items[5]
    either = np.indices([2, 2, 2, 3])
    noisy = np.where((either[0] | either[1]) == either[2], 0.95, 0.05) * np.array([0.5, 0.3, 0.2])[either[3]]
    of_either = 2.0 * either[2] + 1.0 * (either[3] == 2) * either[0]
    t = families.MVT
    found = {
        "t5_products": ("heavy tails", t(families.ar(7, 0.6), 5, _of_t5)),
        "t3_linear": (
            "heavy tails",
            t(families.equi(6, 0.4), 3, lambda X: X[:, 0] + X[:, 1:3].max(axis=1) - 0.5 * X[:, 3] + np.tanh(X[:, 4])),
        ),
        "mixture_trees": ("mixtures", mixture),
        "seven_items": ("levels", families.Discrete(joint / joint.sum(), answers)),
        "noisy_or": ("levels", families.Discrete(noisy / noisy.sum(), of_either)),
    }
    return {name: wrap_simulator(kind, simulator) for name, (kind, simulator) in found.items()}


def _same(values: Any) -> Any:
    return values


def _bend(values: Any) -> Any:
    return np.abs(values) + 0.5 * np.maximum(values - 0.5, 0)


def _of_t5(X: Any) -> Any:
    return 0.5 * X[:, 0] * X[:, 1] + np.sin(X[:, 2]) + np.maximum(X[:, 3], 0) + 0.3 * X[:, 6]
