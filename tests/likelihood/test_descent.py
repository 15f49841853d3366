"""Quasi-Newton descent against dense solvers and scipy's optimisers."""

from itertools import pairwise

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from instashap.likelihood.descent import descend


def make_quadratic(n=30, seed=0):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    hessian, target = root @ root.T + np.diag(np.logspace(-1, 3, n)), rng.normal(size=n)
    return hessian, target, lambda point: (0.5 * point @ hessian @ point - target @ point, hessian @ point - target)


def make_logistic(n_rows=300, n=8, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n)) * np.logspace(-1, 1, n)
    y = (rng.random(n_rows) < 0.5 + 0.4 * np.tanh(X[:, 3])).astype(float)

    def objective(point):
        score = X @ point
        value = (np.logaddexp(0, score) - y * score).sum() + 0.5 * point @ point
        return value, X.T @ (expit(score) - y) + point

    return X, objective


def test_minimum_of_a_quadratic_is_the_solution_of_its_equations():
    hessian, target, objective = make_quadratic()
    found = descend(objective, np.ones(30), lambda v: v / np.diag(hessian), tolerance=1e-20, max_steps=500)
    assert found.has_converged
    np.testing.assert_allclose(found.point, np.linalg.solve(hessian, target), rtol=1e-7, atol=1e-9)
    assert found.value == pytest.approx(-0.5 * target @ np.linalg.solve(hessian, target), rel=1e-12)


def test_an_exact_preconditioner_ends_in_a_few_passes():
    hessian, target, objective = make_quadratic()
    found = descend(objective, np.ones(30), lambda v: np.linalg.solve(hessian, v), tolerance=1e-20, max_steps=50)
    np.testing.assert_allclose(found.point, np.linalg.solve(hessian, target), rtol=1e-9, atol=1e-11)
    assert found.n_passes <= 6


def test_logistic_regression_agrees_with_scipy():
    X, objective = make_logistic()
    found = descend(objective, np.zeros(8), lambda v: v / (1 + 0.25 * (X**2).sum(axis=0)), tolerance=1e-20, max_steps=300)
    peer = minimize(objective, np.zeros(8), jac=True, method="BFGS", options={"gtol": 1e-8})
    assert found.has_converged
    np.testing.assert_allclose(found.point, peer.x, atol=1e-7)
    assert np.abs(objective(found.point)[1]).max() < 1e-7


def test_a_valley_with_a_bend_is_followed_to_its_end():
    def objective(point):  # Rosenbrock's function, one added: its minimum is 1 at (1, 1)
        a, b = point
        value = 1 + (1 - a) ** 2 + 100 * (b - a**2) ** 2
        return value, np.array([-2 * (1 - a) - 400 * a * (b - a**2), 200 * (b - a**2)])

    found = descend(objective, np.array([-1.2, 1.0]), lambda v: v, tolerance=1e-20, max_steps=300, scale=1e-3)
    np.testing.assert_allclose(found.point, [1.0, 1.0], atol=1e-8)


def test_values_never_rise():
    _, objective = make_logistic(seed=3)
    ends = [descend(objective, np.zeros(8), lambda v: v, tolerance=0.0, max_steps=steps).value for steps in range(12)]
    assert all(after <= before for before, after in pairwise(ends))


def test_passes_are_counted_and_steps_are_limited():
    _, objective = make_logistic()
    calls = []
    found = descend(lambda point: calls.append(1) or objective(point), np.zeros(8), lambda v: v, tolerance=0.0, max_steps=3)
    assert found.n_passes == len(calls)
    assert not found.has_converged


def test_a_start_at_the_minimum_stays():
    found = descend(lambda point: (float(point @ point), 2 * point), np.zeros(4), lambda v: v, tolerance=1e-6, max_steps=9)
    assert (found.n_passes, found.has_converged) == (1, True)
    np.testing.assert_array_equal(found.point, 0.0)


def test_scale_tells_how_much_too_long_the_preconditioner_is():
    hessian, _, objective = make_quadratic()

    def precondition(v):
        return 100.0 * np.linalg.solve(hessian, v)

    found = descend(objective, np.ones(30), precondition, tolerance=1e-12, max_steps=50)
    assert found.scale == pytest.approx(0.01, rel=0.02)
    again = descend(objective, np.ones(30), precondition, tolerance=1e-12, max_steps=50, scale=found.scale)
    assert again.n_passes < found.n_passes


def test_an_overflowing_step_is_shortened():
    def objective(point):
        with np.errstate(over="ignore"):
            return float(np.exp(point[0]) - 2 * point[0] + 5), np.exp(point) - 2

    found = descend(objective, np.array([-3.0]), lambda v: 1e4 * v, tolerance=1e-20, max_steps=100)
    assert found.point == pytest.approx([np.log(2)], abs=1e-9)
