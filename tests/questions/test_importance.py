"""Importance of features, against enumeration of all coalitions and closed forms of Gaussian columns."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.game.coalitions import enumerate_coalitions
from instashap.game.exact import compute_mobius_transform, compute_shapley_values
from instashap.game.orders import sample_orders
from instashap.inference.effects import Importance, RowGames, combine_replicas
from instashap.model.linear_part import LinearPart
from instashap.questions.average_rows import average_rows
from instashap.questions.overall import find_interval
from instashap.table.encoding import Encoded

LEFT = "(not explained)"
NAMES = list("abcd")


def output(X):
    return 2.0 * X["a"] + X["b"] * X["c"]


def draw(n_rows, seed):
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n_rows, 4)) @ np.linalg.cholesky(np.full((4, 4), 0.5) + 0.5 * np.eye(4)).T
    return pd.DataFrame(X, columns=NAMES).assign(one=1.0)


@pytest.fixture(scope="module")
def explainer():
    return instashap.Explainer(output, synthetic_rows=0, presence_order=3).fit(draw(500, 0))


def enumerate_variances(explainer, X):
    return np.array([explainer.predict(X, masks=mask).var() for mask in enumerate_coalitions(len(explainer.feature_names_))])


def compare(frame, expected, names, tolerance=1e-9):
    np.testing.assert_allclose(frame.loc[list(names), "value"], expected, atol=tolerance)


def test_shapley_effects_are_those_of_the_variances_of_all_coalitions(explainer):
    X = draw(500, 0)
    variances = enumerate_variances(explainer, X)
    frame = explainer.importance("variance")
    names = explainer.feature_names_
    compare(frame, compute_shapley_values(variances), names)
    single = [variances[1 << place] for place in range(5)]
    last = [variances[-1] - variances[31 - (1 << place)] for place in range(5)]
    np.testing.assert_allclose(frame.loc[list(names), ["alone", "last"]].to_numpy().T, [single, last], atol=1e-9)
    assert frame["value"].sum() == pytest.approx(output(X).var(ddof=0), rel=1e-12)
    assert frame.index[-1] == LEFT
    assert frame.loc["one", ["value", "standard_error"]].tolist() == [0.0, 0.0]
    # Rows given anew, and the shares of the whole.
    compare(explainer.importance("variance", X), compute_shapley_values(variances), names)
    assert frame["share"].sum() == pytest.approx(1.0)


def test_errors_count_how_far_variances_are_from_those_by_the_outputs():
    # 60 rows of levels: the variance of the fit exceeds that of the output by 5 %, which the jackknife alone called a fact.
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 60)
    a = np.where(rng.random(60) < 0.4, rng.integers(0, 3, 60), kind)
    b = np.where(rng.random(60) < 0.5, kind, rng.integers(0, 3, 60))
    X = pd.DataFrame({"a": a, "b": b, "c": rng.integers(0, 2, 60)}).astype(float)
    f = (1.5 * (X["a"] == 1) + X["a"] * (X["c"] - 0.5) + 0.7 * X["b"] * (1 - X["c"]) + X["b"]).to_numpy()
    made = instashap.Explainer(order=1, synthetic_rows=0).fit(X, outputs=f)
    games = [made.predict(X, masks=mask) for mask in enumerate_coalitions(3)]
    by_outputs = np.array([2.0 * np.cov(f, game, ddof=0)[0, 1] - game.var() for game in games])
    apart = by_outputs - np.array([game.var() for game in games])
    frame = made.importance("variance")
    distances = np.abs(compute_shapley_values(apart))
    assert (frame.loc[list("abc"), "standard_error"] > distances).all()
    left, error = frame.loc[LEFT, "value"], frame.loc[LEFT, "standard_error"]
    assert left < -0.01 * f.var()
    assert error > max(-left, abs(apart[-1]))
    pairs = made.importance("variance", pairs=True)
    components = compute_mobius_transform(apart)
    assert pairs.loc["a × b", "standard_error"] > abs(components[3] + components[7] / 2)


def test_pairs_are_the_interaction_indices_of_the_variances(explainer):
    components = compute_mobius_transform(enumerate_variances(explainer, draw(500, 0)))
    frame = explainer.importance("variance", pairs=True)
    coalitions = enumerate_coalitions(5)
    for i, j in [(0, 1), (1, 2), (0, 3)]:
        holds = coalitions[:, i] & coalitions[:, j]
        expected = (components[holds] / (coalitions[holds].sum(axis=1) - 1)).sum()
        assert frame.loc[f"{NAMES[i]} × {NAMES[j]}", "value"] == pytest.approx(expected, abs=1e-9)
    assert frame.index[0] == frame["value"].abs().idxmax()
    assert LEFT not in frame.index


def test_the_loss_of_labels_is_shared_as_by_enumeration(explainer):
    X = draw(200, 1)
    y = output(X) + np.random.default_rng(2).normal(size=200)
    base = explainer.expected_value
    losses = [((y - explainer.predict(X, masks=mask)) ** 2).mean() for mask in enumerate_coalitions(5)]
    frame = explainer.importance("loss", X, y)
    compare(frame, compute_shapley_values(losses[0] - np.array(losses)), explainer.feature_names_)
    assert frame.loc[LEFT, "value"] == pytest.approx(losses[-1])
    assert frame["value"].sum() == pytest.approx(((y - base) ** 2).mean())


def test_log_loss_is_shared_as_by_enumeration():
    X = draw(150, 0)
    y = np.where(output(X) + np.random.default_rng(0).logistic(size=150) > 0, "yes", "no")
    model = instashap.AdditiveClassifier(order=1, presence_order=1).fit(X[NAMES], y).to_explainer()
    new, labels = draw(100, 3)[NAMES], np.repeat(["no", "yes"], 50)
    sign = np.where(labels == "yes", -1.0, 1.0)
    scores = [model.predict(new, masks=mask) for mask in enumerate_coalitions(4)]
    losses = np.array([np.log1p(np.exp(sign * score)).mean() for score in scores])
    frame = model.importance("loss", new, labels)
    compare(frame, compute_shapley_values(losses[0] - losses), NAMES)
    assert (frame["value"] < 0).any()  # these labels are noise
    assert frame.loc[LEFT, "value"] == pytest.approx(losses[-1])
    with pytest.raises(ValueError, match=r"none of the model's classes \('no', 'yes'\): maybe"):
        model.importance("loss", new, np.where(labels == "no", "maybe", labels))
    pd.testing.assert_frame_equal(model.importance("loss", new, (labels == "yes").astype(float)), frame)
    with pytest.raises(ValueError, match="pass one label for each of the 100 rows of X"):
        model.importance("loss", new, [*labels, "no"])


def test_a_linear_part_is_counted(explainer):
    fitted = explainer._fitted
    model, rows = fitted.model, fitted.get_rows()
    mains = [model.tables[model.value_sets.index((column,))][..., :1] for column in range(4)]
    drawn = np.random.default_rng(0).normal(size=(6, 4))
    part = LinearPart((0, 1, 2, 3), tuple(mains), np.arange(4), drawn.T @ drawn, drawn[0][:, None], np.zeros((5, 4, 1)))
    both = replace(model, linear=part)
    masks = [np.tile(mask, (500, 1)) for mask in enumerate_coalitions(5)]
    games = [both.predict(rows.encoded, mask)[:, 0] for mask in masks]
    (found,) = RowGames(both, rows.encoded, rows.weights, None, False).measure()
    np.testing.assert_allclose(found.values, compute_shapley_values(np.array([game.var() for game in games])), atol=1e-9)
    y = rows.outputs[:, 0] + np.random.default_rng(1).normal(size=500)
    (found,) = RowGames(both, rows.encoded, rows.weights, y[:, None], True).measure(pairs=True, errors=False)
    components = compute_mobius_transform(-np.array([((y - game) ** 2).mean() for game in games]))
    coalitions = enumerate_coalitions(5)
    holds = coalitions[:, 0] & coalitions[:, 1]
    assert found.values[0] == pytest.approx((components[holds] / (coalitions[holds].sum(axis=1) - 1)).sum(), abs=1e-9)


def test_effects_of_gaussian_columns_are_those_of_the_closed_form():
    simulator = instashap.datasets.make_equicorrelated(6, 0.6, random_state=0)
    covariance = np.asarray(simulator.covariance)
    truth = [0.0]
    for mask in enumerate_coalitions(6)[1:]:
        known = np.flatnonzero(mask)
        own = covariance[np.ix_(known, known)]
        slopes = covariance[:, known] @ np.linalg.inv(own)
        linear, quadratic = slopes.T @ simulator.coef_linear, slopes.T @ simulator.coef_quadratic @ slopes
        truth.append(linear @ own @ linear + 2.0 * np.trace(quadratic @ own @ quadratic @ own))
    X, f = simulator.sample(3000, 1)
    frame = instashap.Explainer(synthetic_rows=0, presence_order=3).fit(X, outputs=f).importance("variance")
    names = [f"x{place}" for place in range(6)]
    errors = frame.loc[names, "value"].to_numpy() - compute_shapley_values(np.array(truth))
    assert np.abs(errors).max() < 0.02 * truth[-1]
    assert (np.abs(errors) < 3.0 * frame.loc[names, "standard_error"]).all()


def test_sobol_indices_of_independent_columns_are_those_of_the_ranking():
    levels = np.stack(np.meshgrid(range(4), range(5), range(3)), axis=-1).reshape(-1, 3).astype(float)
    X = pd.DataFrame(levels, columns=list("abc"))
    f = X["a"] + X["b"] ** 2 + X["a"] * X["b"]
    explainer = instashap.Explainer(synthetic_rows=0, presence_order=2).fit(X, outputs=f)
    ranked = explainer.rank_terms().set_index("term")["variance_share"]
    frame = explainer.importance("variance", errors=False)
    for name in "ab":
        assert frame.loc[name, "alone"] / f.var(ddof=0) == pytest.approx(ranked[name], abs=5e-3)
        assert frame.loc[name, "last"] / f.var(ddof=0) == pytest.approx(ranked[name] + ranked["a × b"], abs=5e-3)


def test_mean_magnitudes_are_those_of_the_values_with_errors_of_rows_and_fit(explainer):
    X = draw(500, 0)
    values = np.abs(explainer.shap_values(X))
    frame = explainer.importance()
    compare(frame, values.mean(axis=0), explainer.feature_names_, 1e-12)
    rows_alone = values.std(axis=0) / np.sqrt(500)
    most = explainer(X, errors=True).standard_errors.mean(axis=0)  # as if all rows moved together (Minkowski)
    names = list(explainer.feature_names_)
    errors = frame.loc[names, "standard_error"].to_numpy()
    assert (errors <= 1.5 * rows_alone + most).all()  # rows and fit vary together
    # Rows given anew count as others: their variance is added.
    apart = explainer.importance("mean_abs", X).loc[names, "standard_error"].to_numpy()
    assert (apart >= rows_alone * (1 - 1e-9)).all()
    assert (apart <= np.hypot(rows_alone, most) * (1 + 1e-6)).all()


@pytest.mark.parametrize(("fit", "expected"), [(0.0, 1.0), (-1.0, 0.0), (1.0, 2.0)])
def test_rows_and_fit_of_a_mean_magnitude_vary_together(fit, expected):
    # Magnitudes 1, 3, 2, 6, mean 3; without the first two 4, without the last two 2: (G - 1)/G sum (θ_g - mean)² = 1. The fit
    # moves these means by as much, in the same direction or against it.
    values = np.array([1.0, -3.0, 2.0, -6.0])[:, None, None]
    moves = np.sign(values)[..., None] * fit * np.sqrt(0.5) * np.array([-1.0, 1.0])
    model = SimpleNamespace(n_players=1, n_outputs=1, credits=SimpleNamespace(apply=lambda block: values))
    credits = SimpleNamespace(iterate=lambda block: [(slice(0, 4), moves / 8)])
    deviations = SimpleNamespace(n_groups=2, unit=8.0, credits=credits)
    encoded = Encoded(np.zeros((4, 1), np.int32), np.zeros((4, 1)))
    groups = [(np.array([0, 1]), np.ones(2)), (np.array([2, 3]), np.ones(2))]
    means, errors = average_rows(model, deviations, encoded, np.ones(4), groups)
    assert means.item() == 3.0
    assert errors.item() == pytest.approx(expected, abs=1e-12)


def test_intervals_are_those_of_student_and_of_sizes_rise_as_logarithms_do(explainer):
    # Student's t with 19 degrees of freedom leaves 5 % beyond 1.729133 (tables of the law).
    frame = explainer.importance("mean_abs")
    np.testing.assert_allclose(frame["value"] - frame["low"], 1.729133 * frame["standard_error"], rtol=1e-6)
    assert frame.loc["a", "high"] == pytest.approx(
        frame.loc["a", "value"] * np.exp(1.729133 * frame.loc["a", "standard_error"] / frame.loc["a", "value"]), rel=1e-6
    )
    frame = explainer.importance("variance")
    reach = frame["value"] - frame["low"]
    counts = frame["standard_error"] > 0
    assert (reach[counts] > 1.729 * frame.loc[counts, "standard_error"]).all()  # fewer degrees of freedom
    assert (reach[counts] < 2.5 * frame.loc[counts, "standard_error"]).all()
    sure = frame.loc["a"]
    assert sure["value"] > 5 * reach["a"]
    assert sure["high"] == pytest.approx(sure["value"] * np.exp(reach["a"] / sure["value"]), rel=1e-6)
    assert frame.loc["one", ["low", "high"]].tolist() == [0.0, 0.0]
    assert frame.loc[LEFT, "high"] - frame.loc[LEFT, "value"] == pytest.approx(reach[LEFT], rel=1e-6)  # not a Shapley effect
    assert reach[LEFT] == pytest.approx(1.729133 * frame.loc[LEFT, "standard_error"], rel=1e-6)
    pairs = explainer.importance("variance", pairs=True)
    np.testing.assert_allclose(pairs["high"] - pairs["value"], pairs["value"] - pairs["low"], rtol=1e-9)
    unsure, errors = np.array([0.0, 0.1, -0.1]), np.ones(3)
    _, high = find_interval(unsure, errors, 19.0, is_size=True)
    np.testing.assert_allclose(high - unsure, 1.729133 * (np.e - 1), rtol=1e-6)


def test_degrees_of_freedom_are_those_of_uneven_squares():
    # Of four squares d²: 2 (Σ d²)² / (Σ d⁴ - (Σ d²)² / 4), and 3 at most. One alone: 2 / (1 - 1/4).
    found = Importance(np.zeros(1), np.zeros(1), np.zeros(1), np.zeros(1), 0.0, 0.0, 0.0)
    for deviations, expected in (([1, -1, 1, -1], 3.0), ([5, 0, 0, 0], 8 / 3), ([3, 2, 0, 0], 338 / (97 - 169 / 4))):
        replicas = np.array([[[each, 0.0]] for each in deviations], dtype=float)
        errors, freedom = combine_replicas(np.eye(4), replicas, [found])
        assert errors[0].tolist() == [pytest.approx(np.linalg.norm(deviations)), 0.0]
        assert freedom[0].tolist() == [pytest.approx(min(expected, 3.0)), 3.0]


def test_weights_are_counts_of_rows(explainer):
    X, weights = draw(60, 5), np.arange(60) % 3
    repeated = X.iloc[np.repeat(np.arange(60), weights)].reset_index(drop=True)
    weighted = explainer.importance("variance", X, sample_weight=weights, errors=False)
    pd.testing.assert_frame_equal(weighted, explainer.importance("variance", repeated, errors=False))
    y = output(X) + np.random.default_rng(2).normal(size=60)
    weighted = explainer.importance("loss", X, y, sample_weight=weights, errors=False)
    repeated_y = np.repeat(np.asarray(y), weights)
    pd.testing.assert_frame_equal(weighted, explainer.importance("loss", repeated, repeated_y, errors=False))
    with pytest.raises(ValueError, match="X has 60 rows, y has 40"):
        explainer.importance("loss", X, repeated_y[:40], sample_weight=weights)


def test_sums_without_rows_are_enough_and_say_that_errors_are_not_known(explainer):
    refitted = explainer.refit(explainer.moments_)
    X = draw(500, 0)
    frame = refitted.importance("variance")
    compare(frame, compute_shapley_values(enumerate_variances(refitted, X)), refitted.feature_names_, 1e-8)
    assert frame.loc[NAMES, "standard_error"].isna().all()
    assert "not known" in frame.attrs["errors"]


def test_a_loaded_explainer_asks_for_rows_and_measures_on_them(explainer, tmp_path):
    explainer.save(tmp_path / "one.insta")
    loaded = instashap.load(tmp_path / "one.insta")
    with pytest.raises(instashap.NotFittedError, match="pass the rows"):
        loaded.importance("variance")
    X = draw(100, 4)
    names = explainer.feature_names_
    own = explainer.importance("variance", X, errors=False)
    compare(loaded.importance("variance", X, errors=False), own.loc[list(names), "value"], names)


def test_several_outputs_have_tables_one_below_the_other():
    X = draw(200, 0)[NAMES]
    both = pd.DataFrame({"up": X["a"], "down": -2.0 * X["b"]})
    explainer = instashap.Explainer(order=1, presence_order=1, synthetic_rows=0).fit(X, outputs=both)
    frame = explainer.importance("variance", errors=False)
    assert frame.loc[("down", "b"), "value"] > 3.5 * frame.loc[("up", "a"), "value"]
    assert frame.loc["up"].index[-1] == LEFT


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"kind": "gain"}, "use one of 'mean_abs', 'variance', 'loss'"),
        ({"kind": "loss"}, "pass X and y"),
        ({"kind": "variance", "y": [1.0]}, "uses no labels"),
        ({"kind": "mean_abs", "pairs": True}, "kind='variance' for pairs"),
    ],
)
def test_requests_that_make_no_sense_are_refused(explainer, given, words):
    with pytest.raises(ValueError, match=words):
        explainer.importance(**given)


def test_labels_on_another_scale_are_refused():
    X = draw(100, 0)[NAMES]
    counts = np.random.default_rng(0).poisson(np.exp(0.3 * X["a"]))
    model = instashap.AdditiveRegressor(loss="poisson", order=1, presence_order=1).fit(X, counts).to_explainer()
    with pytest.raises(ValueError, match="not on the scale of the labels"):
        model.importance("loss", X, counts)


def test_orders_of_an_additive_game_have_no_sampling_error_and_others_do():
    listed = sample_orders(np.ones(14), 20, np.arange(13))
    worth = np.arange(13.0)
    np.testing.assert_allclose(listed.measure_error(listed.masks @ worth), 0.0, atol=1e-12)
    assert (listed.measure_error((listed.masks @ worth) ** 3) > 0).any()


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")
def test_errors_of_a_fit_by_likelihood_count_the_fit():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 1))
    fitted = instashap.AdditiveRegressor(order=1, loss="poisson").fit(X, rng.poisson(np.exp(0.5 * X[:, 0]))).to_explainer()
    table = fitted.importance("variance")
    # The effect is b² Var x, with b = .5 and the error of b from the information of Poisson counts, sum of mu (x - mean)².
    x, mu = X[:, 0], np.exp(0.5 * X[:, 0])
    error_b = 1.0 / np.sqrt(mu @ (x - mu @ x / mu.sum()) ** 2)
    expected = np.hypot(2 * 0.5 * x.var() * error_b, 0.25 * x.var() * np.sqrt(2 / 300))
    assert table.loc["x0", "standard_error"] == pytest.approx(expected, rel=0.5)  # without the fit a third of it
    assert table.attrs["errors"] == "standard errors count the rows and the fit"
    assert table.loc["x0", "low"] < 0.25 * x.var() < table.loc["x0", "high"]
    own_rows = fitted.importance("variance", X)
    assert own_rows.loc["x0", "standard_error"] < 0.6 * expected
    assert own_rows.attrs["errors"] == "standard errors count the rows; the fit is taken as it is"
