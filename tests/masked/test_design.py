"""Value functions as products of axis functions, on rows and as tables."""

import numpy as np
import pytest

from instashap.masked.design import make_value_functions
from instashap.masked.penalties import AxisFunctions
from instashap.table.bases import LocalBasis
from instashap.table.encoding import Encoded


def _axis(n_functions, seed, ranks=None):
    """Random functions on six levels; each a rank of its own unless told."""
    rng = np.random.default_rng(seed)
    basis = LocalBasis(np.arange(6, dtype=np.int32), np.ones((6, 1, 1)), 6)
    return AxisFunctions(
        basis,
        rng.normal(size=(6, n_functions)),
        np.arange(n_functions) * 10.0,
        np.arange(2.0, n_functions + 2),
        np.arange(1, n_functions + 1) if ranks is None else np.array(ranks),
    )


def _axes(counts):
    return {(size, column): _axis(count, 10 * size + column) for size in (1, 2, 3) for column, count in enumerate(counts)}


def _count(functions):
    return [int((functions.owners == owner).sum()) for owner in range(len(functions.value_sets))]


def test_a_pair_keeps_the_products_of_ranks_up_to_its_resolution():
    functions = make_value_functions([(0,), (0, 1)], _axes([4, 3]), {2: 4, 3: 4})
    assert _count(functions) == [4, 7]
    pairs = [tuple(choice + 1) for choice in functions.choices[1]]
    assert sorted(pairs) == [(1, 1), (1, 2), (1, 3), (2, 1), (2, 2), (3, 1), (4, 1)]
    assert functions.ranks.tolist() == [1, 2, 3, 4, *(a * b for a, b in pairs)]
    assert (np.diff(functions.ranks[4:]) >= 0).all()
    assert functions.sizes.tolist() == [1] * 4 + [2] * 7
    assert len(functions) == 11


def test_a_triple_keeps_the_products_of_three_ranks():
    functions = make_value_functions([(0, 1, 2)], _axes([2, 2, 5]), {2: 4, 3: 4})
    expected = sorted((a, b, c) for a in (1, 2) for b in (1, 2) for c in range(1, 6) if a * b * c <= 4)
    assert sorted(tuple(choice + 1) for choice in functions.choices[0]) == expected


def test_functions_that_share_a_rank_stay_or_go_together():
    levels, curve = _axis(6, 0, ranks=[1, 1, 1, 1, 2, 2]), _axis(4, 1, ranks=[1, 2, 2, 3])
    axes = {(2, 0): levels, (2, 1): curve, (1, 0): levels}
    functions = make_value_functions([(0,), (0, 1)], axes, {2: 2, 3: 4})
    assert functions.ranks.tolist() == [1, 1, 1, 1, 2, 2] + [1] * 4 + [2] * (4 * 2 + 2)
    expected = {(a, b) for a in range(6) for b in range(4) if levels.ranks[a] * curve.ranks[b] <= 2}
    assert {tuple(choice) for choice in functions.choices[1].tolist()} == expected
    assert len(expected) == _count(functions)[1]
    for choice, rank in zip(functions.choices[1], functions.ranks[6:], strict=True):
        assert rank == levels.ranks[choice[0]] * curve.ranks[choice[1]]


def test_roughness_adds_over_the_axes_and_ridge_multiplies():
    functions = make_value_functions([(1,), (0, 1)], _axes([3, 3]), {2: 9, 3: 4})
    for position in range(len(functions)):
        owner = functions.owners[position]
        within = position - int(np.flatnonzero(functions.owners == owner)[0])
        choice = functions.choices[owner][within]
        assert functions.roughness[position] == sum(10.0 * number for number in choice)
        assert functions.ridge[position] == np.prod([2.0 + number for number in choice])


def test_values_are_products_of_the_axis_functions(make_frame, encode, make_axes, evaluate_local):
    columns, encoded = encode(make_frame(200, 0))
    axes = make_axes(columns, encoded, np.ones(200), (5, 4, 3))
    sets = [(0,), (1,), (2,), (3,), (0, 1), (2, 3), (0, 2, 3)]
    functions = make_value_functions(sets, axes, {2: 6, 3: 4})
    values = functions.evaluate(encoded)
    assert values.shape == (len(functions), 200)
    assert values.flags.c_contiguous
    for position in range(len(functions)):
        owner = functions.owners[position]
        within = position - int(np.flatnonzero(functions.owners == owner)[0])
        expected = np.ones(200)
        for column, number in zip(sets[owner], functions.choices[owner][within], strict=True):
            each = axes[len(sets[owner]), column]
            local = evaluate_local(each.basis, encoded.cells[:, column], encoded.offsets[:, column])
            expected = expected * (local @ each.coefficients[:, number])
        np.testing.assert_allclose(values[position], expected, atol=1e-12 * max(1.0, np.abs(expected).max()))


@pytest.mark.parametrize("values", [(1,), (0, 3), (0, 1, 2)])
def test_a_table_looked_up_is_the_combination_of_the_functions(make_frame, encode, make_axes, evaluate_local, values):
    columns, encoded = encode(make_frame(150, 1))
    axes = make_axes(columns, encoded, np.ones(150), (5, 4, 3))
    functions = make_value_functions([(2,), values], axes, {2: 6, 3: 4})
    own = functions.owners == 1
    coefficients = np.random.default_rng(0).normal(size=(own.sum(), 2, 3))
    table = functions.expand(1, coefficients)
    bases = [columns[column].axes[len(values) - 1].basis for column in values]
    assert table.shape == (*(basis.n_functions for basis in bases), 2, 3)
    found = np.broadcast_to(table, (150, *table.shape))
    for column, basis in zip(values, bases, strict=True):
        local = evaluate_local(basis, encoded.cells[:, column], encoded.offsets[:, column])
        found = np.einsum("na,na...->n...", local, found)
    expected = np.einsum("un,u...->n...", functions.evaluate(encoded)[own], coefficients)
    np.testing.assert_allclose(found, expected, atol=1e-11 * np.abs(expected).max())


def test_selected_functions_are_the_same_functions_and_empty_sets_are_dropped(make_frame, encode, make_axes):
    columns, encoded = encode(make_frame(100, 2))
    axes = make_axes(columns, encoded, np.ones(100), (5, 4, 3))
    functions = make_value_functions([(0,), (1,), (2,), (0, 2)], axes, {2: 6, 3: 4})
    is_kept = np.random.default_rng(0).random(len(functions)) < 0.5
    is_kept[functions.owners == 1] = False
    kept = functions.select(is_kept)
    assert kept.value_sets == ((0,), (2,), (0, 2))
    assert (1, 1) not in kept.axes
    np.testing.assert_array_equal(kept.evaluate(encoded), functions.evaluate(encoded)[is_kept])
    for name in ("ranks", "roughness", "ridge", "sizes"):
        np.testing.assert_array_equal(getattr(kept, name), getattr(functions, name)[is_kept])
    assert [kept.value_sets[owner] for owner in kept.owners] == [
        functions.value_sets[owner] for owner in functions.owners[is_kept]
    ]


def test_a_column_without_functions_has_no_value_set():
    functions = make_value_functions([(0,), (1,), (0, 1)], _axes([3, 0]), {2: 4, 3: 4})
    assert functions.value_sets == ((0,),)
    assert len(functions) == 3


def test_no_functions_at_all_evaluate_to_no_rows():
    functions = make_value_functions([(0,)], _axes([0]), {2: 4, 3: 4})
    assert len(functions) == 0
    assert functions.evaluate(Encoded(np.zeros((7, 1), np.int32), np.zeros((7, 1)))).shape == (0, 7)
    assert make_value_functions([], {}, {2: 4, 3: 4}).value_sets == ()
