"""The compiled look-up against its NumPy twin."""

import numpy as np
import pytest

SIZES = [1, 2, 63, 64, 65, 200]


def _twin(bases, value_sets, tables, encoded, evaluate_local):
    """Each table contracted with the dense local functions of its columns; shape (n_rows, n_sets, n_parts, n_outputs)."""
    effects = []
    for values, table in zip(value_sets, tables, strict=True):
        found = np.broadcast_to(table, (len(encoded.cells), *table.shape))
        for column in values:
            local = evaluate_local(bases[column][len(values) - 1], encoded.cells[:, column], encoded.offsets[:, column])
            found = np.einsum("na,na...->n...", local, found)
        effects.append(found)
    return effects


def _random_tables(bases, value_sets, presence_sets, n_outputs, seed=0):
    rng = np.random.default_rng(seed)
    return [
        rng.normal(size=(*(bases[column][len(values) - 1].n_functions for column in values), len(presence), n_outputs))
        for values, presence in zip(value_sets, presence_sets, strict=True)
    ]


@pytest.mark.parametrize("values", [(0,), (1,), (2,), (3,), (0, 1), (0, 2), (1, 3), (0, 1, 2), (0, 2, 3)])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_terms_of_one_two_and_three_columns_agree_with_numpy(values, n_outputs, make_frame, encode, evaluate_local, make_model):
    columns, encoded = encode(make_frame(200, 0))
    bases = tuple(column.encoder.bases for column in columns)
    tables = _random_tables(bases, [values], [(values,)], n_outputs)
    model = make_model(bases, [values], [(values,)], tables, np.zeros(n_outputs), 4)
    expected = _twin(bases, [values], tables, encoded, evaluate_local)[0][:, 0]
    found = model.prediction.apply(encoded)
    assert found.shape == (200, 1, n_outputs)
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-12)


@pytest.mark.parametrize("n_rows", SIZES)
def test_any_number_of_rows_agrees_with_numpy(n_rows, make_frame, encode, evaluate_local, make_model):
    columns, encoded = encode(make_frame(200, 0))
    encoded = type(encoded)(encoded.cells[:n_rows].copy(), encoded.offsets[:n_rows].copy())
    bases = tuple(column.encoder.bases for column in columns)
    sets = [(0,), (2,), (0, 3), (1, 2, 3)]
    presence = [(values,) for values in sets]
    tables = _random_tables(bases, sets, presence, 2)
    model = make_model(bases, sets, presence, tables, np.zeros(2), 4)
    expected = [each[:, 0] for each in _twin(bases, sets, tables, encoded, evaluate_local)]
    np.testing.assert_allclose(model.effects.apply(encoded), np.stack(expected, axis=1), atol=1e-12)
    np.testing.assert_allclose(model.prediction.apply(encoded)[:, 0], sum(expected), atol=1e-12)


def test_a_row_is_answered_the_same_alone_and_among_others(make_frame, encode, make_model):
    columns, encoded = encode(make_frame(200, 0))
    bases = tuple(column.encoder.bases for column in columns)
    sets = [(0,), (0, 3), (1, 2, 3)]
    presence = [(values,) for values in sets]
    model = make_model(bases, sets, presence, _random_tables(bases, sets, presence, 1), np.zeros(1), 4)
    together = model.credits.apply(encoded)
    for row in (0, 63, 64, 130, 199):
        alone = model.credits.apply(type(encoded)(encoded.cells[row : row + 1].copy(), encoded.offsets[row : row + 1].copy()))
        np.testing.assert_array_equal(alone[0], together[row])


def test_sums_are_added_to_totals_that_are_given(make_frame, encode, make_model):
    columns, encoded = encode(make_frame(100, 0))
    bases = tuple(column.encoder.bases for column in columns)
    sets = [(0,), (1, 2)]
    presence = [(values,) for values in sets]
    model = make_model(bases, sets, presence, _random_tables(bases, sets, presence, 2), np.zeros(2), 4)
    once = model.credits.apply(encoded)
    totals = np.full(once.shape, 5.0)
    returned = model.credits.apply(encoded, totals)
    assert returned is totals
    np.testing.assert_allclose(totals, once + 5.0, atol=1e-13)
