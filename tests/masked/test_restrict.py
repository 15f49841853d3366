"""Which unknowns of a large problem are kept."""

import numpy as np
import pytest

from instashap.game.coalitions import compute_shapley_size_law
from instashap.masked.design import make_value_functions
from instashap.masked.problem import make_problem
from instashap.masked.restrict import choose_unknowns, restrict
from instashap.masked.strengths import Strengths


@pytest.fixture
def case(make_frame, encode, make_axes):
    columns, encoded = encode(make_frame(200, 0))
    axes = make_axes(columns, encoded, np.ones(200), (4, 3, 2))
    functions = make_value_functions([(0,), (3,), (0, 3)], axes, {2: 4, 3: 4})
    sets = [(0, 1), (0, 3), (0, 1, 3)]
    return make_problem(functions, sets, (2, 1, 1), (0, 1, 2, 3), compute_shapley_size_law(4)), functions


def describe(problem, functions, kept):
    return [
        (functions.value_sets[functions.owners[f]], int(functions.ranks[f]), problem.presence_sets[r])
        for f, r in zip(problem.functions[kept], problem.presence[kept], strict=True)
    ]


def test_the_finest_parts_under_the_largest_presence_sets_go_first(case):
    problem, functions = case
    everything = describe(problem, functions, slice(None))
    n_own = int((~problem.is_extra).sum())
    # Beyond their own: of (0,) ranks 1, 2 and 2 (missing values) under (0, 1), (0, 3) and (0, 1, 3); of (3,) ranks 1 and 2
    # under (0, 3) and (0, 1, 3); of (0, 3) rank 1 under (0, 1, 3).
    assert len(problem) - n_own == 3 * 3 + 2 * 2 + 1
    kept = choose_unknowns(problem, functions, len(problem) - 1)
    gone = [each for number, each in enumerate(everything) if number not in kept]
    assert gone == [((0,), 2, (0, 1, 3)), ((0,), 2, (0, 1, 3)), ((3,), 2, (0, 1, 3))]
    kept = choose_unknowns(problem, functions, n_own + 4)
    assert {each for each in describe(problem, functions, kept) if each[2] != each[0]} == {
        ((0,), 1, (0, 1)), ((0,), 1, (0, 3)), ((3,), 1, (0, 3))
    }  # fmt: skip


def test_all_are_kept_that_fit_and_own_parts_always(case):
    problem, functions = case
    assert choose_unknowns(problem, functions, len(problem)).tolist() == list(range(len(problem)))
    assert choose_unknowns(problem, functions, 3).tolist() == np.flatnonzero(~problem.is_extra).tolist()


def test_a_restricted_problem_has_the_rows_and_columns_of_the_whole(case):
    problem, functions = case
    gram = np.cov(np.random.default_rng(0).normal(size=(len(functions), 100)))
    penalty = Strengths(1e-3, 1e-2, presence=2.0).penalise(functions)
    kept = np.array([7, 2, len(problem) - 1])
    part = restrict(problem, kept).assemble(gram, penalty)
    np.testing.assert_allclose(part, problem.assemble(gram, penalty)[np.ix_(kept, kept)], rtol=1e-13)
