"""Simulators with exact conditional expectations, by which verdicts are judged: the shared folder's, and more of their kinds.

The shared folder has the classes (Gaussian columns under monotone maps, mixtures, multivariate t, tables of levels) and the
first families; without it the project's own simulators serve.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
SHARED = Path(__file__).resolve().parents[2] / "shared" / "truth"
# Draws of absent columns behind each exact value, and orders in which the columns of a linear game become known.
_N_DRAWS, _N_ORDERS = 512, 400


@dataclass(frozen=True)
class KnownGame:
    """Rows to draw, a black box, and its exact Shapley values.

    Attributes
    ----------
    kind : str
        What makes the table hard.
    draw : callable
        Number of rows and generator to rows.
    predict : callable
    compute_values : callable
        Rows to Shapley values.
    copies : int
        How often each drawn row stands in the table.
    """

    kind: str
    draw: Callable[[int, np.random.Generator], Array]
    predict: Callable[[Array], Array]
    compute_values: Callable[[Array], Array]
    copies: int = 1


def load_shared() -> ModuleType | None:
    """The module of shared simulators; None without the folder."""
    path = SHARED / "families.py"
    if not path.is_file():
        return None
    specification = importlib.util.spec_from_file_location("families", path)
    assert specification is not None
    assert specification.loader is not None
    families = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(families)
    return families


def list_games() -> dict[str, KnownGame]:
    """Every simulator by name."""
    families = load_shared()
    games = _list_quadratic()
    if families is None:
        return games
    for kind, names in {
        "totals": ("total_steps",),
        "levels": ("parity1", "survey"),
        "heavy tails": ("mvt3", "revenue_log"),
        "mixtures": ("mog_mixed",),
        "copies of columns": ("dup",),
        "trees": ("cop_trees",),
    }.items():
        games |= {name: wrap_simulator(kind, families.make(name)) for name in names}
    return games | _list_gaussian(families) | _list_others(families) | _list_wide(families)


def wrap_simulator(kind: str, simulator: Any, copies: int = 1) -> KnownGame:
    """A simulator beside the truth files as a game; its values take so many draws of the unknown columns."""
    return KnownGame(kind, simulator.sample, simulator.f, lambda X: np.asarray(simulator.shap(X, _N_DRAWS)), copies)


def _list_quadratic() -> dict[str, KnownGame]:
    """Quadratic functions of correlated Gaussian columns; some with every row copied."""
    from instashap import datasets

    def wrap(kind: str, simulator: Any, copies: int = 1) -> KnownGame:
        def draw(n_rows: int, rng: np.random.Generator) -> Array:
            return np.asarray(simulator.sample(n_rows, int(rng.integers(2**31)))[0], dtype=float)

        return KnownGame(kind, draw, simulator.predict, simulator.shap_values, copies)

    few = datasets.make_equicorrelated(6, 0.5, random_state=3)
    return {
        "equicorrelated": wrap("quadratic", datasets.make_equicorrelated(6, 0.6, random_state=1)),
        "factor": wrap("quadratic", datasets.make_factor(6, rank=3, random_state=2)),
        "panel": wrap("quadratic", datasets.make_panel(random_state=4)),
        "rows copied 4 times": wrap("copied rows", few, 4),
        "rows copied 40 times": wrap("copied rows", few, 40),
    }


def _list_gaussian(families: ModuleType) -> dict[str, KnownGame]:
    """Gaussian columns under monotone maps: totals, copies of columns, heavy tails, trees."""
    maps, make = families.margins(), families.GaussLatent
    parts = np.eye(4)
    parts[1, :2] = 0.6, 0.8
    total = np.vstack([np.c_[parts, np.zeros(4)], np.append(parts.sum(axis=0), 0.0), np.zeros(5)])
    noisy = total.copy()
    noisy[4, 4], noisy[5, 0], noisy[5, 4] = 0.6, 0.5, 0.5
    total[5, 4] = 1.0
    product = np.array([[1.0, 0, 0], [0.3, 0.9539, 0], [0.92, 0.67, 0], [0, 0.4, 0.9165], [0.5, 0.2, 0.8]])
    product /= np.linalg.norm(product, axis=1)[:, None]
    pairs = np.zeros((6, 6))
    pairs[:, :3] = np.repeat(np.linalg.cholesky(families.equi(3, 0.4)), 2, axis=0)
    pairs[[1, 3, 5], [3, 4, 5]] = 0.04, 0.1, 0.25
    logs = [(lambda z: np.exp(0.8 * z)) for _ in range(5)], [(lambda x: np.log(x) / 0.8) for _ in range(5)]
    kinds = ["exp", "mix", "logn", "unif", "t3", "norm"]
    trees = make(families.ar(6, 0.6), None, [maps[k][0] for k in kinds], [maps[k][1] for k in kinds])
    trees.fx = families.Forest(trees.sample(20_000, np.random.default_rng(21)), 10, 3, 22)
    normals = make(families.equi(6, 0.7), None)
    normals.fx = families.Forest(normals.sample(20_000, np.random.default_rng(23)), 8, 2, 24)
    found = {
        "total_kinked": ("totals", total, None, lambda X: np.maximum(X[:, 4], 0.5) + 0.4 * X[:, 0] * X[:, 5]),
        "total_noisy": ("totals", noisy, None, lambda X: np.sin(1.2 * X[:, 4]) + 0.3 * X[:, 5] + 0.3 * X[:, 0]),
        "product_column": ("totals", product, logs, lambda X: np.log1p(X[:, 2]) * (X[:, 3] > 1) + 0.2 * X[:, 4]),
        "near_copies": ("copies of columns", pairs, None, lambda X: np.sin(2 * X[:, 0]) + 1.0 * (X[:, 3] > 0.5) * X[:, 4]),
        "lognormal_products": (
            "heavy tails", np.linalg.cholesky(families.ar(5, 0.5)), logs, lambda X: X[:, 0] * X[:, 1] + X[:, 2] + X[:, 3]
        ),
    }  # fmt: skip
    games = {
        name: wrap_simulator(kind, make(B @ B.T, f, *(maps or (None, None)))) for name, (kind, B, maps, f) in found.items()
    }
    return games | {"copula_trees": wrap_simulator("trees", trees), "gaussian_trees": wrap_simulator("trees", normals)}


def _list_others(families: ModuleType) -> dict[str, KnownGame]:
    """Levels with parities, multivariate t, mixtures of Gaussians."""
    rng, discrete, t = np.random.default_rng(31), families.Discrete, families.MVT
    bits = np.indices([2] * 5)
    parity = np.where((bits[1] + bits[2]) % 2 == bits[0], 0.95, 0.05) * np.where(bits[3] == bits[4], 0.7, 0.3)
    parity_of_four = np.where(bits[:4].sum(axis=0) % 2 == 1, 0.97, 0.03) * np.where(bits[4] == bits[0], 0.65, 0.35)
    levels = np.indices([3] * 4)
    classes = rng.dirichlet(np.ones(3), size=(5, 4))
    mixed = sum(np.prod([classes[k, j][levels[j]] for j in range(4)], axis=0) for k in range(5))
    of_four = discrete(parity_of_four / parity_of_four.sum(), bits[0] + 0.5 * bits[4] - 1.0 * bits[1])
    table = rng.normal(size=[3] * 4) * 0.5 + rng.normal(size=3)[levels[0]] + 1.0 * (levels[1] == levels[2])

    def make_mixture(k: int, d: int, shift: float, seed: int, f: Callable[[Array], Array]) -> Any:
        own = np.random.default_rng(seed)
        roots = own.normal(size=(k, d, 2))
        scatters = [0.3 * root @ root.T + 0.2 * np.eye(d) for root in roots]
        return families.MoG(np.full(k, 1 / k), own.normal(size=(k, d)) * shift, scatters, f)

    return {
        "parity_of_two": wrap_simulator("levels", discrete(parity / parity.sum(), 2.0 * bits[0] - 1 + 1.0 * bits[3] * bits[4])),
        "parity_of_four": wrap_simulator("levels", of_four),
        "latent_levels": wrap_simulator("levels", discrete(mixed / mixed.sum(), table)),
        "t4_products": wrap_simulator(
            "heavy tails", t(families.equi(5, 0.4), 4, lambda X: X[:, 0] * X[:, 1] + np.abs(X[:, 2]) + X[:, 3])
        ),
        "t5_steps": wrap_simulator(
            "heavy tails", t(families.ar(5, 0.7), 5, lambda X: 1.0 * (X[:, 0] > 1) + X[:, 1] + np.tanh(X[:, 2]))
        ),
        "mixture_smooth": wrap_simulator(
            "mixtures", make_mixture(3, 5, 1.2, 41, lambda X: X[:, 0] * X[:, 1] + np.sin(2 * X[:, 2]) + X[:, 3])
        ),
        "mixture_steps": wrap_simulator(
            "mixtures", make_mixture(4, 5, 2.0, 42, lambda X: 1.0 * (X[:, 0] > X[:, 1]) + 0.5 * X[:, 2] + 1.0 * (X[:, 3] > 0))
        ),
    }  # fmt: skip


def _list_wide(families: ModuleType) -> dict[str, KnownGame]:
    """Many correlated columns: independent blocks of four under a sum over the blocks; four factors under a linear function."""
    functions = (
        lambda X: X[:, 0] * X[:, 1] + X[:, 2],
        lambda X: np.sin(2 * X[:, 0]) + X[:, 3],
        lambda X: 1.5 * (X[:, 1] > 0.3),
        lambda X: np.maximum(X[:, 0] + X[:, 2], 0.0),
        lambda X: X.sum(axis=1) / 2,
        lambda X: np.abs(X[:, 3]) + 0.5 * X[:, 0],
    )
    blocks = [families.GaussLatent(families.equi(4, 0.75), each) for each in functions]
    rng = np.random.default_rng(51)
    loadings = rng.normal(size=(40, 4))
    covariance = loadings @ loadings.T / 4 + 0.3 * np.eye(40)
    slopes = rng.normal(size=40)
    root = np.linalg.cholesky(covariance)

    def split(compute: Callable[[Any, Array], Array], X: Array) -> list[Array]:
        return [compute(each, X[:, 4 * k : 4 * k + 4]) for k, each in enumerate(blocks)]

    def walk(X: Array) -> Array:
        """Increments ``(L' b)_j z_j`` of the conditional mean as columns become known, mean over orders and their reverses."""
        values, own = np.zeros_like(X), np.random.default_rng(52)
        for _ in range(_N_ORDERS // 2):
            forth = own.permutation(40)
            for order in (forth, forth[::-1]):
                lower = np.linalg.cholesky(covariance[np.ix_(order, order)])
                values[:, order] += np.linalg.solve(lower, X[:, order].T).T * (lower.T @ slopes[order]) / _N_ORDERS
        return values

    return {
        "six_blocks": KnownGame(
            "many columns",
            lambda n, rng: np.hstack([each.sample(n, rng) for each in blocks]),
            lambda X: np.sum(split(lambda each, own: each.f(own), X), axis=0),
            lambda X: np.hstack(split(lambda each, own: each.shap(own, _N_DRAWS), X)),
        ),
        "four_factors": KnownGame("many columns", lambda n, rng: rng.normal(size=(n, 40)) @ root.T, lambda X: X @ slopes, walk),
    }
