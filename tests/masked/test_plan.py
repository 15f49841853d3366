"""Plan, accumulate, solve: sums against NumPy, folds against those of a fit, and the model against direct normal equations."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from instashap.fits.conditional import fit_game, get_plan, plan_game, solve_game
from instashap.fits.prepare import FitOptions
from instashap.fitted.game import FittedGame
from instashap.fitted.plan_file import pack_plan, unpack_plan
from instashap.game.masses import compute_presence_masses, compute_shared_masses
from instashap.masked import sums as module
from instashap.masked.folds import FoldRule, assign_folds, hash_ranks, learn_fold_rule
from instashap.masked.sums import Accumulator, accumulate
from instashap.table.columns import Table, read_table
from instashap.table.encoding import Encoded, learn_table

NAMED: dict[str, Any] = {"output_names": ("one", "other"), "output_transform": "units"}


def make_rows(n_rows: int = 900) -> tuple[Table, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_rows, 3))
    X[:, 1] += 0.8 * X[:, 0]
    X[:, 2] = np.floor(2 * X[:, 2]).clip(-2, 2)
    f = X[:, 0] + X[:, 1] * X[:, 2]
    return read_table(X), np.stack([f, f**2], axis=1) + 1e4, rng.integers(0, 4, n_rows).astype(float)


@pytest.fixture(scope="module")
def game() -> FittedGame:
    table, outputs, weights = make_rows()
    return plan_game(table, outputs, weights, FitOptions(interactions="all"), **NAMED)


def test_sums_are_products_of_functions_and_outputs_over_the_rows_of_each_fold(game: FittedGame) -> None:
    table, outputs, weights = make_rows()
    plan = get_plan(game)
    encoded = plan.encoder.encode(table)
    z = np.vstack([np.ones(len(weights)), plan.functions.evaluate(encoded), (outputs - plan.centre).T])
    sums = accumulate(plan, table, outputs, weights)
    folds = plan.folds.assign(encoded, outputs)
    for fold in range(5):
        own = z[:, folds == fold]
        expected = (own * weights[folds == fold]) @ own.T
        np.testing.assert_allclose(sums.products[fold], expected[np.triu_indices(len(z))], rtol=1e-12, atol=1e-9)
    assert sums.n_rows == (weights > 0).sum()
    assert sums.total_weight == pytest.approx(weights.sum())


def test_moments_of_sums_are_weighted_means_and_scatters(game: FittedGame) -> None:
    table, outputs, weights = make_rows()
    plan = get_plan(game)
    encoded = plan.encoder.encode(table)
    sums = accumulate(plan, table, outputs, weights)
    own = plan.folds.assign(encoded, outputs) == 2
    values, f, w = plan.functions.evaluate(encoded)[:, own], outputs[own], weights[own]
    found = sums.describe_fold(2, plan.centre, share=0.5)
    means = np.average(values, axis=1, weights=w)
    centred = f - np.average(f, axis=0, weights=w)
    assert found.weight == pytest.approx(w.sum() / 2)
    np.testing.assert_allclose(found.means, means, atol=1e-12)
    np.testing.assert_allclose(found.scatter, np.cov(values, aweights=w, ddof=0) * w.sum() / 2, atol=1e-9)
    np.testing.assert_allclose(found.cross, (values * w) @ centred / 2, rtol=1e-9, atol=1e-7)
    np.testing.assert_allclose(found.output_scatter, (w @ centred**2) / 2, rtol=1e-9)


def test_the_bits_of_sums_depend_on_no_number_of_cores(game: FittedGame, monkeypatch: pytest.MonkeyPatch) -> None:
    table, outputs, weights = make_rows()
    plan = get_plan(game)
    monkeypatch.setattr(module, "_TILE", 40)
    monkeypatch.setattr(module, "_BLOCK_ROWS", (100, 100))
    found = []
    for n_cores in (1, 2, 3):
        monkeypatch.setattr(module, "count_cores", lambda n=n_cores: n)
        found.append(accumulate(plan, table, outputs, weights).products)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])


def test_rows_may_come_in_batches_of_any_size(game: FittedGame) -> None:
    table, outputs, weights = make_rows()
    plan = get_plan(game)
    whole = accumulate(plan, table, outputs, weights)
    accumulator = Accumulator(plan)
    for start, stop in ((0, 1), (1, 2), (2, 500), (500, 900)):
        accumulator.add(table.take(np.arange(start, stop)), outputs[start:stop], weights[start:stop])
    parts = accumulator.finish()
    np.testing.assert_allclose(parts.products, whole.products, rtol=1e-10, atol=1e-6)
    assert parts.n_rows == whole.n_rows


def test_the_rule_of_folds_gives_the_folds_of_the_rows_it_was_learnt_on() -> None:
    rng = np.random.default_rng(0)
    mixed = np.column_stack([rng.normal(size=600), rng.integers(0, 4, 600), np.full(600, 2.0)])
    few, noisy = np.tile(np.eye(3), (100, 1)), rng.normal(size=(300, 1))
    for X, f in ((mixed, np.zeros((600, 1))), (np.round(mixed), np.zeros((600, 1))), (few, noisy), (few, few[:, :1])):
        w = rng.integers(1, 3, len(X)).astype(float)
        encoder, _ = learn_table(read_table(X), w)
        encoded = encoder.encode(read_table(X))
        rule = learn_fold_rule(encoded, f, w, 5)
        expected = assign_folds(encoded, f, w, 5)
        if rule.is_shared:
            assert all(len(rows) == len(X) for rows, _ in expected)
            continue
        found = rule.assign(encoded, f)
        assert sorted(np.concatenate([rows for rows, _ in expected])) == list(range(len(X)))
        assert all(len(set(found[rows])) == 1 for rows, _ in expected)
        assert [len(rows) for rows, _ in expected] == [n for n in np.bincount(found, minlength=5) if n]


def test_later_rows_fall_into_folds_by_their_own_values_alone() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(700, 2))
    encoder, _ = learn_table(read_table(X), np.ones(700))
    rule = learn_fold_rule(encoder.encode(read_table(X)), np.zeros((700, 1)), np.ones(700), 5)
    new = encoder.encode(read_table(rng.normal(size=(400, 2)) * 2))
    whole = rule.assign(new, np.zeros((400, 1)))
    alone = [rule.assign(Encoded(new.cells[k : k + 1], new.offsets[k : k + 1]), np.zeros((1, 1)))[0] for k in range(400)]
    assert whole.tolist() == alone
    assert np.bincount(whole, minlength=5).min() > 40  # they spread over all folds


def test_a_missing_number_and_the_highest_one_are_different_rows_of_a_fold() -> None:
    X = np.append(np.arange(40.0), [np.nan] * 3)[:, None]
    encoder, _ = learn_table(read_table(X), np.ones(43))
    encoded = encoder.encode(read_table(X))
    hashes = hash_ranks(encoded, np.ones(43)).tolist()
    assert hashes[39] != hashes[40] == hashes[41] == hashes[42]
    turned = learn_table(read_table(-X), np.ones(43))[0].encode(read_table(-X))
    assert np.signbit(encoded.offsets).tolist() == np.signbit(turned.offsets).tolist() == np.isnan(X).tolist()


def test_few_different_rows_with_noisy_outputs_fall_into_folds_in_any_unit_after_a_file_too() -> None:
    rng = np.random.default_rng(0)
    X, f = np.tile(np.eye(3), (100, 1)), rng.normal(size=(300, 2))
    table, w = read_table(X), np.ones(300)
    plan = get_plan(plan_game(table, f, w, FitOptions(order=1), **NAMED))
    assert len(plan.folds.output_cuts) == 2
    encoded = plan.encoder.encode(table)
    folds = plan.assign_folds(encoded, f)
    assert np.bincount(folds, minlength=plan.folds.n_folds).min() > 30
    assert unpack_plan(*pack_plan(plan), plan.encoder).assign_folds(encoded, f).tolist() == folds.tolist()
    nearly = np.nextafter(f, 9.0)  # what another processor rounds otherwise
    assert plan.assign_folds(encoded, nearly).tolist() == folds.tolist()
    for unit in (-3.0, 1.1):
        other = learn_fold_rule(encoded, unit * f, w, plan.folds.n_folds)
        assert other.assign(encoded, unit * f).tolist() == folds.tolist()


def test_the_model_solves_the_normal_equations_of_all_rows(game: FittedGame) -> None:
    table, outputs, weights = make_rows()
    plan = get_plan(game)
    rows = np.arange(450)  # other rows than the plan's
    part = table.take(rows), outputs[rows], weights[rows]
    solved = solve_game(game, accumulate(plan, *part))
    values = plan.functions.evaluate(plan.encoder.encode(part[0]))
    share = part[2] / part[2].sum()
    values = values - (values @ share)[:, None]
    centred = part[1] - share @ part[1]
    strengths = solved.facts["chosen"]["strengths"]
    functions, problem = plan.functions, plan.problem
    penalty = strengths["roughness"] * functions.roughness + strengths["ridge"] * functions.ridge
    penalty *= strengths["interaction"] ** (functions.sizes - 1.0)
    u, r = problem.functions, problem.presence
    masses = compute_shared_masses(problem.presence_sets, problem.size_law)
    matrix = (((values * share) @ values.T) + np.diag(penalty))[np.ix_(u, u)] * masses[np.ix_(r, r)]
    matrix += np.diag(problem.is_extra * strengths["presence"] * masses[r, r] * penalty[u])
    target = compute_presence_masses(problem.presence_sets, problem.size_law)[r][:, None] * ((values * share) @ centred)[u]
    coefficients = np.linalg.solve(matrix, target)
    merged = np.zeros((len(functions), 2))
    np.add.at(merged, u, coefficients * problem.full_counts[:, None])
    expected = share @ part[1] + values.T @ merged
    np.testing.assert_allclose(solved.predict(part[0]), expected, atol=1e-6 * outputs.std())


def test_a_long_table_is_planned_on_a_sample_and_fitted_on_all_rows() -> None:
    table, outputs, weights = make_rows(3000)
    whole = fit_game(table, outputs, weights, FitOptions(plan_rows=None), **NAMED)
    long = fit_game(table, outputs, weights, FitOptions(plan_rows=600), **NAMED)
    assert long.facts["sample_rows"] == 600 == len(long.get_record("").outputs)
    assert long.facts["n_rows"] == (weights > 0).sum()
    np.testing.assert_allclose(long.model.base_value, np.average(outputs, axis=0, weights=weights), rtol=1e-12)
    few = plan_game(table.take(np.arange(600)), outputs[:600], weights[:600], FitOptions(), **NAMED)
    goal = whole.compute_shapley_values(table)
    of_long, of_few = (((game.compute_shapley_values(table) - goal) ** 2).sum() / goal.var() for game in (long, few))
    assert of_long < 0.5 * of_few


def test_the_order_of_a_long_tables_rows_changes_nothing() -> None:
    table, outputs, weights = make_rows(2000)
    order = np.random.default_rng(1).permutation(2000)
    one = fit_game(table, outputs, weights, FitOptions(plan_rows=500), **NAMED)
    other = fit_game(table.take(order), outputs[order], weights[order], FitOptions(plan_rows=500), **NAMED)
    found, expected = (game.compute_shapley_values(table) for game in (one, other))
    np.testing.assert_allclose(found, expected, atol=1e-9 * outputs.std())


def test_too_few_rows_to_plan_on_are_refused() -> None:
    table, outputs, weights = make_rows()
    with pytest.raises(ValueError, match="plan_rows=5 is too few: use at least 100"):
        fit_game(table, outputs, weights, FitOptions(plan_rows=5), **NAMED)


def test_tables_without_anything_to_hold_out_are_summed_as_one_fold(game: FittedGame) -> None:
    bits = read_table(np.tile(np.array([[0.0, 0], [0, 1], [1, 0], [1, 1]]), (300, 1)))
    f = np.tile([[0.0], [1], [2], [5]], (300, 1))
    fitted = plan_game(bits, f, np.ones(1200), FitOptions(), output_names=("f",), output_transform="units")
    plan = get_plan(fitted)
    assert plan.folds == replace(plan.folds, is_shared=True)
    assert isinstance(plan.folds, FoldRule)
    solved = solve_game(fitted, accumulate(plan, bits, f, np.ones(1200)))
    np.testing.assert_allclose(solved.predict(bits), f, atol=0.01)
