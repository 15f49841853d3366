"""An additive classifier as a table of points."""

import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveClassifier

RNG = np.random.default_rng(0)
X = pd.DataFrame({"level": RNG.integers(0, 3, 300).astype(float), "kind": RNG.choice(["a", "b"], 300)})
Y = np.where(RNG.random(300) < 1 / (1 + np.exp(-(X["level"] - 1 + (X["kind"] == "a")))), "good", "bad")


@pytest.fixture(scope="module")
def classifier():
    return AdditiveClassifier(order=1).fit(X, Y)


def test_scores_of_levels_are_scaled_log_odds(classifier):
    card = classifier.scorecard(X, pdo=20, base=600, odds=50, decimals=6)
    expected = 600 + 20 / np.log(2) * (classifier.decision_function(X) - np.log(50))
    np.testing.assert_allclose(card.score(X), expected, atol=1e-4)  # rounded points
    assert card.agreement == pytest.approx(1.0, abs=1e-9)


def test_pdo_points_double_the_odds(classifier):
    card = classifier.scorecard(X, pdo=30, decimals=6)
    odds = np.exp(classifier.decision_function(X))
    low, high = int(np.argmin(odds)), int(np.argmax(odds))
    scores = card.score(X)
    assert 2 ** ((scores[high] - scores[low]) / 30) == pytest.approx(odds[high] / odds[low], rel=1e-5)


def test_a_score_is_the_sum_of_its_rows_in_the_table(classifier, tmp_path):
    card = classifier.scorecard(X)
    card.write(tmp_path / "card.csv")
    table = pd.read_csv(tmp_path / "card.csv")
    points = table.set_index(["term", "bin"])["points"]
    row = X.iloc[:1]
    bins = {0.0: "up to 0.5", 1.0: "above 0.5, up to 1.5", 2.0: "above 1.5"}
    parts = points["level", bins[row["level"].iloc[0]]], points["kind", row["kind"].iloc[0]]
    assert card.score(row)[0] == points["(offset)", "every row"] + sum(parts)
    assert set(points) == {float(round(each)) for each in points}
    assert table.loc[table["term"] == "kind", "rows"].sum() == len(X)


def test_the_other_class_turns_the_points_around(classifier):
    one, other = (classifier.scorecard(X, good=each, decimals=6, odds=1, base=0) for each in ("good", "bad"))
    np.testing.assert_allclose(one.score(X), -other.score(X), atol=1e-4)


def test_reasons_of_a_classifier_are_on_log_odds(classifier):
    scores = classifier.decision_function(X)
    report = classifier.reasons(X[:20], reference=X[scores > np.median(scores)])
    np.testing.assert_allclose(report.outputs, scores[:20])
    assert set(report.table["feature"]) <= {"level", "kind"}
    assert len(report.table)


def test_what_is_no_scorecard_is_refused(classifier, tmp_path):
    with pytest.raises(ValueError, match="good='best' is none of the classes"):
        classifier.scorecard(X, good="best")
    with pytest.raises(ValueError, match="n_bins=0"):
        classifier.scorecard(X, n_bins=0)
    with pytest.raises(ValueError, match=r"use the ending \.csv"):
        classifier.scorecard(X).write(tmp_path / "card.xlsx")
    three = AdditiveClassifier(order=1).fit(X[["level"]], X["level"])
    with pytest.raises(ValueError, match="two classes, the model has 3"):
        three.scorecard(X[["level"]])
