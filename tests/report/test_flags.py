"""Boolean columns are True and False wherever a person reads them; 0 and 1 are kept for programs."""

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import instashap
from instashap.questions.kept_audit import find_kept
from instashap.trust.held_rows import Rows
from instashap.trust.segments import find_segments

plots = instashap.plots


@pytest.fixture(scope="module")
def houses() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    return pd.DataFrame({"garden": rng.random(300) < 0.4, "age": rng.uniform(0, 50, 300), "lift": rng.integers(0, 2, 300)})


@pytest.fixture(scope="module")
def fitted(houses: pd.DataFrame) -> instashap.Explainer:
    outputs = houses["garden"] * houses["age"] + houses["lift"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        made = instashap.Explainer(interactions=[("garden", "age"), ("garden", "lift")], presence_order=2, synthetic_rows=0)
        return made.fit(houses, outputs=outputs)


def test_explanations_hold_true_and_false(fitted: Any, houses: pd.DataFrame) -> None:
    with_gap = houses.head(3).assign(garden=pd.array([True, None, False], dtype="boolean"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.DataWarning)
        found = fitted(with_gap)
    assert found.data[:, 0].tolist() == [True, None, False]
    assert "garden = True" in found.to_text()
    assert "garden = missing" in found.to_text()
    assert fitted(houses).to_frame(data=True)["(value of garden)"].dtype == bool
    assert fitted(houses).to_frame(data=True)["(value of lift)"].dtype == float
    ones = fitted(houses.assign(garden=houses["garden"].astype(int)))
    assert ones.data[:, 0].tolist() == houses["garden"].tolist()  # the fit knows what 1 means


def test_axes_and_keys_of_plots_say_true_and_false(fitted: Any, houses: pd.DataFrame) -> None:
    def list_ticks(axis: Any) -> list[str]:
        return [label.get_text() for label in axis.get_ticklabels()]

    assert list_ticks(plots.plot_shape(fitted, "garden").xaxis) == ["False", "True"]
    assert list_ticks(plots.plot_shape(fitted, "lift").xaxis) == ["0", "1"]
    pair = plots.plot_shape(fitted, ("garden", "lift"))
    assert (list_ticks(pair.xaxis), list_ticks(pair.yaxis)) == (["False", "True"], ["0", "1"])
    ax = plots.plot_dependence(fitted(houses), "garden", by="lift")
    assert list_ticks(ax.xaxis) == ["False", "True"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1"]
    keys = plots.plot_dependence(fitted(houses), "age", by="garden").get_legend().get_texts()
    assert [text.get_text() for text in keys] == ["False", "True"]
    assert "garden = True" in [
        text.get_text() for text in plots.plot_waterfall(fitted(houses[houses["garden"]])[0]).get_yticklabels()
    ]


def test_shapes_are_named_as_the_report_names_them(fitted: Any) -> None:
    assert plots.plot_shape(fitted, "age").get_title() == "Effect of age given all other features"
    assert "given all others" in plots.plot_shape(fitted, ("garden", "age")).get_title()


def test_the_page_says_true_and_false(fitted: Any, houses: pd.DataFrame, open_page: Any, tmp_path: Path) -> None:
    page = open_page(instashap.write_report(fitted, houses, path=tmp_path / "flags.html"))
    page.evaluate("instashapReport.drawAll()")
    texts = page.eval_on_selector_all(".card svg text", "each => each.map((one) => one.textContent)")
    assert {"False", "True"} <= set(texts)
    assert page.eval_on_selector_all("#feature-0 option", "each => each.map((one) => one.textContent)") == ["False", "True"]
    for name, number in (("True", 1.0), ("False", 0.0)):
        page.select_option("#feature-0", label=name)
        assert page.evaluate("instashapReport.getRow()")[0] == number
        assert f"= {name}" in page.inner_text("#waterfall")
        row = houses.head(1).assign(garden=name == "True")
        assert float(page.get_attribute("#prediction", "data-value")) == pytest.approx(fitted.predict(row)[0], abs=1e-9)
    assert "True" in page.inner_text(".card[data-name=garden] p")


def test_a_segment_of_a_boolean_column_is_named(fitted: Any, houses: pd.DataFrame) -> None:
    table = fitted._fitted.read(pd.concat([houses] * 10))
    columns, n_rows = fitted._fitted.encoder.columns, table.n_rows
    rng = np.random.default_rng(0)
    residual = np.where(table.numbers[:, 0] == 1, rng.normal(size=n_rows), 0.01)[:, None]
    output = rng.normal(size=(n_rows, 1)) + residual
    encoded = fitted._fitted.encoder.encode(table)
    rows = Rows(encoded, output, np.ones(n_rows), columns, (0, 1, 2), ("garden", "age", "lift"), frozenset({"garden"}))
    (segment, *_), _ = find_segments(rows, residual, output)
    assert segment.conditions[0] == "garden is True"


def test_known_outcomes_of_strange_rows_are_not_called_missing() -> None:
    """Rows unlike the fitted ones do not judge the explanations, but their labels were given."""
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(200, 2)), columns=["a", "b"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", instashap.InstashapWarning)
        explainer = instashap.Explainer(lambda rows: rows["a"] + rows["b"], order=1, synthetic_rows=0).fit(X)
        before = explainer.audit()
        assert before.quality is None
        strange = X + 10.0
        explainer.audit(strange, strange.sum(axis=1) + rng.normal(size=200))
    kept = find_kept(explainer._fitted)
    assert kept is not None
    assert (kept.n_rows, kept.how) == (before.n_rows, before.how)
    assert kept.quality is not None
    assert kept.quality.n_rows == 200
