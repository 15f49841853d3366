"""Models and fits with tied presence sets, against the same with every set written out."""

import pickle
from itertools import combinations

import numpy as np
import pytest

from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions
from instashap.game.exact import compute_mobius_transform, compute_shapley_values
from instashap.game.terms import ANY, spell_out
from instashap.masked.design import make_value_functions
from instashap.masked.moments import accumulate_moments
from instashap.masked.penalties import AxisFunctions
from instashap.masked.problem import MaskedProblem, Penalty, make_problem
from instashap.masked.solve import solve_problem
from instashap.table.bases import LocalBasis
from instashap.table.encoding import Encoded

SETS = [(0,), (1,), (2,), (3,), (0, 1), (2, 3)]
PRESENCE = [
    ((0,), (ANY, 0), (0, 1), (ANY, 0, 1)),
    ((1,),),
    ((2,), (ANY, ANY, 2)),
    ((3,), (2, 3), (ANY, ANY, 1, 3)),
    ((0, 1), (ANY, 0, 1), (0, 1, 3)),
    ((2, 3), (ANY, ANY, 2, 3)),
]
N_PLAYERS = 4


def write_out(model):
    """The same model with one presence set for each set that a tied one stands for."""
    presence_sets, mixings = [], []
    for sets, mixing in zip(model.presence_sets, model.mixings, strict=True):
        written = [(each, place) for place, tied in enumerate(sets) for each in spell_out(tied, model.n_players)]
        found = list(dict.fromkeys(each for each, _ in written))
        spread = np.zeros((len(mixing), len(found), mixing.shape[2]))
        for each, place in written:
            spread[:, found.index(each)] += mixing[:, place]
        presence_sets.append(tuple(found))
        mixings.append(spread)
    return type(model)(
        model.bases, model.value_sets, tuple(presence_sets), model.tables, tuple(mixings), model.base_value, model.n_players
    )


@pytest.fixture(params=[1, 2])
def case(request, make_frame, encode, make_model):
    columns, encoded = encode(make_frame(70, 0))
    bases = tuple(column.encoder.bases for column in columns)
    rng = np.random.default_rng(1)
    tables = [
        rng.normal(size=(*(bases[column][len(values) - 1].n_functions for column in values), len(presence), request.param))
        for values, presence in zip(SETS, PRESENCE, strict=True)
    ]
    return make_model(bases, SETS, PRESENCE, tables, rng.normal(size=request.param), N_PLAYERS), encoded


@pytest.mark.parametrize("what", ["prediction", "effects", "credits"])
def test_every_look_up_is_that_of_the_model_written_out(case, what):
    model, encoded = case
    expected = getattr(write_out(model), what).apply(encoded)
    np.testing.assert_allclose(getattr(model, what).apply(encoded), expected, atol=1e-12 * np.abs(expected).max())
    added = getattr(model, what).apply(encoded, np.ones_like(expected))
    np.testing.assert_allclose(added, 1 + expected, atol=1e-12 * np.abs(expected).max())


def test_credits_are_brute_force_shapley_values_and_components_the_mobius_transform(case):
    model, encoded = case
    masks = enumerate_coalitions(N_PLAYERS)
    game = np.stack([model.predict(encoded, np.tile(mask, (len(encoded.cells), 1))) for mask in masks])
    written = write_out(model)
    expected = [written.predict(encoded, np.tile(mask, (len(encoded.cells), 1))) for mask in masks]
    np.testing.assert_allclose(game, expected, atol=1e-11)
    np.testing.assert_allclose(model.credits.apply(encoded), compute_shapley_values(game).transpose(1, 0, 2), atol=1e-10)
    for code, component in enumerate(compute_mobius_transform(game)[1:], start=1):
        players = tuple(np.flatnonzero(masks[code]).tolist())
        np.testing.assert_allclose(model.make_mobius_lookup(players).apply(encoded)[:, 0], component, atol=1e-10)


def test_a_tied_model_survives_pickling_with_its_look_ups_made_again(case):
    model, encoded = case
    expected = model.credits.apply(encoded)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).credits.apply(encoded), expected)


class Rows:
    """Random functions on five columns of three cells."""

    def __init__(self, n_rows=80):
        rng = np.random.default_rng(0)
        cells = rng.integers(0, 3, (n_rows, 5)).astype(np.int32)
        cells[:, 3] = np.where(rng.random(n_rows) < 0.6, cells[:, 0], cells[:, 3])
        basis = LocalBasis(np.arange(3, dtype=np.int32), np.ones((3, 1, 1)), 3)
        axes = {
            (size, column): AxisFunctions(basis, rng.normal(size=(3, 2)), rng.random(2), rng.random(2), np.array([1, 2]))
            for size in (1, 2)
            for column in range(5)
        }
        self.functions = make_value_functions([*((c,) for c in range(5)), (0, 1), (0, 3)], axes, {2: 2, 3: 1})
        outputs = cells @ rng.normal(size=(5, 2)) + rng.normal(size=(n_rows, 2))
        encoded = Encoded(cells, np.zeros(cells.shape))
        moments = accumulate_moments(self.functions.evaluate, encoded, outputs, np.ones(n_rows), len(self.functions))
        self.gram, self.cross, _ = moments.around(moments)
        self.penalty = Penalty(rng.uniform(0.01, 0.3, len(self.functions)))
        self.law = compute_shapley_size_law(5, 0.7)


@pytest.mark.parametrize("max_dense", [6500, 0])
def test_a_tied_fit_is_the_written_out_fit_with_its_coefficients_held_equal(max_dense, monkeypatch):
    monkeypatch.setattr("instashap.masked.solve.MAX_DENSE", max_dense)
    rows = Rows()
    offered = [(0, 1), (ANY, 0), (ANY, 3), (ANY, 0, 1), (ANY, ANY, 2), (ANY, ANY, 0, 3)]
    tied = make_problem(rows.functions, offered, (2, 1, 1), range(5), rows.law)
    every = [each for size in (1, 2, 3, 4) for each in combinations(range(5), size)]
    places = {each: place for place, each in enumerate(every)}
    keys = [(function, place) for function in range(len(rows.functions)) for place in range(len(every))]
    explicit = MaskedProblem(*np.array(keys).T, np.zeros(len(keys), dtype=bool), tuple(every), len(rows.functions), rows.law)
    ties = np.zeros((len(explicit), len(tied)))
    for unknown, (function, number) in enumerate(zip(tied.functions, tied.presence, strict=True)):
        for each in spell_out(tied.presence_sets[number], 5):
            ties[function * len(every) + places[each], unknown] = 1.0
    matrix = ties.T @ explicit.assemble(rows.gram, rows.penalty) @ ties
    expected = np.linalg.solve(matrix, ties.T @ explicit.weigh_target(rows.cross))
    np.testing.assert_allclose(tied.assemble(rows.gram, rows.penalty), matrix, atol=1e-12 * np.abs(matrix).max())
    solution = solve_problem(tied, rows.gram, rows.cross, rows.penalty)
    np.testing.assert_allclose(solution.coefficients, expected, atol=1e-5 if max_dense == 0 else 1e-8)
    np.testing.assert_allclose(tied.merge(expected), explicit.merge(ties @ expected), atol=1e-12)
