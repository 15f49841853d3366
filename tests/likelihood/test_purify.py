"""Moving parts between nested terms: nothing changes on any row, and what is left is orthogonal to fewer columns."""

import numpy as np
import pandas as pd
import pytest

from instashap.likelihood.pure_tables import purify_tables
from instashap.likelihood.tables import TableDesign
from instashap.model.nested import express

VALUE_SETS = ((0,), (1,), (2,), (3,), (0, 1), (0, 3), (1, 3), (0, 1, 3))


@pytest.fixture
def make_case(make_frame, encode):
    """Random tables over correlated mixed columns with weights."""

    def make_case(n_rows=400, n_outputs=2):
        frame, weights = make_frame(n_rows), np.random.default_rng(1).uniform(0.2, 3.0, n_rows)
        frame["level"] = np.where(frame["text"].fillna("a") == "b", frame["level"].clip(upper=1.0), frame["level"])
        columns, encoded = encode(frame, weights)
        design = TableDesign(columns, VALUE_SETS, n_outputs)
        return design, np.random.default_rng(2).normal(size=len(design)), encoded, weights

    return make_case


def pack(design, pure):
    """Pure tables as a design's vector, the base value its intercept."""
    return np.concatenate([*(pure.tables[values].ravel() for values in design.value_sets), pure.base_value])


def evaluate(design, pure, values, encoded):
    """One term's values on rows."""
    lone = TableDesign(design.columns, (values,), design.n_outputs)
    return lone.score(np.concatenate([pure.tables[values].ravel(), np.zeros(design.n_outputs)]), encoded)


def test_no_score_changes_on_any_row(make_case, make_frame, encode):
    design, vector, encoded, weights = make_case()
    pure = purify_tables(design, vector, encoded, weights)
    assert np.abs(pack(design, pure) - vector).max() > 0.5
    np.testing.assert_allclose(design.score(pack(design, pure), encoded), design.score(vector, encoded), atol=1e-12)


def test_no_score_changes_where_no_row_has_been(encode):
    levels = pd.DataFrame({"a": np.tile([0.0, 1.0, 2.0], 60), "b": np.tile([0.0, 1.0, 2.0], 60)})  # the diagonal alone
    columns, encoded = encode(levels)
    design = TableDesign(columns, ((0,), (1,), (0, 1)), 1)
    vector = np.random.default_rng(0).normal(size=len(design))
    pure = purify_tables(design, vector, encoded, np.ones(180))
    cells = np.array([[a, b] for a in range(3) for b in range(3)], dtype=np.int32)
    everywhere = type(encoded)(cells, np.zeros((9, 2)))
    assert pack(design, pure) @ pack(design, pure) < 10 * vector @ vector  # nothing blows up
    np.testing.assert_allclose(design.score(pack(design, pure), everywhere), design.score(vector, everywhere), atol=1e-10)


def test_interactions_are_orthogonal_to_functions_of_fewer_columns(make_case, spread_term):
    design, vector, encoded, weights = make_case()
    pure = purify_tables(design, vector, encoded, weights)
    for values in VALUE_SETS[4:]:
        effect = evaluate(design, pure, values, encoded)
        assert effect.std() > 0.1
        for left_out in values:
            fewer = tuple(column for column in values if column != left_out)
            functions = spread_term(design.columns, fewer, encoded, size=len(values))
            sums = functions.T @ (weights[:, None] * effect) / weights.sum()
            np.testing.assert_allclose(sums, 0.0, atol=1e-8)


def test_sums_of_an_interaction_over_the_rows_of_one_level_are_zero(make_case):
    design, vector, encoded, weights = make_case()
    pure = purify_tables(design, vector, encoded, weights)
    effect = evaluate(design, pure, (1, 3), encoded)
    for column in (1, 3):
        for cell in np.unique(encoded.cells[:, column]):
            own = encoded.cells[:, column] == cell
            np.testing.assert_allclose(weights[own] @ effect[own] / weights[own].sum(), 0.0, atol=1e-7)


def test_terms_have_mean_zero_and_the_base_value_is_the_mean_score(make_case):
    design, vector, encoded, weights = make_case()
    pure = purify_tables(design, vector, encoded, weights)
    for values in VALUE_SETS:
        np.testing.assert_allclose(weights @ evaluate(design, pure, values, encoded) / weights.sum(), 0.0, atol=1e-10)
    np.testing.assert_allclose(pure.base_value, np.average(design.score(vector, encoded), axis=0, weights=weights), atol=1e-10)


def test_purifying_twice_is_purifying_once(make_case):
    design, vector, encoded, weights = make_case()
    once = purify_tables(design, vector, encoded, weights)
    twice = purify_tables(design, pack(design, once), encoded, weights)
    for values in VALUE_SETS:
        left, right = (evaluate(design, pure, values, encoded) for pure in (once, twice))
        np.testing.assert_allclose(left, right, atol=1e-7)


def test_independent_levels_give_the_classical_analysis_of_variance(encode):
    cube = np.array([[a, b, c] for a in range(3) for b in range(4) for c in range(2)], dtype=float)
    X = np.tile(cube, (10, 1))
    columns, encoded = encode(X)
    design = TableDesign(columns, ((0,), (1,), (2,), (0, 1), (0, 2), (1, 2), (0, 1, 2)), 1)
    vector = np.random.default_rng(0).normal(size=len(design))
    pure = purify_tables(design, vector, encoded, np.ones(len(X)))
    score = design.score(vector, encoded)[:24, 0].reshape(3, 4, 2)  # of every cell once
    mean = score.mean()
    main = [score.mean(axis=(1, 2)) - mean, score.mean(axis=(0, 2)) - mean, score.mean(axis=(0, 1)) - mean]
    first = score.mean(axis=2) - mean - main[0][:, None] - main[1][None, :]
    found = {values: evaluate(design, pure, values, encoded)[:24, 0].reshape(3, 4, 2) for values in design.value_sets}
    np.testing.assert_allclose(pure.base_value, mean, atol=1e-12)
    for axis in range(3):
        by_level = np.moveaxis(found[axis,], axis, 0).reshape(len(main[axis]), -1)
        np.testing.assert_allclose(by_level, np.tile(main[axis][:, None], by_level.shape[1]), atol=1e-7)
    np.testing.assert_allclose(found[0, 1][:, :, 0], first, atol=1e-7)
    rest = score - sum(found[values] for values in design.value_sets if len(values) < 3) - mean
    np.testing.assert_allclose(found[0, 1, 2], rest, atol=1e-7)
    for axis in range(3):
        np.testing.assert_allclose(found[0, 1, 2].mean(axis=axis), 0.0, atol=1e-7)


def test_a_coarse_function_is_the_same_in_the_finer_basis(encode):
    columns, encoded = encode(np.random.default_rng(0).normal(size=(2000, 1)))
    fine, coarse = (columns[0].axes[size].basis for size in (0, 1))
    assert coarse.n_functions < fine.n_functions
    matrix = express(coarse, fine)
    values = np.random.default_rng(1).normal(size=(coarse.n_functions, 3))
    places = encoded.cells[:, 0], encoded.offsets[:, 0]
    np.testing.assert_allclose(fine.combine(*places, matrix @ values), coarse.combine(*places, values), atol=1e-12)
