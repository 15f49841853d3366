"""Gaussian columns and a quadratic output: conditional means in closed form."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..game.coalitions import enumerate_coalitions
from ..game.exact import compute_shapley_values
from .drawn_rows import check_rows, evaluate_by_mask, freeze

# Eigenvalues below this share of the largest count as zero when a covariance is inverted. This is far above rounding (1e-16);
# columns with a correlation of 1 - 1e-9 still count as different.
_RANK_TOLERANCE = 1e-12


@dataclass(frozen=True, eq=False)
class GaussianQuadratic:
    """Mean-zero Gaussian rows and a quadratic function, with the exact conditional game.

    ``X ~ N(0, covariance)``,  ``f(x) = intercept + coef_linear · x + xᵀ coef_quadratic x``

    Given ``x_S`` the other columns are Gaussian with mean ``A x_S``, ``A = Σ_{·S} Σ_SS⁻¹``, and covariance
    ``C = Σ - A Σ_{S·}``, hence ``v(S) = f(A x_S) + trace(coef_quadratic C)``. Repeated or exactly dependent columns are
    allowed (the pseudo-inverse is used); for rows off the support of the law only ``v([d]) = f(x)`` is then well defined.

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
        freeze(self, "coef_linear", self.coef_linear, (n_features,))
        for name in ("covariance", "coef_quadratic"):
            matrix = freeze(self, name, getattr(self, name), (n_features, n_features))
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
        X = check_rows(X, self.n_features)
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
        return evaluate_by_mask(self._value_under, X, masks, self.n_features)

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
        X = check_rows(X, self.n_features)
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
        gain[present] = np.eye(present.size)  # present columns keep their values, also off the support of a singular law
        spread = self.covariance - gain @ self.covariance[present]
        mean = np.zeros((self.n_features, self.n_features))
        mean[:, present] = gain
        constant = float(self.intercept + np.sum(self.coef_quadratic * spread))
        return constant, mean.T @ self.coef_linear, mean.T @ self.coef_quadratic @ mean

    def _value_under(self, X: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.float64]:
        return _evaluate_quadratic(X, *self._condition(mask))


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
    """Gaussians of unit variance driven by a few latent factors, so that more than two columns depend on each other.

    The covariance is ``L Lᵀ + I / 2`` with ``L ~ N(0, 1)`` of shape (n_features, rank), scaled to a unit diagonal;
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
