"""Passes over rows against dense design matrices."""

from itertools import pairwise

import numpy as np
import pytest

from instashap.likelihood import tables
from instashap.likelihood.tables import TableDesign

VALUE_SETS = ((0,), (1,), (2,), (3,), (0, 1), (1, 3), (0, 2, 3))


@pytest.fixture
def make_case(make_frame, encode, spread_term):
    """A design, encoded rows, and the dense matrix from one output's tables and intercept to scores."""

    def make_case(n_rows=300, n_outputs=2):
        columns, encoded = encode(make_frame(n_rows))
        design = TableDesign(columns, VALUE_SETS, n_outputs)
        dense = [spread_term(columns, values, encoded) for values in VALUE_SETS]
        return design, encoded, np.hstack([*dense, np.ones((n_rows, 1))])

    return make_case


def make_vector(design, seed=0):
    return np.random.default_rng(seed).normal(size=len(design))


def test_functions_on_a_row_sum_to_one_in_every_term(make_case):
    design, _, dense = make_case()
    edges = design.starts // design.n_outputs
    for start, stop in pairwise(edges):
        np.testing.assert_allclose(dense[:, start:stop].sum(axis=1), 1.0, atol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_scores_are_the_dense_product(make_case, n_outputs):
    design, encoded, dense = make_case(n_outputs=n_outputs)
    vector = make_vector(design)
    assert len(vector) == dense.shape[1] * n_outputs
    np.testing.assert_allclose(design.score(vector, encoded), dense @ vector.reshape(-1, n_outputs), atol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_scattered_values_are_the_dense_transposed_product(make_case, n_outputs):
    design, encoded, dense = make_case(n_outputs=n_outputs)
    values = np.random.default_rng(1).normal(size=(300, n_outputs))
    np.testing.assert_allclose(design.scatter(encoded, values), (dense.T @ values).ravel(), atol=1e-12)


def test_scattering_is_adjoint_to_scoring(make_case):
    design, encoded, _ = make_case(n_outputs=3)
    vector, values = make_vector(design), np.random.default_rng(1).normal(size=(300, 3))
    inner = np.sum(design.score(vector, encoded) * values)
    assert vector @ design.scatter(encoded, values) == pytest.approx(inner, rel=1e-12)


@pytest.mark.parametrize("limit", [0, tables.MAX_PRODUCTS], ids=["found in each pass", "found once"])
def test_a_pass_sums_losses_and_what_the_work_makes_of_scores(make_case, limit, monkeypatch):
    monkeypatch.setattr(tables, "MAX_PRODUCTS", limit)
    design, encoded, dense = make_case()
    vector, weights = make_vector(design), np.arange(300.0)

    def work(rows, scores):
        return float(weights[rows] @ scores[:, 0]), weights[rows, None] * scores**2

    products = design.find_products(encoded)
    assert (products is None) == (limit == 0)
    loss, totals = design.pass_over(vector, encoded, work, products)
    scores = dense @ vector.reshape(-1, 2)
    assert loss == pytest.approx(weights @ scores[:, 0], rel=1e-12)
    np.testing.assert_allclose(totals, (dense.T @ (weights[:, None] * scores**2)).ravel(), rtol=1e-11, atol=1e-9)


def test_blocks_and_threads_leave_no_trace(make_case, monkeypatch):
    monkeypatch.setattr(tables, "MIN_BLOCK_ROWS", 40)
    design, encoded, dense = make_case()
    vector = make_vector(design)
    answers = []
    for n_threads in (1, 2, 3):
        threaded = TableDesign(design.columns, VALUE_SETS, 2, n_threads)
        scores = threaded.score(vector, encoded)
        for products in (None, threaded.find_products(encoded)):
            passed = threaded.pass_over(vector, encoded, lambda rows, s: (float(s.sum()), np.sin(s)), products)
            answers.append((scores, *passed))
    for answer in answers[1:]:
        assert all(np.array_equal(left, right) for left, right in zip(answer, answers[0], strict=True))
    dense_scores = dense @ vector.reshape(-1, 2)
    assert answers[0][1] == pytest.approx(dense_scores.sum(), rel=1e-11)
    expected = (dense.T @ np.sin(dense_scores)).ravel()
    np.testing.assert_allclose(answers[0][2], expected, atol=1e-11)


def test_views_of_terms_lie_in_the_vector(make_case):
    design, encoded, dense = make_case()
    vector = np.zeros(len(design))
    term = VALUE_SETS.index((1, 3))
    view = design.view(vector, term)
    assert view.shape == (*design.get_shape(term), 2) == (5, 5, 2)  # a, b, c, others, missing; four levels, missing
    view[...] = np.random.default_rng(0).normal(size=view.shape)
    start = design.starts[term] // 2
    expected = dense[:, start : start + 25] @ view.reshape(25, 2)
    np.testing.assert_allclose(design.score(vector, encoded), expected, atol=1e-12)


def test_work_counts_the_products_of_one_row(make_case):
    design, encoded, _ = make_case()
    vector = np.ones(len(design))
    expected = 0
    for values in VALUE_SETS:
        expected += int(np.prod([design.columns[column].axes[len(values) - 1].basis.width for column in values]))
    assert design.work == 2 * expected
    assert np.allclose(design.score(vector, encoded), len(VALUE_SETS) + 1)
