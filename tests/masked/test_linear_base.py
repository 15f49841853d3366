"""The linear base, and a fit beside it, against regressions on every coalition."""

from dataclasses import replace

import numpy as np
import pytest

import instashap
from instashap.game.banzhaf import Banzhaf
from instashap.game.coalitions import compute_shapley_size_law, enumerate_coalitions
from instashap.game.exact import compute_shapley_values
from instashap.inference.component_game import make_variance_game
from instashap.inference.effects import RowGames
from instashap.masked.expand import expand_solution
from instashap.masked.fitter import ClosedFormFitter
from instashap.masked.linear_base import BaseSetting, LinearBase, make_coalitions
from instashap.masked.search import Search
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table

N_COLUMNS = 4


def _make_rows(n_rows=300, n_columns=N_COLUMNS, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, n_columns))
    X += 1.5 * rng.normal(size=(n_rows, 1))
    return X, X @ np.linspace(1.0, -2.0, n_columns) + 0.3 * X[:, 0] * X[:, 1]


class _Fit:
    """Main effects beside a base, judged by the folds."""

    def __init__(self, setting, players=tuple(range(N_COLUMNS))):
        self.X, f = _make_rows()
        table, weights = read_table(self.X), np.ones(len(self.X))
        self.encoder, columns = learn_table(table, weights)
        self.encoded, self.outputs = self.encoder.encode(table), f[:, None]
        law = compute_shapley_size_law(max(players) + 1, 0.7)
        self.search = Search(ClosedFormFitter(columns, players, order=1), self.encoded, self.outputs, weights, law)
        self.search.fit_main_effects()
        self.judge, chosen, _ = self.search.main_effects
        candidate = replace(chosen.candidate, base=setting)
        self.judged, self.solved = self.judge.judge(candidate, chosen.strengths, ())
        self.size_law = law
        self.bases = tuple(column.encoder.bases for column in columns)

    def make_model(self, fold=None):
        solved, total = self.solved, self.judge.moments.total
        solution, base = solved.solution, solved.base
        if fold is not None:
            solution = replace(solution, coefficients=solved.fold_coefficients[fold])
            total, base = total - self.judge.moments.folds[fold], solved.fold_bases[fold]
        return expand_solution(solved.problem, solved.functions, solution, total, self.bases, len(self.size_law) - 1, base)


@pytest.mark.parametrize("setting", [BaseSetting(1, 0.01), BaseSetting(2, 0.1), BaseSetting(1, 0.3, 0.5)], ids=str)
def test_the_held_out_risk_is_that_of_predictions_under_every_mask(setting):
    fit = _Fit(setting)
    masks = enumerate_coalitions(N_COLUMNS)
    counts = np.bincount(masks.sum(axis=1))
    risk = 0.0
    for fold, (rows, _) in enumerate(fit.search.folds):
        model, encoded = fit.make_model(fold), fit.encoded.take(rows)
        for mask in masks:
            missed = fit.outputs[rows] - model.predict(encoded, np.tile(mask, (len(rows), 1)))
            risk += fit.size_law[mask.sum()] / counts[mask.sum()] * (missed**2).sum()
    assert fit.judged.risk == pytest.approx(risk / fit.outputs.var() / len(fit.outputs), rel=1e-10)


def test_the_base_is_the_regression_on_the_columns_present():
    model = _Fit(BaseSetting(1, 0.0)).make_model()
    X, f = _make_rows()
    table = read_table(X)
    encoded = learn_table(table, np.ones(len(X)))[0].encode(table)
    centred = X - X.mean(axis=0)
    for mask in enumerate_coalitions(N_COLUMNS):
        own = np.flatnonzero(mask)
        slopes = np.linalg.lstsq(centred[:, own], f - f.mean(), rcond=None)[0]
        found = model.linear.predict(model.bases, encoded, np.tile(mask, (len(X), 1)))[:, 0]
        np.testing.assert_allclose(found, centred[:, own] @ slopes, atol=1e-6 * f.std())


@pytest.mark.parametrize("players", [(0, 1, 2, 3), (0, 1, 1, 2)])
def test_credits_are_shapley_values_and_components_sum_to_the_game(players):
    fit = _Fit(BaseSetting(2, 0.05), players)
    model, n_players = fit.make_model(), max(players) + 1
    rows = fit.encoded.take(np.arange(10))
    masks = enumerate_coalitions(n_players)
    game = np.stack([model.predict(rows, np.tile(mask, (10, 1)))[:, 0] for mask in masks])
    scale = fit.outputs.std()
    values = model.credits.apply(rows)[:, :, 0]
    np.testing.assert_allclose(values, compute_shapley_values(game).T, atol=1e-10 * scale)
    np.testing.assert_allclose(values.sum(axis=1) + model.base_value, model.predict(rows)[:, 0], atol=1e-10 * scale)
    sets = [tuple(np.flatnonzero(mask)) for mask in masks[1:]]
    components = {each: model.make_mobius_lookup(each).apply(rows)[:, 0, 0] for each in sets}
    for mask, expected in zip(masks, game, strict=True):
        inside = set(np.flatnonzero(mask))
        total = sum((each for key, each in components.items() if set(key) <= inside), np.full(10, model.base_value[0]))
        np.testing.assert_allclose(total, expected, atol=1e-10 * scale)


def test_another_index_shares_out_the_linear_part_by_its_own_definition():
    fit = _Fit(BaseSetting(1, 0.05))
    model, rows = fit.make_model(), fit.encoded.take(np.arange(10))
    masks = enumerate_coalitions(N_COLUMNS)
    game = np.stack([model.predict(rows, np.tile(mask, (10, 1)))[:, 0] for mask in masks])
    steps = np.stack([game[masks[:, player]] - game[~masks[:, player]] for player in range(N_COLUMNS)])
    banzhaf = model.make_credits(Banzhaf()).apply(rows)[:, :, 0]  # the mean contribution over all coalitions of the others
    np.testing.assert_allclose(banzhaf, steps.mean(axis=1).T, atol=1e-10 * fit.outputs.std())


def test_a_model_with_the_linear_part_written_out_has_the_same_values_and_shapes():
    fit = _Fit(BaseSetting(2, 0.05))
    model, rows = fit.make_model(), fit.encoded.take(np.arange(20))
    plain = model.write_out_linear()
    assert plain.linear is None
    scale = fit.outputs.std()
    for one, other in ((model.credits, plain.credits), (model.prediction, plain.prediction), (model.effects, plain.effects)):
        np.testing.assert_allclose(one.apply(rows), other.apply(rows), atol=1e-12 * scale)


def _draw_factors(n_rows, seed, n_columns=13):
    """Columns of two common factors, and an output that is linear in them."""
    rng = np.random.default_rng(seed)
    loadings = np.random.default_rng(99).normal(size=(2, n_columns))
    X = rng.normal(size=(n_rows, 2)) @ loadings + rng.normal(size=(n_rows, n_columns))
    return X, X @ np.random.default_rng(98).normal(size=n_columns)


@pytest.fixture(scope="module")
def explainer():
    X, f = _draw_factors(300, 0)
    return instashap.Explainer(order=1).fit(np.column_stack([X, np.ones(len(X))]), outputs=f)


def test_many_correlated_columns_get_a_base_and_its_weight_is_a_choice(explainer):
    assert explainer.fit_facts_["chosen"]["linear_base"] is not None
    X, f = _draw_factors(300, 0)
    assert instashap.Explainer(order=1, presence_order=2).fit(X, outputs=f).fit_facts_["chosen"]["linear_base"] is None
    rng = np.random.default_rng(1)
    X = rng.normal(size=(400, 13))
    plain = instashap.Explainer(order=1).fit(X, outputs=np.abs(X[:, 0]) + np.abs(X[:, 1]))
    assert plain.fit_facts_["chosen"]["linear_base"] is None


def test_a_loaded_explainer_gives_the_same_bits_with_a_linear_part(explainer, tmp_path):
    rows = np.column_stack([0.5 * _draw_factors(20, 3)[0], np.ones(20)])
    before = explainer(rows, errors=True)
    explainer.save(tmp_path / "linear.insta")
    loaded = instashap.load(tmp_path / "linear.insta")
    after = loaded(rows, errors=True)
    np.testing.assert_array_equal(after.values, before.values)
    np.testing.assert_allclose(after.standard_errors, before.standard_errors, rtol=1e-5)  # kept in single precision
    assert (before.values[:, 13] == 0).all()  # the column of one value
    np.testing.assert_array_equal(loaded.mobius_values(rows, [0, 3]), explainer.mobius_values(rows, [0, 3]))


@pytest.mark.slow
def test_errors_with_a_linear_part_are_those_of_fits_to_other_rows(explainer):
    rows = np.column_stack([0.5 * _draw_factors(20, 3)[0], np.ones(20)])
    errors = explainer(rows, errors=True).standard_errors[:, :13]
    values = []
    for seed in range(1, 5):
        X, f = _draw_factors(300, seed)
        fitted = instashap.Explainer(order=1).fit(np.column_stack([X, np.ones(len(X))]), outputs=f)
        values.append(fitted.shap_values(rows)[:, :13])
    spread = np.std(values, axis=0, ddof=1)
    assert np.sqrt((errors**2).mean()) == pytest.approx(np.sqrt((spread**2).mean()), rel=0.4)
    with pytest.raises(ValueError, match="linear part"):
        explainer.mobius_values(rows, [0, 1], errors=True)


def test_columns_in_another_order_give_the_same_values_with_sampled_orders():
    X, f = _draw_factors(300, 0)
    order = np.random.default_rng(5).permutation(13)
    one = instashap.Explainer(order=1).fit(X, outputs=f)
    other = instashap.Explainer(order=1).fit(X[:, order], outputs=f)
    assert one.fit_facts_["chosen"]["linear_base"] is not None
    np.testing.assert_allclose(other.shap_values(X[:20][:, order]), one.shap_values(X[:20])[:, order], atol=1e-8 * f.std())


def test_importance_with_sampled_orders_is_that_of_the_rows_and_sums_to_what_is_explained(explainer):
    fitted = explainer._fitted
    record = fitted.record
    frame = explainer.importance("variance")
    left = frame.loc["(not explained)", "value"]
    explained = explainer._fitted.predict(fitted.read(_draw_rows()), 1).var()
    assert frame["value"].sum() - left == pytest.approx(explained, rel=1e-9)
    (on_rows,) = RowGames(fitted.model, record.encoded, record.weights, None, False).measure(errors=False)
    np.testing.assert_allclose(frame.loc[list(explainer.feature_names_), "value"], on_rows.values, atol=1e-8 * explained)
    assert (frame.loc["x0":"x0", "standard_error"] > 0).all()
    solved = record.result.solved
    by_outputs = make_variance_game(
        record.result, solved.solution.coefficients, record.result.total, solved.base, 0, by_outputs=True
    )
    (as_loss,) = RowGames(fitted.model, record.encoded, record.weights, record.outputs, True).measure(errors=False)
    shared = by_outputs.share(by_outputs.list_coalitions())
    np.testing.assert_allclose(shared, as_loss.values[fitted.model.is_player], atol=1e-8 * explained)
    with pytest.raises(ValueError, match="presence_order=3"):
        explainer.importance("variance", pairs=True)


def _draw_rows():
    X, _ = _draw_factors(300, 0)
    return np.column_stack([X, np.ones(len(X))])


def test_scores_that_vary_by_rounding_alone_have_no_slope():
    # Training rows of one value each: a variance of -1e-17 and covariances above the variances made no factor possible.
    noise = np.random.default_rng(0).normal(size=(14, 14)) * 1e-17
    moments = noise + noise.T, np.full((14, 1), 1e-17)
    listed = make_coalitions(compute_shapley_size_law(14, 0.7), moments[1], np.arange(14))
    base = LinearBase.from_moments(BaseSetting(1, 0.001), np.arange(14), np.arange(14), moments, listed)
    assert not base.full_slopes.any()


def test_covariances_that_rounding_made_indefinite_are_repaired():
    # Rows of weights from 1e-8 to 1e11 leave covariances of columns that only light rows vary in to rounding.
    units = np.array([1.0, 30.0, 1e-3])
    wrong = np.array([[1.0, 1.2, 0.3], [1.2, 1.0, 0.1], [0.3, 0.1, 1.0]]) * np.outer(units, units)
    players = np.arange(3)
    listed = make_coalitions(compute_shapley_size_law(3, 0.7), np.ones((3, 1)), players)
    base = LinearBase.from_moments(BaseSetting(1, 0.01), players, players, (wrong, np.ones((3, 1))), listed)
    np.testing.assert_allclose(np.diag(base.covariance), units**2, rtol=1e-12)
    correlations = base.covariance / np.outer(units, units)
    assert np.linalg.eigvalsh(correlations)[0] > 0.005
    assert 0.9 < correlations[0, 1] < 1
    assert np.isfinite(base.credits).all()
    right = (wrong / np.outer(units, units)).clip(-0.5, 0.8) * np.outer(units, units)
    right[[0, 1, 2], [0, 1, 2]] = units**2
    base = LinearBase.from_moments(BaseSetting(1, 0.01), players, players, (right, np.ones((3, 1))), listed)
    np.testing.assert_allclose(base.covariance[0, 1:], 0.99 * right[0, 1:], rtol=1e-12)
