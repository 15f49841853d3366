"""Audits of models that are their own explanation: what can be wrong of them, and what not."""

import warnings

import numpy as np
import pandas as pd
import pytest

import instashap
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
