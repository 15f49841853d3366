"""The ranking of terms against Sobol indices on paper, explicit solves, and functions whose terms are known."""

from itertools import product

import numpy as np
import pytest

from instashap._errors import TooLargeError
from instashap.game.coalitions import compute_shapley_size_law
from instashap.inference import ranking
from instashap.inference.ranking import rank_terms
from instashap.masked.fitter import ClosedFormFitter, FitRecord
from instashap.masked.folds import assign_folds
from instashap.masked.moments import accumulate_moments
from instashap.masked.restrict import choose_unknowns
from instashap.masked.solve import compute_masked_risk
from instashap.masked.strengths import Strengths
from instashap.table.encoding import Encoded


def make_record(encode, X, f, weights=None, smoothness=None, **options):
    columns, encoded = encode(X, weights)
    weights = np.ones(len(X)) if weights is None else weights
    players = tuple(range(X.shape[1]))
    law = compute_shapley_size_law(len(players))
    outputs = np.reshape(f, (len(X), -1)).astype(float)
    fitter = ClosedFormFitter(columns, players, smoothness=smoothness, **options)
    return FitRecord(encoded, outputs, weights, columns, players, law, fitter.fit(encoded, outputs, weights, law))


def name_terms(record, found):
    return [record.result.solved.functions.value_sets[term] for term in found.order]


def make_normals(n_rows, correlation, n_columns=5, seed=0):
    covariance = np.full((n_columns, n_columns), correlation) + (1 - correlation) * np.eye(n_columns)
    return np.random.default_rng(seed).multivariate_normal(np.zeros(n_columns), covariance, size=n_rows)


def test_with_independent_columns_variance_shares_are_sobol_indices(encode):
    # f = 3 a + 2 b + 4 a b on a full grid: a and b are ±1, c has no effect. Var f = 9 + 4 + 16.
    X = np.array(list(product([-1.0, 1.0], [-1.0, 1.0], [0.0, 1.0, 2.0])) * 10)
    f = 3 * X[:, 0] + 2 * X[:, 1] + 4 * X[:, 0] * X[:, 1]
    record = make_record(encode, X, f, smoothness=Strengths(1e-10, 1e-10), presence_order=2)
    found = rank_terms(record)
    # The first choice: a alone gains 1.5 · 9 = 13.5; with b and a b it is (1.5 · 13 + 7/6 · 16) / 3 = 12.7 a term
    assert name_terms(record, found)[:3] == [(0,), (1,), (0, 1)]
    np.testing.assert_allclose(found.variance_shares[:3], [9 / 29, 4 / 29, 16 / 29], rtol=1e-6)
    np.testing.assert_allclose(found.variance_shares[3:], 0, atol=1e-7)
    # The masked criterion weighs a term by the mass of the coalitions that hold its columns: 3/2 and 7/6 of 2 (three players)
    np.testing.assert_allclose(found.gains[:3], [9 / 29 * 3 / 4, 4 / 29 * 3 / 4, 16 / 29 * 7 / 12], rtol=1e-6)


def test_variance_shares_of_a_smooth_function_are_near_its_sobol_indices(encode):
    # Ishigami's function with a = 7, b = 0.1; indices of Sobol and Levitan (1999): S1 = .3139, S2 = .4424, S13 = .2437, S3 = 0
    X = np.random.default_rng(0).uniform(-np.pi, np.pi, size=(4000, 3))
    f = np.sin(X[:, 0]) + 7 * np.sin(X[:, 1]) ** 2 + 0.1 * X[:, 2] ** 4 * np.sin(X[:, 0])
    record = make_record(encode, X, f)
    found = rank_terms(record)
    shares = dict(zip(name_terms(record, found), found.variance_shares, strict=True))
    for term, index in (((0,), 0.3139), ((1,), 0.4424), ((0, 2), 0.2437), ((2,), 0.0)):
        assert shares[term] == pytest.approx(index, abs=0.02)
    assert name_terms(record, found)[:4] == [(1,), (0,), (2,), (0, 2)]


@pytest.mark.parametrize("correlation", [0.0, 0.5])
def test_the_terms_of_a_known_function_come_first(encode, correlation):
    X = make_normals(1500, correlation)
    record = make_record(encode, X, X[:, 0] + X[:, 1] * X[:, 2])
    found = rank_terms(record)
    assert set(name_terms(record, found)[:4]) == {(0,), (1,), (2,), (1, 2)}
    assert name_terms(record, found)[0] == (0,)
    assert found.r2[3] > 0.999
    assert found.r2[2] < 0.9


def test_a_pure_interaction_is_found_though_its_columns_have_no_main_effects(encode):
    X = make_normals(2000, 0.0, n_columns=6, seed=1)
    f = X[:, 4] * X[:, 5] + 0.1 * X[:, 0]
    record = make_record(encode, X, f)
    assert set(name_terms(record, rank_terms(record))[:3]) == {(4,), (5,), (4, 5)}


@pytest.fixture
def record(encode, make_frame):
    """Two outputs, columns of four kinds with missing values, weights, presence sets of three players, a triple."""
    frame = make_frame(300, 1)
    rng = np.random.default_rng(1)
    level = frame["level"].to_numpy()
    f = frame["smooth"].fillna(2.0).to_numpy() * level + (frame["text"] == "a") * (level > 1) + frame["zeros"]
    outputs = np.column_stack([f + rng.normal(size=300), 50 * level + rng.normal(size=300)])
    return make_record(
        encode,
        frame,
        outputs,
        rng.uniform(0.5, 1.5, 300),
        Strengths(1e-4, 1e-3, 3.0),
        order=3,
        presence_order=3,
        resolution=4,
        interactions=[(0, 3), (1, 3), (0, 1), (0, 2), (0, 1, 3)],
    )


def explain_criterion(record, unknowns, gram, cross):
    """Drop of the penalised masked risk by some unknowns, and their coefficients: the normal equations, solved for them."""
    result = record.result
    matrix = result.solved.problem.assemble(gram, result.chosen.strengths.penalise(result.solved.functions))
    target = result.solved.problem.weigh_target(cross)
    coefficients = np.zeros_like(target)
    coefficients[unknowns] = np.linalg.solve(matrix[np.ix_(unknowns, unknowns)], target[unknowns])
    return (target * coefficients).sum(axis=0), coefficients


def test_gains_and_shares_are_those_of_solving_for_each_set_of_terms(record):
    result = record.result
    found = rank_terms(record)
    whole = result.total.around(result.total)
    variance = result.total.output_scatter / result.total.weight
    owners = result.solved.functions.owners[result.solved.problem.functions]
    explained, r2 = 0.0, 0.0
    for step in range(len(found.order)):
        unknowns = np.flatnonzero(np.isin(owners, found.order[: step + 1]))
        drop, coefficients = explain_criterion(record, unknowns, *whole[:2])
        _, full = compute_masked_risk(result.solved.problem, coefficients, *whole)
        share = (drop / variance).mean() / result.solved.problem.total_mass
        assert found.gains[step] == pytest.approx(share - explained, abs=1e-9)
        assert found.variance_shares[step] == pytest.approx(1 - (full / variance).mean() - r2, abs=1e-9)
        explained, r2 = share, 1 - (full / variance).mean()


def test_gains_sum_to_what_the_fit_explains(record):
    result, found = record.result, rank_terms(record)
    _, cross, variance = result.total.around(result.total)
    explained = (result.solved.problem.weigh_target(cross) * result.solved.solution.coefficients).sum(axis=0)
    assert len(found.order) == len(result.solved.functions.value_sets)
    assert found.gains.sum() == pytest.approx((explained / variance).mean() / result.solved.problem.total_mass, rel=1e-10)
    assert (found.gains > 0).all()


def test_gains_given_earlier_terms_are_differences_of_explicit_solves(record):
    result = record.result
    gram, cross, _ = result.total.around(result.total)
    owners = result.solved.functions.owners[result.solved.problem.functions]
    is_own = ~result.solved.problem.is_extra
    assert not is_own[owners == 0].all()
    matrix = result.solved.problem.assemble(gram, result.chosen.strengths.penalise(result.solved.functions)).T
    terms = ranking._find_terms(result.solved.problem, result.solved.functions)
    elimination = ranking._Elimination(matrix, result.solved.problem.weigh_target(cross), terms)
    for taken in ([], [3], [3, 0], [3, 0, 5]):
        for term in taken[-1:]:
            elimination.eliminate(term)
        before = np.isin(owners, taken)
        start = explain_criterion(record, np.flatnonzero(before), gram, cross)[0].sum() if taken else 0.0
        for bundle in ([1], [4], [1, 2], [2, 6]):
            added = np.isin(owners, bundle) & (is_own | (len(bundle) == 1))  # of several, those of their own players
            stop = explain_criterion(record, np.flatnonzero(before | added), gram, cross)[0].sum()
            assert elimination.compute_gains([bundle, bundle])[1] == pytest.approx(stop - start, rel=1e-7)


def test_every_step_takes_the_bundle_of_largest_gain_a_term(record):
    result, found = record.result, rank_terms(record)
    names = name_terms(record, found)
    gram, cross, variance = result.total.around(result.total)
    owners = result.solved.functions.owners[result.solved.problem.functions]
    is_own = ~result.solved.problem.is_extra  # of a bundle of several, only these count while it is chosen
    taken, step = [], 0
    while step < len(names):
        scores = {}
        for term, values in enumerate(result.solved.functions.value_sets):
            if term in taken:
                continue
            bundle = [
                other
                for other, part in enumerate(result.solved.functions.value_sets)
                if set(part) <= set(values) and other not in taken
            ]
            inside = np.isin(owners, bundle) & (is_own | (len(bundle) == 1))
            before = np.flatnonzero(np.isin(owners, taken))
            gains = [
                explain_criterion(record, each, gram, cross)[0] if len(each) else 0.0
                for each in (np.flatnonzero(inside | np.isin(owners, taken)), before)
            ]
            scores[tuple(bundle)] = ((gains[0] - gains[1]) / variance).sum() / len(bundle)
        best = max(scores, key=lambda bundle: scores[bundle])
        assert set(found.order[step : step + len(best)].tolist()) == set(best)
        taken += best
        step += len(best)
    sizes = {values: position for position, values in enumerate(names)}
    assert sizes[0, 1, 3] > max(sizes[0, 1], sizes[0, 3], sizes[1, 3])
    assert all(sizes[pair] > max(sizes[pair[:1]], sizes[pair[1:]]) for pair in names if len(pair) == 2)


def test_every_step_is_judged_by_refitting_without_each_fold(record):
    result, found = record.result, rank_terms(record)
    owners = result.solved.functions.owners[result.solved.problem.functions]
    variance = result.total.output_scatter / result.total.weight
    for step in (0, 3, len(found.order) - 1):
        unknowns = np.flatnonzero(np.isin(owners, found.order[: step + 1]))
        risks = np.zeros((2, 2))
        for rows, weights in assign_folds(record.encoded, record.outputs, record.weights, 5):
            kept = np.setdiff1d(np.arange(len(record.outputs)), rows)
            train, test = (describe(record, *part) for part in ((kept, record.weights[kept]), (rows, weights)))
            _, coefficients = explain_criterion(record, unknowns, *train.around(train)[:2])
            share = test.weight / result.total.weight
            risks += share * np.array(compute_masked_risk(result.solved.problem, coefficients, *test.around(train)))
        masked, full = (risks / variance).mean(axis=1)
        assert found.masked_risks[step] == pytest.approx(masked / result.solved.problem.total_mass, rel=1e-9)
        assert found.r2[step] == pytest.approx(1 - full, rel=1e-9)


def describe(record, rows, weights):
    encoded = Encoded(record.encoded.cells[rows], record.encoded.offsets[rows])
    functions = record.result.solved.functions
    return accumulate_moments(functions.evaluate, encoded, record.outputs[rows], weights, len(functions))


def test_the_last_step_is_the_fit_as_it_was_judged(record):
    chosen = record.result.chosen
    found = rank_terms(record)
    # the fit's fold solutions stop at 1e-5
    assert found.masked_risks[-1] * record.result.solved.problem.total_mass == pytest.approx(chosen.risk / 2, rel=1e-4)
    assert found.r2[-1] == pytest.approx(1 - chosen.full_risk / 2, rel=1e-4)


def test_ranking_stops_after_the_terms_asked_for(record):
    every, few = rank_terms(record), rank_terms(record, 4)
    assert 4 <= len(few.order) < 8
    assert few.order.tolist() == every.order[: len(few.order)].tolist()
    np.testing.assert_allclose(few.gains, every.gains[: len(few.order)], rtol=1e-9)
    np.testing.assert_allclose(few.r2, every.r2[: len(few.order)], rtol=1e-9)


def test_constant_outputs_do_not_count(encode):
    X = make_normals(400, 0.3, n_columns=3)
    options = {"smoothness": Strengths(), "presence_order": 2}
    alone = rank_terms(make_record(encode, X, X[:, 0], **options))
    beside = rank_terms(make_record(encode, X, np.column_stack([X[:, 0], np.ones(400)]), **options))
    for name in ("order", "gains", "variance_shares", "masked_risks", "r2"):
        np.testing.assert_allclose(getattr(beside, name), getattr(alone, name), rtol=1e-6, atol=1e-9)
    nothing = rank_terms(make_record(encode, X, np.ones(400), **options))
    np.testing.assert_array_equal(nothing.gains, 0.0)


def test_a_table_of_constants_has_no_terms(encode):
    assert len(rank_terms(make_record(encode, np.ones((50, 2)), np.arange(50.0))).order) == 0


def test_held_out_figures_are_nan_where_nothing_can_be_held_out(record, monkeypatch):
    monkeypatch.setattr(ranking, "assign_folds", lambda *rows_and_number: [(np.arange(300), record.weights)])
    found = rank_terms(record, 2)
    assert np.isnan(found.r2).all()
    assert np.isnan(found.masked_risks).all()
    assert found.gains[0] > 0.1


def test_too_many_unknowns_are_refused(record, monkeypatch):
    monkeypatch.setattr(ranking, "MAX_DENSE", 10)
    with pytest.raises(TooLargeError, match=r"at least \d+ unknowns here; its limit is 10: fit with fewer interactions"):
        rank_terms(record)


def test_the_finest_of_too_many_unknowns_are_left_out(record, monkeypatch):
    solved = record.result.solved
    monkeypatch.setattr(ranking, "MAX_DENSE", len(solved.problem) - 20)
    found = rank_terms(record)
    kept = choose_unknowns(solved.problem, solved.functions, len(solved.problem) - 20)
    _, cross, variance = record.result.total.around(record.result.total)
    drop, _ = explain_criterion(record, kept, record.result.total.scatter / record.result.total.weight, cross)
    assert found.gains.sum() == pytest.approx((drop / variance).mean() / solved.problem.total_mass, rel=1e-9)


def test_parts_under_presence_sets_are_ranked_one_by_one_after_a_terms_own(encode):
    # f = b, and E[f | a] = ρ b: a has its own part, and one under {a, b} that cancels it. c has no effect.
    rho = 0.6
    signs = np.array(list(product([-1.0, 1.0], [-1.0, 1.0], [-1.0, 1.0])))
    X = np.repeat(signs, np.where(signs[:, 0] == signs[:, 1], 40, 10), axis=0)  # a = b in eight of ten rows
    record = make_record(encode, X, X[:, 1], smoothness=Strengths(1e-10, 1e-10), order=1, presence_order=2)
    found = rank_terms(record, presence=True)
    parts = list(zip(name_terms(record, found), found.presence, strict=True))
    assert parts[:3] == [((1,), (1,)), ((0,), (0,)), ((0,), (0, 1))]
    assert len(parts) == len(set(parts)) == 9  # three columns, each by itself and beside each other one
    for values, presence in parts:
        assert len(presence) == 1 or parts.index((values, values)) < parts.index((values, presence))
    # Masses of the coalitions that hold one and two given players: 3/2 and 7/6 of 2 (three players)
    np.testing.assert_allclose(found.gains[0], 3 / 4, rtol=1e-6)
    np.testing.assert_allclose(found.gains[1:3].sum(), rho**2 * (3 / 4 - 7 / 12), rtol=1e-5)
    np.testing.assert_allclose(found.gains[3:], 0, atol=1e-7)
    whole = rank_terms(record)
    assert whole.presence == ()
    np.testing.assert_allclose(whole.gains.sum(), found.gains.sum(), rtol=1e-9)


def test_parts_of_smooth_columns_are_each_ranked_once(encode):
    X = make_normals(500, 0.5, n_columns=4)
    record = make_record(encode, X, np.sin(2 * X[:, 0]) + X[:, 1] * X[:, 2], order=2, presence_order=3)
    found, whole = rank_terms(record, presence=True), rank_terms(record)
    parts = list(zip(name_terms(record, found), found.presence, strict=True))
    assert len(set(parts)) == len(parts) > len(whole.order)
    np.testing.assert_allclose(found.gains.sum(), whole.gains.sum(), rtol=1e-9)
    np.testing.assert_allclose(found.masked_risks[-1], whole.masked_risks[-1], rtol=1e-9)
