"""Moments of a site's rows with Gaussian noise, so that no row can be read off them: an experiment, see docs/updating.md.

A row enters the sums as products of ``z = [1, b, y]``: the local basis functions of each term, at most 1 in norm by
construction, and outputs that are clipped and scaled to at most 1 in size. So ``||z||^2 <= C``, which the plan alone gives, and
adding or removing a row changes the sums by at most C. The plan's own functions are linear in the local ones, ``z_plan = L z``,
so that noise N on the local sums is noise ``L N L'`` on those of the plan.
"""

from __future__ import annotations

from dataclasses import replace
from math import erfc, exp, sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._row_arrays import check_magnitude
from .._validation import check_positive
from ..fits.conditional import get_plan
from ..fitted.game import FittedGame
from ..masked.design import ValueFunctions
from ..masked.plan import Plan
from ..masked.sums import RowSums, accumulate
from ..table.bases import LocalBasis
from .updating import Moments, make_moments

# Local functions whose noise is drawn at once: 8 bytes times their square is memory.
_MOST_LOCAL = 8000
# The Bernstein coefficients of local functions may be negative, and their sum above 1, by rounding.
_ROUNDING = 1e-9


def accumulate_with_noise(
    explainer: Any,
    X: Any,
    outputs: Any,
    *,
    epsilon: float,
    delta: float,
    output_range: tuple[float, float],
    random_state: Any = None,
) -> Moments:
    """Moments of new rows with noise: (epsilon, delta) differentially private for a row that is added or removed. Experimental.

    Parameters
    ----------
    explainer : Explainer
        Its plan was made without these rows.
    X : table
    outputs : array-like of shape (n_rows,) or (n_rows, n_outputs)
    epsilon, delta : float
        Positive, delta below 1; for one release of moments. Those of several releases of the same rows add.
    output_range : (float, float)
        Least and largest output; others are clipped. Choose it without a look at the rows.
    random_state : int or Generator, optional
        Whoever knows it can subtract the noise: leave it out but in tests.

    Raises
    ------
    ValueError
        For numbers out of range, and plans with linear predictions of columns or more than 8 000 local functions.
    """
    scale = calibrate_noise(epsilon, delta, 1.0)
    fitted: FittedGame = explainer._check_fitted()
    plan, table = get_plan(fitted), fitted.read(X)
    low, high = (float(each) for each in output_range)
    if not low < high:
        raise ValueError(f"output_range holds the least and the largest output, got ({low:g}, {high:g})")
    given = np.asarray(outputs, dtype=np.float64).reshape(table.n_rows, -1)
    check_magnitude(given, "outputs")
    ends = np.array([[low], [high]]) / fitted.output_unit - plan.centre
    half = np.abs(ends).max(axis=0)
    values = np.clip(given, low, high) / fitted.output_unit
    sums = accumulate(plan, table, values, np.ones(table.n_rows))
    sensitivity = compute_sensitivity(plan.functions, len(plan.centre))
    noisy = add_noise(sums, list_local_functions(plan, half), scale * sensitivity, np.random.default_rng(random_state))
    return make_moments(fitted, _mend(plan, noisy))


def calibrate_noise(epsilon: float, delta: float, sensitivity: float) -> float:
    """Least standard deviation of Gaussian noise that makes sums of a sensitivity (epsilon, delta) differentially private.

    ``Phi(a - c) - e^epsilon Phi(-a - c) = delta`` with ``a = s / (2 sigma)``, ``c = epsilon sigma / s`` (Balle and Wang 2018,
    theorem 8), by bisection.

    Examples
    --------
    >>> round(calibrate_noise(1.0, 1e-5, 1.0), 2)
    3.73
    """
    check_positive(epsilon, "epsilon")
    check_positive(delta, "delta")
    if delta >= 1.0 or epsilon > 100.0:
        raise ValueError(f"epsilon is at most 100 and delta below 1, got {epsilon:g} and {delta:g}")
    low, high = 1e-4, 1e12
    for _ in range(200):
        middle = sqrt(low * high)
        low, high = (middle, high) if _compute_delta(epsilon, middle) > delta else (low, middle)
    return high * sensitivity


def _compute_delta(epsilon: float, sigma: float) -> float:
    """The delta of noise on sums of sensitivity 1."""
    a, c = 1 / (2 * sigma), epsilon * sigma
    return 0.5 * erfc((c - a) / sqrt(2)) - exp(epsilon) * 0.5 * erfc((a + c) / sqrt(2))


def compute_sensitivity(functions: ValueFunctions, n_outputs: int) -> float:
    """Largest squared norm of a row's ``z``, from the bases alone: 1 for the constant, each term and each output.

    It bounds the change of the sums, ``sqrt(sum_{i <= j} z_i^2 z_j^2) <= ||z||^2``.
    """
    total = 1.0 + n_outputs
    for columns in functions.value_sets:
        total += float(np.prod([_bound_norm(functions.axes[len(columns), column].basis) for column in columns]))
    return total


def _bound_norm(basis: LocalBasis) -> float:
    """Bound of the sum of squares of a basis: 1 where functions are not negative and add to at most 1, by Bernstein's form."""
    n_powers = basis.polynomials.shape[2]
    to_bernstein = np.zeros((n_powers, n_powers))
    for k in range(n_powers):
        ways, of_all = 1.0, 1.0
        for power in range(k + 1):
            to_bernstein[k, power] = ways / of_all
            ways, of_all = ways * (k - power) / (power + 1), of_all * (n_powers - 1 - power) / (power + 1)
    ends = basis.polynomials @ to_bernstein.T  # (n_cells, width, n_powers)
    if ends.min() > -_ROUNDING and ends.sum(axis=1).max() < 1 + _ROUNDING:
        return 1.0
    return float((np.abs(ends).max(axis=2) ** 2).sum(axis=1).max())


def list_local_functions(plan: Plan, half: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Blocks of L on its diagonal: of the constant, each term's functions and the outputs, of shape (n_functions, n_local)."""
    functions = plan.functions
    blocks = [np.ones((1, 1))]
    for columns, chosen in zip(functions.value_sets, functions.choices, strict=True):
        if not columns:
            raise ValueError("the plan has linear predictions of columns, whose sums get no noise: fit with presence_order=3")
        block = np.ones((len(chosen), 1))
        for column, numbers in zip(columns, chosen.T, strict=True):
            own = functions.axes[len(columns), column].coefficients[:, numbers].T
            block = (block[:, :, None] * own[:, None]).reshape(len(chosen), -1)
        blocks.append(block)
    n_local = sum(block.shape[1] for block in blocks)
    if n_local > _MOST_LOCAL:
        raise ValueError(
            f"the plan has {n_local:,} local functions, and noise is drawn for at most {_MOST_LOCAL:,}: fit fewer pairs, or a "
            "lower order"
        )
    return [*blocks, np.diag(half)]


def add_noise(sums: RowSums, blocks: list[NDArray[np.float64]], scale: float, rng: np.random.Generator) -> RowSums:
    """Sums with ``L N L'``, N symmetric with independent normal entries of a standard deviation; each fold has its own."""
    products = sums.products.copy()
    rows, columns = (np.cumsum([0, *(block.shape[axis] for block in blocks)]) for axis in (0, 1))
    upper = np.triu_indices(rows[-1])
    for fold in products:
        drawn = np.triu(rng.normal(0.0, scale, (columns[-1], columns[-1])))
        drawn += np.triu(drawn, 1).T
        half = np.vstack([block @ drawn[at : at + block.shape[1]] for block, at in zip(blocks, columns, strict=False)])
        both = np.hstack([half[:, at : at + block.shape[1]] @ block.T for block, at in zip(blocks, columns, strict=False)])
        fold += both[upper]
    return replace(sums, products=products)


def _mend(plan: Plan, sums: RowSums) -> RowSums:
    """The nearest sums that rows could have, fold by fold, and their number from the noisy weight; both need no rows."""
    weights = sums.products[:, 0]
    if weights.min() <= 0.0:
        raise ValueError("the noise is larger than the number of rows: choose a larger epsilon, or sum more rows")
    upper = np.triu_indices(plan.size)
    products = sums.products.copy()
    for fold in products:
        whole = np.zeros((plan.size, plan.size))
        whole[upper] = fold
        values, vectors = np.linalg.eigh(whole, UPLO="U")
        fold[:] = ((vectors * np.maximum(values, 0.0)) @ vectors.T)[upper]
    return RowSums(products, max(1, round(float(weights.sum()))))
