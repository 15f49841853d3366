"""Periodic columns in fits by likelihood: dense penalised least squares on the circle, and simulated waves across midnight."""

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap import AdditiveClassifier, AdditiveRegressor, Periodic
from instashap.likelihood.losses.squared_error import Gaussian
from instashap.likelihood.roughness import Roughness, TermStrengths
from instashap.likelihood.stages import FoldState, LabelledRows
from instashap.likelihood.steps import PenalisedLoss
from instashap.likelihood.tables import TableDesign
from instashap.survival import AdditiveSurvival
from instashap.table.chosen_bases import choose_bases
from instashap.table.columns import read_table
from instashap.table.encoding import learn_table
from instashap.table.grain import make_fine_grain

pytestmark = pytest.mark.filterwarnings("ignore::instashap.FitWarning", "ignore::instashap.DataWarning")

ENDS = np.array([[0.0, 0.3], [24.0, 0.3]])


def encode_hours(n_rows, period=24):
    rng = np.random.default_rng(0)
    X = np.column_stack([rng.integers(0, period, n_rows), rng.normal(size=n_rows)]).astype(float)
    table = choose_bases(read_table(X), {0: Periodic(period)})
    encoder, columns = learn_table(table, np.ones(n_rows), make_fine_grain(float(n_rows)))
    return X, columns, encoder.encode(table)


def make_circle(knots):
    """Squared second differences around equally spaced knots, on the scale of fits by likelihood, from (1, -2, 1) alone."""
    differences = np.roll(np.eye(knots), -1, axis=1) + np.roll(np.eye(knots), 1, axis=1) - 2 * np.eye(knots)
    return differences.T @ differences


def test_a_fit_is_that_of_the_dense_equations_on_the_circle(spread_term):
    X, columns, encoded = encode_hours(600)
    y = np.sin(X[:, 0] * np.pi / 12) + 0.1 * X[:, 1]
    design = TableDesign(columns, ((0,),), 1)
    strengths = TermStrengths(np.array([7.0]), np.array([0.2]))
    loss = PenalisedLoss(Gaussian(), design, Roughness(design), LabelledRows(encoded, y, np.ones(600)))
    start = FoldState(np.zeros(len(design)), strengths, np.zeros(1), 1.0)
    found = design.view(loss.descend(start, 200, 1e-20).vector, 0)[:, 0]
    # Unknowns: the value of missing hours, of 24 hours, and the intercept. Hours 0 and 1 are stored twice, so that their
    # squares count twice.
    local = spread_term(columns, (0,), encoded)
    assert local.shape[1] == 1 + 24 + 2
    rows = np.hstack([local[:, 1:25], np.ones((600, 1))])
    rows[:, :2] += local[:, 25:]
    prior = np.zeros((25, 25))
    prior[:24, :24] = 7.0 * make_circle(24) + 0.2 * np.diag([2.0, 2.0] + [1.0] * 22)
    exact = np.linalg.solve(rows.T @ rows + prior, rows.T @ y)
    np.testing.assert_allclose(found[1:25], exact[:24], atol=2e-3)  # weights of intervals differ by a hundredth
    np.testing.assert_array_equal(found[25:], found[1:3])


@pytest.mark.parametrize("n_knots", [12, 2])
def test_the_prior_is_that_of_the_circle(n_knots):
    # Twelve months; and halves of a period, whose neighbours on both sides are the same.
    _, columns, _ = encode_hours(60 if n_knots == 2 else 600, 4 if n_knots == 2 else 12)
    size = 3 if n_knots == 2 else 1
    axis = columns[0].axes[size - 1]
    assert axis.expansion.shape[1] == n_knots
    design = TableDesign((columns[0],) * size, (tuple(range(size)),), 1)
    prior = Roughness(design)
    curve = np.random.default_rng(1).normal(size=n_knots)
    table = axis.expansion @ curve
    table[0] = 0.0 if size == 1 else 1.0
    for _ in range(size - 1):
        table = np.multiply.outer(table, axis.expansion @ np.ones(n_knots) + np.eye(axis.basis.n_functions)[0])
    vector = np.append(table.ravel(), 0.0)
    cost = vector @ prior.multiply(vector, TermStrengths(np.array([3.0]), np.array([0.0])))
    expected = 3.0 * curve @ make_circle(n_knots) @ curve
    copies = axis.basis.n_functions ** (size - 1)
    assert cost == pytest.approx(expected * copies, rel=0.02)


def test_differences_from_copies_use_no_freedom():
    _, columns, _ = encode_hours(600)
    (spectrum,) = Roughness(TableDesign(columns, ((0,),), 1)).spectra
    circle = np.linalg.eigvalsh(make_circle(24) / np.outer(*[np.r_[np.sqrt([2.0, 2.0]), np.ones(22)]] * 2))
    np.testing.assert_allclose(np.sort(spectrum)[1:25], circle, atol=0.05)
    assert np.sort(spectrum)[25:].min() > 1e9


def draw(n_rows):
    """Hours without midnight, and a column that follows them."""
    rng = np.random.default_rng(3)
    hours = rng.uniform(1.0, 23.0, n_rows)
    return np.column_stack([hours, rng.normal(size=n_rows) + 0.8 * np.cos((hours - 3) * np.pi / 12)]), rng


def wave(X):
    return 1.5 * np.cos((X[:, 0] - 23.5) * np.pi / 12) + 0.5 * X[:, 1]


@pytest.mark.parametrize("kind", ["classes", "counts", "monotone"])
def test_scores_of_hours_that_were_not_seen_are_read_across_midnight(kind):
    X, rng = draw(3000)
    if kind == "classes":
        model = AdditiveClassifier(bases={0: Periodic(24)}, order=1)
        y = rng.random(3000) < 1 / (1 + np.exp(-wave(X)))
    elif kind == "counts":
        model = AdditiveRegressor(bases={0: Periodic(24)}, order=1, loss="poisson")
        y = rng.poisson(np.exp(wave(X)))
    else:
        model = AdditiveRegressor(bases={0: "periodic"}, order=1, monotone_constraints={1: 1})
        X[:, 0] = np.clip(np.round(X[:, 0]), 1, 23)
        y = wave(X) + 0.5 * rng.normal(size=3000)
    explainer = model.fit(X, y).to_explainer()
    scores = explainer.predict(ENDS)
    assert scores[0] == pytest.approx(scores[1], abs=1e-12)
    assert scores[0] == pytest.approx(wave(ENDS)[0], abs=0.25)
    np.testing.assert_allclose(np.diff(model.shap_values(ENDS), axis=0), 0.0, atol=1e-12)


def test_every_function_of_a_pair_ends_as_it_begins(tmp_path):
    X, rng = draw(2000)
    score = wave(X) + X[:, 1] * np.sin(X[:, 0] * np.pi / 12)
    y = rng.random(2000) < 1 / (1 + np.exp(-score))
    model = AdditiveClassifier(bases={0: Periodic(24)}, interactions=[(0, 1)]).fit(X, y)
    assert model.term_features_ == [(0,), (1,), (0, 1)]
    np.testing.assert_allclose(np.diff(model.eval_terms(ENDS), axis=0), 0.0, atol=1e-10)  # purified, too
    model.save(tmp_path / "hours.insta")
    loaded = instashap.load(tmp_path / "hours.insta")
    np.testing.assert_array_equal(loaded.shap_values(X), model.shap_values(X))
    assert np.ptp(model.explain(ENDS, errors=True).standard_errors, axis=0).max() < 1e-6


def test_classes_of_a_periodic_column_end_together():
    X, rng = draw(900)
    y = np.digitize(wave(X) + rng.logistic(size=900), [-1, 1])
    model = AdditiveClassifier(bases={0: Periodic(24)}, order=1).fit(X, y)
    probabilities = model.predict_proba(ENDS)
    np.testing.assert_allclose(probabilities[0], probabilities[1], atol=1e-12)


def test_hazards_of_a_periodic_column_end_together():
    X, rng = draw(400)
    times = rng.exponential(np.exp(-wave(X)))
    frame = pd.DataFrame(X, columns=["hour", "x"])
    model = AdditiveSurvival(n_periods=5, order=1, bases={"hour": Periodic(24)}).fit(frame, np.minimum(times, 2.0), times < 2.0)
    survival = model.predict_survival(pd.DataFrame(ENDS, columns=["hour", "x"]))
    np.testing.assert_allclose(survival[0], survival[1], atol=1e-12)
    explained = model.to_explainer(frame, [1.0]).predict(pd.DataFrame(ENDS, columns=["hour", "x"]))
    assert explained[0] == pytest.approx(explained[1], abs=1e-9)


def test_a_column_has_a_chosen_basis_or_a_constraint():
    X, _ = draw(100)
    with pytest.raises(ValueError, match=r"bases and monotone_constraints both name \['x0'\]; .* leave these columns out"):
        AdditiveRegressor(bases={0: "periodic"}, monotone_constraints={0: 1}).fit(X, X[:, 1])
