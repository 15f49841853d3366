"""Held-out residuals against a fit without the rows, assembled by hand."""

import numpy as np
import pytest

from instashap.game.coalitions import compute_containment_masses, compute_shapley_size_law
from instashap.inference.holdout import (
    _correct_for_fewer_rows,
    _draw_by_weight,
    _learn_sizes,
    _measure_model_variance,
    compute_spread,
    describe_residuals,
    hold_out,
)
from instashap.inference.residuals import N_REMEMBERED
from instashap.masked.fitter import ClosedFormFitter, FitRecord
from instashap.masked.folds import assign_folds
from instashap.masked.strengths import Strengths
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table


def _record(encode, X, f, weights=None, **options):
    weights = np.ones(len(X)) if weights is None else weights
    columns, encoded = encode(X, weights)
    law = compute_shapley_size_law(X.shape[1])
    players = tuple(range(X.shape[1]))
    outputs = np.reshape(f, (len(X), -1))
    result = ClosedFormFitter(columns, players, **options).fit(encoded, outputs, weights, law)
    return FitRecord(encoded, outputs, weights, columns, players, law, result)


def test_held_out_residuals_are_those_of_a_fit_without_the_rows(encode):
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 2))
    f = np.column_stack([np.sin(X[:, 0]) + X[:, 1] ** 2 + 0.3 * rng.normal(size=300), X[:, 0] * X[:, 1]])
    weights = rng.uniform(0.5, 2, 300)
    strengths = Strengths(roughness=1e-4, ridge=1e-3)
    record = _record(encode, X, f, weights, order=1, presence_order=1, smoothness=strengths)
    functions, law = record.result.solved.functions, record.size_law
    values = functions.evaluate(record.encoded).T
    columns = functions.owners
    masses = compute_containment_masses(law)
    coupling = np.where(columns[:, None] == columns[None, :], masses[1], masses[2])
    penalty = np.diag(strengths.roughness * functions.roughness + strengths.ridge * functions.ridge)
    seen = np.zeros(300, dtype=int)
    for rows, residuals in hold_out(record):
        seen[rows] += 1
        others = np.setdiff1d(np.arange(300), rows)
        w = weights[others] / weights[others].sum()
        centre, base = w @ values[others], w @ f[others]
        B, e = values[others] - centre, f[others] - base
        coefficients = np.linalg.solve(coupling * (B.T * w @ B + penalty), masses[1] * (B.T * w @ e))
        expected = f[rows] - base - (values[rows] - centre) @ coefficients
        np.testing.assert_allclose(residuals, expected, atol=1e-4 * f.std())
    assert (seen == 1).all()


def test_a_table_of_few_distinct_rows_is_judged_by_its_own_residuals(encode):
    X = np.random.default_rng(1).integers(0, 3, (900, 2)).astype(float)
    record = _record(encode, X, X[:, 0] * X[:, 1], order=1)
    ((rows, residuals),) = hold_out(record)
    assert np.array_equal(rows, np.arange(900))
    np.testing.assert_allclose(residuals, record.outputs - record.result.model.predict(record.encoded))


def test_folds_are_held_out_until_there_are_enough_rows(encode, monkeypatch):
    rng = np.random.default_rng(2)
    X = rng.normal(size=(400, 2))
    record = _record(encode, X, X[:, 0], order=1)
    monkeypatch.setattr("instashap.inference.holdout.N_HELD_OUT", 100)
    folds = assign_folds(record.encoded, record.outputs, record.weights, 5)
    expected = next(n for n in range(1, 6) if sum(len(rows) for rows, _ in folds[:n]) >= 100)
    assert len(list(hold_out(record))) == expected < 5


def test_the_reference_has_local_sizes_and_stores_the_first_rows(encode):
    rng = np.random.default_rng(3)
    X = rng.uniform(-1, 1, size=(2000, 2))
    noise = rng.normal(size=2000) * np.exp(X[:, 0])
    record = _record(encode, X, 10 * X[:, 1] + noise, order=1)
    reference = describe_residuals(record)
    assert len(reference.sizes) == 2000
    assert (np.diff(reference.sizes) >= 0).all()
    local = evaluate_log_size(reference, record)
    assert np.polyfit(X[:, 0], local, 1)[0] == pytest.approx(1.0, abs=0.1)
    # |z| of a Gaussian relative to exp(E log |z|): its mean is sqrt(2/pi) exp(0.635) = 1.506
    assert reference.sizes.mean() == pytest.approx(1.506, rel=0.05)
    np.testing.assert_allclose(reference.spread, [record.outputs.std()])
    assert np.array_equal(reference.outputs, record.outputs[:N_REMEMBERED])
    assert reference.recognises(record.encoded)


def test_held_out_sizes_are_corrected_to_those_of_new_rows_under_the_fit_on_all_rows(encode):
    rng = np.random.default_rng(6)
    X, fresh = rng.uniform(size=(300, 4)), rng.uniform(size=(2000, 4))
    inside = fresh[((fresh > X.min(axis=0)) & (fresh < X.max(axis=0))).all(axis=1)]
    encoder, _ = learn_table(read_table(X), np.ones(300))
    new_rows = encoder.encode(read_table(inside))
    held_out, corrections, new = [], [], []
    for _ in range(60):
        record = _record(encode, X, rng.normal(size=300), order=1, smoothness=Strengths(roughness=0, ridge=1e-6))
        parts = list(hold_out(record))
        rows, residuals = (np.concatenate(each) for each in zip(*parts, strict=True))
        sizes = np.log(np.abs(residuals[:, 0]))
        held_out.append(sizes.mean())
        corrections.append(_correct_for_fewer_rows(record, rows, sizes, np.ones(1)))
        new.append(np.log(np.abs(rng.normal(size=len(inside)) - record.result.model.predict(new_rows)[:, 0])).mean())
    excess = np.mean(held_out) - np.mean(new)
    assert excess > 0.03
    assert 0.4 * excess < -np.mean(corrections) < excess


def evaluate_log_size(reference, record):
    total = np.full(len(record.outputs), reference.level)
    for column, learnt in enumerate(record.columns):
        basis, cells, offsets = learnt.encoder.bases[0], record.encoded.cells[:, column], record.encoded.offsets[:, column]
        total += basis.combine(cells, offsets, reference.curves[column][:, :1])[:, 0]
    return total


def test_the_spread_of_a_constant_output_is_its_size(encode):
    X = np.random.default_rng(4).normal(size=(100, 1))
    record = _record(encode, X, np.column_stack([np.full(100, 7.0), np.zeros(100), 3 * X[:, 0]]), order=1)
    np.testing.assert_allclose(compute_spread(record), [7.0, 1.0, 3 * X.std()])


def test_the_model_variance_is_the_mean_over_pairs_of_rows():
    rng = np.random.default_rng(5)
    directions, residuals = rng.normal(size=(7, 3)), rng.normal(size=(7, 2))
    pairs = [(i, j) for i in range(7) for j in range(7) if i != j]
    expected = np.mean([residuals[i] * residuals[j] * (directions[i] @ directions[j]) for i, j in pairs], axis=0) / 3
    np.testing.assert_allclose(_measure_model_variance(directions, residuals), expected)
    assert _measure_model_variance(directions[:1], residuals[:1]).tolist() == [0.0, 0.0]


def test_values_are_drawn_in_proportion_to_their_weights():
    assert _draw_by_weight(np.array([1.0, 2.0, 3.0]), np.ones(3)).tolist() == [1.0, 2.0, 3.0]
    assert _draw_by_weight(np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 2.0, 1.0, 0.0])).tolist() == [1.0, 2.0, 2.0, 3.0]


def test_sizes_are_found_as_a_whole_search_finds_them_in_fewer_trials(encode):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.normal(size=1500), np.exp(2 * rng.normal(size=1500))])  # the second has a heavy tail
    log_sizes = 0.3 * X[:, 0] + np.log(np.abs(rng.normal(size=1500)))
    record = _record(encode, X, log_sizes, order=1, presence_order=1)  # of smooth functions of every kind
    expected = record.result
    found = _learn_sizes(record, np.arange(1500), log_sizes).result
    assert len(expected.judgements) >= 2
    assert len(found.judgements) == 1
    assert found.chosen.risk <= expected.chosen.risk * (1 + 1e-3)
    truth = 0.3 * X[:, 0] - 0.635  # the mean log of |z| of a Gaussian is -.635
    off = [np.sqrt(np.mean((each.model.predict(record.encoded)[:, 0] - truth) ** 2)) for each in (found, expected)]
    assert off[0] < min(0.1, 1.1 * off[1])
    slope = np.polyfit(X[:, 0], found.model.predict(record.encoded)[:, 0], 1)[0]
    assert slope == pytest.approx(np.polyfit(X[:, 0], log_sizes, 1)[0], abs=0.05)
