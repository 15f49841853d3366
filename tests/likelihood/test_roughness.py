"""The prior against dense matrices, its learning against dense traces."""

import numpy as np
import pandas as pd
import pytest

from instashap.likelihood.roughness import Roughness, TermStrengths
from instashap.likelihood.tables import TableDesign

VALUE_SETS = ((0,), (1,), (2,), (3,), (0, 1), (0, 3), (0, 2, 3))


@pytest.fixture
def make_case(make_frame, encode, make_dense_prior):
    """A design, strengths, and the dense prior of every term, one output."""

    def make_case(n_outputs=2, n_threads=1):
        columns, _ = encode(make_frame(300))
        design = TableDesign(columns, VALUE_SETS, n_outputs, n_threads)
        rng = np.random.default_rng(0)
        strengths = TermStrengths(rng.uniform(0.5, 20, len(VALUE_SETS)), rng.uniform(0.1, 2, len(VALUE_SETS)))
        pairs = zip(strengths.roughness, strengths.ridge, strict=True)
        dense = [make_dense_prior(columns, values, *own) for values, own in zip(VALUE_SETS, pairs, strict=True)]
        return design, strengths, dense

    return make_case


def test_products_are_those_of_the_dense_prior(make_case):
    design, strengths, dense = make_case()
    vector = np.random.default_rng(1).normal(size=len(design))
    result = Roughness(design).multiply(vector, strengths)
    for term, matrix in enumerate(dense):
        own = slice(design.starts[term], design.starts[term + 1])
        np.testing.assert_allclose(result[own].reshape(-1, 2), matrix @ vector[own].reshape(-1, 2), rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(result[design.starts[-1] :], 0.0)  # intercepts have no prior


def test_evenly_spaced_levels_bend_by_plain_second_differences(encode):
    columns, _ = encode(pd.DataFrame({"level": np.repeat(np.arange(5.0), 30)}))
    prior = Roughness(TableDesign(columns, ((0,),), 1))
    n = len(prior.design) - 1
    square = np.concatenate([np.zeros(n - 5), np.arange(5.0) ** 2, [0.0]])
    # 1, -2, 1 on 0, 1, 4, 9, 16 is 2 three times; turned back on the nodes: (1, -1, 0, -1, 1) twice.
    expected = 3.0 * 2.0 * np.array([1.0, -1.0, 0.0, -1.0, 1.0])
    result = prior.multiply(square, TermStrengths(np.array([3.0]), np.array([0.0])))
    np.testing.assert_allclose(result[n - 5 : n], expected, atol=1e-10)
    np.testing.assert_array_equal(result[: n - 5], 0.0)


def test_straight_lines_cost_nothing_but_the_ridge(encode):
    x = np.random.default_rng(0).exponential(size=400)
    columns, encoded = encode(pd.DataFrame({"x": x}))
    design = TableDesign(columns, ((0,),), 1)
    basis = columns[0].axes[0].basis
    rows = np.zeros((400, basis.n_functions))
    rows[np.arange(400)[:, None], basis.first[encoded.cells[:, 0]][:, None] + np.arange(basis.width)] = basis.weigh(
        encoded.cells[:, 0], encoded.offsets[:, 0]
    )
    line = np.append(np.linalg.lstsq(rows, x, rcond=None)[0], 0.0)
    assert np.abs(design.score(line, encoded)[:, 0] - x).max() < 1e-10
    strengths = TermStrengths(np.array([1e3]), np.array([0.0]))
    assert np.abs(Roughness(design).multiply(line, strengths)).max() < 1e-8
    bent = np.append(np.linalg.lstsq(rows, np.sin(3 * x), rcond=None)[0], 0.0)
    assert bent @ Roughness(design).multiply(bent, strengths) > 1.0


def test_levels_without_order_and_missing_values_have_a_ridge_only(make_case):
    design, _, _ = make_case(n_outputs=1)
    prior = Roughness(design)
    rough = TermStrengths(np.ones(len(VALUE_SETS)), np.zeros(len(VALUE_SETS)))
    vector = np.zeros(len(design))
    design.view(vector, 1)[...] = np.array([5.0, -3.0, 1.0, 9.0, 2.0])[:, None]  # letters
    design.view(vector, 0)[: len(design.columns[0].axes[0].spikes)] = 7.0  # missing, spikes
    np.testing.assert_array_equal(prior.multiply(vector, rough), 0.0)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_preconditioner_is_the_inverse_of_every_block(make_case, n_threads):
    design, strengths, dense = make_case(n_threads=n_threads)
    rng = np.random.default_rng(2)
    curvature, target = rng.uniform(0.5, 30, len(design)), rng.normal(size=len(design))
    solution = Roughness(design).precondition(curvature, strengths)(target)
    for term, matrix in enumerate(dense):
        own = slice(design.starts[term], design.starts[term + 1])
        parts = (part[own].reshape(-1, 2) for part in (solution, target, curvature))
        for found, right, bend in zip(*(part.T for part in parts), strict=True):
            expected = np.linalg.solve(matrix + np.diag(bend), right)
            np.testing.assert_allclose(found, expected, atol=2e-5 * np.abs(expected).max())  # factors of single precision
    own = design.starts[-1]
    np.testing.assert_allclose(solution[own:], target[own:] / curvature[own:], rtol=1e-12)


def test_preconditioner_is_positive_where_no_row_has_been(make_case):
    design, strengths, _ = make_case()
    curvature = np.zeros(len(design))
    curvature[design.starts[-1] :] = 1.0
    apply = Roughness(design).precondition(curvature, strengths)
    for seed in range(3):
        target = np.random.default_rng(seed).normal(size=len(design))
        assert target @ apply(target) > 0


def test_spectra_are_the_eigenvalues_of_the_dense_bending(make_case, make_dense_prior):
    design, _, _ = make_case()
    for values, spectrum in zip(VALUE_SETS, Roughness(design).spectra, strict=True):
        expected = np.linalg.eigvalsh(make_dense_prior(design.columns, values, 1.0, 0.0))
        np.testing.assert_allclose(np.sort(spectrum), expected, atol=1e-8)


def test_learning_is_one_fellner_schall_step_of_dense_traces(make_case, make_dense_prior):
    design, strengths, dense = make_case(n_outputs=1)
    information, noise = 0.2, 1.7
    vector = np.random.default_rng(3).normal(size=len(design)) * 0.3
    curvature = np.full(len(design), 11.0)  # even information is where lumping loses nothing
    found, freedom = Roughness(design).learn(vector, strengths, curvature, noise, information)
    for term, (values, matrix) in enumerate(zip(VALUE_SETS, dense, strict=True)):
        own = vector[design.starts[term] : design.starts[term + 1]]
        posterior, prior = np.linalg.inv(matrix + 11.0 * np.eye(len(matrix))), np.linalg.inv(matrix)
        assert freedom[term] == pytest.approx(np.trace(11.0 * posterior), rel=1e-8)
        bending = make_dense_prior(design.columns, values, 1.0, 0.0)
        for name, penalty in (("roughness", bending), ("ridge", np.eye(len(matrix)))):
            old, new = getattr(strengths, name)[term], getattr(found, name)[term]
            size = own @ penalty @ own
            factor = noise * np.trace((prior - posterior) @ penalty) / size if size > 1e-12 else 1.0
            assert new == pytest.approx(old * np.clip(factor, 0.03, 30.0), rel=1e-6)


def test_strengths_of_an_empty_table_grow_to_the_bound(make_case):
    design, strengths, _ = make_case(n_outputs=1)
    found = strengths
    for _ in range(40):
        found, _ = Roughness(design).learn(np.zeros(len(design)), found, np.full(len(design), 5.0), 1.0, 0.25)
    np.testing.assert_allclose(found.ridge, 0.25 * 1e7)


def test_averages_are_geometric_on_a_grid_of_hundredths():
    pairs = [([1.0, 4.0], [2.0, 3.0]), ([100.0, 4.0], [2.0, 27.0])]
    several = [TermStrengths(np.array(roughness), np.array(ridge)) for roughness, ridge in pairs]
    mean = TermStrengths.average(several)
    np.testing.assert_allclose(mean.roughness, np.exp([2.3, 1.39]), rtol=1e-12)  # log 10 = 2.303, log 4 = 1.386
    np.testing.assert_allclose(mean.ridge, np.exp([0.69, 2.2]), rtol=1e-12)  # log 2 = .693, log 9 = 2.197


def test_interactions_start_three_times_stronger_a_column():
    start = TermStrengths.start([1, 2, 3], 0.5)
    np.testing.assert_allclose(start.roughness, 25.0 * np.array([1, 3, 9]))
    np.testing.assert_allclose(start.ridge, 2.5 * np.array([1, 3, 9]))


def test_strengths_are_scaled_joined_and_picked_by_term():
    left, right = TermStrengths(np.array([1.0, 2.0]), np.array([3.0, 4.0])), TermStrengths(np.array([5.0]), np.array([6.0]))
    scaled = left.scale("ridge", 10.0)
    np.testing.assert_array_equal(scaled.roughness, [1.0, 2.0])
    np.testing.assert_array_equal(scaled.ridge, [30.0, 40.0])
    picked = left.join(right).pick(np.array([2, 0]))
    np.testing.assert_array_equal(picked.roughness, [5.0, 1.0])
    np.testing.assert_array_equal(picked.ridge, [6.0, 3.0])
