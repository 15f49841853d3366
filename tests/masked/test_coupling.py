"""Prepared products against the assembled matrix, and main effects in the space of the rows against the normal equations."""

from itertools import combinations

import numpy as np
import pytest

import instashap
from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions
from instashap.game.terms import ANY
from instashap.masked.coupling import Coupling
from instashap.masked.few_rows import FoldRows, MainEffects, RowSystem, RowSystems
from instashap.masked.problem import MaskedProblem, Penalty

N_PLAYERS = 5
SINGLES = [(player,) for player in range(N_PLAYERS)]
PAIRS = list(combinations(range(N_PLAYERS), 2))


def _make_problem(rng, sets, n_functions=12, n_repeated=4):
    """Every function under one set; the first few under several more, whatever they read."""
    functions = [np.arange(n_functions)]
    presence = [rng.integers(0, len(sets), n_functions)]
    for function in range(n_repeated):
        more = rng.choice(len(sets), 4, replace=False)
        more = more[more != presence[0][function]]
        functions.append(np.full(len(more), function))
        presence.append(more)
    functions, presence = np.concatenate(functions), np.concatenate(presence)
    order = rng.permutation(len(functions))
    is_extra = (np.arange(len(functions)) >= n_functions)[order]
    law = compute_shapley_size_law(N_PLAYERS, 0.6)
    return MaskedProblem(functions[order], presence[order], is_extra, tuple(sets), n_functions, law)


def _write_out(problem, gram, penalty):
    """The matrix entry by entry: masses from every coalition."""
    masks = enumerate_coalitions(N_PLAYERS)
    sizes = masks.sum(axis=1)
    weights = problem.size_law[sizes] / np.bincount(sizes)[sizes]
    counts = np.empty((len(problem.presence_sets), len(masks)))
    for number, presence in enumerate(problem.presence_sets):
        named = [player for player in presence if player != ANY]
        live = masks[:, named].all(axis=1)
        counts[number] = live * (sizes - len(named) if ANY in presence else 1)
    masses = (counts * weights) @ counts.T
    matrix = np.empty((len(problem), len(problem)))
    for i, (u, r) in enumerate(zip(problem.functions, problem.presence, strict=True)):
        for j, (v, q) in enumerate(zip(problem.functions, problem.presence, strict=True)):
            matrix[i, j] = masses[r, q] * (gram[u, v] + penalty.functions[u] * (u == v))
    extra = penalty.extra * np.diag(masses)[problem.presence] * penalty.functions[problem.functions]
    return matrix + np.diag(np.where(problem.is_extra, extra, 0.0))


@pytest.mark.parametrize("sets", [SINGLES + PAIRS, SINGLES + [(ANY, player) for player in range(N_PLAYERS)]])
@pytest.mark.parametrize(("n_repeated", "extra"), [(0, 0.0), (4, 0.0), (4, 3.0), (12, 1.0)])
def test_a_prepared_product_is_that_of_the_matrix_written_out(sets, n_repeated, extra):
    rng = np.random.default_rng(n_repeated)
    problem = _make_problem(rng, sets, n_repeated=n_repeated)
    values = rng.normal(size=(30, problem.n_functions))
    gram, penalty = values.T @ values / 30, Penalty(rng.uniform(0.1, 1.0, problem.n_functions), extra)
    coefficients = rng.normal(size=(len(problem), 2))
    matrix = _write_out(problem, gram, penalty)
    expected = matrix @ coefficients
    np.testing.assert_allclose(Coupling.from_gram(problem, gram).multiply(penalty, coefficients), expected, atol=1e-12)
    np.testing.assert_allclose(problem.multiply(gram, penalty, coefficients), expected, atol=1e-12)
    np.testing.assert_allclose(problem.assemble(gram, penalty), matrix, atol=1e-12)


class Wide:
    """Eleven functions of five players, two of them of one, on seven weighted rows in three folds."""

    def __init__(self):
        rng = np.random.default_rng(3)
        self.players = np.array([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 4])
        n = len(self.players)
        self.problem = MaskedProblem(
            np.arange(n), self.players, np.zeros(n, dtype=bool), tuple(SINGLES), n, compute_shapley_size_law(N_PLAYERS, 0.6)
        )
        sizes = (3, 2, 2)
        self.rows = FoldRows(
            tuple(rng.normal(size=(n, size)) for size in sizes),
            tuple(rng.normal(size=(size, 2)) for size in sizes),
            tuple(rng.uniform(0.5, 2.0, size) for size in sizes),
        )
        self.penalty = Penalty(rng.uniform(0.1, 1.0, n))

    def describe(self, kept, centre=None):
        """Gram, cross moments and variances of some folds about their own or another's means."""
        values = np.hstack([self.rows.values[fold] for fold in kept])
        outputs = np.concatenate([self.rows.outputs[fold] for fold in kept])
        weights = np.concatenate([self.rows.weights[fold] for fold in kept])
        means, output_means = centre or (
            np.average(values, axis=1, weights=weights),
            np.average(outputs, axis=0, weights=weights),
        )
        centred, residual, shares = values - means[:, None], outputs - output_means, weights / weights.sum()
        return (centred * shares) @ centred.T, (centred * shares) @ residual, shares @ residual**2, (means, output_means)


def test_main_effects_in_the_rows_space_solve_the_normal_equations():
    case = Wide()
    gram, cross, _, _ = case.describe(range(3))
    matrix = _write_out(case.problem, gram, case.penalty)
    target = compute_shapley_size_law(N_PLAYERS, 0.6) @ (np.arange(6) / 5) * cross  # a size-s coalition holds a player in s / 5
    system = RowSystem(MainEffects.from_problem(case.problem), case.rows.gather())
    found = system.solve(case.penalty)
    np.testing.assert_allclose(found, np.linalg.solve(matrix, target), rtol=1e-8)
    assert system.measure_gradient(case.penalty, found) < 1e-10
    moved = system.measure_gradient(case.penalty, found + 0.1)
    expected = np.abs(target - matrix @ (found + 0.1)).max() / np.abs(target).max()
    assert moved == pytest.approx(expected, rel=1e-9)


def test_risks_in_the_rows_space_are_those_of_the_held_out_moments():
    case = Wide()
    systems = RowSystems(MainEffects.from_problem(case.problem), case.rows, 2)
    _, solutions, risks, _ = systems.cross_validate(case.penalty)
    nothing = Penalty(np.zeros(len(case.players)))
    for fold in range(2):
        gram, cross, _, centre = case.describe([each for each in range(3) if each != fold])
        matrix = _write_out(case.problem, gram, case.penalty)
        single = compute_shapley_size_law(N_PLAYERS, 0.6) @ (np.arange(6) / 5)
        np.testing.assert_allclose(solutions[fold], np.linalg.solve(matrix, single * cross), rtol=1e-8)
        gram, cross, variance, _ = case.describe([fold], centre)
        own = _write_out(case.problem, gram, nothing)
        c = solutions[fold]
        masked = 1.6 * variance - 2 * single * (cross * c).sum(axis=0) + (c * (own @ c)).sum(axis=0)
        full = variance - 2 * (cross * c).sum(axis=0) + (c * (gram @ c)).sum(axis=0)
        np.testing.assert_allclose(risks[fold], [masked, full], rtol=1e-9)


def test_the_rows_space_is_for_functions_under_their_own_players_alone():
    case = Wide()
    assert MainEffects.from_problem(_make_problem(np.random.default_rng(0), SINGLES)) is None  # some are repeated
    assert MainEffects.from_problem(_make_problem(np.random.default_rng(0), PAIRS, n_repeated=0)) is None
    assert MainEffects.from_problem(case.problem) is not None


@pytest.mark.slow
def test_a_table_of_many_columns_has_the_answer_of_the_normal_equations(monkeypatch):
    rng = np.random.default_rng(5)
    X = rng.normal(size=(60, 200))
    f = X[:, 0] + 0.5 * X[:, 1] ** 2
    by_rows = instashap.Explainer(order=1).fit(X, outputs=f)
    record = by_rows._fitted.record
    result, functions = record.result, record.result.solved.functions
    assert len(functions) == 600  # three a column
    values = functions.evaluate(record.encoded)
    values -= values.mean(axis=1, keepdims=True)
    penalty = result.chosen.strengths.penalise(functions)
    own = functions.owners[:, None] == functions.owners
    pi_1 = 1.5  # a Shapley coalition holds a feature with probability one half, the full one has mass 1
    pi_2 = 1.0 + sum(s * (s - 1) / (200 * 199) * m for s, m in enumerate(compute_shapley_size_law(200, 1.0)[:-1]))
    gram = values @ values.T / 60
    matrix = np.where(own, pi_1, pi_2) * gram + pi_1 * np.diag(penalty.functions)
    exact = np.linalg.solve(matrix, pi_1 * values @ (f - f.mean()) / 60)
    np.testing.assert_allclose(values.T @ exact + f.mean(), by_rows.predict(X), atol=1e-8)
    np.testing.assert_allclose(by_rows.shap_values(X).sum(axis=1) + f.mean(), by_rows.predict(X), atol=1e-12)
    assert result.gradient < 1e-9
    monkeypatch.setattr("instashap.masked.search.MIN_FUNCTIONS", 10**6)
    by_gram = instashap.Explainer(order=1).fit(X, outputs=f)
    assert by_gram.fit_facts_["chosen"]["strengths"] == by_rows.fit_facts_["chosen"]["strengths"]
    np.testing.assert_allclose(by_gram.shap_values(X), by_rows.shap_values(X), atol=1e-4)
