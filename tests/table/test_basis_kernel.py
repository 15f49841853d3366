"""The compiled functions of a column against NumPy."""

import numpy as np
import pytest

from instashap.table.basis_kernel import combine_functions, sum_functions
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table
from instashap.table.plain_encoding import sum_columns


@pytest.mark.parametrize("size", [0, 1, 2])
def test_functions_of_rows_are_those_of_numpy_to_the_bit(size: int) -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=500), rng.integers(0, 4, 500)])
    X[::50] = np.nan
    encoder, _ = learn_table(read_table(X), np.ones(500))
    encoded = encoder.encode(read_table(X))
    for column in range(2):
        basis = encoder.columns[column].bases[size]
        coefficients = rng.normal(size=(basis.n_functions, 7))
        cells, offsets = encoded.cells[:, column], encoded.offsets[:, column]
        expected = basis.combine(cells, offsets, coefficients)
        np.testing.assert_array_equal(basis.tabulate(cells, offsets, coefficients), expected.T)
        values = np.empty((7, 500))  # not compiled
        combine_functions.py_func(
            cells.copy(), offsets.copy(), basis.first, basis.polynomials, coefficients, values
        )
        np.testing.assert_array_equal(values, expected.T)


@pytest.mark.parametrize("size", [0, 1, 2])
def test_sums_of_functions_over_rows_are_those_of_their_values(size: int) -> None:
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=500), rng.integers(0, 4, 500)])
    X[::50] = np.nan
    weights = rng.uniform(0.5, 2.0, 500)
    encoder, _ = learn_table(read_table(X), np.ones(500))
    encoded = encoder.encode(read_table(X))
    for column in range(2):
        basis = encoder.columns[column].bases[size]
        cells, offsets = encoded.cells[:, column].copy(), encoded.offsets[:, column].copy()
        values = basis.combine(cells, offsets, np.eye(basis.n_functions))
        sums, products = basis.sum_products(cells, offsets, weights)
        np.testing.assert_allclose(sums, weights @ values, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(products, (values.T * weights) @ values, rtol=1e-12, atol=1e-12)
        for plain in (sum_columns, sum_functions.py_func):  # neither is compiled
            found = np.zeros_like(sums), np.zeros_like(products)
            plain(cells, offsets, weights, basis.first, basis.polynomials, *found)
            np.testing.assert_array_equal(found[0], sums)
            np.testing.assert_array_equal(found[1], products)


def test_readonly_and_strided_columns_compile_nothing_new() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(100, 2))
    encoder, _ = learn_table(read_table(X), np.ones(100))
    encoded = encoder.encode(read_table(X))
    basis = encoder.columns[0].bases[0]
    coefficients = rng.normal(size=(basis.n_functions, 3))
    basis.tabulate(encoded.cells[:, 0], encoded.offsets[:, 0], coefficients)
    basis.sum_products(encoded.cells[:, 0], encoded.offsets[:, 0], np.ones(100))
    n_compiled = len(combine_functions.signatures), len(sum_functions.signatures)
    for each in (encoded.cells, encoded.offsets, coefficients):
        each.flags.writeable = False
    basis.tabulate(encoded.cells[:, 1], encoded.offsets[:, 1], coefficients[:, :2])
    basis.sum_products(encoded.cells[:, 1], encoded.offsets[:, 1], np.ones(100, dtype=np.float64))
    assert (len(combine_functions.signatures), len(sum_functions.signatures)) == n_compiled
