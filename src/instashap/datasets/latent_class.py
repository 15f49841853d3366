"""Latent classes: categories that depend on each other through a hidden class."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from numbers import Integral
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..game.coalitions import enumerate_coalitions
from ..game.exact import compute_shapley_values
from .drawn_rows import check_rows, copy_read_only, evaluate_by_mask, freeze

# Entries of the game held at once while Shapley values are enumerated: 32 MB.
GAME_BLOCK = 2**22


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
    Two classes that each allow one level only, so that column 0 determines column 1:

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
        _check_distribution(freeze(self, "class_probabilities", self.class_probabilities, (n_classes,)), "class_probabilities")
        laws = tuple(copy_read_only(law) for law in self.level_probabilities)
        for column, law in enumerate(laws):
            if law.ndim != 2 or len(law) != n_classes:
                raise ValueError(f"level_probabilities[{column}] has shape {law.shape}; expected ({n_classes}, n_levels)")
            _check_distribution(law, f"level_probabilities[{column}]")
        object.__setattr__(self, "level_probabilities", laws)
        tables = {tuple(columns): copy_read_only(table) for columns, table in self.tables.items()}
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
        """``Var f``, exact: ``sum_k P(k) sum_{T,T'} E[table_T table_T' | k]`` minus the squared mean of the tables."""
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
        X = check_rows(X, self.n_features)
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
        return evaluate_by_mask(self._value_under, X, masks, self.n_features)

    def shap_values(self, X: ArrayLike) -> NDArray[np.float64]:
        """Exact conditional Shapley values by enumeration of all ``2**n_features`` coalitions.

        Rows plus :attr:`expected_value` sum to :meth:`predict`. The work is ``2**n_features · n_rows · n_classes · n_tables``.

        Returns
        -------
        ndarray of shape (n_rows, n_features), float64

        Raises
        ------
        ValueError
            As in :meth:`value`, and above 20 features.
        """
        X = check_rows(X, self.n_features)
        masks = enumerate_coalitions(self.n_features)
        block = max(1, GAME_BLOCK // len(masks))
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
                f"row {row} has probability zero in columns {np.flatnonzero(mask).tolist()}, so a conditional mean is undefined"
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


def make_latent_class(
    n_features: int = 6, n_levels: int | Sequence[int] = 4, n_classes: int = 8, random_state: Any = None
) -> LatentClass:
    """A latent-class model with uniformly drawn probabilities, and f of order 3 with mean zero and sd 1.

    f has a table for each column, for ``n_features`` pairs and for one triple (fewer if there are too few columns), with
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


def _draw_subsets(n_features: int, rng: np.random.Generator) -> list[tuple[int, ...]]:
    """``n_features`` pairs and one triple of columns, fewer if there are too few columns."""
    chosen: list[tuple[int, ...]] = []
    for size, count in ((2, n_features), (3, 1)):
        subsets = list(combinations(range(n_features), size))
        picks = rng.permutation(len(subsets))[:count]
        chosen += [subsets[pick] for pick in sorted(picks)]
    return chosen


def _check_distribution(law: NDArray[np.float64], name: str) -> None:
    """Raise unless the last axis holds probabilities that sum to one."""
    totals = law.sum(axis=-1)
    # 1e-8: rounding of probabilities that were written with ten digits.
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
