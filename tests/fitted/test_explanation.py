"""Explanations made by hand: slicing, frames, shap's plots, and what a notebook shows."""

import importlib
from dataclasses import FrozenInstanceError, replace
from types import ModuleType
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from instashap import Explanation, OptionalDependencyError
from instashap.fitted.explanation_text import format_value

# shap's own use of matplotlib, which we cannot mend.
pytestmark = pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")

VALUES = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0], [7.0, 8.0, 9.0], [-1.0, -2.0, -3.0]])
DATA = np.array([[10.0, 11.0, 12.0], [20.0, 21.0, 22.0], [30.0, 31.0, 32.0], [40.0, 41.0, 42.0]])
ONE = Explanation(
    values=VALUES,
    base_values=np.full(4, 10.0),
    data=DATA,
    feature_names=("age", "bmi", "sex"),
    output_names=("output",),
    output_transform="output of predict",
    standard_errors=VALUES / 100,
    output_share=np.array([0.9, 0.8, 0.7, 0.6]),
    index=pd.Index(["ann", "bob", "cy", "dee"]),
)
MANY = replace(
    ONE,
    values=np.stack([VALUES, -2 * VALUES], axis=2),
    base_values=np.tile([10.0, 20.0], (4, 1)),
    output_names=("yes", "no"),
    standard_errors=np.stack([VALUES / 100, VALUES / 50], axis=2),
)


@pytest.fixture(autouse=True)
def _close_figures() -> Any:
    yield
    plt.close("all")


def test_prediction_is_base_value_plus_the_rows_values() -> None:
    assert ONE.predictions.tolist() == [16.0, 25.0, 34.0, 4.0]
    assert MANY.predictions.tolist() == [[16.0, 8.0], [25.0, -10.0], [34.0, -28.0], [4.0, 32.0]]
    assert MANY[1:3, :, "no"].predictions.tolist() == [-10.0, -28.0]


def test_shape_and_length_are_those_of_the_values() -> None:
    assert (ONE.shape, len(ONE), ONE.has_outputs) == ((4, 3), 4, False)
    assert (MANY.shape, len(MANY), MANY.has_outputs) == ((4, 3, 2), 4, True)


@pytest.mark.parametrize(
    ("key", "rows"),
    [
        (0, [0]),
        (-1, [3]),
        (np.int64(2), [2]),
        (slice(1, 3), [1, 2]),
        (slice(None, None, -2), [3, 1]),
        ([2, 0], [2, 0]),
        (np.array([True, False, False, True]), [0, 3]),
        (DATA[:, 0] > 100, []),
        (..., [0, 1, 2, 3]),
    ],
    ids=["row", "last row", "numpy integer", "slice", "backwards", "list", "mask", "empty mask", "ellipsis"],
)
@pytest.mark.parametrize("explanation", [ONE, MANY], ids=["one output", "two outputs"])
def test_rows_are_cut_with_all_that_belongs_to_them(explanation: Explanation, key: Any, rows: list[int]) -> None:
    own_bases = explanation.base_values + (np.arange(4.0) if explanation is ONE else np.arange(8.0).reshape(4, 2))
    explanation = replace(explanation, base_values=own_bases)
    cut = explanation[key]
    assert cut.shape == (len(rows), *explanation.shape[1:])
    assert cut.values.tolist() == [explanation.values.tolist()[row] for row in rows]
    assert cut.base_values.tolist() == [explanation.base_values.tolist()[row] for row in rows]
    assert cut.data.tolist() == [DATA.tolist()[row] for row in rows]
    assert cut.standard_errors is not None
    assert cut.standard_errors.shape == cut.shape
    assert cut.output_share is not None
    assert cut.output_share.tolist() == [[0.9, 0.8, 0.7, 0.6][row] for row in rows]
    assert list(cut.index) == [["ann", "bob", "cy", "dee"][row] for row in rows]
    assert (cut.feature_names, cut.output_names) == (explanation.feature_names, explanation.output_names)


@pytest.mark.parametrize(
    ("key", "columns"),
    [
        ("bmi", [1]),
        (["sex", "age"], [2, 0]),
        (("age", "bmi"), [0, 1]),
        (1, [1]),
        (-1, [2]),
        (slice(1, None), [1, 2]),
        (np.array([True, False, True]), [0, 2]),
    ],
    ids=["name", "names", "tuple of names", "position", "last", "slice", "mask"],
)
@pytest.mark.parametrize("explanation", [ONE, MANY], ids=["one output", "two outputs"])
def test_features_are_cut_by_name_or_position_and_keep_their_axis(
    explanation: Explanation, key: Any, columns: list[int]
) -> None:
    cut = explanation[1:3, key]
    assert cut.feature_names == tuple(("age", "bmi", "sex")[column] for column in columns)
    assert cut.values.tolist() == [[explanation.values.tolist()[row][column] for column in columns] for row in (1, 2)]
    assert cut.data.tolist() == [[DATA.tolist()[row][column] for column in columns] for row in (1, 2)]
    assert cut.standard_errors is not None
    assert cut.standard_errors.shape == cut.shape
    assert cut.base_values.tolist() == explanation.base_values.tolist()[1:3]


@pytest.mark.parametrize(
    "key", [(..., "no"), (..., 1), (..., -1), (slice(None), slice(None), "no")], ids=["name", "position", "last", "slices"]
)
def test_one_output_loses_its_axis(key: Any) -> None:
    cut = MANY[key]
    assert (cut.shape, cut.has_outputs, cut.output_names) == ((4, 3), False, ("no",))
    assert cut.values[0].tolist() == [-2.0, -4.0, -6.0]
    assert cut.base_values.tolist() == [20.0] * 4
    assert cut.standard_errors is not None
    assert cut.standard_errors[0].tolist() == [0.02, 0.04, 0.06]
    assert cut.data.tolist() == DATA.tolist()


def test_a_list_of_outputs_keeps_the_axis_in_the_order_asked() -> None:
    cut = MANY[..., ["no", "yes"]]
    assert (cut.shape, cut.output_names) == ((4, 3, 2), ("no", "yes"))
    assert cut.values[0, 0].tolist() == [-2.0, 1.0]
    assert cut.base_values[0].tolist() == [20.0, 10.0]
    assert MANY[..., ["no"]].shape == (4, 3, 1)


def test_row_feature_and_output_are_cut_at_once() -> None:
    cut = MANY[2, "sex", "no"]
    assert (cut.values.tolist(), cut.base_values.tolist(), cut.data.tolist()) == ([[-18.0]], [20.0], [[32.0]])
    assert MANY[2, ..., "no"].values.tolist() == [[-14.0, -16.0, -18.0]]
    assert ONE[..., "bmi"].values.tolist() == [[2.0], [5.0], [8.0], [-2.0]]


def test_slicing_leaves_the_original_alone_and_fields_cannot_be_set() -> None:
    cut = ONE[:2]
    cut.values[:] = 0.0
    assert ONE.values[0].tolist() == [1.0, 2.0, 3.0]
    with pytest.raises(FrozenInstanceError):
        cut.game = "marginal"  # type: ignore[misc]


def test_what_is_absent_stays_absent_in_a_slice() -> None:
    bare = replace(MANY, standard_errors=None, output_share=None, index=None)[1, :, "yes"]
    assert (bare.standard_errors, bare.output_share, bare.index) == (None, None, None)
    assert (bare.game, bare.output_transform) == ("conditional", "output of predict")


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="unknown feature 'height'; there are 'age', 'bmi', 'sex'"):
        _ = ONE[:, "height"]
    with pytest.raises(KeyError, match="unknown feature 'height'"):
        _ = ONE[:, ["age", "height"]]
    with pytest.raises(KeyError, match="unknown output 'maybe'; there are 'yes', 'no'"):
        _ = MANY[..., "maybe"]


def test_keys_beyond_the_axes_or_rows_are_refused() -> None:
    with pytest.raises(IndexError, match=r"2 axes \(rows, features\), got 3 keys"):
        _ = ONE[0, 0, 0]
    with pytest.raises(IndexError, match=r"3 axes \(rows, features, outputs\), got 4 keys"):
        _ = MANY[0, 0, 0, 0]
    with pytest.raises(IndexError, match="out of bounds"):
        _ = ONE[4]
    with pytest.raises(IndexError, match="rows have no names, got 'age'; write explanation"):
        _ = ONE["age"]


def test_frame_has_a_column_a_feature_and_the_rows_labels() -> None:
    frame = ONE.to_frame()
    assert list(frame.columns) == ["age", "bmi", "sex"]
    assert list(frame.index) == ["ann", "bob", "cy", "dee"]
    assert frame.loc["bob"].tolist() == [4.0, 5.0, 6.0]
    assert list(replace(ONE, index=None).to_frame().index) == [0, 1, 2, 3]
    assert ONE[[3, 0], "bmi"].to_frame().to_dict() == {"bmi": {"dee": -2.0, "ann": 2.0}}


def test_frame_of_several_outputs_has_a_column_an_output_and_feature() -> None:
    frame = MANY.to_frame()
    assert frame.columns.names == ["output", "feature"]
    assert list(frame.columns) == [(output, feature) for output in ("yes", "no") for feature in ("age", "bmi", "sex")]
    assert frame["no"].loc["cy"].tolist() == [-14.0, -16.0, -18.0]
    assert frame.loc["cy", ("yes", "sex")] == 9.0


def test_remainder_is_what_base_value_and_values_lack_of_the_models_output() -> None:
    found = ONE.add_outputs(np.array([16.5, 25.0, 30.0, 4.0]))
    assert found.remainder is not None
    assert found.remainder.tolist() == [0.5, 0.0, -4.0, 0.0]
    assert ONE.remainder is None
    cut = found[2, "age"]  # one feature and a remainder of all would not add up to the model's output
    assert (cut.remainder, cut.model_outputs.tolist()) == (None, [30.0])
    turned = found[2, ["sex", "age", "bmi"]]
    assert (turned.values.sum() + turned.base_values + turned.remainder).tolist() == [30.0]
    both = MANY.add_outputs(np.array([[16.0, 8.0], [25.0, 0.0], [34.0, 0.0], [4.0, 32.5]]))
    assert both[3, :, "no"].remainder.tolist() == [0.5]


def test_frame_with_totals_adds_up_to_the_models_output() -> None:
    frame = ONE.add_outputs(np.array([16.5, 25.0, 30.0, 4.0])).to_frame(totals=True)
    names = ["(base value)", "age", "bmi", "sex", "(prediction)", "(remainder)", "(model output)"]
    assert list(frame.columns) == names
    assert frame.loc["cy"].tolist() == [10.0, 7.0, 8.0, 9.0, 34.0, -4.0, 30.0]
    assert list(ONE.to_frame(totals=True).columns) == names[:5]
    both = MANY.to_frame(totals=True)
    assert both["no"].loc["ann"].tolist() == [20.0, -2.0, -4.0, -6.0, 8.0]


def test_shap_gets_equal_numbers_of_its_own() -> None:
    for explanation in (ONE, MANY):
        theirs = explanation.to_shap()
        for name in ("values", "base_values", "data"):
            assert np.array_equal(getattr(theirs, name), getattr(explanation, name))
            assert not np.shares_memory(getattr(theirs, name), getattr(explanation, name))
        assert list(theirs.feature_names) == ["age", "bmi", "sex"]
    assert MANY.to_shap().output_names == ["yes", "no"]
    # shap's own Explanation takes a name of an output only with every axis written out.
    assert MANY.to_shap()[:, :, "no"].values[0].tolist() == [-2.0, -4.0, -6.0]
    assert MANY.to_shap()[:, :, "no"].base_values.tolist() == [20.0] * 4


PICKS = pytest.mark.parametrize(
    ("explanation", "factor"), [(ONE, 1.0), (MANY[..., "no"], -2.0)], ids=["one output", "of many outputs"]
)


@PICKS
def test_shaps_waterfall_draws_the_row(explanation: Explanation, factor: float) -> None:
    import shap

    axes = shap.plots.waterfall(explanation.to_shap()[0], show=False)
    written = [text.get_text().replace("−", "-") for text in axes.figure.axes[0].texts]
    assert written == [f"{factor * value:+g}" for value in (3, 2, 1)]
    figures = " ".join(tick.get_text() for twin in axes.figure.axes for tick in twin.get_xticklabels())
    assert f"= {explanation.base_values[0]:g}" in figures
    assert f"= {explanation.base_values[0] + 6 * factor:g}" in figures
    labels = " ".join(tick.get_text() for tick in axes.get_yticklabels())
    assert all(name in labels for name in ("age", "bmi", "sex"))


@PICKS
def test_shaps_bar_draws_the_mean_magnitudes(explanation: Explanation, factor: float) -> None:
    import shap

    axes = shap.plots.bar(explanation.to_shap(), show=False)
    widths = sorted(patch.get_width() for patch in axes.patches)
    # (1 + 4 + 7 + 1) / 4, (2 + 5 + 8 + 2) / 4, (3 + 6 + 9 + 3) / 4
    np.testing.assert_allclose(widths, np.array([3.25, 4.25, 5.25]) * abs(factor))


@PICKS
def test_shaps_beeswarm_draws_every_value(explanation: Explanation, factor: float) -> None:
    import shap

    axes = shap.plots.beeswarm(explanation.to_shap(), show=False, plot_size=None)
    drawn = np.concatenate([np.asarray(dots.get_offsets())[:, 0] for dots in axes.collections])
    np.testing.assert_allclose(np.unique(drawn), np.unique(factor * VALUES))


@PICKS
def test_shaps_scatter_draws_data_against_values(explanation: Explanation, factor: float) -> None:
    import shap

    axes = shap.plots.scatter(explanation.to_shap()[:, "bmi"], show=False, x_jitter=0, hist=False)
    drawn = np.concatenate([np.asarray(dots.get_offsets()) for dots in axes.collections])
    expected = np.column_stack([[11, 21, 31, 41], factor * np.array([2, 5, 8, -2])])
    assert {tuple(each) for each in drawn.tolist()} == {tuple(each) for each in expected.tolist()}


def test_shap_gets_text_columns_and_draws_them() -> None:
    import shap

    mixed = np.array([["a", 1.0, None], ["b", 2.0, "x"], ["c", 3.0, "y"], ["d", 4.0, "z"]], dtype=object)
    theirs = replace(ONE, data=mixed).to_shap()
    assert theirs.data.tolist() == mixed.tolist()
    axes = shap.plots.waterfall(theirs[1], show=False)
    assert "b = age" in [tick.get_text() for tick in axes.get_yticklabels()]


def test_missing_shap_is_reported_with_the_pip_line(monkeypatch: pytest.MonkeyPatch) -> None:
    real = importlib.import_module

    def refuse(name: str, *arguments: Any) -> ModuleType:
        if name == "shap":
            raise ImportError("No module named 'shap'")
        return real(name, *arguments)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(OptionalDependencyError, match=r"shap's plots need shap: pip install 'instashap\[shap\]'"):
        ONE.to_shap()


def test_matrices_of_interactions_are_refused_with_the_way_out() -> None:
    with pytest.raises(NotImplementedError, match=r"Explainer\.interaction_values"):
        ONE.to_shap(interactions=True)


def test_repr_names_axes_game_and_scale() -> None:
    assert repr(ONE) == "Explanation of 4 × 3 (rows, features); conditional game; output of predict"
    assert repr(MANY) == "Explanation of 4 × 3 × 2 (rows, features, outputs); conditional game; output of predict"


def read_table(page: str) -> list[list[str]]:
    """Cells of the first table of a page, its head first."""
    import re

    rows = re.findall(r"<tr>(.*?)</tr>", page)
    return [[re.sub(r"<[^>]*>", " ", cell).strip() for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row)] for row in rows]


def test_notebook_shows_predictions_and_the_largest_features_first() -> None:
    page = ONE._repr_html_()
    head, first, *_, last = read_table(page)
    assert head == ["row", "prediction", "base", "reproduced", "sex", "bmi", "age"]
    assert [cell.split() for cell in first] == [
        *(["ann"], ["16.00"], ["10.00"], ["90", "%"]),
        *(["+3.00", "12"], ["+2.00", "11"], ["+1.00", "10"]),
    ]
    assert [cell.split()[0] for cell in last] == ["dee", "4.00", "10.00", "60", "−3.00", "−2.00", "−1.00"]
    assert "conditional" in page
    assert "output of predict" in page
    assert "more" not in page


def test_notebook_escapes_names_and_data() -> None:
    data = DATA.astype(object)
    data[0, 0] = "<script>alert(1)</script>"
    nasty = replace(ONE, feature_names=("<b>", "a & b", "sex"), data=data, output_transform="output of <lambda>", game="<i>")
    page = nasty._repr_html_()
    assert "<th>&lt;b&gt;</th>" in page
    assert "a &amp; b" in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "output of &lt;lambda&gt;" in page
    assert "(&lt;i&gt; game)" in page
    assert ">&lt;u&gt;</label>" in replace(MANY, output_names=("<u>", "no"))._repr_html_()


def make_large(n_rows: int = 1207, n_features: int = 13) -> Explanation:
    """Every value is 0, except that in the last row feature k has the value k."""
    values = np.zeros((n_rows, n_features))
    values[-1] = np.arange(n_features)
    names = tuple(f"f{feature:02}" for feature in range(n_features))
    return replace(
        ONE,
        values=values,
        base_values=np.zeros(n_rows),
        data=np.zeros((n_rows, n_features)),
        feature_names=names,
        standard_errors=None,
        output_share=None,
        index=None,
    )


def test_notebook_counts_the_rows_and_features_it_hides() -> None:
    page = make_large()._repr_html_()
    assert "1,202 more rows, 3 more features" in page
    table = read_table(page)
    assert len(table) == 6
    assert table[0][3:] == [f"f{feature:02}" for feature in range(12, 2, -1)]
    assert "more features" not in make_large(n_features=10)._repr_html_()
    assert "more rows" not in make_large(n_rows=5)._repr_html_()


def test_notebook_shows_the_first_of_many_outputs_and_ranks_by_all_rows() -> None:
    large = make_large()
    many = replace(
        large, values=np.stack([large.values] * 3, axis=2), base_values=np.zeros((1207, 3)), output_names=("a", "b", "c")
    )
    page = many._repr_html_()
    assert [f">{name}</label>" in page for name in "abc"] == [True] * 3
    assert page.count("checked>") == 1
    assert "1,202 more rows, 3 more features" in page
    assert read_table(page)[0][3:] == [f"f{feature:02}" for feature in range(12, 2, -1)]


def test_notebook_colours_values_by_sign_and_size() -> None:
    page = replace(ONE[:1], values=np.array([[3.0, -1.5, 0.0]]))._repr_html_()
    assert "background:rgba(213,94,0,0.60)'>+3.00<" in page  # raises: vermilion at full strength
    assert "background:rgba(0,114,178,0.30)'>−1.50<" in page  # lowers: blue at half of it
    assert ",0.00)'>0.00<" in page


def test_notebook_shows_the_models_output_and_the_remainder() -> None:
    head, first, *_ = read_table(ONE.add_outputs(np.array([17.0, 25.0, 34.0, 4.0]))._repr_html_())
    assert head[:5] == ["row", "model output", "remainder", "prediction", "base"]
    assert first[1:4] == ["17.00", "+1.00", "16.00"]


def test_an_empty_explanation_is_shown_too() -> None:
    assert len(read_table(ONE[:0]._repr_html_())) == 1


def test_frames_carry_the_data_beside_the_values() -> None:
    data = DATA.astype(object)
    data[0, 2] = "f"
    frame = replace(ONE, data=data).to_frame(data=True)
    assert list(frame) == ["age", "bmi", "sex", "(value of age)", "(value of bmi)", "(value of sex)"]
    assert frame["(value of age)"].tolist() == [10.0, 20.0, 30.0, 40.0]
    assert frame["(value of age)"].dtype == np.float64
    assert frame.loc["ann", "(value of sex)"] == "f"
    many = MANY.to_frame(totals=True, data=True)
    assert many["(values)", "bmi"].tolist() == DATA[:, 1].tolist()
    assert many["no", "(prediction)"].tolist() == MANY.predictions[:, 1].tolist()


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (None, "missing"),
        (float("nan"), "missing"),
        (np.nan, "missing"),
        (3.14159265, "3.142"),
        (np.float32(0.1), "0.1"),
        (12519.84, "12520"),
        (2024.6066, "2024.61"),  # in August 2024: four digits would say 2025
        (2024.0, "2024"),
        (-1234567.0, "-1234567"),
        (123456789.0, "1.235e+08"),
        (7, "7"),
        (np.int64(1234567), "1234567"),
        ("north", "north"),
        (True, "True"),
    ],
)
def test_a_value_is_shown_for_a_person(value: Any, shown: str) -> None:
    assert format_value(value) == shown
