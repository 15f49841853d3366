"""Audits of models that are their own explanation: what can be wrong of them, and what not."""

import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import d2_pinball_score, d2_tweedie_score

import instashap
from instashap.blackbox.aims import Aim, find_aim
from instashap.trust.figures import Figure
from instashap.trust.words import describe_quality, interval, write_r2


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    a = rng.normal(size=300)
    return pd.DataFrame({"a": a, "b": 0.6 * a + 0.8 * rng.normal(size=300)})


@pytest.fixture(scope="module")
def labels(rows: pd.DataFrame) -> np.ndarray:
    noise = np.random.default_rng(1).logistic(size=300)
    return np.where(rows["a"] + rows["b"] + noise > 0, "yes", "no")


@pytest.fixture(scope="module")
def model(rows: pd.DataFrame, labels: np.ndarray) -> instashap.AdditiveClassifier:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        return instashap.AdditiveClassifier(order=1).fit(rows[:200], labels[:200])


def test_a_fit_by_likelihood_is_exact_and_its_quality_is_its_score(
    model: instashap.AdditiveClassifier, rows: pd.DataFrame, labels: np.ndarray
) -> None:
    report = model.to_explainer().audit(rows[200:], labels[200:])
    assert report.is_exact
    assert report.rungs[-1].carried.value == pytest.approx(1.0, abs=1e-12)
    assert report.quality is not None
    assert report.quality.value.value == pytest.approx(model.score(rows[200:], labels[200:]))
    assert report.quality.guess == pytest.approx(max(np.mean(labels[200:] == "yes"), np.mean(labels[200:] == "no")))
    assert not report.quality.is_training
    assert "is its own explanation" in report.summary()
    assert "better than a guess" in describe_quality(report)


def test_labels_that_a_model_was_trained_on_are_named_so(
    model: instashap.AdditiveClassifier, rows: pd.DataFrame, labels: np.ndarray
) -> None:
    report = model.to_explainer().audit(rows[:200], labels[:200])
    assert report.quality is not None
    assert report.quality.is_training
    assert report.how == "cross-fitted"
    assert "it was trained on" in report.summary()


def test_an_edited_model_is_audited_as_it_is_now(rows: pd.DataFrame, labels: np.ndarray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        edited = instashap.AdditiveClassifier(order=1).fit(rows[:200], labels[:200]).remove_term("b")
    report = edited.to_explainer().audit()
    assert (report.is_exact, report.how) == (True, "cross-fitted")
    assert report.rungs[-1].carried.value == pytest.approx(1.0, abs=1e-12)


def test_shares_below_zero_are_not_written_as_numbers() -> None:
    assert "−" not in interval(Figure(-3.52, -4.0, -3.0)) + write_r2(Figure(-3.52, -4.0, -3.0))
    assert "-" not in interval(Figure(0.1, -3.52, 0.4)) + write_r2(Figure(0.1, -3.52, 0.4))


LOSSES = {
    "poisson": lambda target, given: d2_tweedie_score(target, given, power=1),
    "gamma": lambda target, given: d2_tweedie_score(target, given, power=2),
    "quantile": lambda target, given: d2_pinball_score(target, given, alpha=0.8),
}


@pytest.mark.parametrize("loss", LOSSES)
def test_models_of_amounts_are_judged_by_what_they_aim_at(rows: pd.DataFrame, loss: str) -> None:
    rng = np.random.default_rng(2)
    mean = np.exp(1.0 + 0.5 * rows["a"] + 0.3 * rows["b"])
    target = rng.poisson(mean) if loss == "poisson" else rng.gamma(2.0, mean / 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        model = instashap.AdditiveRegressor(order=1, loss=loss, quantile=0.8).fit(rows[:200], target[:200])
        judged = [(model, model.to_explainer().audit(rows[200:], target[200:]))]
        if loss == "quantile":
            boosted = HistGradientBoostingRegressor(loss=loss, quantile=0.8, max_iter=20).fit(rows[:200], target[:200])
            explainer = instashap.Explainer(boosted, order=1, synthetic_rows=0).fit(rows[:200])
            judged.append((boosted, explainer.audit(rows[200:], target[200:])))
    for one, report in judged:
        assert report.quality is not None
        expected = LOSSES[loss](target[200:], one.predict(rows[200:]))
        assert report.quality.value.value == pytest.approx(expected, abs=1e-6)
        assert ("pinball loss" if loss == "quantile" else "deviance") in describe_quality(report)
        assert not report.black_box  # R² would call a good quantile worse than a guess


def test_losses_of_boosting_libraries_are_read_from_their_options() -> None:
    lightgbm = pytest.importorskip("lightgbm")
    for options, expected in (
        ({"objective": "poisson"}, Aim("poisson", is_log=False)),
        ({"objective": "quantile", "alpha": 0.3}, Aim("quantile", 0.3)),
        ({"objective": "mae"}, Aim("quantile", 0.5)),
        ({}, None),
    ):
        assert find_aim(lightgbm.LGBMRegressor(**options), "output of predict") == expected
    assert find_aim(lightgbm.LGBMRegressor(objective="gamma"), "raw score (raw_score)") == Aim("gamma", is_log=True)
