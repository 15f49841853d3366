"""Columns named by an option: a table's labels win over positions, and what can be read in two ways is refused."""

import copy
import pickle
import warnings
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

import instashap
from instashap import AdditiveRegressor, DataWarning, Explainer, explain_change, load
from instashap._validation import ColumnName, find_column, find_columns, name_columns
from instashap.blackbox.adapters.families import order_columns, refuse_other_order
from instashap.explain.directions import check_monotone
from instashap.plots.arguments import find_output
from instashap.preparing import prepare

RNG = np.random.default_rng(0)
# Labels 0, 2, 3, 4: label 2 is at position 1. The output is the product of the columns 2 and 3.
GAPS = pd.DataFrame(RNG.normal(size=(600, 5))).drop(columns=1)
PRODUCT = GAPS[2] * GAPS[3]


@pytest.fixture(scope="module")
def explainer() -> Explainer:
    return Explainer().fit(GAPS, outputs=PRODUCT)


@pytest.mark.parametrize(
    ("labels", "column", "position"),
    [
        (["a", "b", "c"], "b", 1),
        (["a", "b", "c"], 2, 2),
        (["a", "b", "c"], np.int64(2), 2),
        ([0, 2, 3, 4], 3, 2),
        ([0, 2, 3, 4], np.int64(3), 2),
        ([0, 2, 3, 4], 3.0, 2),
        ([0, 2, 3, 4], "3", 2),
        ([1, 0], 0, 1),
        ([0.0, 2.0, 3.0], 2, 1),
        (["x", 7, "y"], 7, 1),
        (["2019", "2020"], 2020, 1),
        (["0", "1", "2"], 1, 1),
        ([True, False], False, 1),
        ([("a", 1), ("b", 0)], ("b", 0), 1),
        ([("a", 1), ("b", 0)], 1, 1),
        ([pd.Timestamp("2020-01-01"), pd.Timestamp("2021-01-01")], pd.Timestamp("2021-01-01"), 1),
    ],
)
def test_a_label_wins_over_a_position(labels, column, position):
    assert find_column(column, name_columns(labels), "groups") == position


@pytest.mark.parametrize(
    ("labels", "column", "message"),
    [
        ([0, 2, 3, 4], 1, "groups names column 1, and no column has this label; the labels are 0, 2, 3, 4"),
        ([0, 2, 3, 4], -1, "no column has this label"),
        (["x", 7, "y"], 0, "no column has this label"),
        (["1", "0"], 0, "name of one column and the position of another: write '0' for the first, or '1' for the second"),
        (["a", "b"], 2, "groups names column 2, the table has columns 0 to 1"),
        (["a", "b"], -1, "groups names column -1, the table has columns 0 to 1"),
        ([1, 0], True, "groups names the unknown column True"),
        ([("a", 1), ("b", 0)], ("b", 2), r"unknown column \('b', 2\)"),
        (["a", "b"], ["a"], r"unknown column \['a'\]"),
    ],
)
def test_what_is_no_label_or_can_be_read_in_two_ways_is_refused(labels, column, message):
    with pytest.raises(ValueError, match=message):
        find_column(column, name_columns(labels), "groups")


def test_the_advice_for_a_number_of_two_meanings_is_understood():
    names = name_columns(["1", "0"])
    assert [find_column(each, names, "groups") for each in ("0", "1")] == [1, 0]


def test_a_tuple_is_one_column_if_it_is_a_label():
    names = name_columns([("a", 1), ("b", 0)])
    assert find_columns(("b", 0), names, "term") == [1]
    assert find_columns((("b", 0), ("a", 1)), names, "term") == [1, 0]
    assert find_columns(("y", "x"), ["x", "y"], "term") == [1, 0]


def test_a_label_survives_copies_and_is_text_everywhere_else():
    for name in (pickle.loads(pickle.dumps(ColumnName(("a", 1)))), copy.deepcopy(ColumnName(("a", 1)))):
        assert name == "('a', 1)"
        assert name.label == ("a", 1)


@pytest.mark.filterwarnings("ignore::instashap.FitWarning")  # main effects say nothing of a product
def test_groups_interactions_and_categories_take_labels():
    assert Explainer(groups={"g": [2, 3]}, order=1).fit(GAPS, outputs=PRODUCT).feature_names_ == ("0", "g", "4")
    assert "2 × 3" in Explainer(interactions=[(2, 3)]).fit(GAPS, outputs=PRODUCT).term_names_
    codes = GAPS.assign(**{}).astype({3: float})
    codes[3] = np.arange(600) % 40
    fitted = Explainer(categorical=[3], order=1).fit(codes, outputs=codes[3] % 2)
    assert fitted._fitted.schema.is_category == (False, False, True, False)
    # With a coefficient for each code, the parity of the code is explained; 0.5 is the mean of parities.
    np.testing.assert_allclose(fitted.shap_values(codes)[:, 2], codes[3] % 2 - 0.5, atol=0.02)


def test_directions_by_label_series_or_position_belong_to_their_columns():
    names = name_columns([0, 2, 3, 4])
    flags = [False] * 4
    assert check_monotone({3: -1}, names, flags) == (0, 0, -1, 0)
    assert check_monotone([0, 0, 1, -1], names, flags) == (0, 0, 1, -1)
    assert check_monotone(pd.Series({4: 1, 2: -1}), names, flags) == (0, -1, 0, 1)
    assert check_monotone(pd.Series({"b": 1, "a": 0}), ["a", "b"], [False, False]) == (0, 1)


def test_mobius_values_and_slices_go_by_label_and_so_does_a_loaded_explainer(explainer, tmp_path):
    explainer.save(tmp_path / "e.insta", errors=False)
    loaded = load(tmp_path / "e.insta")
    for each in (explainer, loaded):
        assert np.corrcoef(each.mobius_values(GAPS, [2, 3]), PRODUCT)[0, 1] > 0.9
        with pytest.raises(ValueError, match="players names column 1, and no column has this label"):
            each.mobius_values(GAPS, [1, 2])
        with pytest.raises(ValueError, match=r"players names a feature twice: \['2', '2'\]"):
            each.mobius_values(GAPS, [2, "2"])
        explanation = each(GAPS[:5])
        assert explanation[:, 3].feature_names == ("3",)
        np.testing.assert_array_equal(explanation[:, 3].values[:, 0], explanation.values[:, 2])
        assert explanation[:, [4, "2"]].feature_names == ("4", "2")
        assert explanation[:, 1:3].feature_names == ("2", "3")
        assert explanation[:, np.array([True, False, False, True])].feature_names == ("0", "4")


def test_a_slice_by_a_number_that_may_mean_two_features_is_refused(explainer):
    explanation = explainer(GAPS[:5])
    for key in (1, -1, [1]):
        with pytest.raises(KeyError, match="no column has this label"):
            explanation[:, key]
    with pytest.raises(KeyError, match="may hold labels or positions"):
        explanation[:, np.array([2, 3])]


def test_where_labels_count_the_columns_numbers_are_both_and_slices_go_on_as_in_numpy():
    X = pd.DataFrame(RNG.normal(size=(200, 3)))
    explanation = Explainer(order=1).fit(X, outputs=X[0])(X)
    assert explanation[:, -1].feature_names == ("2",)
    assert explanation[:, np.array([2, 0])].feature_names == ("2", "0")


def test_tables_of_several_header_levels_are_named_by_tuples():
    X = GAPS.copy()
    X.columns = pd.MultiIndex.from_tuples([("a", 0), ("a", 1), ("b", 0), ("b", 1)])
    explainer = Explainer(interactions=[(("a", 1), ("b", 0))]).fit(X, outputs=PRODUCT)
    assert explainer.term_names_[-1] == "('a', 1) × ('b', 0)"
    assert explainer(X)[:, ("b", 0)].feature_names == ("('b', 0)",)
    ax = instashap.plots.plot_shape(explainer, ("b", 0))
    titles = [ax.get_title(loc=place) for place in ("left", "center", "right")]
    plt.close("all")
    assert "('b', 0)" in "".join(titles)


def test_shapes_of_an_estimator_are_set_by_label():
    model = AdditiveRegressor(order=1).fit(GAPS, 2 * GAPS[2] + GAPS[3])
    before = model.shap_values(GAPS)
    after = model.remove_term(2).shap_values(GAPS)
    assert np.abs(after[:, 1]).max() < 0.01 < np.abs(before[:, 1]).max()
    np.testing.assert_allclose(after[:, 2], before[:, 2], atol=0.1)


def test_outputs_named_by_numbers_are_refused_where_the_position_is_another():
    assert find_output(1, ("a", "b")) == 1
    assert find_output(7, ("3", "7")) == 1
    assert find_output("1", ("1", "2")) == 0
    with pytest.raises(ValueError, match="output=1 is the name of one output and the position of another: write '1' for"):
        find_output(1, ("1", "2"))


def test_models_that_go_by_position_see_the_order_of_numbered_columns():
    X = pd.DataFrame({3: [1.0], 0: [2.0]})
    with pytest.raises(ValueError, match=r"pass X\[\[0, 3\]\]"):
        refuse_other_order(X, ["0", "3"], "LGBMRegressor")
    refuse_other_order(X[[0, 3]], ["0", "3"], "LGBMRegressor")
    assert list(order_columns(X, ["0", "3"]).columns) == [0, 3]


def test_the_command_line_finds_a_target_whose_label_is_a_number_and_keeps_dates_beside_such_columns():
    days = [f"2024-01-0{day}" for day in range(1, 7)]
    table = prepare(pd.DataFrame({0: np.arange(6.0), 5: days, 7: [0, 1, 0, 1, 0, 1]}), "7")
    assert (list(table.X.columns), table.y.tolist()) == ([0, 5], [0, 1, 0, 1, 0, 1])
    read = [str(name) for name in table.recipe.apply(table.X).columns]
    assert read[0] == "0"
    assert len(read) > 1
    assert all(name.startswith("5") for name in read[1:])


def test_a_column_without_a_name_is_named_none_or_nan():
    rows = np.random.default_rng(0).normal(size=(40, 3))
    table = pd.DataFrame(rows).set_axis([None, "b", "c"], axis=1)
    for nothing in (None, np.nan):
        fitted = instashap.Explainer(order=1, groups={"pair": [nothing, "c"]}).fit(table, outputs=rows[:, 0])
        assert fitted.feature_names_ == ("pair", "b")


def test_groups_that_are_no_dict_are_refused_with_an_example():
    rows = np.random.default_rng(0).normal(size=(40, 2))
    with pytest.raises(TypeError, match="groups must be a dict of a name and its columns, such as"):
        instashap.Explainer(order=1, groups=[[0, 1]]).fit(rows, outputs=rows[:, 0])


def test_an_interaction_in_a_table_of_one_column_is_refused_by_a_sentence():
    with pytest.raises(ValueError, match=r"interaction \(0,\) must hold 2 or more different columns \(order=1\)"):
        Explainer(interactions=[(0,)]).fit(GAPS[[0]], outputs=PRODUCT)


def test_a_group_without_columns_is_refused():
    with pytest.raises(ValueError, match="group 'size' names no column; leave it out"):
        Explainer(None, groups={"size": []}).fit(np.zeros((5, 2)), outputs=np.zeros(5))


def test_a_ranking_of_no_term_is_refused():
    explainer = Explainer(None, order=1).fit(np.arange(40.0).reshape(20, 2), outputs=np.arange(20.0))
    with pytest.raises(ValueError, match="n_terms=-1 is too few: use at least 1"):
        explainer.rank_terms(-1)


def test_relations_of_duckdb_have_their_columns_in_the_asked_order() -> None:
    duckdb = pytest.importorskip("duckdb")
    relation = duckdb.sql('select 1 as b, 2 as "a ""x", 3 as extra')
    ordered = order_columns(relation, ['a "x', "b"])
    assert ordered.columns == ['a "x', "b"]
    assert ordered.fetchall() == [(2, 1)]


@pytest.mark.parametrize("kind", ["pandas", "polars", "arrow"])
def test_the_model_gets_the_fitted_columns_in_their_order_whatever_the_table_has(kind: str) -> None:
    wrap = {"pandas": pd.DataFrame, "polars": pytest.importorskip("polars").DataFrame, "arrow": pa.table}[kind]
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"a": rng.normal(size=300), "b": rng.normal(size=300), "c": rng.normal(size=300)})

    def predict(rows: Any) -> Any:  # by position, as a model without names does
        table = rows if isinstance(rows, pd.DataFrame) else rows.to_pandas()
        assert list(table.columns) == ["a", "b", "c"]
        return table.to_numpy() @ [1.0, 10.0, 100.0]

    expected = frame.to_numpy() @ [1.0, 10.0, 100.0]
    explainer = Explainer(predict, order=1, synthetic_rows=0).fit(wrap(frame))
    turned = wrap(frame[["c", "a", "b"]].assign(extra=1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)  # the further column is ignored
        np.testing.assert_allclose(explainer(turned, outputs=True).model_outputs, expected, rtol=0, atol=1e-9)
        assert explainer.refit(explainer.accumulate(turned)).expected_value == pytest.approx(expected.mean(), abs=1e-9)
        assert "has not changed" in str(explainer.check(turned))
        assert float(explainer.audit(turned).rungs[-1].carried.value) > 0.99
        change = explain_change(predict, wrap(frame), turned)
    assert float(change.total.value) == pytest.approx(0.0, abs=1e-9)
