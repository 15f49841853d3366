"""What notebooks show of explainers, estimators and reports: true, short, and readable on any background."""

import re

import numpy as np
import pandas as pd
import pytest

from instashap import AdditiveRegressor, Explainer, Marginal, TrustReport
from instashap.questions.check import DriftReport
from instashap.trust.figures import Figure
from instashap.trust.report import Rung


@pytest.fixture(scope="module")
def table():
    rng = np.random.default_rng(0)
    return pd.DataFrame({"age": rng.normal(size=200), "<b>": rng.choice(["x", "y"], 200), "c": rng.normal(size=200)})


def predict(X):
    return 3 * X["age"].to_numpy() + (X["<b>"] == "x").to_numpy()


@pytest.fixture(scope="module")
def explainer(table):
    return Explainer(predict, order=1, synthetic_rows=0, output_name="price").fit(table)


def read_rows(page):
    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [[re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_an_explainer_shows_its_fit_and_its_features(explainer, table):
    page = explainer._repr_html_()
    facts = dict(row for row in read_rows(page) if len(row) == 2)
    assert "<b>Explainer of function</b>" in page
    assert (facts["explained"], facts["rows of the fit"]) == ("price (output of predict)", "200")
    means = np.abs(explainer.shap_values(table)).mean(axis=0)
    assert float(facts["age"]) == pytest.approx(means[0], rel=1e-3)
    assert float(facts["&lt;b&gt;"]) == pytest.approx(means[1], rel=1e-3)
    assert len(page) < 6000
    assert "<script" not in page


def test_boxes_scroll_and_take_the_colours_of_the_page(explainer, table):
    figure = Figure(0.9, 0.8, 0.95)
    report = TrustReport((Rung(0, 0, Figure(0.0, 0.0, 0.0)), Rung(1, 1, figure)), 200, "new rows", "output of predict", {})
    for each in (explainer, explainer(table), report):
        page = each._repr_html_()
        assert "max-height:32em;overflow:auto" in page
        assert "color:inherit" in page
        # No colour of text or ground but translucent tints, and badges that have both.
        grounds = re.findall(r"background:([^;'}]*)", page)
        assert all(ground.startswith(("rgba", "linear-gradient", "#")) for ground in grounds)
        assert all(page.split(ground, 1)[1].startswith(";color:#fff") for ground in grounds if ground.startswith("#"))
        assert len(repr(each)) < 300


def test_an_unfitted_or_loaded_explainer_is_shown_too(explainer, tmp_path):
    from instashap import load

    assert "not fitted" in Explainer(predict)._repr_html_()
    explainer.save(tmp_path / "a.insta")
    loaded = load(tmp_path / "a.insta")._repr_html_()
    assert "rows of the fit" in loaded
    assert "mean |Shapley value|" not in loaded


def test_an_estimator_shows_its_fit_also_where_notebooks_prefer_bundles(table):
    model = AdditiveRegressor(order=1)
    assert "sk-" in model._repr_html_()  # scikit-learn's own view
    model.fit(table, predict(table))
    bundle = model._repr_mimebundle_(include=None, exclude=None)
    assert bundle["text/html"] == model._repr_html_()
    assert bundle["text/plain"] == repr(model) == "AdditiveRegressor(order=1)"
    assert "<b>AdditiveRegressor</b>" in bundle["text/html"]


def test_games_that_ask_the_model_are_shown():
    X = np.random.default_rng(0).normal(size=(40, 2))
    page = Explainer(lambda X: X @ [1.0, 2.0], order=1, value_function=Marginal(X[:10])).fit(X)._repr_html_()
    assert "marginal" in page


def test_a_check_is_a_sentence_with_a_badge():
    moved = DriftReport(0.0004, "size", 0.3, 0.1, 50, 0)
    assert repr(moved) == f"DriftReport: {moved.summary()}"
    assert ">changed</span>" in moved._repr_html_()
    assert ">no sign of a change</span>" in DriftReport(0.4, "size", 0.1, 0.1, 50, 0)._repr_html_()
