"""Systems on many subsets, against each subset's own."""

import numpy as np
import pytest

from instashap.linear.subsets import solve_prefixes, solve_subsets

N = 6


@pytest.fixture
def system():
    rng = np.random.default_rng(0)
    factor = rng.normal(size=(N, N))
    return factor @ factor.T + 0.1 * np.eye(N), rng.normal(size=(N, 2))


def _solve_alone(matrix, target, members):
    solution = np.zeros_like(target)
    own = np.flatnonzero(members)
    solution[own] = np.linalg.inv(matrix[np.ix_(own, own)]) @ target[own]
    return solution


def test_each_subset_is_solved_by_itself_and_absent_unknowns_are_zero(system):
    members = np.random.default_rng(1).random((40, N)) < 0.5
    members[0] = False
    expected = [_solve_alone(*system, each) for each in members]
    np.testing.assert_allclose(solve_subsets(*system, members), expected, atol=1e-10)


def test_first_parts_of_an_order_are_subsets(system):
    orders = np.array([np.random.default_rng(seed).permutation(N) for seed in range(5)])
    found = solve_prefixes(*system, orders)
    for order, solutions in zip(orders, found, strict=True):
        for size, solution in enumerate(solutions, start=1):
            expected = _solve_alone(*system, np.isin(np.arange(N), order[:size]))
            np.testing.assert_allclose(solution, expected, atol=1e-10)
