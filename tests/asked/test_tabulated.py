"""Value functions given by tables: evaluated at few places, made orthonormal, solved like any other."""

import numpy as np
import pytest

from instashap.asked.tabulated import RawFunctions, make_tabulated_functions, tabulate
from instashap.model.places import sample_places
from instashap.table.encoding import Encoded


def decode(columns, encoded, column):
    """A number column's own values at encoded places."""
    encoder = columns[column].encoder
    spans = np.divide(1.0, encoder.scales, out=np.zeros_like(encoder.scales), where=encoder.scales > 0)
    lows, spans = np.append(encoder.lows, np.nan), np.append(spans, 0.0)
    return lows[encoded.cells[:, column]] + encoded.offsets[:, column] * spans[encoded.cells[:, column]]


@pytest.fixture
def numbers(encode):
    """Three correlated number columns, learnt and encoded."""
    X = np.random.default_rng(0).normal(size=(400, 3))
    X[:, 1] += X[:, 0]
    columns, encoded = encode(X)
    return X, columns, encoded


def make_functions(columns, axes, tables, encoded, uses=None):
    raw = {
        values: RawFunctions(table, np.eye(table.shape[-1]) if uses is None else uses[values])
        for values, table in tables.items()
    }
    bases = tuple(column.encoder.bases for column in columns)
    return make_tabulated_functions(bases, axes, raw, encoded, np.ones(len(encoded.cells)))


@pytest.fixture
def functions(numbers, learn_axes):
    _X, columns, encoded = numbers

    def ask(places, powers):
        value = np.nan_to_num(decode(columns, places, 0))
        return np.stack([value**power for power in powers], axis=1)

    tables = {
        (0,): tabulate(columns, (0,), lambda places: ask(places, (1, 2, 3))),
        (0, 1): tabulate(
            columns, (0, 1), lambda places: ask(places, (1,)) * np.nan_to_num(decode(columns, places, 1))[:, None]
        ),
    }
    return make_functions(columns, learn_axes(columns, encoded, tables), tables, encoded)


@pytest.fixture
def learn_axes():
    """Axis functions of the columns of some tables."""
    from instashap.masked.penalties import compute_axis_functions, compute_local_moments

    def learn(columns, encoded, tables):
        keys = {(len(values), column) for values in tables for column in values}
        axes = {}
        for size, column in keys:
            axis = columns[column].axes[size - 1]
            moments = compute_local_moments(
                axis.basis, encoded.cells[:, column], encoded.offsets[:, column], np.ones(len(encoded.cells))
            )
            axes[size, column] = compute_axis_functions(axis, *moments, 3, 8)
        return axes

    return learn


def test_a_cubic_is_tabulated_exactly(numbers, evaluate_table):
    X, columns, encoded = numbers
    table = tabulate(columns, (0,), lambda places: np.nan_to_num(decode(columns, places, 0))[:, None] ** 3)
    assert evaluate_table(columns, (0,), table, encoded)[:, 0] == pytest.approx(X[:, 0] ** 3, abs=1e-9)


def test_a_product_of_lines_is_tabulated_exactly_for_two_and_three_columns(numbers, evaluate_table):
    X, columns, encoded = numbers

    def ask(places):
        first, second = (np.nan_to_num(decode(columns, places, column)) for column in (0, 1))
        return (first * second)[:, None]

    table = tabulate(columns, (0, 1), ask)
    assert evaluate_table(columns, (0, 1), table, encoded)[:, 0] == pytest.approx(X[:, 0] * X[:, 1], abs=1e-9)
    table = tabulate(columns, (0, 1, 2), ask)
    assert evaluate_table(columns, (0, 1, 2), table, encoded)[:, 0] == pytest.approx(X[:, 0] * X[:, 1], abs=1e-9)


@pytest.fixture
def evaluate_table():
    """A table's functions on rows, by the columns' dense bases."""

    def evaluate(columns, values, table, encoded):
        sides = []
        for column in values:
            basis = columns[column].encoder.bases[len(values) - 1]
            sides.append(basis.combine(encoded.cells[:, column], encoded.offsets[:, column], np.eye(basis.n_functions)))
        letters = "abc"[: len(values)]
        return np.einsum(f"{letters}f,{','.join('n' + letter for letter in letters)}->nf", table, *sides)

    return evaluate


def test_functions_of_a_set_are_centred_uncorrelated_and_of_unit_variance(functions, numbers):
    _, _, encoded = numbers
    values = functions.evaluate(encoded)[functions.owners == 0]
    assert values.mean(axis=1) == pytest.approx(np.zeros(3), abs=1e-9)
    assert np.cov(values, ddof=0) == pytest.approx(np.eye(3), abs=1e-7)


def test_a_pair_is_centred_along_each_of_its_columns(functions, numbers):
    X, _, encoded = numbers
    (pair,) = functions.evaluate(encoded)[functions.owners == 1]
    product = (X[:, 0] - X[:, 0].mean()) * (X[:, 1] - X[:, 1].mean())
    assert abs(np.corrcoef(pair, product)[0, 1]) == pytest.approx(1.0, abs=1e-9)


def test_the_function_with_the_largest_coefficient_comes_first_with_the_least_penalty(numbers, learn_axes):
    X, columns, encoded = numbers

    def ask(places):
        value = np.nan_to_num(decode(columns, places, 0))
        return np.stack([value, value**2], axis=1)

    tables = {(0,): tabulate(columns, (0,), ask)}
    uses = {(0,): np.array([[0.1], [3.0]])}
    made = make_functions(columns, learn_axes(columns, encoded, tables), tables, encoded, uses)
    first = made.evaluate(encoded)[0]
    wanted = 0.1 * X[:, 0] + 3.0 * X[:, 0] ** 2
    assert abs(np.corrcoef(first, wanted)[0, 1]) > 0.9999
    assert made.roughness[0] == 1.0
    assert made.roughness[1] > 100.0


def test_selected_and_expanded_functions_are_the_same_functions(functions, numbers):
    _, _, encoded = numbers
    kept = np.array([True, False, True, False])
    chosen = functions.select(kept)
    assert chosen.value_sets == ((0,),)
    assert chosen.evaluate(encoded) == pytest.approx(functions.evaluate(encoded)[kept])
    assert functions.expand(0, np.eye(3)[:, 1]) == pytest.approx(functions.tables[0][:, 1])


def test_functions_of_missing_values_are_zero_where_no_row_has_any(functions, numbers):
    _, columns, _ = numbers
    missing = Encoded(np.array([[columns[0].encoder.missing_cell, 0, 0]], dtype=np.int32), np.zeros((1, 3)))
    assert not functions.evaluate(missing).any()


def test_thinned_places_are_as_many_as_functions_and_determine_them(numbers):
    _, columns, _ = numbers
    places = sample_places(columns[0].encoder, 3).thin()
    assert len(places) == places.matrix.shape[1] == np.linalg.matrix_rank(places.matrix)
