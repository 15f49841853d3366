"""A model's prediction, credits, effects and components against the game it defines."""

import pickle

import numpy as np
import pytest

from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_mobius_transform, compute_shapley_values
from instashap.table.bases import LocalBasis
from instashap.table.encoding import Encoded

SETS = [(0,), (1,), (2,), (3,), (0, 1), (2, 3), (0, 2, 3)]
# The columns 2 and 3 are one player.
PRESENCE = [
    ((0,), (0, 1), (0, 1, 2)),
    ((1,),),
    ((2,), (0, 2)),
    ((2,),),
    ((0, 1), (0, 1, 2)),
    ((2,), (1, 2)),
    ((0, 2),),
]
N_PLAYERS = 3


@pytest.fixture(params=[1, 2])
def case(request, make_frame, encode, make_model):
    """A random model on encoded rows, and its psi tables."""
    columns, encoded = encode(make_frame(70, 0))
    bases = tuple(column.encoder.bases for column in columns)
    rng = np.random.default_rng(1)
    tables = [
        rng.normal(size=(*(bases[column][len(values) - 1].n_functions for column in values), len(presence), request.param))
        for values, presence in zip(SETS, PRESENCE, strict=True)
    ]
    base = rng.normal(size=request.param)
    return make_model(bases, SETS, PRESENCE, tables, base, N_PLAYERS), encoded, tables


def _all_coalitions(model, encoded):
    """Predictions under every mask, shape (n_masks, n_rows, n_outputs)."""
    masks = enumerate_coalitions(model.n_players)
    return np.stack([model.predict(encoded, np.tile(mask, (len(encoded.cells), 1))) for mask in masks])


def _parts(model, tables, encoded, evaluate_local):
    """``psi_{U,R}`` on rows, from the dense local functions; shape (n_rows, n_presence_sets, n_outputs) a set."""
    parts = []
    for values, table in zip(SETS, tables, strict=True):
        found = np.broadcast_to(table, (len(encoded.cells), *table.shape))
        for column in values:
            local = evaluate_local(model.bases[column][len(values) - 1], encoded.cells[:, column], encoded.offsets[:, column])
            found = np.einsum("na,na...->n...", local, found)
        parts.append(found)
    return parts


def test_two_levels_and_a_pair_have_the_hand_computed_answers(make_model):
    level = LocalBasis(np.arange(2, dtype=np.int32), np.ones((2, 1, 1)), 2)
    bases = ((level,) * 3, (level,) * 3)
    tables = [
        np.array([[[1.0], [10.0]], [[2.0], [20.0]]]),  # cell of column 0; under (0,) and under (0, 1)
        np.array([[[3.0]], [[4.0]]]),
        np.array([[[[5.0]], [[6.0]]], [[[7.0]], [[8.0]]]]),
    ]
    sets, presence = [(0,), (1,), (0, 1)], [((0,), (0, 1)), ((1,),), ((0, 1),)]
    model = make_model(bases, sets, presence, tables, [100.0], 2)
    rows = Encoded(np.array([[0, 0], [1, 0], [0, 1]], np.int32), np.zeros((3, 2)))
    # full: 100 + (1 + 10) + 3 + 5, and so on
    assert model.predict(rows)[:, 0].tolist() == [119.0, 132.0, 121.0]
    masks = np.array([[True, False], [False, True], [False, False]])
    assert model.predict(rows, masks)[:, 0].tolist() == [101.0, 103.0, 100.0]
    # player 0: 1 + (10 + 5) / 2; player 1: 3 + (10 + 5) / 2
    np.testing.assert_allclose(model.credits.apply(rows)[:, :, 0], [[8.5, 10.5], [15.5, 16.5], [9.0, 12.0]])
    assert model.effects.apply(rows)[:, :, 0].tolist() == [[11.0, 3.0, 5.0], [22.0, 3.0, 7.0], [11.0, 4.0, 6.0]]
    assert model.make_mobius_lookup((0, 1)).apply(rows)[:, 0, 0].tolist() == [15.0, 27.0, 16.0]
    assert model.make_mobius_lookup((0,)).apply(rows)[:, 0, 0].tolist() == [1.0, 2.0, 1.0]


def test_a_part_counts_when_all_its_players_are_present(case, evaluate_local):
    model, encoded, tables = case
    parts = _parts(model, tables, encoded, evaluate_local)
    for mask in enumerate_coalitions(N_PLAYERS):
        present = set(np.flatnonzero(mask))
        expected = model.base_value + sum(
            part[:, number]
            for part, presence in zip(parts, PRESENCE, strict=True)
            for number, players in enumerate(presence)
            if set(players) <= present
        )
        found = model.predict(encoded, np.tile(mask, (len(encoded.cells), 1)))
        np.testing.assert_allclose(found, np.broadcast_to(expected, found.shape), atol=1e-11)


def test_every_row_may_have_a_mask_of_its_own(case):
    model, encoded, _ = case
    game = _all_coalitions(model, encoded)
    codes = np.random.default_rng(0).integers(0, 8, len(encoded.cells))
    found = model.predict(encoded, enumerate_coalitions(N_PLAYERS)[codes])
    np.testing.assert_allclose(found, game[codes, np.arange(len(codes))], atol=1e-12)


def test_the_default_mask_is_the_full_coalition_and_the_empty_one_the_base_value(case):
    model, encoded, _ = case
    game = _all_coalitions(model, encoded)
    np.testing.assert_allclose(model.predict(encoded), game[-1], atol=1e-11)
    np.testing.assert_array_equal(game[0], np.broadcast_to(model.base_value, game[0].shape))


def test_credits_are_the_shapley_values_of_the_masked_predictions(case):
    model, encoded, _ = case
    expected = compute_shapley_values(_all_coalitions(model, encoded))  # (n_players, n_rows, n_outputs)
    credits = model.credits.apply(encoded)
    assert credits.shape == (len(encoded.cells), N_PLAYERS, model.n_outputs)
    np.testing.assert_allclose(credits, expected.transpose(1, 0, 2), atol=1e-10)
    np.testing.assert_allclose(model.base_value + credits.sum(axis=1), model.predict(encoded), atol=1e-10)


def test_effects_and_the_base_value_sum_to_the_prediction(case, evaluate_local):
    model, encoded, tables = case
    effects = model.effects.apply(encoded)
    assert effects.shape == (len(encoded.cells), len(SETS), model.n_outputs)
    np.testing.assert_allclose(model.base_value + effects.sum(axis=1), model.predict(encoded), atol=1e-10)
    for number, part in enumerate(_parts(model, tables, encoded, evaluate_local)):
        np.testing.assert_allclose(effects[:, number], part.sum(axis=1), atol=1e-11)


def test_component_lookups_are_the_mobius_transform_of_the_masked_predictions(case):
    model, encoded, _ = case
    components = compute_mobius_transform(_all_coalitions(model, encoded))
    for code, mask in enumerate(enumerate_coalitions(N_PLAYERS)):
        if code == 0:
            continue
        players = tuple(np.flatnonzero(mask).tolist())
        found = model.make_mobius_lookup(players).apply(encoded)[:, 0]
        np.testing.assert_allclose(found, components[code], atol=1e-10)


def test_a_component_no_part_belongs_to_is_zero(make_model):
    level = LocalBasis(np.arange(2, dtype=np.int32), np.ones((2, 1, 1)), 2)
    model = make_model(((level,) * 3,) * 2, [(0,)], [((0,),)], [np.ones((2, 1, 1))], [0.0], 2)
    rows = Encoded(np.zeros((3, 2), np.int32), np.zeros((3, 2)))
    np.testing.assert_array_equal(model.make_mobius_lookup((0, 1)).apply(rows), np.zeros((3, 1, 1)))


def test_a_model_without_terms_is_its_base_value(make_model):
    level = LocalBasis(np.arange(2, dtype=np.int32), np.ones((2, 1, 1)), 2)
    model = make_model(((level,) * 3,) * 2, [], [], [], [3.0, 4.0], 2)
    rows = Encoded(np.zeros((5, 2), np.int32), np.zeros((5, 2)))
    np.testing.assert_array_equal(model.predict(rows), np.tile([3.0, 4.0], (5, 1)))
    np.testing.assert_array_equal(model.predict(rows, np.ones((5, 2), bool)), np.tile([3.0, 4.0], (5, 1)))
    np.testing.assert_array_equal(model.credits.apply(rows), np.zeros((5, 2, 2)))


def test_pickling_keeps_every_answer_and_leaves_lookups_behind(case):
    model, encoded, _ = case
    answers = model.predict(encoded), model.credits.apply(encoded), model.effects.apply(encoded)
    assert {"prediction", "credits", "effects"} <= set(model.__dict__)
    data = pickle.dumps(model)
    copy = pickle.loads(data)
    assert not {"prediction", "credits", "effects", "shapes"} & set(copy.__dict__)
    for ours, theirs in zip(
        answers, (copy.predict(encoded), copy.credits.apply(encoded), copy.effects.apply(encoded)), strict=True
    ):
        np.testing.assert_array_equal(theirs, ours)
