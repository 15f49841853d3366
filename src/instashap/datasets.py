"""Simulators whose Shapley values are known exactly, and the real tables the examples use.

A simulator knows the law of its rows, so its conditional game ``v(S) = E[f(X) | X_S = x_S]`` is a closed form and its
Shapley values are exact: the yardstick for every estimate in this library. :class:`GaussianQuadratic` has smooth, strongly
dependent numbers; :class:`LatentClass` has categories with steps and three-way terms.

The loaders read a local Parquet file, or else download through scikit-learn and its cache.
"""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import combinations
from numbers import Integral
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._optional import require
from ._validation import check_masks
from .game.coalitions import enumerate_coalitions
from .game.exact import compute_shapley_values

__all__ = [
    "GaussianQuadratic",
    "LatentClass",
    "load_adult",
    "load_bike_sharing",
    "load_california_housing",
    "load_covertype",
    "make_equicorrelated",
    "make_factor",
    "make_latent_class",
    "make_panel",
]

FOLDER_VARIABLE = "INSTASHAP_DATA"

# Eigenvalues below this share of the largest count as zero when a covariance is inverted. Far above rounding (1e-16), far
# below any correlation a simulation would ask for (a correlation of 1 - 1e-9 still counts as two different columns).
_RANK_TOLERANCE = 1e-12

# Entries of the game held at once while Shapley values are enumerated: 32 MB.
_GAME_BLOCK = 2**22


# --- simulators ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class GaussianQuadratic:
    """Mean-zero Gaussian rows and a quadratic function, with the exact conditional game.

    ``X ~ N(0, covariance)``,  ``f(x) = intercept + coef_linear · x + xᵀ coef_quadratic x``

    Given ``x_S`` the other columns are Gaussian with mean ``A x_S``, ``A = Σ_{·S} Σ_SS⁻¹``, and covariance
    ``C = Σ - A Σ_{S·}``, hence ``v(S) = f(A x_S) + trace(coef_quadratic C)``. Repeated or exactly dependent columns are
    allowed (the pseudo-inverse is used); rows off the support of the law then get a value that only ``v([d]) = f(x)`` defines.

    Parameters
    ----------
    covariance : array of shape (n_features, n_features)
        Symmetric, no negative eigenvalue.
    coef_linear : array of shape (n_features,)
    coef_quadratic : array of shape (n_features, n_features)
        Symmetric: a product ``c x_i x_j`` has ``c / 2`` in either entry.
    intercept : float

    Raises
    ------
    ValueError
        If shapes disagree, a matrix is not symmetric, a number is not finite, or the covariance has a negative eigenvalue.

    Examples
    --------
    ``f = x1 + x2`` with correlation ρ has ``SHAP_1 = x1 + ρ (x1 - x2) / 2``:

    >>> simulator = GaussianQuadratic([[1.0, 0.5], [0.5, 1.0]], [1.0, 1.0], np.zeros((2, 2)))
    >>> simulator.shap_values([[2.0, 0.0]])
    array([[ 2.5, -0.5]])
    """

    covariance: NDArray[np.float64]
    coef_linear: NDArray[np.float64]
    coef_quadratic: NDArray[np.float64]
    intercept: float = 0.0

    def __post_init__(self) -> None:
        n_features = np.size(self.coef_linear)
        _freeze(self, "coef_linear", self.coef_linear, (n_features,))
        for name in ("covariance", "coef_quadratic"):
            matrix = _freeze(self, name, getattr(self, name), (n_features, n_features))
            if not np.allclose(matrix, matrix.T, rtol=0.0, atol=1e-10 * np.abs(matrix).max(initial=0.0)):
                raise ValueError(f"{name} must be symmetric; entries differ by up to {np.abs(matrix - matrix.T).max():.3g}")
        smallest, largest = np.linalg.eigvalsh(self.covariance)[[0, -1]]
        if smallest < -1e-10 * largest:
            raise ValueError(
                f"covariance has the negative eigenvalue {smallest:.3g}; no Gaussian has it, lower the correlations"
            )

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.coef_linear)

    @property
    def expected_value(self) -> float:
        """``E f = intercept + trace(coef_quadratic covariance)``, the value of the empty coalition."""
        return float(self.intercept + np.sum(self.coef_quadratic * self.covariance))

    @property
    def variance(self) -> float:
        """``Var f = bᵀ Σ b + 2 trace(Q Σ Q Σ)``."""
        product = self.coef_quadratic @ self.covariance
        return float(self.coef_linear @ self.covariance @ self.coef_linear + 2.0 * np.sum(product * product.T))

    def sample(self, n_rows: int, random_state: Any = None) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Rows of the law and their outputs: ``(X, f)`` of shapes (n_rows, n_features) and (n_rows,)."""
        rng = np.random.default_rng(random_state)
        # The symmetric root is unique: a Cholesky factor fails on dependent columns, and eigenvectors have arbitrary signs.
        spectrum, vectors = np.linalg.eigh(self.covariance)
        root = (vectors * np.sqrt(np.maximum(spectrum, 0.0))) @ vectors.T
        X = rng.standard_normal((n_rows, self.n_features)) @ root
        return X, self.predict(X)

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """``f(x)`` on each row; shape (n_rows,)."""
        X = _check_rows(X, self.n_features)
        return _evaluate_quadratic(X, self.intercept, self.coef_linear, self.coef_quadratic)

    def value(self, X: ArrayLike, masks: ArrayLike) -> NDArray[np.float64]:
        """``E[f(X) | X_S = x_S]`` on each row.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
            Entries of absent columns are not read; they may be NaN.
        masks : bool array of shape (n_features,) or (n_rows, n_features)
            True = present; one mask serves every row.

        Returns
        -------
        ndarray of shape (n_rows,), float64

        Examples
        --------
        >>> simulator = GaussianQuadratic([[1.0, 0.5], [0.5, 1.0]], [1.0, 1.0], np.zeros((2, 2)))
        >>> simulator.value([[2.0, np.nan]], [True, False])
        array([3.])
        """
        return _evaluate_by_mask(self._value_under, X, masks, self.n_features)

    def shap_values(self, X: ArrayLike) -> NDArray[np.float64]:
        """Exact conditional Shapley values by enumeration of all ``2**n_features`` coalitions.

        Every ``v(S)`` is a quadratic function of the row, so the Shapley values are too: their coefficients are enumerated
        once, whatever the number of rows. Rows plus :attr:`expected_value` sum to :meth:`predict`.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float64

        Raises
        ------
        ValueError
            If X has the wrong shape or holds missing values, or above 20 features (12 take about a second).
        """
        X = _check_rows(X, self.n_features)
        d = self.n_features
        game = np.empty((2**d if d <= 20 else 0, 1 + d + d * d))
        for code, mask in enumerate(enumerate_coalitions(d)):
            constant, linear, quadratic = self._condition(mask)
            game[code] = np.concatenate([[constant], linear, quadratic.ravel()])
        shares = compute_shapley_values(game)  # (d, 1 + d + d * d)
        values = np.empty(X.shape)
        for player, share in enumerate(shares):
            values[:, player] = _evaluate_quadratic(X, share[0], share[1 : 1 + d], share[1 + d :].reshape(d, d))
        return values

    def _condition(self, mask: NDArray[np.bool_]) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
        """Constant, linear and quadratic coefficients of ``x -> v(S)``; zero for absent columns."""
        present = np.flatnonzero(mask)
        within = self.covariance[np.ix_(present, present)]
        gain = self.covariance[:, present] @ np.linalg.pinv(within, rcond=_RANK_TOLERANCE, hermitian=True)
        gain[present] = np.eye(present.size)  # what is known is known, also off the support of a singular law
        spread = self.covariance - gain @ self.covariance[present]
        mean = np.zeros((self.n_features, self.n_features))
        mean[:, present] = gain
        constant = float(self.intercept + np.sum(self.coef_quadratic * spread))
        return constant, mean.T @ self.coef_linear, mean.T @ self.coef_quadratic @ mean

    def _value_under(self, X: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        return _evaluate_quadratic(X, *self._condition(mask))


@dataclass(frozen=True, eq=False)
class LatentClass:
    """Integer-coded columns that are independent within a hidden class, with the exact conditional game.

    ``P(x) = sum_k P(k) prod_j P(x_j | k)``,  ``f(x) = intercept + sum_T table_T[x_T]``

    Given ``x_S`` the class has posterior ``P(k | x_S) ∝ P(k) prod_{j in S} P(x_j | k)`` and the absent columns keep their
    law within the class, hence ``v(S) = intercept + sum_k P(k | x_S) sum_T E[table_T[X_T] | x_{T ∩ S}, k]``.

    Parameters
    ----------
    class_probabilities : array of shape (n_classes,)
        Sum to one.
    level_probabilities : sequence of n_features arrays of shape (n_classes, n_levels[j])
        Rows sum to one. Codes of column j are 0 … n_levels[j] - 1.
    tables : mapping of tuple of columns to array of shape n_levels[columns]
        Terms of f; the columns of a tuple are strictly increasing.
    intercept : float

    Raises
    ------
    ValueError
        If shapes disagree, a probability is negative, or probabilities do not sum to one.

    Examples
    --------
    Two classes that each allow one level only: knowing column 0 is knowing column 1.

    >>> sure = np.eye(2)
    >>> simulator = LatentClass([0.5, 0.5], (sure, sure), {(1,): np.array([0.0, 4.0])})
    >>> simulator.value([[1, 1]], [True, False])
    array([4.])
    >>> simulator.shap_values([[1, 1]])
    array([[1., 1.]])
    """

    class_probabilities: NDArray[np.float64]
    level_probabilities: tuple[NDArray[np.float64], ...]
    tables: Mapping[tuple[int, ...], NDArray[np.float64]] = field(repr=False)
    intercept: float = 0.0

    def __post_init__(self) -> None:
        n_classes = np.size(self.class_probabilities)
        _check_distribution(_freeze(self, "class_probabilities", self.class_probabilities, (n_classes,)), "class_probabilities")
        laws = tuple(_copy_read_only(law) for law in self.level_probabilities)
        for column, law in enumerate(laws):
            if law.ndim != 2 or len(law) != n_classes:
                raise ValueError(f"level_probabilities[{column}] has shape {law.shape}; expected ({n_classes}, n_levels)")
            _check_distribution(law, f"level_probabilities[{column}]")
        object.__setattr__(self, "level_probabilities", laws)
        tables = {tuple(columns): _copy_read_only(table) for columns, table in self.tables.items()}
        for columns, table in tables.items():
            _check_table(columns, table, self.n_levels)
        object.__setattr__(self, "tables", tables)

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.level_probabilities)

    @property
    def n_levels(self) -> tuple[int, ...]:
        """Number of codes of each column."""
        return tuple(law.shape[1] for law in self.level_probabilities)

    @property
    def expected_value(self) -> float:
        """``E f``, the value of the empty coalition."""
        nothing = np.zeros(self.n_features, dtype=bool)
        return float(self._value_under(np.zeros((1, self.n_features)), nothing)[0])

    @property
    def variance(self) -> float:
        """``Var f``, exact: ``sum_k P(k) sum_{T,T'} E[table_T table_T' | k]`` less the squared mean of the tables."""
        second = sum(self._mean_product(one, other) for one in self.tables for other in self.tables)
        return float(second - (self.expected_value - self.intercept) ** 2)

    def sample(self, n_rows: int, random_state: Any = None) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
        """Rows of the law and their outputs: ``(X, f)``, int64 of shape (n_rows, n_features) and float64 of (n_rows,)."""
        rng = np.random.default_rng(random_state)
        classes = rng.choice(len(self.class_probabilities), size=n_rows, p=self.class_probabilities)
        X = np.empty((n_rows, self.n_features), dtype=np.int64)
        for column, law in enumerate(self.level_probabilities):
            edges = np.cumsum(law, axis=1)[:, :-1]  # without the last edge, which rounding may leave below one
            X[:, column] = (rng.random(n_rows)[:, None] >= edges[classes]).sum(axis=1)
        return X, self.predict(X)

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """``f(x)`` on each row; shape (n_rows,). Rows of probability zero are allowed here."""
        X = _check_rows(X, self.n_features)
        codes = self._read_codes(X, np.ones(self.n_features, dtype=bool))
        outputs = np.full(len(codes), float(self.intercept))
        for columns, table in self.tables.items():
            outputs += table[tuple(codes[:, column] for column in columns)]
        return outputs

    def value(self, X: ArrayLike, masks: ArrayLike) -> NDArray[np.float64]:
        """``E[f(X) | X_S = x_S]`` on each row.

        Parameters
        ----------
        X : array of shape (n_rows, n_features)
            Codes. Entries of absent columns are not read; they may be NaN.
        masks : bool array of shape (n_features,) or (n_rows, n_features)
            True = present; one mask serves every row.

        Returns
        -------
        ndarray of shape (n_rows,), float64

        Raises
        ------
        ValueError
            For a code that does not exist, or present codes that have probability zero together.
        """
        return _evaluate_by_mask(self._value_under, X, masks, self.n_features)

    def shap_values(self, X: ArrayLike) -> NDArray[np.float64]:
        """Exact conditional Shapley values by enumeration of all ``2**n_features`` coalitions.

        Rows plus :attr:`expected_value` sum to :meth:`predict`. The work is ``2**n_features · n_rows · n_classes · n_tables``.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float64

        Raises
        ------
        ValueError
            As :meth:`value`, and above 20 features.
        """
        X = _check_rows(X, self.n_features)
        masks = enumerate_coalitions(self.n_features)
        block = max(1, _GAME_BLOCK // len(masks))
        values = np.empty(X.shape)
        for start in range(0, len(X), block):
            rows = X[start : start + block]
            game = np.stack([self._value_under(rows, mask) for mask in masks])  # (2**d, rows)
            values[start : start + block] = compute_shapley_values(game).T
        return values

    def _value_under(self, X: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        codes = self._read_codes(X, mask)
        within = np.zeros((len(self.class_probabilities), len(X)))
        for columns, table in self.tables.items():
            cells: tuple[Any, ...] = (slice(None), *(codes[:, column] for column in columns if mask[column]))
            expected = self._integrate_absent(columns, table, mask)[cells]
            within += expected.reshape(len(within), -1)  # a table without known columns is (n_classes,): one column
        return np.asarray(self.intercept + np.sum(self._compute_posterior(codes, mask) * within, axis=0))

    def _read_codes(self, X: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Codes of the present columns as int64, 0 elsewhere; refuses codes that do not exist."""
        known = np.where(mask, X, 0.0)
        for column in np.flatnonzero(mask):
            values = known[:, column]
            strange = ~((values >= 0) & (values < self.n_levels[column]) & (values == np.floor(values)))
            if strange.any():
                bad = values[strange][0]
                raise ValueError(f"column {column} holds {bad!s}; its codes are 0 to {self.n_levels[column] - 1}")
        return known.astype(np.int64)

    def _compute_posterior(self, codes: NDArray[np.int64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        """``P(k | x_S)``, shape (n_classes, n_rows); in logarithms, because many columns underflow."""
        with np.errstate(divide="ignore"):
            joint = np.repeat(np.log(self.class_probabilities)[:, None], len(codes), axis=1)
            for column in np.flatnonzero(mask):
                joint += np.log(self.level_probabilities[column])[:, codes[:, column]]
        top = joint.max(axis=0)
        if np.isneginf(top).any():
            row = int(np.flatnonzero(np.isneginf(top))[0])
            raise ValueError(
                f"row {row} has probability zero in columns {np.flatnonzero(mask).tolist()}; nothing follows from it"
            )
        weights = np.exp(joint - top)
        return np.asarray(weights / weights.sum(axis=0))

    def _integrate_absent(
        self, columns: tuple[int, ...], table: NDArray[np.float64], mask: NDArray[np.bool_]
    ) -> NDArray[np.float64]:
        """A table with its absent columns averaged within each class; shape (n_classes, levels of the present columns)."""
        result = np.broadcast_to(table, (len(self.class_probabilities), *table.shape))
        for axis in range(len(columns), 0, -1):
            if not mask[columns[axis - 1]]:
                law = self.level_probabilities[columns[axis - 1]]
                result = np.einsum("k...l,kl->k...", np.moveaxis(result, axis, -1), law)
        return result

    def _mean_product(self, one: tuple[int, ...], other: tuple[int, ...]) -> float:
        """``E[table_one table_other]``."""
        label = self.n_features  # einsum's name of the class axis; columns are named by position
        operands: list[Any] = [self.class_probabilities, [label], self.tables[one], list(one), self.tables[other], list(other)]
        for column in set(one) | set(other):
            operands += [self.level_probabilities[column], [label, column]]
        return float(np.einsum(*operands, [], optimize="greedy"))


def make_panel(order: int = 2, correlation: float = 0.707, random_state: Any = None) -> GaussianQuadratic:
    """A synthetic panel of the paper: ten Gaussians in five correlated pairs.

    ``f = sum over 1 <= |S| <= order of beta_S prod_{i in S} x_i``, ``beta ~ N(0, 1)``, scaled to ``Var f = 1``
    (InstaSHAP's synthetic experiment); columns 2k and 2k + 1 are a pair. The scaling is by the exact variance.

    Parameters
    ----------
    order : int
        1 or 2; higher products are not quadratic.
    correlation : float
        Within each pair, -1 to 1.
    random_state : int, Generator or None
        Seed of the coefficients.

    Examples
    --------
    >>> simulator = make_panel(order=2, correlation=0.707, random_state=0)
    >>> simulator.n_features, round(simulator.variance, 12)
    (10, 1.0)
    """
    if order not in (1, 2):
        raise ValueError(f"order={order!r} is not available; the panels have order 1 or 2")
    rng = np.random.default_rng(random_state)
    linear = rng.standard_normal(10)
    products = np.triu(rng.standard_normal((10, 10)), k=1) / 2.0
    quadratic = products + products.T if order == 2 else np.zeros((10, 10))
    covariance = np.kron(np.eye(5), np.array([[1.0, correlation], [correlation, 1.0]]))
    return _scale_to_unit(covariance, linear, quadratic)


def make_equicorrelated(n_features: int = 8, correlation: float = 0.6, random_state: Any = None) -> GaussianQuadratic:
    """Gaussians of unit variance, all pairs equally correlated; f as in :func:`make_factor`.

    Parameters
    ----------
    n_features : int
        At least 6.
    correlation : float
        From ``-1 / (n_features - 1)`` to 1.
    random_state : int, Generator or None
        Seed of the columns that f reads and of the signs.

    Examples
    --------
    >>> make_equicorrelated(6, 0.25).covariance[0]
    array([1.  , 0.25, 0.25, 0.25, 0.25, 0.25])
    """
    covariance = np.full((n_features, n_features), float(correlation))
    np.fill_diagonal(covariance, 1.0)
    return _scale_to_unit(covariance, *_draw_coefficients(n_features, np.random.default_rng(random_state)))


def make_factor(n_features: int = 8, rank: int = 3, random_state: Any = None) -> GaussianQuadratic:
    """Gaussians of unit variance driven by a few latent factors: dependence that is not a matter of pairs.

    The covariance is ``L Lᵀ + I / 2`` with ``L ~ N(0, 1)`` of shape (n_features, rank), brought to a unit diagonal;
    ``f ∝ ± x_a ± x_b / 2 ± x_b x_c ± x_e x_g ± x_h² / 2`` with six different columns and sd 1.

    Parameters
    ----------
    n_features : int
        At least 6.
    rank : int
        Number of factors, at least 1.
    random_state : int, Generator or None
        Seed of the loadings, of the columns that f reads and of the signs.

    Examples
    --------
    >>> simulator = make_factor(random_state=0)
    >>> round(simulator.variance, 12), np.diag(simulator.covariance)
    (1.0, array([1., 1., 1., 1., 1., 1., 1., 1.]))
    """
    if rank < 1:
        raise ValueError(f"rank={rank} must be at least 1")
    rng = np.random.default_rng(random_state)
    coefficients = _draw_coefficients(n_features, rng)
    loadings = rng.standard_normal((n_features, rank))
    # Half a unit of noise beside rank units of factor: strongly dependent columns, smallest eigenvalue near 0.1.
    covariance = loadings @ loadings.T + 0.5 * np.eye(n_features)
    scale = np.sqrt(np.diag(covariance))
    return _scale_to_unit(covariance / np.outer(scale, scale), *coefficients)


def make_latent_class(
    n_features: int = 6, n_levels: int | Sequence[int] = 4, n_classes: int = 8, random_state: Any = None
) -> LatentClass:
    """A latent-class model with uniformly drawn probabilities, and f of order 3 with mean zero and sd 1.

    f has a table for each column, for ``n_features`` pairs and for one triple (fewer where there are not so many), all
    entries N(0, 1) before centring and scaling by the exact mean and variance.

    Parameters
    ----------
    n_features : int
    n_levels : int or sequence of n_features ints
        Number of codes of each column, at least 2.
    n_classes : int
        One class makes the columns independent.
    random_state : int, Generator or None

    Examples
    --------
    >>> simulator = make_latent_class(n_levels=3, random_state=0)
    >>> simulator.n_levels, len(simulator.tables), round(simulator.variance, 12)
    ((3, 3, 3, 3, 3, 3), 13, 1.0)
    """
    levels = (int(n_levels),) * n_features if isinstance(n_levels, Integral) else tuple(n_levels)  # type: ignore[arg-type]
    if n_features < 1 or n_classes < 1 or len(levels) != n_features or min(levels) < 2:
        raise ValueError(
            f"n_features={n_features}, n_levels={n_levels}, n_classes={n_classes}: at least one feature and class are needed, "
            "and n_levels gives at least 2 codes for each feature"
        )
    rng = np.random.default_rng(random_state)
    classes = rng.dirichlet(np.ones(n_classes))
    laws = tuple(rng.dirichlet(np.ones(count), size=n_classes) for count in levels)
    columns = [(column,) for column in range(n_features)] + _draw_subsets(n_features, rng)
    tables = {term: rng.standard_normal([levels[column] for column in term]) for term in columns}
    raw = LatentClass(classes, laws, tables)
    scale = 1.0 / np.sqrt(raw.variance)
    return LatentClass(classes, laws, {term: scale * table for term, table in tables.items()}, -scale * raw.expected_value)


def _draw_coefficients(n_features: int, rng: np.random.Generator) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Linear and quadratic coefficients of ``± x_a ± x_b / 2 ± x_b x_c ± x_e x_g ± x_h² / 2``."""
    if n_features < 6:
        raise ValueError(f"n_features={n_features} is too small: the function reads 6 columns")
    a, b, c, e, g, h = rng.permutation(n_features)[:6]
    signs = rng.choice([-1.0, 1.0], size=5)
    linear, quadratic = np.zeros(n_features), np.zeros((n_features, n_features))
    linear[[a, b]] = signs[0], signs[1] / 2
    quadratic[[b, c], [c, b]] = signs[2] / 2
    quadratic[[e, g], [g, e]] = signs[3] / 2
    quadratic[h, h] = signs[4] / 2
    return linear, quadratic


def _draw_subsets(n_features: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """``n_features`` pairs and one triple of columns, fewer where there are not so many."""
    chosen: list[tuple[int, ...]] = []
    for size, count in ((2, n_features), (3, 1)):
        subsets = list(combinations(range(n_features), size))
        picks = rng.permutation(len(subsets))[:count]
        chosen += [subsets[pick] for pick in sorted(picks)]
    return chosen


def _scale_to_unit(
    covariance: NDArray[np.float64], linear: NDArray[np.float64], quadratic: NDArray[np.float64]
) -> GaussianQuadratic:
    scale = 1.0 / np.sqrt(GaussianQuadratic(covariance, linear, quadratic).variance)
    return GaussianQuadratic(covariance, scale * linear, scale * quadratic)


def _evaluate_quadratic(
    X: NDArray[np.float64], constant: float, linear: NDArray[np.float64], quadratic: NDArray[np.float64]
) -> NDArray[np.float64]:
    values: NDArray[np.float64] = np.einsum("ni,ni->n", X @ quadratic, X)
    return np.asarray(constant + X @ linear + values)


def _freeze(owner: object, name: str, values: ArrayLike, shape: tuple[int, ...]) -> NDArray[np.float64]:
    """Store a read-only float64 copy as an attribute of a frozen dataclass."""
    array = _copy_read_only(values)
    if array.shape != shape or array.size == 0:
        raise ValueError(f"{name} has shape {array.shape}; expected {shape}, and at least one entry")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds NaN or infinite values")
    object.__setattr__(owner, name, array)
    return array


def _copy_read_only(values: ArrayLike) -> NDArray[np.float64]:
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


def _check_distribution(law: NDArray[np.float64], name: str) -> None:
    """Raise unless the last axis holds probabilities that sum to one."""
    totals = law.sum(axis=-1)
    # 1e-8: what is left after probabilities were written with ten digits.
    if not ((law >= 0).all() and np.allclose(totals, 1.0, rtol=0.0, atol=1e-8)):
        raise ValueError(f"{name} must be 0 or more and sum to one; the sums go from {totals.min():.6g} to {totals.max():.6g}")


def _check_table(columns: tuple[int, ...], table: NDArray[np.float64], n_levels: tuple[int, ...]) -> None:
    """Raise unless a table's columns exist and its shape is their numbers of levels."""
    known = all(0 <= column < len(n_levels) for column in columns)
    if not (columns and known and list(columns) == sorted(set(columns))):
        raise ValueError(f"table {columns} must name different columns from 0 to {len(n_levels) - 1} in increasing order")
    expected = tuple(n_levels[column] for column in columns)
    if table.shape != expected or not np.isfinite(table).all():
        raise ValueError(f"table {columns} has shape {table.shape}; expected {expected}, all entries finite")


def _check_rows(X: ArrayLike, n_features: int, masks: NDArray[np.bool_] | None = None) -> NDArray[np.float64]:
    """Return rows as float64 of shape (n_rows, n_features), finite where present."""
    rows = np.asarray(X, dtype=np.float64)
    if rows.ndim != 2 or rows.shape[1] != n_features:
        raise ValueError(f"X has shape {rows.shape}; expected (n_rows, {n_features})")
    strange = ~np.isfinite(rows) if masks is None else ~np.isfinite(rows) & masks
    if strange.any():
        raise ValueError(f"X holds {int(strange.sum())} NaN or infinite values in present columns; the law has none")
    return rows


def _evaluate_by_mask(
    value_under: Callable[[NDArray[np.float64], NDArray[np.bool_]], NDArray[np.float64]],
    X: ArrayLike,
    masks: ArrayLike,
    n_features: int,
) -> NDArray[np.float64]:
    """Values of rows that may each have their own mask: rows with the same mask are computed together."""
    shape = np.shape(X)
    masks = check_masks(masks, shape[0] if shape else 0, n_features)
    rows = np.where(masks, _check_rows(X, n_features, masks), 0.0)
    distinct, owner = np.unique(masks, axis=0, return_inverse=True)
    owner = owner.reshape(-1)  # some NumPy 2 releases return it as a column
    values = np.empty(len(rows))
    for position, mask in enumerate(distinct):
        members = owner == position
        values[members] = value_under(rows[members], mask)
    return values


# --- real tables -----------------------------------------------------------------------------------------------------------

_BIKE_COLUMNS = [
    *("season", "yr", "mnth", "hr", "holiday", "weekday", "workingday", "weathersit"),
    *("temp", "atemp", "hum", "windspeed", "day"),
]
_BIKE_SCALES = {"temp": 41.0, "atemp": 50.0, "windspeed": 67.0}
_WILDERNESS = ["Rawah", "Neota", "Comanche Peak", "Cache la Poudre"]
# First and last soil type of each zone: the four zones the paper merges the forty types to.
_SOIL_ZONES = {"types 1-6": (1, 6), "types 7-18": (7, 18), "types 19-34": (19, 34), "types 35-40": (35, 40)}


def load_bike_sharing(folder: str | os.PathLike[str] | None = None) -> Any:
    """Hourly bike rentals of Washington, D.C., 2011 and 2012: 17,379 rows, 13 features, target ``log1p(cnt)``.

    Columns: season (1 = winter, from 21 December, … 4 = autumn), yr (0 = 2011, 1), mnth, hr, holiday, weekday (0 = Sunday),
    workingday, weathersit (1 clear … 4 heavy rain or snow), temp (°C / 41), atemp (°C / 50), hum (share), windspeed (/ 67),
    and ``day``, the day of the month. All are numbers.

    Parameters
    ----------
    folder : path, optional
        Folder that holds ``bike_sharing_hour.parquet`` (the original ``hour.csv`` as Parquet, with ``dteday`` and ``cnt``).
        Default: the environment variable ``INSTASHAP_DATA``; without it, a download.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` (DataFrame), ``target`` (Series, natural logarithm of one plus the rentals in the hour), ``feature_names``,
        ``description``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the file, or the download fails.
    ValueError
        If the downloaded table is not the one described below.

    Notes
    -----
    The download is OpenML's ``Bike_Sharing_Demand``, version 2. It has the same hours in the same order, under other names
    (``year``, ``month``, ``hour``, ``weather``, ``feel_temp``, ``humidity``, ``count``), text for season (where "spring" is
    code 1), weather and the two yes/no columns, unscaled temperatures and wind, and **no date**. Names, codes and scales are
    mapped back here. The day of the month is recovered by counting changes of the weekday from 1 January 2011, which is exact
    because every one of the 731 days has rows; another count raises.

    Source: H. Fanaee-T, J. Gama, "Event labeling combining ensemble detectors and background knowledge", Progress in
    Artificial Intelligence, 2013, doi:10.1007/s13748-013-0040-3. Licence CC BY 4.0.

    Examples
    --------
    >>> bike = load_bike_sharing()  # doctest: +SKIP
    >>> bike.data.shape  # doctest: +SKIP
    (17379, 13)
    """
    file_name = "bike_sharing_hour.parquet"
    frame = _read_local(folder, file_name)
    if frame is None:
        frame = _restore_bike(_fetch_openml("Bike_Sharing_Demand", 2, file_name))
    pandas = import_module("pandas")
    data = frame.assign(day=pandas.to_datetime(frame["dteday"]).dt.day)[_BIKE_COLUMNS]
    data = data.astype({name: "int64" for name in data.columns if data[name].dtype.kind in "iu"})
    target = np.log1p(frame["cnt"].astype("float64")).rename("log1p_cnt")
    return _make_bunch(data, target, "Bike sharing, hourly, Washington, D.C., 2011-2012; target log1p(rentals). CC BY 4.0.")


def load_covertype(folder: str | os.PathLike[str] | None = None) -> Any:
    """Forest cover types from maps: 12 features, target 1 … 7.

    Ten integer columns as published; ``Wilderness_Area`` (category of 4) from four one-hot columns; ``Soil_Zone`` (category
    of 4) from forty: soil types 1-6, 7-18, 19-34 and 35-40, as in the paper's experiment.

    Parameters
    ----------
    folder : path, optional
        Folder that holds ``covertype_sample190538.parquet``. Default: the environment variable ``INSTASHAP_DATA``; without
        it, a download (scikit-learn's ``fetch_covtype``).

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` (DataFrame), ``target`` (Series, 1 Spruce/Fir, 2 Lodgepole Pine, 3 Ponderosa Pine, 4 Cottonwood/Willow,
        5 Aspen, 6 Douglas-fir, 7 Krummholz), ``feature_names``, ``description``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the file, or the download fails.
    ValueError
        If a row does not belong to exactly one wilderness area and one soil type.

    Notes
    -----
    The two sources differ in rows: the local file is a random sample of 190,538, the download is the full 581,012. Scores on
    the sample are not comparable with published ones on the full set.

    Source: J. A. Blackard, D. J. Dean, Computers and Electronics in Agriculture 24, 1999; doi:10.24432/C50K5N. Licence
    CC BY 4.0, copyright Jock A. Blackard and Colorado State University.

    Examples
    --------
    >>> covertype = load_covertype()  # doctest: +SKIP
    >>> covertype.data.shape  # doctest: +SKIP
    (581012, 12)
    """
    file_name = "covertype_sample190538.parquet"
    frame = _read_local(folder, file_name)
    if frame is None:
        fetch = import_module("sklearn.datasets").fetch_covtype
        frame = _download(lambda: fetch(as_frame=True).frame, "the cover types", file_name)
    pandas = import_module("pandas")
    data = frame.iloc[:, :10].astype("int64")
    wilderness = np.array(_WILDERNESS, dtype=object)[_read_one_hot(frame, "Wilderness_Area", 4)]
    data["Wilderness_Area"] = pandas.Categorical(wilderness, categories=_WILDERNESS)
    last_types = [last for _, last in _SOIL_ZONES.values()]
    zones = np.searchsorted(last_types, _read_one_hot(frame, "Soil_Type", 40) + 1)
    data["Soil_Zone"] = pandas.Categorical.from_codes(zones, categories=list(_SOIL_ZONES))
    target = frame["Cover_Type"].astype("int64")
    return _make_bunch(data, target, f"Forest cover types, {len(data)} rows; soil in four zones. CC BY 4.0.")


def load_adult(folder: str | os.PathLike[str] | None = None) -> Any:
    """Adult census income: 48,842 rows, 14 features, target ``"<=50K"`` or ``">50K"``.

    Six integer columns and eight categories; unknown entries (``"?"`` in the original) are missing.

    Parameters
    ----------
    folder : path, optional
        Folder that holds ``adult_census.parquet`` (target ``income``; a column ``split`` of "train" and "test" is optional).
        Default: the environment variable ``INSTASHAP_DATA``; without it, a download.

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` (DataFrame), ``target`` (Series of text), ``feature_names``, ``description``, and ``is_train``: bool ndarray
        of shape (n_rows,), True for the rows of the original training file, or None where the source does not say.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the file, or the download fails.

    Notes
    -----
    The download is OpenML's ``adult``, version 2: the same rows without the original split, so ``is_train`` is None. Its row
    order need not be that of the local file.

    Source: B. Becker, R. Kohavi, "Adult", UCI Machine Learning Repository, 1996, doi:10.24432/C5XW20. Licence CC BY 4.0.

    Examples
    --------
    >>> adult = load_adult()  # doctest: +SKIP
    >>> adult.data.shape  # doctest: +SKIP
    (48842, 14)
    """
    file_name = "adult_census.parquet"
    frame = _read_local(folder, file_name)
    if frame is None:
        frame = _fetch_openml("adult", 2, file_name).rename(columns={"class": "income"})
    is_train = (frame["split"] == "train").to_numpy(dtype=bool) if "split" in frame else None
    data = frame.drop(columns=["income", "split"], errors="ignore")
    for name in data.columns:
        kind = data[name].dtype.kind
        # By way of object, so that text, and categories in the order of a file, end as the same sorted categories.
        data[name] = data[name].astype("int64") if kind in "iuf" else data[name].astype(object).astype("category")
    target = frame["income"].astype(object)
    return _make_bunch(data, target, "Adult census income, United States 1994. CC BY 4.0.", is_train=is_train)


def load_california_housing(folder: str | os.PathLike[str] | None = None) -> Any:
    """House values of 20,640 Californian block groups in 1990: 8 features, target in units of 100,000 US dollars.

    Columns as in scikit-learn's ``fetch_california_housing``: MedInc (10,000 US dollars), HouseAge (years), AveRooms,
    AveBedrms (per household), Population, AveOccup (persons per household), Latitude, Longitude (degrees).

    Parameters
    ----------
    folder : path, optional
        Folder that holds ``california_housing.parquet`` (the original counts per block group; averages are computed here).
        Default: the environment variable ``INSTASHAP_DATA``; without it, a download (``fetch_california_housing``).

    Returns
    -------
    sklearn.utils.Bunch
        ``data`` (DataFrame of float64), ``target`` (Series ``MedHouseVal``, capped at 5.00001), ``feature_names``,
        ``description``.

    Raises
    ------
    FileNotFoundError
        If the folder does not hold the file, or the download fails.

    Notes
    -----
    Source: R. K. Pace, R. Barry, "Sparse Spatial Autoregressions", Statistics & Probability Letters 33, 1997. No licence is
    stated with the data.

    Examples
    --------
    >>> housing = load_california_housing()  # doctest: +SKIP
    >>> housing.data.shape  # doctest: +SKIP
    (20640, 8)
    """
    file_name = "california_housing.parquet"
    frame = _read_local(folder, file_name)
    if frame is None:
        fetch = import_module("sklearn.datasets").fetch_california_housing
        frame = _download(lambda: fetch(as_frame=True).frame, "California housing", file_name)
    else:
        frame = _average_housing(frame)
    description = "California housing, block groups of the 1990 census; target in 100,000 US dollars. No licence stated."
    return _make_bunch(frame.drop(columns="MedHouseVal"), frame["MedHouseVal"], description)


def _average_housing(frame: Any) -> Any:
    """Counts per block group as averages per household, under scikit-learn's names and in its order."""
    columns = {
        "MedInc": frame["medianIncome"],
        "HouseAge": frame["housingMedianAge"],
        "AveRooms": frame["totalRooms"] / frame["households"],
        "AveBedrms": frame["totalBedrooms"] / frame["households"],
        "Population": frame["population"],
        "AveOccup": frame["population"] / frame["households"],
        "Latitude": frame["latitude"],
        "Longitude": frame["longitude"],
        "MedHouseVal": frame["medianHouseValue"] / 100_000.0,
    }
    return import_module("pandas").DataFrame(columns).astype("float64")


def _restore_bike(frame: Any) -> Any:
    """OpenML's bike table under the original names, codes and scales, with the date recovered."""
    names = {"year": "yr", "month": "mnth", "hour": "hr", "weather": "weathersit", "feel_temp": "atemp"}
    frame = frame.rename(columns={**names, "humidity": "hum", "count": "cnt"})
    codes = {
        "season": {"spring": 1, "summer": 2, "fall": 3, "winter": 4},
        "weathersit": {"clear": 1, "misty": 2, "rain": 3, "heavy_rain": 4},
        "holiday": {"False": 0, "True": 1},
        "workingday": {"False": 0, "True": 1},
    }
    # Through text: the yes/no columns come as text or as booleans, depending on the parser.
    frame = frame.assign(**{name: frame[name].astype(str).map(table).astype("int64") for name, table in codes.items()})
    # The original has at most four decimals; without rounding the quotients would miss them by an ulp.
    frame = frame.assign(**{name: (frame[name] / scale).round(4) for name, scale in _BIKE_SCALES.items()})
    integers = dict.fromkeys(("yr", "mnth", "hr", "weekday", "cnt"), "int64")
    return frame.astype(integers).assign(dteday=_count_days(frame["weekday"].to_numpy()))


def _count_days(weekdays: NDArray[Any]) -> NDArray[np.datetime64]:
    """Date of each row, from the changes of the weekday in rows ordered by time."""
    days = np.concatenate([[0], np.cumsum(weekdays[1:] != weekdays[:-1])])
    if days[-1] != 730:
        raise ValueError(
            f"the downloaded bike table has {days[-1] + 1} days in a row, expected 731: its rows are not in the order of time; "
            "use folder= with bike_sharing_hour.parquet"
        )
    return np.datetime64("2011-01-01") + days.astype("timedelta64[D]")


def _read_one_hot(frame: Any, prefix: str, n_levels: int) -> NDArray[np.int64]:
    """Position of the one in each row among the columns that start with ``prefix``."""
    names = [name for name in frame.columns if name.startswith(prefix)]
    block = frame[names].to_numpy()
    if block.shape[1] != n_levels or not (block.sum(axis=1) == 1).all():
        raise ValueError(f"expected {n_levels} columns {prefix}… with a single 1 a row, got {len(names)} columns")
    return np.asarray(block.argmax(axis=1), dtype=np.int64)


def _read_local(folder: str | os.PathLike[str] | None, file_name: str) -> Any:
    """The table in ``folder`` or in the folder the environment names; None if neither is given."""
    place = folder if folder is not None else os.environ.get(FOLDER_VARIABLE) or None
    if place is None:
        return None
    path = Path(place) / file_name
    if not path.is_file():
        source = "folder=" if folder is not None else FOLDER_VARIABLE
        raise FileNotFoundError(
            f"{str(path)!r} does not exist ({source} names the folder); put {file_name} there, "
            f"or give no folder and unset {FOLDER_VARIABLE} to download the data"
        )
    require("pyarrow", extra="cli", purpose="Parquet files")
    return import_module("pandas").read_parquet(path, engine="pyarrow")


def _fetch_openml(name: str, version: int, file_name: str) -> Any:
    fetch = import_module("sklearn.datasets").fetch_openml
    return _download(lambda: fetch(name, version=version, as_frame=True, parser="auto").frame, name, file_name)


def _download(fetch: Callable[[], Any], title: str, file_name: str) -> Any:
    """The fetched table; a failed connection says how to do without one."""
    try:
        return fetch()
    except OSError as error:
        raise FileNotFoundError(
            f"{title} could not be downloaded ({error}); connect, or put {file_name} in a folder and pass folder=, "
            f"or name the folder in the environment variable {FOLDER_VARIABLE}"
        ) from error


def _make_bunch(data: Any, target: Any, description: str, **more: Any) -> Any:
    names = [str(name) for name in data.columns]
    return import_module("sklearn.utils").Bunch(data=data, target=target, feature_names=names, description=description, **more)
