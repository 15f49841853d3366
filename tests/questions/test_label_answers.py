"""Standard errors, ranking and check() of models fitted by likelihood, and of edited ones."""

import numpy as np
import pytest

import instashap
from instashap import AdditiveClassifier, AdditiveRegressor, NotFittedError
from instashap.questions.answers import get_errors

RNG = np.random.default_rng(0)
# A level of each column: with two values a shape function has one free coefficient, whose error is known.
X = RNG.integers(0, 2, (400, 2)).astype(float)
Y = RNG.random(400) < 1 / (1 + np.exp(-(2 * X[:, 0] - 1)))


@pytest.fixture(scope="module")
def classifier():
    return AdditiveClassifier(order=1).fit(X, Y)


def test_the_error_of_a_log_odds_is_that_of_the_two_by_two_table(classifier):
    explanation = classifier.explain(np.array([[0.0, 0.0], [1.0, 0.0]]), errors=True)
    # The difference of two log-odds has the variance 1/a + 1/b + 1/c + 1/d (Woolf 1955); a value is half of the difference.
    cells = [np.sum((X[:, 0] == level) & (label == Y)) for level in (0, 1) for label in (False, True)]
    expected = 0.5 * np.sqrt(np.sum(1 / np.array(cells)))
    assert explanation.standard_errors[:, 0] == pytest.approx([expected] * 2, rel=0.4)  # 19 degrees of freedom


def test_errors_of_predictions_and_shapes_are_there(classifier):
    explainer = classifier.to_explainer()
    _, errors = explainer.predict(X[:5], errors=True)
    _, shapes = explainer.interaction_values(X[:5], errors=True)
    _, mobius = explainer.mobius_values(X[:5], [0], errors=True)
    assert (errors > 0.05).all()
    assert (errors < 0.5).all()
    np.testing.assert_allclose(mobius, shapes[:, 0], rtol=1e-6)


def test_a_term_that_was_set_by_hand_has_no_error_left(classifier):
    model = AdditiveClassifier(order=1).fit(X, Y)
    before = classifier.explain(X[:5], errors=True).standard_errors
    model.remove_term(0)
    _, shapes = model.to_explainer().interaction_values(X[:5], errors=True)
    after = model.explain(X[:5], errors=True).standard_errors
    np.testing.assert_allclose(shapes[:, 0], 0.0, atol=1e-9)
    np.testing.assert_allclose(after[:, 1], before[:, 1], rtol=0.05)


def test_terms_are_ranked_by_the_scores(classifier):
    ranking = classifier.to_explainer().rank_terms()
    assert ranking["term"].tolist() == ["x0", "x1"]
    scores = classifier.decision_function(X)
    share = np.var(classifier.eval_terms(X)[:, 0]) / np.var(scores)
    assert ranking["variance_share"].iloc[0] == pytest.approx(share, abs=0.05)


def test_check_finds_another_model_on_any_rows(classifier):
    explainer = classifier.to_explainer()
    same = explainer.check(X[:50], classifier)
    assert not same.has_moved
    assert "its outputs are those of the fitted one" in same.summary()
    other = AdditiveClassifier(order=1).fit(X[:200], Y[:200])
    moved = explainer.check(X[:50], other)
    assert moved.has_moved
    assert moved.evidence == "equality"
    assert "its outputs differ by" in str(moved)


def test_loaded_models_are_checked_but_have_no_errors(classifier, tmp_path):
    classifier.save(tmp_path / "model.insta")
    loaded = instashap.load(tmp_path / "model.insta")
    assert not loaded.check(X[:50], classifier).has_moved
    with pytest.raises(NotFittedError, match="call fit again"):
        loaded(X[:5], errors=True)


def test_an_edited_fit_of_squares_has_no_errors():
    model = AdditiveRegressor(order=1).fit(X, X[:, 0] + RNG.normal(size=400)).remove_term(1)
    with pytest.raises(NotFittedError, match="squared error are not known"):
        model.explain(X[:5], errors=True)


def test_errors_of_a_monotone_fit_count_how_far_smoothing_moves_it():
    # Smoothed once more, with the same strengths, a steep curve moves by about what the first smoothing took.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 1))
    model = AdditiveRegressor(order=1, monotone_constraints={0: 1}, warm_start=True)
    model.fit(x, 1.5 * np.tanh(5 * x[:, 0]) + 1.5 * rng.normal(size=200))
    places, fitted = np.linspace(-1.5, 1.5, 13)[:, None], model.to_explainer()._fitted
    found = [deviations for _, deviations in get_errors(fitted).credits.iterate(fitted.encoder.encode(fitted.read(places)))]
    values = model.explain(places).values
    moved = model.fit(x, model.predict(x)).explain(places).values - values
    assert np.abs(moved).max() > 0.1
    unit = fitted.output_unit
    np.testing.assert_allclose(unit * found[0][:, 0, 0, -1], moved[:, 0], atol=0.02)
