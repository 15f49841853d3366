"""The masked least-squares problem against the explicit one: every row under every mask."""

from itertools import combinations
from math import comb

import numpy as np
import pytest

from instashap.game.coalitions import compute_containment_masses, compute_shapley_size_law, enumerate_coalitions
from instashap.game.exact import compute_mobius_transform, compute_shapley_values
from instashap.game.terms import players_of
from instashap.linear.conjugate_gradients import conjugate_gradients
from instashap.masked import solve
from instashap.masked.design import make_value_functions
from instashap.masked.moments import accumulate_moments
from instashap.masked.penalties import AxisFunctions
from instashap.masked.problem import MaskedProblem, Penalty, make_problem
from instashap.masked.solve import compute_masked_risk, solve_problem, transfer
from instashap.table.bases import LocalBasis
from instashap.table.encoding import Encoded

PLAYERS = (0, 1, 1, 2)  # the second and third column are one player
N_PLAYERS = 3
SETS = [(0,), (1,), (2,), (3,), (0, 1), (1, 2), (0, 3)]


class Case:
    """Random functions on four columns of three cells, rows, and the unknowns of a masked fit."""

    def __init__(self, seed=0, n_rows=60, n_outputs=2, extra_ranks=(2, 1, 1), full_weight=0.7, presence=3):
        rng = np.random.default_rng(seed)
        self.cells = rng.integers(0, 3, (n_rows, 4)).astype(np.int32)
        self.cells[:, 3] = np.where(rng.random(n_rows) < 0.6, self.cells[:, 0], self.cells[:, 3])  # correlated
        self.encoded = Encoded(self.cells, np.zeros(self.cells.shape))
        self.outputs = rng.normal(size=(n_rows, n_outputs)) + self.cells @ rng.normal(size=(4, n_outputs))
        self.weights = rng.uniform(0.3, 2.0, n_rows)
        basis = LocalBasis(np.arange(3, dtype=np.int32), np.ones((3, 1, 1)), 3)
        axes = {
            (size, column): AxisFunctions(
                basis, rng.normal(size=(3, 2)), rng.uniform(0, 1, 2), rng.uniform(1, 2, 2), np.array([1, 2])
            )
            for size in (1, 2)
            for column in range(4)
        }
        self.functions = make_value_functions(SETS, axes, {2: 2, 3: 4})
        self.penalty = Penalty(rng.uniform(0.01, 0.3, len(self.functions)))
        self.size_law = compute_shapley_size_law(N_PLAYERS, full_weight)
        offered = [each for size in range(1, presence + 1) for each in combinations(range(N_PLAYERS), size)]
        self.problem = make_problem(self.functions, offered, extra_ranks, PLAYERS, self.size_law)

    def describe(self, rows=slice(None)):
        encoded = Encoded(self.cells[rows], self.encoded.offsets[rows])
        return accumulate_moments(self.functions.evaluate, encoded, self.outputs[rows], self.weights[rows], len(self.functions))

    def masses(self):
        """Every mask and its mass."""
        masks = enumerate_coalitions(N_PLAYERS)
        sizes = masks.sum(axis=1)
        return masks, self.size_law[sizes] / np.array([comb(N_PLAYERS, size) for size in sizes])

    def liveness(self):
        """Which unknowns count under which mask, shape (n_masks, n_unknowns)."""
        masks, _ = self.masses()
        sets = [set(self.problem.presence_sets[number]) for number in self.problem.presence]
        return np.array([[each <= set(np.flatnonzero(mask)) for each in sets] for mask in masks], dtype=float)

    def explicit(self, rows=slice(None), centre=None):
        """Design, target and weights of all masks times rows, centred on ``centre``'s means (default: the rows' own)."""
        encoded = Encoded(self.cells[rows], self.encoded.offsets[rows])
        values, outputs, weights = self.functions.evaluate(encoded).T, self.outputs[rows], self.weights[rows]
        share = weights / weights.sum()
        means, output_means = (share @ values, share @ outputs) if centre is None else centre
        unknowns = (values - means)[:, self.problem.functions]
        _, masses = self.masses()
        design = np.vstack([unknowns * live for live in self.liveness()])
        target = np.vstack([outputs - output_means] * len(masses))
        return design, target, np.concatenate([mass * share for mass in masses])

    def explicit_penalty(self):
        """Rows whose squares sum to the mask-averaged penalty ``E_S sum_u p_u (sum_{R ⊆ S} c[u, R])²``."""
        _, masses = self.masses()
        rows = []
        for live, mass in zip(self.liveness(), masses, strict=True):
            for function, strength in enumerate(self.penalty.functions):
                rows.append(np.sqrt(mass * strength) * live * (self.problem.functions == function))
        return np.array(rows)

    def means(self, rows):
        share = self.weights[rows] / self.weights[rows].sum()
        values = self.functions.evaluate(Encoded(self.cells[rows], self.encoded.offsets[rows])).T
        return share @ values, share @ self.outputs[rows]


# --- unknowns


def test_every_function_counts_under_its_own_players_and_low_ranks_under_larger_sets_too():
    case = Case(extra_ranks=(1, 1, 1))
    found = {
        (case.functions.value_sets[case.functions.owners[function]], int(case.functions.ranks[function]),
         case.problem.presence_sets[presence])
        for function, presence in zip(case.problem.functions, case.problem.presence, strict=True)
    }  # fmt: skip
    # single columns: 2 functions, and 1 under each of 3 larger sets; pairs: 3 functions, and 1 under each of 1, 3, 1
    assert len(case.problem) == 4 * (2 + 3) + (3 + 1) + (3 + 3) + (3 + 1)
    column_two = {(rank, presence) for values, rank, presence in found if values == (2,)}
    assert column_two == {(1, (1,)), (2, (1,)), (1, (0, 1)), (1, (1, 2)), (1, (0, 1, 2))}
    same_player = {(rank, presence) for values, rank, presence in found if values == (1, 2)}
    assert same_player == {(1, (1,)), (2, (1,)), (1, (0, 1)), (1, (1, 2)), (1, (0, 1, 2))}
    pair = {(rank, presence) for values, rank, presence in found if values == (0, 3)}
    assert pair == {(1, (0, 2)), (2, (0, 2)), (1, (0, 1, 2))}


def test_without_presence_sets_on_offer_every_function_is_one_unknown():
    case = Case()
    problem = make_problem(case.functions, [], (2, 1, 1), PLAYERS, case.size_law)
    assert problem.functions.tolist() == list(range(len(case.functions)))
    assert {problem.presence_sets[number] for number in problem.presence} == {(0,), (1,), (2,), (0, 1), (0, 2)}


def test_coefficients_merge_over_presence_sets():
    law = compute_shapley_size_law(2)
    problem = MaskedProblem(np.array([0, 1, 0]), np.array([0, 0, 1]), np.array([False, False, True]), ((0,), (0, 1)), 2, law)
    assert problem.merge(np.array([[1.0, 10.0], [2.0, 20.0], [4.0, 40.0]])).tolist() == [[5.0, 50.0], [2.0, 20.0]]


# --- normal equations


@pytest.mark.parametrize("extra_ranks", [(0, 0, 0), (1, 1, 1), (2, 2, 2)])
@pytest.mark.parametrize("full_weight", [0.3, 5.0])
def test_normal_equations_are_those_of_every_row_under_every_mask(extra_ranks, full_weight):
    case = Case(extra_ranks=extra_ranks, full_weight=full_weight)
    gram, cross, _ = case.describe().around(case.describe())
    design, target, weights = case.explicit()
    rough = case.explicit_penalty()
    matrix = (design * weights[:, None]).T @ design + rough.T @ rough
    np.testing.assert_allclose(case.problem.assemble(gram, case.penalty), matrix, atol=1e-12 * np.abs(matrix).max())
    expected = (design * weights[:, None]).T @ target
    np.testing.assert_allclose(case.problem.weigh_target(cross), expected, atol=1e-12 * np.abs(expected).max())


def test_the_solution_is_the_penalised_least_squares_fit_over_rows_and_masks():
    case = Case()
    gram, cross, _ = case.describe().around(case.describe())
    solution = solve_problem(case.problem, gram, cross, case.penalty)
    design, target, weights = case.explicit()
    rough = case.explicit_penalty()
    root = np.sqrt(weights)[:, None]
    stacked = np.vstack([design * root, rough]), np.vstack([target * root, np.zeros((len(rough), 2))])
    expected = np.linalg.lstsq(*stacked, rcond=None)[0]
    np.testing.assert_allclose(solution.coefficients, expected, atol=1e-8)
    assert solution.gradient < 1e-11


def test_the_full_coalition_alone_is_plain_penalised_regression():
    case = Case(extra_ranks=(0, 0, 0))
    law = np.array([0.0, 0.0, 0.0, 1.0])
    problem = make_problem(case.functions, [], (0, 0, 0), PLAYERS, law)
    gram, cross, _ = case.describe().around(case.describe())
    expected = np.linalg.solve(gram + np.diag(case.penalty.functions), cross)
    np.testing.assert_allclose(solve_problem(problem, gram, cross, case.penalty).coefficients, expected, atol=1e-9)


def test_one_player_is_fitted_at_the_full_coalition():
    case = Case()
    problem = make_problem(case.functions, [(0,)], (2, 2, 2), (0, 0, 0, 0), compute_shapley_size_law(1))
    gram, cross, _ = case.describe().around(case.describe())
    expected = np.linalg.solve(gram + np.diag(case.penalty.functions), cross)
    np.testing.assert_allclose(solve_problem(problem, gram, cross, case.penalty).coefficients, expected, atol=1e-9)


@pytest.mark.parametrize("extra_ranks", [(0, 0, 0), (1, 1, 1), (2, 2, 2)])
def test_multiplying_is_the_assembled_matrix_times_the_coefficients(extra_ranks):
    case = Case(extra_ranks=extra_ranks)
    rng = np.random.default_rng(3)
    root = rng.normal(size=(len(case.functions), len(case.functions)))
    gram = root @ root.T
    coefficients = rng.normal(size=(len(case.problem), 3))
    for penalty in (case.penalty, Penalty(case.penalty.functions, 3.0)):
        expected = case.problem.assemble(gram, penalty) @ coefficients
        np.testing.assert_allclose(
            case.problem.multiply(gram, penalty, coefficients), expected, atol=1e-12 * np.abs(expected).max()
        )


def test_the_extra_penalty_falls_on_parts_beyond_their_own_players_alone():
    case = Case()
    gram, _, _ = case.describe().around(case.describe())
    plain = case.problem.assemble(gram, case.penalty)
    extra = case.problem.assemble(gram, Penalty(case.penalty.functions, 2.0)) - plain
    masses = compute_containment_masses(case.problem.size_law)
    for unknown, (function, number) in enumerate(zip(case.problem.functions, case.problem.presence, strict=True)):
        presence = case.problem.presence_sets[number]
        own = players_of(case.functions.value_sets[case.functions.owners[function]], PLAYERS)
        expected = 0.0 if presence == own else 2.0 * masses[len(presence)] * case.penalty.functions[function]
        assert extra[unknown, unknown] == pytest.approx(expected, abs=1e-12)
    assert np.count_nonzero(np.diag(extra)) > 3
    np.testing.assert_array_equal(extra - np.diag(np.diag(extra)), 0.0)


def test_coefficients_are_carried_to_a_problem_that_shares_some_unknowns():
    case = Case()
    few = case.functions.select(case.functions.ranks <= 1)
    small = make_problem(few, [(0,), (0, 1)], (1, 0, 0), PLAYERS, case.problem.size_law)
    numbers = np.arange(1.0, len(small) + 1)[:, None]
    moved = transfer(numbers, (small, few), (case.problem, case.functions))

    def name(problem, functions):
        rows = [row.tolist() for choices in functions.choices for row in choices]
        return [
            (functions.value_sets[functions.owners[function]], tuple(rows[function]), problem.presence_sets[presence])
            for function, presence in zip(problem.functions, problem.presence, strict=True)
        ]

    known = dict(zip(name(small, few), numbers[:, 0], strict=True))
    expected = [known.get(each, 0.0) for each in name(case.problem, case.functions)]
    assert sum(value > 0 for value in expected) > 4
    np.testing.assert_array_equal(moved[:, 0], expected)


def test_assembling_leaves_the_gram_alone():
    case = Case()
    gram = case.describe().around(case.describe())[0]
    before = gram.copy()
    case.problem.assemble(gram, case.penalty)
    np.testing.assert_array_equal(gram, before)


# --- a saturated model is the conditional game itself


def test_a_saturated_fit_is_the_conditional_expectation_under_every_mask():
    rng = np.random.default_rng(5)
    rows = (np.arange(8)[:, None] >> np.arange(3)) & 1  # three binary columns, all eight rows
    weights, outputs = rng.uniform(0.2, 1.0, 8), rng.normal(size=(8, 1))
    basis = LocalBasis(np.arange(2, dtype=np.int32), np.ones((2, 1, 1)), 2)
    step = AxisFunctions(basis, np.array([[0.0], [1.0]]), np.zeros(1), np.ones(1), np.ones(1, np.int64))
    sets = [each for size in (1, 2, 3) for each in combinations(range(3), size)]
    functions = make_value_functions(sets, {(size, column): step for size in (1, 2, 3) for column in range(3)}, {2: 1, 3: 1})
    problem = make_problem(functions, sets, (1, 1, 1), (0, 1, 2), compute_shapley_size_law(3))
    encoded = Encoded(rows.astype(np.int32), np.zeros((8, 3)))
    moments = accumulate_moments(functions.evaluate, encoded, outputs, weights, 7)
    gram, cross, _ = moments.around(moments)
    solution = solve_problem(problem, gram, cross, Penalty(np.full(7, 1e-10)))
    centred = functions.evaluate(encoded) - moments.means[:, None]

    masks = enumerate_coalitions(3)
    share = weights / weights.sum()
    expected, found = np.zeros((8, 8)), np.zeros((8, 8))
    for code, mask in enumerate(masks):
        live = np.array([set(problem.presence_sets[number]) <= set(np.flatnonzero(mask)) for number in problem.presence])
        found[code] = moments.output_means[0] + (solution.coefficients[live, 0] @ centred[problem.functions[live]])
        for row in range(8):
            alike = (rows[:, mask] == rows[row, mask]).all(axis=1)
            expected[code, row] = (share[alike] @ outputs[alike, 0]) / share[alike].sum()
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert np.abs(expected - expected[0]).max() > 0.5
    np.testing.assert_allclose(compute_shapley_values(found), compute_shapley_values(expected), atol=1e-6)
    np.testing.assert_allclose(compute_mobius_transform(found)[7], compute_mobius_transform(expected)[7], atol=1e-6)


def test_an_additive_function_of_correlated_gaussians_has_the_papers_components():
    # f = x1 + x2 with correlation r: h1 = (1 + r) x1 and h12 = -r (x1 + x2); method.md section 3.
    r = 0.6
    cov = np.array([[1.0, r], [r, 1.0]])
    gram = cov.copy()
    cross = cov @ np.ones((2, 1))
    problem = MaskedProblem(
        np.array([0, 1, 0, 1]),
        np.array([0, 1, 2, 2]),
        np.array([False, False, True, True]),
        ((0,), (1,), (0, 1)),
        2,
        compute_shapley_size_law(2),
    )
    solution = solve_problem(problem, gram, cross, Penalty(np.zeros(2)))
    np.testing.assert_allclose(solution.coefficients[:, 0], [1 + r, 1 + r, -r, -r], atol=1e-9)


# --- dense and iterative solves


def test_conjugate_gradients_agree_with_the_factorisation(monkeypatch):
    case = Case()
    gram, cross, _ = case.describe().around(case.describe())
    dense = solve_problem(case.problem, gram, cross, case.penalty)
    monkeypatch.setattr(solve, "MAX_DENSE", 0)
    iterative = solve_problem(case.problem, gram, cross, case.penalty)
    assert iterative.precondition is not dense.precondition
    np.testing.assert_allclose(iterative.coefficients, dense.coefficients, atol=1e-5 * np.abs(dense.coefficients).max())
    assert iterative.gradient < 1e-5
    again = solve_problem(case.problem, gram, cross, case.penalty, start=dense.coefficients)
    np.testing.assert_array_equal(again.coefficients, dense.coefficients)  # nothing is left to do


def test_both_preconditioners_are_close_to_the_inverse(monkeypatch):
    case = Case()
    gram, cross, _ = case.describe().around(case.describe())
    matrix = case.problem.assemble(gram, case.penalty)
    probe = np.random.default_rng(0).normal(size=(len(matrix), 2))
    exact = solve_problem(case.problem, gram, cross, case.penalty).precondition
    np.testing.assert_allclose(exact(matrix @ probe), probe, atol=1e-6)
    monkeypatch.setattr(solve, "MAX_DENSE", 0)
    blocks = solve_problem(case.problem, gram, cross, case.penalty).precondition
    same = case.problem.functions[:, None] == case.problem.functions[None, :]
    np.testing.assert_allclose(blocks((matrix * same) @ probe), probe, atol=1e-8)


def test_conjugate_gradients_solve_several_targets_at_once_from_any_start():
    rng = np.random.default_rng(1)
    root = rng.normal(size=(30, 30))
    matrix = root @ root.T + np.eye(30)
    target = rng.normal(size=(30, 4)) * [1.0, 1e-8, 1e8, 0.0]
    expected = np.linalg.solve(matrix, target)
    scale = np.maximum(np.abs(expected).max(axis=0), 1e-300)
    for start in (None, rng.normal(size=(30, 4)), expected):
        found, _ = conjugate_gradients(
            lambda c: matrix @ c, lambda r: r / np.diag(matrix)[:, None], target, tolerance=1e-13, start=start
        )
        assert np.isfinite(found).all()
        assert (np.abs(found - expected)[:, [0, 2]] / scale[[0, 2]]).max() < 1e-9
    cold, _ = conjugate_gradients(lambda c: matrix @ c, lambda r: r, target, tolerance=1e-13)
    np.testing.assert_array_equal(cold[:, 3], 0.0)
    assert (np.abs(cold - expected)[:, :3] / scale[:3]).max() < 1e-9


def test_so_many_steps_and_no_more():
    eigenvalues = np.repeat([1.0, 3.0, 10.0], 4)
    vectors = np.linalg.qr(np.random.default_rng(2).normal(size=(12, 12)))[0]
    matrix = vectors * eigenvalues @ vectors.T
    target, start = np.random.default_rng(3).normal(size=(2, 12, 2))
    expected = np.linalg.solve(matrix, target)
    calls = []

    def multiply(coefficients):
        calls.append(coefficients)
        return matrix @ coefficients

    def solve_in(steps):
        calls.clear()
        found, status = conjugate_gradients(
            multiply, lambda r: r, target, tolerance=1e-12, start=start, max_steps=steps
        )
        left = np.linalg.norm(target - matrix @ found, axis=0) / np.linalg.norm(target, axis=0)
        assert status.residual == pytest.approx(left.max(), rel=1e-6, abs=1e-13)
        assert status.has_converged == (steps > 2)
        assert status.n_steps == min(steps, 3) or steps > 3
        return found

    np.testing.assert_array_equal(solve_in(0), start)
    errors = []
    for steps in (1, 2, 3):  # as many as the matrix has eigenvalues are enough, fewer are not
        errors.append(np.abs(solve_in(steps) - expected).max())
        assert len(calls) == steps + 1  # one for the start
    assert errors[1] > 1e-3
    assert errors[2] < 1e-10
    np.testing.assert_allclose(solve_in(400), expected, atol=1e-10)
    assert len(calls) <= 5


def test_a_start_is_not_overwritten():
    matrix = np.diag([1.0, 2.0])
    start = np.array([[5.0], [6.0]])
    conjugate_gradients(lambda c: matrix @ c, lambda r: r, np.ones((2, 1)), tolerance=1e-12, start=start)
    assert start.tolist() == [[5.0], [6.0]]


def test_collinear_functions_share_the_coefficient_and_fit_as_one():
    law = compute_shapley_size_law(2)
    twice = MaskedProblem(np.array([0, 1]), np.array([0, 0]), np.zeros(2, dtype=bool), ((0,),), 2, law)
    once = MaskedProblem(np.array([0]), np.array([0]), np.zeros(1, dtype=bool), ((0,),), 1, law)
    gram, cross = np.full((2, 2), 2.0), np.full((2, 1), 3.0)
    both = solve_problem(twice, gram, cross, Penalty(np.zeros(2)))
    one = solve_problem(once, gram[:1, :1], cross[:1], Penalty(np.zeros(1)))
    assert both.coefficients.sum() == pytest.approx(one.coefficients[0, 0], rel=1e-6)
    assert both.coefficients[0, 0] == pytest.approx(both.coefficients[1, 0], rel=1e-3)
    assert both.gradient < 1e-6


def test_no_unknowns_have_an_empty_solution():
    problem = MaskedProblem(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, bool), (), 0, compute_shapley_size_law(2))
    solution = solve_problem(problem, np.empty((0, 0)), np.empty((0, 2)), Penalty(np.empty(0)))
    assert solution.coefficients.shape == (0, 2)
    assert solution.gradient == 0.0


# --- risk


def test_held_out_risk_is_the_mean_squared_error_over_rows_and_masks_at_the_training_centring():
    case = Case(n_rows=90)
    train, held_out = np.arange(60), np.arange(60, 90)
    train_moments, fold_moments = case.describe(train), case.describe(held_out)
    gram, cross, _ = train_moments.around(train_moments)
    coefficients = solve_problem(case.problem, gram, cross, case.penalty).coefficients
    risk, full = compute_masked_risk(case.problem, coefficients, *fold_moments.around(train_moments))

    design, target, weights = case.explicit(held_out, case.means(train))
    errors = (target - design @ coefficients) ** 2
    np.testing.assert_allclose(risk, weights @ errors, rtol=1e-11)
    last = slice(-30, None)  # the full coalition is the last mask
    np.testing.assert_allclose(full, weights[last] @ errors[last] / weights[last].sum(), rtol=1e-11)
    # Centring the fold by itself gives another, wrong number.
    wrong, _ = compute_masked_risk(case.problem, coefficients, *fold_moments.around(fold_moments))
    assert (np.abs(wrong / risk - 1) > 1e-3).all()


def test_the_risk_of_no_effects_is_the_variance_times_the_laws_mass():
    case = Case()
    moments = case.describe()
    gram, cross, variance = moments.around(moments)
    risk, full = compute_masked_risk(case.problem, np.zeros((len(case.problem), 2)), gram, cross, variance)
    np.testing.assert_allclose(
        risk, case.size_law.sum() * np.array([np.cov(y, aweights=case.weights, ddof=0) for y in case.outputs.T])
    )
    np.testing.assert_allclose(full, variance)


def test_training_risk_is_smallest_at_the_unpenalised_solution():
    case = Case(extra_ranks=(1, 1, 1))
    moments = case.describe()
    gram, cross, variance = moments.around(moments)
    best = solve_problem(case.problem, gram, cross, Penalty(np.full(len(case.functions), 1e-9))).coefficients
    at_best, _ = compute_masked_risk(case.problem, best, gram, cross, variance)
    rng = np.random.default_rng(0)
    for _ in range(20):
        nearby = best + 0.1 * rng.normal(size=best.shape)
        assert (compute_masked_risk(case.problem, nearby, gram, cross, variance)[0] > at_best).all()
